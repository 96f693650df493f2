/*
 * The block: sizes and places of every table, and growing by copy.
 *
 * Everything is addressed by offsets that follow from the limits alone. Growing lays a second block
 * out for larger limits and copies table by table; rows keep their numbers, so that nothing inside
 * a row has to change but the hash chains, which are built anew where the number of buckets
 * differs.
 */
#include "controller/state.h"

#include <assert.h>
#include <string.h>

_Static_assert(sizeof(struct kc_partition) == 52, "a partition row has no padding");
_Static_assert(sizeof(struct kc_replica_entry) == 4, "an entry is four bytes");
_Static_assert((int)KC_GROUP_MAX <= (int)KC_WORK_PER_STEP, "a reply is one step's work at most");

static uint64_t round_up(uint64_t n)
{
    return (n + 7) & ~(uint64_t)7;
}

static uint32_t power_of_two_above(uint32_t n)
{
    uint32_t p = 16;
    while (p < n && p < (1u << 30)) {
        p *= 2;
    }
    return p;
}

static uint64_t take(uint64_t *at, uint64_t size)
{
    uint64_t here = *at;
    *at += round_up(size);
    return here;
}

/* One operation is about 200 bytes; where the names are so long that fewer fit, groups end early.
 */
static uint32_t group_bytes(const struct kc_limits *l)
{
    uint64_t bytes = l->slots > l->window ? 1024 + 256ull * (l->slots / l->window) : 0;

    return (uint32_t)(bytes < KC_GROUP_BYTES_MAX ? bytes : KC_GROUP_BYTES_MAX);
}

static struct kc_offsets offsets_of(const struct kc_limits *l)
{
    struct kc_offsets o = {0};
    uint64_t at = round_up(sizeof(struct kc_controller));

    o.topic_stride = (uint32_t)round_up(sizeof(struct kc_topic) + l->topic_name);
    o.partition_stride = (uint32_t)round_up(sizeof(struct kc_partition) + 8ull * l->replicas +
                                            2ull * l->replicas * sizeof(struct kc_replica_entry));
    o.topic_bucket_count = power_of_two_above(l->topics);
    o.partition_bucket_count = power_of_two_above(l->partitions);
    o.set_words = (l->partitions + 63) / 64;
    o.set_summary_words = (o.set_words + 63) / 64;
    o.broker_words = (l->brokers + 63) / 64;

    o.broker_order = (uint32_t)take(&at, 2ull * l->brokers);
    o.brokers = (uint32_t)take(&at, sizeof(struct kc_broker) * (uint64_t)l->brokers);
    o.slots = (uint32_t)take(&at, sizeof(struct kc_slot) * (uint64_t)l->slots);
    o.ops = (uint32_t)take(&at, sizeof(struct kc_op) * (uint64_t)l->window);
    o.events = (uint32_t)take(&at, sizeof(struct kc_event) * (uint64_t)l->events);
    o.topic_buckets = (uint32_t)take(&at, 4ull * o.topic_bucket_count);
    o.partition_buckets = (uint32_t)take(&at, 4ull * o.partition_bucket_count);
    o.topics = (uint32_t)take(&at, (uint64_t)o.topic_stride * l->topics);
    o.partitions = take(&at, (uint64_t)o.partition_stride * l->partitions);
    o.sets = take(&at, 8ull * KC_SET_END * (o.set_words + o.set_summary_words));
    o.work_rows = take(&at, 4ull * l->partitions * l->replicas);
    o.work_start = take(&at, 4ull * (2ull * l->brokers + 2) + 2ull * l->brokers);
    o.event_bytes = take(&at, l->event_bytes);
    o.scratch = take(&at, l->scratch_bytes);
    o.batches = take(&at, l->batch_bytes);
    o.text = take(&at, KC_TEXT_MAX);
    o.group_bytes = group_bytes(l);
    o.group = take(&at, o.group_bytes);
    o.total = at;
    return o;
}

struct kc_limits kc_limits_default(void)
{
    return (struct kc_limits){
        .brokers = 16,
        .topics = 32,
        .partitions = 256,
        .replicas = 4,
        .topic_name = 64,
        .events = 256,
        .event_bytes = 1u << 16,
        .scratch_bytes = 1u << 16,
        .batch_bytes = 1u << 20,
        .window = 10,
        .slots = 10,
    };
}

struct kc_limits kc_limits_roomy(void)
{
    return (struct kc_limits){
        .brokers = 64, /* one word of recipients */
        .topics = 1u << 14,
        .partitions = 1u << 18,
        .replicas = 4,
        .topic_name = 64,
        .events = 1u << 12,
        .event_bytes = 1u << 24,
        .scratch_bytes = 1u << 24,
        .batch_bytes = 1u << 28,
        .window = 10,
        .slots = 10,
    };
}

void kc_limits_in_flight(struct kc_limits *limits, uint32_t window, const struct kc_config *config)
{
    uint32_t group =
        config->write_group > config->read_group ? config->write_group : config->read_group;

    limits->window = window;
    limits->slots = window * group;
}

size_t kc_controller_size(const struct kc_limits *limits)
{
    return (size_t)offsets_of(limits).total;
}

const struct kc_limits *kc_controller_limits(const struct kc_controller *c)
{
    return &c->limits;
}

void kc_controller_live(const struct kc_controller *c, struct kc_span span[KC_SPANS])
{
    span[0] =
        (struct kc_span){.size = c->at.event_bytes + (c->event_arena.tail - c->event_arena.base)};
    span[1] = (struct kc_span){.at = c->at.scratch, .size = c->scratch_used};
    span[2] = (struct kc_span){.at = c->at.batches, .size = c->batches.tail - c->batches.base};
}

struct kc_config kc_config_default(struct sm_profile profile, int32_t id)
{
    struct kc_config config;

    memset(&config, 0, sizeof config);
    config.profile = profile;
    config.broker.id = id;
    config.broker.endpoint_count = 1;
    config.broker.endpoint[0] = (struct sm_endpoint){
        .listener = "PLAINTEXT", .protocol = "PLAINTEXT", .host = "localhost", .port = 9092};
    config.register_broker = 1;
    config.notes = KC_NOTE_ALL & ~(uint32_t)KC_NOTE_LOG_TRACE;
    config.auto_leader_rebalance = 1;
    config.leader_imbalance_percentage = 10;
    config.leader_imbalance_check_us = 300 * 1000000ll;
    config.unclean_leader_election =
        profile.version == SM_VERSION_0_9 || profile.version == SM_VERSION_0_8_2;
    config.delete_topic =
        profile.version == SM_VERSION_2_8 || profile.version == SM_VERSION_2_8_FIXED;
    config.write_group = config.read_group = 1;
    config.retry_backoff_us =
        profile.version == SM_VERSION_0_9 || profile.version == SM_VERSION_0_8_2 ? 300000 : 100000;
    return config;
}

static void arena_place(struct kc_arena *a, uint32_t capacity)
{
    a->capacity = capacity;
    a->base = a->head = a->tail = 8; /* offset 0 means "none" */
}

void kc_controller_init(struct kc_controller *c, const struct kc_limits *limits,
                        const struct kc_config *config)
{
    struct kc_offsets at = offsets_of(limits);

    assert(limits->replicas >= 1);
    assert(limits->replicas <= SM_REPLICAS_MAX);
    assert(limits->window >= 1);
    assert(limits->slots >= limits->window);
    assert(config->write_group >= 1);
    assert(config->write_group <= KC_GROUP_MAX);
    assert(config->read_group >= 1);
    assert(config->read_group <= KC_GROUP_MAX);
    assert(limits->brokers < UINT16_MAX);
    assert(c->limits.window == 0);
    c->limits = *limits;
    c->at = at;
    c->config = *config;
    c->active_id = -1;
    c->next_event_id = 1;
    c->xid = 1;
    arena_place(&c->event_arena, limits->event_bytes);
    arena_place(&c->batches, limits->batch_bytes);
    c->batch_first = c->batches.tail;
}

/* ---- growing ---- */

static uint32_t hash_name(const char *name)
{
    uint32_t h = 2166136261u;
    for (; *name != '\0'; name++) {
        h = (h ^ (uint8_t)*name) * 16777619u;
    }
    return h ^ h >> 15;
}

static uint32_t hash_row(uint32_t topic, int32_t partition)
{
    uint64_t h = ((uint64_t)topic << 32 | (uint32_t)partition) * 0x9E3779B97F4A7C15ull;
    return (uint32_t)(h >> 32);
}

uint32_t kc_topic_bucket(const struct kc_controller *c, const char *name)
{
    return hash_name(name) & (c->at.topic_bucket_count - 1);
}

uint32_t kc_row_bucket(const struct kc_controller *c, uint32_t topic, int32_t partition)
{
    return hash_row(topic, partition) & (c->at.partition_bucket_count - 1);
}

static void chain_topics(struct kc_controller *c)
{
    uint32_t *buckets = kc_at(c, c->at.topic_buckets);

    for (uint32_t i = 0; i < c->topic_count; i++) {
        struct kc_topic *t = kc_topic(c, i);
        if (t->used) {
            uint32_t *bucket = &buckets[kc_topic_bucket(c, kc_topic_name(t))];
            t->next_hash = *bucket;
            *bucket = i + 1;
        }
    }
}

static void chain_partitions(struct kc_controller *c)
{
    uint32_t *buckets = kc_at(c, c->at.partition_buckets);

    for (uint32_t row = 0; row < c->partition_high; row++) {
        struct kc_partition *p = kc_row_at(c, row);
        if (p->topic != 0) {
            uint32_t *bucket = &buckets[kc_row_bucket(c, p->topic - 1, p->partition)];
            p->next_hash = *bucket;
            *bucket = row + 1;
        }
    }
}

static void copy_rows(const struct kc_controller *from, struct kc_controller *to)
{
    uint32_t r = from->limits.replicas;

    for (uint32_t row = 0; row < from->partition_high; row++) {
        const struct kc_partition *p = kc_row_at(from, row);
        struct kc_partition *q = kc_row_at(to, row);
        *q = *p;
        memcpy(kc_isr(to, q), kc_isr(from, p), 2ull * r);
        memcpy(kc_replicas(to, q), kc_replicas(from, p), 2ull * r);
        memcpy(kc_adding(to, q), kc_adding(from, p), 2ull * r);
        memcpy(kc_removing(to, q), kc_removing(from, p), 2ull * r);
        memcpy(kc_entries(to, q), kc_entries(from, p), 8ull * r);
    }
}

static void copy_sets(const struct kc_controller *from, struct kc_controller *to)
{
    for (int set = 0; set < KC_SET_END; set++) {
        for (uint32_t row = kc_set_next(from, set, 0); row != KC_NO_ROW;
             row = kc_set_next(from, set, row + 1)) {
            kc_set_add(to, set, row);
        }
    }
}

static void copy_work(const struct kc_controller *from, struct kc_controller *to)
{
    uint32_t groups = from->call.group_count;
    uint32_t total = kc_work_start(from)[groups];

    memcpy(kc_at(to, to->at.work_rows), kc_at(from, from->at.work_rows), 4ull * total);
    memcpy(kc_work_start(to), kc_work_start(from), 4ull * (groups + 1));
    memcpy(kc_work_order(to), kc_work_order(from), 2ull * groups);
}

static void copy_arena(const struct kc_controller *from, uint64_t from_at, struct kc_controller *to,
                       uint64_t to_at, const struct kc_arena *a)
{
    memcpy(kc_at(to, to_at), kc_at(from, from_at), (size_t)(a->tail - a->base));
}

/* Only what is in use is copied, so that pages which nobody has needed are not touched either.
   Bit sets inside kept batches have the old number of words; they may stay, for each batch says how
   many it has. An open batch cannot: growing happens between steps, and `brokers` grows only at the
   start of an event, when none is open. */
void kc_controller_grow(const struct kc_controller *from, struct kc_controller *to,
                        const struct kc_limits *limits)
{
    struct kc_offsets at = offsets_of(limits);

    assert(from->step == NULL);
    assert(limits->partitions >= from->limits.partitions);
    assert(limits->replicas >= from->limits.replicas);
    assert(limits->brokers >= from->limits.brokers);
    assert(to->limits.window == 0);
    *to = *from;
    to->limits = *limits;
    to->at = at;
    memcpy(kc_at(to, at.broker_order), kc_at(from, from->at.broker_order),
           2ull * from->limits.brokers);
    memcpy(kc_broker(to, 0), kc_broker(from, 0), sizeof(struct kc_broker) * from->broker_count);
    for (uint32_t i = 0; i < from->topic_count; i++) {
        memcpy(kc_topic(to, i), kc_topic(from, i), from->at.topic_stride);
    }
    copy_rows(from, to);
    chain_topics(to);
    chain_partitions(to);
    copy_sets(from, to);
    copy_work(from, to);
    memcpy(kc_slot(to, 0), kc_slot(from, 0), sizeof(struct kc_slot) * from->slot_high);
    to->op_head = 0;
    for (uint32_t i = 0; i < from->op_count; i++) {
        *kc_op(to, i) = *kc_op(from, (from->op_head + i) % from->limits.window);
    }
    to->event_head = 0;
    for (uint32_t i = 0; i < from->event_count; i++) {
        *kc_event_at(to, i) = *kc_event_at(from, i);
    }
    memcpy(kc_scratch(to), kc_scratch(from), from->scratch_used);
    copy_arena(from, from->at.event_bytes, to, at.event_bytes, &from->event_arena);
    copy_arena(from, from->at.batches, to, at.batches, &from->batches);
    to->event_arena.capacity = limits->event_bytes;
    to->batches.capacity = limits->batch_bytes;
}
