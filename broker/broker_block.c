/*
 * The block and what the node was started with: laid out, grown by copy, its settings looked up.
 */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "broker/coordinators.h"

/* ---- the block ---- */

struct kb_broker_limits kb_broker_limits_default(void)
{
    return (struct kb_broker_limits){.cache = kb_cache_limits_default(),
                                     .requests = 64,
                                     .request_bytes = 64 * 1024,
                                     .data_calls = 16,
                                     .events = 128,
                                     .groups = kb_groups_limits_default(),
                                     .txns = kb_txns_limits_default()};
}

/* Coordinators come with data only. */
static size_t lay_out_coordinators(struct kb_broker *b, const struct kb_broker_limits *l, size_t at)
{
    b->loads_at = at,
    at += kb_up8((l->groups.partitions + l->txns.partitions) * sizeof(struct kb_load));
    b->groups_at = at, at += kb_up8(kb_groups_size(&l->groups));
    b->txns_at = at, at += kb_up8(kb_txns_size(&l->txns));
    b->events_at = at, at += kb_up8(l->events * sizeof(struct kb_event));
    return at;
}

static void lay_out(struct kb_broker *b, const struct kb_broker_limits *l, size_t properties,
                    bool has_data)
{
    size_t at = kb_up8(sizeof *b);
    b->limits = *l;
    b->properties_capacity = (uint32_t)properties;
    b->slots_at = at, at += kb_up8(l->requests * sizeof(struct kb_slot));
    b->heap_at = at, at += kb_up8(l->request_bytes);
    b->properties_at = at, at += kb_up8(properties);
    b->data_calls_at = at, at += kb_up8(l->data_calls * sizeof(struct kb_data_call));
    b->cache_at = at, at += kb_up8(kb_cache_size(&l->cache));
    b->size = has_data ? lay_out_coordinators(b, l, at) : at;
}

static size_t size_of(const struct kb_broker_limits *limits, size_t properties, bool has_data)
{
    struct kb_broker b;
    lay_out(&b, limits, properties, has_data);
    return b.size;
}

size_t kb_broker_live(const struct kb_broker *b)
{
    return (size_t)(b->has_data != 0 && b->event_count == 0 ? b->events_at : b->size);
}

static const char *setting_of(const struct kb_props *own, const char *name)
{
    const char *value = kb_props_get(own, name);
    const struct kb_setting *s = kb_broker_setting(name);
    return value != NULL ? value : s != NULL ? s->def : NULL;
}

/* What the node's settings say goes before what the limits say. */
static struct kb_broker_limits limits_of(const struct kb_broker_limits *limits,
                                         const struct kb_broker_config *config)
{
    struct kb_broker_limits l = *limits;
    const char *count = setting_of(&config->properties, "offsets.topic.num.partitions");
    l.groups.partitions = (uint32_t)strtoul(count, NULL, 10);
    count = setting_of(&config->properties, "transaction.state.log.num.partitions");
    l.txns.partitions = (uint32_t)strtoul(count, NULL, 10);
    return l;
}

size_t kb_broker_size(const struct kb_broker_limits *limits, const struct kb_broker_config *config)
{
    struct kb_broker_limits l = limits_of(limits, config);
    return size_of(&l, config->properties.size, config->has_data != 0);
}

size_t kb_broker_grown_size(const struct kb_broker *b, const struct kb_broker_limits *limits)
{
    return size_of(limits, b->properties_capacity, b->has_data != 0);
}

uint8_t *kb_region(const struct kb_broker *b, uint64_t at)
{
    return (uint8_t *)(uintptr_t)b + at;
}

struct kb_slot *kb_slots(const struct kb_broker *b)
{
    return (struct kb_slot *)(void *)kb_region(b, b->slots_at);
}

struct kb_cache *kb_cache_of(const struct kb_broker *b)
{
    return (struct kb_cache *)(void *)kb_region(b, b->cache_at);
}

const struct kb_cache *kb_broker_cache(const struct kb_broker *b)
{
    return kb_cache_of(b);
}

void kb_broker_init(struct kb_broker *b, const struct kb_broker_limits *limits,
                    const struct kb_broker_config *config)
{
    struct kb_broker_limits l = limits_of(limits, config);
    memset(b, 0, kb_broker_size(limits, config));
    lay_out(b, &l, config->properties.size, config->has_data != 0);
    kb_cache_init(kb_cache_of(b), &limits->cache);
    if (config->properties.size > 0)
        memcpy(kb_region(b, b->properties_at), config->properties.bytes, config->properties.size);
    b->properties_size = (uint32_t)config->properties.size;
    b->self = config->broker;
    b->has_data = config->has_data != 0;
    b->epoch = -1;
    b->timer_us = -1;
    b->random = config->seed;
    b->ids = (struct kb_producer_ids){.next = 0, .last = -1, .version = -2};
    if (b->has_data) {
        struct kb_groups_config groups = kb_groups_config_of(b);
        struct kb_txns_config txns = kb_txns_config_of(b);
        kb_groups_init(kb_groups_of(b), &l.groups, &groups);
        kb_txns_init(kb_txns_of(b), &l.txns, &txns);
    }
}

const struct kb_broker_limits *kb_broker_limits(const struct kb_broker *b)
{
    return &b->limits;
}

/* What is small doubles; what is large grows by a quarter, so that little of it stays unused. */
static uint32_t above(uint32_t limit)
{
    enum { LARGE = 1 << 17 };
    uint32_t more = limit < LARGE ? limit : (limit / 4 + 7) & ~7u;
    return limit > UINT32_MAX - 8 - more ? UINT32_MAX - 8 : limit + more;
}

struct kb_broker_limits kb_broker_limits_above(const struct kb_broker_limits *limits,
                                               const char *short_of)
{
    struct kb_broker_limits l = *limits;
    const struct {
        const char *name;
        uint32_t *limit;
    } fields[] = {
        {"brokers", &l.cache.brokers},
        {"topics", &l.cache.topics},
        {"name_bytes", &l.cache.name_bytes},
        {"rows", &l.cache.rows},
        {"words", &l.cache.words},
        {"requests", &l.requests},
        {"request_bytes", &l.request_bytes},
        {"data_calls", &l.data_calls},
        {"events", &l.events},
    };
    if (strncmp(short_of, "groups.", strlen("groups.")) == 0)
        l.groups = kb_groups_limits_above(&l.groups, short_of);
    if (strncmp(short_of, "txns.", strlen("txns.")) == 0)
        l.txns = kb_txns_limits_above(&l.txns, short_of);
    for (size_t i = 0; i < sizeof fields / sizeof fields[0]; i++)
        if (strcmp(fields[i].name, short_of) == 0)
            *fields[i].limit = above(*fields[i].limit);
    return l;
}

static void grow_coordinators(const struct kb_broker *from, struct kb_broker *to)
{
    const struct kb_event *events = (const void *)kb_region(from, from->events_at);
    struct kb_event *copies = (void *)kb_region(to, to->events_at);
    for (uint32_t i = 0; i < from->event_count; i++)
        copies[i] = events[(from->first_event + i) % from->limits.events];
    to->first_event = 0;
    memcpy(kb_region(to, to->loads_at), kb_region(from, from->loads_at),
           from->load_count * sizeof(struct kb_load));
    kb_groups_grow(kb_groups_of(from), kb_groups_of(to), &to->limits.groups);
    kb_txns_grow(kb_txns_of(from), kb_txns_of(to), &to->limits.txns);
}

void kb_broker_grow(const struct kb_broker *from, struct kb_broker *to,
                    const struct kb_broker_limits *limits)
{
    memset(to, 0, kb_broker_grown_size(from, limits));
    *to = *from;
    lay_out(to, limits, from->properties_capacity, from->has_data != 0);
    memcpy(kb_slots(to), kb_slots(from), from->limits.requests * sizeof(struct kb_slot));
    memcpy(kb_region(to, to->heap_at), kb_region(from, from->heap_at), from->heap_used);
    memcpy(kb_region(to, to->properties_at), kb_region(from, from->properties_at),
           from->properties_size);
    memcpy(kb_region(to, to->data_calls_at), kb_region(from, from->data_calls_at),
           from->data_call_count * sizeof(struct kb_data_call));
    kb_cache_grow(kb_cache_of(from), kb_cache_of(to), &limits->cache);
    if (from->has_data)
        grow_coordinators(from, to);
}

/* ---- settings of the node ---- */

struct kb_props kb_properties(const struct kb_broker *b)
{
    return (struct kb_props){.bytes = (char *)kb_region(b, b->properties_at),
                             .capacity = b->properties_size,
                             .size = b->properties_size};
}

struct kb_props kb_dynamic(const struct kb_broker *b, int which)
{
    struct kb_broker *w = (struct kb_broker *)(void *)kb_region(b, 0);
    return (struct kb_props){
        .bytes = w->dynamic[which], .capacity = KB_DYNAMIC_BYTES, .size = b->dynamic_size[which]};
}

static const char *property(const struct kb_broker *b, const char *name)
{
    struct kb_props own = kb_properties(b);
    return setting_of(&own, name);
}

int64_t kb_property_int(const struct kb_broker *b, const char *name)
{
    const char *value = property(b, name);
    return value == NULL ? -1 : strtoll(value, NULL, 10);
}

bool kb_property_is_true(const struct kb_broker *b, const char *name)
{
    char parsed[64], message[KB_TEXT_MAX];
    const char *value = property(b, name);
    const struct kb_setting *s = kb_broker_setting(name);
    return value != NULL && s != NULL &&
           kb_setting_parse(s, value, parsed, sizeof parsed, message) &&
           strcmp(parsed, "true") == 0;
}

/* splitmix64 */
uint32_t kb_draw(struct kb_broker *b, uint32_t bound)
{
    uint64_t z = b->random += 0x9e3779b97f4a7c15u;
    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
    z = (z ^ z >> 27) * 0x94d049bb133111ebu;
    assert(bound > 0);
    return (uint32_t)((z ^ z >> 31) % bound);
}
