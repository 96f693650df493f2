/*
 * Readers of snapshots, given what no checksum has kept from them: the parts of a real checkpoint,
 * damaged, with sums that are right again. A job that begins with them fails with a message, or
 * runs; it does not read beyond its bytes, does not hang, and does not end the process.
 *
 *     a job with operators of all kinds ──► its checkpoint ──► damaged ──► the job begins with it
 *
 * With either backend, and by chance with the other.
 *
 *     test_stream_snapshot_fuzz [ROUNDS [SEED]]      each from a fixed seed, so that it is found
 * again
 */
#include <dirent.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "stream/checkpoint.h"
#include "stream/graph.h"
#include "stream/stored_files.h"
#include "stream/stream.h"

#define TASKS_MAX 16
#define PART_MAX  65536

/* --------------------------------------------------------------------------------------- The job
 */

typedef struct {
    int64_t key, time, value;
    st_str text;
} event;
ST_TYPE(event, key, time, value, text);

typedef struct {
    int64_t key, count;
} total;
ST_TYPE(total, key, count);

static event events[24];

static void make_events(void)
{
    for (int64_t i = 0; i < 24; i++) {
        events[i] = (event){i % 3, i * 100, i, i % 2 == 0 ? ST_STR("even") : ST_STR("odd ones")};
    }
}

ST_TIMESTAMP(time_of, event)
{
    return in->time;
}

ST_FOLD(add, event, total)
{
    acc->key = in->key;
    acc->count += 1;
}

ST_FOLD(merge, total, total)
{
    acc->key = in->key;
    acc->count = (int64_t)((uint64_t)acc->count + (uint64_t)in->count);
}

ST_MAP(result, total, total)
{
    *out = *in;
}

ST_VALUE_STATE(fired, int64_t);
ST_MAP_STATE(firings, int64_t, event);

ST_WINDOW(all_of, event, total)
{
    st_emit(out, &((total){in[0].key, count}));
}

/* With state of the key. */
ST_WINDOW(all_so_far, event, total)
{
    const int64_t *before = st_value_get(ctx, &fired);
    int64_t now = (before != NULL ? *before : 0) + count;
    st_value_set(ctx, &fired, &now);
    st_map_put(ctx, &firings, &now, in);
    st_emit(out, &((total){in[0].key, st_map_count(ctx, &firings)}));
}

ST_SINK(sum_up, total)
{
    const int64_t *before = st_value_get(ctx, &fired);
    st_value_set(ctx, &fired, &((int64_t){(before != NULL ? *before : 0) ^ in->count}));
}

ST_VALUE_STATE(last, event);
ST_LIST_STATE(some, event);
ST_MAP_STATE(by_text, st_str, int64_t);
ST_VALUE_STATE(short_lived, int64_t, .ttl_ms = 5);
ST_LIST_STATE(of_subtask, event);
ST_UNION_STATE(of_all, int64_t);
ST_BROADCAST_STATE(same, st_str, event);

static void keep(st_context *ctx, int64_t checkpoint_id)
{
    st_list_add(ctx, &of_all, &checkpoint_id);
    st_list_add(ctx, &of_subtask, &events[0]);
}

ST_PROCESS(with_state, event, total)
{
    uint32_t count;
    const event *before = st_value_get(ctx, &last);
    st_value_set(ctx, &last, in);
    st_list_add(ctx, &some, in);
    st_map_put(ctx, &by_text, &in->text, &in->value);
    st_value_set(ctx, &short_lived, &in->value);
    st_set_event_timer(ctx, in->time + 250);
    st_set_processing_timer(ctx, st_now(ctx) + 2);
    (void)st_list_get(ctx, &some, &count);
    st_emit(out, &((total){before != NULL ? before->key : 0, count}));
}

ST_PROCESS(with_last, event, total)
{
    st_value_set(ctx, &last, in);
    st_emit(out, &((total){in->key, in->value}));
}

static void on_timer(st_context *ctx, int64_t time_ms, st_out *out)
{
    uint64_t cursor = 0;
    for (const void *key, *value; st_map_next(ctx, &by_text, &cursor, &key, &value);) {
        st_emit(out, &((total){time_ms, (int64_t)((const st_str *)key)->size}));
    }
}

/* A row at a time of what all subtasks know. */
ST_PROCESS(learn, event, event)
{
    st_map_put(ctx, &same, &in->text, in);
}

ST_PROCESS(forget, event, event)
{
    (void)ctx;
}

/* All at once, then nothing until the clock has come to 30 ms: checkpoints before that have all
 * that is open. */
ST_SOURCE(events_and_pause, event)
{
    bool *sent = ctx->self;
    for (int i = 0; !*sent && i < 24; i++) {
        st_emit(out, &events[i]);
    }
    *sent = true;
    return st_now(ctx) < 30 ? ST_IDLE : ST_END;
}

/* `fewer`: one of which some states are gone. */
static void build(st_env *env, const char *folder, bool fewer)
{
    static char in[128], out[128];
    snprintf(in, sizeof in, "%s/in", folder);
    snprintf(out, sizeof out, "%s/out", folder);
    st_stream *s =
        st_from_source(env, events_and_pause, .self_size = sizeof(bool), .uid = "source");
    st_stream *to_all = st_broadcast(s);
    st_discard(
        fewer ? st_process(to_all, forget, .uid = "learn")
              : st_process(to_all, learn, .operator_states = ST_STATES(&same), .uid = "learn"));
    s = st_key_by(st_assign_timestamps(s, time_of, .bound_ms = 50), ST_KEY(event, key));
    st_discard(st_sum(s, ST_FIELD(event, value), .uid = "sum"));
    st_discard(st_max_by(s, ST_FIELD(event, value), .uid = "max"));
    st_discard(st_aggregate(st_window(s, ST_SLIDING(1000, 250)), add, result, .merge = &merge,
                            .uid = "panes"));
    st_discard(st_process_window(st_window(s, ST_SLIDING(1000, 300, .lateness_ms = 500)),
                                 all_so_far, .states = ST_STATES(&fired, &firings),
                                 .uid = "lists"));
    st_discard(st_aggregate(st_window(s, ST_SESSION(5000)), add, result, .merge = &merge,
                            .uid = "sessions"));
    st_stream *counts = st_process_window(st_window(s, ST_COUNT_WINDOW(7, .slide_count = 3)),
                                          all_of, .uid = "counts");
    st_sink(st_key_by(counts, ST_KEY(total, key)), sum_up, .states = ST_STATES(&fired),
            .uid = "sink");
    st_discard(st_process_window(st_window(s, ST_GLOBAL(.trigger = ST_ON_COUNT(5))), all_of,
                                 .uid = "global"));
    st_discard(st_aggregate(st_window(s, ST_TUMBLING(2000, .trigger = ST_ON_INTERVAL(700))), add,
                            result, .uid = "interval"));
    s = fewer ? st_process(s, with_last, .uid = "state", .states = ST_STATES(&last),
                           .operator_states = ST_STATES(&of_all))
              : st_process(s, with_state, .on_timer = on_timer, .uid = "state",
                           .states = ST_STATES(&last, &some, &by_text, &short_lived),
                           .operator_states = ST_STATES(&of_subtask, &of_all),
                           .snapshot_state = keep);
    st_write_files(s, out, .uid = "files");
    st_discard(st_read_folder(env, in, ST_PROCESS_ONCE, 0, .uid = "folder"));
}

static const char *const backends[] = {"hashmap", "rocksdb"};
enum { BACKENDS = sizeof backends / sizeof *backends };

/* With `restore`: from there. Otherwise checkpoints go to the backend's own folder. */
static enum st_err run(const char *folder, const char *restore, uint32_t backend, bool fewer,
                       char *error, size_t size)
{
    char dir[128];
    st_env *env = st_env_new();
    snprintf(dir, sizeof dir, "%s/%s", folder, restore != NULL ? "again" : backends[backend]);
    st_env_set(env, "state.backend", backends[backend]);
    st_env_set(env, "state.backend.rocksdb.localdir", folder);
    st_env_set(env, "state.backend.rocksdb.memory.fixed-per-slot", "1kb");
    st_env_set(env, "execution.checkpointing.interval", restore != NULL ? "1h" : "10ms");
    st_env_set(env, "execution.checkpointing.num-retained", restore != NULL ? "1" : "100");
    st_env_set(env, "execution.checkpointing.dir", dir);
    st_env_set(env, "execution.savepoint.ignore-unclaimed-state", "true");
    if (restore != NULL) {
        st_env_set(env, "execution.savepoint.path", restore);
    }
    build(env, folder, fewer);
    st_env_run_in_steps(env);
    enum st_err err = st_execute(env, "fuzz");
    snprintf(error, size, "%s", st_env_error(env));
    st_env_free(env);
    return err;
}

/* ---------------------------------------------------------------------------------------- Damage
 */

struct sample {
    char bytes[PART_MAX];
    size_t size;
};
static struct sample of_backends[BACKENDS][TASKS_MAX];
static struct sample *samples; /* those at hand */
static uint32_t sample_count;  /* of each */

static uint64_t state;

static uint32_t draw(uint32_t below)
{
    state ^= state << 13;
    state ^= state >> 7;
    state ^= state << 17;
    return (uint32_t)((state >> 32) % below);
}

static void read_samples(const char *folder, uint32_t backend)
{
    char path[256];
    samples = of_backends[backend];
    for (sample_count = 0;; sample_count++) {
        snprintf(path, sizeof path, "%s/%s/chk-1/task-%u", folder, backends[backend], sample_count);
        FILE *file = sample_count < TASKS_MAX ? fopen(path, "rb") : NULL;
        if (file == NULL) {
            return;
        }
        samples[sample_count].size = fread(samples[sample_count].bytes, 1, PART_MAX, file);
        fclose(file);
    }
}

/* A number that is just within, or beyond, what a reader can take. */
static void put_number(struct bytes *b, size_t at)
{
    const int64_t numbers[12] = {0,         1,          -1,         127,
                                 INT32_MAX, UINT32_MAX, INT64_MAX,  INT64_MIN,
                                 INT32_MIN, 4096,       0x7FFFFFF0, (int64_t)b->size};
    uint64_t number = (uint64_t)numbers[draw(12)] + draw(3) - 1;
    size_t width = draw(2) == 0 ? 4 : 8;
    if (b->size - at >= width) {
        memcpy(b->data + at, &number, width);
    }
}

static void damage(struct bytes *b)
{
    size_t at = draw((uint32_t)b->size), length = 1 + draw(64);
    length = length < b->size - at ? length : b->size - at;
    switch (draw(6)) {
    case 0:
        b->data[at] = (char)draw(256);
        break;
    case 1:
    case 2:
        put_number(b, at & ~(size_t)(draw(2) == 0 ? 3 : 0));
        break;
    case 3: /* cut out */
        memmove(b->data + at, b->data + at + length, b->size - at - length);
        b->size -= length;
        break;
    case 4: /* of another part */
        if (draw(4) == 0) {
            uint32_t other = draw(sample_count);
            size_t from = draw((uint32_t)samples[other].size);
            length = length < samples[other].size - from ? length : samples[other].size - from;
            memcpy(b->data + at, samples[other].bytes + from, length);
            break;
        }
        b->size = at; /* cut off */
        break;
    default: /* the same again */
        memmove(b->data + at, b->data + draw((uint32_t)(at + 1)), length);
    }
}

static void damaged(struct bytes *part, uint32_t task, bool is_hit)
{
    *part = (struct bytes){0};
    bytes_put(part, samples[task].bytes, samples[task].size);
    bytes_i64(part, 0); /* room for what is put at the end */
    part->size -= 8;
    for (uint32_t left = is_hit ? 1 + draw(3) : 0; left > 0 && part->size > 8; left--) {
        damage(part);
    }
}

static bool round_of(const char *folder, uint64_t seed)
{
    struct bytes parts[TASKS_MAX];
    const struct bytes *all[TASKS_MAX];
    char dir[128], one[160], why[256], error[1024];
    state = seed * UINT64_C(0x9E3779B97F4A7C15) + 1;
    uint32_t hit = draw(sample_count), written_by = draw(BACKENDS);
    uint32_t read_by = draw(30) == 0 ? 1 : 0; /* databases take their time to open */
    samples = of_backends[written_by];
    for (uint32_t t = 0; t < sample_count; t++) {
        damaged(&parts[t], t, t == hit);
        all[t] = &parts[t];
    }
    snprintf(dir, sizeof dir, "%s/damaged", folder);
    snprintf(one, sizeof one, "%s/damaged/chk-7", folder);
    struct stored_files none = {0};
    struct checkpoint_draft what = {.dir = dir,
                                    .kind = CHECKPOINT,
                                    .id = 7,
                                    .max_parallelism = MAX_PARALLELISM_DEFAULT,
                                    .tasks = all,
                                    .count = sample_count};
    bool ok = checkpoint_write(&what, &none, why) && checkpoint_complete(&what, &none, why);
    for (uint32_t t = 0; t < sample_count; t++) {
        bytes_free(&parts[t]);
    }
    alarm(20);
    enum st_err err = run(folder, one, read_by, draw(2) == 0, error, sizeof error);
    alarm(0);
    ok = ok && (err == ST_OK || error[0] != '\0');
    if (!ok) {
        fprintf(stderr, "seed %" PRIu64 ": %d without a message, or %s\n", seed, (int)err, why);
    }
    snprintf(why, sizeof why, "%s/damaged", folder);
    checkpoint_prune(why, 0, INT64_MAX);
    return ok;
}

/* ---------------------------------------------------------------------------------- The metadata
 */

/* CRC-32C, bit by bit. */
static int64_t crc_of(const char *data, size_t size)
{
    uint32_t crc = UINT32_MAX;
    for (size_t i = 0; i < size; i++) {
        crc ^= (uint8_t)data[i];
        for (int bit = 0; bit < 8; bit++) {
            crc = crc >> 1 ^ ((crc & 1) != 0 ? 0x82F63B78U : 0);
        }
    }
    return (int64_t)(uint32_t)~crc;
}

/* Damaged, with a sum that is right: it is told, or read. */
static bool metadata_round(const char *folder, uint64_t seed)
{
    char path[160], why[256] = "", data[4096];
    struct bytes meta = {0};
    snprintf(path, sizeof path, "%s/hashmap/chk-2/_metadata", folder);
    FILE *file = fopen(path, "rb");
    size_t size = file != NULL ? fread(data, 1, sizeof data, file) : 0;
    int64_t sum = 0;
    if (file != NULL) {
        fclose(file);
    }
    if (size < 16 || (memcpy(&sum, data + size - 8, 8), sum != crc_of(data, size - 8))) {
        return false; /* not the sum that it is thought to be */
    }
    state = seed * UINT64_C(0x9E3779B97F4A7C15) + 1;
    bytes_put(&meta, data, size - 8);
    for (uint32_t left = 1 + draw(3); left > 0 && meta.size > 0; left--) {
        damage(&meta);
    }
    bytes_i64(&meta, crc_of(meta.data, meta.size));
    snprintf(path, sizeof path, "%s/hashmap/chk-1/_metadata", folder);
    file = fopen(path, "wb");
    bool ok = file != NULL && fwrite(meta.data, 1, meta.size, file) == meta.size;
    ok = file != NULL && fclose(file) == 0 && ok;
    bytes_free(&meta);
    snprintf(path, sizeof path, "%s/hashmap/chk-1", folder);
    struct checkpoint *c = checkpoint_load(path, why);
    ok = ok && (c != NULL || why[0] != '\0');
    checkpoint_free(c);
    if (!ok) {
        fprintf(stderr, "seed %" PRIu64 ": a checkpoint of no message: %d %s\n", seed, ok, why);
    }
    return ok;
}

int main(int argc, char **argv)
{
    char folder[64], error[1024], path[128], command[128];
    uint64_t rounds = argc > 1 ? strtoull(argv[1], NULL, 10) : 600;
    uint64_t seed = argc > 2 ? strtoull(argv[2], NULL, 10) : 1;
    bool has_shm = access("/dev/shm", W_OK) == 0; /* there a sync costs nothing */
    snprintf(folder, sizeof folder, "%s/kcsim-fuzz-XXXXXX", has_shm ? "/dev/shm" : "/tmp");
    if (mkdtemp(folder) == NULL) {
        return 1;
    }
    snprintf(path, sizeof path, "%s/in", folder);
    mkdir(path, 0755);
    snprintf(path, sizeof path, "%s/in/file", folder);
    FILE *file = fopen(path, "w");
    bool ok = file != NULL && fputs("one\ntwo\n", file) >= 0 && fclose(file) == 0;
    make_events();
    for (uint32_t backend = 0; ok && backend < BACKENDS; backend++) {
        ok = run(folder, NULL, backend, false, error, sizeof error) == ST_OK;
        if (!ok) {
            fprintf(stderr, "the job itself: %s\n", error);
        }
        read_samples(folder, backend);
        ok = ok && sample_count > 0;
    }
    for (uint64_t r = 0; ok && r < rounds; r++) {
        ok = metadata_round(folder, seed + r) && round_of(folder, seed + r);
    }
    snprintf(command, sizeof command, "rm -rf %s", folder);
    return system(command) == 0 && ok ? 0 : 1;
}
