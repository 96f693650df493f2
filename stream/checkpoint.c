/*
 * Checkpoints in a directory, see checkpoint.h.
 *
 *     _metadata:  "KCSTMETA" version id time max-parallelism count { name size crc } crc
 *     task-N:     "KCSTTASK" { section }                              all integers i64
 *     section:    size { uid subtask parallelism watermark state }
 *     rocks-…:    a file of a database, as RocksDB wrote it
 */
#include "stream/checkpoint.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "stream/files.h"
#include "stream/graph.h"
#include "stream/stored_files.h"

#define VERSION       7
#define META_MAGIC    "KCSTMETA"
#define TASK_MAGIC    "KCSTTASK"
#define WHY_SIZE      FILES_WHY
#define PATH_SIZE     FILES_PATH_MAX
#define FILE_SIZE_MAX ((int64_t)1 << 40)
#define TIME_MS_MAX   (ST_TIME_MAX / 2) /* so that a clock which begins there goes on */

size_t section_begin(struct bytes *b, const char *uid, uint32_t subtask, uint32_t parallelism,
                     int64_t watermark)
{
    if (b->size == 0) {
        bytes_put(b, TASK_MAGIC, 8);
    }
    size_t began = bytes_reserve_i64(b);
    bytes_text(b, uid);
    bytes_u32(b, subtask);
    bytes_u32(b, parallelism);
    bytes_i64(b, watermark);
    return began;
}

void section_end(struct bytes *b, size_t began)
{
    bytes_set_i64(b, began, (int64_t)(b->size - began - 8));
}

/* ------------------------------------------------------------------------------------- Writing */

#define PIECE_SIZE ((size_t)4 << 20) /* between two looks at whether it is still wanted */

static bool is_stopped(const struct checkpoint_draft *w)
{
    return w->stop != NULL && atomic_load(w->stop) != 0;
}

static bool write_file(const struct checkpoint_draft *w, const char *dir, const char *name,
                       const struct bytes *b, char *why)
{
    char path[PATH_SIZE + 64];
    snprintf(path, sizeof path, "%s/%s", dir, name);
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0644);
    if (fd < 0) {
        return files_fail(why, "cannot make", path);
    }
    for (size_t at = 0; at < b->size && !is_stopped(w);) {
        size_t left = b->size - at;
        ssize_t wrote = write(fd, b->data + at, left < PIECE_SIZE ? left : PIECE_SIZE);
        if (wrote < 0 && errno != EINTR) {
            files_fail(why, "cannot write", path);
            close(fd);
            return false;
        }
        at += wrote > 0 ? (size_t)wrote : 0;
    }
    if (is_stopped(w)) {
        close(fd);
        snprintf(why, WHY_SIZE, "it was given up");
        return false;
    }
    bool synced = fsync(fd) == 0;
    return (close(fd) == 0 && synced) || files_fail(why, "cannot write", path);
}

/* The name of a checkpoint, with `suffix`. */
static void name_of(const struct checkpoint_draft *w, const char *suffix, char path[PATH_SIZE])
{
    snprintf(path, PATH_SIZE, "%.900s/%s%" PRId64 "%s", w->dir, w->kind, w->number, suffix);
}

/* Its name is free once the folder of what is unfinished is ours: nobody can complete one of this
 * name from then on, so it is looked for behind that. */
static bool claim_free_name(struct checkpoint_draft *w, char *why)
{
    char part[PATH_SIZE], whole[PATH_SIZE];
    struct stat stat;
    for (w->number = w->id;; w->number++) {
        name_of(w, ".part", part);
        name_of(w, "", whole);
        if (mkdir(part, 0755) == 0) {
            if (lstat(whole, &stat) != 0) {
                return true;
            }
            rmdir(part);
        } else if (errno != EEXIST) {
            w->number = 0; /* nothing to be discarded */
            return files_fail(why, "cannot make", part);
        }
    }
}

/* Makes the folder that it is written to. A checkpoint has its number for itself: what is there was
 * left by a run before. */
static bool make_part(struct checkpoint_draft *w, char *why)
{
    char part[PATH_SIZE];
    if (!files_make_folders(w->dir, why)) {
        return false;
    }
    if (strcmp(w->kind, SAVEPOINT) == 0) {
        return claim_free_name(w, why);
    }
    w->number = w->id;
    name_of(w, ".part", part);
    files_remove_tree(part);
    return files_make_folders(part, why);
}

struct checkpoint_size checkpoint_size(const struct checkpoint_draft *w,
                                       const struct stored_files *now)
{
    struct checkpoint_size size = {0};
    for (uint32_t t = 0; t < w->count; t++) {
        size.written += (int64_t)w->tasks[t]->size;
    }
    size.full = size.written;
    for (uint32_t f = 0; f < now->count; f++) {
        size.full += now->files[f].size;
        size.written += now->files[f].shared ? 0 : now->files[f].size;
    }
    return size;
}

bool checkpoint_write(struct checkpoint_draft *w, struct stored_files *now, char *why)
{
    char part[PATH_SIZE], name[64];
    struct bytes meta = {0};
    if (strlen(w->dir) > 900) {
        snprintf(why, WHY_SIZE, "the name of the checkpoint directory is too long");
        return false;
    }
    bool ok = make_part(w, why);
    name_of(w, ".part", part);
    bytes_put(&meta, META_MAGIC, 8);
    bytes_i64(&meta, VERSION);
    bytes_i64(&meta, w->id);
    bytes_i64(&meta, w->time_ms);
    bytes_i64(&meta, w->max_parallelism);
    size_t count_at = bytes_reserve_i64(&meta);
    for (uint32_t t = 0; t < w->count && ok; t++) {
        const struct bytes *task = w->tasks[t];
        snprintf(name, sizeof name, "task-%u", t);
        ok = write_file(w, part, name, task, why);
        bytes_text(&meta, name);
        bytes_i64(&meta, (int64_t)task->size);
        bytes_i64(&meta, files_crc(0, task->data, task->size));
        ok = ok && stored_files_add(now, w->stored, task->attached, part, why);
    }
    for (uint32_t f = 0; f < now->count; f++) {
        bytes_text(&meta, now->files[f].name);
        bytes_i64(&meta, now->files[f].size);
        bytes_i64(&meta, now->files[f].crc);
    }
    bytes_set_i64(&meta, count_at, (int64_t)w->count + now->count);
    bytes_i64(&meta, files_crc(0, meta.data, meta.size));
    ok = ok && write_file(w, part, "_metadata", &meta, why) &&
         (files_sync_folder(part) || files_fail(why, "cannot complete", part));
    bytes_free(&meta);
    return ok;
}

bool checkpoint_complete(const struct checkpoint_draft *w, struct stored_files *now, char *why)
{
    char part[PATH_SIZE], whole[PATH_SIZE];
    name_of(w, ".part", part);
    name_of(w, "", whole);
    bool ok = (rename(part, whole) == 0 && files_sync_folder(w->dir)) ||
              files_fail(why, "cannot complete", whole);
    stored_files_take(w->stored, now, ok ? whole : NULL);
    return ok;
}

void checkpoint_discard(const struct checkpoint_draft *w, struct stored_files *now)
{
    if (w->number != 0) {
        char part[PATH_SIZE];
        name_of(w, ".part", part);
        files_remove_tree(part);
    }
    stored_files_free(now);
}

/* ------------------------------------------------------------------------------------- Reading */

/* The bytes of a file with 8 zeros behind; NULL with `why`. Owned by the caller. */
static char *read_file(const char *dir, const char *name, int64_t size_max, size_t *size, char *why)
{
    char path[PATH_SIZE * 2];
    struct stat stat;
    snprintf(path, sizeof path, "%s/%s", dir, name);
    FILE *file = fopen(path, "rb");
    if (file == NULL || fstat(fileno(file), &stat) != 0 || !S_ISREG(stat.st_mode) ||
        stat.st_size > size_max) {
        files_fail(why, "cannot read", path);
        if (file != NULL) {
            fclose(file);
        }
        return NULL;
    }
    char *data = calloc(1, (size_t)stat.st_size + 8);
    *size = data != NULL ? fread(data, 1, (size_t)stat.st_size, file) : 0;
    fclose(file);
    if (data == NULL || *size != (size_t)stat.st_size) {
        files_fail(why, "cannot read", path);
        free(data);
        return NULL;
    }
    return data;
}

static void add_section(struct checkpoint *c, struct section section)
{
    struct section *more = realloc(c->sections, (c->section_count + 1) * sizeof *more);
    if (more == NULL) {
        abort();
    }
    c->sections = more;
    more[c->section_count++] = section;
}

static bool read_sections(struct checkpoint *c, const char *data, size_t size)
{
    struct reader r = {data, data + size, false};
    const char *magic = read_bytes(&r, 8);
    if (size == 0) {
        return true; /* a task without state */
    }
    if (magic == NULL || memcmp(magic, TASK_MAGIC, 8) != 0) {
        return false;
    }
    while (!r.bad && r.at < r.end) {
        int64_t length = read_i64(&r);
        const char *at = length >= 0 ? read_bytes(&r, (size_t)length) : NULL;
        if (at == NULL) {
            return false;
        }
        struct section section = {.state = {at, at + length, false}};
        section.uid = read_text(&section.state);
        section.subtask = read_u32(&section.state);
        section.parallelism = read_u32(&section.state);
        section.watermark = read_i64(&section.state);
        if (section.state.bad || section.subtask >= section.parallelism) {
            return false;
        }
        add_section(c, section);
    }
    return !r.bad;
}

/* Takes the bytes of a task's file. */
static void own_file(struct checkpoint *c, char *data)
{
    char **files = realloc(c->files, (c->file_count + 1) * sizeof *files);
    if (files == NULL) {
        abort();
    }
    c->files = files;
    files[c->file_count++] = data;
}

bool checkpoint_add_task(struct checkpoint *c, const struct bytes *part)
{
    char *data = must_calloc(1, part->size + 8);
    if (part->size > 0) {
        memcpy(data, part->data, part->size);
    }
    own_file(c, data);
    return read_sections(c, data, part->size);
}

/* A file of a database: read, and left where it is. */
static bool check_stored(struct checkpoint *c, const char *path, const char *name,
                         int64_t size_said, int64_t crc_said, char *why)
{
    char file[PATH_SIZE + 256];
    int64_t size;
    uint32_t crc;
    snprintf(file, sizeof file, "%s/%s", path, name);
    if (!files_sum(file, false, &size, &crc, why)) {
        return false;
    }
    if (size != size_said || (int64_t)crc != crc_said) {
        snprintf(why, WHY_SIZE, "%.150s/%.60s is damaged", path, name);
        return false;
    }
    char **stored = realloc(c->stored, (c->stored_count + 1) * sizeof *stored);
    if (stored == NULL) {
        abort();
    }
    c->stored = stored;
    stored[c->stored_count++] = must_strdup(name);
    return true;
}

/* One file that the metadata names: its size and sum must be as said. */
static bool read_task(struct checkpoint *c, const char *path, struct reader *meta, char *why)
{
    char name[256];
    st_str text = read_text(meta);
    int64_t size_said = read_i64(meta), crc = read_i64(meta);
    size_t size;
    if (meta->bad || text.size >= sizeof name || memchr(text.data, '/', text.size) != NULL) {
        snprintf(why, WHY_SIZE, "%.150s: _metadata is damaged", path);
        return false;
    }
    snprintf(name, sizeof name, "%.*s", (int)text.size, text.data);
    if (strncmp(name, STORED_FILE, strlen(STORED_FILE)) == 0) {
        return check_stored(c, path, name, size_said, crc, why);
    }
    char *data = read_file(path, name, FILE_SIZE_MAX, &size, why);
    if (data == NULL) {
        return false;
    }
    own_file(c, data);
    if ((int64_t)size != size_said || (int64_t)files_crc(0, data, size) != crc ||
        !read_sections(c, data, size)) {
        snprintf(why, WHY_SIZE, "%.150s/%.60s is damaged", path, name);
        return false;
    }
    return true;
}

/* What stands before the content of _metadata, and the sum behind it. Leaves `meta` at the content.
 */
static bool open_metadata(struct reader *meta, const char *path, const char *data, size_t size,
                          char *why)
{
    enum { HEAD = 16, SUM = 8 };
    int64_t crc = 0;
    if (size >= HEAD + SUM) {
        memcpy(&crc, data + size - SUM, SUM);
    }
    if (size < HEAD + SUM || memcmp(data, META_MAGIC, 8) != 0 ||
        crc != (int64_t)files_crc(0, data, size - SUM)) {
        snprintf(why, WHY_SIZE, "%.150s/_metadata is damaged", path);
        return false;
    }
    *meta = (struct reader){data + 8, data + size - SUM, false};
    int64_t version = read_i64(meta);
    if (version != VERSION) {
        snprintf(why, WHY_SIZE, "%.150s: version %" PRId64 "; this program reads %d", path, version,
                 VERSION);
    }
    return version == VERSION;
}

static struct checkpoint *load_one(const char *path, char *why)
{
    struct reader meta;
    size_t size;
    char *data = read_file(path, "_metadata", 1 << 30, &size, why);
    if (data == NULL) {
        return NULL;
    }
    bool ok = open_metadata(&meta, path, data, size, why);
    struct checkpoint *c = must_calloc(1, sizeof *c);
    c->path = must_strdup(path);
    if (ok) {
        c->id = read_i64(&meta);
        c->time_ms = read_i64(&meta);
        c->max_parallelism = (uint32_t)read_i64(&meta);
        ok = c->time_ms >= 0 && c->time_ms <= TIME_MS_MAX;
        if (!ok) {
            snprintf(why, WHY_SIZE, "%.150s: _metadata is damaged", path);
        }
        for (int64_t left = read_i64(&meta); ok && left > 0; left--) {
            ok = read_task(c, path, &meta, why);
        }
    }
    free(data);
    if (!ok) {
        checkpoint_free(c);
        return NULL;
    }
    return c;
}

void checkpoint_free(struct checkpoint *c)
{
    if (c != NULL) {
        for (uint32_t f = 0; f < c->file_count; f++) {
            free(c->files[f]);
        }
        for (uint32_t f = 0; f < c->stored_count; f++) {
            free(c->stored[f]);
        }
        free(c->files);
        free(c->stored);
        free(c->path);
        free(c->sections);
        free(c);
    }
}

/* ------------------------------------------------------------------------------- The directory */

static int newest_first(const void *a, const void *b)
{
    const int64_t *x = a, *y = b;
    return *x > *y ? -1 : *x < *y;
}

enum parts { PARTS_PASSED_OVER, PARTS_LISTED, PARTS_REMOVED };

/* The numbers of DIR's checkpoints, newest first; owned by the caller. `parts` says what is done
 * with those that are half written. */
static int64_t *list(const char *path, const char *kind, size_t *count, enum parts parts)
{
    int64_t *ids = NULL;
    DIR *dir = opendir(path);
    *count = 0;
    for (struct dirent *entry; dir != NULL && (entry = readdir(dir)) != NULL;) {
        char *end, part[PATH_SIZE];
        if (strncmp(entry->d_name, kind, strlen(kind)) != 0) {
            continue;
        }
        const char *number = entry->d_name + strlen(kind);
        long long id = strtoll(number, &end, 10);
        bool is_part = strcmp(end, ".part") == 0;
        if (end != number && (*end == '\0' || (is_part && parts == PARTS_LISTED))) {
            ids = realloc(ids, (*count + 1) * sizeof *ids);
            if (ids == NULL) {
                abort();
            }
            ids[(*count)++] = id;
        } else if (is_part && parts == PARTS_REMOVED &&
                   snprintf(part, sizeof part, "%s/%s", path, entry->d_name) < (int)sizeof part) {
            files_remove_tree(part);
        }
    }
    if (dir != NULL) {
        closedir(dir);
    }
    if (*count > 0) {
        qsort(ids, *count, sizeof *ids, newest_first);
    }
    return ids;
}

struct checkpoint *checkpoint_load(const char *path, char *why)
{
    static const char *const kinds[] = {CHECKPOINT, SAVEPOINT};
    enum { KINDS = sizeof kinds / sizeof kinds[0] };
    char one[PATH_SIZE];
    struct stat stat_of;
    int64_t *ids[KINDS];
    size_t count[KINDS], at[KINDS] = {0};
    why[0] = '\0';
    snprintf(one, sizeof one, "%.900s/_metadata", path);
    if (stat(one, &stat_of) == 0) {
        return load_one(path, why);
    }
    for (int k = 0; k < KINDS; k++) {
        ids[k] = list(path, kinds[k], &count[k], PARTS_PASSED_OVER);
    }
    struct checkpoint *c = NULL;
    if (count[0] + count[1] == 0) {
        snprintf(why, WHY_SIZE, "%.150s: there is no checkpoint", path);
    }
    while (c == NULL && (at[0] < count[0] || at[1] < count[1])) {
        int k = at[1] < count[1] && (at[0] == count[0] || ids[1][at[1]] >= ids[0][at[0]]) ? 1 : 0;
        snprintf(one, sizeof one, "%.900s/%s%" PRId64, path, kinds[k], ids[k][at[k]++]);
        c = load_one(one, why);
    }
    for (int k = 0; k < KINDS; k++) {
        free(ids[k]);
    }
    return c;
}

static int64_t newest_of(const char *dir, const char *kind, enum parts parts)
{
    size_t count;
    int64_t *ids = list(dir, kind, &count, parts);
    int64_t newest = count > 0 ? ids[0] : 0;
    free(ids);
    return newest;
}

int64_t checkpoint_newest(const char *dir, const char *kind)
{
    return newest_of(dir, kind, PARTS_PASSED_OVER);
}

int64_t checkpoint_newest_taken(const char *dir, const char *kind)
{
    return newest_of(dir, kind, PARTS_LISTED);
}

void checkpoint_prune(const char *dir, int64_t above, int64_t below)
{
    size_t count;
    int64_t *ids = list(dir, CHECKPOINT, &count, PARTS_REMOVED);
    while (count-- > 0) { /* the newest last, in case that the process is killed meanwhile */
        char path[PATH_SIZE];
        snprintf(path, sizeof path, "%.900s/chk-%" PRId64, dir, ids[count]);
        if (ids[count] > above && ids[count] < below) {
            files_remove_tree(path);
        }
    }
    free(ids);
}
