/*
 * What the controller believes: brokers, topics, partitions, and the states of both machines.
 *
 * Every field of a row is written here, in context_rows.c (which rows there are) and in
 * context_states.c (the states of the machines), and nowhere else, so that three things cannot be
 * forgotten: the counters that Kafka keeps beside its maps, the sets that make walks cheap, and the
 * note that tells the trace what has changed.
 *
 * A row outlives its topic where a state, a flag or a reassignment still hangs on it: Kafka removes
 * a deleted topic from some of its maps only, and the remains decide when a topic of the same name
 * comes back (SM_DEFECT_DELETE_WHILE_REASSIGNING).
 *
 * Source: Kafka kafka.controller.ControllerContext.
 */
#include "controller/context_parts.h"

#include <assert.h>
#include <string.h>

/* ---- reading a row ---- */

static struct sm_list list_of(const struct kc_controller *c, const uint16_t *indexes,
                              uint32_t count)
{
    struct sm_list list = {.count = (int32_t)count};

    for (uint32_t i = 0; i < count; i++) {
        list.id[i] = kc_broker(c, indexes[i])->id;
    }
    return list;
}

static uint8_t store_list(struct kc_controller *c, uint16_t *indexes, const struct sm_list *list)
{
    assert(list->count <= (int32_t)c->limits.replicas);
    for (int32_t i = 0; i < list->count; i++) {
        indexes[i] = (uint16_t)kc_broker_intern(c, list->id[i]);
    }
    memset(indexes + list->count, 0, 2ull * (c->limits.replicas - (uint32_t)list->count));
    return (uint8_t)list->count;
}

struct sm_list kc_row_replicas(const struct kc_controller *c, uint32_t row)
{
    const struct kc_partition *p = kc_row_at(c, row);

    return list_of(c, kc_replicas(c, p), p->replica_count);
}

struct sm_assignment kc_row_assignment(const struct kc_controller *c, uint32_t row)
{
    const struct kc_partition *p = kc_row_at(c, row);

    return (struct sm_assignment){
        .replicas = list_of(c, kc_replicas(c, p), p->replica_count),
        .adding = list_of(c, kc_adding(c, p), p->adding_count),
        .removing = list_of(c, kc_removing(c, p), p->removing_count),
    };
}

struct sm_leader_and_isr kc_row_leadership(const struct kc_controller *c, uint32_t row)
{
    const struct kc_partition *p = kc_row_at(c, row);

    return (struct sm_leader_and_isr){
        .leader = p->leader,
        .leader_epoch = p->leader_epoch,
        .zk_version = p->zk_version,
        .controller_epoch = p->controller_epoch,
        .isr = list_of(c, kc_isr(c, p), p->isr_count),
    };
}

bool kc_has_leadership(const struct kc_controller *c, uint32_t row)
{
    return (kc_row_at(c, row)->flags & KC_PARTITION_LEADERSHIP) != 0;
}

bool kc_row_has_replica(const struct kc_controller *c, uint32_t row, uint32_t broker)
{
    const struct kc_partition *p = kc_row_at(c, row);
    const uint16_t *replicas = kc_replicas(c, p);

    for (uint32_t i = 0; i < p->replica_count; i++) {
        if (replicas[i] == broker) {
            return true;
        }
    }
    return false;
}

/* ---- liveness ---- */

bool kc_is_offline_dir(const struct kc_controller *c, uint32_t row, uint32_t broker)
{
    const struct kc_partition *p = kc_row_at(c, row);
    const struct kc_replica_entry *entries = kc_entries(c, p);

    if (!kc_broker_is(c, broker, KC_BROKER_OFFLINE_DIRS)) {
        return false;
    }
    for (uint32_t i = 0; i < p->entry_count; i++) {
        if (entries[i].broker == broker + 1) {
            return entries[i].offline_dir != 0;
        }
    }
    return false;
}

bool kc_is_online(const struct kc_controller *c, uint32_t row, uint32_t broker)
{
    enum { MASK = KC_BROKER_LIVE | KC_BROKER_SHUTTING_DOWN };

    return (kc_broker(c, broker)->flags & MASK) == KC_BROKER_LIVE &&
           !kc_is_offline_dir(c, row, broker);
}

bool kc_is_online_or_shutting_down(const struct kc_controller *c, uint32_t row, uint32_t broker)
{
    return kc_broker_is(c, broker, KC_BROKER_LIVE) && !kc_is_offline_dir(c, row, broker);
}

bool kc_is_online_id(const struct kc_controller *c, uint32_t row, int32_t id)
{
    uint32_t broker = kc_broker_find(c, id);

    return broker != KC_NO_ROW && kc_is_online(c, row, broker);
}

/* ---- counters that Kafka keeps beside its maps ---- */

static bool has_preferred_leader(const struct kc_controller *c, const struct kc_partition *p)
{
    uint32_t head = kc_replicas(c, p)[0];

    for (uint32_t i = 0; i < p->adding_count; i++) {
        if (kc_adding(c, p)[i] == head) {
            /* counted only once the new head has joined the ISR */
            for (uint32_t j = 0; j < p->isr_count; j++) {
                if (kc_isr(c, p)[j] == head) {
                    return false;
                }
            }
            return true;
        }
    }
    return p->leader == kc_broker(c, head)->id;
}

static bool is_imbalanced(const struct kc_controller *c, uint32_t row)
{
    enum { BOTH = KC_PARTITION_ASSIGNED | KC_PARTITION_LEADERSHIP };
    const struct kc_partition *p = kc_row_at(c, row);

    return (p->flags & BOTH) == BOTH && p->replica_count > 0 && !has_preferred_leader(c, p);
}

/* Brackets a change of assignment or leadership. */
static void uncount(struct kc_controller *c, uint32_t row)
{
    if (!kc_is_queued(c, row) && is_imbalanced(c, row)) {
        c->imbalance_count--;
    }
}

static void recount(struct kc_controller *c, uint32_t row)
{
    if (!kc_is_queued(c, row) && is_imbalanced(c, row)) {
        c->imbalance_count++;
    }
}

/* Source: ControllerContext.cleanPreferredReplicaImbalanceMetric. */
static void clean_imbalance(struct kc_controller *c, uint32_t topic)
{
    for (uint32_t row = kc_row_next_of(c, topic, KC_NO_ROW); row != KC_NO_ROW;
         row = kc_row_next_of(c, topic, row)) {
        if (is_imbalanced(c, row)) {
            c->imbalance_count--;
        }
    }
}

/* ---- assignment and leadership ---- */

static void note_assignment(struct kc_controller *c, uint32_t row, const struct sm_assignment *a)
{
    if (kc_notes(c, KC_NOTE_FACT)) {
        kc_emit(c, &(struct kc_output){.kind = KC_OUT_FACT,
                                       .fact = KC_FACT_ASSIGNMENT,
                                       .topic = kc_row_topic(c, row),
                                       .partition = kc_row_at(c, row)->partition,
                                       .assignment = a});
    }
}

static void note_leadership(struct kc_controller *c, uint32_t row,
                            const struct sm_leader_and_isr *li)
{
    if (kc_notes(c, KC_NOTE_FACT)) {
        kc_emit(c, &(struct kc_output){.kind = KC_OUT_FACT,
                                       .fact = KC_FACT_LEADERSHIP,
                                       .topic = kc_row_topic(c, row),
                                       .partition = kc_row_at(c, row)->partition,
                                       .li = li});
    }
}

void kc_put_assignment(struct kc_controller *c, uint32_t row, const struct sm_assignment *a)
{
    struct kc_partition *p = kc_row_at(c, row);

    uncount(c, row);
    p->replica_count = store_list(c, kc_replicas(c, p), &a->replicas);
    p->adding_count = store_list(c, kc_adding(c, p), &a->adding);
    p->removing_count = store_list(c, kc_removing(c, p), &a->removing);
    p->flags |= KC_PARTITION_ASSIGNED;
    recount(c, row);
    note_assignment(c, row, a);
}

void kc_put_leadership(struct kc_controller *c, uint32_t row, const struct sm_leader_and_isr *li)
{
    struct kc_partition *p = kc_row_at(c, row);

    uncount(c, row);
    p->leader = li->leader;
    p->leader_epoch = li->leader_epoch;
    p->zk_version = li->zk_version;
    p->controller_epoch = li->controller_epoch;
    p->isr_count = store_list(c, kc_isr(c, p), &li->isr);
    if ((p->flags & KC_PARTITION_LEADERSHIP) == 0) {
        c->leadership_count++;
    }
    p->flags |= KC_PARTITION_LEADERSHIP;
    recount(c, row);
    note_leadership(c, row, li);
}

static void forget_leadership(struct kc_controller *c, uint32_t row)
{
    struct kc_partition *p = kc_row_at(c, row);

    if ((p->flags & KC_PARTITION_LEADERSHIP) == 0) {
        return;
    }
    p->flags &= (uint8_t)~KC_PARTITION_LEADERSHIP;
    p->leader = SM_NO_LEADER;
    p->leader_epoch = p->zk_version = p->controller_epoch = 0;
    memset(kc_isr(c, p), 0, 2ull * c->limits.replicas);
    p->isr_count = 0;
    c->leadership_count--;
    note_leadership(c, row, NULL);
}

/* ---- deletion of topics ---- */

void kc_queue_topic_deletion(struct kc_controller *c, uint32_t topic)
{
    bool again = (kc_topic(c, topic)->flags & KC_TOPIC_QUEUED) != 0;

    kc_mark_topic(c, topic, KC_TOPIC_QUEUED, true);
    if (!again || kc_defect(c, SM_DEFECT_IMBALANCE_NEGATIVE)) {
        clean_imbalance(c, topic);
    }
}

/* Source: ControllerContext.removeTopic. */
void kc_remove_topic(struct kc_controller *c, uint32_t topic)
{
    struct kc_topic *t = kc_topic(c, topic);

    if ((t->flags & KC_TOPIC_QUEUED) == 0) {
        clean_imbalance(c, topic);
    }
    uint32_t halted = kc_defect(c, SM_DEFECT_INELIGIBLE_KEPT) ? 0 : KC_TOPIC_INELIGIBLE;
    kc_mark_topic(c, topic,
                  KC_TOPIC_QUEUED | KC_TOPIC_STARTED | KC_TOPIC_EXISTS | KC_TOPIC_HAS_ID |
                      KC_TOPIC_HELD | halted,
                  false);
    memset(t->id, 0, sizeof t->id);
    for (uint32_t row = kc_row_next_of(c, topic, KC_NO_ROW); row != KC_NO_ROW;
         row = kc_row_next_of(c, topic, row)) {
        struct kc_partition *p = kc_row_at(c, row);
        forget_leadership(c, row);
        p->flags &= (uint8_t) ~(KC_PARTITION_ASSIGNED);
        memset(kc_replicas(c, p), 0, 6ull * c->limits.replicas);
        p->replica_count = p->adding_count = p->removing_count = 0;
        note_assignment(c, row, NULL);
    }
    kc_free_bare_rows(c, topic);
    if (t->first == 0 && (t->flags & KC_TOPIC_INELIGIBLE) == 0) {
        kc_free_topic(c, topic);
    }
}

/* ---- role ---- */

bool kc_is_active(const struct kc_controller *c)
{
    return c->active_id == c->config.broker.id;
}

void kc_set_active(struct kc_controller *c, int32_t id)
{
    bool was = kc_is_active(c);

    if (c->active_id == id) {
        return;
    }
    c->active_id = id;
    if (!kc_notes(c, KC_NOTE_FACT)) {
        return;
    }
    kc_emit(c, &(struct kc_output){.kind = KC_OUT_FACT, .fact = KC_FACT_CONTROLLER, .value = id});
    if (was != kc_is_active(c)) {
        kc_emit(c, &(struct kc_output){
                       .kind = KC_OUT_FACT, .fact = KC_FACT_ROLE, .value = kc_is_active(c)});
    }
}

void kc_set_epoch(struct kc_controller *c, int32_t epoch, int32_t zk_version)
{
    c->epoch = epoch;
    c->epoch_zk_version = zk_version;
    if (kc_notes(c, KC_NOTE_FACT)) {
        kc_emit(c, &(struct kc_output){.kind = KC_OUT_FACT,
                                       .fact = KC_FACT_EPOCH,
                                       .value = epoch,
                                       .value2 = zk_version});
    }
}

static void note_ids(struct kc_controller *c, enum kc_fact fact, uint32_t mask)
{
    int32_t *ids = kc_at(c, c->at.text);
    uint32_t count = 0;
    uint32_t n = 0;

    for (uint32_t b = kc_broker_next(c, &n, mask, mask);
         b != KC_NO_ROW && count < KC_TEXT_MAX / sizeof *ids;
         b = kc_broker_next(c, &n, mask, mask)) {
        ids[count++] = kc_broker(c, b)->id;
    }
    kc_emit(c, &(struct kc_output){
                   .kind = KC_OUT_FACT, .fact = (uint8_t)fact, .ids = ids, .id_count = count});
}

void kc_note_live(struct kc_controller *c)
{
    if (kc_notes(c, KC_NOTE_FACT)) {
        note_ids(c, KC_FACT_LIVE, KC_BROKER_LIVE);
        note_ids(c, KC_FACT_SHUTTING_DOWN, KC_BROKER_SHUTTING_DOWN);
    }
}

/* The machines stop and know no state; the rest of the context stays. */
static void forget_states(struct kc_controller *c)
{
    for (uint32_t row = 0; row < c->partition_high; row++) {
        struct kc_partition *p = kc_row_at(c, row);
        p->state = SM_PARTITION_NONE;
        memset(kc_entries(c, p), 0, sizeof(struct kc_replica_entry) * p->entry_count);
        p->entry_count = 0;
    }
    kc_set_clear(c, KC_SET_PENDING);
    c->offline_count = 0;
}

void kc_forget_topics(struct kc_controller *c)
{
    memset(kc_at(c, c->at.partitions), 0, (size_t)c->at.partition_stride * c->partition_high);
    memset(kc_topic(c, 0), 0, (size_t)c->at.topic_stride * c->topic_count);
    memset(kc_at(c, c->at.topic_buckets), 0, 4ull * c->at.topic_bucket_count);
    memset(kc_at(c, c->at.partition_buckets), 0, 4ull * c->at.partition_bucket_count);
    for (int set = 0; set < KC_SET_END; set++) {
        kc_set_clear(c, set);
    }
    c->topic_count = c->partition_high = c->topic_free = c->partition_free = 0;
    c->topics_existing = c->leadership_count = 0;
    c->offline_count = c->imbalance_count = 0;
}

/* Everything is forgotten. In profiles without SM_RULE_RESET_ON_RESIGNATION, and with KAFKA-5310,
   only the states of the two machines are: assignments, leaders and who lives stay until the next
   failover reads them again. */
void kc_reset_context(struct kc_controller *c)
{
    kc_set_epoch(c, 0, 0);
    if (!sm_rule_on(&c->config.profile, SM_RULE_RESET_ON_RESIGNATION) ||
        kc_defect(c, SM_DEFECT_CONTEXT_KEPT)) {
        forget_states(c);
        return;
    }
    kc_forget_topics(c);
    for (uint32_t i = 0; i < c->broker_count; i++) {
        struct kc_broker *b = kc_broker(c, i);
        *b = (struct kc_broker){.id = b->id};
    }
    kc_note_live(c);
}
