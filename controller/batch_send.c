/*
 * A batch is complete: it is handed out once and kept until every sender has passed it.
 *
 * Kafka has three batch objects (controller, replica machine, partition machine), and an exception
 * leaves the one in use dirty for good: later calls of its machine fail. Here an open batch is
 * dropped by the error, and SM_DEFECT_STUCK_BATCH keeps the memory of it in c->dirty.
 *
 * Old versions differ: StopReplica is not made one per broker: each partition of each broker is a
 * request, here a batch of its own behind the one it came from.
 *
 * Source: Kafka ControllerChannelManager.AbstractControllerBrokerRequestBatch.
 */
#include "controller/batch_parts.h"

#include <assert.h>
#include <string.h>

static void finish_size(struct kc_controller *c)
{
    struct wire_batch *b = open_batch(c);

    b->size = (uint32_t)(c->batches.tail - c->batch_open);
    b->record_bytes = b->size - b->records;
}

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
    if (dirty && kc_defect(c, SM_DEFECT_STUCK_BATCH)) {
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
