/*
 * Three pools, each with its own way of giving back:
 *
 *   names   entries {topic, size, bytes} in a row; a dead one stays until the pool is full, then
 *           all move down once
 *   rows    extents of 2^k rows; a free one waits in the list of its k
 *   words   entries of lists; a free one waits in the list of its count
 *
 * What is too scattered to be used again is won back by the copy of the next grow.
 */
#include "broker/metadata_cache.h"

#include <assert.h>
#include <string.h>

enum {
    ABSENT = INT32_MIN, /* leader of a row that holds no partition */
    LEADER_DURING_DELETE = -2,
    COUNTS = 256,            /* of ids in a list: a record counts them in a byte */
    PARTITION_MAX = 1 << 22, /* numbers above are no partition's but a mistake's */
    LIST_HEAD = 3,           /* words before the ids */
};

struct topic {
    uint32_t name;   /* offset+1 of its entry in names, 0: the place is free */
    uint32_t next;   /* chain of its bucket, or of free places: place+1 */
    uint32_t first;  /* row */
    uint16_t extent; /* 2^extent rows */
    uint16_t unused;
    uint32_t count; /* rows that hold a partition */
};

struct name {
    uint32_t topic; /* KB_NO_TOPIC: dead */
    uint32_t size;  /* without the NUL */
};

struct kb_cache {
    struct kb_cache_limits limits;
    int32_t controller;
    uint32_t live_count;
    uint32_t topic_end; /* places used so far */
    uint32_t topic_count, free_topic;
    uint32_t partition_count;
    uint32_t name_end, name_garbage, name_live;
    uint32_t row_end;
    uint32_t word_end, word_live;
    uint32_t topic_buckets, list_buckets;   /* powers of two */
    uint32_t free_extent[KB_CACHE_EXTENTS]; /* row+1 */
    uint32_t free_list[COUNTS];             /* words */
    uint64_t live_at, topics_at, topic_bucket_at, names_at, rows_at, words_at, list_bucket_at;
    uint64_t size;
};

static void *region(const struct kb_cache *c, uint64_t at)
{
    return (uint8_t *)(uintptr_t)c + at;
}
static struct kb_live *lives(const struct kb_cache *c)
{
    return region(c, c->live_at);
}
static struct topic *topics(const struct kb_cache *c)
{
    return region(c, c->topics_at);
}
static uint32_t *topic_bucket(const struct kb_cache *c)
{
    return region(c, c->topic_bucket_at);
}
static uint8_t *names(const struct kb_cache *c)
{
    return region(c, c->names_at);
}
static struct kb_partition *rows(const struct kb_cache *c)
{
    return region(c, c->rows_at);
}
static uint32_t *words(const struct kb_cache *c)
{
    return region(c, c->words_at);
}
static uint32_t *list_bucket(const struct kb_cache *c)
{
    return region(c, c->list_bucket_at);
}

static uint32_t power_above(uint32_t n)
{
    uint32_t p = 8;
    while (p < n && p < 1u << 31)
        p *= 2;
    return p;
}

static uint64_t up8(uint64_t n)
{
    return (n + 7) & ~(uint64_t)7;
}

struct kb_cache_limits kb_cache_limits_default(void)
{
    return (struct kb_cache_limits){
        .brokers = 16, .topics = 64, .name_bytes = 4096, .rows = 512, .words = 2048};
}

static void lay_out(struct kb_cache *c, const struct kb_cache_limits *l)
{
    uint64_t at = up8(sizeof *c);
    c->limits = *l;
    c->topic_buckets = power_above(l->topics);
    c->list_buckets = power_above(l->words / 8);
    c->live_at = at, at += up8((uint64_t)l->brokers * sizeof(struct kb_live));
    c->topics_at = at, at += up8((uint64_t)l->topics * sizeof(struct topic));
    c->topic_bucket_at = at, at += up8((uint64_t)c->topic_buckets * 4);
    c->names_at = at, at += up8(l->name_bytes);
    c->rows_at = at, at += up8((uint64_t)l->rows * sizeof(struct kb_partition));
    c->words_at = at, at += up8((uint64_t)l->words * 4);
    c->list_bucket_at = at, at += up8((uint64_t)c->list_buckets * 4);
    c->size = at;
}

size_t kb_cache_size(const struct kb_cache_limits *limits)
{
    struct kb_cache c;
    lay_out(&c, limits);
    return c.size;
}

void kb_cache_init(struct kb_cache *c, const struct kb_cache_limits *limits)
{
    struct kb_cache head;
    memset(&head, 0, sizeof head);
    lay_out(&head, limits);
    memset(c, 0, head.size);
    *c = head;
    c->controller = -1;
    c->word_end = LIST_HEAD; /* so that no list has the reference 0 */
}

const struct kb_cache_limits *kb_cache_limits_of(const struct kb_cache *c)
{
    return &c->limits;
}

/* ---- hashing ---- */

static uint32_t hash_bytes(const void *bytes, size_t size)
{
    const uint8_t *b = bytes;
    uint32_t h = 2166136261u;
    for (size_t i = 0; i < size; i++)
        h = (h ^ b[i]) * 16777619u;
    return h ^ h >> 15;
}

/* ---- lists ---- */

static uint32_t list_slot(const struct kb_cache *c, const int32_t *ids, uint32_t count)
{
    return hash_bytes(ids, count * sizeof *ids) & (c->list_buckets - 1);
}

static uint32_t find_list(const struct kb_cache *c, const int32_t *ids, uint32_t count)
{
    const uint32_t *w = words(c);
    for (uint32_t at = list_bucket(c)[list_slot(c, ids, count)]; at != 0; at = w[at + 1])
        if (w[at + 2] == count && memcmp(&w[at + LIST_HEAD], ids, count * sizeof *ids) == 0)
            return at;
    return 0;
}

/* Returns a reference to a list that is one use more, or false where there is no room. */
static bool use_list(struct kb_cache *c, const int32_t *ids, uint32_t count, uint32_t *out)
{
    uint32_t *w = words(c);
    *out = 0;
    if (count == 0)
        return true;
    assert(count < COUNTS);
    uint32_t at = find_list(c, ids, count);
    if (at == 0) {
        at = c->free_list[count];
        if (at != 0)
            c->free_list[count] = w[at + 1];
        else if (c->limits.words - c->word_end < LIST_HEAD + count)
            return false;
        else
            at = c->word_end, c->word_end += LIST_HEAD + count;
        uint32_t *bucket = &list_bucket(c)[list_slot(c, ids, count)];
        w[at] = 0;
        w[at + 1] = *bucket;
        w[at + 2] = count;
        memcpy(&w[at + LIST_HEAD], ids, count * sizeof *ids);
        *bucket = at;
        c->word_live += LIST_HEAD + count;
    }
    w[at]++;
    *out = at;
    return true;
}

static void drop_list(struct kb_cache *c, uint32_t at)
{
    uint32_t *w = words(c);
    if (at == 0 || --w[at] > 0)
        return;
    uint32_t count = w[at + 2];
    uint32_t slot = list_slot(c, (const int32_t *)&w[at + LIST_HEAD], count);
    uint32_t *link = &list_bucket(c)[slot];
    while (*link != at)
        link = &w[*link + 1];
    *link = w[at + 1];
    w[at + 1] = c->free_list[count];
    c->free_list[count] = at;
    c->word_live -= LIST_HEAD + count;
}

const int32_t *kb_cache_list(const struct kb_cache *c, uint32_t reference, uint32_t *count)
{
    const uint32_t *w = words(c);
    *count = reference == 0 ? 0 : w[reference + 2];
    return (const int32_t *)&w[reference + LIST_HEAD];
}

/* ---- rows ---- */

static bool take_extent(struct kb_cache *c, uint16_t extent, uint32_t *first)
{
    struct kb_partition *r = rows(c);
    uint32_t size = 1u << extent;
    if (c->free_extent[extent] != 0) {
        *first = c->free_extent[extent] - 1;
        c->free_extent[extent] = r[*first].replicas;
    } else {
        if (c->limits.rows - c->row_end < size)
            return false;
        *first = c->row_end;
        c->row_end += size;
    }
    for (uint32_t i = 0; i < size; i++)
        r[*first + i] = (struct kb_partition){.leader = ABSENT};
    return true;
}

static void give_extent(struct kb_cache *c, uint32_t first, uint16_t extent)
{
    struct kb_partition *r = rows(c);
    memset(&r[first], 0, sizeof *r << extent);
    r[first].replicas = c->free_extent[extent];
    c->free_extent[extent] = first + 1;
}

/* Makes room for `partition` in the topic's extent. */
static bool reach(struct kb_cache *c, struct topic *t, uint32_t partition)
{
    uint16_t extent = t->extent;
    uint32_t first;
    if (partition < 1u << extent)
        return true;
    while (partition >= 1u << extent)
        extent++;
    if (!take_extent(c, extent, &first))
        return false;
    memcpy(&rows(c)[first], &rows(c)[t->first], sizeof(struct kb_partition) << t->extent);
    give_extent(c, t->first, t->extent);
    t->first = first;
    t->extent = extent;
    return true;
}

/* ---- topics ---- */

static const struct name *name_of(const struct kb_cache *c, const struct topic *t)
{
    return (const struct name *)(const void *)(names(c) + t->name - 1);
}

static uint32_t name_entry(uint32_t size)
{
    return (uint32_t)up8(sizeof(struct name) + size + 1);
}

uint32_t kb_cache_topic(const struct kb_cache *c, const char *name, size_t size)
{
    uint32_t slot = hash_bytes(name, size) & (c->topic_buckets - 1);
    for (uint32_t at = topic_bucket(c)[slot]; at != 0; at = topics(c)[at - 1].next) {
        const struct name *n = name_of(c, &topics(c)[at - 1]);
        if (n->size == size && memcmp(n + 1, name, size) == 0)
            return at - 1;
    }
    return KB_NO_TOPIC;
}

uint32_t kb_cache_topic_again(const struct kb_cache *c, uint32_t hint, const char *name,
                              size_t size)
{
    if (hint < c->topic_end && topics(c)[hint].name != 0) {
        const struct name *n = name_of(c, &topics(c)[hint]);
        if (n->size == size && memcmp(n + 1, name, size) == 0)
            return hint;
    }
    return kb_cache_topic(c, name, size);
}

static void close_gaps(struct kb_cache *c)
{
    uint32_t to = 0;
    uint8_t *b = names(c);
    for (uint32_t at = 0; at < c->name_end;) {
        struct name n;
        memcpy(&n, b + at, sizeof n);
        uint32_t size = name_entry(n.size);
        if (n.topic != KB_NO_TOPIC) {
            memmove(b + to, b + at, size);
            topics(c)[n.topic].name = to + 1;
            to += size;
        }
        at += size;
    }
    memset(b + to, 0, c->name_end - to);
    c->name_end = to;
    c->name_garbage = 0;
}

/* Returns what is short, or NULL and the place of a new topic without partitions. */
static const char *add_topic(struct kb_cache *c, const char *name, uint32_t size, uint32_t *place)
{
    uint32_t need = name_entry(size), first;
    if (c->free_topic == 0 && c->topic_end == c->limits.topics)
        return "topics";
    if (c->limits.name_bytes - c->name_end + c->name_garbage < need)
        return "name_bytes";
    if (!take_extent(c, 0, &first))
        return "rows";
    if (c->limits.name_bytes - c->name_end < need)
        close_gaps(c);
    uint32_t at = c->free_topic != 0 ? c->free_topic - 1 : c->topic_end++;
    struct topic *t = &topics(c)[at];
    if (c->free_topic != 0)
        c->free_topic = t->next;
    uint32_t *bucket = &topic_bucket(c)[hash_bytes(name, size) & (c->topic_buckets - 1)];
    *t = (struct topic){.name = c->name_end + 1, .next = *bucket, .first = first};
    *bucket = at + 1;
    struct name n = {.topic = at, .size = size};
    memcpy(names(c) + c->name_end, &n, sizeof n);
    memcpy(names(c) + c->name_end + sizeof n, name, size);
    c->name_end += need;
    c->name_live += size;
    c->topic_count++;
    *place = at;
    return NULL;
}

static void drop_topic(struct kb_cache *c, uint32_t place)
{
    struct topic *t = &topics(c)[place];
    struct name n = *name_of(c, t);
    uint32_t slot = hash_bytes(names(c) + t->name - 1 + sizeof n, n.size) & (c->topic_buckets - 1);
    uint32_t *link = &topic_bucket(c)[slot];
    while (*link != place + 1)
        link = &topics(c)[*link - 1].next;
    *link = t->next;
    uint32_t dead = KB_NO_TOPIC;
    memcpy(names(c) + t->name - 1, &dead, sizeof dead);
    c->name_garbage += name_entry(n.size);
    c->name_live -= n.size;
    give_extent(c, t->first, t->extent);
    *t = (struct topic){.next = c->free_topic};
    c->free_topic = place + 1;
    c->topic_count--;
}

uint32_t kb_cache_next_topic(const struct kb_cache *c, uint32_t previous)
{
    for (uint32_t at = previous + 1; at < c->topic_end; at++)
        if (topics(c)[at].name != 0)
            return at;
    return KB_NO_TOPIC;
}

const char *kb_cache_topic_name(const struct kb_cache *c, uint32_t topic, uint32_t *size)
{
    const struct name *n = name_of(c, &topics(c)[topic]);
    if (size != NULL)
        *size = n->size;
    return (const char *)(n + 1);
}

uint32_t kb_cache_partition_count(const struct kb_cache *c, uint32_t topic)
{
    return topics(c)[topic].count;
}

const struct kb_partition *kb_cache_partition(const struct kb_cache *c, uint32_t topic,
                                              int32_t partition)
{
    if (topic == KB_NO_TOPIC || partition < 0)
        return NULL;
    const struct topic *t = &topics(c)[topic];
    if (partition >= PARTITION_MAX || (uint32_t)partition >= 1u << t->extent)
        return NULL;
    const struct kb_partition *p = &rows(c)[t->first + (uint32_t)partition];
    return p->leader == ABSENT ? NULL : p;
}

int32_t kb_cache_next_partition(const struct kb_cache *c, uint32_t topic, int32_t from)
{
    for (int32_t p = from; p < 1 << topics(c)[topic].extent; p++)
        if (kb_cache_partition(c, topic, p) != NULL)
            return p;
    return -1;
}

/* ---- updates ---- */

static void remove_partition(struct kb_cache *c, uint32_t topic, int32_t partition)
{
    if (kb_cache_partition(c, topic, partition) == NULL)
        return;
    struct topic *t = &topics(c)[topic];
    struct kb_partition *p = &rows(c)[t->first + (uint32_t)partition];
    drop_list(c, p->replicas);
    drop_list(c, p->isr);
    drop_list(c, p->offline);
    *p = (struct kb_partition){.leader = ABSENT};
    c->partition_count--;
    if (--t->count == 0)
        drop_topic(c, topic);
}

struct lists {
    const int32_t *replicas, *isr, *offline;
    uint32_t replica_count, isr_count, offline_count;
};

/* The list that stands in the row stays in use where it says the same: most updates change one. */
static bool use_or_keep(struct kb_cache *c, uint32_t have, const int32_t *ids, uint32_t count,
                        uint32_t *out)
{
    uint32_t *w = words(c);
    if (have != 0 && w[have + 2] == count &&
        memcmp(&w[have + LIST_HEAD], ids, count * sizeof *ids) == 0) {
        w[have]++;
        *out = have;
        return true;
    }
    return use_list(c, ids, count, out);
}

static bool use_lists(struct kb_cache *c, const struct kb_partition *have, const struct lists *l,
                      struct kb_partition *p)
{
    if (!use_or_keep(c, have->replicas, l->replicas, l->replica_count, &p->replicas))
        return false;
    uint32_t near = have->isr != 0 && have->isr != have->replicas ? have->isr : p->replicas;
    if (!use_or_keep(c, near, l->isr, l->isr_count, &p->isr)) {
        drop_list(c, p->replicas);
        return false;
    }
    if (!use_or_keep(c, have->offline, l->offline, l->offline_count, &p->offline)) {
        drop_list(c, p->replicas);
        drop_list(c, p->isr);
        return false;
    }
    return true;
}

/* `topic`: the one before, which it often is; then the one that it is. */
static const char *put_partition(struct kb_cache *c, uint32_t *topic, const char *name,
                                 uint32_t size, int32_t partition, struct kb_partition p,
                                 const struct lists *l)
{
    *topic = kb_cache_topic_again(c, *topic, name, size);
    if (*topic == KB_NO_TOPIC) {
        const char *short_of = add_topic(c, name, size, topic);
        if (short_of != NULL)
            return short_of;
    }
    struct topic *t = &topics(c)[*topic];
    const char *short_of = NULL;
    if (!reach(c, t, (uint32_t)partition))
        short_of = "rows";
    else if (!use_lists(c, &rows(c)[t->first + (uint32_t)partition], l, &p))
        short_of = "words";
    if (short_of != NULL) {
        if (t->count == 0)
            drop_topic(c, *topic);
        return short_of;
    }
    struct kb_partition *row = &rows(c)[t->first + (uint32_t)partition];
    if (row->leader == ABSENT) {
        t->count++;
        c->partition_count++;
    } else {
        drop_list(c, row->replicas);
        drop_list(c, row->isr);
        drop_list(c, row->offline);
    }
    *row = p;
    return NULL;
}

/* What is known of a broker's data holds for one epoch. */
static const char *take_brokers(struct kb_cache *c, const struct wire_batch *batch)
{
    struct kb_live *l = lives(c);
    uint32_t count = 0;
    const struct wire_broker *b = NULL;
    if (batch->broker_count > c->limits.brokers)
        return "brokers";
    uint32_t old_count = c->live_count;
    /* The old ones move to the end, so that both ascending lists are walked in step. */
    uint32_t old = c->limits.brokers - old_count;
    memmove(&l[old], &l[0], old_count * sizeof *l);
    while ((b = wire_batch_next_broker(batch, b)) != NULL && count < batch->broker_count) {
        uint32_t data = KB_DATA_UNKNOWN;
        while (old < c->limits.brokers && l[old].broker.id < b->id)
            old++;
        if (old < c->limits.brokers && l[old].broker.id == b->id) {
            data = l[old].epoch == b->epoch ? l[old].data : KB_DATA_UNKNOWN;
            old++;
        }
        assert(count < old || old == c->limits.brokers);
        memset(&l[count], 0, sizeof *l);
        l[count].epoch = b->epoch;
        l[count].data = data;
        wire_broker_decode(b, &l[count].broker);
        count++;
    }
    c->live_count = count;
    memset(&l[count], 0, (c->limits.brokers - count) * sizeof *l);
    return NULL;
}

const char *kb_cache_update(struct kb_cache *c, const struct wire_batch *batch)
{
    struct wire_record_view v = {0};
    uint32_t topic = KB_NO_TOPIC;
    /* Moving the old brokers aside needs as many places again. */
    if ((uint64_t)batch->broker_count + c->live_count > c->limits.brokers)
        return "brokers";
    const char *short_of = take_brokers(c, batch);
    if (short_of != NULL)
        return short_of;
    c->controller = batch->controller_id < 0 ? -1 : batch->controller_id;
    while (wire_batch_next(batch, WIRE_RECORD_UPDATE_METADATA, &v)) {
        const struct wire_record *r = v.record;
        uint32_t size = (uint32_t)strlen(v.topic);
        if (r->partition < 0 || r->partition >= PARTITION_MAX)
            continue;
        if (r->leader == LEADER_DURING_DELETE) {
            topic = kb_cache_topic_again(c, topic, v.topic, size);
            if (topic != KB_NO_TOPIC)
                remove_partition(c, topic, r->partition);
            continue;
        }
        struct kb_partition p = {.leader = r->leader < 0 ? -1 : r->leader,
                                 .leader_epoch = r->leader_epoch};
        struct lists l = {v.replicas,       v.isr,        v.offline,
                          r->replica_count, r->isr_count, r->offline_count};
        short_of = put_partition(c, &topic, v.topic, size, r->partition, p, &l);
        if (short_of != NULL)
            return short_of;
    }
    return NULL;
}

/* ---- the rest ---- */

static void copy_topic(const struct kb_cache *from, uint32_t topic, struct kb_cache *to)
{
    uint32_t size;
    const char *name = kb_cache_topic_name(from, topic, &size);
    uint32_t left = kb_cache_partition_count(from, topic), place = KB_NO_TOPIC;
    for (int32_t p = -1; left > 0; left--) {
        struct lists l;
        p = kb_cache_next_partition(from, topic, p + 1);
        struct kb_partition row = *kb_cache_partition(from, topic, p);
        l.replicas = kb_cache_list(from, row.replicas, &l.replica_count);
        l.isr = kb_cache_list(from, row.isr, &l.isr_count);
        l.offline = kb_cache_list(from, row.offline, &l.offline_count);
        const char *short_of = put_partition(to, &place, name, size, p, row, &l);
        assert(short_of == NULL);
    }
}

void kb_cache_grow(const struct kb_cache *from, struct kb_cache *to,
                   const struct kb_cache_limits *limits)
{
    kb_cache_init(to, limits);
    to->controller = from->controller;
    to->live_count = from->live_count;
    memcpy(lives(to), lives(from), from->live_count * sizeof(struct kb_live));
    for (uint32_t t = KB_NO_TOPIC; (t = kb_cache_next_topic(from, t)) != KB_NO_TOPIC;)
        copy_topic(from, t, to);
}

int32_t kb_cache_controller(const struct kb_cache *c)
{
    return c->controller;
}

uint32_t kb_cache_live_count(const struct kb_cache *c)
{
    return c->live_count;
}

struct kb_live *kb_cache_live(struct kb_cache *c, uint32_t index)
{
    assert(index < c->live_count);
    return &lives(c)[index];
}

const struct kb_live *kb_cache_live_id(const struct kb_cache *c, int32_t id)
{
    const struct kb_live *l = lives(c);
    uint32_t low = 0, high = c->live_count;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        if (l[middle].broker.id < id)
            low = middle + 1;
        else
            high = middle;
    }
    return low < c->live_count && l[low].broker.id == id ? &l[low] : NULL;
}

const struct sm_endpoint *kb_live_endpoint(const struct kb_live *l, const char *listener)
{
    for (int32_t i = 0; i < l->broker.endpoint_count; i++)
        if (listener == NULL || strcmp(l->broker.endpoint[i].listener, listener) == 0)
            return &l->broker.endpoint[i];
    return NULL;
}

struct kb_cache_totals kb_cache_totals(const struct kb_cache *c)
{
    return (struct kb_cache_totals){.topics = c->topic_count,
                                    .partitions = c->partition_count,
                                    .list_words = c->word_live,
                                    .name_bytes = c->name_live};
}

void kb_cache_check(const struct kb_cache *c)
{
    uint32_t topic_count = 0, partitions = 0;
    for (uint32_t t = KB_NO_TOPIC; (t = kb_cache_next_topic(c, t)) != KB_NO_TOPIC; topic_count++) {
        uint32_t size, found = 0;
        const char *name = kb_cache_topic_name(c, t, &size);
        assert(kb_cache_topic(c, name, size) == t);
        for (int32_t p = 0; (p = kb_cache_next_partition(c, t, p)) >= 0; p++, found++) {
            const struct kb_partition *row = kb_cache_partition(c, t, p);
            assert(row->replicas == 0 || words(c)[row->replicas] > 0);
            assert(row->isr == 0 || words(c)[row->isr] > 0);
            assert(row->offline == 0 || words(c)[row->offline] > 0);
        }
        assert(found > 0);
        assert(found == kb_cache_partition_count(c, t));
        partitions += found;
    }
    assert(topic_count == c->topic_count);
    assert(partitions == c->partition_count);
    assert(c->name_end <= c->limits.name_bytes);
    assert(c->row_end <= c->limits.rows);
    assert(c->word_end <= c->limits.words);
    for (uint32_t i = 1; i < c->live_count; i++)
        assert(lives(c)[i - 1].broker.id < lives(c)[i].broker.id);
}
