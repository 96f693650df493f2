/*
 * Files of databases in checkpoints, see stored_files.h.
 */
#include "stream/stored_files.h"

#include <assert.h>
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "stream/files.h"
#include "stream/graph.h"

static struct stored_file *add(struct stored_files *files)
{
    if (files->count == files->capacity) {
        files->files =
            must_grow(files->files, sizeof *files->files, files->count, &files->capacity, 32);
    }
    return &files->files[files->count++];
}

/* What the last checkpoint has of a file; NULL: nothing, or another one of this name. */
static const struct stored_file *find(const struct stored_files *files,
                                      const struct stored_file *one)
{
    for (uint32_t f = 0; f < files->count; f++) {
        const struct stored_file *had = &files->files[f];
        if (had->inode == one->inode && had->modified_ns == one->modified_ns &&
            had->size == one->size && strcmp(had->name, one->name) == 0) {
            return had;
        }
    }
    return NULL;
}

static bool is_sst(const char *name)
{
    size_t length = strlen(name);
    return length > 4 && strcmp(name + length - 4, ".sst") == 0;
}

/* One that the last checkpoint has: under the database's name, or under that checkpoint's. */
static bool share(const struct stored_files *before, const char *from, const char *name,
                  const char *to)
{
    char had[FILES_PATH_MAX * 2];
    snprintf(had, sizeof had, "%s/%s", before->path, name);
    return link(from, to) == 0 || link(had, to) == 0;
}

static bool add_file(struct stored_files *now, const struct stored_files *before, const char *from,
                     const char *name, const char *part, char *why)
{
    char to[FILES_PATH_MAX * 2];
    struct stat stat;
    snprintf(to, sizeof to, "%s/%s", part, name);
    if (lstat(from, &stat) != 0) {
        return files_fail(why, "cannot read", from);
    }
    struct stored_file *one = add(now);
    *one = (struct stored_file){.name = must_strdup(name),
                                .size = stat.st_size,
                                .inode = stat.st_ino,
                                .modified_ns = (int64_t)stat.st_mtim.tv_sec * 1000000000 +
                                               stat.st_mtim.tv_nsec};
    const struct stored_file *had = is_sst(name) ? find(before, one) : NULL;
    if (had != NULL && share(before, from, name, to)) {
        one->crc = had->crc;
        one->shared = true;
        return true;
    }
    return (is_sst(name) ? files_link_or_copy(from, to, why) : files_copy(from, to, why)) &&
           files_sum(to, true, &one->size, &one->crc, why);
}

static bool add_folder(struct stored_files *now, const struct stored_files *before,
                       const struct attached *one, const char *part, char *why)
{
    DIR *dir = opendir(one->folder);
    bool ok = dir != NULL || files_fail(why, "cannot read", one->folder);
    for (struct dirent *entry; ok && (entry = readdir(dir)) != NULL;) {
        char from[FILES_PATH_MAX * 2], name[FILES_PATH_MAX];
        if (entry->d_name[0] == '.') {
            continue;
        }
        snprintf(from, sizeof from, "%s/%s", one->folder, entry->d_name);
        snprintf(name, sizeof name, "%s%s", one->prefix, entry->d_name);
        ok = add_file(now, before, from, name, part, why);
    }
    if (dir != NULL) {
        closedir(dir);
    }
    return ok;
}

bool stored_files_add(struct stored_files *now, const struct stored_files *before,
                      const struct attached *attached, const char *part, char *why)
{
    bool ok = true;
    assert(attached == NULL || before != NULL);
    for (; attached != NULL && ok; attached = attached->next) {
        ok = add_folder(now, before, attached, part, why);
    }
    return ok;
}

void stored_files_free(struct stored_files *files)
{
    for (uint32_t f = 0; f < files->count; f++) {
        free(files->files[f].name);
    }
    free(files->files);
    free(files->path);
    *files = (struct stored_files){0};
}

void stored_files_take(struct stored_files *before, struct stored_files *now, const char *path)
{
    if (before == NULL || path == NULL || now->count == 0) {
        stored_files_free(now); /* a savepoint has none: what the last checkpoint has stays known */
        return;
    }
    stored_files_free(before);
    *before = *now;
    before->path = must_strdup(path);
    *now = (struct stored_files){0};
}
