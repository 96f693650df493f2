/*
 * Files and folders of checkpoints and of databases: made, linked, copied, removed, summed.
 *
 * What is linked costs no reading and no disk; where the file systems differ it is copied.
 */
#ifndef STREAM_FILES_H
#define STREAM_FILES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#define FILES_WHY      256
#define FILES_PATH_MAX 1024

/* "what path: the system's error" into why[FILES_WHY]; returns false. */
bool files_fail(char *why, const char *what, const char *path);
/* The folder and those above it. */
bool files_make_folders(const char *path, char *why);
/* A folder with what is in it, and in its folders. What cannot be removed stays. */
void files_remove_tree(const char *path);
/* A second name for a file, or a copy of it; `to` must not be there. */
bool files_link_or_copy(const char *from, const char *to, char *why);
bool files_copy(const char *from, const char *to, char *why);
bool files_sync_folder(const char *path);
/* Is the folder `path` one of those in `folder`? By whatever names. */
bool files_lie_in(const char *path, const char *folder);

/* The path that is meant: itself, or what is behind file:// and absolute. NULL: another URI. */
const char *files_path_of(const char *path_or_uri);
/* CRC-32C, begun with 0: of what came before, and `size` bytes more. */
uint32_t files_crc(uint32_t crc, const void *data, size_t size);
/* Size and sum of a file, read piece by piece; with `sync` it is on the disk afterwards. */
bool files_sum(const char *path, bool sync, int64_t *size, uint32_t *crc, char *why);

/* A folder, made if it is not there, that is written to by nobody else who asks in this way as long
 * as the descriptor it returns is open; -1 with `why`: it cannot be made or written to, or it is
 * somebody else's. A file of it, .lock, is locked, and stays: the folder itself is locked by those
 * who put files of their own there (op_files.c). */
int files_lock_folder(const char *path, char *why);

/* A new folder PARENT/PREFIX-xxxxxx that is this process's as long as *lock is open. What processes
 * that are no more have left under such names is removed. path: FILES_PATH_MAX bytes. */
bool files_make_own_folder(const char *parent, const char *prefix, char *path, int *lock,
                           char *why);

#endif
