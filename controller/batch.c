/*
 * Request batches: what one state-change call has to tell the brokers.
 *
 *   begin ──► records are appended (LeaderAndIsr, UpdateMetadata, StopReplica, as they come)
 *         ──► send: the batch is complete, every sender's cursor will come to it
 *
 * A batch is built in place at the end of an arena and stored once; recipients are bits. As in
 * Kafka, a later word about the same broker and partition replaces an earlier one, isNew and
 * deletePartition stay once set, and UpdateMetadata has one list for all of its recipients. The
 * records of a partition hang together through `older`, so that replacing is a short walk.
 *
 * Kafka has three batch objects (controller, replica machine, partition machine), and an exception
 * leaves the one in use dirty for good: later calls of its machine fail. Here an open batch is
 * dropped by the error, and SM_DEFECT_STUCK_BATCH keeps the memory of it in c->dirty.
 *
 * Old versions differ: isNew is unknown, StopReplica has no epochs and is not made one per broker:
 * each partition of each broker is a request, here a batch of its own behind the one it came from.
 *
 * Source: Kafka ControllerChannelManager.AbstractControllerBrokerRequestBatch.
 */
#include "controller/state.h"

#include <assert.h>
#include <string.h>

enum { LEADER_AND_ISR, UPDATE_METADATA, STOP_REPLICA };

static struct wire_batch *open_batch(const struct kc_controller *c)
{
    assert(c->batch_open != 0);
    return kc_arena_ptr(c, &c->batches, c->batch_open);
}

bool kc_batch_is_open(const struct kc_controller *c)
{
    return c->batch_open != 0;
}

static uint64_t *set_of(struct wire_batch *b, int which)
{
    return (uint64_t *)((uint8_t *)b + b->sets) + (size_t)which * b->set_words;
}

static struct wire_record *record_at(struct wire_batch *b, uint32_t offset)
{
    return (struct wire_record *)((uint8_t *)b + offset);
}

static uint64_t *to_of(struct wire_record *r)
{
    return (uint64_t *)(r + 1);
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

static void finish_size(struct kc_controller *c)
{
    struct wire_batch *b = open_batch(c);

    b->size = (uint32_t)(c->batches.tail - c->batch_open);
    b->record_bytes = b->size - b->records;
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

static void set_bit(uint64_t *set, uint32_t words, uint32_t index)
{
    assert(index / 64 < words);
    set[index / 64] |= 1ull << index % 64;
}

static bool has_bit(const uint64_t *set, uint32_t words, uint32_t index)
{
    return index / 64 < words && (set[index / 64] >> index % 64 & 1) != 0;
}

static bool is_empty(const uint64_t *set, uint32_t words)
{
    for (uint32_t i = 0; i < words; i++) {
        if (set[i] != 0) {
            return false;
        }
    }
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

/* Fills LeaderAndIsr's recipients among those that live; false where there is none. */
static bool address(struct kc_controller *c, struct wire_record *r, const struct sm_list *to,
                    uint32_t older, bool is_new)
{
    struct wire_batch *b = open_batch(c);
    bool any = false;

    c->batch_named |= to->count > 0;
    for (int32_t i = 0; i < to->count; i++) {
        uint32_t broker = kc_broker_find(c, to->id[i]);
        if (broker == KC_NO_ROW || !kc_broker_is(c, broker, KC_BROKER_LIVE)) {
            continue; /* dropped when sent, so not even noted */
        }
        bool was_new = replace(c, LEADER_AND_ISR, older, broker) ||
                       (has_bit(to_of(r), b->set_words, broker) &&
                        has_bit(to_of(r) + b->set_words, b->set_words, broker));
        set_bit(to_of(r), b->set_words, broker);
        if ((is_new || was_new) && !kc_is_old(c)) {
            set_bit(to_of(r) + b->set_words, b->set_words, broker);
        }
        set_bit(set_of(b, LEADER_AND_ISR), b->set_words, broker);
        any = true;
    }
    return any;
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

static struct sm_list offline_replicas(struct kc_controller *c, uint32_t row)
{
    const struct kc_partition *p = kc_row_at(c, row);
    struct sm_list offline = {0};

    for (uint32_t i = 0; i < p->replica_count; i++) {
        if (!kc_is_online(c, row, kc_replicas(c, p)[i])) {
            sm_list_append(&offline, kc_broker(c, kc_replicas(c, p)[i])->id);
        }
    }
    return offline;
}

/* Whether the entry that is there says just this. */
static bool tells(const struct wire_record *r, const struct sm_leader_and_isr *li,
                  const struct sm_list *replicas, const struct sm_list *offline, bool deleting)
{
    const int32_t *ids = (const int32_t *)(r + 1);

    return deleting == (r->leader == SM_LEADER_DURING_DELETE) &&
           (deleting || (r->leader == li->leader && r->leader_epoch == li->leader_epoch &&
                         r->zk_version == li->zk_version)) &&
           r->controller_epoch == li->controller_epoch && r->isr_count == li->isr.count &&
           r->replica_count == replicas->count && r->offline_count == offline->count &&
           memcmp(ids, li->isr.id, 4ull * r->isr_count) == 0 &&
           memcmp(ids + r->isr_count, replicas->id, 4ull * r->replica_count) == 0 &&
           memcmp(ids + r->isr_count + r->replica_count, offline->id, 4ull * r->offline_count) == 0;
}

/* The entry about one partition, newest word wins. */
void kc_batch_partition_metadata(struct kc_controller *c, uint32_t row)
{
    struct kc_partition *p = kc_row_at(c, row);

    if (!kc_has_leadership(c, row)) {
        if (kc_notes(c, KC_NOTE_LOG | KC_NOTE_LOG_TRACE)) {
            char name[SM_PATH_MAX];
            kc_text_row(c, row, name, sizeof name);
            kc_log(c, KC_INFO,
                   "Leader not yet assigned for partition %s. Skip sending UpdateMetadataRequest.",
                   name);
        }
        return;
    }
    struct sm_leader_and_isr li = kc_row_leadership(c, row);
    struct sm_list replicas = kc_row_replicas(c, row);
    struct sm_list offline = offline_replicas(c, row);
    if (p->batch[UPDATE_METADATA] != 0) {
        struct wire_record *old = record_at(open_batch(c), p->batch[UPDATE_METADATA] - 1);
        if (tells(old, &li, &replicas, &offline, kc_is_queued(c, row))) {
            return;
        }
        old->kind = WIRE_RECORD_DEAD;
        open_batch(c)->count[UPDATE_METADATA]--;
    }
    struct wire_record *r =
        append(c, UPDATE_METADATA, row, li.isr.count + replicas.count + offline.count, false);
    if (kc_is_queued(c, row)) { /* LeaderAndIsr.duringDelete */
        li.leader = SM_LEADER_DURING_DELETE;
        li.leader_epoch = SM_INITIAL_LEADER_EPOCH;
        li.zk_version = SM_INITIAL_ZK_VERSION;
    }
    put_leadership(r, &li);
    r->replica_count = (uint8_t)replicas.count;
    r->offline_count = (uint8_t)offline.count;
    int32_t *out = put_ids((int32_t *)(r + 1), &li.isr);
    out = put_ids(out, &replicas);
    put_ids(out, &offline);
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
    if (kc_is_queued(c, row)) {
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

/* ---- sending ---- */

static void forget_rows(struct kc_controller *c)
{
    struct wire_batch *b = open_batch(c);

    for (uint32_t at = b->records; at < b->size; at += record_at(b, at)->size) {
        struct kc_partition *p = kc_row_at(c, record_at(b, at)->row);
        p->batch[0] = p->batch[1] = p->batch[2] = 0;
    }
}

static void close_batch(struct kc_controller *c)
{
    c->batch_open = 0;
    c->batch_owner = KC_OWNER_NONE;
    c->batch_named = 0;
    c->told_all = 0;
}

static uint32_t first_bit(const uint64_t *set, uint32_t words)
{
    for (uint32_t i = 0; i < words; i++) {
        if (set[i] != 0) {
            return i * 64 + (uint32_t)__builtin_ctzll(set[i]);
        }
    }
    assert(false && "a record has a recipient");
    return 0;
}

/* Appends a batch of one StopReplica, that of the record at `at` of the batch `whole`. */
static void append_stop(struct kc_controller *c, uint64_t whole, uint32_t at)
{
    const struct wire_batch *from = kc_batch_at(c, whole);
    struct wire_record *r = record_at(kc_batch_at(c, whole), at);
    uint32_t broker = first_bit(to_of(r), from->set_words);
    uint32_t record_size = r->size;
    const struct kc_broker *known = kc_broker(c, broker);
    uint32_t brokers = (uint32_t)sizeof *from + 3 * 8 * from->set_words;
    uint32_t records = brokers + ((wire_broker_size(&known->known) + 7) & ~7u);
    uint64_t place = kc_arena_add(c, &c->batches, records + record_size);

    from = kc_batch_at(c, whole); /* adding may have moved it */
    struct wire_batch *b = kc_batch_at(c, place);
    *b = *from;
    b->size = records + record_size;
    b->broker_count = 1;
    b->brokers = brokers;
    b->records = records;
    b->record_bytes = record_size;
    b->count[LEADER_AND_ISR] = b->count[UPDATE_METADATA] = 0;
    b->count[STOP_REPLICA] = 1;
    b->id = ++c->batch_id;
    set_bit(set_of(b, STOP_REPLICA), b->set_words, broker);
    wire_broker_encode((struct wire_broker *)((uint8_t *)b + brokers), broker, known->epoch,
                       &known->known);
    memcpy(record_at(b, records), record_at(kc_batch_at(c, whole), at), record_size);
    record_at(b, records)->older = 0;
}

/* Moves every StopReplica out of the batch `whole` into batches behind it. */
static void split_stops(struct kc_controller *c, uint64_t whole)
{
    uint32_t size = ((struct wire_batch *)kc_batch_at(c, whole))->size;

    c->batch_id = ((struct wire_batch *)kc_batch_at(c, whole))->id;
    for (uint32_t at = ((struct wire_batch *)kc_batch_at(c, whole))->records; at < size;
         at += record_at(kc_batch_at(c, whole), at)->size) {
        if (record_at(kc_batch_at(c, whole), at)->kind == WIRE_RECORD_STOP_REPLICA) {
            append_stop(c, whole, at);
            record_at(kc_batch_at(c, whole), at)->kind = WIRE_RECORD_DEAD;
        }
    }
    struct wire_batch *b = kc_batch_at(c, whole);
    b->count[STOP_REPLICA] = 0;
    memset(set_of(b, STOP_REPLICA), 0, 8ull * b->set_words);
}

/* 0.8.2 keeps metadata by broker and partition: without a partition nobody is told (KAFKA-1867). */
static void drop_empty_metadata(struct kc_controller *c)
{
    struct wire_batch *b = open_batch(c);

    if (kc_is_old(c) && !sm_rule_on(&c->config.profile, SM_RULE_METADATA_ON_FAILURE) &&
        b->count[UPDATE_METADATA] == 0) {
        memset(set_of(b, UPDATE_METADATA), 0, 8ull * b->set_words);
    }
}

static void emit_batches(struct kc_controller *c, uint64_t from)
{
    for (uint64_t at = from; at < c->batches.tail;) {
        struct wire_batch *b = kc_batch_at(c, at);
        if (!is_empty((uint64_t *)((uint8_t *)b + b->sets), 3 * b->set_words)) {
            kc_emit(c, &(struct kc_output){.kind = KC_OUT_BATCH, .batch = b});
        }
        at += b->size;
    }
}

void kc_batch_send(struct kc_controller *c)
{
    finish_size(c);
    drop_empty_metadata(c);
    struct wire_batch *b = open_batch(c);
    forget_rows(c);
    if (kc_notes(c, KC_NOTE_LOG | KC_NOTE_LOG_TRACE)) {
        kc_batch_log_sends(c, b);
    }
    if (is_empty(set_of(b, 0), b->set_words) && is_empty(set_of(b, 1), b->set_words) &&
        is_empty(set_of(b, 2), b->set_words)) {
        c->batches.tail = c->batch_open;
        close_batch(c);
        return;
    }
    uint64_t place = c->batch_open;
    c->batch_id = b->id;
    if (kc_is_old(c) && b->count[STOP_REPLICA] > 0) {
        split_stops(c, place);
    }
    emit_batches(c, place);
    close_batch(c);
    kc_channels_pump(c);
    kc_batch_trim(c);
}

void kc_batch_drop(struct kc_controller *c, bool dirty)
{
    if (c->batch_open == 0) {
        return;
    }
    finish_size(c);
    forget_rows(c);
    struct wire_batch *b = open_batch(c);
    /* Kafka asks the three maps, not the list of partitions; they name dead brokers, too */
    dirty = dirty && (c->batch_named != 0 || !is_empty(set_of(b, 1), b->set_words));
    if (dirty && sm_defect_on(&c->config.profile, SM_DEFECT_STUCK_BATCH)) {
        c->dirty |= 1u << c->batch_owner;
    }
    c->batches.tail = c->batch_open;
    close_batch(c);
}

void kc_send_live_brokers(struct kc_controller *c)
{
    bool clean = kc_batch_begin(c, KC_OWNER_CONTROLLER);

    assert(clean); /* the controller's own batch is cleared by handleIllegalState */
    (void)clean;
    kc_batch_update_metadata(c, KC_NO_ROW);
    kc_batch_send(c);
}

/* ---- keeping what somebody still needs ---- */

struct wire_batch *kc_batch_at(const struct kc_controller *c, uint64_t offset)
{
    return kc_arena_ptr(c, &c->batches, offset);
}

uint64_t kc_batch_end(const struct kc_controller *c)
{
    return c->batch_open != 0 ? c->batch_open : c->batches.tail;
}

/* A batch is needed while some sender has not passed it, or an event about its answer waits. */
void kc_batch_trim(struct kc_controller *c)
{
    uint64_t oldest = kc_batch_end(c);

    for (uint32_t i = 0; i < c->broker_count; i++) {
        const struct kc_broker *b = kc_broker(c, i);
        if ((b->flags & KC_BROKER_CHANNEL) != 0 && b->cursor < oldest) {
            oldest = b->cursor;
        }
    }
    while (c->batch_first < oldest && kc_batch_at(c, c->batch_first)->pins == 0) {
        c->batch_first += kc_batch_at(c, c->batch_first)->size;
    }
    c->batches.head = c->batch_first;
}
