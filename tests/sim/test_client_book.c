/*
 * The book of clients: names of records, what was acknowledged and read, gaps, doubles, and what
 * the logs say of transforms. Whole worlds: what the book says is compared with the logs.
 */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "sim/client_report.h"
#include "sim/client_state.h"
#include "sim/diagnostics.h"
#include "sim/scenario.h"
#include "sim/trace.h"
#include "sim/world.h"
#include "sim/world_client.h"

#define SECOND ((int64_t)1000000)
#define CLUSTER                                                                                    \
    "title: t\n"                                                                                   \
    "cluster: {nodes: [1, 2, 3], properties: {offsets.topic.num.partitions: 1}}\n"                 \
    "topics:\n"                                                                                    \
    "  t: {assignment: {0: [1, 2, 3]}}\n"                                                          \
    "  o: {partitions: 2, replication-factor: 3}\n"

static struct sim_diagnostics diagnostics;
static struct sim_scenario *scenario;
static struct sim_trace *trace;
static struct sim_world *world;

static void play(const char *text, int64_t for_us)
{
    struct sim_world_options options = sim_world_options_default();
    sim_diagnostics_init(&diagnostics);
    scenario = sim_scenario_parse("test.yaml", text, strlen(text), &diagnostics);
    if (scenario == NULL)
        sim_diagnostics_print(&diagnostics, stderr, false);
    ck_assert_ptr_nonnull(scenario);
    trace = sim_trace_new(&(struct sim_trace_options){.mode = SIM_TRACE_KEEP});
    options.trace = trace;
    options.seed = 1;
    world = sim_world_new(&options);
    sim_world_load(world, scenario);
    sim_world_run(world, for_us);
    if (sim_world_error(world) != NULL)
        ck_abort_msg("%s", sim_world_error(world));
}

static void teardown(void)
{
    sim_world_free(world);
    sim_trace_free(trace);
    sim_scenario_free(scenario);
    sim_diagnostics_free(&diagnostics);
}

static int64_t number(uint32_t index, const char *name)
{
    const char *text = NULL;
    int64_t n = sim_client_property(world, sim_client_id_of(world, index), name, &text);
    ck_assert_ptr_null(text);
    return n;
}

START_TEST(a_name_is_read_back_as_written)
{
    static const int64_t numbers[] = {1, 9, 10, 4711, INT64_C(1) << 40};
    char text[SIM_VALUE_TEXT];
    play(CLUSTER "clients: [{produce: t, count: 1}, {produce: t, count: 1}]\n", SECOND);
    for (int32_t p = 0; p < 2; p++)
        for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++) {
            struct sim_value_name name = {.number = numbers[i], .producer = p};
            size_t size = sim_value_write(world, name, text);
            struct sim_value_name back = sim_value_read(world, text, size);
            ck_assert_int_eq(back.number, name.number);
            ck_assert_int_eq(back.producer, name.producer);
        }
}
END_TEST

START_TEST(what_is_no_name_is_nobodys)
{
    static const char *const texts[] = {"",      "p",     "p1",    "p1#",  "p1#x",  "p01#1",
                                        "p1#01", "p3#1",  "u1#1",  "p1#0", "p0#1",  "p1#1x",
                                        "P1#1",  "p-1#1", "p1 #1", "#1",   "p1##1", "p1#-1"};
    play(CLUSTER "clients: [{produce: t, count: 1}, {produce: t, count: 1}]\n", SECOND);
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        struct sim_value_name name = sim_value_read(world, texts[i], strlen(texts[i]));
        ck_assert_msg(name.producer == -1 && name.number == 0, "'%s'", texts[i]);
    }
    ck_assert_int_eq(sim_value_read(world, "p2#7...", 7).number, 7); /* padded to a size */
    ck_assert_int_eq(sim_value_read(world, "p2#7", 3).number, 0);    /* not beyond its end */
}
END_TEST

/* Each acknowledged record stands in the log of its leader, in its batch, at its place. */
START_TEST(an_acknowledged_record_is_where_the_book_says)
{
    play(CLUSTER "clients: [{produce: t, rate: 1/ms, count: 500}, {consume: t}]\n", 5 * SECOND);
    struct sim_ledger book = sim_world_ledger(world);
    ck_assert_uint_eq(book.acked_count, 500);
    for (uint64_t i = 0; i < book.acked_count; i++) {
        const struct sim_acked *a = &book.acked[i];
        struct kb_partition_view view;
        ck_assert(sim_client_view(world, a->leader, "t", 0, &view));
        const struct kb_batch *b = sim_client_batch_at(&view, a->offset);
        ck_assert_ptr_nonnull(b);
        ck_assert_uint_eq(b->payload, a->payload);
        ck_assert_int_eq(b->base_offset + a->delta, a->offset);
        struct sim_value_name held = sim_client_value_in(world, b, a->offset);
        ck_assert_int_eq(held.number, a->value.number);
        ck_assert_int_eq(held.producer, a->value.producer);
        ck_assert_uint_gt(a->record, 0);
    }
    ck_assert_uint_eq(book.read_count, 500);
    for (uint64_t i = 0; i < book.read_count; i++) {
        ck_assert_int_eq(book.reads[i].offset, (int64_t)i);
        ck_assert_int_eq(book.reads[i].value.number, (int64_t)i + 1);
    }
}
END_TEST

/* Why could it be read? Because it was committed, by this record. */
START_TEST(what_is_read_was_committed_before)
{
    play(CLUSTER "clients: [{produce: t, rate: 1/ms, count: 300}, {consume: t}]\n", 5 * SECOND);
    struct sim_ledger book = sim_world_ledger(world);
    ck_assert_uint_eq(book.read_count, 300);
    for (uint64_t i = 0; i < book.read_count; i++) {
        struct sim_record read, hw;
        ck_assert(sim_trace_get(trace, book.reads[i].record, &read));
        ck_assert_int_eq(read.kind, SIM_K_READ);
        ck_assert_uint_lt(read.by, read.n);
        ck_assert(sim_trace_get(trace, read.by, &hw));
        ck_assert_int_eq(hw.kind, SIM_K_HW);
        ck_assert_int_gt(sim_record_int(&hw, SIM_F_OFFSET, -1), book.reads[i].offset);
    }
}
END_TEST

START_TEST(a_batch_is_found_by_any_offset_in_it)
{
    struct kb_partition_view view;
    play(CLUSTER "clients: [{produce: t, rate: 3/ms, count: 100}]\n", 5 * SECOND);
    ck_assert(sim_client_view(world, 1, "t", 0, &view));
    ck_assert_int_eq(view.log_end, 100);
    ck_assert_uint_lt(view.batch_count, 100);
    for (int64_t at = 0; at < 100; at++) {
        const struct kb_batch *b = sim_client_batch_at(&view, at);
        ck_assert_ptr_nonnull(b);
        ck_assert(b->base_offset <= at && at <= b->base_offset + b->last_offset_delta);
    }
    ck_assert_ptr_null(sim_client_batch_at(&view, 100));
    ck_assert(!sim_client_view(world, 4, "t", 0, &view));
    ck_assert(!sim_client_view(world, 1, "t", 1, &view));
}
END_TEST

/* The retry of a lost answer: the same name twice, and only the second handing is a duplicate. */
START_TEST(a_record_that_is_handed_out_twice_is_a_duplicate)
{
    play(CLUSTER "clients: [{produce: t, count: 50}, {consume: t}, {consume: t, from: 3s}]\n"
                 "steps: [{at: 400ms, drop: {from: 1, to: p1, api: Produce, nth: 1}}]\n",
         6 * SECOND);
    for (uint32_t i = 1; i <= 2; i++) {
        struct sim_client_counts n = sim_client_counts(world, i);
        ck_assert_uint_gt(n.duplicates, 0);
        ck_assert_uint_eq(n.read, 50 + n.duplicates);
        ck_assert_uint_eq(n.gaps, 0);
        ck_assert_int_eq(number(i, "unread"), 0);
    }
}
END_TEST

/* Who is down when records come has not read them; sent = acked + failed + possibly + open. */
START_TEST(every_record_is_in_one_count)
{
    play(CLUSTER "clients: [{produce: t, rate: 1/ms}, {consume: t}]\n"
                 "steps: [{at: 2s, kill: u1}, {at: 3s, kill: p1}]\n",
         4 * SECOND);
    struct sim_client_counts n = sim_client_counts(world, 0);
    ck_assert_uint_eq(n.sent, n.acked + n.failed + n.possibly + n.open);
    ck_assert_uint_eq(n.open, 0);
    ck_assert_int_eq(number(0, "kept"), (int64_t)n.acked);
    ck_assert_int_eq(number(0, "lost"), 0);
    ck_assert_int_gt(number(1, "unread"), 900);
}
END_TEST

START_TEST(a_transform_has_one_output_for_each_input)
{
    play(CLUSTER "clients:\n"
                 "  - {produce: t, count: 600, idempotent: true}\n"
                 "  - {transform: t -> o, group: g, transactional-id: x, abort-every: 3}\n",
         20 * SECOND);
    ck_assert_int_eq(number(1, "outputs"), 600);
    ck_assert_int_eq(number(1, "missing"), 0);
    ck_assert_int_eq(number(1, "doubled"), 0);
    ck_assert_int_eq(number(2, "outputs"), 0); /* told once, by the reading half */
    struct sim_client_counts n = sim_client_counts(world, 2);
    ck_assert_uint_gt(n.aborted, 3);
    ck_assert_uint_gt(n.sent, 600);
}
END_TEST

/* It is dead while the second half comes. */
START_TEST(inputs_without_an_output_are_missing)
{
    play(CLUSTER "clients:\n"
                 "  - {produce: t, count: 600, idempotent: true}\n"
                 "  - {transform: t -> o, group: g, transactional-id: x}\n"
                 "steps: [{at: 4500ms, kill: t1}]\n",
         20 * SECOND);
    int64_t outputs = number(1, "outputs");
    ck_assert_int_lt(outputs, 600);
    ck_assert_int_eq(number(1, "missing"), 600 - outputs);
    ck_assert_int_eq(number(1, "doubled"), 0);
}
END_TEST

/* What a transform wrote twice is told: the judge looks only at what came from where. */
START_TEST(inputs_with_two_outputs_are_doubled)
{
    play(CLUSTER "clients:\n"
                 "  - {produce: t, count: 200, idempotent: true}\n"
                 "  - {transform: t -> o, group: g, transactional-id: x}\n",
         20 * SECOND);
    struct sim_client *c = world->clients->client[2];
    for (uint64_t i = 1; i <= 10; i++)
        c->origins[i] = c->origins[i + 10];
    ck_assert_int_eq(number(1, "doubled"), 10);
    ck_assert_int_eq(number(1, "missing"), 10);
    ck_assert_int_eq(number(1, "outputs"), 200);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("the book of clients");
    TCase *cases = tcase_create("all");
    tcase_add_checked_fixture(cases, NULL, teardown);
    tcase_set_timeout(cases, 60);
    tcase_add_test(cases, a_name_is_read_back_as_written);
    tcase_add_test(cases, what_is_no_name_is_nobodys);
    tcase_add_test(cases, an_acknowledged_record_is_where_the_book_says);
    tcase_add_test(cases, what_is_read_was_committed_before);
    tcase_add_test(cases, a_batch_is_found_by_any_offset_in_it);
    tcase_add_test(cases, a_record_that_is_handed_out_twice_is_a_duplicate);
    tcase_add_test(cases, every_record_is_in_one_count);
    tcase_add_test(cases, a_transform_has_one_output_for_each_input);
    tcase_add_test(cases, inputs_without_an_output_are_missing);
    tcase_add_test(cases, inputs_with_two_outputs_are_doubled);
    suite_add_tcase(suite, cases);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed != 0;
}
