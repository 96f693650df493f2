/*
 * Two traces aligned by cause: by hand, and as properties of real runs. A run against itself is the
 * same; against its branch it is the same up to the fork; with other numbers, other records between
 * and what is independent in another order, nothing changes.
 */
#define _POSIX_C_SOURCE 200809L /* open_memstream */

#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "hand.h"
#include "judged_run.h"
#include "sim/align.h"
#include "sim/align_same.h"
#include "sim/diff.h"
#include "sim/random.h"
#include "sim/scenario_edit.h"

static const char scenario[] =
    "title: brokers die\n"
    "cluster: {nodes: [1, 2, 3], properties: {zookeeper.session.timeout.ms: 6000}}\n"
    "topics: {t: {assignment: {0: [2, 3, 1], 1: [3, 1, 2], 2: [1, 2, 3]}}}\n"
    "steps:\n"
    "  - {at: 5s, kill: 2}\n"
    "  - {at: 20s, restart: 2}\n"
    "until: 40s\n";

static struct sim_record get(const struct sim_trace *trace, uint64_t n)
{
    struct sim_record r;
    ck_assert(sim_trace_get(trace, n, &r));
    return r;
}

static void check_all_same(const struct sim_align *align)
{
    ck_assert_uint_eq(align->begin_count, 0);
    ck_assert_uint_eq(align->changed, 0);
    ck_assert_uint_eq(align->moved, 0);
    ck_assert_uint_eq(align->only[0], 0);
    ck_assert_uint_eq(align->only[1], 0);
    ck_assert_uint_eq(align->same, align->side[0].count);
}

/* Pairs are pairs both ways, each cause of what is alike is alike, and counts add up. */
static void check_whole(const struct sim_align *align)
{
    for (int s = 0; s < 2; s++) {
        const struct sim_align_side *mine = &align->side[s], *there = &align->side[1 - s];
        uint64_t count[4] = {0};
        for (uint64_t n = 1; n <= mine->count; n++) {
            uint64_t other = mine->other[n];
            count[mine->state[n]]++;
            ck_assert_int_eq(other == 0, mine->state[n] == SIM_ALIGN_ONLY);
            if (other == 0)
                continue;
            ck_assert_uint_eq(there->other[other], n);
            ck_assert_int_eq(there->state[other], mine->state[n]);
            struct sim_record a = get(mine->trace, n), b = get(there->trace, other);
            ck_assert_int_eq(a.kind, b.kind);
            ck_assert_uint_eq(a.at, b.at);
            if (sim_align_alike(align, s, n))
                ck_assert_uint_eq(a.by == 0 ? 0 : mine->other[a.by], b.by);
        }
        ck_assert_uint_eq(count[SIM_ALIGN_SAME], align->same);
        ck_assert_uint_eq(count[SIM_ALIGN_MOVED], align->moved);
        ck_assert_uint_eq(count[SIM_ALIGN_CHANGED], align->changed);
        ck_assert_uint_eq(count[SIM_ALIGN_ONLY], align->only[s]);
    }
    for (size_t i = 1; i < align->begin_count; i++)
        ck_assert_int_le(align->begins[i - 1].t, align->begins[i].t);
}

/* ---- by hand ---- */

static uint64_t put_fault(struct sim_trace *t, int64_t at, const char *verb, const char *target)
{
    struct sim_fault_note note = {.verb = verb, .target = target, .until_us = -1};
    ck_assert(sim_trace_fault_begin(t, at, 0, &note));
    return sim_trace_end(t);
}

static uint64_t put_call(struct sim_trace *t, int64_t at, uint64_t by, const char *event, int depth)
{
    ck_assert(sim_trace_begin(t, SIM_K_QUEUE, at, SIM_LANE_CONTROLLER(1), by, 0));
    sim_trace_text(t, SIM_F_WHAT, "put");
    sim_trace_text(t, SIM_F_NAME, event);
    sim_trace_int(t, SIM_F_ID, depth);
    return sim_trace_end(t);
}

static uint64_t put_move(struct sim_trace *t, int64_t at, uint64_t by, const char *to)
{
    ck_assert(sim_trace_begin(t, SIM_K_MOVE, at, SIM_LANE_CONTROLLER(1), by, 0));
    sim_trace_text(t, SIM_F_MACHINE, "partition");
    sim_trace_text(t, SIM_F_PARTITION, "t-0");
    sim_trace_text(t, SIM_F_TO, to);
    return sim_trace_end(t);
}

static struct sim_trace *begun(void)
{
    struct sim_trace *t = sim_trace_new(&(struct sim_trace_options){.mode = SIM_TRACE_KEEP});
    sim_trace_meta_begin(t, 1, "2.8");
    sim_trace_end(t);
    return t;
}

START_TEST(what_moved_is_the_same_and_what_differs_is_told_once)
{
    struct sim_trace *a = begun(), *b = begun();
    uint64_t kill_a = put_fault(a, 1000, "kill", "1");
    uint64_t early = put_call(a, 1500, kill_a, "BrokerChange", 7);
    uint64_t move_a = put_move(a, 1600, early, "OnlinePartition");
    uint64_t after_a = put_call(a, 1700, move_a, "Answer", 8);

    uint64_t kill_b = put_fault(b, 1000, "kill", "1");
    uint64_t pause = put_fault(b, 1100, "pause", "2");
    uint64_t late = put_call(b, 1900, kill_b, "BrokerChange", 12);
    uint64_t move_b = put_move(b, 2000, late, "OfflinePartition");
    uint64_t after_b = put_call(b, 2100, move_b, "Answer", 13);

    struct sim_align *align = sim_align_new(a, b);
    const struct sim_align_side *left = &align->side[0], *right = &align->side[1];
    ck_assert_uint_eq(left->other[kill_a], kill_b);
    ck_assert_int_eq(left->state[kill_a], SIM_ALIGN_SAME);
    ck_assert_uint_eq(left->other[early], late);
    ck_assert_int_eq(left->state[early], SIM_ALIGN_MOVED);
    ck_assert_uint_eq(left->other[move_a], move_b);
    ck_assert_int_eq(left->state[move_a], SIM_ALIGN_CHANGED);
    ck_assert_uint_eq(left->other[after_a], after_b);
    ck_assert_int_eq(right->state[pause], SIM_ALIGN_ONLY);
    ck_assert_uint_eq(align->begin_count, 2);
    ck_assert_int_eq(align->begins[0].side, 1);
    ck_assert_uint_eq(align->begins[0].n, pause);
    ck_assert_uint_eq(align->begins[1].n, move_a);
    check_whole(align);
    sim_align_free(align);
    sim_trace_free(a);
    sim_trace_free(b);
}
END_TEST

/* Of three alike of which one is missing, the two that are equal are pairs. */
START_TEST(what_is_equal_is_paired_first)
{
    struct sim_trace *a = begun(), *b = begun();
    uint64_t kill_a = put_fault(a, 1000, "kill", "1"), kill_b = put_fault(b, 1000, "kill", "1");
    uint64_t first = put_move(a, 1000, kill_a, "NewPartition");
    uint64_t second = put_move(a, 1000, kill_a, "OnlinePartition");
    uint64_t third = put_move(a, 1000, kill_a, "OfflinePartition");
    uint64_t only = put_move(b, 1000, kill_b, "OnlinePartition");
    uint64_t last = put_move(b, 1000, kill_b, "OfflinePartition");
    struct sim_align *align = sim_align_new(a, b);
    ck_assert_uint_eq(align->side[0].other[first], 0);
    ck_assert_uint_eq(align->side[0].other[second], only);
    ck_assert_uint_eq(align->side[0].other[third], last);
    check_whole(align);
    sim_align_free(align);
    sim_trace_free(a);
    sim_trace_free(b);
}
END_TEST

/* A fault that acts later is another fault; a session that ends because of another one is told. */
START_TEST(a_fault_is_when_it_acts_and_an_absence_has_any_cause)
{
    struct sim_trace *t[2] = {begun(), begun()};
    uint64_t expired[2], fault[2];
    for (int i = 0; i < 2; i++) {
        fault[i] = put_fault(t[i], 1000, i == 0 ? "kill" : "block", "1");
        ck_assert(sim_trace_begin(t[i], SIM_K_SESSION, 7000, SIM_LANE_ZK, fault[i], fault[i]));
        sim_trace_text(t[i], SIM_F_WHAT, "expired");
        sim_trace_int(t[i], SIM_F_NODE, 1);
        expired[i] = sim_trace_end(t[i]);
        put_call(t[i], 7100, expired[i], "BrokerChange", 1);
        put_fault(t[i], 8000 + i, "heal", "1");
    }
    struct sim_align *align = sim_align_new(t[0], t[1]);
    ck_assert_uint_eq(align->side[0].other[fault[0]], 0);
    ck_assert_uint_eq(align->side[0].other[expired[0]], expired[1]);
    ck_assert_int_eq(align->side[0].state[expired[0]], SIM_ALIGN_CHANGED);
    ck_assert_int_eq(align->side[0].state[expired[0] + 1], SIM_ALIGN_SAME);
    ck_assert_int_eq(align->side[0].state[expired[0] + 2], SIM_ALIGN_CHANGED);
    ck_assert_uint_eq(align->begin_count, 3); /* kill, block, heal */
    check_whole(align);
    sim_align_free(align);
    for (int i = 0; i < 2; i++)
        sim_trace_free(t[i]);
}
END_TEST

static uint64_t put_znode(struct sim_trace *t, int64_t at, uint64_t by, const char *path,
                          const char *data, int64_t zxid)
{
    ck_assert(sim_trace_begin(t, SIM_K_ZAP, at, SIM_LANE_ZK, by, 0));
    sim_trace_text(t, SIM_F_OP, "create");
    sim_trace_text(t, SIM_F_PATH, path);
    sim_trace_int(t, SIM_F_ZXID, zxid);
    hand_znode(t, "/broker", data, zxid, zxid);
    return sim_trace_end(t);
}

/* Timestamps, zxids, owners and numbers in names of znodes only count; a port does not. */
START_TEST(what_only_counts_does_not_differ)
{
    struct sim_trace *a = begun(), *b = begun();
    uint64_t x = put_fault(a, 1000, "kill", "1"), y = put_fault(b, 1000, "kill", "1");
    uint64_t left =
        put_znode(a, 2000, x, "/isr_change_0000000001", "{\"port\":9092,\"timestamp\":\"2\"}", 40);
    uint64_t right =
        put_znode(b, 3000, y, "/isr_change_0000000012", "{\"port\":9092,\"timestamp\":\"3\"}", 50);
    uint64_t other = put_znode(a, 2000, x, "/c", "{\"port\":9092}", 41);
    put_znode(b, 3000, y, "/c", "{\"port\":9093}", 51);
    struct sim_align *align = sim_align_new(a, b);
    ck_assert_uint_eq(align->side[0].other[left], right);
    ck_assert_int_eq(align->side[0].state[left], SIM_ALIGN_MOVED);
    ck_assert_int_eq(align->side[0].state[other], SIM_ALIGN_CHANGED);
    check_whole(align);
    sim_align_free(align);
    sim_trace_free(a);
    sim_trace_free(b);
}
END_TEST

START_TEST(a_trace_is_itself)
{
    struct hand hand;
    struct sim_trace *made = hand_made(&hand, true);
    struct sim_align *align = sim_align_new(made, made);
    check_all_same(align);
    sim_align_free(align);
    struct sim_trace *empty = sim_trace_new(&(struct sim_trace_options){.mode = SIM_TRACE_KEEP});
    align = sim_align_new(made, empty);
    ck_assert_uint_eq(align->only[0], sim_trace_count(made));
    sim_align_free(align);
    align = sim_align_new(empty, empty);
    check_all_same(align);
    sim_align_free(align);
    sim_trace_free(made);
    sim_trace_free(empty);
}
END_TEST

/* ---- real runs ---- */

/* Where a record of one trace stands in another one. */
struct renumbering {
    const struct sim_trace *from;
    struct sim_trace *to;
    uint64_t *number; /* [n] */
};

static void put_value(struct renumbering *r, enum sim_field field, const struct sim_value *v);

static int64_t renumbered(const struct renumbering *r, enum sim_field field, int64_t number)
{
    bool is_record = field == SIM_F_M || field == SIM_F_RE || field == SIM_F_BATCH;
    return is_record ? (int64_t)r->number[number] : number;
}

static void put_refs(struct renumbering *r, const struct sim_value *list)
{
    struct sim_walk walk = {0};
    struct sim_value item;
    while (sim_list_next(list, &walk, &item))
        sim_trace_int(r->to, SIM_F_NONE, (int64_t)r->number[item.number]);
}

static void put_parts(struct renumbering *r, enum sim_field field, const struct sim_value *v)
{
    struct sim_walk walk = {0};
    struct sim_value item;
    enum sim_field member;
    if (v->type == SIM_V_OBJECT) {
        sim_trace_object_begin(r->to, field);
        while (sim_object_next(v, &walk, &member, &item))
            put_value(r, member, &item);
        sim_trace_object_end(r->to);
        return;
    }
    sim_trace_list_begin(r->to, field);
    if (field == SIM_F_REFS)
        put_refs(r, v);
    else
        while (sim_list_next(v, &walk, &item))
            put_value(r, SIM_F_NONE, &item);
    sim_trace_list_end(r->to);
}

static void put_value(struct renumbering *r, enum sim_field field, const struct sim_value *v)
{
    switch ((enum sim_value_type)v->type) {
    case SIM_V_NULL:
        sim_trace_null(r->to, field);
        break;
    case SIM_V_INT:
        sim_trace_int(r->to, field, renumbered(r, field, v->number));
        break;
    case SIM_V_TEXT:
        sim_trace_bytes(r->to, field, v->text, v->size);
        break;
    case SIM_V_LIST:
    case SIM_V_OBJECT:
        put_parts(r, field, v);
        break;
    }
}

static void put_record(struct renumbering *r, uint64_t n)
{
    struct sim_record record = get(r->from, n);
    struct sim_walk walk = {0}, facts = {0};
    struct sim_value v;
    enum sim_field field;
    const char *key;
    ck_assert(sim_trace_begin(r->to, record.kind, record.t, record.at, r->number[record.by],
                              r->number[record.mute]));
    r->number[n] = sim_trace_open_number(r->to);
    while (sim_record_next(&record, &walk, &field, &v))
        if (field != SIM_F_SET)
            put_value(r, field, &v);
    while (sim_record_next_set(&record, &facts, &key, &v)) {
        sim_trace_set_begin(r->to, key);
        put_value(r, SIM_F_NONE, &v);
        sim_trace_set_end(r->to);
    }
    ck_assert_uint_eq(sim_trace_end(r->to), r->number[n]);
}

/* Does record m name n, or is it the next like it of the same cause? Then it stays behind it. */
static bool depends(const struct sim_trace *trace, uint64_t m, uint64_t n)
{
    struct sim_record a = get(trace, n), b = get(trace, m);
    struct sim_value refs, item;
    struct sim_walk walk = {0};
    if (b.t != a.t || b.by == n || b.mute == n || b.kind == SIM_K_FINISH ||
        (uint64_t)sim_record_int(&b, SIM_F_M, 0) == n ||
        (uint64_t)sim_record_int(&b, SIM_F_RE, 0) == n ||
        (uint64_t)sim_record_int(&b, SIM_F_BATCH, 0) == n)
        return true;
    if (sim_record_get(&b, SIM_F_REFS, &refs))
        while (sim_list_next(&refs, &walk, &item))
            if ((uint64_t)item.number == n)
                return true;
    return a.by == b.by && sim_align_subject(&a) == sim_align_subject(&b);
}

/* An order in which what is independent may have been swapped. */
static uint64_t *shuffled(const struct sim_trace *trace, uint64_t seed)
{
    uint64_t count = sim_trace_count(trace);
    uint64_t *order = calloc(count + 1, sizeof(*order));
    ck_assert_ptr_nonnull(order);
    struct sim_random_state random;
    sim_random_seed(&random, seed);
    for (uint64_t n = 1; n <= count; n++)
        order[n] = n;
    for (int round = 0; round < 4; round++)
        for (uint64_t i = 2; i < count; i++)
            if (sim_random_next(&random) % 2 == 0 && !depends(trace, order[i + 1], order[i])) {
                uint64_t swapped = order[i];
                order[i] = order[i + 1];
                order[i + 1] = swapped;
            }
    return order;
}

START_TEST(numbers_play_no_part)
{
    enum { EVERY = 7 };
    struct run run = run_text(scenario, SIM_ENDED_AT_UNTIL);
    uint64_t count = sim_trace_count(run.trace), fillers = 0;
    struct renumbering r = {.from = run.trace,
                            .to =
                                sim_trace_new(&(struct sim_trace_options){.mode = SIM_TRACE_KEEP}),
                            .number = calloc(count + 1, sizeof(uint64_t))};
    ck_assert_ptr_nonnull(r.number);
    uint64_t *order = shuffled(run.trace, (uint64_t)_i + 1);
    for (uint64_t i = 1; i <= count; i++) {
        put_record(&r, order[i]);
        if (i % EVERY == 0 && i < count) {
            char label[32];
            snprintf(label, sizeof(label), "filler %c", (char)('a' + fillers++ % 26));
            sim_trace_mark(r.to, get(run.trace, order[i]).t, 0, label, NULL);
        }
    }
    struct sim_align *align = sim_align_new(run.trace, r.to);
    ck_assert_uint_eq(align->same, count);
    ck_assert_uint_eq(align->only[1], fillers);
    ck_assert_uint_eq(align->begin_count, fillers);
    for (uint64_t n = 1; n <= count; n++)
        ck_assert_uint_eq(align->side[0].other[n], r.number[n]);
    check_whole(align);
    sim_align_free(align);
    free(order);
    free(r.number);
    sim_trace_free(r.to);
    end_run(&run);
}
END_TEST

static const struct fork {
    int64_t at_us;
    const char *step;
} forks[] = {{1000000, "kill: 1"},   {5000001, "kill: 3"},    {6400000, "kill: 3"},
             {12000000, "pause: 1"}, {20000500, "expire: 1"}, {30000000, "shutdown: 1"}};

/* What stands before the fork is the same, and the fork is the first difference. */
START_TEST(a_branch_is_the_run_up_to_its_fork)
{
    char error[SIM_EDIT_ERROR];
    const struct fork *fork = &forks[_i];
    char *text = sim_scenario_add_step(scenario, strlen(scenario), fork->step, fork->at_us, error);
    ck_assert_msg(text != NULL, "%s", error);
    struct run a = run_text(scenario, SIM_ENDED_AT_UNTIL), b = run_text(text, SIM_ENDED_AT_UNTIL);
    struct sim_align *align = sim_align_new(a.trace, b.trace);
    check_whole(align);
    uint64_t count = align->side[0].count;
    for (uint64_t n = 1; n <= count && get(a.trace, n).t < fork->at_us; n++) {
        ck_assert_int_eq(align->side[0].state[n], SIM_ALIGN_SAME);
        ck_assert_uint_eq(align->side[0].other[n], n);
    }
    ck_assert_uint_gt(align->begin_count, 0);
    ck_assert_int_eq(align->begins[0].side, 1);
    ck_assert_int_eq(align->begins[0].t, fork->at_us);
    ck_assert_int_eq(get(b.trace, align->begins[0].n).kind, SIM_K_FAULT);

    struct sim_align *back = sim_align_new(b.trace, a.trace);
    ck_assert_uint_eq(back->same, align->same);
    for (uint64_t n = 1; n <= align->side[0].count; n++)
        ck_assert_uint_eq(back->side[1].other[n], align->side[0].other[n]);
    sim_align_free(back);
    sim_align_free(align);
    end_run(&a);
    end_run(&b);
    free(text);
}
END_TEST

/* Broker 3 dies, too, and what does not need it goes on as before, caused as before. */
START_TEST(what_goes_on_regardless_is_the_same_behind_the_fork)
{
    char error[SIM_EDIT_ERROR], *words = NULL;
    size_t size;
    char *text = sim_scenario_add_step(scenario, strlen(scenario), "kill: 3", 6400000, error);
    ck_assert_ptr_nonnull(text);
    struct run a = run_text(scenario, SIM_ENDED_AT_UNTIL), b = run_text(text, SIM_ENDED_AT_UNTIL);
    struct sim_align *align = sim_align_new(a.trace, b.trace);
    uint64_t behind = 0;
    for (uint64_t n = 1; n <= align->side[0].count; n++)
        behind += get(a.trace, n).t > 6400000 && align->side[0].other[n] > n &&
                  sim_align_alike(align, 0, n);
    ck_assert_uint_gt(behind, 50);
    FILE *out = open_memstream(&words, &size);
    ck_assert(!sim_diff_print(out, a.trace, b.trace, "A", "B"));
    fclose(out);
    ck_assert_ptr_nonnull(strstr(words, "The first difference, at 6.400s:\n"));
    ck_assert_ptr_nonnull(strstr(words, "The scenario of B asks for it, that of A does not.\n"));
    free(words);
    sim_align_free(align);
    end_run(&a);
    end_run(&b);
    free(text);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("align");
    TCase *tc = tcase_create("align");
    tcase_add_test(tc, what_moved_is_the_same_and_what_differs_is_told_once);
    tcase_add_test(tc, what_is_equal_is_paired_first);
    tcase_add_test(tc, a_fault_is_when_it_acts_and_an_absence_has_any_cause);
    tcase_add_test(tc, what_only_counts_does_not_differ);
    tcase_add_test(tc, a_trace_is_itself);
    tcase_add_loop_test(tc, numbers_play_no_part, 0, 4);
    tcase_add_loop_test(tc, a_branch_is_the_run_up_to_its_fork, 0,
                        (int)(sizeof(forks) / sizeof(forks[0])));
    tcase_add_test(tc, what_goes_on_regardless_is_the_same_behind_the_fork);
    tcase_set_timeout(tc, 120);
    suite_add_tcase(suite, tc);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? 0 : 1;
}
