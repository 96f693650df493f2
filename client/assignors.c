/*
 * Who gets which partition: computed by the group's leader, from what the members have subscribed.
 *
 *     slots: every partition of every topic that somebody has subscribed, topics by name
 *     owner: of each slot, a member or none
 *
 * range:       per topic, members in order, each a run; the first ones one more
 * roundrobin:  slots in order, members in a circle, those without the topic passed over
 * cooperative-sticky: who has a slot keeps it while that is no more than its share; the others go
 * to whoever has least. A slot that moves is given to nobody this time: its owner gives it up and
 * joins again, then it is free.
 *
 * Members are ordered by group.instance.id where both have one, else by member id.
 *
 * Differs: librdkafka's sticky assignor also balances groups whose members subscribe differently by
 * swapping partitions between them; here such a group is balanced by who has least among those that
 * may have the partition.
 *
 * Source: rdkafka_range_assignor.c, rdkafka_roundrobin_assignor.c, rdkafka_sticky_assignor.c,
 * rdkafka_assignor.c: rd_kafka_group_member_cmp.
 */
#include <string.h>

#include "client/state.h"

enum { NOBODY = -1, MOVING = -2 };

struct member {
    const char *id, *instance_id;
    const uint8_t *metadata;
    int32_t size, held;
};

/* All of it in the upper half of the scratch. */
struct table {
    const struct kl_client *c;
    struct member *members;
    uint32_t *topics;       /* rows, by name */
    uint8_t *is_subscribed; /* member * topic_count + place of the topic */
    int32_t *owner;         /* of each slot: index of a member */
    int32_t *first;         /* slot of each topic's partition 0 */
    int32_t member_count, topic_count, slot_count, at; /* at: the member being read */
    uint8_t *free;
};

static void *take(struct table *s, size_t size)
{
    uint8_t *p = s->free;

    memset(p, 0, size);
    s->free += (size + 7) & ~(size_t)7;
    return p;
}

static int compare_members(const struct member *x, const struct member *y)
{
    return x->instance_id != NULL && y->instance_id != NULL ? strcmp(x->instance_id, y->instance_id)
                                                            : strcmp(x->id, y->id);
}

static void note_topic(void *context, const char *name)
{
    struct table *s = context;

    for (int32_t i = 0; i < s->topic_count; i++) {
        if (strcmp(kl_topic_at(s->c, s->topics[i])->name, name) == 0) {
            s->is_subscribed[s->at * s->topic_count + i] = 1;
        }
    }
}

static int32_t slot_of(const struct table *s, const char *name, int32_t partition)
{
    for (int32_t i = 0; i < s->topic_count; i++) {
        const struct kl_topic *topic = kl_topic_at(s->c, s->topics[i]);
        if (strcmp(topic->name, name) == 0 && partition < topic->partition_count) {
            return s->first[i] + partition;
        }
    }
    return -1;
}

static bool may_have(const struct table *s, int32_t member, int32_t topic)
{
    return s->is_subscribed[member * s->topic_count + topic] != 0;
}

static void make_topics(struct table *s)
{
    s->topics = take(s, s->c->topic_count * sizeof *s->topics);
    for (uint32_t i = 1; i <= s->c->topic_count; i++) {
        const struct kl_topic *topic = kl_topic_at(s->c, i);
        int32_t to = s->topic_count;
        if (!topic->needed || topic->partition_count == 0) {
            continue;
        }
        for (; to > 0 && strcmp(kl_topic_at(s->c, s->topics[to - 1])->name, topic->name) > 0;
             to--) {
            s->topics[to] = s->topics[to - 1];
        }
        s->topics[to] = i;
        s->topic_count++;
    }
    s->first = take(s, (size_t)s->topic_count * sizeof *s->first);
    for (int32_t i = 0; i < s->topic_count; i++) {
        s->first[i] = s->slot_count;
        s->slot_count += kl_topic_at(s->c, s->topics[i])->partition_count;
    }
    s->owner = take(s, (size_t)s->slot_count * sizeof *s->owner);
    for (int32_t i = 0; i < s->slot_count; i++) {
        s->owner[i] = NOBODY;
    }
}

static void make_members(struct table *s, const struct wire_join_group_response *r)
{
    const struct wire_join_group_response_member *from =
        WIRE_ITEMS(r, r->members, struct wire_join_group_response_member);

    s->member_count = r->members.count;
    s->members = take(s, (size_t)s->member_count * sizeof *s->members);
    for (int32_t i = 0; i < s->member_count; i++) {
        const struct member m = {wire_text(r, from[i].member_id),
                                 wire_text(r, from[i].group_instance_id),
                                 wire_data(r, from[i].metadata), from[i].metadata.size, 0};
        int32_t to = i;
        for (; to > 0 && compare_members(&s->members[to - 1], &m) > 0; to--) {
            s->members[to] = s->members[to - 1];
        }
        s->members[to] = m;
    }
    s->is_subscribed = take(s, (size_t)s->member_count * (size_t)s->topic_count + 1);
    for (s->at = 0; s->at < s->member_count; s->at++) {
        const struct member *m = &s->members[s->at];
        kl_read_subscription(m->metadata, m->size, note_topic, NULL, s);
    }
}

/* ---- the three ---- */

static void assign_range(struct table *s)
{
    for (int32_t i = 0; i < s->topic_count; i++) {
        int32_t count = kl_topic_at(s->c, s->topics[i])->partition_count, takers = 0, slot = 0;
        for (int32_t m = 0; m < s->member_count; m++) {
            takers += may_have(s, m, i);
        }
        for (int32_t m = 0, n = 0; m < s->member_count; m++) {
            int32_t length = takers == 0 ? 0 : count / takers + (n < count % takers);
            if (!may_have(s, m, i)) {
                continue;
            }
            n++;
            while (length-- > 0) {
                s->owner[s->first[i] + slot++] = m;
            }
        }
    }
}

static void assign_round_robin(struct table *s)
{
    int32_t next = 0;

    for (int32_t i = 0; i < s->topic_count; i++) {
        int32_t count = kl_topic_at(s->c, s->topics[i])->partition_count;
        for (int32_t p = 0; p < count; p++) {
            int32_t tried = 0;
            while (tried < s->member_count && !may_have(s, next, i)) {
                next = (next + 1) % s->member_count;
                tried++;
            }
            if (tried < s->member_count) {
                s->owner[s->first[i] + p] = next;
                next = (next + 1) % s->member_count;
            }
        }
    }
}

static void note_owned(void *context, const char *name, int32_t partition)
{
    struct table *s = context;
    int32_t slot = slot_of(s, name, partition);

    if (slot >= 0 && s->owner[slot] == NOBODY) {
        s->owner[slot] = s->at;
        s->members[s->at].held++;
    }
}

static int32_t poorest(const struct table *s, int32_t topic)
{
    int32_t best = NOBODY;

    for (int32_t m = 0; m < s->member_count; m++) {
        if (may_have(s, m, topic) && (best < 0 || s->members[m].held < s->members[best].held)) {
            best = m;
        }
    }
    return best;
}

/* Takes off each member what is not its own any more, or above its share. */
static void release(struct table *s)
{
    int32_t share = s->slot_count / s->member_count, more = s->slot_count % s->member_count;

    for (int32_t m = 0; m < s->member_count; m++) {
        bool one_more = s->members[m].held > share && more > 0;
        more -= one_more;
        for (int32_t i = s->topic_count - 1; i >= 0; i--) {
            int32_t count = kl_topic_at(s->c, s->topics[i])->partition_count;
            for (int32_t p = count - 1; p >= 0; p--) {
                int32_t *owner = &s->owner[s->first[i] + p];
                if (*owner == m && (!may_have(s, m, i) || s->members[m].held > share + one_more)) {
                    *owner = MOVING;
                    s->members[m].held--;
                }
            }
        }
    }
}

static void assign_sticky(struct table *s)
{
    for (s->at = 0; s->at < s->member_count; s->at++) {
        const struct member *m = &s->members[s->at];
        kl_read_subscription(m->metadata, m->size, NULL, note_owned, s);
    }
    release(s);
    for (int32_t i = 0; i < s->topic_count; i++) {
        int32_t count = kl_topic_at(s->c, s->topics[i])->partition_count;
        for (int32_t p = 0; p < count; p++) {
            int32_t *owner = &s->owner[s->first[i] + p], to = poorest(s, i);
            if (*owner == NOBODY && to >= 0) {
                *owner = to;
                s->members[to].held++;
            }
        }
    }
}

/* ---- writing ---- */

static int32_t count_of(const struct table *s, int32_t member, int32_t topic)
{
    int32_t n = 0;

    for (int32_t p = 0; p < kl_topic_at(s->c, s->topics[topic])->partition_count; p++) {
        n += s->owner[s->first[topic] + p] == member;
    }
    return n;
}

static struct wire_bytes write_member(struct table *s, struct wire_flat *f, int32_t member,
                                      uint8_t *end)
{
    struct kl_bytes to = {s->free, end, false};
    int32_t topics = 0;

    for (int32_t i = 0; i < s->topic_count; i++) {
        topics += count_of(s, member, i) > 0;
    }
    kl_write_i16(&to, 0);
    kl_write_i32(&to, topics);
    for (int32_t i = 0; i < s->topic_count; i++) {
        if (count_of(s, member, i) == 0) {
            continue;
        }
        kl_write_text(&to, kl_topic_at(s->c, s->topics[i])->name);
        kl_write_i32(&to, count_of(s, member, i));
        for (int32_t p = 0; p < kl_topic_at(s->c, s->topics[i])->partition_count; p++) {
            if (s->owner[s->first[i] + p] == member) {
                kl_write_i32(&to, p);
            }
        }
    }
    kl_write_i32(&to, 0); /* user data */
    return wire_flat_bytes(f, s->free, (size_t)(to.at - s->free));
}

void kl_assign(struct kl_turn *t, struct wire_flat *f, struct wire_sync_group_request *q)
{
    size_t half = t->out->scratch_size / 2 & ~(size_t)7;
    uint8_t *end = (uint8_t *)t->out->scratch + t->out->scratch_size;
    struct table s = {.c = t->c, .free = (uint8_t *)t->out->scratch + half};

    make_topics(&s);
    make_members(&s, kl_blob(t->c, t->c->group.members));
    switch ((enum kl_assignor)t->c->config.assignor) {
    case KL_RANGE:
        assign_range(&s);
        break;
    case KL_ROUND_ROBIN:
        assign_round_robin(&s);
        break;
    case KL_COOPERATIVE_STICKY:
        assign_sticky(&s);
        break;
    }
    struct wire_sync_group_request_assignment *to =
        kl_items(f, &q->assignments, s.member_count, &wire_layout_sync_group_request_assignment);
    for (int32_t m = 0; m < q->assignments.count; m++) {
        to[m].member_id = wire_flat_string(f, s.members[m].id);
        to[m].assignment = write_member(&s, f, m, end);
    }
}
