/*
 * Which rows there are: brokers by id, topics by name, partitions by topic and number.
 *
 *     name ─► bucket ─► topic row ─► first partition row ─► next … (ascending by partition)
 *
 * A row keeps its number as long as it lives; freed ones are chained and used again. Nothing here
 * says what a controller believes of them.
 */
#include "controller/context_parts.h"

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

void kc_free_topic(struct kc_controller *c, uint32_t index)
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

bool kc_is_held_up(const struct kc_controller *c, uint32_t row)
{
    const struct kc_topic *topic = kc_topic(c, kc_row_at(c, row)->topic - 1);

    return (topic->flags & (KC_TOPIC_STARTED | KC_TOPIC_HELD)) == KC_TOPIC_HELD;
}

/* Kafka gives a topic up when it is queued: a replica that dies stays in the ISR, and nobody is
   elected. A reassignment that holds the deletion up may then never end, and neither may the
   deletion. Without the defect such a topic is led as any other until its deletion begins. */
bool kc_is_given_up(const struct kc_controller *c, uint32_t row)
{
    return kc_is_queued(c, row) &&
           (kc_defect(c, SM_DEFECT_HELD_UP_UNLED) || !kc_is_held_up(c, row));
}

/* ---- freeing ---- */

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

void kc_free_bare_rows(struct kc_controller *c, uint32_t topic)
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
