/*
 * Files of databases in checkpoints.
 *
 *     chk-7/  rocks-2-0-1-000012.sst ─┐
 *     chk-8/  rocks-2-0-1-000012.sst ─┴─ the same file under two names
 *             rocks-2-0-1-000015.sst     new in 8
 *
 * RocksDB writes an SST file once. What an earlier checkpoint has is in the next one by a hard
 * link, and is neither copied nor read: a checkpoint costs what has changed. Each is whole by
 * itself; a file goes when the last checkpoint that names it goes, by the file system's own count.
 *
 * New files are linked from the database's folder; copied, if that is on another file system.
 *
 * Threads: that of whoever writes the checkpoint; one at a time.
 */
#ifndef STREAM_STORED_FILES_H
#define STREAM_STORED_FILES_H

#include "stream/bytes.h"

struct stored_file {
    char *name; /* in the checkpoint; owned */
    int64_t size;
    bool shared; /* the checkpoint before has it, too */
    uint32_t crc;
    uint64_t inode; /* of the database's own file, and when it was last written to */
    int64_t modified_ns;
};

struct stored_files {
    char *path;                /* of the checkpoint; owned; NULL: none */
    struct stored_file *files; /* [count], owned */
    uint32_t count, capacity;
};

/* Puts the attached files into folder `part`, and notes them in `now`; `before`: those of the last
 * checkpoint, NULL: nothing may be attached. Returns false with `why` filled (256 bytes). */
bool stored_files_add(struct stored_files *now, const struct stored_files *before,
                      const struct attached *attached, const char *part, char *why);
/* *before becomes *now, of the checkpoint at `path`; NULL: it was not completed. Takes `now`. */
void stored_files_take(struct stored_files *before, struct stored_files *now, const char *path);
void stored_files_free(struct stored_files *files);

#endif
