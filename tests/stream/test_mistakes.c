/*
 * Mistakes in a graph: each is told before anything runs, with the line of the author's source.
 */
#include <check.h>
#include <stdlib.h>

#include "stream/stream.h"

typedef struct {
    int64_t key, value, time;
} event;
ST_TYPE(event, key, value, time);

typedef struct {
    st_str text;
    int64_t count, unnamed;
} word;
ST_TYPE(word, text, count);

ST_GENERATOR(make, event)
{
    *out = (event){(int64_t)index, 0, 0};
}

ST_GENERATOR(make_word, word)
{
    *out = (word){.count = (int64_t)index};
}

ST_TIMESTAMP(time_of, event)
{
    return in->time;
}

ST_FLAT_MAP(split, st_str, word)
{
    st_emit(out, &((word){*in, 1, 0}));
}

ST_MAP(as_it_is, event, event)
{
    *out = *in;
}

ST_FILTER(all, event)
{
    return true;
}

ST_PROCESS(pass_on, event, event)
{
    st_emit(out, in);
}

ST_REDUCE(latest, event)
{
    *acc = *in;
}

ST_FOLD(count_up, event, word)
{
    acc->count++;
}

ST_MAP(with_count, word, event)
{
    *out = (event){.value = in->count};
}

ST_WINDOW(first_of, event, event)
{
    st_emit(out, in);
}

ST_SINK(look, event)
{
}

ST_VALUE_STATE(last, int64_t);
ST_LIST_STATE(some, int64_t);
ST_MAP_STATE(by_key, int64_t, int64_t);
ST_UNION_STATE(of_all, int64_t);
ST_BROADCAST_STATE(rules, int64_t, int64_t);

static void at_the_end(st_context *ctx, st_out *out)
{
    (void)ctx;
    (void)out;
}

static void at_a_timer(st_context *ctx, int64_t time_ms, st_out *out)
{
    (void)ctx;
    (void)time_ms;
    (void)out;
}

/* The job is refused, by one line with its place. */
static void expect_mistake(st_env *env, const char *words)
{
    ck_assert_int_eq(st_execute(env, "mistaken"), ST_ERR_GRAPH);
    ck_assert_msg(strstr(st_env_error(env), words) != NULL, "%s", st_env_error(env));
    ck_assert_msg(strstr(st_env_error(env), __FILE__) != NULL, "%s", st_env_error(env));
    const char *end = strchr(st_env_error(env), '\n');
    ck_assert_msg(end != NULL && end[1] == '\0', "one mistake is one line: %s", st_env_error(env));
    st_env_free(env);
}

static void expect_none(st_env *env)
{
    ck_assert_msg(st_execute(env, "right") == ST_OK, "%s", st_env_error(env));
    st_env_free(env);
}

static st_stream *events(st_env *env)
{
    return st_generate(env, make, 10);
}

static st_stream *by_its_key(st_stream *s)
{
    return st_key_by(s, ST_KEY(event, key));
}

static st_stream *in_windows(st_env *env)
{
    return st_window(by_its_key(events(env)), ST_TUMBLING(1000, .processing_time = true));
}

/* ------------------------------------------------------------------------------ Types and keys */

START_TEST(a_type_that_does_not_fit_is_told_with_its_place)
{
    st_env *env = st_env_new();
    st_discard(st_flat_map(events(env), split));
    expect_mistake(env, "split takes records of type st_str, the stream has event");
}
END_TEST

START_TEST(a_field_is_one_that_the_type_names)
{
    st_env *env = st_env_new();
    st_stream *words = st_key_by(st_generate(env, make_word, 10), ST_KEY(word, count));
    st_discard(st_sum(words, ST_FIELD(word, unnamed)));
    expect_mistake(env, "type word has no field at byte 24: ST_TYPE names text, count");
}
END_TEST

START_TEST(a_key_is_of_fields_that_the_type_names)
{
    st_env *env = st_env_new();
    st_stream *words = st_generate(env, make_word, 10);
    st_discard(st_key_by(words, ST_KEY(word, text, unnamed)));
    expect_mistake(env, "type word has no field at byte 24: ST_TYPE names text, count");
}
END_TEST

START_TEST(connected_keys_are_of_fields_that_the_types_name)
{
    st_env *env = st_env_new();
    st_stream *words = st_key_by(st_generate(env, make_word, 10), ST_KEY(word, unnamed));
    st_discard(st_co_process(st_connect(by_its_key(events(env)), words), pass_on, pass_on));
    expect_mistake(env, "type word has no field at byte 24");
}
END_TEST

START_TEST(a_key_has_one_to_four_fields)
{
    st_env *env = st_env_new();
    st_discard(st_key_by(events(env), (st_key_spec){.type = &st_type_event, .count = _i * 5u}));
    expect_mistake(env, "a key has 1 to 4 fields");
}
END_TEST

START_TEST(a_sum_without_a_key_is_told)
{
    st_env *env = st_env_new();
    st_discard(st_sum(events(env), ST_FIELD(event, value)));
    expect_mistake(env, "sum needs a key or windows");
}
END_TEST

START_TEST(a_uid_is_of_one_operator)
{
    st_env *env = st_env_new();
    st_stream *s = st_generate(env, make, 10, .uid = "same");
    st_discard(st_process(s, pass_on, .uid = "same"));
    expect_mistake(env, "uid same is that of another operator");
}
END_TEST

/* --------------------------------------------------------------------------------- Two streams */

START_TEST(two_functions_need_two_streams)
{
    st_env *env = st_env_new();
    st_discard(st_co_process(events(env), pass_on, pass_on));
    expect_mistake(env, "two functions need two streams: put st_connect before");
}
END_TEST

static st_stream *connected(st_stream *a, st_stream *b)
{
    return st_co_process(st_connect(a, b), pass_on, pass_on);
}

static st_stream *united(st_stream *a, st_stream *b)
{
    return st_union(a, b);
}

/* Whichever of the two jobs is executed: it is not what its author meant. */
START_TEST(streams_of_two_envs_do_not_meet)
{
    st_stream *(*const meet[])(st_stream *, st_stream *) = {connected, united};
    st_env *one = st_env_new(), *other = st_env_new();
    events(other);
    st_discard(meet[_i](events(one), st_process(events(other), pass_on)));
    expect_mistake(one, "is of streams of one env, not of two");
    expect_mistake(other, "is of streams of one env, not of two");
}
END_TEST

START_TEST(a_keyed_stream_is_connected_with_what_is_broadcast_as_a_whole)
{
    st_env *env = st_env_new();
    st_stream *partly = st_union(st_broadcast(events(env)), events(env));
    st_discard(connected(by_its_key(events(env)), partly));
    expect_mistake(env, "or the first is keyed and the second st_broadcast");

    env = st_env_new();
    st_stream *wholly = st_union(st_broadcast(events(env)), st_broadcast(events(env)));
    st_discard(connected(by_its_key(events(env)), wholly));
    expect_none(env);
}
END_TEST

/* -------------------------------------------------------------------------------------- States */

START_TEST(state_without_a_key_is_told)
{
    st_env *env = st_env_new();
    st_discard(st_process(events(env), pass_on, .states = ST_STATES(&last)));
    expect_mistake(env, "state last needs a key");
}
END_TEST

START_TEST(timers_without_a_key_are_told)
{
    st_env *env = st_env_new();
    st_discard(st_process(events(env), pass_on, .on_timer = at_a_timer));
    expect_mistake(env, "timers need a key");
}
END_TEST

START_TEST(state_of_a_key_is_no_state_of_a_subtask)
{
    const st_state *const of_a_key[] = {&last, &by_key};
    st_env *env = st_env_new();
    st_discard(st_process(by_its_key(events(env)), pass_on,
                          .operator_states = ST_STATES(&some, of_a_key[_i])));
    expect_mistake(env, "is of a key: give it in .states");
}
END_TEST

START_TEST(state_of_a_subtask_is_no_state_of_a_key)
{
    const st_state *const of_a_subtask[] = {&of_all, &rules};
    st_env *env = st_env_new();
    st_discard(
        st_process(by_its_key(events(env)), pass_on, .states = ST_STATES(&last, of_a_subtask[_i])));
    expect_mistake(env, "is of a subtask: give it in .operator_states");
}
END_TEST

START_TEST(a_state_is_given_once)
{
    static const st_state of_one_name = {
        .name = "some", .type = &st_type_event, .kind = ST_STATE_LIST_OF};
    const st_state *const twice[][2] = {{&some, &some}, {&some, &of_one_name}};
    st_env *env = st_env_new();
    st_stream *keyed = by_its_key(events(env));
    if (_i < 2) {
        st_discard(st_process(keyed, pass_on, .states = ST_STATES(twice[_i][0], twice[_i][1])));
    } else if (_i < 4) {
        st_discard(st_process(keyed, pass_on,
                              .operator_states = ST_STATES(twice[_i - 2][0], twice[_i - 2][1])));
    } else {
        st_discard(st_process(keyed, pass_on, .states = ST_STATES(&some),
                              .operator_states = ST_STATES(&some)));
    }
    expect_mistake(env, "state some is given twice");
}
END_TEST

typedef struct {
    int64_t a, b, c, d;
} four;
ST_TYPE(four, a, b, c, d);

typedef struct {
    char bytes[4000];
} large;
ST_TYPE(large, bytes);

typedef struct {
    st_str a, b, c, d, e, f, g, h, i, j, k, l, m, n, o, p;
} texts;
ST_TYPE(texts, a, b, c, d, e, f, g, h, i, j, k, l, m, n, o, p);

ST_MAP_STATE(by_four, four, int64_t);
ST_MAP_STATE(of_large, large, large);
ST_MAP_STATE(of_texts, st_str, texts);
ST_BROADCAST_STATE(rules_by_four, four, int64_t);
ST_REDUCING_STATE(reduced_by_a_fold, count_up, word);
ST_REDUCING_STATE(reduced_by_another_type, latest, word);
ST_AGGREGATING_STATE(aggregated_by_a_map, with_count, event);
ST_VALUE_STATE(dies_before, int64_t, .ttl_ms = -1);
ST_VALUE_STATE(read_for_nothing, int64_t, .ttl_on_read = true);
ST_LIST_STATE(mortal, int64_t, .ttl_ms = 1000);

START_TEST(a_state_that_cannot_be_is_told)
{
    static const struct {
        const st_state *state;
        bool of_a_subtask;
        const char *words;
    } wrong[] = {
        {&by_four, false, "state by_four: its key has more than 3 fields"},
        {&of_large, false, "state of_large: its entries are too large"},
        {&of_texts, false, "state of_texts: it has more than 16 fields of text"},
        {&rules_by_four, true, "state rules_by_four: its key has more than 3 fields"},
        {&reduced_by_a_fold, false, "reduced_by_a_fold: its function is not an ST_REDUCE"},
        {&reduced_by_another_type, false, "its function is not an ST_FOLD into its type"},
        {&aggregated_by_a_map, false, "its function is not an ST_FOLD into its type"},
        {&dies_before, false, "state dies_before: its time to live is not negative"},
        {&read_for_nothing, false, "state read_for_nothing: .ttl_on_read needs .ttl_ms"},
        {&mortal, true, "state mortal: only keyed state has a time to live"},
    };
    for (size_t w = 0; w < sizeof wrong / sizeof *wrong; w++) {
        st_env *env = st_env_new();
        if (wrong[w].of_a_subtask) {
            st_discard(st_process(st_broadcast(events(env)), pass_on,
                                  .operator_states = ST_STATES(wrong[w].state)));
        } else {
            st_discard(
                st_process(by_its_key(events(env)), pass_on, .states = ST_STATES(wrong[w].state)));
        }
        expect_mistake(env, wrong[w].words);
    }
    st_env *env = st_env_new();
    st_discard(st_process(by_its_key(events(env)), pass_on, .states = ST_STATES(&mortal)));
    expect_none(env);
}
END_TEST

START_TEST(broadcast_state_needs_what_is_broadcast)
{
    st_env *env = st_env_new();
    st_stream *both = st_connect(by_its_key(events(env)), by_its_key(events(env)));
    st_discard(st_co_process(both, pass_on, pass_on, .operator_states = ST_STATES(&rules)));
    expect_mistake(env, "state rules learns from a stream that all subtasks get");

    env = st_env_new();
    st_stream *partly = st_union(st_broadcast(events(env)), events(env));
    st_discard(st_process(partly, pass_on, .operator_states = ST_STATES(&rules)));
    expect_mistake(env, "state rules learns from a stream that all subtasks get");

    env = st_env_new();
    both = st_connect(by_its_key(events(env)), st_broadcast(events(env)));
    st_discard(st_co_process(both, pass_on, pass_on, .operator_states = ST_STATES(&rules)));
    expect_none(env);
}
END_TEST

/* ------------------------------------------------------------------------------------- Options */

enum { STATES = 1, TIMER = 2, END = 4, PARALLEL = 8, MERGE = 16, RATE = 32, ALL_TAKE = 64 };

static void add_array(st_env *env, const st_options *o)
{
    static const event array[1];
    st_discard(st_from_array_at(env, &st_type_event, array, 1, o));
}

static void add_text_file(st_env *env, const st_options *o)
{
    st_discard(st_read_text_at(env, "/dev/null", o));
}

static void add_generator(st_env *env, const st_options *o)
{
    st_discard(st_generate_at(env, &make, 10, o));
}

static void add_map(st_env *env, const st_options *o)
{
    st_discard(st_map_at(by_its_key(events(env)), &as_it_is, o));
}

static void add_filter(st_env *env, const st_options *o)
{
    st_discard(st_map_at(by_its_key(events(env)), &all, o));
}

static void add_process(st_env *env, const st_options *o)
{
    st_discard(st_map_at(by_its_key(events(env)), &pass_on, o));
}

static void add_co_process(st_env *env, const st_options *o)
{
    st_stream *both = st_connect(by_its_key(events(env)), by_its_key(events(env)));
    st_discard(st_co_process_at(both, &pass_on, &pass_on, o));
}

static void add_sum(st_env *env, const st_options *o)
{
    st_discard(st_builtin_at(by_its_key(events(env)), ST_SUM, ST_FIELD(event, value), o));
}

static void add_reduced_windows(st_env *env, const st_options *o)
{
    st_discard(st_reduce_at(in_windows(env), &latest, o));
}

static void add_summed_windows(st_env *env, const st_options *o)
{
    st_discard(st_builtin_at(in_windows(env), ST_SUM, ST_FIELD(event, value), o));
}

static void add_windows(st_env *env, const st_options *o)
{
    st_discard(st_process_window_at(in_windows(env), &first_of, o));
}

static void add_windows_of_all(st_env *env, const st_options *o)
{
    st_stream *s = st_window_all(events(env), ST_TUMBLING(1000, .processing_time = true));
    st_discard(st_process_window_at(s, &first_of, o));
}

static void add_sink(st_env *env, const st_options *o)
{
    st_sink_at(by_its_key(events(env)), &look, o);
}

static void add_print(st_env *env, const st_options *o)
{
    st_print_at(events(env), "/dev/null", o);
}

static void add_discard(st_env *env, const st_options *o)
{
    st_discard_at(events(env), o);
}

static const struct {
    void (*add)(st_env *env, const st_options *o);
    uint32_t takes;
} operators[] = {
    {add_array, 0},
    {add_text_file, 0},
    {add_generator, PARALLEL | RATE},
    {add_map, STATES | TIMER | PARALLEL},
    {add_filter, STATES | TIMER | PARALLEL},
    {add_process, STATES | TIMER | END | PARALLEL},
    {add_co_process, STATES | TIMER | END | PARALLEL},
    {add_sum, PARALLEL},
    {add_reduced_windows, PARALLEL | MERGE},
    {add_summed_windows, PARALLEL | MERGE},
    {add_windows, STATES | PARALLEL},
    {add_windows_of_all, 0},
    {add_sink, STATES | PARALLEL},
    {add_print, 0},
    {add_discard, PARALLEL},
};

static const struct {
    uint32_t bit;
    st_options given;
    const char *words;
} options[] = {
    {STATES, {.states = (const st_state *const[]){&last, NULL}}, "does not take .states"},
    {TIMER, {.on_timer = at_a_timer}, "does not take .on_timer"},
    {END, {.end = at_the_end}, "does not take .end"},
    {PARALLEL, {.parallelism = 2}, "does not take .parallelism above 1"},
    {ALL_TAKE, {.parallelism = 1}, ""},
    {MERGE, {.merge = &latest}, "does not take .merge"},
    {RATE, {.rate_per_s = 1000000}, "does not take .rate_per_s"},
};

START_TEST(an_option_that_an_operator_has_no_use_for_is_told)
{
    for (size_t o = 0; o < sizeof options / sizeof *options; o++) {
        st_env *env = st_env_new();
        st_options given = options[o].given;
        given.file = __FILE__;
        given.line = __LINE__;
        operators[_i].add(env, &given);
        if (((operators[_i].takes | ALL_TAKE) & options[o].bit) != 0) {
            expect_none(env);
        } else {
            expect_mistake(env, options[o].words);
        }
    }
}
END_TEST

START_TEST(windows_that_fold_have_no_function_for_state)
{
    st_env *env = st_env_new();
    st_discard(st_reduce(in_windows(env), latest, .states = ST_STATES(&last)));
    expect_mistake(env, "latest does not take .states: it is not called when a window fires; say "
                        "st_aggregate or st_process_window");
}
END_TEST

START_TEST(a_sink_with_state_needs_a_key)
{
    st_env *env = st_env_new();
    st_sink(events(env), look, .states = ST_STATES(&last));
    expect_mistake(env, "state last needs a key: put st_key_by before");
}
END_TEST

START_TEST(a_map_with_state_takes_an_end)
{
    st_env *env = st_env_new();
    st_discard(
        st_map(by_its_key(events(env)), as_it_is, .states = ST_STATES(&last), .end = at_the_end));
    expect_none(env);
}
END_TEST

/* --------------------------------------------------------------------------------- Parallelism */

START_TEST(forward_is_from_a_parallelism_to_the_same)
{
    st_env *env = st_env_new();
    st_discard(st_forward(st_generate(env, make, 10, .parallelism = 2)), .parallelism = 3);
    expect_mistake(env, "st_forward from parallelism 2 to 3");
}
END_TEST

START_TEST(a_keyed_operator_has_a_key_group_for_each_subtask)
{
    st_env *env = st_env_new();
    st_env_set(env, "pipeline.max-parallelism", "4");
    st_discard(st_reduce(by_its_key(events(env)), latest, .parallelism = 5));
    expect_mistake(env, "parallelism 5 of latest is above the 4 key groups");
}
END_TEST

/* ------------------------------------------------------------------------------------- Windows */

START_TEST(windows_of_event_time_need_timestamps)
{
    st_env *env = st_env_new();
    st_discard(
        st_sum(st_window(by_its_key(events(env)), ST_TUMBLING(1000)), ST_FIELD(event, value)));
    expect_mistake(env, "windows of event time need timestamps");
}
END_TEST

START_TEST(windows_of_a_wrong_size_are_told)
{
    const struct {
        st_windows windows;
        const char *words;
    } wrong[] = {
        {ST_TUMBLING(0), "the size of a window (and its slide) is above 0 ms"},
        {ST_TUMBLING(-1000), "the size of a window (and its slide) is above 0 ms"},
        {ST_SLIDING(0, 100), "the size of a window (and its slide) is above 0 ms"},
        {ST_SLIDING(1000, 0), "the size of a window (and its slide) is above 0 ms"},
        {ST_TUMBLING(INT64_MAX), "the size of a window (and its slide) is at most 2^60 ms"},
        {ST_SLIDING(1000, INT64_MAX), "the size of a window (and its slide) is at most 2^60 ms"},
        {ST_TUMBLING(1000, .offset_ms = 1000), "the offset of windows is smaller than their size"},
        {ST_SLIDING(1000, 10, .offset_ms = -10), "the offset of windows is smaller than their"},
        {ST_SESSION(0), "the gap between sessions is above 0 ms"},
        {ST_COUNT_WINDOW(0), "a count window has at least one element"},
        {ST_GLOBAL(), "a global window never ends"},
        {ST_TUMBLING(1000, .trigger = ST_ON_COUNT(0)), "the count or interval of a trigger is"},
        {ST_TUMBLING(1000, .lateness_ms = -1), "the allowed lateness is not negative"},
        {{.kind = ST_WINDOW_NONE}, "st_window needs ST_TUMBLING, ST_SLIDING, ST_SESSION"},
    };
    for (size_t w = 0; w < sizeof wrong / sizeof *wrong; w++) {
        st_env *env = st_env_new();
        st_stream *timed = st_assign_timestamps(events(env), time_of, .bound_ms = 0);
        st_discard(st_reduce(st_window(by_its_key(timed), wrong[w].windows), latest));
        expect_mistake(env, wrong[w].words);
    }
}
END_TEST

START_TEST(reductions_are_merged_by_a_fold_of_their_records)
{
    const st_function *const wrong[] = {&count_up, &with_count};
    st_env *env = st_env_new();
    st_discard(st_reduce(in_windows(env), latest, .merge = wrong[_i]));
    expect_mistake(env, "is not an ST_FOLD of event into event");

    env = st_env_new();
    st_discard(st_sum(in_windows(env), ST_FIELD(event, value), .merge = wrong[_i]));
    expect_mistake(env, "is not an ST_FOLD of event into event");
}
END_TEST

START_TEST(accumulators_are_merged_by_a_fold_of_them)
{
    const st_function *const wrong[] = {&latest, &count_up, &with_count};
    st_env *env = st_env_new();
    st_discard(st_aggregate(in_windows(env), count_up, with_count, .merge = wrong[_i]));
    expect_mistake(env, "is not an ST_FOLD of word into word");
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("stream_mistakes");
    TCase *tc = tcase_create("mistakes");
    tcase_set_timeout(tc, 60);
    tcase_add_test(tc, a_type_that_does_not_fit_is_told_with_its_place);
    tcase_add_test(tc, a_field_is_one_that_the_type_names);
    tcase_add_test(tc, a_key_is_of_fields_that_the_type_names);
    tcase_add_test(tc, connected_keys_are_of_fields_that_the_types_name);
    tcase_add_loop_test(tc, a_key_has_one_to_four_fields, 0, 2);
    tcase_add_test(tc, a_sum_without_a_key_is_told);
    tcase_add_test(tc, a_uid_is_of_one_operator);
    tcase_add_test(tc, two_functions_need_two_streams);
    tcase_add_loop_test(tc, streams_of_two_envs_do_not_meet, 0, 2);
    tcase_add_test(tc, a_keyed_stream_is_connected_with_what_is_broadcast_as_a_whole);
    tcase_add_test(tc, state_without_a_key_is_told);
    tcase_add_test(tc, timers_without_a_key_are_told);
    tcase_add_loop_test(tc, state_of_a_key_is_no_state_of_a_subtask, 0, 2);
    tcase_add_loop_test(tc, state_of_a_subtask_is_no_state_of_a_key, 0, 2);
    tcase_add_loop_test(tc, a_state_is_given_once, 0, 5);
    tcase_add_test(tc, a_state_that_cannot_be_is_told);
    tcase_add_test(tc, broadcast_state_needs_what_is_broadcast);
    tcase_add_loop_test(tc, an_option_that_an_operator_has_no_use_for_is_told, 0,
                        sizeof operators / sizeof *operators);
    tcase_add_test(tc, windows_that_fold_have_no_function_for_state);
    tcase_add_test(tc, a_sink_with_state_needs_a_key);
    tcase_add_test(tc, a_map_with_state_takes_an_end);
    tcase_add_test(tc, forward_is_from_a_parallelism_to_the_same);
    tcase_add_test(tc, a_keyed_operator_has_a_key_group_for_each_subtask);
    tcase_add_test(tc, windows_of_event_time_need_timestamps);
    tcase_add_test(tc, windows_of_a_wrong_size_are_told);
    tcase_add_loop_test(tc, reductions_are_merged_by_a_fold_of_their_records, 0, 2);
    tcase_add_loop_test(tc, accumulators_are_merged_by_a_fold_of_them, 0, 3);
    suite_add_tcase(suite, tc);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
