/*
 * Files written exactly once.
 *
 *     .part-0-3.inprogress   written, then synced (pre-commit)
 *     part-0-3               renamed when the checkpoint is complete (commit)
 *
 * The number is above all that the folder has of this subtask, so a name is never used twice. To
 * abort is to remove the hidden file. To commit again finds the file renamed, which is well;
 * neither file there is lost data, and said so.
 */
#include "stream/op_files.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "stream/task.h"

#define PATH_SIZE 1024

typedef struct {
    int64_t subtask, number;
} file_part;
ST_TYPE(file_part, subtask, number);

struct files {
    FILE *file;   /* of the open transaction; NULL: no line yet */
    bool is_open; /* the folder has been looked at */
    int64_t next;
    char line[1024];
};

const size_t files_self_size = sizeof(struct files);

static const struct node *node_of(const st_context *ctx)
{
    return ((const struct op *)(const void *)ctx)->node;
}

static void hidden_path(const st_context *ctx, const file_part *part, char *path)
{
    snprintf(path, PATH_SIZE, "%.900s/.part-%" PRId64 "-%" PRId64 ".inprogress", node_of(ctx)->path,
             part->subtask, part->number);
}

static void final_path(const st_context *ctx, const file_part *part, char *path)
{
    snprintf(path, PATH_SIZE, "%.900s/part-%" PRId64 "-%" PRId64, node_of(ctx)->path, part->subtask,
             part->number);
}

/* The folder, made if need be, and the first number that is free. */
static void look_at_folder(st_context *ctx)
{
    struct files *files = ctx->self;
    const char *path = node_of(ctx)->path;
    DIR *dir = mkdir(path, 0755) == 0 || errno == EEXIST ? opendir(path) : NULL;
    if (dir == NULL) {
        st_fail(ctx, "%s: %s", path, strerror(errno));
    }
    for (struct dirent *entry; (entry = readdir(dir)) != NULL;) {
        int64_t subtask, number;
        const char *name = entry->d_name + (entry->d_name[0] == '.' ? 1 : 0);
        if (sscanf(name, "part-%" SCNd64 "-%" SCNd64, &subtask, &number) == 2 &&
            subtask == ctx->subtask && number >= files->next) {
            files->next = number + 1;
        }
    }
    closedir(dir);
    files->is_open = true;
}

static void files_begin(st_context *ctx, void *txn)
{
    struct files *files = ctx->self;
    if (!files->is_open) {
        look_at_folder(ctx);
    }
    *(file_part *)txn = (file_part){ctx->subtask, files->next++};
}

static void open_file(st_context *ctx, const file_part *part)
{
    char path[PATH_SIZE];
    hidden_path(ctx, part, path);
    ((struct files *)ctx->self)->file = fopen(path, "w");
    if (((struct files *)ctx->self)->file == NULL) {
        st_fail(ctx, "%s: %s", path, strerror(errno));
    }
}

static void files_write(st_context *ctx, void *txn, const void *records, uint32_t count)
{
    struct files *files = ctx->self;
    const st_type *type = node_of(ctx)->in;
    if (files->file == NULL) {
        open_file(ctx, txn);
    }
    for (uint32_t k = 0; k < count; k++) {
        const char *record = (const char *)records + (size_t)k * type->size;
        char *line = files->line;
        size_t size = record_print(type, record, line, sizeof files->line);
        if (size >= sizeof files->line) {
            line = st_alloc(ctx, size + 1);
            record_print(type, record, line, size + 1);
        }
        line[size] = '\n';
        if (fwrite(line, 1, size + 1, files->file) != size + 1) {
            st_fail(ctx, "%s: %s", node_of(ctx)->path, strerror(errno));
        }
    }
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
        st_fail(ctx, "%s: %s", node_of(ctx)->path, strerror(errno));
    }
}

static void files_pre_commit(st_context *ctx, void *txn)
{
    struct files *files = ctx->self;
    (void)txn;
    FILE *file = files->file;
    files->file = NULL;
    bool ok = fflush(file) == 0 && fsync(fileno(file)) == 0;
    if (fclose(file) != 0 || !ok) {
        st_fail(ctx, "%s: %s", node_of(ctx)->path, strerror(errno));
    }
    sync_folder(ctx);
}

static void files_commit(st_context *ctx, const void *txn)
{
    char hidden[PATH_SIZE], final[PATH_SIZE];
    struct stat stat_of;
    hidden_path(ctx, txn, hidden);
    final_path(ctx, txn, final);
    if (rename(hidden, final) != 0 && (errno != ENOENT || stat(final, &stat_of) != 0)) {
        st_fail(ctx, "lost: %s was written and checkpointed, and is not there to be committed (%s)",
                hidden, strerror(errno));
    }
    sync_folder(ctx);
}

static void files_abort(st_context *ctx, const void *txn)
{
    struct files *files = ctx->self;
    char hidden[PATH_SIZE];
    if (files->file != NULL) {
        fclose(files->file);
        files->file = NULL;
    }
    hidden_path(ctx, txn, hidden);
    unlink(hidden); /* it may never have been made */
}

const st_two_phase files_two_phase = {
    .transaction = &st_type_file_part,
    .begin = files_begin,
    .write = files_write,
    .pre_commit = files_pre_commit,
    .commit = files_commit,
    .abort = files_abort,
};
