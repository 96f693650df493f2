/*
 * A RocksDB database: the few calls that the state backend `rocksdb` makes.
 *
 *     put, delete ──► batch ──► memtable ──► SST files        no write-ahead log: what a crash
 *                                                             loses is in a checkpoint, or replayed
 *
 * The library is loaded when the first database is opened (librocksdb.so, its C interface): it is
 * eleven megabytes of C++ whose loading would more than double the time that a program without it
 * takes to begin, and a job of one's own need not link it.
 *
 * Errors: a call that can fail returns false (NULL) with `why` filled, ROCKS_WHY bytes.
 *
 * Threads: a database belongs to one task, which may read while another thread writes, walks or
 * makes a checkpoint; one at a time does these, and a walk is its beginner's or is handed over.
 */
#ifndef STREAM_ROCKS_H
#define STREAM_ROCKS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define ROCKS_WHY      256
#define ROCKS_MANY_MAX 512

struct rocks;
struct rocks_walk;

/* Opens the database in `folder`, made if it is not there. `memory`: bytes that it may use, about:
 * half for blocks read, half for what is not yet in files. `expires`: values of 8 bytes and more
 * begin with the time (int64_t) at which they are over, see rocks_pass_time. Returns a counted
 * reference. */
struct rocks *rocks_open(const char *folder, size_t memory, bool expires, char *why);
/* Opens one that is not written to. */
struct rocks *rocks_open_to_read(const char *folder, char *why);
/* Gives the reference up. The database is closed with the last one: each walk has one. */
void rocks_close(struct rocks *r);

/* What is over at now_ms may go from now on, whenever RocksDB rewrites the files that have it; a
 * walk that has begun may then miss it. At first nothing is over. */
void rocks_pass_time(struct rocks *r, int64_t now_ms);

/* What is under `count` <= ROCKS_MANY_MAX keys: values[k] is NULL where there is nothing, otherwise
 * owned by the caller, who gives it to rocks_free. */
bool rocks_get_many(struct rocks *r, uint32_t count, const char *const *keys,
                    const size_t *key_sizes, char **values, size_t *value_sizes, char *why);
void rocks_free(char *value);

/* Into the batch at hand, which is written when it is large. */
bool rocks_put(struct rocks *r, const char *key, size_t key_size, const char *value,
               size_t value_size, char *why);
bool rocks_delete(struct rocks *r, const char *key, size_t key_size, char *why);
/* All keys from `first` on and before `end`. */
bool rocks_delete_range(struct rocks *r, const char *first, size_t first_size, const char *end,
                        size_t end_size, char *why);
/* Writes the batch at hand. Reads do not see it before. */
bool rocks_write(struct rocks *r, char *why);

/* A copy of the database as it is (after rocks_write) in a new folder of the same file system: SST
 * files by hard links. */
bool rocks_checkpoint(struct rocks *r, const char *folder, char *why);

/* All that is there now, in the order of the keys, whatever is written meanwhile. Owned. */
struct rocks_walk *rocks_walk_begin(struct rocks *r);
/* The first entry at or behind `key`. */
void rocks_walk_seek(struct rocks_walk *w, const char *key, size_t key_size);
/* The entry at hand; false: there are no more (or a file could not be read: rocks_walk_failed).
 * Views are valid until the next call. */
bool rocks_walk_entry(struct rocks_walk *w, const char **key, size_t *key_size, const char **value,
                      size_t *value_size);
void rocks_walk_next(struct rocks_walk *w);
bool rocks_walk_failed(struct rocks_walk *w, char *why);
void rocks_walk_end(struct rocks_walk *w);

#endif
