/*
 * The block: places of its tables, names, rows, scratch, and growing by copy.
 *
 * Everything is addressed by offsets that follow from the limits alone. Rows, fetchers, sessions
 * and operations keep their numbers when the block grows; pools are packed, so that growing is also
 * how holes between runs are closed.
 */
#include "broker/replica_state.h"

#include <assert.h>
#include <string.h>

_Static_assert(sizeof(struct kb_batch) == 72, "a batch has no padding");
_Static_assert(sizeof(struct kb_epoch) == 16, "an epoch has no padding");
_Static_assert(sizeof(struct kb_remote) % 8 == 0, "remotes stand in an array");
_Static_assert(sizeof(struct kb_remote) == 104, "a remote has no padding");
_Static_assert(sizeof(struct kb_row) % 8 == 0, "what follows a row is aligned");
_Static_assert(sizeof(struct kb_producer) == 152, "a producer has no padding");
_Static_assert(sizeof(struct kb_wait) == 64, "a wait has no padding");
_Static_assert(sizeof(struct kb_zk_op) % 8 == 0, "requests stand in an array");
_Static_assert(sizeof(struct kb_replicas) % 8 == 0, "what follows the head is aligned");

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

static const uint32_t item_sizes[KB_POOL_END] = {
    [KB_POOL_BATCHES] = sizeof(struct kb_batch),
    [KB_POOL_SEGMENTS] = sizeof(struct kb_segment),
    [KB_POOL_EPOCHS] = sizeof(struct kb_epoch),
    [KB_POOL_PRODUCERS] = sizeof(struct kb_producer),
    [KB_POOL_TRANSACTIONS] = sizeof(struct kb_transaction),
    [KB_POOL_WAITS] = sizeof(struct kb_wait),
};

static uint32_t pool_limit(const struct kb_limits *l, int pool)
{
    switch ((enum kb_pool_id)pool) {
    case KB_POOL_BATCHES:
        return l->batches;
    case KB_POOL_SEGMENTS:
        return l->segments;
    case KB_POOL_EPOCHS:
        return l->epochs;
    case KB_POOL_PRODUCERS:
        return l->producers;
    case KB_POOL_TRANSACTIONS:
        return l->transactions;
    case KB_POOL_WAITS:
        return l->waits;
    case KB_POOL_END:
        break;
    }
    return 0;
}

static struct kb_places places_of(const struct kb_limits *l, struct kb_pool *pools)
{
    struct kb_places p = {0};
    uint64_t at = round_up(sizeof(struct kb_replicas));

    p.topic_stride = (uint32_t)round_up(sizeof(struct kb_topic) + l->topic_name);
    p.remotes = (uint32_t)round_up(sizeof(struct kb_row) + 4ull * l->replicas);
    p.row_stride = p.remotes + (uint32_t)sizeof(struct kb_remote) * l->replicas;
    p.topic_bucket_count = power_of_two_above(l->topics);
    p.row_bucket_count = power_of_two_above(l->partitions);

    p.live = take(&at, 4ull * l->live);
    p.zk = take(&at, KB_ZK_OPS * sizeof(struct kb_zk_op));
    p.fetchers = take(&at, sizeof(struct kb_fetcher) * (uint64_t)l->fetchers);
    p.sessions = take(&at, sizeof(struct kb_session) * (uint64_t)l->sessions);
    p.operations = take(&at, sizeof(struct kb_operation) * (uint64_t)l->operations);
    p.heap = take(&at, 4ull * l->operations);
    p.topic_buckets = take(&at, 4ull * p.topic_bucket_count);
    p.row_buckets = take(&at, 4ull * p.row_bucket_count);
    p.topics = take(&at, (uint64_t)p.topic_stride * l->topics);
    p.rows = take(&at, (uint64_t)p.row_stride * l->partitions);
    for (int pool = 0; pool < KB_POOL_END; pool++) {
        uint64_t place = take(&at, (uint64_t)item_sizes[pool] * pool_limit(l, pool));
        if (pools != NULL) {
            memset(&pools[pool], 0, sizeof pools[pool]);
            pools[pool].at = place;
            pools[pool].item_size = item_sizes[pool];
            pools[pool].capacity = pool_limit(l, pool);
        }
    }
    p.scratch = take(&at, l->scratch_bytes);
    p.total = at;
    return p;
}

struct kb_limits kb_limits_default(void)
{
    return (struct kb_limits){
        .topics = 16,
        .partitions = 64,
        .replicas = 5,
        .topic_name = 64,
        .batches = 1024,
        .segments = 16,
        .epochs = 256,
        .producers = 64,
        .transactions = 64,
        .waits = 256,
        .operations = 64,
        .fetchers = 8,
        .sessions = 16,
        .live = 16,
        .scratch_bytes = 1u << 16,
    };
}

struct kb_limits kb_limits_above(const struct kb_limits *limits, const char *short_of)
{
    struct kb_limits l = *limits;
    const size_t prefix = strlen("replicas.");
    const char *name = strncmp(short_of, "replicas.", prefix) == 0 ? short_of + prefix : short_of;
    const struct {
        const char *name;
        uint32_t *limit;
    } fields[] = {
        {"topics", &l.topics},       {"partitions", &l.partitions},
        {"replicas", &l.replicas},   {"topic_name", &l.topic_name},
        {"batches", &l.batches},     {"epochs", &l.epochs},
        {"producers", &l.producers}, {"transactions", &l.transactions},
        {"waits", &l.waits},         {"operations", &l.operations},
        {"fetchers", &l.fetchers},   {"sessions", &l.sessions},
        {"live", &l.live},           {"scratch_bytes", &l.scratch_bytes},
        {"segments", &l.segments},
    };
    for (size_t i = 0; i < sizeof fields / sizeof fields[0]; i++)
        if (strcmp(fields[i].name, name) == 0)
            *fields[i].limit = *fields[i].limit * 2 + 1;
    if (l.replicas > SM_REPLICAS_MAX)
        l.replicas = SM_REPLICAS_MAX;
    return l;
}

struct kb_config kb_config_default(struct sm_profile profile, int32_t broker_id)
{
    bool old = profile.version == SM_VERSION_0_9 || profile.version == SM_VERSION_0_8_2;

    return (struct kb_config){
        .profile = profile,
        .broker_id = broker_id,
        .notes = KB_NOTE_FACT | KB_NOTE_HW,
        .replica_lag_us = old ? 10000000 : 30000000,
        .hw_checkpoint_us = 5000000,
        .fetch_wait_us = 500000,
        .fetch_backoff_us = 1000000,
        .isr_check_us = 2500000,
        .isr_linger_us = 5000000,
        .isr_max_delay_us = 60000000,
        .flush_messages = 0,
        .retention_check_us = 300000000,
        .producer_check_us = 600000000,
        .producer_expiry_ms = 604800000,
        .log = {.retention_ms = 604800000,
                .retention_bytes = -1,
                .segment_ms = 604800000,
                .timestamp_difference_ms = INT64_MAX,
                .segment_bytes = 1 << 30,
                .cleanup = KB_CLEANUP_DELETE},
        .fetch_min_bytes = 1,
        .fetch_max_bytes = 1 << 20,
        .fetch_response_bytes = 10 << 20,
        .fetchers_per_leader = 1,
        .min_insync_replicas = 1,
        .message_max_bytes = 1048588,
        .log_dirs = 1,
        .zk_window = 10,
    };
}

size_t kb_replicas_size(const struct kb_limits *limits)
{
    return (size_t)places_of(limits, NULL).total;
}

size_t kb_replicas_live(const struct kb_replicas *r)
{
    return (size_t)r->at.scratch;
}

void kb_replicas_init(struct kb_replicas *r, const struct kb_limits *limits,
                      const struct kb_config *config)
{
    assert(limits->replicas >= 1);
    assert(limits->replicas <= SM_REPLICAS_MAX);
    assert(config->log_dirs >= 1);
    assert(config->log_dirs <= KB_DIRS_MAX);
    assert(config->zk_window >= 1);
    assert(config->zk_window <= 64);
    memset(r, 0, kb_replicas_size(limits));
    r->limits = *limits;
    r->config = *config;
    r->at = places_of(limits, r->pools);
    r->broker_epoch = r->told_broker_epoch = -1;
    r->next_correlation = 1;
    r->next_xid = 1;
    r->next_session = 1;
    r->retention_due_ms = r->producers_due_ms = INT64_MAX;
    for (int t = 0; t < KB_TIMER_FETCHER; t++) {
        r->armed_us[t] = -1;
    }
}

const struct kb_limits *kb_replicas_limits(const struct kb_replicas *r)
{
    return &r->limits;
}

const struct kb_config *kb_replicas_config(const struct kb_replicas *r)
{
    return &r->config;
}

/* ---- topics ---- */

static uint32_t hash_name(const char *name)
{
    uint32_t h = 2166136261u;
    for (; *name != '\0'; name++) {
        h = (h ^ (uint8_t)*name) * 16777619u;
    }
    return h ^ h >> 15;
}

static uint32_t *topic_bucket(const struct kb_replicas *r, const char *name)
{
    return (uint32_t *)kb_place(r, r->at.topic_buckets) +
           (hash_name(name) & (r->at.topic_bucket_count - 1));
}

uint32_t kb_topic_find(const struct kb_replicas *r, const char *name)
{
    uint32_t i = *topic_bucket(r, name);

    while (i != 0 && strcmp(kb_topic_name(kb_topic(r, i - 1)), name) != 0) {
        i = kb_topic(r, i - 1)->next_hash;
    }
    return i == 0 ? KB_NO_ROW : i - 1;
}

static uint32_t topic_make(struct kb_replicas *r, const char *name)
{
    uint32_t *bucket = topic_bucket(r, name);
    uint32_t topic = r->free_topic != 0 ? r->free_topic - 1 : r->topic_count;
    struct kb_topic *t = kb_topic(r, topic);

    assert(topic < r->limits.topics);
    if (r->free_topic != 0) {
        r->free_topic = t->next_hash;
    } else {
        r->topic_count++;
    }
    memset(t, 0, r->at.topic_stride);
    assert(strlen(name) < r->limits.topic_name);
    strcpy(kb_topic_name(t), name);
    t->used = 1;
    t->next_hash = *bucket;
    *bucket = topic + 1;
    return topic;
}

static void topic_release(struct kb_replicas *r, uint32_t topic)
{
    struct kb_topic *t = kb_topic(r, topic);
    uint32_t *link = topic_bucket(r, kb_topic_name(t));

    if (t->users != 0 || t->config.min_insync != 0 || t->config.compression != 0 ||
        t->config.log.set != 0) {
        return;
    }
    while (*link != topic + 1) {
        link = &kb_topic(r, *link - 1)->next_hash;
    }
    *link = t->next_hash;
    memset(t, 0, r->at.topic_stride);
    t->next_hash = r->free_topic;
    r->free_topic = topic + 1;
}

uint32_t kb_topic_take(struct kb_replicas *r, const char *name)
{
    uint32_t topic = kb_topic_find(r, name);

    topic = topic == KB_NO_ROW ? topic_make(r, name) : topic;
    kb_topic(r, topic)->users++;
    return topic;
}

void kb_topic_drop(struct kb_replicas *r, uint32_t topic)
{
    assert(kb_topic(r, topic)->users > 0);
    kb_topic(r, topic)->users--;
    topic_release(r, topic);
}

void kb_topic_configure(struct kb_replicas *r, const char *name, struct kb_topic_config config)
{
    uint32_t topic = kb_topic_take(r, name);

    if (kb_topic(r, topic)->users > 1 &&
        memcmp(&kb_topic(r, topic)->config.log, &config.log, sizeof config.log) != 0) {
        r->retention_due_ms = 0; /* nobody knows: the next check looks at all */
    }
    kb_topic(r, topic)->config = config;
    kb_topic_drop(r, topic);
}

struct kb_topic_config kb_topic_config(const struct kb_replicas *r, const char *name)
{
    uint32_t topic = kb_topic_find(r, name);

    return topic == KB_NO_ROW ? (struct kb_topic_config){0} : kb_topic(r, topic)->config;
}

/* ---- rows ---- */

static uint32_t *row_bucket(const struct kb_replicas *r, uint32_t topic, int32_t partition)
{
    uint64_t h = ((uint64_t)topic << 32 | (uint32_t)partition) * 0x9E3779B97F4A7C15ull;
    return (uint32_t *)kb_place(r, r->at.row_buckets) +
           ((uint32_t)(h >> 32) & (r->at.row_bucket_count - 1));
}

uint32_t kb_row_find(const struct kb_replicas *r, const char *topic, int32_t partition)
{
    uint32_t t = kb_topic_find(r, topic);
    uint32_t i;

    if (t == KB_NO_ROW) {
        return KB_NO_ROW;
    }
    i = *row_bucket(r, t, partition);
    while (i != 0 &&
           (kb_row(r, i - 1)->topic != t + 1 || kb_row(r, i - 1)->partition != partition)) {
        i = kb_row(r, i - 1)->next_hash;
    }
    return i == 0 ? KB_NO_ROW : i - 1;
}

uint32_t kb_row_get(struct kb_replicas *r, const char *topic, int32_t partition)
{
    uint32_t row = kb_row_find(r, topic, partition);
    struct kb_row *p;
    uint32_t *bucket;

    if (row != KB_NO_ROW) {
        return row;
    }
    row = r->free_row != 0 ? r->free_row - 1 : r->row_high;
    assert(row < r->limits.partitions);
    p = kb_row(r, row);
    if (r->free_row != 0) {
        r->free_row = p->next_hash;
    } else {
        r->row_high++;
    }
    r->row_count++;
    memset(p, 0, r->at.row_stride);
    p->topic = kb_topic_take(r, topic) + 1;
    p->partition = partition;
    p->leader = p->leader_epoch = -1;
    p->epoch_start = p->open_txn = -1;
    bucket = row_bucket(r, p->topic - 1, partition);
    p->next_hash = *bucket;
    *bucket = row + 1;
    return row;
}

void kb_row_release(struct kb_replicas *r, uint32_t row)
{
    struct kb_row *p = kb_row(r, row);
    uint32_t *link = row_bucket(r, p->topic - 1, p->partition);

    if (p->hosted != KB_NOT_HOSTED || p->has_log) {
        return;
    }
    assert(p->waits == 0);
    for (int list = 0; list < KB_LIST_END; list++) {
        assert(!p->listed[list]);
    }
    while (*link != row + 1) {
        link = &kb_row(r, *link - 1)->next_hash;
    }
    *link = p->next_hash;
    kb_topic_drop(r, p->topic - 1);
    memset(p, 0, r->at.row_stride);
    p->next_hash = r->free_row;
    r->free_row = row + 1;
    r->row_count--;
}

/* ---- lists ---- */

void kb_list_add(struct kb_replicas *r, enum kb_list list, struct kb_head *head, uint32_t row)
{
    struct kb_row *p = kb_row(r, row);

    assert(!p->listed[list]);
    p->listed[list] = 1;
    p->link[list] = (struct kb_link){.prev = head->last};
    if (head->last != 0) {
        kb_row(r, head->last - 1)->link[list].next = row + 1;
    } else {
        head->first = row + 1;
    }
    head->last = row + 1;
    head->count++;
}

void kb_list_remove(struct kb_replicas *r, enum kb_list list, struct kb_head *head, uint32_t row)
{
    struct kb_row *p = kb_row(r, row);
    struct kb_link *link = &p->link[list];

    if (!p->listed[list]) {
        return;
    }
    if (link->next != 0) {
        kb_row(r, link->next - 1)->link[list].prev = link->prev;
    } else {
        head->last = link->prev;
    }
    if (link->prev != 0) {
        kb_row(r, link->prev - 1)->link[list].next = link->next;
    } else {
        head->first = link->next;
    }
    *link = (struct kb_link){0};
    p->listed[list] = 0;
    head->count--;
}

/* ---- scratch and outputs ---- */

size_t kb_scratch_room(const struct kb_replicas *r)
{
    return r->limits.scratch_bytes - r->scratch_used;
}

void *kb_scratch(struct kb_replicas *r, size_t size)
{
    void *here = kb_place(r, r->at.scratch + r->scratch_used);

    if (round_up(size) > kb_scratch_room(r)) {
        return NULL;
    }
    r->scratch_used += (uint32_t)round_up(size);
    return here;
}

void kb_scratch_clear(struct kb_replicas *r)
{
    memset(kb_place(r, r->at.scratch), 0, r->scratch_used);
    r->scratch_used = 0;
}

struct kb_output kb_output_of(const struct kb_replicas *r, enum kb_output_kind kind,
                              const struct kb_row *row)
{
    struct kb_output o = {.kind = kind, .broker_id = -1};

    if (row != NULL) {
        o.topic = kb_row_topic(r, row);
        o.partition = row->partition;
    }
    return o;
}

void kb_put(const struct kb_step *s, const struct kb_output *output)
{
    if (s->out->put != NULL) {
        s->out->put(s->out->context, output);
    }
}

void kb_fact(const struct kb_step *s, enum kb_fact fact, const struct kb_row *row, int32_t value,
             int64_t offset)
{
    struct kb_output o = kb_output_of(s->r, KB_OUT_FACT, row);

    if ((s->r->config.notes & KB_NOTE_FACT) == 0) {
        return;
    }
    o.what = (int32_t)fact;
    o.value = value;
    o.offset = offset;
    o.broker_id = row == NULL ? -1 : row->leader;
    kb_put(s, &o);
}

void kb_fact_batches(const struct kb_step *s, enum kb_fact fact, const struct kb_row *row,
                     int64_t offset, const struct kb_batch *batches, uint32_t count)
{
    struct kb_output o = kb_output_of(s->r, KB_OUT_FACT, row);

    if ((s->r->config.notes & KB_NOTE_FACT) == 0) {
        return;
    }
    o.what = (int32_t)fact;
    o.offset = offset;
    o.broker_id = row->leader;
    o.items = batches;
    o.count = count;
    kb_put(s, &o);
}

void kb_payload(const struct kb_step *s, uint64_t payload, int32_t change)
{
    struct kb_output o = {.kind = KB_OUT_PAYLOAD, .broker_id = -1, .payload = payload};

    o.value = change;
    kb_put(s, &o);
}

/* ---- growing ---- */

static void copy_topics(const struct kb_replicas *from, struct kb_replicas *to)
{
    for (uint32_t i = 0; i < from->topic_count; i++) {
        struct kb_topic *t = kb_topic(to, i);
        memcpy(t, kb_topic(from, i), from->at.topic_stride);
        if (t->used) {
            uint32_t *bucket = topic_bucket(to, kb_topic_name(t));
            t->next_hash = *bucket;
            *bucket = i + 1;
        }
    }
}

static uint32_t place_moved(const struct kb_replicas *from, const struct kb_replicas *to,
                            uint32_t place1)
{
    if (place1 == 0) {
        return 0;
    }
    return (place1 - 1) / from->limits.replicas * to->limits.replicas +
           (place1 - 1) % from->limits.replicas + 1;
}

static void copy_row(const struct kb_replicas *from, struct kb_replicas *to, uint32_t i)
{
    const struct kb_row *p = kb_row(from, i);
    struct kb_row *q = kb_row(to, i);

    *q = *p;
    if (p->topic == 0) {
        return;
    }
    memcpy(kb_isr(q), kb_isr(p), 4ull * from->limits.replicas);
    for (uint32_t slot = 0; slot < from->limits.replicas; slot++) {
        struct kb_remote *remote = kb_remote(to, q, slot);
        *remote = *kb_remote(from, p, slot);
        remote->next_cached = place_moved(from, to, remote->next_cached);
        remote->prev_cached = place_moved(from, to, remote->prev_cached);
        remote->next_dirty = place_moved(from, to, remote->next_dirty);
        remote->prev_dirty = place_moved(from, to, remote->prev_dirty);
    }
    kb_extent_copy(from, &p->batches, to, KB_POOL_BATCHES, &q->batches);
    kb_extent_copy(from, &p->segments, to, KB_POOL_SEGMENTS, &q->segments);
    kb_extent_copy(from, &p->epochs, to, KB_POOL_EPOCHS, &q->epochs);
    kb_extent_copy(from, &p->producers, to, KB_POOL_PRODUCERS, &q->producers);
    kb_extent_copy(from, &p->transactions, to, KB_POOL_TRANSACTIONS, &q->transactions);
    q->waits = 0;
    uint32_t *bucket = row_bucket(to, q->topic - 1, q->partition);
    q->next_hash = *bucket;
    *bucket = i + 1;
}

/* Items move, so that the chains through them are made anew, in the same order. */
static void copy_operations(const struct kb_replicas *from, struct kb_replicas *to)
{
    for (uint32_t i = 0; i < from->operation_high; i++) {
        const struct kb_operation *op = kb_operation(from, i);
        struct kb_operation *copy = kb_operation(to, i);
        *copy = *op;
        if (op->kind == KB_OP_NONE) {
            continue;
        }
        kb_extent_copy(from, &op->items, to, KB_POOL_WAITS, &copy->items);
        for (uint32_t k = 0; k < op->items.count; k++) {
            struct kb_wait *wait = kb_wait_at(to, copy, k);
            wait->next = wait->prev = 0;
        }
    }
}

static void copy_chains(const struct kb_replicas *from, struct kb_replicas *to)
{
    const struct kb_wait *base = kb_place(from, from->pools[KB_POOL_WAITS].at);

    for (uint32_t row = 0; row < from->row_high; row++) {
        uint32_t first = kb_row(from, row)->waits;
        uint32_t at = first;
        while (at != 0) {
            const struct kb_wait *wait = &base[at - 1];
            const struct kb_operation *op = kb_operation(from, wait->operation - 1);
            kb_wait_watch(to, wait->operation - 1, at - 1 - op->items.at - op->items.first, row);
            at = wait->next == first ? 0 : wait->next;
        }
    }
}

static void copy_table(const struct kb_replicas *from, uint64_t from_at, struct kb_replicas *to,
                       uint64_t to_at, uint64_t size)
{
    memcpy(kb_place(to, to_at), kb_place(from, from_at), (size_t)size);
}

static void copy_sessions(const struct kb_replicas *from, struct kb_replicas *to)
{
    for (uint32_t i = 0; i < from->limits.sessions; i++) {
        struct kb_session *session = kb_session(to, i);
        *session = *kb_session(from, i);
        session->first_cached = place_moved(from, to, session->first_cached);
        session->first_dirty = place_moved(from, to, session->first_dirty);
        session->last_dirty = place_moved(from, to, session->last_dirty);
    }
}

void kb_replicas_grow(const struct kb_replicas *from, struct kb_replicas *to,
                      const struct kb_limits *limits)
{
    struct kb_pool pools[KB_POOL_END];
    struct kb_places at = places_of(limits, pools);

    assert(limits->replicas >= from->limits.replicas);
    assert(limits->replicas <= SM_REPLICAS_MAX);
    assert(limits->partitions >= from->limits.partitions);
    assert(limits->topic_name >= from->limits.topic_name);
    assert(from->scratch_used == 0);
    memset(to, 0, (size_t)at.total);
    *to = *from;
    to->limits = *limits;
    to->at = at;
    memcpy(to->pools, pools, sizeof pools);
    copy_table(from, from->at.live, to, at.live, 4ull * from->limits.live);
    copy_table(from, from->at.zk, to, at.zk, KB_ZK_OPS * sizeof(struct kb_zk_op));
    copy_table(from, from->at.fetchers, to, at.fetchers,
               sizeof(struct kb_fetcher) * (uint64_t)from->limits.fetchers);
    copy_table(from, from->at.heap, to, at.heap, 4ull * from->limits.operations);
    copy_sessions(from, to);
    copy_topics(from, to);
    for (uint32_t row = 0; row < from->row_high; row++) {
        copy_row(from, to, row);
    }
    copy_operations(from, to);
    copy_chains(from, to);
}
