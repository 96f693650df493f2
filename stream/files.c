/*
 * Files and folders, see files.h.
 *
 * A folder of a process has a file `lock`, which the process holds locked: the lock goes with the
 * process, however it ends. The file gets its name when it is locked, so a folder without one is
 * being made.
 */
#include "stream/files.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <isa-l.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#define PIECE_SIZE ((size_t)256 << 10)
#define DEPTH_MAX  8

bool files_fail(char *why, const char *what, const char *path)
{
    snprintf(why, FILES_WHY, "%s %.150s: %s", what, path, strerror(errno));
    return false;
}

bool files_make_folders(const char *path, char *why)
{
    char part[FILES_PATH_MAX];
    snprintf(part, sizeof part, "%s", path);
    for (char *at = part + 1; *at != '\0'; at++) {
        if (*at == '/') {
            *at = '\0';
            (void)mkdir(part, 0755); /* the last one says whether it worked */
            *at = '/';
        }
    }
    return mkdir(part, 0755) == 0 || errno == EEXIST || files_fail(why, "cannot make", part);
}

static void remove_tree(const char *path, int depth)
{
    DIR *dir = opendir(path);
    for (struct dirent *entry; dir != NULL && (entry = readdir(dir)) != NULL;) {
        char one[FILES_PATH_MAX];
        if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0 ||
            snprintf(one, sizeof one, "%s/%s", path, entry->d_name) >= (int)sizeof one) {
            continue;
        }
        if (unlink(one) != 0 && errno == EISDIR && depth < DEPTH_MAX) {
            remove_tree(one, depth + 1);
        }
    }
    if (dir != NULL) {
        closedir(dir);
        rmdir(path);
    }
}

void files_remove_tree(const char *path)
{
    remove_tree(path, 0);
}

bool files_sync_folder(const char *path)
{
    int fd = open(path, O_RDONLY | O_DIRECTORY);
    if (fd < 0) {
        return false;
    }
    bool synced = fsync(fd) == 0;
    return close(fd) == 0 && synced;
}

bool files_lie_in(const char *path, const char *folder)
{
    char above[FILES_PATH_MAX + 8];
    struct stat a, b;
    snprintf(above, sizeof above, "%s/..", path);
    return stat(above, &a) == 0 && stat(folder, &b) == 0 && a.st_dev == b.st_dev &&
           a.st_ino == b.st_ino;
}

/* ------------------------------------------------------------------------------ Copies and sums */

static bool write_all(int fd, const char *data, size_t size)
{
    for (size_t at = 0; at < size;) {
        ssize_t wrote = write(fd, data + at, size - at);
        if (wrote < 0 && errno != EINTR) {
            return false;
        }
        at += wrote > 0 ? (size_t)wrote : 0;
    }
    return true;
}

bool files_copy(const char *from, const char *to, char *why)
{
    char *piece = malloc(PIECE_SIZE);
    int in = open(from, O_RDONLY | O_NOFOLLOW);
    int out = in >= 0 ? open(to, O_WRONLY | O_CREAT | O_EXCL, 0644) : -1;
    bool ok = piece != NULL && in >= 0 && out >= 0;
    for (ssize_t some = 1; ok && some != 0;) {
        some = read(in, piece, PIECE_SIZE);
        ok = some >= 0 ? write_all(out, piece, (size_t)some) : errno == EINTR;
    }
    ok = (out < 0 || close(out) == 0) && ok;
    if (!ok) {
        files_fail(why, "cannot copy", from);
    }
    if (in >= 0) {
        close(in);
    }
    free(piece);
    return ok;
}

bool files_link_or_copy(const char *from, const char *to, char *why)
{
    return link(from, to) == 0 || files_copy(from, to, why);
}

const char *files_path_of(const char *path_or_uri)
{
    const char *at = path_or_uri;
    while (isalnum((unsigned char)*at) || (at > path_or_uri && strchr("+-.", *at) && *at != '\0')) {
        at++;
    }
    if (at == path_or_uri || strncmp(at, "://", 3) != 0) {
        return path_or_uri;
    }
    return strncmp(path_or_uri, "file:///", 8) == 0 ? at + 3 : NULL;
}

uint32_t files_crc(uint32_t crc, const void *data, size_t size)
{
    const char *at = data;
    crc = ~crc;
    while (size > 0) { /* the library counts in int */
        int some = size > (1 << 30) ? 1 << 30 : (int)size;
        crc = crc32_iscsi((unsigned char *)(uintptr_t)at, some, crc);
        at += some;
        size -= (size_t)some;
    }
    return ~crc;
}

bool files_sum(const char *path, bool sync, int64_t *size, uint32_t *crc, char *why)
{
    char *piece = malloc(PIECE_SIZE);
    int fd = open(path, O_RDONLY | O_NOFOLLOW);
    bool ok = piece != NULL && fd >= 0;
    *size = 0;
    *crc = 0;
    for (ssize_t some = 1; ok && some != 0;) {
        some = read(fd, piece, PIECE_SIZE);
        if (some > 0) {
            *crc = files_crc(*crc, piece, (size_t)some);
            *size += some;
        }
        ok = some >= 0 || errno == EINTR;
    }
    ok = ok && (!sync || fsync(fd) == 0);
    if (!ok) {
        files_fail(why, "cannot read", path);
    }
    if (fd >= 0) {
        close(fd);
    }
    free(piece);
    return ok;
}

/* ---------------------------------------------------------------------- Folders of this process */

int files_lock_folder(const char *path, char *why)
{
    if (!files_make_folders(path, why)) {
        return -1;
    }
    char name[FILES_PATH_MAX + 16];
    snprintf(name, sizeof name, "%s/.lock", path);
    int lock = open(name, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0644);
    if (lock < 0 || access(path, W_OK) != 0) {
        (void)files_fail(why, "cannot write to", path);
    } else if (flock(lock, LOCK_EX | LOCK_NB) != 0) {
        snprintf(why, FILES_WHY, "another job writes to %.150s", path);
    } else {
        return lock;
    }
    if (lock >= 0) {
        close(lock);
    }
    return -1;
}

/* Whether the process that made the folder is no more; *lock is then held, to be closed. */
static bool is_left(const char *path, int *lock)
{
    char name[FILES_PATH_MAX + 16];
    snprintf(name, sizeof name, "%s/lock", path);
    *lock = open(name, O_RDWR | O_CLOEXEC | O_NOFOLLOW);
    if (*lock >= 0 && flock(*lock, LOCK_EX | LOCK_NB) != 0) {
        close(*lock);
        *lock = -1;
    }
    return *lock >= 0;
}

static void remove_left(const char *parent, const char *prefix)
{
    DIR *dir = opendir(parent);
    size_t length = strlen(prefix);
    for (struct dirent *entry; dir != NULL && (entry = readdir(dir)) != NULL;) {
        char path[FILES_PATH_MAX];
        int lock;
        if (strncmp(entry->d_name, prefix, length) == 0 && entry->d_name[length] == '-' &&
            snprintf(path, sizeof path, "%s/%s", parent, entry->d_name) < (int)sizeof path &&
            is_left(path, &lock)) {
            files_remove_tree(path);
            close(lock);
        }
    }
    if (dir != NULL) {
        closedir(dir);
    }
}

bool files_make_own_folder(const char *parent, const char *prefix, char *path, int *lock, char *why)
{
    char made[FILES_PATH_MAX + 16], named[FILES_PATH_MAX + 16];
    if (strlen(parent) + strlen(prefix) + 64 > FILES_PATH_MAX) {
        snprintf(why, FILES_WHY, "the name of folder %.100s is too long", parent);
        return false;
    }
    if (!files_make_folders(parent, why)) {
        return false;
    }
    remove_left(parent, prefix);
    snprintf(path, FILES_PATH_MAX, "%s/%s-XXXXXX", parent, prefix);
    if (mkdtemp(path) == NULL) {
        return files_fail(why, "cannot make a folder in", parent);
    }
    snprintf(made, sizeof made, "%s/lock.new", path);
    snprintf(named, sizeof named, "%s/lock", path);
    *lock = open(made, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (*lock < 0 || flock(*lock, LOCK_EX | LOCK_NB) != 0 || rename(made, named) != 0) {
        files_fail(why, "cannot lock", made);
        files_remove_tree(path);
        if (*lock >= 0) {
            close(*lock);
        }
        return false;
    }
    return true;
}
