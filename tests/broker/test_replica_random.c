/*
 * Chance: brokers die, return, are bounced, lose their machine; links break; requests are held; ISR
 * replies are lost; records come all the time. The controller of the test elects cleanly. After
 * every event the invariants of net.h hold; in the end, healed, everything is equal everywhere.
 *
 *
 *     KC_SEED=7          that seed only
 *     KC_DEFECT=KAFKA-1211    with this defect on: the run should fail
 *     KC_DEEP=1          2,000 seeds
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/broker/net.h"

#define SECOND INT64_C(1000000)

enum { BROKERS = 4, STEPS = 60 };

struct part {
    const char *topic;
    int32_t partition;
    const char *replicas;
};
static const struct part parts[] = {
    {"t", 0, "1,2,3"}, {"t", 1, "2,3,4"}, {"u", 0, "3,4,1"}, {"v", 0, "4,1"}};
enum { PARTS = sizeof parts / sizeof *parts };

struct chaos {
    struct net *n;
    uint64_t random, payload;
    bool died[BROKERS + 1]; /* the controller has not dealt with it */
};

static uint64_t draw(struct chaos *c, uint64_t below)
{
    c->random ^= c->random << 13;
    c->random ^= c->random >> 7;
    c->random ^= c->random << 17;
    return c->random % below;
}

/* ---- a controller that elects cleanly ---- */

static bool is_down(const struct chaos *c, int32_t id)
{
    return !net_is_alive(c->n, id) || c->died[id];
}

static void text_of(const struct sm_list *list, char *text, size_t size)
{
    size_t at = 0;
    text[0] = '\0';
    for (int i = 0; i < list->count; i++) {
        at += (size_t)snprintf(text + at, size - at, "%s%d", i == 0 ? "" : ",", list->id[i]);
    }
}

/* Dead members leave the ISR, but not the last; a dead leader's place goes to the first living
   member in the order of the assignment. */
static void on_deaths(struct chaos *c, const struct part *p)
{
    struct sm_leader_and_isr li;
    struct sm_list isr = {0};
    char text[64];
    int32_t leader = -1;

    ck_assert(net_get_state(c->n, p->topic, p->partition, &li));
    for (int i = 0; i < li.isr.count; i++) {
        if (!is_down(c, li.isr.id[i])) {
            isr.id[isr.count++] = li.isr.id[i];
        }
    }
    for (const char *r = p->replicas; *r != '\0' && leader == -1; r++) {
        leader = *r != ',' && sm_list_has(&isr, *r - '0') ? *r - '0' : -1;
    }
    if (isr.count == 0) {
        isr = li.isr;
    } else if (li.leader != -1 && !is_down(c, li.leader)) {
        leader = li.leader;
    }
    if (leader != li.leader || !sm_list_equal(&isr, &li.isr)) {
        text_of(&isr, text, sizeof text);
        net_elect(c->n, p->topic, p->partition, leader, text);
    }
}

/* Who returned hears everything; what had no leader may get one. */
static void on_starts(struct chaos *c)
{
    net_metadata(c->n);
    for (int b = 1; b <= BROKERS; b++) {
        if (!c->died[b] || !net_is_alive(c->n, b)) {
            continue;
        }
        c->died[b] = false;
        for (int i = 0; i < PARTS; i++) {
            if (strchr(parts[i].replicas, '0' + b) != NULL) {
                net_tell(c->n, b, parts[i].topic, parts[i].partition, false);
            }
        }
    }
    for (int i = 0; i < PARTS; i++) {
        on_deaths(c, &parts[i]);
    }
}

static void controller(struct chaos *c)
{
    for (int i = 0; i < PARTS; i++) {
        on_deaths(c, &parts[i]);
    }
    on_starts(c);
}

/* ---- faults ---- */

/* A lost machine forgets what was not flushed: only where every partition of it is safe elsewhere,
   and the controller acts before it returns. */
static bool may_lose(const struct chaos *c, int broker)
{
    for (int i = 0; i < PARTS; i++) {
        struct sm_leader_and_isr li;
        int others = 0;
        ck_assert(net_get_state(c->n, parts[i].topic, parts[i].partition, &li));
        for (int k = 0; k < li.isr.count; k++) {
            others += li.isr.id[k] != broker && !is_down(c, li.isr.id[k]);
        }
        if (sm_list_has(&li.isr, broker) && others == 0) {
            return false;
        }
    }
    return true;
}

static void kill_one(struct chaos *c)
{
    int broker = 1 + (int)draw(c, BROKERS);
    bool lost = draw(c, 3) == 0;

    if (!net_is_alive(c->n, broker)) {
        return;
    }
    if (lost && !may_lose(c, broker)) {
        lost = false;
    }
    if (draw(c, 4) == 0) {
        net_shut_down(c->n, broker);
    } else {
        net_kill(c->n, broker, lost);
    }
    c->died[broker] = true;
    if (lost) {
        controller(c);
        c->died[broker] = true;
    }
    if (draw(c, 3) == 0) {
        net_start(c->n, broker); /* before anybody has noticed */
    }
}

static void start_one(struct chaos *c)
{
    int broker = 1 + (int)draw(c, BROKERS);
    if (!net_is_alive(c->n, broker)) {
        net_start(c->n, broker);
    }
}

static void cut_one(struct chaos *c)
{
    int from = 1 + (int)draw(c, BROKERS), to = 1 + (int)draw(c, BROKERS);
    net_cut(c->n, from, to, draw(c, 2) == 0);
}

/* Preferred, or any other living member of the ISR. */
static void move_leader(struct chaos *c)
{
    const struct part *p = &parts[draw(c, PARTS)];
    struct sm_leader_and_isr li;
    int32_t to;

    ck_assert(net_get_state(c->n, p->topic, p->partition, &li));
    to = li.isr.id[draw(c, (uint64_t)li.isr.count)];
    if (!is_down(c, to)) {
        net_elect(c->n, p->topic, p->partition, to, NULL);
    }
}

static void produce(struct chaos *c, uint64_t count)
{
    for (uint64_t i = 0; i < count; i++) {
        const struct part *p = &parts[draw(c, PARTS)];
        struct sm_leader_and_isr li;
        int32_t to;
        ck_assert(net_get_state(c->n, p->topic, p->partition, &li));
        to = draw(c, 10) == 0 ? 1 + (int32_t)draw(c, BROKERS) : li.leader;
        if (to > 0 && net_is_alive(c->n, to)) {
            int32_t acks = draw(c, 4) == 0 ? 1 : -1;
            net_produce(c->n, to, p->topic, p->partition, ++c->payload, acks);
        }
        net_run(c->n, (int64_t)draw(c, 20000));
    }
}

static void delete_records(struct chaos *c)
{
    const struct part *p = &parts[draw(c, PARTS)];
    struct sm_leader_and_isr li;
    ck_assert(net_get_state(c->n, p->topic, p->partition, &li));
    if (li.leader > 0 && net_is_alive(c->n, li.leader) &&
        kb_is_leader(net_replicas(c->n, li.leader), p->topic, p->partition)) {
        int64_t hw = net_view(c->n, li.leader, p->topic, p->partition).hw;
        net_delete_records(c->n, li.leader, p->topic, p->partition,
                           (int64_t)draw(c, (uint64_t)hw + 1));
    }
}

static void hold_one(struct chaos *c)
{
    int broker = 1 + (int)draw(c, BROKERS);
    net_hold(c->n, broker, draw(c, 2) == 0);
}

static void act(struct chaos *c)
{
    switch (draw(c, 12)) {
    case 0:
    case 1:
        kill_one(c);
        break;
    case 2:
    case 3:
        start_one(c);
        break;
    case 4:
    case 5:
        controller(c);
        break;
    case 6:
        cut_one(c);
        break;
    case 7:
        move_leader(c);
        break;
    case 8:
        hold_one(c);
        break;
    case 9:
        net_lose_isr_reply(c->n);
        break;
    case 10:
        delete_records(c);
        break;
    default:
        net_run(c->n, (int64_t)draw(c, 40) * SECOND);
        break;
    }
}

/* ---- in the end ---- */

static void heal(struct chaos *c)
{
    for (int b = 1; b <= BROKERS; b++) {
        for (int k = 1; k <= BROKERS; k++) {
            net_cut(c->n, b, k, false);
        }
        net_hold(c->n, b, false);
        if (!net_is_alive(c->n, b)) {
            net_start(c->n, b);
        }
    }
    controller(c);
    net_run(c->n, SECOND);
    for (int i = 0; i < PARTS; i++) { /* whoever gave up asking hears a new epoch */
        struct sm_leader_and_isr li;
        ck_assert(net_get_state(c->n, parts[i].topic, parts[i].partition, &li));
        ck_assert_int_ne(li.leader, -1);
        net_elect(c->n, parts[i].topic, parts[i].partition, li.leader, NULL);
    }
    net_run(c->n, 100 * SECOND);
}

static int64_t batches_of(const struct chaos *c, const struct part *p)
{
    struct sm_leader_and_isr li;
    char text[4096];
    int64_t batches = 0;

    ck_assert(net_get_state(c->n, p->topic, p->partition, &li));
    for (const char *r = p->replicas; *r != '\0'; r++) {
        struct kb_partition_view v, leader;
        if (*r == ',') {
            continue;
        }
        ck_assert_msg(sm_list_has(&li.isr, *r - '0'), "%s-%d: %c is not in the ISR %s", p->topic,
                      p->partition, *r, net_state(c->n, p->topic, p->partition));
        v = net_view(c->n, *r - '0', p->topic, p->partition);
        leader = net_view(c->n, li.leader, p->topic, p->partition);
        snprintf(text, sizeof text, "%s", net_log(c->n, li.leader, p->topic, p->partition));
        ck_assert_int_eq(v.log_end, leader.log_end);
        ck_assert_int_eq(v.hw, leader.log_end);
        batches += v.batch_count;
    }
    return batches;
}

static uint64_t seen[32];

static void run_seed(uint64_t seed, enum sm_version version)
{
    struct chaos c = {.random = seed * 0x9E3779B97F4A7C15ull + 1};
    struct kb_config config = kb_config_default(sm_profile_of(version), 1);
    int64_t batches = 0;

    config.min_insync_replicas = 1 + (int32_t)draw(&c, 2);
    config.fetchers_per_leader = 1 + (int32_t)draw(&c, 2);
    config.flush_messages = (int64_t)draw(&c, 4);
    if (getenv("KC_DEFECT") != NULL) {
        enum sm_defect defect = sm_defect_named(getenv("KC_DEFECT"));
        ck_assert_int_ne(defect, SM_DEFECT_END);
        config.profile.defects |= UINT64_C(1) << defect;
    }
    c.n = net_new_with(&config, BROKERS);
    net_jitter(c.n, seed + 1);
    for (int i = 0; i < PARTS; i++) {
        net_topic(c.n, parts[i].topic, parts[i].partition, parts[i].replicas);
    }
    for (int i = 0; i < STEPS; i++) {
        produce(&c, draw(&c, 6));
        act(&c);
        net_run(c.n, (int64_t)draw(&c, 3) * SECOND / 2);
    }
    heal(&c);
    for (int i = 0; i < PARTS; i++) {
        batches += batches_of(&c, &parts[i]);
    }
    ck_assert_int_eq(net_references(c.n), batches);
    for (int f = 0; f < 32; f++) {
        seen[f] += net_facts(c.n, (enum kb_fact)f);
    }
    seen[31] += net_acked(c.n);
    net_free(c.n);
}

static int seeds(void)
{
    const char *deep = getenv("KC_DEEP");
    return deep != NULL && *deep == '1' ? 2000 : 60;
}

/* Goal: nothing that was acknowledged is lost, and all ends equal, whatever happens; and it did
   happen. */
START_TEST(nothing_acknowledged_is_lost)
{
    const char *one = getenv("KC_SEED");
    int first = one == NULL ? 1 : atoi(one);
    int last = one == NULL ? seeds() : first;

    for (int seed = first; seed <= last; seed++) {
        printf("seed %d\r", seed);
        fflush(stdout);
        run_seed((uint64_t)seed, SM_VERSION_2_8_FIXED);
    }
    if (one == NULL) {
        ck_assert_uint_gt(seen[KB_FACT_TRUNCATED], 20);
        ck_assert_uint_gt(seen[KB_FACT_ISR], 100);
        ck_assert_uint_gt(seen[KB_FACT_ISR_FAILED], 5);
        ck_assert_uint_gt(seen[KB_FACT_NO_LEADER], 5);
        ck_assert_uint_gt(seen[KB_FACT_FAILED], 5);
        ck_assert_uint_gt(seen[31], 1000);
    }
}
END_TEST

/* Goal: the same seed gives the same run. */
START_TEST(a_run_is_a_function_of_its_seed)
{
    uint64_t before[32];

    run_seed(7, SM_VERSION_2_8);
    memcpy(before, seen, sizeof seen);
    memset(seen, 0, sizeof seen);
    run_seed(7, SM_VERSION_2_8);
    ck_assert_mem_eq(before, seen, sizeof seen);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("broker: replicas, chance");
    TCase *tc = tcase_create("random");
    tcase_set_timeout(tc, 3600);
    tcase_add_test(tc, nothing_acknowledged_is_lost);
    tcase_add_test(tc, a_run_is_a_function_of_its_seed);
    suite_add_tcase(suite, tc);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed != 0;
}
