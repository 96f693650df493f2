/*
 * Rows of the group coordinator: groups by name, their members and offsets in lists.
 *
 *     bucket ─► group ─► group        members: first ─► … ─► last, in the order in which they came
 *                  └────────────────► offsets: first ─► … ─► last
 *
 * A row that is freed is zero but for its link, so that equal histories leave equal bytes. Members
 * and offsets are found by walking the lists of their group.
 *
 * Source: none; Kafka has hash maps here.
 */
#include "broker/group_state.h"

uint32_t kb_rows_left(const struct kb_groups *g, enum kb_group_tables t)
{
    const struct kb_table *table = &g->tables[t];
    uint32_t left = table->capacity - table->high;

    for (uint32_t row = table->free; row != 0; left++) {
        row = ((struct kb_head_of_row *)kb_grow(g, t, row))->next;
    }
    return left;
}

uint32_t kb_row_take(struct kb_groups *g, enum kb_group_tables t)
{
    struct kb_table *table = &g->tables[t];
    uint32_t row = table->free;

    if (row != 0) {
        table->free = ((struct kb_head_of_row *)kb_grow(g, t, row))->next;
    } else {
        assert(table->high < table->capacity);
        row = ++table->high;
    }
    struct kb_head_of_row *head = kb_grow(g, t, row);
    head->used = 1;
    head->next = 0;
    return row;
}

void kb_row_give(struct kb_groups *g, enum kb_group_tables t, uint32_t row)
{
    struct kb_table *table = &g->tables[t];
    struct kb_head_of_row *head = kb_grow(g, t, row);

    memset(head, 0, table->stride);
    head->next = table->free;
    table->free = row;
}

/* ---- groups ---- */

static uint32_t *bucket_of(const struct kb_groups *g, const char *id)
{
    uint32_t hash = 2166136261u;

    for (const char *c = id; *c != 0; c++) {
        hash = (hash ^ (uint8_t)*c) * 16777619u;
    }
    uint32_t *buckets = (uint32_t *)(void *)((uint8_t *)(uintptr_t)g + g->buckets_at);
    return &buckets[hash % g->limits.groups];
}

uint32_t kb_group_find(const struct kb_groups *g, const char *id)
{
    uint32_t row = *bucket_of(g, id);

    while (row != 0 && strcmp(kb_group_text(g, kb_group(g, row), KB_ID), id) != 0) {
        row = kb_group(g, row)->row.next;
    }
    return row;
}

/* Puts a group into its bucket; growing does so anew. */
static void link_group(struct kb_groups *g, uint32_t row)
{
    struct kb_group *p = kb_group(g, row);
    uint32_t *bucket = bucket_of(g, kb_group_text(g, p, KB_ID));

    p->row.next = *bucket;
    *bucket = row;
}

uint32_t kb_group_add(struct kb_groups *g, const char *id, int64_t wall_ms)
{
    uint32_t row = kb_row_take(g, KB_T_GROUP);
    struct kb_group *p = kb_group(g, row);

    strcpy(kb_group_text(g, p, KB_ID), id);
    p->serial = ++g->serial;
    p->state_ms = wall_ms;
    p->join_due_us = p->sync_due_us = p->due_us = -1;
    p->partition = kb_coordinator_partition(id, g->limits.partitions);
    p->state = KB_GROUP_EMPTY;
    link_group(g, row);
    return row;
}

void kb_group_drop(struct kb_groups *g, uint32_t group)
{
    struct kb_group *p = kb_group(g, group);

    while (p->first_member != 0) {
        kb_member_drop(g, p->first_member);
    }
    while (p->first_offset != 0) {
        kb_offset_drop(g, p->first_offset);
    }
    uint32_t *at = bucket_of(g, kb_group_text(g, p, KB_ID));
    while (*at != group) {
        at = &kb_group(g, *at)->row.next;
    }
    *at = p->row.next;
    kb_row_give(g, KB_T_GROUP, group);
}

/* ---- members ---- */

uint32_t kb_member_find(const struct kb_groups *g, uint32_t group, const char *id, bool pending)
{
    uint32_t row = kb_group(g, group)->first_member;

    for (; row != 0; row = kb_member(g, row)->row.next) {
        const struct kb_member *m = kb_member(g, row);
        if (m->pending == pending && strcmp(kb_member_text(g, m, KB_ID), id) == 0) {
            break;
        }
    }
    return row;
}

uint32_t kb_member_static(const struct kb_groups *g, uint32_t group, const char *instance)
{
    uint32_t row = instance == NULL ? 0 : kb_member_after(g, group, 0);

    for (; row != 0; row = kb_member_after(g, group, row)) {
        const struct kb_member *m = kb_member(g, row);
        if (m->has_instance && strcmp(kb_member_text(g, m, KB_INSTANCE), instance) == 0) {
            break;
        }
    }
    return row;
}

uint32_t kb_member_after(const struct kb_groups *g, uint32_t group, uint32_t row)
{
    row = row == 0 ? kb_group(g, group)->first_member : kb_member(g, row)->row.next;
    while (row != 0 && kb_member(g, row)->pending) {
        row = kb_member(g, row)->row.next;
    }
    return row;
}

uint32_t kb_member_add(struct kb_groups *g, uint32_t group, const char *id, bool pending)
{
    struct kb_group *p = kb_group(g, group);
    uint32_t row = kb_row_take(g, KB_T_MEMBER);
    struct kb_member *m = kb_member(g, row);

    strcpy(kb_member_text(g, m, KB_ID), id);
    m->serial = ++g->serial;
    m->group = group;
    m->expire_us = -1;
    m->pending = pending;
    if (p->last_member == 0) {
        p->first_member = row;
    } else {
        kb_member(g, p->last_member)->row.next = row;
    }
    p->last_member = row;
    if (pending) {
        p->pending++;
        return row;
    }
    p->members++;
    if (p->leader == 0) {
        p->leader = row;
    }
    return row;
}

void kb_member_drop(struct kb_groups *g, uint32_t row)
{
    struct kb_member *m = kb_member(g, row);
    struct kb_group *p = kb_group(g, m->group);
    uint32_t group = m->group, previous = 0;

    for (uint32_t at = p->first_member; at != row; at = kb_member(g, at)->row.next) {
        previous = at;
    }
    if (previous == 0) {
        p->first_member = m->row.next;
    } else {
        kb_member(g, previous)->row.next = m->row.next;
    }
    if (p->last_member == row) {
        p->last_member = previous;
    }
    if (m->pending) {
        p->pending--;
    } else {
        p->members--;
    }
    kb_row_give(g, KB_T_MEMBER, row);
    if (p->leader == row) {
        p->leader = kb_member_after(g, group, 0);
    }
}

/* ---- offsets ---- */

uint32_t kb_offset_find(const struct kb_groups *g, uint32_t group, enum kb_offset_kind kind,
                        int64_t producer_id, const char *topic, int32_t partition)
{
    uint32_t row = kb_group(g, group)->first_offset;

    for (; row != 0; row = kb_offset(g, row)->row.next) {
        const struct kb_offset *o = kb_offset(g, row);
        if (o->kind == kind && o->partition == partition && o->producer_id == producer_id &&
            strcmp(kb_offset_topic(o), topic) == 0) {
            break;
        }
    }
    return row;
}

uint32_t kb_offset_put(struct kb_groups *g, uint32_t group, enum kb_offset_kind kind,
                       int64_t producer_id, const char *topic, int32_t partition)
{
    uint32_t row = kb_offset_find(g, group, kind, producer_id, topic, partition);
    struct kb_group *p = kb_group(g, group);

    if (row != 0) {
        return row;
    }
    row = kb_row_take(g, KB_T_OFFSET);
    struct kb_offset *o = kb_offset(g, row);
    strcpy(kb_offset_topic(o), topic);
    o->kind = kind;
    o->group = group;
    o->partition = partition;
    o->producer_id = producer_id;
    o->log_offset = o->expire_ms = -1;
    if (p->last_offset == 0) {
        p->first_offset = row;
    } else {
        kb_offset(g, p->last_offset)->row.next = row;
    }
    p->last_offset = row;
    return row;
}

void kb_offset_drop(struct kb_groups *g, uint32_t row)
{
    struct kb_offset *o = kb_offset(g, row);
    struct kb_group *p = kb_group(g, o->group);
    uint32_t previous = 0;

    for (uint32_t at = p->first_offset; at != row; at = kb_offset(g, at)->row.next) {
        previous = at;
    }
    if (previous == 0) {
        p->first_offset = o->row.next;
    } else {
        kb_offset(g, previous)->row.next = o->row.next;
    }
    if (p->last_offset == row) {
        p->last_offset = previous;
    }
    kb_row_give(g, KB_T_OFFSET, row);
}

void kb_offset_copy_value(const struct kb_groups *g, struct kb_offset *to,
                          const struct kb_offset *from)
{
    to->offset = from->offset;
    to->leader_epoch = from->leader_epoch;
    to->commit_ms = from->commit_ms;
    to->expire_ms = from->expire_ms;
    to->log_offset = from->log_offset;
    to->metadata_size = from->metadata_size;
    memcpy(kb_offset_metadata(g, to), kb_offset_metadata(g, from), g->limits.metadata);
}

/* ---- the block ---- */

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
    memcpy(kb_owned(to, 0), kb_owned(from, 0), sizeof(struct kb_owned) * limits->partitions);
    for (uint32_t t = 0; t < KB_T_END; t++) {
        to->tables[t].high = from->tables[t].high;
        to->tables[t].free = from->tables[t].free;
        for (uint32_t row = 1; row <= from->tables[t].high; row++) {
            const void *source = kb_grow(from, t, row);
            memcpy(kb_grow(to, t, row), source, heads[t]);
            copy_texts(from, to, t, source, kb_grow(to, t, row));
        }
    }
    for (uint32_t row = 1; row <= to->tables[KB_T_GROUP].high; row++) {
        if (kb_group(to, row)->row.used) {
            link_group(to, row);
        }
    }
}
