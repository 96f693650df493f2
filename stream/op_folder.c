/*
 * Lines of the files of a folder, or the files themselves, once or as long as the job runs.
 *
 *     the folder ──► (time, name) of each file that is new ──► pending, in that order
 *                                                          ──► the first of them is read: at byte n
 *
 * A file is new when it was changed later than all that were seen before, or at the same moment and
 * has another name. One that is changed again is read again, whole. So files belong into the folder
 * in one piece, by a rename; one that comes with an older time than others had is not seen.
 *
 * A checkpoint has the newest time, the names that had it, what is pending, and how far the first
 * of them was read: a job that is restored goes on at that byte.
 *
 * Hidden files (.name, _name) and folders within are passed over.
 *
 * Source: Flink ContinuousFileMonitoringFunction, ContinuousFileReaderOperator, FilePathFilter;
 * there a file with the newest time that comes after the folder was looked at is lost.
 */
#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "stream/sources.h"

#define PATH_SIZE 2048

struct found {
    int64_t time; /* of its last change, nanoseconds since the epoch */
    char *name;   /* owned */
};

struct founds {
    struct found *all; /* [count] */
    uint32_t count, capacity;
};

struct folder {
    struct op op;
    int64_t newest;      /* time of those that were seen last */
    struct founds seen;  /* that had this time */
    struct founds files; /* from `next` on pending, in order; the first may be open */
    uint32_t next;
    FILE *file; /* NULL: none is open */
    struct lines lines;
    bool at_end;     /* of the open file */
    int64_t look_ms; /* when to look at the folder again */
    bool has_looked;
    int64_t restored_at; /* the byte at which the first pending one is to be opened */
};

static struct folder *folder_of(struct op *op)
{
    return (struct folder *)(void *)op;
}

static void founds_add(struct founds *f, int64_t time, const char *name, size_t size)
{
    if (f->count == f->capacity) {
        f->all = must_grow(f->all, sizeof *f->all, f->count, &f->capacity, 16);
    }
    char *copy = must_calloc(1, size + 1);
    memcpy(copy, name, size);
    f->all[f->count++] = (struct found){time, copy};
}

static void founds_clear(struct founds *f)
{
    for (uint32_t i = 0; i < f->count; i++) {
        free(f->all[i].name);
    }
    f->count = 0;
}

static int in_order(const void *a, const void *b)
{
    const struct found *x = a, *y = b;
    return x->time != y->time ? (x->time < y->time ? -1 : 1) : strcmp(x->name, y->name);
}

static void folder_open(struct op *op)
{
    struct folder *f = folder_of(op);
    f->newest = ST_TIME_MIN;
    f->look_ms = ST_TIME_MIN;
    lines_begin(&f->lines, "\n");
}

static void folder_close(struct op *op)
{
    struct folder *f = folder_of(op);
    if (f->file != NULL) {
        fclose(f->file);
    }
    founds_clear(&f->seen);
    founds_clear(&f->files);
    free(f->seen.all);
    free(f->files.all);
    lines_free(&f->lines);
}

/* --------------------------------------------------------------------------- Looking for files */

static bool is_seen(const struct folder *f, int64_t time, const char *name)
{
    bool seen = time < f->newest;
    for (uint32_t i = 0; !seen && time == f->newest && i < f->seen.count; i++) {
        seen = strcmp(f->seen.all[i].name, name) == 0;
    }
    return seen;
}

static void path_of(const struct folder *f, const char *name, char *path)
{
    if (snprintf(path, PATH_SIZE, "%s/%s", f->op.node->path, name) >= PATH_SIZE) {
        task_fail(f->op.task, "%.200s/%.200s: too long a name", f->op.node->path, name);
    }
}

/* One entry: pending, if it is a file and new. One that has gone meanwhile is none. */
static void look_at(struct folder *f, const char *name)
{
    char path[PATH_SIZE];
    struct stat status;
    path_of(f, name, path);
    if (stat(path, &status) == 0 && S_ISREG(status.st_mode)) {
        int64_t time =
            (int64_t)status.st_mtim.tv_sec * INT64_C(1000000000) + status.st_mtim.tv_nsec;
        if (!is_seen(f, time, name)) {
            founds_add(&f->files, time, name, strlen(name));
        }
    }
}

/* What is pending now has been seen. */
static void note_newest(struct folder *f)
{
    for (uint32_t i = f->next; i < f->files.count; i++) {
        const struct found *one = &f->files.all[i];
        if (one->time > f->newest) {
            f->newest = one->time;
            founds_clear(&f->seen);
        }
        founds_add(&f->seen, one->time, one->name, strlen(one->name));
    }
}

/* All that is new becomes pending; nothing was. */
static void look(struct folder *f)
{
    const char *path = f->op.node->path;
    DIR *dir = opendir(path);
    if (dir == NULL) {
        task_fail(f->op.task, "%s: %s", path, strerror(errno));
    }
    founds_clear(&f->files);
    f->next = 0;
    for (struct dirent *entry; (entry = readdir(dir)) != NULL;) {
        if (entry->d_name[0] != '.' && entry->d_name[0] != '_') {
            look_at(f, entry->d_name);
        }
    }
    closedir(dir);
    if (f->files.count > 0) {
        qsort(f->files.all, f->files.count, sizeof *f->files.all, in_order);
    }
    note_newest(f);
    f->has_looked = true;
    f->look_ms = job_now(f->op.task->job) + f->op.node->watch_interval_ms;
}

/* --------------------------------------------------------------------------------- Reading them */

static void open_next(struct folder *f)
{
    char path[PATH_SIZE];
    path_of(f, f->files.all[f->next].name, path);
    f->file = fopen(path, "rb");
    if (f->file == NULL || fseeko(f->file, (off_t)f->restored_at, SEEK_SET) != 0) {
        task_fail(f->op.task, "%s, which was there to be read: %s", path, strerror(errno));
    }
    lines_restart(&f->lines, f->restored_at);
    f->restored_at = 0;
    f->at_end = false;
}

static void fill(struct folder *f)
{
    size_t room;
    const char *name = f->files.all[f->next].name;
    char *to = lines_room(&f->lines, &room);
    if (to == NULL) {
        task_fail(f->op.task, "%s/%s: a line of more than %zu bytes", f->op.node->path, name,
                  f->lines.size);
    }
    size_t got = fread(to, 1, room, f->file);
    if (got == 0 && ferror(f->file)) {
        task_fail(f->op.task, "%s/%s: %s", f->op.node->path, name, strerror(errno));
    }
    f->at_end = got == 0;
    lines_filled(&f->lines, got);
}

/* Of the file that has been read to its end. */
static void put_whole(struct folder *f)
{
    st_file file = {st_str_of(f->files.all[f->next].name), lines_rest(&f->lines)};
    output_push(op_output(&f->op), &(struct batch){&file, NULL, 1});
}

static void check_size(const struct folder *f)
{
    if (lines_rest(&f->lines).size > ST_FILE_SIZE_MAX) {
        task_fail(f->op.task, "%s/%s: a file of more than %u bytes is no record (ST_FILE_SIZE_MAX)",
                  f->op.node->path, f->files.all[f->next].name, ST_FILE_SIZE_MAX);
    }
}

static void end_file(struct folder *f)
{
    fclose(f->file);
    f->file = NULL;
    f->next++;
}

/* A step of reading the first pending file. */
static void read_on(struct folder *f)
{
    bool whole = f->op.node->whole_files;
    if (f->file == NULL) {
        open_next(f);
    } else if (!whole && source_put_lines(&f->op, &f->lines, f->at_end)) {
        return;
    } else if (!f->at_end) {
        fill(f);
        if (whole) {
            check_size(f);
        }
    } else {
        if (whole) {
            put_whole(f);
        }
        end_file(f);
    }
}

static enum st_poll folder_poll(struct op *op)
{
    struct folder *f = folder_of(op);
    if (f->next < f->files.count) {
        read_on(f);
        return ST_MORE;
    }
    if (f->has_looked && op->node->watch == ST_PROCESS_ONCE) {
        return ST_END;
    }
    if (job_now(op->task->job) < f->look_ms) {
        op->wakeup_ms = f->look_ms;
        return ST_IDLE;
    }
    look(f);
    return ST_MORE;
}

/* ----------------------------------------------------------------------------------- Snapshots */

static void write_founds(const struct founds *founds, uint32_t from, struct bytes *to)
{
    bytes_u32(to, founds->count - from);
    for (uint32_t i = from; i < founds->count; i++) {
        bytes_i64(to, founds->all[i].time);
        bytes_text(to, founds->all[i].name);
    }
}

static void folder_snapshot(struct op *op, struct bytes *to)
{
    const struct folder *f = folder_of(op);
    bytes_u32(to, f->has_looked ? 1 : 0);
    bytes_i64(to, f->newest);
    write_founds(&f->seen, 0, to);
    write_founds(&f->files, f->next, to);
    bytes_i64(to, f->file != NULL ? f->lines.position : f->restored_at);
}

/* Names come out of a file: they stay within the folder. */
static void read_founds(struct folder *f, struct founds *founds, struct reader *from)
{
    for (uint32_t left = read_u32(from); left > 0 && !from->bad; left--) {
        int64_t time = read_i64(from);
        st_str name = read_text(from);
        if (from->bad || name.size == 0 || name.size > NAME_MAX ||
            memchr(name.data, '/', name.size) != NULL || memchr(name.data, 0, name.size) != NULL) {
            restore_fail(&f->op, "its section is damaged");
        }
        founds_add(founds, time, name.data, name.size);
    }
}

static void folder_restore(struct op *op, struct section *section)
{
    struct folder *f = folder_of(op);
    struct reader *from = &section->state;
    f->has_looked = read_u32(from) != 0;
    f->newest = read_i64(from);
    read_founds(f, &f->seen, from);
    read_founds(f, &f->files, from);
    f->restored_at = read_i64(from);
    if (f->restored_at < 0) {
        restore_fail(op, "its section is damaged");
    }
}

const struct op_class op_folder = {
    .size = sizeof(struct folder),
    .open = folder_open,
    .close = folder_close,
    .snapshot = folder_snapshot,
    .restore = folder_restore,
    .poll = folder_poll,
    .wake = source_wake,
};
