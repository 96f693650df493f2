/*
 * The recorder and the reader: what is written is read back, byte for byte.
 */
#define _POSIX_C_SOURCE 200809L

#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "hand.h"
#include "sim/diff.h"
#include "sim/moment.h"

static struct sim_trace *keep(void)
{
    return sim_trace_new(&(struct sim_trace_options){.mode = SIM_TRACE_KEEP});
}

/* Goal: every type of value, nested, survives recording, printing, reading and printing again. */
START_TEST(values_survive_a_round_trip)
{
    struct sim_trace *t = keep();
    sim_trace_meta_begin(t, UINT64_MAX, NULL);
    sim_trace_list_begin(t, SIM_F_PROPS);
    sim_trace_list_begin(t, SIM_F_NONE);
    sim_trace_text(t, SIM_F_NONE, "quote \" backslash \\ newline \n tab \t bell \x07 é €");
    sim_trace_int(t, SIM_F_NONE, INT64_MIN);
    sim_trace_int(t, SIM_F_NONE, INT64_MAX);
    sim_trace_int(t, SIM_F_NONE, 0);
    sim_trace_int(t, SIM_F_NONE, -1);
    sim_trace_null(t, SIM_F_NONE);
    sim_trace_bytes(t, SIM_F_NONE, "a\0b", 3);
    sim_trace_bytes(t, SIM_F_NONE, "\xff\x00\xc0", 3);
    sim_trace_bytes(t, SIM_F_NONE, "", 0);
    sim_trace_object_begin(t, SIM_F_NONE);
    sim_trace_int(t, SIM_F_ID, 5);
    sim_trace_list_begin(t, SIM_F_ISR);
    sim_trace_list_end(t);
    sim_trace_object_end(t);
    sim_trace_list_end(t);
    sim_trace_list_end(t);
    sim_trace_end(t);
    sim_trace_finish(t, 5, "met");

    size_t size, again_size;
    char *text = hand_text(t, &size);
    bool cut;
    struct sim_trace_error error;
    struct sim_trace *back = sim_trace_read(text, size, &cut, &error);
    ck_assert_msg(back != NULL, "%u:%u %s", error.line, error.column, error.text);
    ck_assert(!cut);
    ck_assert_uint_eq(sim_diff_first(t, back, 1), 0);
    ck_assert_uint_eq(sim_trace_digest(t), sim_trace_digest(back));
    char *again = hand_text(back, &again_size);
    ck_assert_uint_eq(size, again_size);
    ck_assert_mem_eq(text, again, size);
    free(text);
    free(again);
    sim_trace_free(t);
    sim_trace_free(back);
}
END_TEST

START_TEST(a_whole_trace_survives_a_round_trip)
{
    struct hand h;
    struct sim_trace *t = hand_made(&h, true);
    size_t size;
    char *text = hand_text(t, &size);
    bool cut;
    struct sim_trace_error error;
    struct sim_trace *back = sim_trace_read(text, size, &cut, &error);
    ck_assert_msg(back != NULL, "%u:%u %s", error.line, error.column, error.text);
    ck_assert(!cut);
    ck_assert_uint_eq(sim_diff_first(t, back, 1), 0);
    free(text);
    sim_trace_free(t);
    sim_trace_free(back);
}
END_TEST

/* Goal: numbers are dense and causes smaller, also where a record is nested in another. */
START_TEST(causes_come_before_effects)
{
    struct hand h;
    struct sim_trace *t = hand_made(&h, true);
    struct sim_record r;
    int64_t last = 0;
    for (uint64_t n = 1; n <= sim_trace_count(t); n++) {
        ck_assert(sim_trace_get(t, n, &r));
        ck_assert_uint_eq(r.n, n);
        ck_assert_uint_lt(r.by, n);
        ck_assert_uint_lt(r.mute, n);
        ck_assert_int_ge(r.t, last);
        last = r.t;
    }
    ck_assert_uint_eq(h.watch, h.expired + 1);
    ck_assert(sim_trace_get(t, h.watch, &r));
    ck_assert_uint_eq(r.by, h.expired);
    ck_assert(!sim_trace_get(t, 0, &r));
    ck_assert(!sim_trace_get(t, sim_trace_count(t) + 1, &r));
    sim_trace_free(t);
}
END_TEST

START_TEST(a_digest_needs_no_records_kept)
{
    struct sim_trace *a = keep();
    struct sim_trace *b = sim_trace_new(&(struct sim_trace_options){.mode = SIM_TRACE_DIGEST});
    struct sim_trace *both[] = {a, b};
    uint64_t digest[2];
    for (int i = 0; i < 2; i++) {
        sim_trace_meta_begin(both[i], 1, "2.8");
        sim_trace_end(both[i]);
        sim_trace_begin(both[i], SIM_K_GIVEN, 0, SIM_LANE_WORLD, 0, 0);
        sim_trace_set_int(both[i], "role.1", 1);
        sim_trace_end(both[i]);
        ck_assert_uint_eq(sim_trace_last_setter(both[i], "role.1"), 2);
        digest[i] = sim_trace_finish(both[i], 9, "met");
    }
    ck_assert_uint_eq(digest[0], digest[1]);
    struct sim_record r;
    ck_assert(!sim_trace_get(b, 2, &r));
    ck_assert(sim_trace_get(b, 3, &r));
    sim_trace_free(a);
    sim_trace_free(b);
}
END_TEST

START_TEST(a_trace_that_is_off_gives_back_the_cause)
{
    struct sim_trace *t = sim_trace_new(&(struct sim_trace_options){.mode = SIM_TRACE_OFF});
    ck_assert(!t->on);
    ck_assert(!sim_trace_begin(t, SIM_K_MARK, 5, SIM_LANE_WORLD, 0, 0));
    ck_assert_uint_eq(sim_trace_mark(t, 5, 41, "label", NULL), 41);
    struct kc_output o = {.kind = KC_OUT_QUEUE, .by = 17, .name = "BrokerChange"};
    ck_assert_uint_eq(sim_trace_controller(t, 5, 1, &o), 17);
    ck_assert_uint_eq(sim_trace_count(t), 0);
    sim_trace_free(t);
}
END_TEST

START_TEST(a_kind_left_out_passes_its_cause_on)
{
    struct sim_trace *t = sim_trace_new(
        &(struct sim_trace_options){.mode = SIM_TRACE_KEEP, .without = (uint64_t)1 << SIM_K_QUEUE});
    uint64_t n = sim_trace_mark(t, 1, 0, "label", NULL);
    struct kc_output o = {.kind = KC_OUT_QUEUE, .by = n, .name = "BrokerChange"};
    ck_assert_uint_eq(sim_trace_controller(t, 1, 1, &o), n);
    ck_assert_uint_eq(sim_trace_count(t), 1);
    sim_trace_free(t);
}
END_TEST

static void count_records(void *context, const struct sim_record *record)
{
    uint64_t *last = context;
    ck_assert_uint_eq(record->n, *last + 1);
    *last = record->n;
}

START_TEST(the_listener_hears_every_record_in_order)
{
    struct sim_trace *t = keep();
    uint64_t last = 0;
    sim_trace_listen(t, count_records, &last);
    sim_trace_begin(t, SIM_K_MARK, 1, SIM_LANE_WORLD, 0, 0);
    sim_trace_begin(t, SIM_K_MARK, 1, SIM_LANE_WORLD, 1, 0);
    sim_trace_end(t);
    sim_trace_begin(t, SIM_K_MARK, 1, SIM_LANE_WORLD, 2, 0);
    sim_trace_end(t);
    ck_assert_uint_eq(last, 0);
    sim_trace_end(t);
    ck_assert_uint_eq(last, 3);
    sim_trace_free(t);
}
END_TEST

/* ---- bad files ---- */

static void refuse(const char *text, uint32_t line, const char *why)
{
    bool cut;
    struct sim_trace_error error;
    struct sim_trace *t = sim_trace_read(text, strlen(text), &cut, &error);
    ck_assert_msg(t == NULL, "accepted: %s", text);
    ck_assert_msg(strstr(error.text, why) != NULL, "%s: %s", text, error.text);
    ck_assert_uint_eq(error.line, line);
    ck_assert_uint_ge(error.column, 1);
}

#define META "{\"n\":1,\"t\":0,\"at\":\"w\",\"k\":\"meta\",\"by\":0,\"schema\":\"kcsim.trace/1\"}\n"
#define MARK(n, by)                                                                                \
    "{\"n\":" n ",\"t\":0,\"at\":\"w\",\"k\":\"mark\",\"by\":" by ",\"label\":\"x\"}\n"

START_TEST(bad_files_are_refused_with_their_line)
{
    refuse("", 1, "empty");
    refuse("hello\n", 1, "");
    refuse("[]\n", 1, "must be an object");
    refuse(MARK("1", "0"), 1, "not a trace");
    refuse("{\"n\":1,\"t\":0,\"at\":\"w\",\"k\":\"meta\",\"by\":0,\"schema\":\"other/9\"}\n", 1,
           "kcsim.trace/1");
    refuse(META "{broken\n" MARK("3", "0"), 2, "");
    refuse(META MARK("3", "0"), 2, "\"n\" is 3");
    refuse(META MARK("2", "2"), 2, "\"by\" is 2");
    refuse(META "{\"n\":2,\"t\":-1,\"at\":\"w\",\"k\":\"mark\",\"by\":0}\n", 2, "\"t\" is -1");
    refuse(META "{\"n\":2,\"t\":0,\"at\":\"q9\",\"k\":\"mark\",\"by\":0}\n", 2, "\"at\"");
    refuse(META "{\"n\":2,\"t\":0,\"at\":\"w\",\"k\":\"nothing\",\"by\":0}\n", 2, "\"nothing\"");
    refuse(META "{\"n\":2,\"t\":0,\"at\":\"w\",\"k\":\"mark\",\"by\":0,\"api\":\"x\"}\n", 2,
           "\"api\"");
    refuse(META "{\"n\":2,\"t\":0,\"at\":\"w\",\"k\":\"mark\",\"by\":0,\"text\":1.5}\n", 2,
           "integers");
    refuse(META "{\"n\":2,\"t\":0,\"at\":\"w\",\"k\":\"mark\",\"by\":0,\"set\":[[1,2]]}\n", 2,
           "\"set\"");
    refuse(META "{\"n\":2,\"t\":0,\"at\":\"w\",\"k\":\"mark\",\"by\":0,\"by\":0}\n", 2,
           "duplicate");
    refuse(META
           "{\"n\":2,\"t\":0,\"at\":\"w\",\"k\":\"mark\",\"by\":0,\"text\":{\"hex\":\"0g\"}}\n",
           2, "hexadecimal");
    refuse(META META, 2, "\"n\" is 1");
    refuse(META "{\"n\":2,\"t\":0,\"at\":\"w\",\"k\":\"finish\",\"by\":0,\"digest\":\"00\"}\n", 2,
           "has been changed");
}
END_TEST

START_TEST(a_changed_record_breaks_the_digest)
{
    struct hand h;
    struct sim_trace *t = hand_made(&h, true);
    size_t size;
    char *text = hand_text(t, &size), *place = strstr(text, "leader of orders-0");
    place[0] = 'L';
    bool cut;
    struct sim_trace_error error;
    ck_assert_ptr_null(sim_trace_read(text, size, &cut, &error));
    ck_assert_uint_eq(error.line, sim_trace_count(t));
    ck_assert_ptr_nonnull(strstr(error.text, "changed"));
    free(text);
    sim_trace_free(t);
}
END_TEST

/* Goal: a run that was interrupted leaves a trace that opens, wherever the file was cut. */
START_TEST(a_cut_trace_opens)
{
    struct hand h;
    struct sim_trace *t = hand_made(&h, true);
    size_t size, whole = 0;
    char *text = hand_text(t, &size);
    for (size_t at = 0; at < size; at++) {
        whole += at > 0 && text[at - 1] == '\n';
        if (whole == 0 && text[at] != '\n')
            continue; /* the first line names the schema: without it there is no trace */
        bool cut;
        struct sim_trace_error error;
        struct sim_trace *back = sim_trace_read(text, at, &cut, &error);
        ck_assert_msg(back != NULL, "cut at %zu: %s", at, error.text);
        /* A record counts without its newline, if it is complete. */
        ck_assert_uint_eq(sim_trace_count(back), whole + (text[at] == '\n'));
        ck_assert_int_eq(cut, sim_trace_count(back) < sim_trace_count(t));
        sim_trace_free(back);
    }
    free(text);
    sim_trace_free(t);
}
END_TEST

START_TEST(times_have_units)
{
    int64_t us;
    ck_assert(sim_time_parse("6.4s", &us) && us == 6400000);
    ck_assert(sim_time_parse("500ms", &us) && us == 500000);
    ck_assert(sim_time_parse("1.5m", &us) && us == 90000000);
    ck_assert(sim_time_parse("7us", &us) && us == 7);
    ck_assert(sim_time_parse("0s", &us) && us == 0);
    static const char *const bad[] = {
        "", "5", "s", "1.s", "-1s", "1.5us", "1 s", "9999999999999h", "0x5s", "1.1234567s"};
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        ck_assert_msg(!sim_time_parse(bad[i], &us), "%s", bad[i]);
    char text[SIM_TIME_TEXT];
    ck_assert_str_eq(sim_time_text(text, 6420000), "6.420s");
    ck_assert_str_eq(sim_time_text(text, 6420001), "6.420001s");
}
END_TEST

START_TEST(lanes_have_names)
{
    static const char *const names[] = {"zk", "w", "o", "c0", "b12", "p1", "u3", "c2147483647"};
    char text[SIM_LANE_TEXT];
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
        ck_assert_str_eq(sim_lane_text(text, sim_lane_named(names[i])), names[i]);
    static const char *const bad[] = {"", "c", "c-1", "c01", "x1", "zk1", "c2147483648", "b1x"};
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        ck_assert_uint_eq(sim_lane_named(bad[i]), 0);
}
END_TEST

START_TEST(diff_names_the_first_record)
{
    struct hand h;
    struct sim_trace *a = hand_made(&h, false), *b = hand_made(&h, false);
    ck_assert_uint_eq(sim_diff_first(a, b, 1), 0);
    uint64_t n = sim_trace_count(a);
    sim_trace_mark(a, 9000000, h.fault, "left", NULL);
    sim_trace_mark(b, 9000000, h.fault, "right", NULL);
    ck_assert_uint_eq(sim_diff_first(a, b, 1), n + 1);
    char *text = NULL;
    size_t size;
    FILE *out = open_memstream(&text, &size);
    ck_assert(!sim_diff_print(out, a, b, "A", "B"));
    fclose(out);
    ck_assert_ptr_nonnull(strstr(text, "Mark left\n  B: nothing\n"));
    ck_assert_ptr_nonnull(strstr(text, "Mark right\n"));
    ck_assert_ptr_nonnull(strstr(text, "Fault: kill"));
    free(text);
    sim_trace_free(a);
    sim_trace_free(b);
}
END_TEST

START_TEST(a_field_of_another_kind_is_a_mistake)
{
    struct sim_trace *t = keep();
    sim_trace_begin(t, SIM_K_MARK, 0, SIM_LANE_WORLD, 0, 0);
    sim_trace_text(t, SIM_F_API, "LeaderAndIsr");
}
END_TEST

START_TEST(an_effect_before_its_cause_is_a_mistake)
{
    struct sim_trace *t = keep();
    sim_trace_begin(t, SIM_K_MARK, 0, SIM_LANE_WORLD, 1, 0);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("trace");
    TCase *tc = tcase_create("trace");
    tcase_add_test(tc, values_survive_a_round_trip);
    tcase_add_test(tc, a_whole_trace_survives_a_round_trip);
    tcase_add_test(tc, causes_come_before_effects);
    tcase_add_test(tc, a_digest_needs_no_records_kept);
    tcase_add_test(tc, a_trace_that_is_off_gives_back_the_cause);
    tcase_add_test(tc, a_kind_left_out_passes_its_cause_on);
    tcase_add_test(tc, the_listener_hears_every_record_in_order);
    tcase_add_test(tc, bad_files_are_refused_with_their_line);
    tcase_add_test(tc, a_changed_record_breaks_the_digest);
    tcase_add_test(tc, a_cut_trace_opens);
    tcase_add_test(tc, times_have_units);
    tcase_add_test(tc, lanes_have_names);
    tcase_add_test(tc, diff_names_the_first_record);
    tcase_add_test_raise_signal(tc, a_field_of_another_kind_is_a_mistake, 6);
    tcase_add_test_raise_signal(tc, an_effect_before_its_cause_is_a_mistake, 6);
    tcase_set_timeout(tc, 120);
    suite_add_tcase(suite, tc);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? 0 : 1;
}
