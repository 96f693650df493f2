/*
 * A RocksDB database, see rocks.h.
 */
#include "stream/rocks.h"

#include <assert.h>
#include <dlfcn.h>
#include <pthread.h>
#include <rocksdb/c.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "stream/graph.h"

#define BATCH_BYTES_MAX   ((size_t)1 << 20)
#define BLOOM_BITS        10.0
#define WRITE_BUFFERS     2
#define WRITE_BUFFER_MIN  ((size_t)64 << 10)
#define FORMAT_VERSION    5
#define BACKGROUND_JOBS   2
#define LOG_LEVEL_FATAL   4
#define MANIFEST_SIZE_MAX ((size_t)1 << 20)

/* The library's functions that are called, by their names without the prefix. */
#define FUNCTIONS(X)                                                                               \
    X(options_create)                                                                              \
    X(options_destroy)                                                                             \
    X(options_set_create_if_missing)                                                               \
    X(options_set_write_buffer_size)                                                               \
    X(options_set_max_write_buffer_number)                                                         \
    X(options_set_max_background_jobs)                                                             \
    X(options_set_max_manifest_file_size)                                                          \
    X(options_set_info_log_level)                                                                  \
    X(options_set_keep_log_file_num)                                                               \
    X(options_set_stats_dump_period_sec)                                                           \
    X(get_options_from_string)                                                                     \
    X(options_set_block_based_table_factory)                                                       \
    X(block_based_options_create)                                                                  \
    X(block_based_options_destroy)                                                                 \
    X(block_based_options_set_block_cache)                                                         \
    X(block_based_options_set_filter_policy)                                                       \
    X(block_based_options_set_format_version)                                                      \
    X(options_set_compaction_filter_factory)                                                       \
    X(compactionfilterfactory_create)                                                              \
    X(compactionfilter_create)                                                                     \
    X(compactionfilter_set_ignore_snapshots)                                                       \
    X(cache_create_lru)                                                                            \
    X(cache_destroy)                                                                               \
    X(filterpolicy_create_bloom_full)                                                              \
    X(open)                                                                                        \
    X(open_for_read_only)                                                                          \
    X(close)                                                                                       \
    X(readoptions_create)                                                                          \
    X(readoptions_destroy)                                                                         \
    X(readoptions_set_snapshot)                                                                    \
    X(readoptions_set_fill_cache)                                                                  \
    X(writeoptions_create)                                                                         \
    X(writeoptions_destroy)                                                                        \
    X(writeoptions_disable_WAL)                                                                    \
    X(multi_get)                                                                                   \
    X(write)                                                                                       \
    X(writebatch_create)                                                                           \
    X(writebatch_destroy)                                                                          \
    X(writebatch_clear)                                                                            \
    X(writebatch_put)                                                                              \
    X(writebatch_delete)                                                                           \
    X(writebatch_delete_range)                                                                     \
    X(checkpoint_object_create)                                                                    \
    X(checkpoint_create)                                                                           \
    X(checkpoint_object_destroy)                                                                   \
    X(create_snapshot)                                                                             \
    X(release_snapshot)                                                                            \
    X(create_iterator)                                                                             \
    X(iter_destroy)                                                                                \
    X(iter_seek)                                                                                   \
    X(iter_seek_to_first)                                                                          \
    X(iter_valid)                                                                                  \
    X(iter_next)                                                                                   \
    X(iter_key)                                                                                    \
    X(iter_value)                                                                                  \
    X(iter_get_error)                                                                              \
    X(free)

#define DECLARE(name) __typeof__(rocksdb_##name) *name;
static struct {
    FUNCTIONS(DECLARE)
    char why[ROCKS_WHY]; /* not empty: the library cannot be used */
} db;

struct rocks {
    rocksdb_t *db;
    rocksdb_options_t *options;
    rocksdb_readoptions_t *read;
    rocksdb_writeoptions_t *write;
    rocksdb_writebatch_t *batch;
    rocksdb_cache_t *cache;
    _Atomic int64_t now_ms;   /* what is over by then may go */
    _Atomic uint32_t filters; /* that RocksDB's threads have */
    size_t batch_size;        /* bytes in the batch at hand */
    _Atomic uint32_t references;
};

struct rocks_walk {
    struct rocks *rocks;
    const rocksdb_snapshot_t *snapshot;
    rocksdb_readoptions_t *read;
    rocksdb_iterator_t *at;
};

/* ------------------------------------------------------------------------------------- Library */

static void load(void)
{
    void *library = dlopen(KC_ROCKSDB_SONAME, RTLD_NOW | RTLD_LOCAL);
    if (library == NULL) {
        snprintf(db.why, sizeof db.why, "state.backend rocksdb needs a library: %.180s", dlerror());
        return;
    }
#define FIND(name)                                                                                 \
    do {                                                                                           \
        void *found = dlsym(library, "rocksdb_" #name);                                            \
        memcpy(&db.name, &found, sizeof found);                                                    \
        if (found == NULL) {                                                                       \
            snprintf(db.why, sizeof db.why, "%s has no rocksdb_%s", KC_ROCKSDB_SONAME, #name);     \
        }                                                                                          \
    } while (0);
    FUNCTIONS(FIND)
#undef FIND
}

static bool is_loaded(char *why)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    pthread_once(&once, load);
    memcpy(why, db.why, ROCKS_WHY);
    return db.why[0] == '\0';
}

/* Whether a call went well; what it said is taken. */
static bool went_well(char *error, char *why)
{
    if (error == NULL) {
        return true;
    }
    snprintf(why, ROCKS_WHY, "RocksDB: %.240s", error);
    db.free(error);
    return false;
}

/* ---------------------------------------------------------------------------- Opening, closing */

/* What has no function of its own: one thread writes, in the order of the keys; a filter before the
 * memtable, since most keys that are asked for are not in it; files that are soon merged are not
 * compressed; and what is in memory at the end is nobody's. */
static void set_by_name(struct rocks *r)
{
    static const char names[] =
        "allow_concurrent_memtable_write=false;memtable_whole_key_filtering=true;memtable_prefix_"
        "bloom_size_ratio=0.1;avoid_flush_during_shutdown=true;"
        "compression_per_level=kNoCompression:kNoCompression:kLZ4Compression";
    rocksdb_options_t *more = db.options_create();
    char *error = NULL, why[ROCKS_WHY];
    db.get_options_from_string(r->options, names, more, &error);
    bool known = went_well(error, why); /* a library that does not know them is slower */
    db.options_destroy(known ? r->options : more);
    r->options = known ? more : r->options;
}

static void set_options(struct rocks *r, size_t memory)
{
    size_t buffer = memory / 2 / WRITE_BUFFERS;
    rocksdb_options_t *o = r->options = db.options_create();
    db.options_set_create_if_missing(o, 1);
    db.options_set_write_buffer_size(o, buffer > WRITE_BUFFER_MIN ? buffer : WRITE_BUFFER_MIN);
    db.options_set_max_write_buffer_number(o, WRITE_BUFFERS);
    db.options_set_max_background_jobs(o, BACKGROUND_JOBS);
    db.options_set_max_manifest_file_size(o, MANIFEST_SIZE_MAX);
    db.options_set_info_log_level(o, LOG_LEVEL_FATAL);
    db.options_set_keep_log_file_num(o, 1);
    db.options_set_stats_dump_period_sec(o, 0);
    rocksdb_block_based_table_options_t *table = db.block_based_options_create();
    r->cache = db.cache_create_lru(memory / 2);
    db.block_based_options_set_block_cache(table, r->cache);
    db.block_based_options_set_filter_policy(table, db.filterpolicy_create_bloom_full(BLOOM_BITS));
    db.block_based_options_set_format_version(table, FORMAT_VERSION);
    db.options_set_block_based_table_factory(o, table);
    db.block_based_options_destroy(table);
    set_by_name(r);
}

/* How many databases have been begun: RocksDB's threads take one over by it, for the thread
 * sanitizer does not see RocksDB's own locks (rocksdb.supp). */
static _Atomic uint32_t opened;

/* Of one merging of files: of those that it rewrites it is asked for each value. By RocksDB's
 * threads. Source: Flink RocksDbTtlCompactFiltersManager. */
struct filter {
    struct rocks *rocks;
    int64_t now_ms; /* when it began */
};

static unsigned char is_over(void *filter, int level, const char *key, size_t key_size,
                             const char *value, size_t value_size, char **new_value,
                             size_t *new_size, unsigned char *is_changed)
{
    int64_t over_at;
    (void)level, (void)key, (void)key_size, (void)new_value, (void)new_size, (void)is_changed;
    if (value_size < sizeof over_at) {
        return 0;
    }
    memcpy(&over_at, value, sizeof over_at);
    return over_at <= ((const struct filter *)filter)->now_ms ? 1 : 0;
}

static void filter_end(void *filter)
{
    struct rocks *r = ((struct filter *)filter)->rocks;
    free(filter);
    atomic_fetch_sub_explicit(&r->filters, 1, memory_order_release); /* no look at r behind it */
}

static const char *filter_name(void *unused)
{
    (void)unused;
    return "time to live";
}

static rocksdb_compactionfilter_t *filter_begin(void *rocks,
                                                rocksdb_compactionfiltercontext_t *context)
{
    struct rocks *r = rocks;
    struct filter *f = must_calloc(1, sizeof *f);
    (void)context;
    (void)atomic_load_explicit(&opened, memory_order_acquire);
    atomic_fetch_add_explicit(&r->filters, 1, memory_order_relaxed);
    *f = (struct filter){r, atomic_load_explicit(&r->now_ms, memory_order_relaxed)};
    rocksdb_compactionfilter_t *filter =
        db.compactionfilter_create(f, filter_end, is_over, filter_name);
    db.compactionfilter_set_ignore_snapshots(filter, 1); /* another is not supported */
    return filter;
}

static void factory_end(void *rocks)
{
    (void)rocks;
}

static void set_filters(struct rocks *r)
{
    db.options_set_compaction_filter_factory(
        r->options, db.compactionfilterfactory_create(r, factory_end, filter_begin, filter_name));
}

void rocks_pass_time(struct rocks *r, int64_t now_ms)
{
    atomic_store_explicit(&r->now_ms, now_ms, memory_order_relaxed);
}

enum use { TO_READ, TO_WRITE, TO_WRITE_WHAT_EXPIRES };

static struct rocks *open_in(const char *folder, size_t memory, enum use use, char *why)
{
    if (!is_loaded(why)) {
        return NULL;
    }
    struct rocks *r = must_calloc(1, sizeof *r);
    char *error = NULL;
    set_options(r, memory);
    atomic_init(&r->now_ms, INT64_MIN);
    if (use == TO_WRITE_WHAT_EXPIRES) {
        set_filters(r);
    }
    r->read = db.readoptions_create();
    r->write = db.writeoptions_create();
    db.writeoptions_disable_WAL(r->write, 1);
    r->batch = db.writebatch_create();
    atomic_init(&r->references, 1);
    atomic_fetch_add_explicit(&opened, 1, memory_order_release);
    r->db = use == TO_READ ? db.open_for_read_only(r->options, folder, 0, &error)
                           : db.open(r->options, folder, &error);
    if (!went_well(error, why)) {
        rocks_close(r);
        return NULL;
    }
    return r;
}

struct rocks *rocks_open(const char *folder, size_t memory, bool expires, char *why)
{
    return open_in(folder, memory, expires ? TO_WRITE_WHAT_EXPIRES : TO_WRITE, why);
}

struct rocks *rocks_open_to_read(const char *folder, char *why)
{
    return open_in(folder, (size_t)1 << 20, TO_READ, why);
}

void rocks_close(struct rocks *r)
{
    if (r == NULL || atomic_fetch_sub(&r->references, 1) > 1) {
        return;
    }
    if (r->db != NULL) {
        db.close(r->db);
    }
    db.writebatch_destroy(r->batch);
    db.readoptions_destroy(r->read);
    db.writeoptions_destroy(r->write);
    db.options_destroy(r->options);
    db.cache_destroy(r->cache);
    bool in_use = atomic_load_explicit(&r->filters, memory_order_acquire) > 0;
    assert(!in_use);
    free(r);
}

/* --------------------------------------------------------------------------- Reading, writing */

bool rocks_get_many(struct rocks *r, uint32_t count, const char *const *keys,
                    const size_t *key_sizes, char **values, size_t *value_sizes, char *why)
{
    char *errors[ROCKS_MANY_MAX];
    bool well = true;
    db.multi_get(r->db, r->read, count, keys, key_sizes, values, value_sizes, errors);
    for (uint32_t k = 0; k < count; k++) {
        well &= went_well(errors[k], why);
    }
    for (uint32_t k = 0; !well && k < count; k++) {
        rocks_free(values[k]);
    }
    return well;
}

void rocks_free(char *value)
{
    if (value != NULL) {
        db.free(value);
    }
}

bool rocks_write(struct rocks *r, char *why)
{
    char *error = NULL;
    if (r->batch_size > 0) {
        db.write(r->db, r->write, r->batch, &error);
        db.writebatch_clear(r->batch);
        r->batch_size = 0;
    }
    return went_well(error, why);
}

bool rocks_put(struct rocks *r, const char *key, size_t key_size, const char *value,
               size_t value_size, char *why)
{
    db.writebatch_put(r->batch, key, key_size, value, value_size);
    r->batch_size += key_size + value_size;
    return r->batch_size < BATCH_BYTES_MAX || rocks_write(r, why);
}

bool rocks_delete(struct rocks *r, const char *key, size_t key_size, char *why)
{
    db.writebatch_delete(r->batch, key, key_size);
    r->batch_size += key_size;
    return r->batch_size < BATCH_BYTES_MAX || rocks_write(r, why);
}

bool rocks_delete_range(struct rocks *r, const char *first, size_t first_size, const char *end,
                        size_t end_size, char *why)
{
    db.writebatch_delete_range(r->batch, first, first_size, end, end_size);
    r->batch_size += first_size + end_size;
    return r->batch_size < BATCH_BYTES_MAX || rocks_write(r, why);
}

bool rocks_checkpoint(struct rocks *r, const char *folder, char *why)
{
    char *error = NULL;
    rocksdb_checkpoint_t *checkpoint = db.checkpoint_object_create(r->db, &error);
    if (error == NULL) {
        db.checkpoint_create(checkpoint, folder, 0, &error);
        db.checkpoint_object_destroy(checkpoint);
    }
    return went_well(error, why);
}

/* ------------------------------------------------------------------------------------- Walking */

struct rocks_walk *rocks_walk_begin(struct rocks *r)
{
    struct rocks_walk *w = must_calloc(1, sizeof *w);
    atomic_fetch_add(&r->references, 1);
    w->rocks = r;
    w->snapshot = db.create_snapshot(r->db);
    w->read = db.readoptions_create();
    db.readoptions_set_snapshot(w->read, w->snapshot);
    db.readoptions_set_fill_cache(w->read, 0);
    w->at = db.create_iterator(r->db, w->read);
    db.iter_seek_to_first(w->at);
    return w;
}

void rocks_walk_seek(struct rocks_walk *w, const char *key, size_t key_size)
{
    db.iter_seek(w->at, key, key_size);
}

bool rocks_walk_entry(struct rocks_walk *w, const char **key, size_t *key_size, const char **value,
                      size_t *value_size)
{
    if (db.iter_valid(w->at) == 0) {
        return false;
    }
    *key = db.iter_key(w->at, key_size);
    *value = db.iter_value(w->at, value_size);
    return true;
}

void rocks_walk_next(struct rocks_walk *w)
{
    db.iter_next(w->at);
}

bool rocks_walk_failed(struct rocks_walk *w, char *why)
{
    char *error = NULL;
    db.iter_get_error(w->at, &error);
    return !went_well(error, why);
}

void rocks_walk_end(struct rocks_walk *w)
{
    db.iter_destroy(w->at);
    db.readoptions_destroy(w->read);
    db.release_snapshot(w->rocks->db, w->snapshot);
    rocks_close(w->rocks);
    free(w);
}
