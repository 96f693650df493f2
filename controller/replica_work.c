/*
 * What the replica machine is called with: pairs of partition and broker, as groups of rows, one
 * group a broker, in the order in which Kafka handles them.
 *
 *     order  | broker 5 | broker 1 | …       count, place, fill: two walks over the rows, no
 * sorting start  | 0        | 3        | 7 rows   | a b c    | b d e f  |
 *
 * Source: Kafka 2.8.2 ZkReplicaStateMachine.handleStateChanges (groupBy), scala.collection HashMap.
 */
#include "controller/state.h"

#include <assert.h>
#include <string.h>

void kc_replicas_begin(struct kc_controller *c)
{
    assert(c->limits.brokers > 0);
    c->call.group = c->call.group_count = 0;
    kc_work_start(c)[0] = 0;
    memset(kc_work_place(c), 0, 4ull * c->limits.brokers);
}

typedef uint32_t (*kc_row_walk)(const struct kc_controller *c, uint32_t set, uint32_t from);

static uint32_t every_row(const struct kc_controller *c, uint32_t set, uint32_t from)
{
    (void)set;
    for (; from < c->partition_high; from++) {
        if (kc_row_is_assigned(c, from)) {
            return from;
        }
    }
    return KC_NO_ROW;
}

static uint32_t row_of_set(const struct kc_controller *c, uint32_t set, uint32_t from)
{
    return kc_set_next(c, set, from);
}

static void count_wanted(struct kc_controller *c, kc_row_walk walk, uint32_t set,
                         kc_replica_filter wanted, uint32_t arg)
{
    uint32_t *place = kc_work_place(c);

    for (uint32_t row = walk(c, set, 0); row != KC_NO_ROW; row = walk(c, set, row + 1)) {
        const struct kc_partition *p = kc_row_at(c, row);
        const uint16_t *replicas = kc_replicas(c, p);
        for (uint32_t i = 0; i < p->replica_count; i++) {
            place[replicas[i]] += wanted(c, row, replicas[i], arg);
        }
    }
}

/* Brokers with work, in the order in which Kafka 2.8 handles them; places become positions. */
static void order_groups(struct kc_controller *c)
{
    int32_t ids[UINT16_MAX / 8];
    uint32_t *place = kc_work_place(c);
    uint32_t count = 0;
    uint32_t at = 0;

    for (uint32_t n = 0; n < c->broker_count; n++) {
        uint32_t broker = kc_broker_ordered(c, n);
        if (place[broker] > 0 && count < sizeof ids / sizeof ids[0]) {
            ids[count++] = kc_broker(c, broker)->id;
        }
    }
    if (sm_rule_on(&c->config.profile, SM_RULE_BATCHED_CHANGES)) {
        sm_scala_order(ids, (int32_t)count);
    }
    for (uint32_t g = 0; g < count; g++) {
        uint32_t broker = kc_broker_find(c, ids[g]);
        uint32_t size = place[broker];
        kc_work_order(c)[g] = (uint16_t)broker;
        kc_work_start(c)[g] = at;
        place[broker] = at;
        at += size;
    }
    kc_work_start(c)[count] = at;
    c->call.group_count = count;
}

static void fill_wanted(struct kc_controller *c, kc_row_walk walk, uint32_t set,
                        kc_replica_filter wanted, uint32_t arg)
{
    uint32_t *place = kc_work_place(c);

    for (uint32_t row = walk(c, set, 0); row != KC_NO_ROW; row = walk(c, set, row + 1)) {
        const struct kc_partition *p = kc_row_at(c, row);
        const uint16_t *replicas = kc_replicas(c, p);
        for (uint32_t i = 0; i < p->replica_count; i++) {
            if (wanted(c, row, replicas[i], arg)) {
                kc_work_rows(c)[place[replicas[i]]++] = row;
            }
        }
    }
    memset(place, 0, 4ull * c->limits.brokers);
}

static void select_replicas(struct kc_controller *c, kc_row_walk walk, uint32_t set,
                            kc_replica_filter wanted, uint32_t arg)
{
    kc_replicas_begin(c);
    count_wanted(c, walk, set, wanted, arg);
    order_groups(c);
    fill_wanted(c, walk, set, wanted, arg);
}

void kc_replicas_select(struct kc_controller *c, kc_replica_filter wanted, uint32_t arg)
{
    select_replicas(c, every_row, 0, wanted, arg);
}

void kc_replicas_select_in(struct kc_controller *c, enum kc_set set, kc_replica_filter wanted,
                           uint32_t arg)
{
    select_replicas(c, row_of_set, set, wanted, arg);
}

void kc_replicas_of(struct kc_controller *c, uint32_t row, const struct sm_list *ids)
{
    uint32_t *place = kc_work_place(c);

    kc_replicas_begin(c);
    for (int32_t i = 0; i < ids->count; i++) {
        place[kc_broker_intern(c, ids->id[i])] = 1;
    }
    order_groups(c);
    for (uint32_t g = 0; g < c->call.group_count; g++) {
        kc_work_rows(c)[g] = row;
    }
    memset(place, 0, 4ull * c->limits.brokers);
}

bool kc_replicas_are_none(const struct kc_controller *c)
{
    return c->call.group_count == 0;
}

void kc_replicas_call(struct kc_controller *c, enum sm_replica_state target)
{
    if (!kc_replicas_are_none(c)) {
        c->call.target = target;
        kc_call(c, KC_FLOW_REPLICA_CHANGE, 0);
    }
}
