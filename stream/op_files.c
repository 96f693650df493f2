/*
 * Files written exactly once. A file is a transaction, and its name tells how far it is:
 *
 *     .part-0-3.inprogress.OWNER   written to; goes on over checkpoints, or is ended by each
 *     .part-0-3.pending.OWNER      whole and synced (pre-commit), to be seen with its checkpoint
 *     part-0-3                     that checkpoint is complete (commit)
 *
 * When a file is rolled is said by three limits, or by each barrier: see st_write_files. One that
 * goes on over a barrier is synced there, and the checkpoint has its length. Whoever goes on from
 * there finds it in progress or, rolled since, pending; cuts off what came behind the barrier, and
 * writes on. A savepoint ends it, for two jobs may go on from that.
 *
 * The number is above all that the folder has of this subtask, whoever made them; it is taken with
 * the folder locked. So sinks and jobs may share a folder. OWNER is a sink that was begun once and
 * goes on with its own checkpoints, in this process or another: by it a job tells, when it goes on,
 * what it left behind them and nobody will ask for. That is removed, since nobody else ever would
 * (Flink leaves it). A sink that begins anew, from a savepoint or from a checkpoint in another's
 * folder, has a new name: who wrote that may still run, and other checkpoints of it may ask for
 * their files.
 *
 * To commit again finds the file renamed, which is well. The checkpoint has the sum of what is
 * safe, so that what another run has written into a file since is not taken for its own.
 *
 * Source: Flink FileSink, FileWriterBucket, DefaultRollingPolicy, OnCheckpointRollingPolicy.
 * Differs: times are kept to the millisecond, there they are looked at each minute.
 */
#include "stream/op_files.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "stream/files.h"
#include "stream/op_two_phase.h"
#include "stream/task.h"

#define PATH_SIZE 1024
#define NO_NUMBER (-1) /* nothing is written yet, and there is no file */

typedef struct {
    int64_t subtask, number;
    uint64_t owner; /* who made the file */
    uint64_t sink;  /* whose transaction it is: another one's only once that is restored */
    int64_t length; /* bytes that are safe, at the last barrier or at the end */
    int64_t crc;    /* of those, CRC-32C */
    int64_t created_ms;
} file_part;
ST_TYPE(file_part, subtask, number, owner, sink, length, crc, created_ms);

enum place { IN_PROGRESS, PENDING, COMMITTED };

struct files {
    FILE *file; /* of the open transaction; NULL: no line yet */
    int64_t size;
    uint32_t crc; /* of them */
    int64_t updated_ms;
    uint64_t sink;
    char line[1024];
};

const size_t files_self_size = sizeof(struct files);

static struct op *op_of(const st_context *ctx)
{
    union {
        const st_context *read;
        struct op *op;
    } of = {.read = ctx};
    return of.op;
}

static const struct node *node_of(const st_context *ctx)
{
    return op_of(ctx)->node;
}

static _Noreturn void fail(st_context *ctx, const char *path)
{
    st_fail(ctx, "%s: %s", path, strerror(errno));
}

/* Returns path[PATH_SIZE]. */
static const char *path_of(const st_context *ctx, const file_part *part, enum place place,
                           char *path)
{
    const char *folder = node_of(ctx)->path;
    if (place == COMMITTED) {
        snprintf(path, PATH_SIZE, "%.900s/part-%" PRId64 "-%" PRId64, folder, part->subtask,
                 part->number);
    } else {
        snprintf(path, PATH_SIZE, "%.900s/.part-%" PRId64 "-%" PRId64 ".%s.%016" PRIx64, folder,
                 part->subtask, part->number, place == PENDING ? "pending" : "inprogress",
                 part->owner);
    }
    return path;
}

/* The names of files, which a sync of the files does not make safe. */
static void sync_folder(st_context *ctx)
{
    int dir = open(node_of(ctx)->path, O_RDONLY | O_DIRECTORY);
    bool synced = dir >= 0 && fsync(dir) == 0;
    if (dir >= 0) {
        close(dir);
    }
    if (!synced) {
        fail(ctx, node_of(ctx)->path);
    }
}

/* --------------------------------------------------------------------------------- Making files */

static void files_begin(st_context *ctx, void *txn)
{
    const char *path = node_of(ctx)->path;
    if (mkdir(path, 0755) != 0 && errno != EEXIST) {
        fail(ctx, path);
    }
    const struct files *files = ctx->self;
    *(file_part *)txn = (file_part){ctx->subtask, NO_NUMBER, files->sink, files->sink, 0, 0, 0};
}

/* The first number of the subtask that is free, and all above it. */
static int64_t free_number(st_context *ctx, DIR *dir)
{
    int64_t next = 0;
    for (const struct dirent *entry; (entry = readdir(dir)) != NULL;) {
        int64_t subtask, number;
        const char *name = entry->d_name + (entry->d_name[0] == '.' ? 1 : 0);
        if (sscanf(name, "part-%" SCNd64 "-%" SCNd64, &subtask, &number) == 2 &&
            subtask == ctx->subtask && number >= next) {
            next = number + 1;
        }
    }
    return next;
}

/* As long as it is open nobody else writes on in it. */
static void hold(st_context *ctx, FILE *file, const char *path)
{
    if (flock(fileno(file), LOCK_EX | LOCK_NB) != 0 && errno == EWOULDBLOCK) {
        st_fail(ctx, "%s: another process writes to it", path);
    }
}

/* With the folder locked, which who else takes a number waits for. */
static void make_file(st_context *ctx, file_part *part)
{
    struct files *files = ctx->self;
    char path[PATH_SIZE];
    DIR *dir = opendir(node_of(ctx)->path);
    if (dir == NULL) {
        fail(ctx, node_of(ctx)->path);
    }
    (void)flock(dirfd(dir), LOCK_EX); /* not each file system has it */
    part->number = free_number(ctx, dir);
    files->file = fopen(path_of(ctx, part, IN_PROGRESS, path), "wx");
    closedir(dir);
    if (files->file == NULL) {
        fail(ctx, path);
    }
    hold(ctx, files->file, path);
}

/* When it is to be looked whether the open file is to be rolled. */
static void set_alarm(st_context *ctx, const file_part *part)
{
    const struct files *files = ctx->self;
    const st_options *o = &node_of(ctx)->options;
    int64_t rollover = o->rollover_ms < INT64_MAX - part->created_ms
                           ? part->created_ms + o->rollover_ms
                           : ST_TIME_MAX;
    int64_t inactivity = o->inactivity_ms < INT64_MAX - files->updated_ms
                             ? files->updated_ms + o->inactivity_ms
                             : ST_TIME_MAX;
    op_of(ctx)->wakeup_ms = rollover < inactivity ? rollover : inactivity;
}

static void begin_file(st_context *ctx, file_part *part)
{
    struct files *files = ctx->self;
    make_file(ctx, part);
    part->created_ms = files->updated_ms = st_now(ctx);
    files->size = 0;
    files->crc = 0;
    if (rolls_by_limits(&node_of(ctx)->options)) {
        set_alarm(ctx, part);
    }
}

static void write_line(st_context *ctx, const char *record)
{
    struct files *files = ctx->self;
    const st_type *type = node_of(ctx)->in;
    char *line = files->line;
    size_t size = record_print(type, record, line, sizeof files->line);
    if (size >= sizeof files->line) {
        line = st_alloc(ctx, size + 1);
        record_print(type, record, line, size + 1);
    }
    line[size] = '\n';
    if (fwrite(line, 1, size + 1, files->file) != size + 1) {
        fail(ctx, node_of(ctx)->path);
    }
    files->size += (int64_t)size + 1;
    files->crc = files_crc(files->crc, line, size + 1);
}

static void files_write(st_context *ctx, void *txn, const void *records, uint32_t count)
{
    struct files *files = ctx->self;
    int64_t most =
        rolls_by_limits(&node_of(ctx)->options) ? node_of(ctx)->options.max_part_size : INT64_MAX;
    for (uint32_t k = 0; k < count; k++) {
        if (files->size > most) {
            txn = two_phase_next(ctx);
        }
        if (files->file == NULL) {
            begin_file(ctx, txn);
        }
        write_line(ctx, (const char *)records + (size_t)k * node_of(ctx)->in->size);
    }
    files->updated_ms = st_now(ctx);
}

static void files_wake(st_context *ctx, void *txn, int64_t now_ms)
{
    const struct files *files = ctx->self;
    const file_part *part = txn;
    const st_options *o = &node_of(ctx)->options;
    if (files->file != NULL && (now_ms - part->created_ms >= o->rollover_ms ||
                                now_ms - files->updated_ms >= o->inactivity_ms)) {
        (void)two_phase_next(ctx);
    } else if (files->file != NULL) {
        set_alarm(ctx, part);
    }
}

/* ----------------------------------------------------------------------- Ending and committing */

static bool save(const struct files *files, file_part *part)
{
    part->length = files->size;
    part->crc = files->crc;
    return fflush(files->file) == 0 && fsync(fileno(files->file)) == 0;
}

static bool files_goes_on(st_context *ctx, void *txn)
{
    if (!rolls_by_limits(&node_of(ctx)->options)) {
        return false;
    }
    if (!save(ctx->self, txn)) {
        fail(ctx, node_of(ctx)->path);
    }
    sync_folder(ctx);
    return true;
}

static void files_leave(st_context *ctx)
{
    struct files *files = ctx->self;
    if (files->file != NULL) {
        fclose(files->file);
    }
    files->file = NULL;
    files->size = 0;
}

static void files_pre_commit(st_context *ctx, void *txn)
{
    struct files *files = ctx->self;
    char in_progress[PATH_SIZE], pending[PATH_SIZE];
    if (!save(files, txn)) {
        fail(ctx, node_of(ctx)->path);
    }
    files_leave(ctx);
    if (rename(path_of(ctx, txn, IN_PROGRESS, in_progress), path_of(ctx, txn, PENDING, pending)) !=
        0) {
        fail(ctx, in_progress);
    }
    sync_folder(ctx);
}

static bool is_there(const char *path)
{
    struct stat status;
    return stat(path, &status) == 0;
}

static _Noreturn void fail_lost(st_context *ctx, const char *path)
{
    st_fail(ctx, "lost: %s was written and checkpointed, and is not there as it was", path);
}

static void files_commit(st_context *ctx, const void *txn)
{
    char pending[PATH_SIZE], committed[PATH_SIZE];
    path_of(ctx, txn, PENDING, pending);
    path_of(ctx, txn, COMMITTED, committed);
    if (rename(pending, committed) != 0 && (errno != ENOENT || !is_there(committed))) {
        fail_lost(ctx, pending);
    }
    sync_folder(ctx);
}

static void files_abort(st_context *ctx, const void *txn)
{
    char path[PATH_SIZE];
    files_leave(ctx);
    if (((const file_part *)txn)->number != NO_NUMBER) {
        unlink(path_of(ctx, txn, IN_PROGRESS, path));
    }
}

/* ----------------------------------------------------------------------------------- Recovering */

/* Does the file begin with what was written, or (`whole`) is it that? Who went on from an older
 * checkpoint may have put something else behind an earlier barrier. */
static bool is_as_it_was(const char *path, const file_part *part, bool whole)
{
    char piece[1 << 14];
    int64_t left = part->length;
    uint32_t crc = 0;
    FILE *file = fopen(path, "r");
    for (size_t some = 1; file != NULL && left > 0 && some > 0; left -= (int64_t)some) {
        size_t most = left < (int64_t)sizeof piece ? (size_t)left : sizeof piece;
        some = fread(piece, 1, most, file);
        crc = files_crc(crc, piece, some);
    }
    bool same = file != NULL && left == 0 && crc == part->crc && (!whole || fgetc(file) == EOF);
    if (file != NULL) {
        fclose(file);
    }
    return same;
}

/* A file that is not there any more has been committed since, and somebody has taken it away, or
 * the job writes into another folder now: told, and passed over. Source: Flink
 * LocalRecoverableFsDataOutputStream.LocalCommitter.commitAfterRecovery. */
static void files_recover_and_commit(st_context *ctx, const void *txn)
{
    char pending[PATH_SIZE], committed[PATH_SIZE];
    path_of(ctx, txn, PENDING, pending);
    path_of(ctx, txn, COMMITTED, committed);
    bool is_pending = is_there(pending);
    if (!is_pending && !is_there(committed)) {
        fprintf(stderr,
                "%s: %s is not there: it was committed, and taken away since, or lies elsewhere\n",
                node_of(ctx)->name, committed);
        return;
    }
    if (!is_as_it_was(is_pending ? pending : committed, txn, true)) {
        fail_lost(ctx, is_pending ? pending : committed);
    }
    files_commit(ctx, txn);
}

/* As it was at the barrier: one that was rolled since is in progress again. One that a later
 * checkpoint has committed stays as it is: what came behind the barrier comes again, in other
 * files. */
static bool files_resume(st_context *ctx, void *txn)
{
    struct files *files = ctx->self;
    file_part *part = txn;
    char in_progress[PATH_SIZE], other[PATH_SIZE];
    if (part->number == NO_NUMBER) {
        return false;
    }
    path_of(ctx, part, IN_PROGRESS, in_progress);
    if (rename(path_of(ctx, part, PENDING, other), in_progress) != 0 && !is_there(in_progress) &&
        is_there(path_of(ctx, part, COMMITTED, other))) {
        return false;
    }
    if (!is_as_it_was(in_progress, part, false)) {
        fail_lost(ctx, in_progress);
    }
    files->file = fopen(in_progress, "a");
    if (files->file == NULL) {
        fail(ctx, in_progress);
    }
    hold(ctx, files->file, in_progress);
    if (ftruncate(fileno(files->file), part->length) != 0) {
        fail(ctx, in_progress);
    }
    int64_t now_ms = st_now(ctx);
    part->sink = files->sink;
    part->created_ms =
        part->created_ms <= now_ms ? part->created_ms : now_ms; /* the clock went back */
    files->size = part->length;
    files->crc = (uint32_t)part->crc;
    files->updated_ms = now_ms;
    if (rolls_by_limits(&node_of(ctx)->options)) {
        set_alarm(ctx, part);
    }
    return true;
}

/* Reads a hidden name; false: it is none of ours. */
static bool read_name(const char *name, file_part *part)
{
    char place[16];
    int size = 0;
    return sscanf(name, ".part-%" SCNd64 "-%" SCNd64 ".%15[a-z].%16" SCNx64 "%n", &part->subtask,
                  &part->number, place, &part->owner, &size) == 4 &&
           name[size] == '\0' &&
           (strcmp(place, "pending") == 0 || strcmp(place, "inprogress") == 0);
}

static bool is_of(const file_part *part, const void *const *txns, uint32_t count)
{
    bool found = false;
    for (uint32_t t = 0; t < count; t++) {
        const file_part *one = txns[t];
        found |= one->owner == part->owner && one->subtask == part->subtask &&
                 one->number == part->number;
    }
    return found;
}

/* Of several subtasks each file has one that looks after it, before it makes files itself. */
static void files_clean(st_context *ctx, const void *const *txns, uint32_t count)
{
    struct files *files = ctx->self;
    uint64_t own = node_of(ctx)->owner;
    bool goes_on = op_of(ctx)->task->job->env->restores_own && count > 0;
    files->sink = goes_on ? ((const file_part *)txns[0])->sink : own;
    const char *folder = node_of(ctx)->path;
    DIR *dir = opendir(folder);
    for (const struct dirent *entry; dir != NULL && (entry = readdir(dir)) != NULL;) {
        char path[PATH_SIZE];
        file_part part;
        if (read_name(entry->d_name, &part) && part.subtask % ctx->parallelism == ctx->subtask &&
            (part.owner == own || part.owner == files->sink) && !is_of(&part, txns, count)) {
            snprintf(path, sizeof path, "%.900s/%.100s", folder, entry->d_name);
            unlink(path);
        }
    }
    if (dir != NULL) {
        closedir(dir);
    }
}

const st_two_phase files_two_phase = {
    .transaction = &st_type_file_part,
    .begin = files_begin,
    .write = files_write,
    .pre_commit = files_pre_commit,
    .commit = files_commit,
    .abort = files_abort,
    .recover_and_commit = files_recover_and_commit,
};

const struct long_transactions files_long_transactions = {
    .goes_on = files_goes_on,
    .resume = files_resume,
    .leave = files_leave,
    .clean = files_clean,
    .wake = files_wake,
};
