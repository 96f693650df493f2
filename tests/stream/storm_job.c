/*
 * The job of the stress test, see storm_job.h.
 */
#include "storm_job.h"

#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "mix.h"
#include "stream/stream.h"

#define EVENTS     200000
#define ORDERS     20000
#define PER_MS     20 /* events a millisecond of event time: 10 s in all */
#define KEYS       200
#define BUCKET_MS  700
#define ORDER_RATE 2 /* orders a millisecond */
#define AT_THE_END (INT64_C(1) << 40)

typedef struct {
    int64_t key, value, time;
} event;
ST_TYPE(event, key, value, time);

typedef struct {
    int64_t key, weight, time;
} order;
ST_TYPE(order, key, weight, time);

typedef struct {
    int64_t sum, count, least;
} total;
ST_TYPE(total, sum, count, least);

typedef struct {
    st_str what;
    int64_t key, end, sum, count, least;
} line;
ST_TYPE(line, what, key, end, sum, count, least);

static struct storm_attempt attempt;
static _Atomic uint64_t snapshots, notified;

/* ---------------------------------------------------------------------------------------- Input */

ST_GENERATOR(make_event, event)
{
    uint64_t z = mix(index ^ attempt.seed << 32);
    *out = (event){(int64_t)(z % KEYS), (int64_t)(z >> 50),
                   (int64_t)(index / PER_MS) - (int64_t)((z >> 20) % 1000)};
}

ST_GENERATOR(make_order, order)
{
    uint64_t z = mix(~index ^ attempt.seed << 32);
    *out = (order){(int64_t)(z % KEYS), (int64_t)(z >> 52),
                   (int64_t)(index / ORDER_RATE) - (int64_t)((z >> 20) % 500)};
}

ST_TIMESTAMP(time_of_event, event)
{
    return in->time;
}

ST_TIMESTAMP(time_of_order, order)
{
    return in->time;
}

/* ------------------------------------------------------------------------ Back-pressure, failures
 */

/* Fast, slowed down or standing still, each for so many records. */
struct pace {
    uint64_t count, until, draw;
    uint32_t sleep_us; /* each 64 records */
};

static void sleep_us(uint64_t us)
{
    struct timespec pause = {.tv_sec = (time_t)(us / 1000000),
                             .tv_nsec = (long)(us % 1000000) * 1000};
    nanosleep(&pause, NULL);
}

static void next_pace(const st_context *ctx, struct pace *p)
{
    p->draw = mix(p->draw ^ attempt.draw ^ (uint64_t)ctx->subtask << 48 ^
                  (uint64_t) * (const char *)ctx->arg << 52);
    p->until = p->count + 200 + p->draw % 20000;
    p->sleep_us = p->draw % 5 < 2 ? 40 + (uint32_t)(p->draw >> 20) % 400 : 0;
    if (p->draw % 5 == 4) {
        sleep_us((p->draw >> 40) % 60000);
    }
}

static void dawdle(st_context *ctx)
{
    struct pace *p = ctx->self;
    if (!attempt.dawdles) {
        return;
    }
    if (p->count >= p->until) {
        next_pace(ctx, p);
    }
    if (p->sleep_us > 0 && p->count % 64 == 0) {
        sleep_us(p->sleep_us);
    }
    p->count++;
}

ST_MAP(dawdle_event, event, event)
{
    dawdle(ctx);
    *out = *in;
}

ST_MAP(dawdle_line, line, line)
{
    dawdle(ctx);
    *out = *in;
}

/* --------------------------------------------------------------------------------------- Windows
 */

ST_FOLD(add, event, total)
{
    acc->least = acc->count == 0 || in->value < acc->least ? in->value : acc->least;
    acc->sum += in->value;
    acc->count++;
}

ST_FOLD(merge, total, total)
{
    if (in->count > 0) {
        acc->least = acc->count == 0 || in->least < acc->least ? in->least : acc->least;
        acc->sum += in->sum;
        acc->count += in->count;
    }
}

ST_MAP(to_line, total, line)
{
    *out = (line){st_str_of(ctx->arg), *(const int64_t *)st_key(ctx),
                  st_window_end(ctx),  in->sum,
                  in->count,           in->least};
}

ST_FILTER(one_in_64, event)
{
    return mix((uint64_t)in->value ^ (uint64_t)in->time << 10) % 64 == 0;
}

/* ------------------------------------------------------------------- Process: map state and timers
 */

ST_MAP_STATE(buckets, int64_t, total);

static int64_t bucket_end(int64_t time)
{
    return (time + 1000 * BUCKET_MS) / BUCKET_MS * BUCKET_MS - 1000 * BUCKET_MS + BUCKET_MS;
}

ST_PROCESS(into_buckets, event, line)
{
    int64_t end = bucket_end(in->time);
    const total *old = st_map_get(ctx, &buckets, &end);
    total now = old != NULL ? *old : (total){0, 0, in->value};
    now.sum += in->value;
    now.count++;
    now.least = in->value < now.least ? in->value : now.least;
    st_map_put(ctx, &buckets, &end, &now);
    st_set_event_timer(ctx, end - 1);
}

static void tell_bucket(st_context *ctx, int64_t time_ms, st_out *out)
{
    int64_t end = time_ms + 1;
    const total *t = st_map_get(ctx, &buckets, &end);
    if (t == NULL) {
        st_fail(ctx, "a timer without a bucket");
    }
    st_emit(out, &((line){ST_STR("bucket"), *(const int64_t *)st_key(ctx), end, t->sum, t->count,
                          t->least}));
    st_map_remove(ctx, &buckets, &end);
}

/* ------------------------------------------------------------------------------ Two inputs, a
 * value */

ST_VALUE_STATE(balance, total);

static void take(st_context *ctx, int64_t sum, int64_t time)
{
    const total *old = st_value_get(ctx, &balance);
    total now = old != NULL ? *old : (total){0, 0, INT64_MAX};
    now.sum += sum;
    now.count++;
    now.least = time < now.least ? time : now.least;
    st_value_set(ctx, &balance, &now);
    st_set_event_timer(ctx, AT_THE_END);
}

ST_PROCESS(take_event, event, line)
{
    take(ctx, in->value, in->time);
}

ST_PROCESS(take_order, order, line)
{
    take(ctx, in->weight * 1000000, in->time);
}

static void tell_balance(st_context *ctx, int64_t time_ms, st_out *out)
{
    (void)time_ms;
    const total *t = st_value_get(ctx, &balance);
    st_emit(out, &((line){ST_STR("balance"), *(const int64_t *)st_key(ctx), 0, t->sum, t->count,
                          t->least}));
}

/* ---------------------------------------------------------------------- Operator state, and
 * failing */

ST_LIST_STATE(seen, int64_t);

struct counter {
    int64_t count;
    uint64_t here; /* since this attempt began */
};

ST_PROCESS(count, event, line)
{
    struct counter *c = ctx->self;
    c->count++;
    c->here++;
    if (attempt.failure == STORM_FAIL_RECORD && ctx->subtask == attempt.draw % ctx->parallelism &&
        c->here == attempt.failure_at / ctx->parallelism) {
        st_fail(ctx, "as it was drawn, at a record");
    }
}

static void count_restored(st_context *ctx)
{
    struct counter *c = ctx->self;
    uint32_t n;
    const int64_t *counts = st_list_get(ctx, &seen, &n);
    for (uint32_t i = 0; i < n; i++) {
        c->count += counts[i];
    }
    if (attempt.failure == STORM_FAIL_INITIALIZE && n > 0) {
        st_fail(ctx, "as it was drawn, in initialize_state");
    }
}

static void count_snapshot(st_context *ctx, int64_t checkpoint_id)
{
    (void)checkpoint_id;
    const struct counter *c = ctx->self;
    st_list_update(ctx, &seen, &c->count, 1);
    if (attempt.failure == STORM_FAIL_SNAPSHOT && ++snapshots == attempt.failure_at) {
        st_fail(ctx, "as it was drawn, in snapshot_state");
    }
}

static void count_notified(st_context *ctx, int64_t checkpoint_id)
{
    (void)checkpoint_id;
    if (attempt.failure == STORM_FAIL_NOTIFY && ++notified == attempt.failure_at) {
        st_fail(ctx, "as it was drawn, in notify_checkpoint_complete");
    }
}

static void count_told(st_context *ctx, st_out *out)
{
    struct counter *c = ctx->self;
    if (c->count > 0) { /* a job may be restored from behind its end, and ends again */
        st_emit(out, &((line){ST_STR("count"), 0, 0, c->count, 0, 0}));
    }
    c->count = 0;
}

/* ------------------------------------------------------------------------------------------- Graph
 */

static void build(st_env *env)
{
    st_stream *raw = st_generate(env, make_event, EVENTS, .parallelism = attempt.source_parallelism,
                                 .rate_per_s = attempt.dawdles ? 400000 : 0);
    st_stream *counts =
        st_process(st_rebalance(raw), count, .self_size = sizeof(struct counter),
                   .operator_states = ST_STATES(&seen), .initialize_state = count_restored,
                   .snapshot_state = count_snapshot, .notify_checkpoint_complete = count_notified,
                   .end = count_told);
    st_stream *timed = st_assign_timestamps(raw, time_of_event, .bound_ms = 1000);
    st_stream *events = st_map(timed, dawdle_event, .self_size = sizeof(struct pace), .arg = "s");
    st_stream *keyed = st_key_by(events, ST_KEY(event, key));
    st_stream *lines =
        st_aggregate(st_window(keyed, ST_TUMBLING(1000)), add, to_line, .arg = "tumbling");
    st_stream *sliding = st_aggregate(st_window(keyed, ST_SLIDING(2000, 500)), add, to_line,
                                      .arg = "sliding", .merge = &merge);
    st_stream *some = st_key_by(st_filter(events, one_in_64), ST_KEY(event, key));
    st_stream *sessions = st_aggregate(st_window(some, ST_SESSION(400)), add, to_line,
                                       .arg = "session", .merge = &merge);
    st_stream *slower = st_map(events, dawdle_event, .self_size = sizeof(struct pace),
                               .slot_sharing_group = "slower", .arg = "k");
    st_stream *bucketed = st_process(st_key_by(slower, ST_KEY(event, key)), into_buckets,
                                     .states = ST_STATES(&buckets), .on_timer = tell_bucket);
    st_stream *orders = st_assign_timestamps(
        st_generate(env, make_order, ORDERS, .rate_per_s = attempt.dawdles ? 40000 : 0),
        time_of_order, .bound_ms = 500);
    st_stream *both = st_connect(keyed, st_key_by(orders, ST_KEY(order, key)));
    st_stream *balances = st_co_process(both, take_event, take_order, .states = ST_STATES(&balance),
                                        .on_timer = tell_balance);
    lines = st_union(st_union(st_union(lines, sliding), st_union(sessions, bucketed)),
                     st_union(balances, counts));
    char path[512];
    snprintf(path, sizeof path, "%s/out", attempt.folder);
    st_write_files(st_map(lines, dawdle_line, .self_size = sizeof(struct pace),
                          .slot_sharing_group = "out", .arg = "o"),
                   path);
}

static void configure(st_env *env)
{
    char path[512];
    st_env_set_parallelism(env, attempt.parallelism);
    st_env_set(env, "state.backend", attempt.backend);
    if (strcmp(attempt.backend, "rocksdb") == 0) {
        st_env_set(env, "state.backend.incremental", "true");
        st_env_set(env, "state.backend.rocksdb.localdir", attempt.folder);
        st_env_set(env, "state.backend.rocksdb.memory.fixed-per-slot", "6mb");
    }
    if (!attempt.checkpoints) {
        return;
    }
    snprintf(path, sizeof path, "%s/ck", attempt.folder);
    st_env_set(env, "execution.checkpointing.interval",
               attempt.draw % 3 == 0   ? "15ms"
               : attempt.draw % 3 == 1 ? "40ms"
                                       : "100ms");
    st_env_set(env, "execution.checkpointing.dir", path);
    st_env_set(env, "execution.checkpointing.num-retained", "3");
    st_env_set(env, "execution.checkpointing.max-concurrent-checkpoints",
               attempt.draw % 2 == 0 ? "3" : "1");
    if (access(path, F_OK) == 0) {
        st_env_set(env, "execution.savepoint.path", path);
    }
}

int storm_run(const struct storm_attempt *a)
{
    attempt = *a;
    st_env *env = st_env_new();
    configure(env);
    build(env);
    enum st_err err = st_execute(env, "storm");
    const char *why = st_env_error(env);
    int said = err == ST_OK                                                    ? STORM_DONE
               : err == ST_ERR_RESTORE && strstr(why, "no checkpoint") != NULL ? STORM_NO_CHECKPOINT
               : err == ST_ERR_FAILED && strstr(why, "as it was drawn") != NULL ? STORM_FAILED
                                                                                : STORM_WRONG;
    if (said == STORM_WRONG) {
        fputs(why, stderr);
    }
    st_env_free(env);
    return said;
}
