/*
 * Looking inside: for tools, tests and expectations. Nothing here changes the controller.
 *
 * The digest covers what decides and names everything by what it is (topic, partition, broker id),
 * never by row, so that two controllers that believe the same have the same digest whatever they
 * have seen before; it adds the parts up, so that no order is needed.
 */
#include "controller/state.h"

#include <assert.h>
#include <string.h>

bool kc_controller_is_quiet(const struct kc_controller *c, bool (*is_dead)(void *, int32_t),
                            void *context)
{
    if (c->event.kind != KC_EVENT_NONE || c->event_count > 0 || c->op_count > 0 || c->depth > 0 ||
        c->listing_xid != 0) {
        return false;
    }
    for (uint32_t i = 0; i < c->broker_count; i++) {
        const struct kc_broker *b = kc_broker(c, i);
        bool waits = (b->flags & (KC_BROKER_BUSY | KC_BROKER_BACKOFF)) != 0 ||
                     ((b->flags & KC_BROKER_CHANNEL) != 0 && b->cursor < kc_batch_end(c));
        if (waits && (is_dead == NULL || !is_dead(context, b->id))) {
            return false;
        }
    }
    return true;
}

bool kc_controller_is_active(const struct kc_controller *c)
{
    return kc_is_active(c);
}

int32_t kc_controller_active_id(const struct kc_controller *c)
{
    return c->active_id;
}

int32_t kc_controller_epoch(const struct kc_controller *c)
{
    return c->epoch;
}

int32_t kc_controller_epoch_zk_version(const struct kc_controller *c)
{
    return c->epoch_zk_version;
}

enum sm_partition_state kc_partition_state(const struct kc_controller *c, const char *topic,
                                           int32_t partition)
{
    uint32_t row = kc_row_named(c, topic, partition);

    return row == KC_NO_ROW ? SM_PARTITION_NONE : (enum sm_partition_state)kc_row_at(c, row)->state;
}

enum sm_replica_state kc_replica_state(const struct kc_controller *c, const char *topic,
                                       int32_t partition, int32_t broker_id)
{
    uint32_t row = kc_row_named(c, topic, partition);
    uint32_t broker = kc_broker_find(c, broker_id);

    return row == KC_NO_ROW || broker == KC_NO_ROW ? SM_REPLICA_NONE
                                                   : kc_row_replica_state(c, row, broker);
}

bool kc_leadership(const struct kc_controller *c, const char *topic, int32_t partition,
                   struct sm_leader_and_isr *li)
{
    uint32_t row = kc_row_named(c, topic, partition);

    if (row == KC_NO_ROW || !kc_has_leadership(c, row)) {
        return false;
    }
    *li = kc_row_leadership(c, row);
    return true;
}

bool kc_assignment(const struct kc_controller *c, const char *topic, int32_t partition,
                   struct sm_assignment *a)
{
    uint32_t row = kc_row_named(c, topic, partition);

    if (row == KC_NO_ROW || !kc_row_is_assigned(c, row)) {
        return false;
    }
    *a = kc_row_assignment(c, row);
    return true;
}

bool kc_is_being_reassigned(const struct kc_controller *c, const char *topic, int32_t partition)
{
    uint32_t row = kc_row_named(c, topic, partition);

    return row != KC_NO_ROW && kc_set_has(c, KC_SET_REASSIGNING, row);
}

uint32_t kc_topic_deletion(const struct kc_controller *c, const char *topic)
{
    uint32_t t = kc_topic_find(c, topic);
    uint32_t flags = t == KC_NO_ROW ? 0 : kc_topic(c, t)->flags;

    return ((flags & KC_TOPIC_QUEUED) != 0 ? 1u : 0u) |
           ((flags & KC_TOPIC_STARTED) != 0 ? 2u : 0u) |
           ((flags & KC_TOPIC_INELIGIBLE) != 0 ? 4u : 0u);
}

bool kc_broker_is_live(const struct kc_controller *c, int32_t broker_id)
{
    uint32_t broker = kc_broker_find(c, broker_id);

    return broker != KC_NO_ROW && kc_broker_is(c, broker, KC_BROKER_LIVE);
}

/* ---- gauges ---- */

static void count_topic(const struct kc_controller *c, uint32_t topic, struct kc_metrics *m)
{
    uint32_t flags = kc_topic(c, topic)->flags;

    m->topics_to_delete_count += (flags & KC_TOPIC_QUEUED) != 0;
    m->topics_ineligible_to_delete_count += (flags & KC_TOPIC_INELIGIBLE) != 0;
    if ((flags & KC_TOPIC_QUEUED) == 0) {
        return;
    }
    for (uint32_t row = kc_row_next_of(c, topic, KC_NO_ROW); row != KC_NO_ROW;
         row = kc_row_next_of(c, topic, row)) {
        const struct kc_partition *p = kc_row_at(c, row);
        for (uint32_t i = 0; i < p->replica_count; i++) {
            enum sm_replica_state state = kc_row_replica_state(c, row, kc_replicas(c, p)[i]);
            m->replicas_to_delete_count += state != SM_REPLICA_DELETION_SUCCESSFUL;
            m->replicas_ineligible_to_delete_count += state == SM_REPLICA_DELETION_INELIGIBLE;
        }
    }
}

struct kc_metrics kc_controller_metrics(const struct kc_controller *c)
{
    struct kc_metrics m = {.controller_state = kc_event_state(c->event.kind),
                           .event_queue_size = (int32_t)c->event_count,
                           .unclean_leader_elections = c->unclean_elections};

    if (!kc_is_active(c)) {
        return m;
    }
    m.active_controller_count = 1;
    m.offline_partitions_count = c->offline_count;
    m.preferred_replica_imbalance_count = c->imbalance_count;
    m.global_topic_count = (int32_t)c->topics_existing;
    m.global_partition_count = (int32_t)c->leadership_count;
    m.active_broker_count = (int32_t)kc_broker_count_with(c, KC_BROKER_LIVE, KC_BROKER_LIVE);
    for (uint32_t t = 0; t < c->topic_count; t++) {
        count_topic(c, t, &m);
    }
    return m;
}

/* ---- digest ---- */

static uint64_t mix(uint64_t h, uint64_t value)
{
    h = (h ^ value) * 0x9E3779B97F4A7C15ull;
    return h ^ h >> 32;
}

static uint64_t mix_text(uint64_t h, const char *text)
{
    for (; *text != '\0'; text++) {
        h = mix(h, (uint8_t)*text);
    }
    return mix(h, 256);
}

static uint64_t mix_list(uint64_t h, const struct sm_list *l)
{
    h = mix(h, (uint32_t)l->count);
    for (int32_t i = 0; i < l->count; i++) {
        h = mix(h, (uint32_t)l->id[i]);
    }
    return h;
}

static uint64_t entries_digest(const struct kc_controller *c, const struct kc_partition *p)
{
    const struct kc_replica_entry *entries = kc_entries(c, p);
    uint64_t sum = 0;

    for (uint32_t i = 0; i < p->entry_count; i++) {
        uint64_t h = mix(7, (uint32_t)kc_broker(c, entries[i].broker - 1u)->id);
        sum += mix(h, entries[i].state | (uint32_t)entries[i].offline_dir << 8);
    }
    return sum;
}

static uint64_t row_digest(const struct kc_controller *c, uint32_t row)
{
    const struct kc_partition *p = kc_row_at(c, row);
    struct sm_assignment a = kc_row_assignment(c, row);
    struct sm_leader_and_isr li = kc_row_leadership(c, row);
    uint64_t h = mix_text(1, kc_row_topic(c, row));

    h = mix(h, (uint32_t)p->partition);
    h = mix(h, p->state | (uint32_t)p->flags << 8 |
                   (uint32_t)kc_set_has(c, KC_SET_REASSIGNING, row) << 16);
    h = mix_list(mix_list(mix_list(h, &a.replicas), &a.adding), &a.removing);
    h = mix(
        mix(mix(mix(h, (uint32_t)li.leader), (uint32_t)li.leader_epoch), (uint32_t)li.zk_version),
        (uint32_t)li.controller_epoch);
    return mix(mix_list(h, &li.isr), entries_digest(c, p));
}

static uint64_t broker_digest(const struct kc_broker *b)
{
    enum {
        DECIDES = KC_BROKER_LIVE | KC_BROKER_SHUTTING_DOWN | KC_BROKER_CHANNEL | KC_BROKER_BUSY |
                  KC_BROKER_BACKOFF | KC_BROKER_MODIFICATIONS
    };

    return (b->flags & DECIDES) == 0
               ? 0
               : mix(mix(mix(2, (uint32_t)b->id), b->flags & DECIDES), (uint64_t)b->epoch);
}

static uint64_t flow_digest(const struct kc_controller *c)
{
    uint64_t h = mix(mix(3, c->event.kind), c->depth);

    for (uint32_t i = 0; i < c->depth; i++) {
        const struct kc_frame *f = &c->frame[i];
        h = mix(h, (uint64_t)f->flow << 48 | (uint64_t)f->row << 32 | (uint64_t)f->phase << 16 |
                       f->flags);
        h = mix(h, f->cursor);
    }
    for (uint32_t i = 0; i < c->event_count; i++) {
        h = mix(h, kc_event_at(c, i)->kind);
    }
    return c->listing_xid == 0 ? h : mix(h, c->listing_again);
}

uint64_t kc_controller_digest(const struct kc_controller *c)
{
    uint64_t sum = mix(
        mix(mix(mix(4, (uint32_t)c->epoch), (uint32_t)c->epoch_zk_version), (uint32_t)c->active_id),
        c->handlers);

    sum += mix(8, c->dirty << 2 | c->blocked << 1 | c->shut_down);
    sum += flow_digest(c);
    for (uint32_t i = 0; i < c->broker_count; i++) {
        sum += broker_digest(kc_broker(c, i));
    }
    for (uint32_t t = 0; t < c->topic_count; t++) {
        enum {
            DECIDES = KC_TOPIC_EXISTS | KC_TOPIC_QUEUED | KC_TOPIC_STARTED | KC_TOPIC_INELIGIBLE |
                      KC_TOPIC_HANDLER | KC_TOPIC_HELD
        };
        const struct kc_topic *topic = kc_topic(c, t);
        if (topic->used) {
            sum += mix(mix_text(5, kc_topic_name(topic)), topic->flags & DECIDES);
        }
    }
    for (uint32_t row = 0; row < c->partition_high; row++) {
        if (kc_row_at(c, row)->topic != 0) {
            sum += row_digest(c, row);
        }
    }
    return mix(sum, 6);
}

/* ---- invariants ---- */

static void check_row(const struct kc_controller *c, uint32_t row, int32_t *offline,
                      uint32_t *leaders)
{
    const struct kc_partition *p = kc_row_at(c, row);
    uint32_t flags = kc_topic(c, p->topic - 1)->flags;
    bool pending = p->state == SM_PARTITION_NEW || p->state == SM_PARTITION_OFFLINE;

    assert(kc_topic(c, p->topic - 1)->used);
    assert(kc_row_find(c, p->topic - 1, p->partition) == row);
    assert(p->state < SM_PARTITION_STATE_END);
    assert(p->isr_count <= c->limits.replicas);
    assert(p->replica_count <= c->limits.replicas);
    assert(p->entry_count <= 2 * c->limits.replicas);
    assert(kc_set_has(c, KC_SET_PENDING, row) == pending);
    for (uint32_t i = 0; i < p->entry_count; i++) {
        const struct kc_replica_entry *e = &kc_entries(c, p)[i];
        assert(e->broker != 0);
        assert(e->state < SM_REPLICA_NONEXISTENT);
        assert(e->state != SM_REPLICA_NONE || e->offline_dir != 0);
    }
    *offline += p->state == SM_PARTITION_OFFLINE && (flags & KC_TOPIC_STARTED) == 0;
    *leaders += (p->flags & KC_PARTITION_LEADERSHIP) != 0;
}

/* Every slot that is used waits or is in flight, and none is in two places. */
static void check_slots(const struct kc_controller *c)
{
    uint32_t used = 0;

    for (uint32_t i = c->wait_first; i != 0; i = kc_slot(c, i - 1)->next) {
        used++;
        assert(kc_slot(c, i - 1)->next != 0 || i == c->wait_last);
    }
    for (uint32_t n = 0; n < c->op_count; n++) {
        const struct kc_op *op = kc_op(c, (c->op_head + n) % c->limits.window);
        uint32_t count = 0;
        for (uint32_t i = op->first; i != 0; i = kc_slot(c, i - 1)->next) {
            count++;
        }
        assert(count == op->count);
        used += count;
    }
    assert(used == c->slot_used);
    assert(c->slot_used <= c->slot_high);
    assert(c->slot_high <= c->limits.slots);
    assert(c->slot_used > 0 || c->slot_high == 0);
    assert((c->wait_first == 0) == (c->wait_last == 0));
}

void kc_controller_check(const struct kc_controller *c)
{
    int32_t offline = 0;
    uint32_t leaders = 0;

    assert(c->step == NULL);
    assert(c->depth <= KC_FRAMES_MAX);
    assert(c->op_count <= c->limits.window);
    check_slots(c);
    for (uint32_t n = 1; n < c->broker_count; n++) {
        assert(kc_broker(c, kc_broker_ordered(c, n - 1))->id <
               kc_broker(c, kc_broker_ordered(c, n))->id);
    }
    for (uint32_t row = 0; row < c->partition_high; row++) {
        if (kc_row_at(c, row)->topic != 0) {
            check_row(c, row, &offline, &leaders);
        }
    }
    assert(leaders == c->leadership_count);
    (void)offline; /* follows Kafka's own bookkeeping, which a deletion's start may leave askew */
}

const struct wire_batch *kc_batch_in_flight(const struct kc_controller *c, int32_t broker_id,
                                            uint64_t correlation)
{
    uint32_t broker = kc_broker_find(c, broker_id);

    if (broker == KC_NO_ROW || (kc_broker(c, broker)->flags & KC_BROKER_BUSY) == 0 ||
        kc_broker(c, broker)->correlation != correlation) {
        return NULL;
    }
    return kc_batch_at(c, kc_broker(c, broker)->cursor);
}

static uint32_t waiting_requests(const struct kc_controller *c, uint32_t broker)
{
    const struct kc_broker *b = kc_broker(c, broker);
    uint32_t count = 0, stage = b->stage;

    for (uint64_t at = b->cursor; at < kc_batch_end(c); at += kc_batch_at(c, at)->size) {
        for (; stage < 3; stage++) {
            count += wire_batch_is_for(kc_batch_at(c, at),
                                       (enum wire_record_kind)(WIRE_RECORD_LEADER_AND_ISR + stage),
                                       broker);
        }
        stage = 0;
    }
    return (b->flags & (KC_BROKER_BUSY | KC_BROKER_BACKOFF)) != 0 ? count - 1 : count;
}

int32_t kc_sender_next(const struct kc_controller *c, int32_t previous, uint32_t *waiting)
{
    for (uint32_t n = 0; n < c->broker_count; n++) {
        uint32_t broker = kc_broker_ordered(c, n);
        if (kc_broker(c, broker)->id > previous && kc_broker_is(c, broker, KC_BROKER_CHANNEL)) {
            *waiting = waiting_requests(c, broker);
            return kc_broker(c, broker)->id;
        }
    }
    return -1;
}
