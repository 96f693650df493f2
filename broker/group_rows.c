/*
 * Rows of the group coordinator: groups, their members and offsets in lists.
 *
 *     group   members: first ─► … ─► last, in the order in which they came
 *             offsets: first ◄─► … ◄─► last
 *
 * A row that is freed is zero but for its link, so that equal histories leave equal bytes. Groups
 * and offsets are found by their indexes (broker/group_index.c), members by walking their group.
 *
 * Source: none; Kafka has hash maps here.
 */
#include "broker/group_state.h"

uint32_t kb_rows_left(const struct kb_groups *g, enum kb_group_tables t)
{
    return g->tables[t].capacity - g->tables[t].used;
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
    table->used++;
    return row;
}

void kb_row_give(struct kb_groups *g, enum kb_group_tables t, uint32_t row)
{
    struct kb_table *table = &g->tables[t];
    struct kb_head_of_row *head = kb_grow(g, t, row);

    memset(head, 0, table->stride);
    head->next = table->free;
    table->free = row;
    table->used--;
}

/* ---- groups ---- */

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
    kb_group_index(g, row);
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
    kb_group_unindex(g, group);
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
    o->previous = p->last_offset;
    p->last_offset = row;
    kb_offset_index(g, row);
    return row;
}

void kb_offset_drop(struct kb_groups *g, uint32_t row)
{
    struct kb_offset *o = kb_offset(g, row);
    struct kb_group *p = kb_group(g, o->group);

    kb_offset_unindex(g, row);
    if (o->previous == 0) {
        p->first_offset = o->row.next;
    } else {
        kb_offset(g, o->previous)->row.next = o->row.next;
    }
    if (o->row.next == 0) {
        p->last_offset = o->previous;
    } else {
        kb_offset(g, o->row.next)->previous = o->previous;
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
