/*
 * What the words of a graph mean when it runs: exchanges (who gets which record), chains,
 * parallelism and who decides it, slots; functions of two inputs, minima, watermarks.
 *
 * Nearly all run in steps, on one thread: what functions note in statics here is in order.
 */
#include <check.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "stream/graph.h"

#define SENT         8 /* records of a subtask */
#define SUBTASKS_MAX 4

/* A record's way: from a subtask of the source to one of the receiver. */
typedef struct {
    int64_t number;
    uint32_t from;
} hop;
ST_TYPE(hop, number, from);

ST_SOURCE(eight, hop)
{
    for (int64_t number = 0; number < SENT; number++) {
        st_emit(out, &((hop){number, ctx->subtask}));
    }
    return ST_END;
}

static int64_t arrived[SUBTASKS_MAX][SUBTASKS_MAX]; /* [from][to] */
static int64_t firsts[SUBTASKS_MAX][SUBTASKS_MAX];  /* number of the first one */

ST_SINK(note_arrival, hop)
{
    int64_t *count = &arrived[in->from][ctx->subtask];
    firsts[in->from][ctx->subtask] = *count == 0 ? in->number : firsts[in->from][ctx->subtask];
    ++*count;
}

static st_env *env_in_steps(void)
{
    st_env *env = st_env_new();
    st_env_run_in_steps(env);
    return env;
}

/* Runs and frees a job that is well. */
static void run(st_env *env)
{
    ck_assert_msg(st_execute(env, "graph") == ST_OK, "%s", st_env_error(env));
    st_env_free(env);
}

/* The plan has this line. */
static void expect_line(st_env *env, const char *line)
{
    char *text = st_env_plan(env, "text");
    ck_assert_ptr_nonnull(text);
    ck_assert_msg(strstr(text, line) != NULL, "no \"%s\" in\n%s", line, text);
    free(text);
}

/* ----------------------------------------------------------------------------------- Exchanges */

/* Eight records of each of `from` subtasks to `to` of them. */
static void exchange(uint32_t from, enum st_partitioning partitioning, uint32_t to)
{
    st_env *env = env_in_steps();
    memset(arrived, 0, sizeof arrived);
    st_stream *s = st_from_source(env, eight, .parallelism = from);
    st_sink(st_partition_at(s, partitioning, ST_WITH(0)), note_arrival, .parallelism = to);
    run(env);
}

static void expect_arrived(int64_t expected[SUBTASKS_MAX][SUBTASKS_MAX])
{
    for (uint32_t from = 0; from < SUBTASKS_MAX; from++) {
        for (uint32_t to = 0; to < SUBTASKS_MAX; to++) {
            ck_assert_msg(arrived[from][to] == expected[from][to], "%ld from %u to %u, not %ld",
                          (long)arrived[from][to], from, to, (long)expected[from][to]);
        }
    }
}

START_TEST(forward_goes_to_the_same_subtask)
{
    exchange(3, ST_PART_FORWARD, 3);
    expect_arrived((int64_t[SUBTASKS_MAX][SUBTASKS_MAX]){{8}, {0, 8}, {0, 0, 8}});
    st_env *env = env_in_steps();
    st_stream *s = st_forward(st_from_source(env, eight, .parallelism = 2));
    st_sink(s, note_arrival, .parallelism = 2);
    expect_line(env, "2: note_arrival, parallelism 2, chained <- 1 (FORWARD)");
    run(env);
}
END_TEST

START_TEST(forward_to_another_parallelism_is_refused)
{
    st_env *env = env_in_steps();
    st_stream *s = st_forward(st_from_source(env, eight, .parallelism = 2));
    st_sink(s, note_arrival, .parallelism = 4);
    ck_assert_int_eq(st_execute(env, "refused"), ST_ERR_GRAPH);
    ck_assert_ptr_nonnull(strstr(st_env_error(env), "st_forward from parallelism 2 to 4"));
    ck_assert_ptr_nonnull(strstr(st_env_error(env), "test_graph.c:"));
    st_env_free(env);
}
END_TEST

/* Source: Flink RescalePartitioner,
 * VertexInputInfoComputationUtils.computeVertexInputInfoForPointwise.
 */
START_TEST(rescale_goes_in_turn_to_the_subtasks_that_are_ones_own)
{
    exchange(2, ST_PART_RESCALE, 4);
    expect_arrived((int64_t[SUBTASKS_MAX][SUBTASKS_MAX]){{4, 4}, {0, 0, 4, 4}});
    for (uint32_t from = 0; from < 2; from++) { /* each begins with its first receiver */
        ck_assert_int_eq(firsts[from][2 * from], 0);
        ck_assert_int_eq(firsts[from][2 * from + 1], 1);
    }
    exchange(4, ST_PART_RESCALE, 2);
    expect_arrived((int64_t[SUBTASKS_MAX][SUBTASKS_MAX]){{8}, {8}, {0, 8}, {0, 8}});
    exchange(2, ST_PART_RESCALE, 3);
    expect_arrived((int64_t[SUBTASKS_MAX][SUBTASKS_MAX]){{4, 4}, {0, 0, 8}});
    exchange(3, ST_PART_RESCALE, 2);
    expect_arrived((int64_t[SUBTASKS_MAX][SUBTASKS_MAX]){{8}, {0, 8}, {0, 8}});
    st_env *env = env_in_steps();
    st_sink(st_rescale(st_from_source(env, eight, .parallelism = 2)), note_arrival,
            .parallelism = 2);
    expect_line(env, "2: note_arrival, parallelism 2 <- 1 (RESCALE)");
    run(env);
}
END_TEST

START_TEST(rebalance_goes_to_all_in_turn)
{
    exchange(2, ST_PART_REBALANCE, 4);
    expect_arrived((int64_t[SUBTASKS_MAX][SUBTASKS_MAX]){{2, 2, 2, 2}, {2, 2, 2, 2}});
}
END_TEST

START_TEST(global_goes_to_the_first_subtask)
{
    exchange(3, ST_PART_GLOBAL, 4);
    expect_arrived((int64_t[SUBTASKS_MAX][SUBTASKS_MAX]){{8}, {8}, {8}});
    st_env *env = env_in_steps();
    st_sink(st_global(st_from_source(env, eight, .parallelism = 2)), note_arrival,
            .parallelism = 2);
    expect_line(env, "2: note_arrival, parallelism 2 <- 1 (GLOBAL)");
    run(env);
}
END_TEST

ST_SOURCE(many, hop)
{
    int64_t *number = ctx->self;
    for (int64_t end = *number + 500; *number < end; ++*number) {
        st_emit(out, &((hop){*number, ctx->subtask}));
    }
    return *number < 8000 ? ST_MORE : ST_END;
}

START_TEST(shuffle_goes_anywhere_and_each_subtask_is_as_likely)
{
    st_env *env = env_in_steps();
    memset(arrived, 0, sizeof arrived);
    st_stream *s = st_from_source(env, many, .parallelism = 2, .self_size = sizeof(int64_t));
    st_sink(st_shuffle(s), note_arrival, .parallelism = 4);
    expect_line(env, "2: note_arrival, parallelism 4 <- 1 (SHUFFLE)");
    run(env);
    int64_t all = 0;
    for (uint32_t from = 0; from < 2; from++) {
        for (uint32_t to = 0; to < 4; to++) {
            ck_assert_int_ge(arrived[from][to], 1800); /* 2000, and four deviations of 39 */
            ck_assert_int_le(arrived[from][to], 2200);
            all += arrived[from][to];
        }
    }
    ck_assert_int_eq(all, 16000);
    ck_assert_int_ne(arrived[0][0], arrived[0][1]); /* it is not in turn */
}
END_TEST

/* -------------------------------------------------------------------------------------- Chains */

ST_MAP(pass, hop, hop)
{
    *out = *in;
}

START_TEST(a_head_begins_a_chain_and_never_is_alone)
{
    st_env *env = env_in_steps();
    st_stream *s = st_map(st_from_source(env, eight), pass, .name = "a");
    s = st_map(s, pass, .name = "b", .chaining = ST_CHAIN_HEAD);
    s = st_map(s, pass, .name = "c");
    s = st_map(s, pass, .name = "d", .chaining = ST_CHAIN_NEVER);
    s = st_map(s, pass, .name = "e");
    st_sink(s, note_arrival);
    memset(arrived, 0, sizeof arrived);
    expect_line(env, "2: a, parallelism 1, chained <- 1 (FORWARD)\n"
                     "3: b, parallelism 1 <- 2 (FORWARD)\n"
                     "4: c, parallelism 1, chained <- 3 (FORWARD)\n"
                     "5: d, parallelism 1 <- 4 (FORWARD)\n"
                     "6: e, parallelism 1 <- 5 (FORWARD)\n"
                     "7: note_arrival, parallelism 1, chained <- 6 (FORWARD)\n");
    run(env);
    ck_assert_int_eq(arrived[0][0], SENT);
}
END_TEST

/* --------------------------------------------------------------------------------- Parallelism */

/* Operator, environment, client, system: each rules where those before it say nothing. */
START_TEST(the_parallelism_of_the_operator_goes_before_env_client_and_system)
{
    static const struct {
        uint32_t of_operator, of_env;
        const char *client, *expected;
    } rows[] = {{4, 3, "2", "parallelism 4"},
                {0, 3, "2", "parallelism 3"},
                {0, 0, "2", "parallelism 2"},
                {0, 0, NULL, "parallelism 5"}};
    for (int order = 0; order < 2; order++) { /* who says it first does not matter */
        for (size_t r = 0; r < sizeof rows / sizeof rows[0]; r++) {
            st_env *env = env_in_steps();
            char name[] = "job", flag[] = "-p", value[8] = "";
            char *arguments[] = {name, flag, value, NULL};
            int count = rows[r].client != NULL ? 3 : 1;
            snprintf(value, sizeof value, "%s", rows[r].client != NULL ? rows[r].client : "");
            arguments[count] = NULL;
            if (order == 0) {
                ck_assert_int_eq(st_env_set(env, "parallelism.default", "5"), ST_OK);
                st_env_set_parallelism(env, rows[r].of_env);
            }
            ck_assert_int_eq(st_env_take_arguments(env, &count, arguments), ST_OK);
            if (order == 1) {
                st_env_set_parallelism(env, rows[r].of_env);
                ck_assert_int_eq(st_env_set(env, "parallelism.default", "5"), ST_OK);
            }
            st_stream *s = st_from_source(env, eight, .parallelism = 1);
            st_sink(s, note_arrival, .parallelism = rows[r].of_operator, .name = "it");
            char line[64];
            snprintf(line, sizeof line, "2: it, %s <-", rows[r].expected);
            expect_line(env, line);
            st_env_free(env);
        }
    }
}
END_TEST

/* Greatest parallelism of each group: 3 of default, 2 of apart. */
static enum st_err execute_with_slots(const char *slots, char *why, size_t why_size)
{
    st_env *env = env_in_steps();
    st_stream *s = st_from_source(env, eight, .parallelism = 3);
    s = st_map(s, pass, .parallelism = 1);
    st_sink(s, note_arrival, .parallelism = 2, .slot_sharing_group = "apart");
    ck_assert_int_eq(st_env_set(env, "taskmanager.numberOfTaskSlots", slots), ST_OK);
    enum st_err err = st_execute(env, "slots");
    snprintf(why, why_size, "%s", st_env_error(env));
    st_env_free(env);
    return err;
}

START_TEST(a_job_that_takes_more_slots_than_there_are_is_refused)
{
    char why[256];
    ck_assert_int_eq(execute_with_slots("5", why, sizeof why), ST_OK);
    ck_assert_int_eq(execute_with_slots("4", why, sizeof why), ST_ERR_GRAPH);
    ck_assert_msg(strstr(why, "takes 5 slots") != NULL &&
                      strstr(why, "taskmanager.numberOfTaskSlots is 4") != NULL,
                  "%s", why);
}
END_TEST

/* ------------------------------------------------------------------------------- Configuration */

START_TEST(what_there_is_not_is_refused_with_the_reason)
{
    static const struct {
        const char *key, *good, *bad, *why;
    } keys[] = {
        {"execution.runtime-mode", "STREAMING", "BATCH", "is not STREAMING: a bounded input"},
        {"execution.runtime-mode", "STREAMING", "AUTOMATIC", "is not STREAMING: a bounded input"},
        {"execution.checkpointing.unaligned", "false", "true", "no records that are under way"},
        {"taskmanager.numberOfTaskSlots", "1", "0", "a number above 0"},
        {"pipeline.name", "words", "", "a name"},
    };
    for (size_t k = 0; k < sizeof keys / sizeof keys[0]; k++) {
        st_env *env = st_env_new();
        ck_assert_int_eq(st_env_set(env, keys[k].key, keys[k].good), ST_OK);
        ck_assert_int_eq(st_env_set(env, keys[k].key, keys[k].bad), ST_ERR_CONFIG);
        ck_assert_msg(strstr(st_env_error(env), keys[k].why) != NULL, "%s", st_env_error(env));
        st_env_free(env);
    }
}
END_TEST

START_TEST(durations_sizes_and_words_are_read_as_flink_reads_them)
{
    static const struct {
        const char *text;
        int64_t ms;
    } durations[] = {{"7", 7},           {"200ms", 200},        {" 3 s ", 3000},
                     {"2min", 120000},   {"2 m", 120000},       {"1 minutes", 60000},
                     {"10 SEC", 10000},  {"5 secs", 5000},      {"4 Hours", 14400000},
                     {"1d", 86400000},   {"2 days", 172800000}, {"9 milliseconds", 9},
                     {"1500 micros", 1}, {"2000000ns", 2},      {"0", 0}};
    static const struct {
        const char *text;
        int64_t bytes;
    } sizes[] = {{"10", 10},
                 {"1b", 1},
                 {"3 bytes", 3},
                 {"2kb", 2048},
                 {"1 KibiBytes", 1024},
                 {"64MB", 64 << 20},
                 {"1 mebibytes", 1 << 20},
                 {"1g", 1 << 30}};
    static const char *const bad[] = {"",
                                      " ",
                                      "ms",
                                      "-1",
                                      "+1",
                                      "1.5s",
                                      "1 fortnight",
                                      "1 s 2",
                                      "99999999999999999999",
                                      "9223372036854775807 d"};
    st_env *env = st_env_new();
    for (size_t d = 0; d < sizeof durations / sizeof durations[0]; d++) {
        ck_assert_int_eq(st_env_set(env, "execution.buffer-timeout", durations[d].text), ST_OK);
        ck_assert_int_eq(env->buffer_timeout_ms, durations[d].ms);
    }
    for (size_t z = 0; z < sizeof sizes / sizeof sizes[0]; z++) {
        st_env_set(env, "state.backend.rocksdb.memory.fixed-per-slot", sizes[z].text);
        ck_assert_int_eq(env->rocksdb_memory, sizes[z].bytes);
    }
    ck_assert_int_eq(st_env_set(env, "execution.checkpointing.mode", "at_least_once"), ST_OK);
    ck_assert(env->at_least_once);
    ck_assert_int_eq(st_env_set(env, "state.backend.type", "RocksDB"), ST_OK);
    ck_assert_int_eq(env->backend, BACKEND_ROCKSDB);
    ck_assert_int_eq(st_env_set(env, "pipeline.operator-chaining", "FALSE"), ST_OK);
    ck_assert(!env->chaining);
    ck_assert_int_eq(st_env_set(env, "restart-strategy", "Fixed-Delay"), ST_OK);
    ck_assert_int_eq(env->restart.kind, RESTART_FIXED);
    for (size_t b = 0; b < sizeof bad / sizeof bad[0]; b++) {
        ck_assert_int_eq(st_env_set(env, "execution.buffer-timeout", bad[b]), ST_ERR_CONFIG);
        ck_assert_int_eq(st_env_set(env, "state.backend.rocksdb.memory.fixed-per-slot", bad[b]),
                         ST_ERR_CONFIG);
    }
    st_env_free(env);
}
END_TEST

START_TEST(a_folder_is_a_path_or_the_uri_of_a_file)
{
    static const char *const bad[] = {"",         "hdfs:///a", "s3://bucket/a",
                                      "file://a", "file://",   "s3a://"};
    st_env *env = st_env_new();
    for (size_t b = 0; b < sizeof bad / sizeof bad[0]; b++) {
        ck_assert_int_eq(st_env_set(env, "execution.checkpointing.dir", bad[b]), ST_ERR_CONFIG);
        ck_assert_int_eq(st_env_set(env, "state.savepoints.dir", bad[b]), ST_ERR_CONFIG);
    }
    ck_assert_int_eq(st_env_set(env, "execution.checkpointing.dir", "file:///a/b"), ST_OK);
    ck_assert_str_eq(env->checkpoint_dir, "/a/b");
    ck_assert_int_eq(st_env_set(env, "execution.checkpointing.dir", "a:b/c"), ST_OK);
    ck_assert_str_eq(env->checkpoint_dir, "a:b/c");
    st_env_free(env);
}
END_TEST

/* ------------------------------------------------------------------ Two inputs, minima, text out
 */

typedef struct {
    int64_t key, value, other;
} triple;
ST_TYPE(triple, key, value, other);

ST_FLAT_MAP(twice, int64_t, triple)
{
    st_emit(out, &((triple){1, *in, 0}));
    st_emit(out, &((triple){1, *in, 1}));
}

ST_FLAT_MAP(only_even, triple, triple)
{
    if (in->value % 2 == 0) {
        st_emit(out, &((triple){2, in->value, in->other}));
    }
}

static triple seen[32];
static uint32_t seen_count;

ST_SINK(note, triple)
{
    seen[seen_count++] = *in;
}

static int by_key_and_value(const void *a, const void *b)
{
    const triple *x = a, *y = b;
    int64_t less = x->key != y->key       ? x->key - y->key
                   : x->value != y->value ? x->value - y->value
                                          : x->other - y->other;
    return (less > 0) - (less < 0);
}

static void expect_seen(const triple *expected, uint32_t count)
{
    ck_assert_uint_eq(seen_count, count);
    ck_assert_mem_eq(seen, expected, count * sizeof *expected);
}

START_TEST(co_flat_map_puts_out_any_number_for_each_input)
{
    static const int64_t first[] = {7, 8};
    static const triple second[] = {{0, 3, 30}, {0, 4, 40}, {0, 6, 60}};
    st_env *env = env_in_steps();
    seen_count = 0;
    st_stream *s =
        st_connect(st_from_array(env, int64_t, first, 2), st_from_array(env, triple, second, 3));
    st_sink(st_co_flat_map(s, twice, only_even), note);
    run(env);
    qsort(seen, seen_count, sizeof seen[0], by_key_and_value);
    expect_seen((triple[]){{1, 7, 0}, {1, 7, 1}, {1, 8, 0}, {1, 8, 1}, {2, 4, 40}, {2, 6, 60}}, 6);
}
END_TEST

/* Of the first record all but the field; min_by has the whole record. */
START_TEST(min_lowers_its_field_and_keeps_the_others)
{
    static const triple records[] = {{1, 5, 10}, {2, 7, 20}, {1, 3, 11}, {1, 4, 12}, {2, 7, 21}};
    for (int by = 0; by < 2; by++) {
        st_env *env = env_in_steps();
        seen_count = 0;
        st_stream *s = st_key_by(st_from_array(env, triple, records, 5), ST_KEY(triple, key));
        s = by == 0 ? st_min(s, ST_FIELD(triple, value)) : st_min_by(s, ST_FIELD(triple, value));
        st_sink(s, note);
        run(env);
        int64_t others = by == 0 ? 10 : 11;
        expect_seen((triple[]){{1, 5, 10}, {2, 7, 20}, {1, 3, others}, {1, 3, others}, {2, 7, 20}},
                    5);
    }
}
END_TEST

/* ---------------------------------------------------------------------------------- Watermarks */

ST_TIMESTAMP(value_of, triple)
{
    return in->value;
}

static int64_t watermarks[8];
static uint32_t watermark_count;

ST_SINK(note_watermark, triple)
{
    watermarks[watermark_count++] = st_watermark(ctx);
}

/* Behind a record of time 100, with a bound of 10: 89, or without the ms 90. */
START_TEST(a_watermark_is_a_millisecond_less_unless_it_is_without_it)
{
    static const triple records[] = {{1, 100, 0}, {1, 200, 0}};
    for (int without = 0; without < 2; without++) {
        st_env *env = env_in_steps();
        watermark_count = 0;
        st_stream *s = st_from_array(env, triple, records, 2);
        s = st_assign_timestamps(s, value_of, .bound_ms = 10, .every_record = true,
                                 .without_the_ms = without != 0);
        st_sink(s, note_watermark);
        run(env);
        ck_assert_uint_eq(watermark_count, 2);
        ck_assert_int_eq(watermarks[0], ST_TIME_MIN);
        ck_assert_int_eq(watermarks[1], without != 0 ? 90 : 89);
    }
}
END_TEST

/* A window [0, 100) fires at 99. A record of 99 brings the watermark there without the ms, and what
 * comes behind it is late. */
START_TEST(without_the_ms_a_window_fires_a_record_sooner)
{
    static const triple records[] = {{1, 50, 1}, {1, 99, 1}, {1, 60, 1}, {1, 250, 1}};
    for (int without = 0; without < 2; without++) {
        st_env *env = env_in_steps();
        seen_count = 0;
        st_stream *s = st_from_array(env, triple, records, 4);
        s = st_assign_timestamps(s, value_of, .every_record = true, .without_the_ms = without != 0);
        s = st_window(st_key_by(s, ST_KEY(triple, key)), ST_TUMBLING(100));
        st_sink(st_sum(s, ST_FIELD(triple, other)), note);
        run(env);
        expect_seen((triple[]){{1, 50, without != 0 ? 2 : 3}, {1, 250, 1}}, 2);
    }
}
END_TEST

/* -------------------------------------------------------------------------------- Buffer timeout
 */

static _Atomic bool has_come;
static bool had_come_at_end;
static int64_t calls, calls_max;

/* One record, then nothing, but never idle, until the record has come or there were enough calls.
 */
ST_SOURCE(one_and_busy, int64_t)
{
    if (calls++ == 0) {
        st_emit(out, &calls);
    }
    had_come_at_end = has_come;
    return had_come_at_end || calls == calls_max ? ST_END : ST_MORE;
}

ST_SINK(note_that_it_came, int64_t)
{
    has_come = true;
}

static void run_busy(const char *timeout, int64_t max)
{
    st_env *env = st_env_new(); /* on threads: the timeout is of these */
    st_env_set(env, "execution.buffer-timeout", timeout);
    has_come = false;
    calls = 0;
    calls_max = max;
    st_sink(st_from_source(env, one_and_busy), note_that_it_came, .slot_sharing_group = "apart");
    run(env);
    ck_assert(has_come);
}

START_TEST(a_packet_that_is_not_full_goes_at_the_buffer_timeout)
{
    run_busy("1ms", INT64_MAX); /* ends only because it has come */
    ck_assert(had_come_at_end);
    run_busy("1h", 100000);
    ck_assert(!had_come_at_end);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("graph");
    TCase *tc = tcase_create("graph");
    tcase_set_timeout(tc, 60);
    tcase_add_test(tc, forward_goes_to_the_same_subtask);
    tcase_add_test(tc, forward_to_another_parallelism_is_refused);
    tcase_add_test(tc, rescale_goes_in_turn_to_the_subtasks_that_are_ones_own);
    tcase_add_test(tc, rebalance_goes_to_all_in_turn);
    tcase_add_test(tc, global_goes_to_the_first_subtask);
    tcase_add_test(tc, shuffle_goes_anywhere_and_each_subtask_is_as_likely);
    tcase_add_test(tc, a_head_begins_a_chain_and_never_is_alone);
    tcase_add_test(tc, the_parallelism_of_the_operator_goes_before_env_client_and_system);
    tcase_add_test(tc, a_job_that_takes_more_slots_than_there_are_is_refused);
    tcase_add_test(tc, what_there_is_not_is_refused_with_the_reason);
    tcase_add_test(tc, durations_sizes_and_words_are_read_as_flink_reads_them);
    tcase_add_test(tc, a_folder_is_a_path_or_the_uri_of_a_file);
    tcase_add_test(tc, co_flat_map_puts_out_any_number_for_each_input);
    tcase_add_test(tc, min_lowers_its_field_and_keeps_the_others);
    tcase_add_test(tc, a_watermark_is_a_millisecond_less_unless_it_is_without_it);
    tcase_add_test(tc, without_the_ms_a_window_fires_a_record_sooner);
    tcase_add_test(tc, a_packet_that_is_not_full_goes_at_the_buffer_timeout);
    suite_add_tcase(suite, tc);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
