/*
 * What the controller believes: brokers, topics, partitions, and the states of both machines.
 *
 * Every field of a row is written here and nowhere else, so that three things cannot be forgotten:
 * the counters that Kafka keeps beside its maps, the sets that make walks cheap, and the note that
 * tells the trace what has changed.
 *
 * A row outlives its topic where a state, a flag or a reassignment still hangs on it: Kafka removes
 * a deleted topic from some of its maps only, and the remains decide when a topic of the same name
 * comes back (SM_DEFECT_DELETE_WHILE_REASSIGNING).
 *
 * Source: Kafka kafka.controller.ControllerContext.
 */
#include "controller/state.h"

#include <assert.h>
#include <string.h>

/* ---- brokers ---- */

/* Returns how many brokers have an id below `id`. */
static uint32_t brokers_below(const struct kc_controller *c, int32_t id)
{
    uint32_t low = 0;
    uint32_t high = c->broker_count;

    while (low < high) {
        uint32_t middle = (low + high) / 2;
        if (kc_broker(c, kc_broker_ordered(c, middle))->id < id) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low;
}

uint32_t kc_broker_find(const struct kc_controller *c, int32_t id)
{
    uint32_t n = brokers_below(c, id);

    if (n == c->broker_count || kc_broker(c, kc_broker_ordered(c, n))->id != id) {
        return KC_NO_ROW;
    }
    return kc_broker_ordered(c, n);
}

uint32_t kc_broker_intern(struct kc_controller *c, int32_t id)
{
    uint32_t n = brokers_below(c, id);
    uint16_t *order = kc_at(c, c->at.broker_order);

    if (n < c->broker_count && kc_broker(c, order[n])->id == id) {
        return order[n];
    }
    assert(c->broker_count < c->limits.brokers);
    memmove(order + n + 1, order + n, 2ull * (c->broker_count - n));
    order[n] = (uint16_t)c->broker_count;
    kc_broker(c, c->broker_count)->id = id;
    return c->broker_count++;
}

bool kc_broker_is(const struct kc_controller *c, uint32_t broker, uint32_t flag)
{
    return (kc_broker(c, broker)->flags & flag) != 0;
}

uint32_t kc_broker_next(const struct kc_controller *c, uint32_t *n, uint32_t mask, uint32_t want)
{
    while (*n < c->broker_count) {
        uint32_t index = kc_broker_ordered(c, (*n)++);
        if ((kc_broker(c, index)->flags & mask) == want) {
            return index;
        }
    }
    return KC_NO_ROW;
}

uint32_t kc_broker_count_with(const struct kc_controller *c, uint32_t mask, uint32_t want)
{
    uint32_t n = 0;
    uint32_t count = 0;

    while (kc_broker_next(c, &n, mask, want) != KC_NO_ROW) {
        count++;
    }
    return count;
}

/* ---- topics ---- */

uint32_t kc_topic_find(const struct kc_controller *c, const char *name)
{
    const uint32_t *buckets = kc_at(c, c->at.topic_buckets);

    for (uint32_t at = buckets[kc_topic_bucket(c, name)]; at != 0;
         at = kc_topic(c, at - 1)->next_hash) {
        if (strcmp(kc_topic_name(kc_topic(c, at - 1)), name) == 0) {
            return at - 1;
        }
    }
    return KC_NO_ROW;
}

static uint32_t topic_slot(struct kc_controller *c)
{
    if (c->topic_free != 0) {
        uint32_t index = c->topic_free - 1;
        c->topic_free = kc_topic(c, index)->next_hash;
        return index;
    }
    assert(c->topic_count < c->limits.topics);
    return c->topic_count++;
}

uint32_t kc_topic_intern(struct kc_controller *c, const char *name)
{
    uint32_t index = kc_topic_find(c, name);

    if (index != KC_NO_ROW) {
        return index;
    }
    index = topic_slot(c);
    struct kc_topic *t = kc_topic(c, index);
    uint32_t *bucket = (uint32_t *)kc_at(c, c->at.topic_buckets) + kc_topic_bucket(c, name);
    memset(t, 0, c->at.topic_stride);
    assert(strlen(name) < c->limits.topic_name);
    memcpy(kc_topic_name(t), name, strlen(name));
    t->used = 1;
    t->next_hash = *bucket;
    *bucket = index + 1;
    return index;
}

static void unchain(struct kc_controller *c, uint32_t *link, bool is_topic, uint32_t index)
{
    while (*link != index + 1) {
        assert(*link != 0);
        link = is_topic ? &kc_topic(c, *link - 1)->next_hash : &kc_row_at(c, *link - 1)->next_hash;
    }
    *link = is_topic ? kc_topic(c, index)->next_hash : kc_row_at(c, index)->next_hash;
}

static void free_topic(struct kc_controller *c, uint32_t index)
{
    struct kc_topic *t = kc_topic(c, index);

    unchain(c, (uint32_t *)kc_at(c, c->at.topic_buckets) + kc_topic_bucket(c, kc_topic_name(t)),
            true, index);
    memset(t, 0, c->at.topic_stride);
    t->next_hash = c->topic_free;
    c->topic_free = index + 1;
}

void kc_mark_topic(struct kc_controller *c, uint32_t topic, uint32_t flag, bool on)
{
    enum { SHOWN = KC_TOPIC_QUEUED | KC_TOPIC_STARTED | KC_TOPIC_INELIGIBLE };
    struct kc_topic *t = kc_topic(c, topic);
    uint32_t before = t->flags;

    t->flags = on ? before | flag : before & ~flag;
    if (((before ^ t->flags) & KC_TOPIC_EXISTS) != 0) {
        c->topics_existing += on ? 1u : -1u;
    }
    if (((before ^ t->flags) & SHOWN) != 0 && kc_notes(c, KC_NOTE_FACT)) {
        kc_emit(c, &(struct kc_output){.kind = KC_OUT_FACT,
                                       .fact = KC_FACT_DELETING,
                                       .topic = kc_topic_name(t),
                                       .value = ((t->flags & KC_TOPIC_QUEUED) != 0 ? 1 : 0) |
                                                ((t->flags & KC_TOPIC_STARTED) != 0 ? 2 : 0) |
                                                ((t->flags & KC_TOPIC_INELIGIBLE) != 0 ? 4 : 0)});
    }
}

/* ---- partitions ---- */

uint32_t kc_row_find(const struct kc_controller *c, uint32_t topic, int32_t partition)
{
    const uint32_t *buckets = kc_at(c, c->at.partition_buckets);

    for (uint32_t at = buckets[kc_row_bucket(c, topic, partition)]; at != 0;
         at = kc_row_at(c, at - 1)->next_hash) {
        const struct kc_partition *p = kc_row_at(c, at - 1);
        if (p->topic == topic + 1 && p->partition == partition) {
            return at - 1;
        }
    }
    return KC_NO_ROW;
}

uint32_t kc_row_named(const struct kc_controller *c, const char *topic, int32_t partition)
{
    uint32_t t = kc_topic_find(c, topic);

    return t == KC_NO_ROW ? KC_NO_ROW : kc_row_find(c, t, partition);
}

static uint32_t partition_slot(struct kc_controller *c)
{
    if (c->partition_free != 0) {
        uint32_t row = c->partition_free - 1;
        c->partition_free = kc_row_at(c, row)->next_hash;
        return row;
    }
    assert(c->partition_high < c->limits.partitions);
    return c->partition_high++;
}

/* Rows of a topic hang together ascending by partition; new ones nearly always go to the end. */
static void link_into_topic(struct kc_controller *c, struct kc_topic *t, uint32_t row)
{
    struct kc_partition *p = kc_row_at(c, row);

    if (t->last == 0 || kc_row_at(c, t->last - 1)->partition < p->partition) {
        if (t->last != 0) {
            kc_row_at(c, t->last - 1)->next_in_topic = row + 1;
        } else {
            t->first = row + 1;
        }
        t->last = row + 1;
        return;
    }
    uint32_t *link = &t->first;
    while (kc_row_at(c, *link - 1)->partition < p->partition) {
        link = &kc_row_at(c, *link - 1)->next_in_topic;
    }
    p->next_in_topic = *link;
    *link = row + 1;
}

uint32_t kc_row_intern(struct kc_controller *c, uint32_t topic, int32_t partition)
{
    uint32_t row = kc_row_find(c, topic, partition);

    if (row != KC_NO_ROW) {
        return row;
    }
    row = partition_slot(c);
    struct kc_partition *p = kc_row_at(c, row);
    uint32_t *bucket =
        (uint32_t *)kc_at(c, c->at.partition_buckets) + kc_row_bucket(c, topic, partition);
    memset(p, 0, c->at.partition_stride);
    p->topic = topic + 1;
    p->partition = partition;
    p->leader = SM_NO_LEADER;
    p->next_hash = *bucket;
    *bucket = row + 1;
    link_into_topic(c, kc_topic(c, topic), row);
    uint32_t count = ++kc_topic(c, topic)->partition_count;
    c->largest_topic = count > c->largest_topic ? count : c->largest_topic;
    return row;
}

uint32_t kc_row_next_of(const struct kc_controller *c, uint32_t topic, uint32_t row)
{
    uint32_t next = row == KC_NO_ROW ? kc_topic(c, topic)->first : kc_row_at(c, row)->next_in_topic;

    return next == 0 ? KC_NO_ROW : next - 1;
}

const char *kc_row_topic(const struct kc_controller *c, uint32_t row)
{
    return kc_topic_name(kc_topic(c, kc_row_at(c, row)->topic - 1));
}

bool kc_row_is_assigned(const struct kc_controller *c, uint32_t row)
{
    const struct kc_partition *p = kc_row_at(c, row);

    return p->topic != 0 && (p->flags & KC_PARTITION_ASSIGNED) != 0;
}

bool kc_is_queued(const struct kc_controller *c, uint32_t row)
{
    return (kc_topic(c, kc_row_at(c, row)->topic - 1)->flags & KC_TOPIC_QUEUED) != 0;
}

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

/* ---- states ---- */

static bool is_pending(uint32_t state)
{
    return state == SM_PARTITION_NEW || state == SM_PARTITION_OFFLINE;
}

static void count_offline(struct kc_controller *c, uint32_t row, uint32_t from, uint32_t to)
{
    if ((kc_topic(c, kc_row_at(c, row)->topic - 1)->flags & KC_TOPIC_STARTED) != 0) {
        return;
    }
    if (from != SM_PARTITION_OFFLINE && to == SM_PARTITION_OFFLINE) {
        c->offline_count++;
    } else if (from == SM_PARTITION_OFFLINE && to != SM_PARTITION_OFFLINE) {
        c->offline_count--;
    }
}

void kc_put_partition_state(struct kc_controller *c, uint32_t row, enum sm_partition_state to,
                            bool direct)
{
    struct kc_partition *p = kc_row_at(c, row);
    enum sm_partition_state from = p->state;

    assert(direct || sm_partition_may_move(&c->config.profile, from, to));
    count_offline(c, row, from, to);
    p->state = (uint8_t)to;
    if (is_pending(to)) {
        kc_set_add(c, KC_SET_PENDING, row);
    } else {
        kc_set_remove(c, KC_SET_PENDING, row);
    }
    if (kc_notes(c, KC_NOTE_MOVE)) {
        kc_emit(c, &(struct kc_output){.kind = KC_OUT_MOVE,
                                       .machine = KC_MACHINE_PARTITION,
                                       .topic = kc_row_topic(c, row),
                                       .partition = p->partition,
                                       .from = (uint8_t)from,
                                       .to = (uint8_t)to,
                                       .ok = 1,
                                       .direct = direct});
    }
}

static struct kc_replica_entry *entry_of(const struct kc_controller *c, uint32_t row,
                                         uint32_t broker)
{
    struct kc_partition *p = kc_row_at(c, row);
    struct kc_replica_entry *entries = kc_entries(c, p);

    for (uint32_t i = 0; i < p->entry_count; i++) {
        if (entries[i].broker == broker + 1) {
            return &entries[i];
        }
    }
    return NULL;
}

/* Entries of brokers that left the assignment stay only where a change of theirs failed; there is
   room for as many of these as for assigned ones, then the oldest is forgotten. */
static struct kc_replica_entry *entry_for(struct kc_controller *c, uint32_t row, uint32_t broker)
{
    struct kc_partition *p = kc_row_at(c, row);
    struct kc_replica_entry *entries = kc_entries(c, p);
    struct kc_replica_entry *entry = entry_of(c, row, broker);

    if (entry != NULL) {
        return entry;
    }
    if (p->entry_count == 2 * c->limits.replicas) {
        uint32_t i = 0;
        while (i + 1 < p->entry_count && kc_row_has_replica(c, row, entries[i].broker - 1u)) {
            i++;
        }
        memmove(entries + i, entries + i + 1, sizeof *entries * (p->entry_count - i - 1));
        p->entry_count--;
    }
    entry = &entries[p->entry_count++];
    *entry = (struct kc_replica_entry){.broker = (uint16_t)(broker + 1)};
    return entry;
}

static void drop_empty_entry(struct kc_controller *c, uint32_t row, struct kc_replica_entry *entry)
{
    struct kc_partition *p = kc_row_at(c, row);
    struct kc_replica_entry *entries = kc_entries(c, p);
    size_t i = (size_t)(entry - entries);

    if (entry->state != SM_REPLICA_NONE || entry->offline_dir != 0) {
        return;
    }
    memmove(entry, entry + 1, sizeof *entry * (p->entry_count - i - 1));
    p->entry_count--;
    entries[p->entry_count] = (struct kc_replica_entry){0};
}

enum sm_replica_state kc_row_replica_state(const struct kc_controller *c, uint32_t row,
                                           uint32_t broker)
{
    const struct kc_replica_entry *entry = entry_of(c, row, broker);

    return entry == NULL ? SM_REPLICA_NONE : (enum sm_replica_state)entry->state;
}

/* NonExistentReplica is kept as no entry: no move distinguishes the two. */
void kc_put_replica_state(struct kc_controller *c, uint32_t row, uint32_t broker,
                          enum sm_replica_state to, bool direct)
{
    struct kc_replica_entry *entry = entry_for(c, row, broker);
    enum sm_replica_state from = entry->state;

    assert(direct || sm_replica_may_move(&c->config.profile, from, to));
    entry->state = to == SM_REPLICA_NONEXISTENT ? SM_REPLICA_NONE : (uint8_t)to;
    drop_empty_entry(c, row, entry);
    if (kc_notes(c, KC_NOTE_MOVE)) {
        kc_emit(c, &(struct kc_output){.kind = KC_OUT_MOVE,
                                       .machine = KC_MACHINE_REPLICA,
                                       .topic = kc_row_topic(c, row),
                                       .partition = kc_row_at(c, row)->partition,
                                       .broker_id = kc_broker(c, broker)->id,
                                       .from = (uint8_t)from,
                                       .to = (uint8_t)to,
                                       .ok = 1,
                                       .direct = direct});
    }
}

void kc_put_offline_dir(struct kc_controller *c, uint32_t row, uint32_t broker, bool offline)
{
    if (kc_is_offline_dir(c, row, broker) == offline) {
        return;
    }
    struct kc_replica_entry *entry = entry_for(c, row, broker);
    entry->offline_dir = offline;
    drop_empty_entry(c, row, entry);
    if (offline) {
        kc_broker(c, broker)->flags |= KC_BROKER_OFFLINE_DIRS;
    }
    if (kc_notes(c, KC_NOTE_FACT)) {
        kc_emit(c, &(struct kc_output){.kind = KC_OUT_FACT,
                                       .fact = KC_FACT_OFFLINE_DIR,
                                       .topic = kc_row_topic(c, row),
                                       .partition = kc_row_at(c, row)->partition,
                                       .broker_id = kc_broker(c, broker)->id,
                                       .value = offline});
    }
}

/* Walks all rows, but only for a broker that ever had an offline directory. */
void kc_clear_offline_dirs(struct kc_controller *c, uint32_t broker)
{
    if (!kc_broker_is(c, broker, KC_BROKER_OFFLINE_DIRS)) {
        return;
    }
    for (uint32_t row = 0; row < c->partition_high; row++) {
        if (kc_row_at(c, row)->topic != 0) {
            kc_put_offline_dir(c, row, broker, false);
        }
    }
    kc_broker(c, broker)->flags &= ~(uint32_t)KC_BROKER_OFFLINE_DIRS;
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

static bool row_is_bare(const struct kc_controller *c, uint32_t row)
{
    const struct kc_partition *p = kc_row_at(c, row);

    return p->flags == 0 && p->entry_count == 0 &&
           (p->state == SM_PARTITION_NONE || p->state == SM_PARTITION_NONEXISTENT) &&
           !kc_set_has(c, KC_SET_REASSIGNING, row);
}

static void free_row(struct kc_controller *c, uint32_t row)
{
    struct kc_partition *p = kc_row_at(c, row);

    unchain(c,
            (uint32_t *)kc_at(c, c->at.partition_buckets) +
                kc_row_bucket(c, p->topic - 1, p->partition),
            false, row);
    for (int set = 0; set < KC_SET_END; set++) {
        kc_set_remove(c, set, row);
    }
    memset(p, 0, c->at.partition_stride);
    p->next_hash = c->partition_free;
    c->partition_free = row + 1;
}

static void free_bare_rows(struct kc_controller *c, uint32_t topic)
{
    struct kc_topic *t = kc_topic(c, topic);
    uint32_t next = t->first;

    t->first = t->last = 0;
    t->partition_count = 0;
    while (next != 0) {
        uint32_t row = next - 1;
        next = kc_row_at(c, row)->next_in_topic;
        if (row_is_bare(c, row)) {
            free_row(c, row);
            continue;
        }
        kc_row_at(c, row)->next_in_topic = 0;
        link_into_topic(c, t, row);
        t->partition_count++;
    }
}

/* Source: ControllerContext.removeTopic. */
void kc_remove_topic(struct kc_controller *c, uint32_t topic)
{
    struct kc_topic *t = kc_topic(c, topic);

    if ((t->flags & KC_TOPIC_QUEUED) == 0) {
        clean_imbalance(c, topic);
    }
    kc_mark_topic(c, topic, KC_TOPIC_QUEUED | KC_TOPIC_STARTED | KC_TOPIC_EXISTS | KC_TOPIC_HAS_ID,
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
    free_bare_rows(c, topic);
    if (t->first == 0 && (t->flags & KC_TOPIC_INELIGIBLE) == 0) {
        free_topic(c, topic);
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
