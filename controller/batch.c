/*
 * Request batches: what one state-change call has to tell the brokers.
 *
 *   begin ──► records are appended (LeaderAndIsr, UpdateMetadata, StopReplica, as they come)
 *         ──► send: the batch is complete, every sender's cursor will come to it (batch_send.c)
 *
 * A batch is built in place at the end of an arena and stored once; recipients are bits. As in
 * Kafka, a later word about the same broker and partition replaces an earlier one, isNew and
 * deletePartition stay once set, and UpdateMetadata has one list for all of its recipients. The
 * records of a partition hang together through `older`, so that replacing is a short walk.
 *
 * Old versions differ: isNew is unknown, and StopReplica has no epochs.
 *
 * Source: Kafka ControllerChannelManager.AbstractControllerBrokerRequestBatch.
 */
#include "controller/batch_parts.h"

#include <assert.h>
#include <string.h>

bool kc_batch_is_open(const struct kc_controller *c)
{
    return c->batch_open != 0;
}

static void add_brokers(struct kc_controller *c)
{
    uint32_t n = 0;
    uint32_t count = 0;

    for (uint32_t i = kc_broker_next(c, &n, KC_BROKER_LIVE, KC_BROKER_LIVE); i != KC_NO_ROW;
         i = kc_broker_next(c, &n, KC_BROKER_LIVE, KC_BROKER_LIVE)) {
        const struct kc_broker *known = kc_broker(c, i);
        uint64_t at = kc_arena_add(c, &c->batches, wire_broker_size(&known->known));
        wire_broker_encode(kc_arena_ptr(c, &c->batches, at), i, known->epoch, &known->known);
        count++;
    }
    open_batch(c)->broker_count = count;
}

bool kc_batch_begin(struct kc_controller *c, enum kc_owner owner)
{
    assert(c->batch_open == 0);
    if ((c->dirty >> owner & 1) != 0) {
        return false;
    }
    uint32_t sets = (uint32_t)sizeof(struct wire_batch);
    uint32_t words = c->at.broker_words;
    c->batch_owner = owner;
    /* placed first, remembered after: adding may move the live bytes, never their logical offsets
     */
    c->batch_open = kc_arena_add(c, &c->batches, sets + 3 * 8 * words);
    struct wire_batch *b = open_batch(c);
    b->set_words = words;
    b->sets = sets;
    b->brokers = sets + 3 * 8 * words;
    b->controller_id = c->config.broker.id;
    b->controller_epoch = c->epoch;
    b->id = c->batch_id + 1;
    add_brokers(c);
    open_batch(c)->records = (uint32_t)(c->batches.tail - c->batch_open);
    return true;
}

/* Takes `broker` out of every older record of the same kind and partition; returns whether one of
   them had its flag (isNew, deletePartition) set. A record left without recipients is dead. */
static bool replace(struct kc_controller *c, int kind, uint32_t from, uint32_t broker)
{
    struct wire_batch *b = open_batch(c);
    bool flag = false;

    for (uint32_t at = from; at != 0;) {
        struct wire_record *r = record_at(b, at - 1);
        uint64_t *to = to_of(r);
        if (r->kind != WIRE_RECORD_DEAD && has_bit(to, b->set_words, broker)) {
            flag = flag || has_bit(to + b->set_words, b->set_words, broker);
            to[broker / 64] &= ~(1ull << broker % 64);
            to[b->set_words + broker / 64] &= ~(1ull << broker % 64);
            if (is_empty(to, b->set_words)) {
                r->kind = WIRE_RECORD_DEAD;
                b->count[kind]--;
            }
        }
        at = r->older;
    }
    return flag;
}

static int32_t *put_ids(int32_t *out, const struct sm_list *list)
{
    memcpy(out, list->id, 4ull * (uint32_t)list->count);
    return out + list->count;
}

/* Appends an empty record about `row` with room for its lists; the newest of its kind and row. */
static struct wire_record *append(struct kc_controller *c, int kind, uint32_t row, int32_t ids,
                                  bool with_sets)
{
    struct kc_partition *p = kc_row_at(c, row);
    const char *topic = kc_row_topic(c, row);
    uint32_t topic_size = (uint32_t)strlen(topic) + 1;
    uint32_t words = open_batch(c)->set_words;
    uint32_t fixed =
        (uint32_t)sizeof(struct wire_record) + (with_sets ? 16 * words : 0) + 4 * (uint32_t)ids;
    uint64_t at = kc_arena_add(c, &c->batches, fixed + topic_size);
    struct wire_record *r = kc_arena_ptr(c, &c->batches, at);

    r->size = (fixed + topic_size + 7) & ~7u;
    r->kind = (uint8_t)(kind + 1);
    r->topic_size = (uint16_t)topic_size;
    r->partition = p->partition;
    r->row = row;
    r->older = p->batch[kind];
    memcpy((uint8_t *)r + fixed, topic, topic_size);
    p->batch[kind] = (uint32_t)(at - c->batch_open) + 1;
    open_batch(c)->count[kind]++;
    return r;
}

static void put_leadership(struct wire_record *r, const struct sm_leader_and_isr *li)
{
    r->controller_epoch = li->controller_epoch;
    r->leader = li->leader;
    r->leader_epoch = li->leader_epoch;
    r->zk_version = li->zk_version;
    r->isr_count = (uint8_t)li->isr.count;
}

/* Makes `broker` a recipient of a LeaderAndIsr, where it lives; else it would be dropped when sent,
   so it is not even noted: false. */
static bool address_one(struct kc_controller *c, struct wire_record *r, uint32_t broker,
                        uint32_t older, bool is_new)
{
    struct wire_batch *b = open_batch(c);

    c->batch_named = 1;
    if (broker == KC_NO_ROW || !kc_broker_is(c, broker, KC_BROKER_LIVE)) {
        return false;
    }
    bool was_new = replace(c, LEADER_AND_ISR, older, broker) ||
                   (has_bit(to_of(r), b->set_words, broker) &&
                    has_bit(to_of(r) + b->set_words, b->set_words, broker));
    set_bit(to_of(r), b->set_words, broker);
    if ((is_new || was_new) && !kc_is_old(c)) {
        set_bit(to_of(r) + b->set_words, b->set_words, broker);
    }
    set_bit(set_of(b, LEADER_AND_ISR), b->set_words, broker);
    return true;
}

/* Fills the recipients among those that live; false where there is none. */
static bool address(struct kc_controller *c, struct wire_record *r, const struct sm_list *to,
                    uint32_t older, bool is_new)
{
    bool any = false;

    for (int32_t i = 0; i < to->count; i++) {
        any = address_one(c, r, kc_broker_find(c, to->id[i]), older, is_new) || any;
    }
    return any;
}

/* ---- a record against its row: a failover asks it for each replica, so nothing is built ---- */

static bool ids_are(const struct kc_controller *c, const int32_t *ids, const uint16_t *indexes,
                    uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) {
        if (ids[i] != kc_broker(c, indexes[i])->id) {
            return false;
        }
    }
    return true;
}

static int32_t *put_indexes(const struct kc_controller *c, int32_t *out, const uint16_t *indexes,
                            uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) {
        *out++ = kc_broker(c, indexes[i])->id;
    }
    return out;
}

static bool leads_as_row(const struct wire_record *r, const struct kc_partition *p)
{
    return r->leader == p->leader && r->leader_epoch == p->leader_epoch &&
           r->zk_version == p->zk_version;
}

/* Whether the newest LeaderAndIsr about the row says what the context believes. */
static bool says_row(const struct kc_controller *c, const struct wire_record *r, uint32_t words,
                     const struct kc_partition *p)
{
    const int32_t *ids = (const int32_t *)((const uint64_t *)(r + 1) + 2 * words);

    return r->kind == WIRE_RECORD_LEADER_AND_ISR && leads_as_row(r, p) &&
           r->controller_epoch == p->controller_epoch && r->isr_count == p->isr_count &&
           r->replica_count == p->replica_count && r->adding_count == p->adding_count &&
           r->removing_count == p->removing_count && ids_are(c, ids, kc_isr(c, p), p->isr_count) &&
           ids_are(c, ids += p->isr_count, kc_replicas(c, p), p->replica_count) &&
           ids_are(c, ids += p->replica_count, kc_adding(c, p), p->adding_count) &&
           ids_are(c, ids + p->adding_count, kc_removing(c, p), p->removing_count);
}

/* Whether the newest record about the partition says just this. */
static bool says(const struct wire_record *r, uint32_t words, const struct sm_leader_and_isr *li,
                 const struct sm_assignment *a)
{
    const int32_t *ids = (const int32_t *)((const uint64_t *)(r + 1) + 2 * words);
    const struct sm_list *lists[] = {&li->isr, &a->replicas, &a->adding, &a->removing};
    const uint8_t counts[] = {r->isr_count, r->replica_count, r->adding_count, r->removing_count};

    if (r->kind != WIRE_RECORD_LEADER_AND_ISR || r->leader != li->leader ||
        r->leader_epoch != li->leader_epoch || r->zk_version != li->zk_version ||
        r->controller_epoch != li->controller_epoch) {
        return false;
    }
    for (int i = 0; i < 4; i++) {
        if (counts[i] != lists[i]->count || memcmp(ids, lists[i]->id, 4ull * counts[i]) != 0) {
            return false;
        }
        ids += counts[i];
    }
    return true;
}

static struct wire_record *append_leader_and_isr(struct kc_controller *c, uint32_t row,
                                                 const struct sm_leader_and_isr *li,
                                                 const struct sm_assignment *a)
{
    int32_t ids = li->isr.count + a->replicas.count + a->adding.count + a->removing.count;
    struct wire_record *r = append(c, LEADER_AND_ISR, row, ids, true);

    put_leadership(r, li);
    r->replica_count = (uint8_t)a->replicas.count;
    r->adding_count = (uint8_t)a->adding.count;
    r->removing_count = (uint8_t)a->removing.count;
    int32_t *out = (int32_t *)(to_of(r) + 2 * open_batch(c)->set_words);
    out = put_ids(out, &li->isr);
    out = put_ids(out, &a->replicas);
    out = put_ids(out, &a->adding);
    put_ids(out, &a->removing);
    return r;
}

/* The same word to one more broker joins the record that is there: a failover tells each replica of
   a partition alone, broker by broker. */
void kc_batch_leader_and_isr(struct kc_controller *c, const struct sm_list *to, uint32_t row,
                             const struct sm_leader_and_isr *li, const struct sm_assignment *a,
                             bool is_new)
{
    uint32_t older = kc_row_at(c, row)->batch[LEADER_AND_ISR];
    struct wire_record *r = older == 0 ? NULL : record_at(open_batch(c), older - 1);

    if (r != NULL && says(r, open_batch(c)->set_words, li, a)) {
        address(c, r, to, r->older, is_new);
    } else {
        r = append_leader_and_isr(c, row, li, a);
        if (!address(c, r, to, older, is_new)) {
            r->kind = WIRE_RECORD_DEAD;
            open_batch(c)->count[LEADER_AND_ISR]--;
        }
    }
    kc_batch_update_metadata(c, row);
}

void kc_batch_leadership(struct kc_controller *c, uint32_t row, uint32_t broker, bool is_new)
{
    uint32_t older = kc_row_at(c, row)->batch[LEADER_AND_ISR];
    struct wire_record *r = older == 0 ? NULL : record_at(open_batch(c), older - 1);

    if (r != NULL && says_row(c, r, open_batch(c)->set_words, kc_row_at(c, row))) {
        address_one(c, r, broker, r->older, is_new);
        kc_batch_update_metadata(c, row);
        return;
    }
    struct sm_leader_and_isr li = kc_row_leadership(c, row);
    struct sm_assignment a = kc_row_assignment(c, row);
    struct sm_list to = {.count = 1, .id = {kc_broker(c, broker)->id}};
    kc_batch_leader_and_isr(c, &to, row, &li, &a, is_new);
}

/* ---- UpdateMetadata ---- */

void kc_batch_update_metadata_to(struct kc_controller *c, uint32_t broker)
{
    struct wire_batch *b = open_batch(c);

    set_bit(set_of(b, UPDATE_METADATA), b->set_words, broker);
}

static void tell_all_live(struct kc_controller *c)
{
    uint32_t n = 0;

    if (c->told_all) { /* who lives does not change while a batch is open */
        return;
    }
    c->told_all = 1;
    for (uint32_t i = kc_broker_next(c, &n, KC_BROKER_LIVE, KC_BROKER_LIVE); i != KC_NO_ROW;
         i = kc_broker_next(c, &n, KC_BROKER_LIVE, KC_BROKER_LIVE)) {
        kc_batch_update_metadata_to(c, i);
    }
}

/* Indexes of the assigned replicas that are not online; returns how many. */
static uint32_t offline_replicas(struct kc_controller *c, uint32_t row,
                                 uint16_t offline[SM_REPLICAS_MAX])
{
    const struct kc_partition *p = kc_row_at(c, row);
    uint32_t count = 0;

    for (uint32_t i = 0; i < p->replica_count; i++) {
        if (!kc_is_online(c, row, kc_replicas(c, p)[i])) {
            offline[count++] = kc_replicas(c, p)[i];
        }
    }
    return count;
}

/* Whether the entry that is there says what the context believes. */
static bool tells_row(const struct kc_controller *c, const struct wire_record *r,
                      const struct kc_partition *p, const uint16_t *offline, uint32_t offline_count,
                      bool deleting)
{
    const int32_t *ids = (const int32_t *)(r + 1);

    return deleting == (r->leader == SM_LEADER_DURING_DELETE) && (deleting || leads_as_row(r, p)) &&
           r->controller_epoch == p->controller_epoch && r->isr_count == p->isr_count &&
           r->replica_count == p->replica_count && r->offline_count == offline_count &&
           ids_are(c, ids, kc_isr(c, p), p->isr_count) &&
           ids_are(c, ids += p->isr_count, kc_replicas(c, p), p->replica_count) &&
           ids_are(c, ids + p->replica_count, offline, offline_count);
}

static void log_no_leader(struct kc_controller *c, uint32_t row)
{
    char name[SM_PATH_MAX];

    if (!kc_notes(c, KC_NOTE_LOG | KC_NOTE_LOG_TRACE)) {
        return;
    }
    kc_text_row(c, row, name, sizeof name);
    kc_log(c, KC_INFO,
           "Leader not yet assigned for partition %s. Skip sending UpdateMetadataRequest.", name);
}

/* Kafka tells leader -2 as soon as a topic is queued: brokers then know nothing of it, so nobody
   can fetch, and a reassignment that halts the deletion never ends. */
static bool is_told_deleted(const struct kc_controller *c, uint32_t row)
{
    return kc_is_queued(c, row) &&
           (kc_defect(c, SM_DEFECT_TOLD_TOO_EARLY) || !kc_is_held_up(c, row));
}

static void append_metadata(struct kc_controller *c, uint32_t row, const uint16_t *offline,
                            uint32_t offline_count, bool deleting)
{
    const struct kc_partition *p = kc_row_at(c, row);
    uint32_t ids = p->isr_count + p->replica_count + offline_count;
    struct wire_record *r = append(c, UPDATE_METADATA, row, (int32_t)ids, false);

    r->controller_epoch = p->controller_epoch;
    r->leader = deleting ? SM_LEADER_DURING_DELETE : p->leader; /* LeaderAndIsr.duringDelete */
    r->leader_epoch = deleting ? SM_INITIAL_LEADER_EPOCH : p->leader_epoch;
    r->zk_version = deleting ? SM_INITIAL_ZK_VERSION : p->zk_version;
    r->isr_count = p->isr_count;
    r->replica_count = p->replica_count;
    r->offline_count = (uint8_t)offline_count;
    int32_t *out = put_indexes(c, (int32_t *)(r + 1), kc_isr(c, p), p->isr_count);
    out = put_indexes(c, out, kc_replicas(c, p), p->replica_count);
    put_indexes(c, out, offline, offline_count);
}

/* The entry about one partition, newest word wins. */
void kc_batch_partition_metadata(struct kc_controller *c, uint32_t row)
{
    struct kc_partition *p = kc_row_at(c, row);
    uint16_t offline[SM_REPLICAS_MAX];

    if (!kc_has_leadership(c, row)) {
        log_no_leader(c, row);
        return;
    }
    uint32_t offline_count = offline_replicas(c, row, offline);
    bool deleting = is_told_deleted(c, row);
    if (p->batch[UPDATE_METADATA] != 0) {
        struct wire_record *old = record_at(open_batch(c), p->batch[UPDATE_METADATA] - 1);
        if (tells_row(c, old, p, offline, offline_count, deleting)) {
            return;
        }
        old->kind = WIRE_RECORD_DEAD;
        open_batch(c)->count[UPDATE_METADATA]--;
    }
    append_metadata(c, row, offline, offline_count, deleting);
}

void kc_batch_update_metadata(struct kc_controller *c, uint32_t row)
{
    tell_all_live(c);
    if (row != KC_NO_ROW) {
        kc_batch_partition_metadata(c, row);
    }
}

/* ---- StopReplica ---- */

/* The leader epoch is taken now, before an ISR change that may follow raises it. */
static int32_t stop_epoch(const struct kc_controller *c, uint32_t row)
{
    if (!sm_rule_on(&c->config.profile, SM_RULE_STOP_REPLICA_EPOCH)) {
        return SM_NO_EPOCH;
    }
    if (kc_is_given_up(c, row)) {
        return SM_EPOCH_DURING_DELETE;
    }
    return kc_has_leadership(c, row) ? kc_row_at(c, row)->leader_epoch : SM_NO_EPOCH;
}

void kc_batch_stop_replica(struct kc_controller *c, uint32_t broker, uint32_t row,
                           bool delete_partition)
{
    c->batch_named = 1;
    if (!kc_broker_is(c, broker, KC_BROKER_LIVE)) {
        return;
    }
    uint32_t older = kc_row_at(c, row)->batch[STOP_REPLICA];
    bool was_delete = !kc_is_old(c) && replace(c, STOP_REPLICA, older, broker);
    struct wire_record *r = append(c, STOP_REPLICA, row, 0, true);
    struct wire_batch *b = open_batch(c);
    r->leader_epoch = stop_epoch(c, row);
    set_bit(to_of(r), b->set_words, broker);
    if (delete_partition || was_delete) {
        set_bit(to_of(r) + b->set_words, b->set_words, broker);
    }
    set_bit(set_of(b, STOP_REPLICA), b->set_words, broker);
}
