/*
 * Three pools, each with its own way of giving back:
 *
 *   names   entries {topic, size, bytes} in a row; a dead one stays until the pool is full, then
 *           all move down once
 *   rows    extents of 2^k rows; a free one waits in the list of its k
 *   words   entries of lists (cache_lists.c)
 *
 * What is too scattered to be used again is won back by the copy of the next grow.
 */
#include "broker/cache_state.h"

#include <assert.h>
#include <string.h>

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
    c->topics_at = at, at += up8((uint64_t)l->topics * sizeof(struct kb_cache_topic_row));
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
    c->word_end = KB_LIST_HEAD; /* so that no list has the reference 0 */
}

const struct kb_cache_limits *kb_cache_limits_of(const struct kb_cache *c)
{
    return &c->limits;
}

/* ---- rows ---- */

static bool take_extent(struct kb_cache *c, uint16_t extent, uint32_t *first)
{
    struct kb_partition *r = kb_cache_rows(c);
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
        r[*first + i] = (struct kb_partition){.leader = KB_NO_PARTITION};
    return true;
}

static void give_extent(struct kb_cache *c, uint32_t first, uint16_t extent)
{
    struct kb_partition *r = kb_cache_rows(c);
    memset(&r[first], 0, sizeof *r << extent);
    r[first].replicas = c->free_extent[extent];
    c->free_extent[extent] = first + 1;
}

/* The least extent that has a row for `partition`, from `extent` on. */
static uint16_t extent_of(uint32_t partition, uint16_t extent)
{
    while (partition >= 1u << extent)
        extent++;
    return extent;
}

bool kb_cache_reach(struct kb_cache *c, struct kb_cache_topic_row *t, uint32_t partition)
{
    uint16_t extent = extent_of(partition, t->extent);
    uint32_t first;
    if (extent == t->extent)
        return true;
    if (!take_extent(c, extent, &first))
        return false;
    memcpy(&kb_cache_rows(c)[first], &kb_cache_rows(c)[t->first],
           sizeof(struct kb_partition) << t->extent);
    give_extent(c, t->first, t->extent);
    t->first = first;
    t->extent = extent;
    return true;
}

/* ---- topics ---- */

static const struct name *name_of(const struct kb_cache *c, const struct kb_cache_topic_row *t)
{
    return (const struct name *)(const void *)(kb_cache_names(c) + t->name - 1);
}

static uint32_t name_entry(uint32_t size)
{
    return (uint32_t)up8(sizeof(struct name) + size + 1);
}

uint32_t kb_cache_topic(const struct kb_cache *c, const char *name, size_t size)
{
    uint32_t slot = kb_cache_hash(name, size) & (c->topic_buckets - 1);
    for (uint32_t at = kb_cache_topic_bucket(c)[slot]; at != 0;
         at = kb_cache_topics(c)[at - 1].next) {
        const struct name *n = name_of(c, &kb_cache_topics(c)[at - 1]);
        if (n->size == size && memcmp(n + 1, name, size) == 0)
            return at - 1;
    }
    return KB_NO_TOPIC;
}

uint32_t kb_cache_topic_again(const struct kb_cache *c, uint32_t hint, const char *name,
                              size_t size)
{
    if (hint < c->topic_end && kb_cache_topics(c)[hint].name != 0) {
        const struct name *n = name_of(c, &kb_cache_topics(c)[hint]);
        if (n->size == size && memcmp(n + 1, name, size) == 0)
            return hint;
    }
    return kb_cache_topic(c, name, size);
}

static void close_gaps(struct kb_cache *c)
{
    uint32_t to = 0;
    uint8_t *b = kb_cache_names(c);
    for (uint32_t at = 0; at < c->name_end;) {
        struct name n;
        memcpy(&n, b + at, sizeof n);
        uint32_t size = name_entry(n.size);
        if (n.topic != KB_NO_TOPIC) {
            memmove(b + to, b + at, size);
            kb_cache_topics(c)[n.topic].name = to + 1;
            to += size;
        }
        at += size;
    }
    memset(b + to, 0, c->name_end - to);
    c->name_end = to;
    c->name_garbage = 0;
}

const char *kb_cache_add_topic(struct kb_cache *c, const char *name, uint32_t size,
                               uint32_t partition, uint32_t *place)
{
    uint16_t extent = extent_of(partition, 0);
    uint32_t need = name_entry(size), first;
    if (c->free_topic == 0 && c->topic_end == c->limits.topics)
        return "topics";
    if (c->limits.name_bytes - c->name_end + c->name_garbage < need)
        return "name_bytes";
    if (!take_extent(c, extent, &first))
        return "rows";
    if (c->limits.name_bytes - c->name_end < need)
        close_gaps(c);
    uint32_t at = c->free_topic != 0 ? c->free_topic - 1 : c->topic_end++;
    struct kb_cache_topic_row *t = &kb_cache_topics(c)[at];
    if (c->free_topic != 0)
        c->free_topic = t->next;
    uint32_t *bucket =
        &kb_cache_topic_bucket(c)[kb_cache_hash(name, size) & (c->topic_buckets - 1)];
    *t = (struct kb_cache_topic_row){
        .name = c->name_end + 1, .next = *bucket, .first = first, .extent = extent};
    *bucket = at + 1;
    struct name n = {.topic = at, .size = size};
    memcpy(kb_cache_names(c) + c->name_end, &n, sizeof n);
    memcpy(kb_cache_names(c) + c->name_end + sizeof n, name, size);
    c->name_end += need;
    c->name_live += size;
    c->topic_count++;
    *place = at;
    return NULL;
}

void kb_cache_drop_topic(struct kb_cache *c, uint32_t place)
{
    struct kb_cache_topic_row *t = &kb_cache_topics(c)[place];
    struct name n = *name_of(c, t);
    uint32_t slot =
        kb_cache_hash(kb_cache_names(c) + t->name - 1 + sizeof n, n.size) & (c->topic_buckets - 1);
    uint32_t *link = &kb_cache_topic_bucket(c)[slot];
    while (*link != place + 1)
        link = &kb_cache_topics(c)[*link - 1].next;
    *link = t->next;
    uint32_t dead = KB_NO_TOPIC;
    memcpy(kb_cache_names(c) + t->name - 1, &dead, sizeof dead);
    c->name_garbage += name_entry(n.size);
    c->name_live -= n.size;
    give_extent(c, t->first, t->extent);
    *t = (struct kb_cache_topic_row){.next = c->free_topic};
    c->free_topic = place + 1;
    c->topic_count--;
}

uint32_t kb_cache_next_topic(const struct kb_cache *c, uint32_t previous)
{
    for (uint32_t at = previous + 1; at < c->topic_end; at++)
        if (kb_cache_topics(c)[at].name != 0)
            return at;
    return KB_NO_TOPIC;
}

const char *kb_cache_topic_name(const struct kb_cache *c, uint32_t topic, uint32_t *size)
{
    const struct name *n = name_of(c, &kb_cache_topics(c)[topic]);
    if (size != NULL)
        *size = n->size;
    return (const char *)(n + 1);
}

uint32_t kb_cache_partition_count(const struct kb_cache *c, uint32_t topic)
{
    return kb_cache_topics(c)[topic].count;
}

const struct kb_partition *kb_cache_partition(const struct kb_cache *c, uint32_t topic,
                                              int32_t partition)
{
    if (topic == KB_NO_TOPIC || partition < 0)
        return NULL;
    const struct kb_cache_topic_row *t = &kb_cache_topics(c)[topic];
    if (partition >= KB_PARTITION_MAX || (uint32_t)partition >= 1u << t->extent)
        return NULL;
    const struct kb_partition *p = &kb_cache_rows(c)[t->first + (uint32_t)partition];
    return p->leader == KB_NO_PARTITION ? NULL : p;
}

const struct kb_partition *kb_cache_extent(const struct kb_cache *c, uint32_t topic, uint32_t *size)
{
    const struct kb_cache_topic_row *t = &kb_cache_topics(c)[topic];
    *size = 1u << t->extent;
    return &kb_cache_rows(c)[t->first];
}

int32_t kb_cache_next_partition(const struct kb_cache *c, uint32_t topic, int32_t from)
{
    for (int32_t p = from; p < 1 << kb_cache_topics(c)[topic].extent; p++)
        if (kb_cache_partition(c, topic, p) != NULL)
            return p;
    return -1;
}

/* ---- the rest ---- */

/* The last partition first: its rows are then as many as the topic needs, and never move; those
   that a growing extent leaves behind would be missing at the end of a block that is just large
   enough. */
static void copy_topic(const struct kb_cache *from, uint32_t topic, struct kb_cache *to)
{
    uint32_t size, extent, place = KB_NO_TOPIC;
    const char *name = kb_cache_topic_name(from, topic, &size);
    const struct kb_partition *rows = kb_cache_extent(from, topic, &extent);
    for (int32_t p = (int32_t)extent - 1; p >= 0; p--) {
        struct kb_lists l;
        struct kb_partition row = rows[p];
        if (row.leader == KB_NO_PARTITION)
            continue;
        l.replicas = kb_cache_list(from, row.replicas, &l.replica_count);
        l.isr = kb_cache_list(from, row.isr, &l.isr_count);
        l.offline = kb_cache_list(from, row.offline, &l.offline_count);
        const char *short_of = kb_cache_put(to, &place, name, size, p, row, &l);
        assert(short_of == NULL);
    }
}

void kb_cache_grow(const struct kb_cache *from, struct kb_cache *to,
                   const struct kb_cache_limits *limits)
{
    kb_cache_init(to, limits);
    to->controller = from->controller;
    to->live_count = from->live_count;
    memcpy(kb_cache_lives(to), kb_cache_lives(from), from->live_count * sizeof(struct kb_live));
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
    return &kb_cache_lives(c)[index];
}

const struct kb_live *kb_cache_live_id(const struct kb_cache *c, int32_t id)
{
    const struct kb_live *l = kb_cache_lives(c);
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
            assert(row->replicas == 0 || kb_cache_words(c)[row->replicas] > 0);
            assert(row->isr == 0 || kb_cache_words(c)[row->isr] > 0);
            assert(row->offline == 0 || kb_cache_words(c)[row->offline] > 0);
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
        assert(kb_cache_lives(c)[i - 1].broker.id < kb_cache_lives(c)[i].broker.id);
}
