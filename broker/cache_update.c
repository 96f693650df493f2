/*
 * UpdateMetadata into the cache: live brokers wholesale, then each partition.
 *
 *     record by record   in the order of the batch, which is the order in which topics get places
 *     topic by topic     where the batch has an index and nothing shows the order: a topic is
 * looked up once, its rows stand side by side, and most lists are those that are there
 */
#include "broker/cache_state.h"

#include <assert.h>
#include <string.h>

#include "wire/batch_index.h"

static void remove_partition(struct kb_cache *c, uint32_t topic, int32_t partition)
{
    if (kb_cache_partition(c, topic, partition) == NULL)
        return;
    struct kb_cache_topic_row *t = &kb_cache_topics(c)[topic];
    struct kb_partition *p = &kb_cache_rows(c)[t->first + (uint32_t)partition];
    kb_list_drop(c, p->replicas);
    kb_list_drop(c, p->isr);
    kb_list_drop(c, p->offline);
    *p = (struct kb_partition){.leader = KB_NO_PARTITION};
    c->partition_count--;
    if (--t->count == 0)
        kb_cache_drop_topic(c, topic);
}

/* The list that stands in the row stays in use where it says the same: most updates change one. */
static bool use_or_keep(struct kb_cache *c, uint32_t have, const int32_t *ids, uint32_t count,
                        uint32_t *out)
{
    uint32_t *w = kb_cache_words(c);
    if (have != 0 && w[have + 2] == count &&
        memcmp(&w[have + KB_LIST_HEAD], ids, count * sizeof *ids) == 0) {
        w[have]++;
        *out = have;
        return true;
    }
    return kb_list_use(c, ids, count, out);
}

static bool use_lists(struct kb_cache *c, const struct kb_partition *have, const struct kb_lists *l,
                      struct kb_partition *p)
{
    if (!use_or_keep(c, have->replicas, l->replicas, l->replica_count, &p->replicas))
        return false;
    uint32_t near = have->isr != 0 && have->isr != have->replicas ? have->isr : p->replicas;
    if (!use_or_keep(c, near, l->isr, l->isr_count, &p->isr)) {
        kb_list_drop(c, p->replicas);
        return false;
    }
    if (!use_or_keep(c, have->offline, l->offline, l->offline_count, &p->offline)) {
        kb_list_drop(c, p->replicas);
        kb_list_drop(c, p->isr);
        return false;
    }
    return true;
}

const char *kb_cache_put(struct kb_cache *c, uint32_t *topic, const char *name, uint32_t size,
                         int32_t partition, struct kb_partition p, const struct kb_lists *l)
{
    *topic = kb_cache_topic_again(c, *topic, name, size);
    if (*topic == KB_NO_TOPIC) {
        const char *short_of = kb_cache_add_topic(c, name, size, (uint32_t)partition, topic);
        if (short_of != NULL)
            return short_of;
    }
    struct kb_cache_topic_row *t = &kb_cache_topics(c)[*topic];
    const char *short_of = NULL;
    if (!kb_cache_reach(c, t, (uint32_t)partition))
        short_of = "rows";
    else if (!use_lists(c, &kb_cache_rows(c)[t->first + (uint32_t)partition], l, &p))
        short_of = "words";
    if (short_of != NULL) {
        if (t->count == 0)
            kb_cache_drop_topic(c, *topic);
        return short_of;
    }
    struct kb_partition *row = &kb_cache_rows(c)[t->first + (uint32_t)partition];
    if (row->leader == KB_NO_PARTITION) {
        t->count++;
        c->partition_count++;
    } else {
        kb_list_drop(c, row->replicas);
        kb_list_drop(c, row->isr);
        kb_list_drop(c, row->offline);
    }
    *row = p;
    return NULL;
}

/* What is known of a broker's data, or asked, holds for one epoch. */
static const char *take_brokers(struct kb_cache *c, const struct wire_batch *batch)
{
    struct kb_live *l = kb_cache_lives(c);
    uint32_t count = 0;
    const struct wire_broker *b = NULL;
    if (batch->broker_count > c->limits.brokers)
        return "brokers";
    uint32_t old_count = c->live_count;
    /* The old ones move to the end, so that both ascending lists are walked in step. */
    uint32_t old = c->limits.brokers - old_count;
    memmove(&l[old], &l[0], old_count * sizeof *l);
    while ((b = wire_batch_next_broker(batch, b)) != NULL && count < batch->broker_count) {
        uint32_t data = KB_DATA_UNKNOWN, asked = 0;
        while (old < c->limits.brokers && l[old].broker.id < b->id)
            old++;
        if (old < c->limits.brokers && l[old].broker.id == b->id) {
            if (l[old].epoch == b->epoch) {
                data = l[old].data;
                asked = l[old].asked;
            }
            old++;
        }
        assert(count < old || old == c->limits.brokers);
        memset(&l[count], 0, sizeof *l);
        l[count].epoch = b->epoch;
        l[count].data = data;
        l[count].asked = asked;
        wire_broker_decode(b, &l[count].broker);
        count++;
    }
    c->live_count = count;
    memset(&l[count], 0, (c->limits.brokers - count) * sizeof *l);
    return NULL;
}

/* ---- topic by topic ---- */

static bool has_ids(const uint32_t *words, uint32_t list, const int32_t *ids, uint32_t count)
{
    if (list == 0)
        return count == 0;
    if (words[list + 2] != count)
        return false;
    for (uint32_t i = 0; i < count; i++)
        if (words[list + KB_LIST_HEAD + i] != (uint32_t)ids[i])
            return false;
    return true;
}

static bool has_lists(const struct kb_cache *c, const struct kb_partition *row,
                      const struct wire_batch_entry *e)
{
    const uint32_t *w = kb_cache_words(c);
    const int32_t *ids = wire_batch_entry_ids(e), *isr = ids + e->replica_count;
    return has_ids(w, row->replicas, ids, e->replica_count) &&
           (e->is_whole && row->isr == row->replicas ? true
                                                     : has_ids(w, row->isr, isr, e->isr_count)) &&
           has_ids(w, row->offline, isr + e->isr_count, e->offline_count);
}

static const char *update_entry(struct kb_cache *c, uint32_t *topic, const char *name,
                                uint32_t size, const struct wire_batch_entry *e)
{
    const struct kb_cache_topic_row *t = &kb_cache_topics(c)[*topic];
    int32_t leader = e->leader < 0 ? -1 : e->leader;
    if ((uint32_t)e->partition < 1u << t->extent) {
        struct kb_partition *row = &kb_cache_rows(c)[t->first + (uint32_t)e->partition];
        if (row->leader != KB_NO_PARTITION && has_lists(c, row, e)) {
            row->leader = leader;
            row->leader_epoch = e->leader_epoch;
            return NULL;
        }
    }
    const int32_t *ids = wire_batch_entry_ids(e), *isr = ids + e->replica_count;
    struct kb_partition p = {.leader = leader, .leader_epoch = e->leader_epoch};
    struct kb_lists l = {
        ids, isr, isr + e->isr_count, e->replica_count, e->isr_count, e->offline_count};
    return kb_cache_put(c, topic, name, size, e->partition, p, &l);
}

static bool knows_topics(const struct kb_cache *c, const struct wire_batch *batch,
                         const struct wire_batch_index *x)
{
    const struct wire_batch_topic *t = wire_batch_topics(batch, x);
    for (uint32_t i = 0; i < x->topic_count; i++)
        if (kb_cache_topic(c, wire_batch_topic_name(batch, &t[i]), t[i].name_size) == KB_NO_TOPIC)
            return false;
    return true;
}

static const char *update_topics(struct kb_cache *c, const struct wire_batch *batch,
                                 const struct wire_batch_index *x)
{
    const struct wire_batch_topic *t = wire_batch_topics(batch, x);
    const char *short_of = NULL;
    for (uint32_t i = 0; i < x->topic_count; i++) {
        const char *name = wire_batch_topic_name(batch, &t[i]);
        const struct wire_batch_entry *e = wire_batch_first(batch, &t[i]);
        uint32_t topic = kb_cache_topic(c, name, t[i].name_size);
        for (uint32_t k = 0; k < t[i].count && short_of == NULL; k++) {
            short_of = update_entry(c, &topic, name, t[i].name_size, e);
            e = wire_batch_entry_next(e);
        }
    }
    return short_of;
}

/* ---- record by record ---- */

static const char *update_records(struct kb_cache *c, const struct wire_batch *batch)
{
    struct wire_record_view v = {0};
    uint32_t topic = KB_NO_TOPIC;
    const char *short_of;
    while (wire_batch_next(batch, WIRE_RECORD_UPDATE_METADATA, &v)) {
        const struct wire_record *r = v.record;
        uint32_t size = (uint32_t)strlen(v.topic);
        if (r->partition < 0 || r->partition >= KB_PARTITION_MAX)
            continue;
        if (r->leader == SM_LEADER_DURING_DELETE) {
            topic = kb_cache_topic_again(c, topic, v.topic, size);
            if (topic != KB_NO_TOPIC)
                remove_partition(c, topic, r->partition);
            continue;
        }
        struct kb_partition p = {.leader = r->leader < 0 ? -1 : r->leader,
                                 .leader_epoch = r->leader_epoch};
        struct kb_lists l = {v.replicas,       v.isr,        v.offline,
                             r->replica_count, r->isr_count, r->offline_count};
        short_of = kb_cache_put(c, &topic, v.topic, size, r->partition, p, &l);
        if (short_of != NULL)
            return short_of;
    }
    return NULL;
}

const char *kb_cache_update(struct kb_cache *c, const struct wire_batch *batch)
{
    const struct wire_batch_index *x = wire_batch_index(batch);
    /* Moving the old brokers aside needs as many places again. */
    if ((uint64_t)batch->broker_count + c->live_count > c->limits.brokers)
        return "brokers";
    const char *short_of = take_brokers(c, batch);
    if (short_of != NULL)
        return short_of;
    c->controller = batch->controller_id < 0 ? -1 : batch->controller_id;
    if (x != NULL && x->topic_count > 0 && x->removes == 0 && knows_topics(c, batch, x))
        return update_topics(c, batch, x);
    return update_records(c, batch);
}
