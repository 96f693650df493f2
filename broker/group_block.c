/*
 * The block of the group coordinator: laid out, made, grown by copy.
 *
 *     struct kb_groups | partitions | buckets of groups | of offsets | heap | tables …
 *
 * Rows keep their numbers when the block grows; the indexes are made anew, for their sizes are
 * those of the tables.
 */
#include "broker/group_state.h"

static size_t round8(size_t n)
{
    return (n + 7) & ~(size_t)7;
}

static size_t lay_out(struct kb_groups *g, const struct kb_groups_limits *l)
{
    const size_t strides[KB_T_END] = {
        [KB_T_GROUP] = sizeof(struct kb_group) + (size_t)3 * l->name,
        [KB_T_MEMBER] = sizeof(struct kb_member) + (size_t)KB_MEMBER_TEXTS * l->name +
                        l->protocols + l->assignment,
        [KB_T_OFFSET] = sizeof(struct kb_offset) + l->topic_name + l->metadata,
        [KB_T_APPEND] = sizeof(struct kb_append) + round8((size_t)KB_APPEND_TEXTS * l->name) +
                        (size_t)2 * l->request,
    };
    const uint32_t counts[KB_T_END] = {l->groups, l->members, l->offsets, l->appends};
    size_t at = round8(sizeof *g);

    g->limits = *l;
    g->partitions_at = at;
    at += round8(sizeof(struct kb_owned) * l->partitions);
    g->buckets_at = at;
    at += round8(sizeof(uint32_t) * l->groups);
    g->offset_buckets_at = at;
    at += round8(sizeof(uint32_t) * l->offsets);
    g->heap_at = at;
    at += round8(sizeof(uint32_t) * l->groups);
    for (int t = 0; t < KB_T_END; t++) {
        g->tables[t].at = at;
        g->tables[t].stride = (uint32_t)round8(strides[t]);
        g->tables[t].capacity = counts[t];
        at += round8(strides[t]) * counts[t];
    }
    return at;
}

size_t kb_groups_size(const struct kb_groups_limits *limits)
{
    struct kb_groups g = {0};
    return lay_out(&g, limits);
}

size_t kb_groups_scratch_size(const struct kb_groups_limits *l)
{
    size_t member = (size_t)4 * l->name + l->protocols + l->assignment + 256;
    size_t offset = (size_t)l->name + l->topic_name + l->metadata + 192;

    return round8(member * l->members + offset * (l->offsets + 2) + (size_t)8 * l->request +
                  (size_t)8 * l->name + l->scratch + 4096);
}

void kb_groups_init(struct kb_groups *g, const struct kb_groups_limits *limits,
                    const struct kb_groups_config *config)
{
    memset(g, 0, kb_groups_size(limits));
    lay_out(g, limits);
    g->config = *config;
    g->armed_us = g->cleanup_us = -1;
    for (uint32_t i = 0; i < limits->partitions; i++) {
        kb_owned(g, (int32_t)i)->epoch = -1;
    }
}

const struct kb_groups_limits *kb_groups_limits(const struct kb_groups *g)
{
    return &g->limits;
}

/* Texts of a row lie elsewhere where the limits differ. */
static void copy_texts(const struct kb_groups *from, const struct kb_groups *to, uint32_t t,
                       const void *row, void *copy)
{
    switch ((enum kb_group_tables)t) {
    case KB_T_GROUP:
        for (unsigned n = 0; n < 3; n++) {
            memcpy(kb_group_text(to, copy, n), kb_group_text(from, row, n), from->limits.name);
        }
        break;
    case KB_T_MEMBER:
        for (unsigned n = 0; n < KB_MEMBER_TEXTS; n++) {
            memcpy(kb_member_text(to, copy, n), kb_member_text(from, row, n), from->limits.name);
        }
        memcpy(kb_protocols(to, copy), kb_protocols(from, row), from->limits.protocols);
        memcpy(kb_assignment(to, copy), kb_assignment(from, row), from->limits.assignment);
        break;
    case KB_T_OFFSET:
        memcpy(kb_offset_topic(copy), kb_offset_topic(row), from->limits.topic_name);
        memcpy(kb_offset_metadata(to, copy), kb_offset_metadata(from, row), from->limits.metadata);
        break;
    case KB_T_APPEND:
        for (unsigned n = 0; n < KB_APPEND_TEXTS; n++) {
            memcpy(kb_append_text(to, copy, n), kb_append_text(from, row, n), from->limits.name);
        }
        memcpy(kb_append_request(to, copy), kb_append_request(from, row),
               (size_t)2 * from->limits.request);
        break;
    case KB_T_END:
        break;
    }
}

/* Groups of a partition keep the order in which they came. */
static void index_all(const struct kb_groups *from, struct kb_groups *to)
{
    for (uint32_t i = 0; i < from->limits.partitions; i++) {
        uint32_t row = kb_owned(from, (int32_t)i)->first_group;
        for (; row != 0; row = kb_group(from, row)->next_here) {
            struct kb_group *p = kb_group(to, row);
            p->heap = 0;
            kb_group_index(to, row);
            kb_group_schedule(to, row, p->due_us);
        }
    }
    for (uint32_t row = 1; row <= to->tables[KB_T_OFFSET].high; row++) {
        if (kb_offset(to, row)->row.used) {
            kb_offset_index(to, row);
        }
    }
}

void kb_groups_grow(const struct kb_groups *from, struct kb_groups *to,
                    const struct kb_groups_limits *limits)
{
    static const size_t heads[KB_T_END] = {sizeof(struct kb_group), sizeof(struct kb_member),
                                           sizeof(struct kb_offset), sizeof(struct kb_append)};

    assert(limits->partitions == from->limits.partitions);
    kb_groups_init(to, limits, &from->config);
    to->serial = from->serial;
    to->armed_us = from->armed_us;
    to->cleanup_us = from->cleanup_us;
    to->active = from->active;
    for (uint32_t i = 0; i < limits->partitions; i++) {
        *kb_owned(to, (int32_t)i) = *kb_owned(from, (int32_t)i);
        kb_owned(to, (int32_t)i)->first_group = kb_owned(to, (int32_t)i)->last_group = 0;
    }
    for (uint32_t t = 0; t < KB_T_END; t++) {
        to->tables[t].high = from->tables[t].high;
        to->tables[t].free = from->tables[t].free;
        to->tables[t].used = from->tables[t].used;
        for (uint32_t row = 1; row <= from->tables[t].high; row++) {
            const void *source = kb_grow(from, t, row);
            memcpy(kb_grow(to, t, row), source, heads[t]);
            copy_texts(from, to, t, source, kb_grow(to, t, row));
        }
    }
    index_all(from, to);
}
