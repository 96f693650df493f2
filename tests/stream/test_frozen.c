/*
 * What a snapshot has is what was there at its barrier, though it is written while the job goes on
 * to change it: lists, maps, texts, timers, the elements of windows, sessions.
 *
 *     run without failures                                    ──► what each key has told in the end
 *     run that fails again and again, with a checkpoint       ──► the same
 *     under way nearly all the time, in memory;
 *     with rocksdb too, while rows go to the database
 *
 * A row, list or session that was changed before it was written would count something twice after
 * the restore, or lose it: what comes out of a key depends on all that is kept of it, and on its
 * order, and each key's output is folded into one number.
 */
#include <check.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "stream/stream.h"

#define KEYS     1500
#define RECORDS  60000
#define RATE     100000 /* records a second, so that there is time for checkpoints */
#define FAILURES 5

typedef struct {
    int64_t key, value, time;
} item;
ST_TYPE(item, key, value, time);
typedef struct {
    st_str text;
    int64_t number;
} note;
ST_TYPE(note, text, number);
typedef struct {
    int64_t key;
    uint64_t digest;
} told;
ST_TYPE(told, key, digest);

static uint64_t in_the_end[KEYS]; /* what came out of a key, in one number */
static int failures, failures_wanted;

static uint64_t mix(uint64_t digest, uint64_t more)
{
    uint64_t z = (digest ^ more) * UINT64_C(0x9E3779B97F4A7C15);
    return z ^ z >> 29;
}

static uint64_t mix_text(uint64_t digest, st_str text)
{
    for (uint32_t i = 0; i < text.size; i++) {
        digest = mix(digest, (unsigned char)text.data[i]);
    }
    return digest;
}

ST_GENERATOR(items, item)
{
    uint64_t z = mix(index, 17);
    *out = (item){(int64_t)(z % KEYS), (int64_t)(z >> 40), (int64_t)index};
}

ST_TIMESTAMP(item_time, item)
{
    return in->time;
}

/* Fails at some records, once a checkpoint has been completed since the job was begun again. */
static void note_completed(st_context *ctx, int64_t checkpoint_id)
{
    (void)checkpoint_id;
    *(bool *)ctx->self = true;
}

ST_MAP(fail_at_some, item, item)
{
    *out = *in;
    if (failures < failures_wanted && *(bool *)ctx->self &&
        in->time >= (int64_t)RECORDS * (failures + 1) / (FAILURES + 1)) {
        failures++;
        st_fail(ctx, "as it should");
    }
}

ST_REDUCE(together, told)
{
    acc->digest = mix(acc->digest, in->digest);
}

/* Several subtasks: each key is of one of them. */
ST_SINK(tell, told)
{
    in_the_end[in->key] = in->digest;
}

/* ----------------------------------------------------------------------------- State of a key */

ST_LIST_STATE(list, note);
ST_LIST_STATE(aging, note, .ttl_ms = 100000000, .ttl_on_read = true);
ST_MAP_STATE(map, note, item);
ST_VALUE_STATE(value, note);

static st_str text_of(char *to, size_t size, int64_t number)
{
    snprintf(to, size, "number %lld", (long long)number);
    return st_str_of(to);
}

/* Grows, and begins again, at times of its own for each state. */
ST_PROCESS(keep, item, told)
{
    char text[32];
    uint32_t count;
    note one = {text_of(text, sizeof text, in->value), in->value};
    st_value_set(ctx, &value, &one);
    const note *had = st_list_get(ctx, &list, &count);
    if (count == 7) {
        note last[2] = {had[6], had[2]};
        st_list_update(ctx, &list, last, 2);
    }
    st_list_add(ctx, &list, &one);
    (void)st_list_get(ctx, &aging, &count);
    if (count == 12) {
        st_state_clear(ctx, &aging);
    }
    st_list_add(ctx, &aging, &one);
    note kind = {text_of(text, sizeof text, in->value % 5), 1};
    if (in->value % 11 == 0) {
        st_map_remove(ctx, &map, &kind);
    } else {
        st_map_put(ctx, &map, &kind, in);
    }
    st_delete_event_timer(ctx, RECORDS * 2 + in->key % 7);
    if (in->value % 3 != 0) {
        st_set_event_timer(ctx, RECORDS * 2 + in->key % 7);
    }
    st_set_event_timer(ctx, RECORDS * 3);
}

static uint64_t mix_notes(uint64_t digest, const note *notes, uint32_t count)
{
    digest = mix(digest, count);
    for (uint32_t i = 0; i < count; i++) {
        digest = mix(mix_text(digest, notes[i].text), (uint64_t)notes[i].number);
    }
    return digest;
}

/* Behind the last record: all that is kept of the key. */
static void tell_state(st_context *ctx, int64_t time_ms, st_out *out)
{
    uint32_t count;
    uint64_t cursor = 0, digest = (uint64_t)time_ms;
    const void *key, *entry;
    digest = mix_notes(digest, st_value_get(ctx, &value), 1);
    const note *notes = st_list_get(ctx, &list, &count);
    digest = mix_notes(digest, notes, count);
    notes = st_list_get(ctx, &aging, &count);
    digest = mix_notes(digest, notes, count);
    while (st_map_next(ctx, &map, &cursor, &key, &entry)) {
        digest = mix(mix_notes(digest, key, 1), (uint64_t)((const item *)entry)->value);
    }
    st_emit(out, &((told){*(const int64_t *)st_key(ctx), digest}));
}

/* ------------------------------------------------------------------------------------- Windows */

ST_WINDOW(tell_elements, item, told)
{
    uint64_t digest = count;
    for (uint32_t i = 0; i < count; i++) {
        digest = mix(digest, (uint64_t)in[i].value);
    }
    st_emit(out, &((told){*(const int64_t *)st_key(ctx), digest}));
}

ST_FOLD(digest_item, item, uint64_t)
{
    *acc += mix((uint64_t)in->value, 3);
}

ST_FOLD(merge_digests, uint64_t, uint64_t)
{
    *acc += *in;
}

ST_MAP(tell_digest, uint64_t, told)
{
    *out = (told){*(const int64_t *)st_key(ctx), mix(*in, (uint64_t)st_window_start(ctx))};
}

/* ---------------------------------------------------------------------------------------- Runs */

enum kept {
    STATES,
    ELEMENTS,
    SESSION_FOLDS,
    SESSION_ELEMENTS,
    COUNTS,
    TRIGGERED,
    TRIGGERED_SESSIONS
};

static st_stream *keep_what(enum kept what, st_stream *s)
{
    switch (what) {
    case STATES:
        return st_process(s, keep, .parallelism = 2, .on_timer = tell_state,
                          .states = ST_STATES(&list, &aging, &map, &value));
    case ELEMENTS:
        return st_process_window(st_window(s, ST_TUMBLING(RECORDS / 3)), tell_elements,
                                 .parallelism = 2);
    case SESSION_FOLDS:
        return st_aggregate(st_window(s, ST_SESSION(KEYS)), digest_item, tell_digest,
                            .parallelism = 2, .merge = &merge_digests);
    case SESSION_ELEMENTS:
        return st_process_window(st_window(s, ST_SESSION(KEYS)), tell_elements, .parallelism = 2);
    case COUNTS:
        return st_process_window(st_window(s, ST_COUNT_WINDOW(9, .slide_count = 4)), tell_elements,
                                 .parallelism = 2);
    case TRIGGERED:
        return st_process_window(st_window(s, ST_TUMBLING(RECORDS / 3, .trigger = ST_ON_COUNT(5))),
                                 tell_elements);
    case TRIGGERED_SESSIONS:
        return st_process_window(st_window(s, ST_SESSION(KEYS, .trigger = ST_ON_EVENT_TIME())),
                                 tell_elements);
    }
    abort();
}

/* On rocksdb with memory for few of the keys. */
static void run(enum kept what, bool rocksdb, int fail)
{
    st_env *env = st_env_new();
    memset(in_the_end, 0, sizeof in_the_end);
    failures = 0;
    failures_wanted = fail;
    st_env_set_parallelism(env, 1); /* but for what keeps */
    st_env_set(env, "state.backend", rocksdb ? "rocksdb" : "hashmap");
    st_env_set(env, "state.backend.rocksdb.memory.fixed-per-slot", "64kb");
    if (fail > 0) {
        st_env_set(env, "execution.checkpointing.interval", "1ms");
        st_env_set(env, "execution.checkpointing.storage", "jobmanager");
        st_env_set(env, "restart-strategy.type", "fixed-delay");
        st_env_set(env, "restart-strategy.fixed-delay.attempts", "100");
        st_env_set(env, "restart-strategy.fixed-delay.delay", "0s");
    }
    st_stream *s = st_generate(env, items, RECORDS, .rate_per_s = fail > 0 ? RATE : 0);
    s = st_map(s, fail_at_some, .self_size = sizeof(bool),
               .notify_checkpoint_complete = note_completed);
    s = st_assign_timestamps(s, item_time, .bound_ms = 0);
    s = keep_what(what, st_key_by(s, ST_KEY(item, key)));
    st_sink(st_reduce(st_key_by(s, ST_KEY(told, key)), together), tell);
    enum st_err err = st_execute(env, "frozen");
    ck_assert_msg(err == ST_OK, "%s", st_env_error(env));
    st_env_free(env);
}

START_TEST(is_what_was_at_the_barrier)
{
    static uint64_t expected[KEYS];
    enum kept what = (enum kept)(_i % (TRIGGERED_SESSIONS + 1));
    run(what, false, 0);
    memcpy(expected, in_the_end, sizeof expected);
    run(what, _i > TRIGGERED_SESSIONS, FAILURES);
    ck_assert_int_gt(failures, 0);
    for (uint32_t k = 0; k < KEYS; k++) {
        ck_assert_uint_ne(expected[k], 0);
        ck_assert_msg(in_the_end[k] == expected[k], "key %u tells another thing", k);
    }
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("frozen");
    TCase *runs = tcase_create("runs");
    tcase_set_timeout(runs, 300);
    tcase_add_loop_test(runs, is_what_was_at_the_barrier, 0, 2 * (TRIGGERED_SESSIONS + 1));
    suite_add_tcase(suite, runs);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? 0 : 1;
}
