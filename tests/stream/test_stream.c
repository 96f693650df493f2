/*
 * The parts of the runtime that the recorded jobs do not pin down: the plan, panes against windows
 * of their own, the table against a naive one, a failing function, restarts.
 */
#include <check.h>
#include <inttypes.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "folder.h"
#include "mix.h"
#include "stream/stream.h"
#include "stream/table.h"

typedef struct {
    int64_t key, value, time;
} event;
ST_TYPE(event, key, value, time);

typedef struct {
    st_str text;
    int64_t count;
} word;
ST_TYPE(word, text, count);

ST_GENERATOR(make, event)
{
    uint64_t z = mix(index);
    *out = (event){(int64_t)(z % 7), (int64_t)(z >> 50),
                   (int64_t)(index * 10) - (int64_t)((z >> 20) % 3000)};
}

ST_GENERATOR(make_keys, event)
{
    *out = (event){(int64_t)index, 1, 0};
}

ST_TIMESTAMP(time_of, event)
{
    return in->time;
}

ST_FLAT_MAP(split, st_str, word)
{
    for (st_str rest = *in, piece; st_next_token(&rest, " ", &piece);) {
        st_emit(out, &((word){piece, 1}));
    }
}

/* ------------------------------------------------------------------------------- Configuration */

START_TEST(files_of_a_database_are_not_kept_in_memory)
{
    st_env *env = st_env_new();
    ck_assert_int_eq(st_env_set(env, "state.backend", "rocksdb"), ST_OK);
    ck_assert_int_eq(st_env_set(env, "state.backend.incremental", "true"), ST_OK);
    ck_assert_int_eq(st_env_set(env, "execution.checkpointing.storage", "jobmanager"), ST_OK);
    st_discard(st_generate(env, make, 10));
    ck_assert_int_eq(st_execute(env, "mistaken"), ST_ERR_GRAPH);
    ck_assert_ptr_nonnull(strstr(st_env_error(env), "a database's files are not kept in memory"));
    st_env_free(env);
}
END_TEST

START_TEST(an_unknown_key_is_refused_with_a_suggestion)
{
    st_env *env = st_env_new();
    ck_assert_int_eq(st_env_set(env, "paralelism.default", "2"), ST_ERR_CONFIG);
    ck_assert_ptr_nonnull(strstr(st_env_error(env), "did you mean parallelism.default?"));
    ck_assert_int_eq(st_env_set(env, "parallelism.default", "two"), ST_ERR_CONFIG);
    st_env_free(env);
}
END_TEST

/* ---------------------------------------------------------------------------------------- Plan */

START_TEST(a_plan_shows_chains_and_exchanges)
{
    st_env *env = st_env_new();
    st_stream *words = st_flat_map(st_read_text(env, "any"), split);
    st_discard(st_sum(st_key_by(words, ST_KEY(word, text)), ST_FIELD(word, count), .parallelism = 2,
                      .name = "counts"),
               .parallelism = 2);
    char *text = st_env_plan(env, "text");
    ck_assert_str_eq(text, "1: text file, parallelism 1\n"
                           "2: split, parallelism 1, chained <- 1 (FORWARD)\n"
                           "3: counts, parallelism 2 <- 2 (HASH)\n"
                           "4: discard, parallelism 2, chained <- 3 (FORWARD)\n");
    free(text);
    text = st_env_plan(env, "dot");
    ck_assert_ptr_nonnull(strstr(text, "n2 -> n3 [label=\"HASH\"];"));
    free(text);
    text = st_env_plan(env, "json");
    ck_assert_ptr_nonnull(strstr(text, "{\"id\": 2, \"ship_strategy\": \"HASH\"}"));
    free(text);
    st_env_free(env);
}
END_TEST

ST_TAG(unwanted, event);

START_TEST(a_plan_shows_side_outputs_and_names_as_they_are)
{
    static const struct {
        const char *format, *edge, *name;
    } plans[] = {
        {"text", "2: discard, parallelism 1, chained <- 1 unwanted (FORWARD)",
         "1: two\nlines \"\\\""},
        {"dot", "n1 -> n2 [label=\"unwanted FORWARD\", penwidth=3];",
         "\"two\\nlines \\\"\\\\\\\"\""},
        {"json", "{\"id\": 1, \"ship_strategy\": \"FORWARD\", \"side_output\": \"unwanted\"}",
         "\"two\\u000alines \\\"\\\\\\\"\""},
    };
    st_env *env = st_env_new();
    st_stream *s = st_generate(env, make, 10, .name = "two\nlines \"\\\"");
    st_discard(st_side_output(s, unwanted));
    char *text = st_env_plan(env, plans[_i].format);
    ck_assert_msg(strstr(text, plans[_i].edge) != NULL, "%s", text);
    ck_assert_msg(strstr(text, plans[_i].name) != NULL, "%s", text);
    free(text);
    st_env_free(env);
}
END_TEST

/* ------------------------------------------------------------------------------ Panes, windows */

typedef struct {
    int64_t key, start, end, sum, count;
} result;
ST_TYPE(result, key, start, end, sum, count);

typedef struct {
    int64_t sum, count;
} total;
ST_TYPE(total, sum, count);

ST_FOLD(add, event, total)
{
    acc->sum += in->value;
    acc->count++;
}

ST_FOLD(merge, total, total)
{
    acc->sum += in->sum;
    acc->count += in->count;
}

ST_MAP(to_result, total, result)
{
    *out = (result){*(const int64_t *)st_key(ctx), st_window_start(ctx), st_window_end(ctx),
                    in->sum, in->count};
}

ST_TAG(late, event);

/* An order-free sum of everything that came out, and how much it was. */
static uint64_t seen, seen_count;

ST_SINK(see, result)
{
    uint64_t h = mix((uint64_t)in->key);
    h = mix(h ^ (uint64_t)in->start);
    h = mix(h ^ (uint64_t)in->end);
    h = mix(h ^ (uint64_t)in->sum);
    seen += mix(h ^ (uint64_t)in->count);
    seen_count++;
}

ST_SINK(see_late, event)
{
    seen += mix(mix((uint64_t)in->time) ^ (uint64_t)in->key);
    seen_count++;
}

static void run_sliding(int64_t size, int64_t slide, int64_t lateness, const st_function *merging)
{
    st_env *env = st_env_new();
    st_env_run_in_steps(env);
    st_stream *s = st_assign_timestamps(st_generate(env, make, 5000), time_of, .bound_ms = 1500,
                                        .every_record = true);
    s = st_window(st_key_by(s, ST_KEY(event, key)),
                  ST_SLIDING(size, slide, .offset_ms = 3, .lateness_ms = lateness, .late = &late));
    s = st_aggregate(s, add, to_result, .merge = merging);
    st_sink(s, see);
    st_sink(st_side_output(s, late), see_late);
    seen = seen_count = 0;
    ck_assert_msg(st_execute(env, "sliding") == ST_OK, "%s", st_env_error(env));
    st_env_free(env);
}

START_TEST(panes_give_what_windows_of_their_own_give)
{
    static const int64_t sizes[][2] = {{1000, 500}, {1000, 100}, {3000, 1000}, {200, 100}};
    for (int64_t lateness = 0; lateness <= 1200; lateness += 400) {
        const int64_t *size = sizes[_i];
        run_sliding(size[0], size[1], lateness, NULL);
        uint64_t expected = seen, count = seen_count;
        run_sliding(size[0], size[1], lateness, &merge);
        ck_assert_uint_eq(seen_count, count);
        ck_assert_uint_eq(seen, expected);
    }
}
END_TEST

/* ----------------------------------------------------------------------------- Processing time */

/* Lines of what came out, in the order in which it came; for jobs in steps. */
static char story[4096];

ST_SINK(tell_line, st_str)
{
    size_t had = strlen(story);
    ck_assert_uint_lt(had + in->size + 2, sizeof story);
    snprintf(story + had, sizeof story - had, "%.*s\n", (int)in->size, in->data);
}

static void run_in_steps(st_env *env)
{
    st_env_run_in_steps(env);
    ck_assert_msg(st_execute(env, "in steps") == ST_OK, "%s", st_env_error(env));
    st_env_free(env);
}

/* Records of one key at these moments of processing time, in ms; the end is at 9 s. */
static const int64_t moments[] = {100, 150, 900, 1000, 2500, 2700, 6000};
enum { MOMENTS = sizeof moments / sizeof moments[0] };

ST_SOURCE(at_moments, event)
{
    int *next = ctx->self;
    while (*next < MOMENTS && moments[*next] <= st_now(ctx)) {
        st_emit(out, &((event){1, moments[*next], moments[*next]}));
        ++*next;
    }
    return st_now(ctx) < 9000 ? ST_IDLE : ST_END;
}

static st_stream *of_moments(st_env *env)
{
    return st_from_source(env, at_moments, .self_size = sizeof(int));
}

ST_MAP(window_line, total, st_str)
{
    *out = st_format(ctx, "%" PRId64 " [%" PRId64 ",%" PRId64 ") n=%" PRId64, st_now(ctx),
                     st_window_start(ctx), st_window_end(ctx), in->count);
}

START_TEST(windows_of_processing_time_fire_by_the_clock)
{
    st_env *env = st_env_new();
    st_stream *s = st_key_by(of_moments(env), ST_KEY(event, key));
    s = st_window(s, ST_TUMBLING(1000, .processing_time = true));
    st_sink(st_aggregate(s, add, window_line), tell_line);
    run_in_steps(env);
    ck_assert_str_eq(story, "1000 [0,1000) n=3\n"
                            "2000 [1000,2000) n=1\n"
                            "3000 [2000,3000) n=2\n"
                            "7000 [6000,7000) n=1\n");
}
END_TEST

START_TEST(sessions_of_processing_time_end_by_the_clock)
{
    st_env *env = st_env_new();
    st_stream *s = st_key_by(of_moments(env), ST_KEY(event, key));
    s = st_window(s, ST_SESSION(800, .processing_time = true));
    st_sink(st_aggregate(s, add, window_line, .merge = &merge), tell_line);
    run_in_steps(env);
    ck_assert_str_eq(story, "1800 [100,1800) n=4\n"
                            "3500 [2500,3500) n=2\n"
                            "6800 [6000,6800) n=1\n");
}
END_TEST

ST_PROCESS(set_processing_timer, event, st_str)
{
    st_set_processing_timer(ctx, in->time + 500);
    if (in->time == 150) {
        st_delete_processing_timer(ctx, 600); /* that of the first record */
    }
}

static void tell_timer(st_context *ctx, int64_t time_ms, st_out *out)
{
    st_str line = st_format(ctx, "timer %" PRId64 " at %" PRId64, time_ms, st_now(ctx));
    st_emit(out, &line);
}

START_TEST(timers_of_processing_time_fire_by_the_clock)
{
    st_env *env = st_env_new();
    st_stream *s = st_key_by(of_moments(env), ST_KEY(event, key));
    st_sink(st_process(s, set_processing_timer, .on_timer = tell_timer), tell_line);
    run_in_steps(env);
    ck_assert_str_eq(story, "timer 650 at 650\n"
                            "timer 1400 at 1400\n"
                            "timer 1500 at 1500\n"
                            "timer 3000 at 3000\n"
                            "timer 3200 at 3200\n"
                            "timer 6500 at 6500\n");
}
END_TEST

/* Text in what is folded: the state has to have its own. */
ST_REDUCE(longer, word)
{
    acc->text = in->text.size > acc->text.size ? in->text : acc->text;
    acc->count += in->count;
}

ST_FOLD(count_words, word, total)
{
    acc->sum += in->text.size;
    acc->count += in->count;
}

ST_REDUCING_STATE(longest, longer, word);
ST_AGGREGATING_STATE(sums, count_words, total);

ST_PROCESS(fold_into_state, word, st_str)
{
    st_state_add(ctx, longest, word, in);
    st_state_add(ctx, sums, word, in);
    const word *most = st_value_get(ctx, &longest);
    const total *sum = st_value_get(ctx, &sums);
    st_str line =
        st_format(ctx, "%.*s %" PRId64 ", %" PRId64 " bytes in %" PRId64, (int)most->text.size,
                  most->text.data, most->count, sum->sum, sum->count);
    st_emit(out, &line);
    if (sum->count == 3) {
        st_state_clear(ctx, &longest);
    }
}

START_TEST(state_that_folds)
{
    static st_str lines[1];
    lines[0] = st_str_of("be question not is a");
    st_env *env = st_env_new();
    st_stream *words = st_flat_map(st_from_array(env, st_str, lines, 1), split);
    words = st_process(st_key_by(words, ST_KEY(word, count)), fold_into_state,
                       .states = ST_STATES(&longest, &sums));
    st_sink(words, tell_line);
    run_in_steps(env);
    ck_assert_str_eq(story, "be 1, 2 bytes in 1\n"
                            "question 2, 10 bytes in 2\n"
                            "question 3, 13 bytes in 3\n"
                            "is 1, 15 bytes in 4\n"
                            "is 2, 16 bytes in 5\n");
}
END_TEST

ST_PROCESS(add_the_wrong_type, event, event)
{
    st_state_add(ctx, longest, event, in);
}

START_TEST(state_that_folds_tells_a_wrong_type)
{
    st_env *env = st_env_new();
    st_discard(st_process(st_key_by(st_generate(env, make, 10), ST_KEY(event, key)),
                          add_the_wrong_type, .states = ST_STATES(&longest)));
    ck_assert_int_eq(st_execute(env, "wrong"), ST_ERR_FAILED);
    ck_assert_ptr_nonnull(
        strstr(st_env_error(env), "state longest takes values of type word, not event"));
    st_env_free(env);
}
END_TEST

ST_BROADCAST_STATE(rules, st_str, word);
static _Atomic int64_t rules_found, subtasks_opened;

/* By the name of a rule its limit, with the names of all before; a limit of 0 takes it away. */
ST_PROCESS(learn, word, int64_t)
{
    const word *had = st_map_get(ctx, &rules, &in->text);
    st_str texts = had != NULL ? had->text : ST_STR("");
    word rule = {
        st_format(ctx, "%.*s%.*s", (int)texts.size, texts.data, (int)in->text.size, in->text.data),
        in->count};
    if (in->count == 0) {
        st_map_remove(ctx, &rules, &in->text);
    } else {
        st_map_put(ctx, &rules, &in->text, &rule);
    }
}

static void count_rules(st_context *ctx)
{
    uint64_t cursor = 0;
    for (const void *key, *value; st_map_next(ctx, &rules, &cursor, &key, &value);) {
        const word *rule = value;
        ck_assert_ptr_eq(st_map_get(ctx, &rules, key), rule);
        rules_found += rule->count * rule->text.size;
    }
    ck_assert_uint_le(st_map_count(ctx, &rules), 2);
    subtasks_opened++;
}

/* Two rules, the second twice, to all subtasks; the first run ends with a checkpoint, the others
 * begin with it. */
static void learn_rules(const char *folder, bool restore, uint32_t parallelism)
{
    static const word all_rules[] = {{ST_STR("slow"), 7}, {ST_STR("high"), 1}, {ST_STR("x"), 9},
                                     {ST_STR("high"), 0}, {ST_STR("high"), 5}, {ST_STR("x"), 0}};
    st_env *env = st_env_new();
    st_env_set(env, "execution.checkpointing.interval", "1h");
    st_env_set(env, "execution.checkpointing.dir", folder);
    if (restore) {
        st_env_set(env, "execution.savepoint.path", folder);
    }
    st_stream *all = st_broadcast(st_from_array(env, word, all_rules, 6));
    st_discard(st_process(all, learn, .parallelism = parallelism, .open = count_rules,
                          .operator_states = ST_STATES(&rules)));
    rules_found = subtasks_opened = 0;
    ck_assert_msg(st_execute(env, "rules") == ST_OK, "%s", st_env_error(env));
    st_env_free(env);
}

START_TEST(broadcast_state_is_whole_in_each_subtask_at_any_parallelism)
{
    static const uint32_t parallelism[] = {2, 2, 5, 1, 3};
    char folder[FOLDER_SIZE];
    folder_make(folder);
    for (int run = 0; run < 5; run++) {
        learn_rules(folder, run > 0, parallelism[run]);
        ck_assert_int_eq(subtasks_opened, parallelism[run]);
        ck_assert_int_eq(rules_found, run > 0 ? (28 + 20) * (int64_t)parallelism[run] : 0);
    }
    folder_remove(folder);
}
END_TEST

ST_LIST_STATE(dealt, int64_t);
ST_UNION_STATE(of_all, int64_t);
enum { SUBTASKS_MAX = 8 };
static int64_t dealt_to[SUBTASKS_MAX], told[SUBTASKS_MAX];

ST_PROCESS(keep_both, int64_t, int64_t)
{
    st_list_add(ctx, &dealt, in);
    st_list_add(ctx, &of_all, in);
}

static int64_t sum_of(st_context *ctx, const st_state *state, uint32_t *count)
{
    int64_t sum = 0;
    const int64_t *found = st_list_get(ctx, state, count);
    for (uint32_t e = 0; e < *count; e++) {
        sum += found[e];
    }
    return sum;
}

static void look_at_both(st_context *ctx)
{
    uint32_t subtask = ctx->subtask, count;
    told[subtask] = sum_of(ctx, &of_all, &count);
    ck_assert_int_eq(sum_of(ctx, &dealt, &count) > 0, count > 0);
    dealt_to[subtask] = count;
}

ST_MAP(same_number, int64_t, int64_t)
{
    *out = *in;
}

/* Twelve elements of each kind that different subtasks had. */
START_TEST(lists_are_dealt_out_and_those_of_a_union_are_everybodys)
{
    static const uint32_t parallelism[] = {3, 2, 5, 1, 4};
    static const int64_t numbers[] = {1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024, 2048};
    char folder[FOLDER_SIZE], path[64];
    folder_make(folder);
    for (int run = 0; run < 5; run++) { /* each begins with the checkpoint of the first */
        st_env *env = st_env_new();
        st_env_set(env, "execution.checkpointing.interval", "1h");
        st_env_set(env, "execution.checkpointing.num-retained", "9");
        st_env_set(env, "execution.checkpointing.dir", folder);
        snprintf(path, sizeof path, "%s/chk-1", folder);
        if (run > 0) {
            st_env_set(env, "execution.savepoint.path", path);
        }
        st_stream *s = st_rebalance(st_from_array(env, int64_t, numbers, 12));
        st_discard(st_process(s, keep_both, .parallelism = parallelism[run], .open = look_at_both,
                              .operator_states = ST_STATES(&dealt, &of_all)));
        ck_assert_msg(st_execute(env, "lists") == ST_OK, "%s", st_env_error(env));
        st_env_free(env);
        for (uint32_t subtask = 0; subtask < parallelism[run]; subtask++) {
            int64_t least = run > 0 ? 12 / (int64_t)parallelism[run] : 0;
            ck_assert_int_eq(told[subtask], run > 0 ? 4095 : 0);
            ck_assert_int_ge(dealt_to[subtask], least);
            ck_assert_int_le(dealt_to[subtask], run > 0 ? least + 1 : 0);
        }
    }
    folder_remove(folder);
}
END_TEST

static enum st_err run_lists(st_env *env, const char *folder, const char *from,
                             const st_state *first)
{
    static const int64_t number = 1;
    st_env_set(env, "execution.checkpointing.interval", "1h");
    st_env_set(env, "execution.checkpointing.dir", folder);
    if (from != NULL) {
        st_env_set(env, "execution.savepoint.path", from);
    }
    st_discard(st_map(st_from_array(env, int64_t, &number, 1), same_number,
                      .operator_states = ST_STATES(first)));
    return st_execute(env, "lists");
}

START_TEST(a_list_of_another_kind_and_other_key_groups_are_refused)
{
    char folder[FOLDER_SIZE];
    folder_make(folder);
    st_env *env = st_env_new();
    ck_assert_msg(run_lists(env, folder, NULL, &dealt) == ST_OK, "%s", st_env_error(env));
    st_env_free(env);
    st_state changed = dealt;
    changed.kind = ST_STATE_UNION_OF;
    env = st_env_new();
    ck_assert_int_eq(run_lists(env, folder, folder, &changed), ST_ERR_RESTORE);
    ck_assert_ptr_nonnull(strstr(st_env_error(env), "state dealt was of another kind"));
    st_env_free(env);
    env = st_env_new();
    ck_assert_int_eq(st_env_set(env, "pipeline.max-parallelism", "64"), ST_OK);
    ck_assert_int_eq(run_lists(env, folder, folder, &dealt), ST_ERR_RESTORE);
    ck_assert_ptr_nonnull(
        strstr(st_env_error(env), "the checkpoint has 128 key groups, the job 64"));
    st_env_free(env);
    folder_remove(folder);
}
END_TEST

ST_SOURCE(one_then_silence, event)
{
    int *sent = ctx->self;
    if (*sent == 0) {
        st_emit(out, &((event){1, 10, 10}));
        *sent = 1;
    }
    return st_now(ctx) < 9000 ? ST_IDLE : ST_END;
}

static void run_with_silent(int64_t idle_ms)
{
    st_env *env = st_env_new();
    st_stream *a = st_assign_timestamps(of_moments(env), time_of, .every_record = true);
    st_stream *b = st_from_source(env, one_then_silence, .self_size = sizeof(int));
    b = st_assign_timestamps(b, time_of, .every_record = true, .idle_ms = idle_ms);
    st_stream *s = st_window(st_key_by(st_union(a, b), ST_KEY(event, key)), ST_TUMBLING(1000));
    st_sink(st_aggregate(s, add, window_line), tell_line);
    run_in_steps(env);
}

static _Atomic uint32_t seen_at[4]; /* by what the event says of its own timestamp */

ST_FLAT_MAP(some_with_times, event, event)
{
    st_emit(out, &((event){in->key, 0, ST_TIME_MIN}));
    if (in->key % 3 == 0) {
        st_emit_at(out, &((event){in->key, 1, in->key}), in->key);
        st_emit(out, &((event){in->key, 2, ST_TIME_MIN}));
    }
}

ST_PROCESS(with_its_timestamp, event, event)
{
    ck_assert(st_timestamp(ctx) == in->time);
    atomic_fetch_add(&seen_at[in->value], 1);
    st_emit(out, in);
}

/* Within a chain and by key to other subtasks. */
START_TEST(a_timestamp_is_of_the_record_that_was_put_out_with_it)
{
    st_env *env = st_env_new();
    ck_assert_int_eq(st_env_set(env, "parallelism.default", _i == 0 ? "1" : "2"), ST_OK);
    st_stream *some = st_flat_map(st_generate(env, make, 3000, .parallelism = 1), some_with_times,
                                  .parallelism = 1);
    st_stream *once = st_process(some, with_its_timestamp, .parallelism = 1);
    st_discard(st_process(st_key_by(once, ST_KEY(event, key)), with_its_timestamp));
    ck_assert_msg(st_execute(env, "times") == ST_OK, "%s", st_env_error(env));
    st_env_free(env);
    ck_assert_uint_eq(seen_at[0], 2 * 3000);
    ck_assert_uint_eq(seen_at[1], seen_at[2]);
    ck_assert_uint_gt(seen_at[1], 1000);
}
END_TEST

START_TEST(a_silent_source_holds_the_others_up)
{
    run_with_silent(0);
    ck_assert_str_eq(story, "9000 [0,1000) n=4\n"
                            "9000 [1000,2000) n=1\n"
                            "9000 [2000,3000) n=2\n"
                            "9000 [6000,7000) n=1\n");
}
END_TEST

START_TEST(a_source_that_is_called_idle_does_not)
{
    run_with_silent(300);
    ck_assert_str_eq(story, "1000 [0,1000) n=4\n"
                            "2500 [1000,2000) n=1\n"
                            "6000 [2000,3000) n=2\n"
                            "9000 [6000,7000) n=1\n");
}
END_TEST

/* Records of a source: at a moment of the clock one of that time. */
struct moment {
    int64_t at, time;
};

static enum st_poll one_by_one(st_context *ctx, const struct moment *schedule, st_out *out)
{
    int *sent = ctx->self;
    const struct moment *next = &schedule[*sent];
    if (next->at >= 0 && st_now(ctx) >= next->at) {
        st_emit(out, &((event){1, next->time, next->time}));
        ++*sent;
    }
    return st_now(ctx) < 9000 ? ST_IDLE : ST_END;
}

ST_SOURCE(that_comes_back, event)
{
    return one_by_one(ctx, (struct moment[]){{0, 10}, {4000, 500}, {5900, 600}, {-1, 0}}, out);
}

ST_SOURCE(early, event)
{
    return one_by_one(ctx, (struct moment[]){{0, 1000}, {-1, 0}}, out);
}

ST_SOURCE(ahead, event)
{
    return one_by_one(ctx, (struct moment[]){{0, 5000}, {-1, 0}}, out);
}

static void run_both(st_env *env, st_stream *a, st_stream *b)
{
    st_stream *s = st_window(st_key_by(st_union(a, b), ST_KEY(event, key)), ST_TUMBLING(1000));
    st_sink(st_aggregate(s, add, window_line), tell_line);
    run_in_steps(env);
}

/* As above, though the one that was idle is there at 5900, with old records. */
START_TEST(a_source_that_comes_back_from_idleness_late_holds_nobody_up)
{
    st_env *env = st_env_new();
    st_stream *a = st_assign_timestamps(of_moments(env), time_of, .every_record = true);
    st_stream *b = st_from_source(env, that_comes_back, .self_size = sizeof(int));
    run_both(env, a, st_assign_timestamps(b, time_of, .every_record = true, .idle_ms = 300));
    ck_assert_str_eq(story, "1000 [0,1000) n=4\n"
                            "2500 [1000,2000) n=1\n"
                            "6000 [2000,3000) n=2\n"
                            "9000 [6000,7000) n=1\n");
}
END_TEST

START_TEST(when_the_last_source_is_called_idle_time_is_that_of_the_first)
{
    st_env *env = st_env_new();
    st_stream *a = st_from_source(env, early, .self_size = sizeof(int));
    st_stream *b = st_from_source(env, ahead, .self_size = sizeof(int));
    run_both(env, st_assign_timestamps(a, time_of, .every_record = true, .idle_ms = 1500),
             st_assign_timestamps(b, time_of, .every_record = true, .idle_ms = 500));
    ck_assert_str_eq(story, "1600 [1000,2000) n=1\n"
                            "9000 [5000,6000) n=1\n");
}
END_TEST

START_TEST(without_an_interval_no_watermark_comes_before_the_end)
{
    st_env *env = st_env_new();
    ck_assert_int_eq(st_env_set(env, "pipeline.auto-watermark-interval", "0"), ST_OK);
    st_stream *a = st_assign_timestamps(of_moments(env), time_of);
    st_stream *b = st_from_source(env, early, .self_size = sizeof(int));
    run_both(env, a, st_assign_timestamps(b, time_of, .idle_ms = 100));
    ck_assert_str_eq(story, "9000 [0,1000) n=3\n"
                            "9000 [1000,2000) n=2\n"
                            "9000 [2000,3000) n=2\n"
                            "9000 [6000,7000) n=1\n");
}
END_TEST

/* --------------------------------------------------------------------------------------- Table */

START_TEST(a_table_finds_what_a_naive_one_finds)
{
    static const st_key_spec by_key = {&st_type_event, 1, {offsetof(event, key)}};
    struct key_reader reader = key_reader_of(&by_key);
    struct memory_pool pool = {0};
    struct table t;
    struct layout payload = {.size = 8};
    int64_t values[400] = {0};
    bool there[400] = {false};
    table_init(&t, &reader, &pool, &payload, false);
    for (uint64_t step = 0; step < 200000; step++) {
        uint64_t z = mix(step ^ (uint64_t)_i << 40);
        event e = {.key = (int64_t)(z % 400)};
        bool is_new;
        if (z >> 60 < 6) {
            uint32_t row = table_find(&t, &e);
            ck_assert_int_eq(row != ROW_NONE, there[e.key]);
            if (row != ROW_NONE) {
                ck_assert_mem_eq(table_payload(&t, row), &values[e.key], 8);
                table_remove(&t, row);
                there[e.key] = false;
            }
        } else {
            uint32_t row = table_find_or_insert(&t, &reader, &e, &is_new);
            ck_assert_int_eq(is_new, !there[e.key]);
            values[e.key] = (int64_t)step;
            there[e.key] = true;
            memcpy(table_payload(&t, row), &values[e.key], 8);
        }
    }
    table_free(&t);
    memory_pool_free(&pool);
}
END_TEST

/* ------------------------------------------------------------------------------------- Failure */

ST_SINK(fail_at_100, event)
{
    if (++*(int *)ctx->self == 100) {
        st_fail(ctx, "record %d is one too many", 100);
    }
}

START_TEST(a_function_that_fails_ends_the_job_with_its_words)
{
    for (int in_steps = 0; in_steps < 2; in_steps++) {
        st_env *env = st_env_new();
        if (in_steps != 0) {
            st_env_run_in_steps(env);
        }
        st_sink(st_generate(env, make, 1000000), fail_at_100, .self_size = 4, .parallelism = 2);
        ck_assert_int_eq(st_execute(env, "failing"), ST_ERR_FAILED);
        ck_assert_ptr_nonnull(strstr(st_env_error(env), "record 100 is one too many"));
        st_env_free(env);
    }
}
END_TEST

static int attempts;

static void count_attempt(st_context *ctx)
{
    (void)ctx;
    attempts++;
}

START_TEST(a_job_is_restarted_as_often_as_its_strategy_says)
{
    st_env *env = st_env_new();
    st_env_set(env, "restart-strategy.type", "fixed-delay");
    st_env_set(env, "restart-strategy.fixed-delay.attempts", "3");
    st_env_set(env, "restart-strategy.fixed-delay.delay", "1ms");
    st_sink(st_generate(env, make, 1000), fail_at_100, .self_size = 4, .open = count_attempt);
    attempts = 0;
    ck_assert_int_eq(st_execute(env, "failing"), ST_ERR_FAILED);
    ck_assert_int_eq(attempts, 4);
    st_env_free(env);
}
END_TEST

#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__) /* they take memory as well */
#define PARALLELISM 32

/* Each of its 1024 channels may get a few records; a huge page for each would be 2 GB. */
START_TEST(channels_that_are_hardly_used_take_little_memory)
{
    pid_t pid = fork();
    ck_assert_int_ge(pid, 0);
    if (pid == 0) {
        st_env *env = st_env_new();
        st_env_set_parallelism(env, PARALLELISM);
        st_stream *keyed = st_key_by(st_generate(env, make_keys, 10 * PARALLELISM * PARALLELISM),
                                     ST_KEY(event, key));
        st_discard(st_sum(keyed, ST_FIELD(event, value)));
        _exit(st_execute(env, "many channels") == ST_OK ? 0 : 1);
    }
    int status;
    struct rusage used;
    ck_assert_int_eq(wait4(pid, &status, 0, &used), pid);
    ck_assert(WIFEXITED(status) && WEXITSTATUS(status) == 0);
    ck_assert_int_lt(used.ru_maxrss, 512 * 1024); /* KB */
}
END_TEST
#endif

int main(void)
{
    Suite *suite = suite_create("stream");
    TCase *tc = tcase_create("stream");
    tcase_set_timeout(tc, 60);
    tcase_add_test(tc, files_of_a_database_are_not_kept_in_memory);
    tcase_add_test(tc, an_unknown_key_is_refused_with_a_suggestion);
    tcase_add_test(tc, a_plan_shows_chains_and_exchanges);
    tcase_add_loop_test(tc, a_plan_shows_side_outputs_and_names_as_they_are, 0, 3);
    tcase_add_loop_test(tc, panes_give_what_windows_of_their_own_give, 0, 4);
    tcase_add_test(tc, windows_of_processing_time_fire_by_the_clock);
    tcase_add_test(tc, sessions_of_processing_time_end_by_the_clock);
    tcase_add_test(tc, timers_of_processing_time_fire_by_the_clock);
    tcase_add_test(tc, broadcast_state_is_whole_in_each_subtask_at_any_parallelism);
    tcase_add_test(tc, lists_are_dealt_out_and_those_of_a_union_are_everybodys);
    tcase_add_test(tc, a_list_of_another_kind_and_other_key_groups_are_refused);
    tcase_add_test(tc, state_that_folds);
    tcase_add_test(tc, state_that_folds_tells_a_wrong_type);
    tcase_add_loop_test(tc, a_timestamp_is_of_the_record_that_was_put_out_with_it, 0, 2);
    tcase_add_test(tc, a_silent_source_holds_the_others_up);
    tcase_add_test(tc, a_source_that_is_called_idle_does_not);
    tcase_add_test(tc, a_source_that_comes_back_from_idleness_late_holds_nobody_up);
    tcase_add_test(tc, when_the_last_source_is_called_idle_time_is_that_of_the_first);
    tcase_add_test(tc, without_an_interval_no_watermark_comes_before_the_end);
    tcase_add_loop_test(tc, a_table_finds_what_a_naive_one_finds, 0, 5);
    tcase_add_test(tc, a_function_that_fails_ends_the_job_with_its_words);
    tcase_add_test(tc, a_job_is_restarted_as_often_as_its_strategy_says);
#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
    tcase_add_test(tc, channels_that_are_hardly_used_take_little_memory);
#endif
    suite_add_tcase(suite, tc);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
