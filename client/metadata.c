/*
 * What is known of topics: their partitions, and who leads them.
 *
 *     unknown ──► exists ◄──► absent       (a new topic is given 30 s before it is called absent)
 *
 * Metadata is asked of any broker that is up: of a topic at once when it is first named; of all
 * every topic.metadata.refresh.interval.ms, and when a connection breaks; of those whose leader is
 * in doubt after 250 ms, then 500, 1000, …; of those that are unknown or without a leader once a
 * second. librdkafka 2.0 asks version 4, which has no leader epochs: it believes whoever answered
 * last.
 *
 * Records that wait for a topic's metadata hang in its partition -1.
 *
 * Source: rdkafka_metadata.c: rd_kafka_parse_Metadata, rd_kafka_metadata_leader_query_tmr_cb,
 * rd_kafka_metadata_fast_leader_query; rdkafka_topic.c: rd_kafka_topic_metadata_update,
 * rd_kafka_topic_set_notexists, rd_kafka_topic_scan_all.
 */
#include "client/state.h"

#include <assert.h>
#include <string.h>

enum { PROPAGATION_MS = 30000, SCAN_MS = 1000, VERSION = 4 };

/* ---- rows ---- */

uint32_t kl_topic_find(const struct kl_client *c, const char *name)
{
    for (uint32_t i = 1; i <= c->topic_count; i++) {
        if (strcmp(kl_topic_at(c, i)->name, name) == 0) {
            return i;
        }
    }
    return 0;
}

uint32_t kl_topic_add(struct kl_turn *t, const char *name)
{
    uint32_t row = kl_topic_find(t->c, name);

    if (row != 0 || strlen(name) >= KL_TEXT) {
        return row;
    }
    assert(t->c->topic_count < t->c->limits.topics);
    row = ++t->c->topic_count;
    struct kl_topic *topic = kl_topic_at(t->c, row);
    memcpy(topic->name, name, strlen(name));
    topic->wanted = 1;
    topic->created_us = t->now;
    topic->sticky_partition = -1;
    return row;
}

uint32_t kl_partition_find(const struct kl_client *c, uint32_t topic, int32_t number)
{
    uint32_t row = kl_topic_at(c, topic)->partitions;

    while (row != 0 && kl_partition_at(c, row)->number != number) {
        row = kl_partition_at(c, row)->next;
    }
    return row;
}

uint32_t kl_partition_add(struct kl_turn *t, uint32_t topic, int32_t number)
{
    struct kl_topic *of = kl_topic_at(t->c, topic);
    uint32_t row = kl_partition_find(t->c, topic, number), before = 0;

    if (row != 0) {
        return row;
    }
    assert(t->c->partition_count < t->c->limits.partitions);
    row = ++t->c->partition_count;
    *kl_partition_at(t->c, row) = (struct kl_partition){.topic = topic,
                                                        .number = number,
                                                        .leader = -1,
                                                        .leader_epoch = -1,
                                                        .next_msgid = 1,
                                                        .producer_id = -1,
                                                        .producer_epoch = -1,
                                                        .position = -1,
                                                        .log_start = -1,
                                                        .stored_offset = -1001,
                                                        .committed_offset = -1001,
                                                        .committing_offset = -1001,
                                                        .seek_offset = -1001,
                                                        .stored_epoch = -1};
    if (of->partitions != 0 && kl_partition_at(t->c, of->partitions)->number < number) {
        for (before = of->partitions;
             kl_partition_at(t->c, before)->next != 0 &&
             kl_partition_at(t->c, kl_partition_at(t->c, before)->next)->number < number;) {
            before = kl_partition_at(t->c, before)->next;
        }
    }
    uint32_t *link = before == 0 ? &of->partitions : &kl_partition_at(t->c, before)->next;
    kl_partition_at(t->c, row)->next = *link;
    *link = row;
    return row;
}

const char *kl_partition_topic(const struct kl_client *c, const struct kl_partition *p)
{
    return kl_topic_at(c, p->topic)->name;
}

/* ---- reasons to ask ---- */

/* Rule leader-unavailable: asks 250 ms from now, unless a question is due sooner. */
void kl_leader_unavailable(struct kl_turn *t, uint32_t partition)
{
    struct kl_client *c = t->c;
    int64_t fast = c->config.topic_metadata_refresh_fast_interval_ms * KL_MS;

    kl_topic_at(c, kl_partition_at(c, partition)->topic)->leader_unavailable = 1;
    if (c->fast_us > t->now + fast) {
        c->fast_us = t->now + fast;
        c->fast_interval_us = fast;
    }
}

void kl_metadata_all(struct kl_turn *t)
{
    for (uint32_t i = 1; i <= t->c->topic_count; i++) {
        kl_topic_at(t->c, i)->wanted = 1;
    }
    t->c->metadata_brokers = 1;
}

static bool is_led(const struct kl_client *c, const struct kl_partition *p)
{
    return p->leader >= 0 && kl_broker_find(c, p->leader) != 0;
}

static bool lacks_leader(const struct kl_client *c, const struct kl_topic *topic)
{
    for (uint32_t i = topic->partitions; i != 0; i = kl_partition_at(c, i)->next) {
        const struct kl_partition *p = kl_partition_at(c, i);
        if (p->number >= 0 && p->number < topic->partition_count && !is_led(c, p)) {
            return true;
        }
    }
    return false;
}

/* The quick question after leaders: once more after twice the time, until there are all. */
static void serve_fast(struct kl_turn *t)
{
    struct kl_client *c = t->c;
    uint32_t asked = 0;

    for (uint32_t i = 1; i <= c->topic_count; i++) {
        struct kl_topic *topic = kl_topic_at(c, i);
        if (topic->state != KL_TOPIC_ABSENT &&
            (topic->leader_unavailable || topic->partition_count == 0 || lacks_leader(c, topic))) {
            topic->wanted = 1;
            asked++;
        }
    }
    c->fast_interval_us *= 2;
    c->fast_us =
        asked == 0 || c->fast_interval_us >= c->config.topic_metadata_refresh_interval_ms * KL_MS
            ? KL_NEVER
            : t->now + c->fast_interval_us;
}

/* Whether a leader that somebody wants to talk to is not connected. */
static bool misses_leader(const struct kl_client *c, const struct kl_topic *topic)
{
    for (uint32_t i = topic->partitions; i != 0; i = kl_partition_at(c, i)->next) {
        const struct kl_partition *p = kl_partition_at(c, i);
        bool used = p->queue.count > 0 || (p->assigned && p->fetch_state != KL_FETCH_NONE);
        if (used && is_led(c, p) &&
            kl_broker_at(c, kl_broker_find(c, p->leader))->link != KL_LINK_UP) {
            return true;
        }
    }
    return false;
}

/* Rule metadata-scan: whether the scan of every second has something to ask of the topic. */
static bool needs_scan(const struct kl_client *c, const struct kl_topic *topic)
{
    return topic->state == KL_TOPIC_UNKNOWN || topic->partition_count == 0 ||
           lacks_leader(c, topic) || misses_leader(c, topic);
}

static void serve_scan(struct kl_turn *t)
{
    bool any = false;

    for (uint32_t i = 1; i <= t->c->topic_count; i++) {
        struct kl_topic *topic = kl_topic_at(t->c, i);
        if (needs_scan(t->c, topic)) {
            any = true;
            topic->wanted |= t->c->scan_us <= t->now;
        }
    }
    if (!any) {
        t->c->scan_us = KL_NEVER;
    } else if (t->c->scan_us <= t->now || t->c->scan_us == KL_NEVER) {
        t->c->scan_us = t->now + SCAN_MS * KL_MS;
    }
}

/* ---- asking ---- */

static void ask(struct kl_turn *t, uint32_t broker)
{
    struct kl_client *c = t->c;
    struct wire_flat f;
    struct wire_metadata_request *q = kl_begin(t, &f, WIRE_API_METADATA);
    int32_t count = 0;

    for (uint32_t i = 1; i <= c->topic_count; i++) {
        count += kl_topic_at(c, i)->wanted != 0;
    }
    q->allow_auto_topic_creation = c->config.kind == KL_PRODUCER;
    struct wire_metadata_request_topic *topics =
        kl_items(&f, &q->topics, count, &wire_layout_metadata_request_topic);
    for (uint32_t i = 1, n = 0; i <= c->topic_count; i++) {
        struct kl_topic *topic = kl_topic_at(c, i);
        if (topic->wanted) {
            topics[n++].name = wire_flat_string(&f, topic->name);
            topic->wanted = 0;
        }
    }
    c->metadata_brokers = 0;
    uint32_t row = kl_send(t, broker, &f, WIRE_API_METADATA, VERSION, -1);
    c->metadata = kl_request_at(c, row)->correlation;
}

void kl_serve_metadata(struct kl_turn *t)
{
    struct kl_client *c = t->c;
    bool wanted = c->metadata_brokers != 0;

    if (c->metadata_us <= t->now) { /* rule metadata-refresh */
        kl_metadata_all(t);
        c->metadata_us = t->now + c->config.topic_metadata_refresh_interval_ms * KL_MS;
        wanted = true;
    }
    if (c->fast_us <= t->now) {
        serve_fast(t);
    }
    serve_scan(t);
    for (uint32_t i = 1; i <= c->topic_count && !wanted; i++) {
        wanted = kl_topic_at(c, i)->wanted;
    }
    if (wanted && c->metadata == 0 && kl_may_send(t)) {
        uint32_t broker = kl_broker_any(t);
        if (broker != 0 && kl_may_send(t)) {
            ask(t, broker);
        }
    }
    kl_due(t, c->metadata_us);
    kl_due(t, c->fast_us);
    kl_due(t, c->scan_us);
}

/* ---- the answer ---- */

/* Rule leader-change: what is under way to the old leader ends before an idempotent producer goes
   on with the new one (rd_kafka_idemp_drain_toppar in PARTITION_JOIN). */
static void update_leader(struct kl_turn *t, uint32_t row, int32_t leader, int32_t epoch)
{
    struct kl_partition *p = kl_partition_at(t->c, row);

    if (p->leader == leader && p->leader_epoch == epoch) {
        return;
    }
    if (p->leader != leader) {
        p->fetching = 0; /* an answer of the old one is discarded */
        if (kl_is_idempotent(t->c) && p->in_flight_records > 0) {
            p->wait_drain = 1;
        }
    }
    p->leader = leader;
    p->leader_epoch = epoch;
    kl_fact(t, KL_FACT_METADATA, row, (struct kl_output){.broker_id = leader, .value_of = epoch});
}

static void update_partitions(struct kl_turn *t, uint32_t topic,
                              const struct wire_metadata_response *r,
                              const struct wire_metadata_response_topic *from)
{
    const struct wire_metadata_response_partition *partitions =
        WIRE_ITEMS(r, from->partitions, struct wire_metadata_response_partition);
    struct kl_topic *to = kl_topic_at(t->c, topic);
    int32_t led = 0;

    if (from->error_code == 0 && to->partition_count != from->partitions.count) {
        to->partition_count = from->partitions.count;
        if (to->subscribed && t->c->group.join == KL_JOIN_STEADY) {
            kl_group_error(t, WIRE_ERROR_REBALANCE_IN_PROGRESS); /* rule metadata-rejoin */
        }
    }
    for (int32_t i = 0; i < from->partitions.count; i++) {
        if (partitions[i].partition_index >= to->partition_count) {
            continue;
        }
        uint32_t row = kl_partition_add(t, topic, partitions[i].partition_index);
        update_leader(t, row, partitions[i].leader_id, partitions[i].leader_epoch);
        led += partitions[i].leader_id >= 0;
    }
    if (from->partitions.count > 0 && led == from->partitions.count) {
        to->leader_unavailable = 0;
    }
}

/* Rule topic-propagation: a topic that is still unknown to the client is not given up for 30 s. */
static void set_absent(struct kl_turn *t, struct kl_topic *topic, int32_t error)
{
    if (topic->state == KL_TOPIC_UNKNOWN && t->now - topic->created_us < PROPAGATION_MS * KL_MS) {
        return;
    }
    topic->state = KL_TOPIC_ABSENT;
    topic->error = error;
}

static void update_topic(struct kl_turn *t, const struct wire_metadata_response *r,
                         const struct wire_metadata_response_topic *from)
{
    const char *name = wire_text(r, from->name);
    uint32_t row = name == NULL ? 0 : kl_topic_find(t->c, name);

    if (row == 0) {
        return;
    }
    struct kl_topic *topic = kl_topic_at(t->c, row);
    if (from->error_code == WIRE_ERROR_UNKNOWN_TOPIC_OR_PARTITION ||
        from->error_code == WIRE_ERROR_INVALID_TOPIC_EXCEPTION) {
        set_absent(t, topic, from->error_code);
    } else if (from->partitions.count > 0) {
        topic->state = KL_TOPIC_EXISTS;
    }
    update_partitions(t, row, r, from);
    for (uint32_t i = topic->partitions; from->error_code != 0 && i != 0;
         i = kl_partition_at(t->c, i)->next) {
        if (kl_partition_at(t->c, i)->number >= 0) {
            update_leader(t, i, -1, -1);
        }
    }
    kl_topic_assign_waiting(t, row);
}

void kl_on_metadata(struct kl_turn *t, struct kl_request *q, int32_t error,
                    const struct wire_metadata_response *r)
{
    struct kl_client *c = t->c;

    if (c->metadata == q->correlation) {
        c->metadata = 0;
    }
    if (error != 0) { /* asked again of whoever is up */
        kl_metadata_all(t);
        return;
    }
    const struct wire_metadata_response_broker *brokers =
        WIRE_ITEMS(r, r->brokers, struct wire_metadata_response_broker);
    const struct wire_metadata_response_topic *topics =
        WIRE_ITEMS(r, r->topics, struct wire_metadata_response_topic);
    for (int32_t i = 0; i < r->brokers.count; i++) {
        kl_broker_add(c, brokers[i].node_id);
    }
    c->controller = r->controller_id;
    for (int32_t i = 0; i < r->topics.count; i++) {
        update_topic(t, r, &topics[i]);
    }
}
