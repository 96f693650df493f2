/*
 * Where the group coordinator finds things without walking them all.
 *
 *     bucket ─► group ─► group          by name
 *     bucket ─► offset ─► offset        by group, kind, producer, topic, partition
 *     partition ─► group ◄─► group      all groups of one partition of __consumer_offsets
 *     heap: the group that is due next on top; equal times by row
 *
 * A group with due_us >= 0 is in the heap, at p->heap - 1; every other is in none (0). Exception:
 * between a change of one of its timers and kb_group_due, which each input ends with.
 *
 * Source: none; Kafka has hash maps and a timer wheel here.
 */
#include "broker/group_state.h"

static uint64_t hash_of(uint64_t h, const void *bytes, size_t size)
{
    for (size_t i = 0; i < size; i++) {
        h = (h ^ ((const uint8_t *)bytes)[i]) * 1099511628211u;
    }
    return h;
}

static uint32_t *words(const struct kb_groups *g, size_t at)
{
    return (uint32_t *)(void *)((uint8_t *)(uintptr_t)g + at);
}

/* ---- groups by name and by partition ---- */

static uint32_t *group_bucket(const struct kb_groups *g, const char *id)
{
    uint64_t hash = hash_of(14695981039346656037u, id, strlen(id));
    return words(g, g->buckets_at) + hash % g->limits.groups;
}

uint32_t kb_group_find(const struct kb_groups *g, const char *id)
{
    uint32_t row = *group_bucket(g, id);

    while (row != 0 && strcmp(kb_group_text(g, kb_group(g, row), KB_ID), id) != 0) {
        row = kb_group(g, row)->row.next;
    }
    return row;
}

void kb_group_index(struct kb_groups *g, uint32_t row)
{
    struct kb_group *p = kb_group(g, row);
    uint32_t *bucket = group_bucket(g, kb_group_text(g, p, KB_ID));
    struct kb_owned *o = kb_owned(g, p->partition);

    p->row.next = *bucket;
    *bucket = row;
    p->previous_here = o->last_group;
    p->next_here = 0;
    if (o->last_group == 0) {
        o->first_group = row;
    } else {
        kb_group(g, o->last_group)->next_here = row;
    }
    o->last_group = row;
}

void kb_group_unindex(struct kb_groups *g, uint32_t row)
{
    struct kb_group *p = kb_group(g, row);
    struct kb_owned *o = kb_owned(g, p->partition);
    uint32_t *at = group_bucket(g, kb_group_text(g, p, KB_ID));

    while (*at != row) {
        at = &kb_group(g, *at)->row.next;
    }
    *at = p->row.next;
    if (p->previous_here == 0) {
        o->first_group = p->next_here;
    } else {
        kb_group(g, p->previous_here)->next_here = p->next_here;
    }
    if (p->next_here == 0) {
        o->last_group = p->previous_here;
    } else {
        kb_group(g, p->next_here)->previous_here = p->previous_here;
    }
    kb_group_schedule(g, row, -1);
}

/* ---- offsets ---- */

static uint32_t *offset_bucket(const struct kb_groups *g, uint32_t group, uint32_t kind,
                               int64_t producer_id, const char *topic, int32_t partition)
{
    const int64_t key[] = {group, kind, producer_id, partition};
    uint64_t hash = hash_of(14695981039346656037u, key, sizeof key);

    hash = hash_of(hash, topic, strlen(topic));
    return words(g, g->offset_buckets_at) + hash % g->limits.offsets;
}

static uint32_t *bucket_of(const struct kb_groups *g, const struct kb_offset *o)
{
    return offset_bucket(g, o->group, o->kind, o->producer_id, kb_offset_topic(o), o->partition);
}

uint32_t kb_offset_find(const struct kb_groups *g, uint32_t group, enum kb_offset_kind kind,
                        int64_t producer_id, const char *topic, int32_t partition)
{
    uint32_t row = *offset_bucket(g, group, kind, producer_id, topic, partition);

    for (; row != 0; row = kb_offset(g, row)->next_alike) {
        const struct kb_offset *o = kb_offset(g, row);
        if (o->group == group && o->kind == kind && o->partition == partition &&
            o->producer_id == producer_id && strcmp(kb_offset_topic(o), topic) == 0) {
            break;
        }
    }
    return row;
}

void kb_offset_index(struct kb_groups *g, uint32_t row)
{
    struct kb_offset *o = kb_offset(g, row);
    uint32_t *bucket = bucket_of(g, o);

    o->next_alike = *bucket;
    *bucket = row;
    g->txn_offsets += o->kind == KB_O_TXN;
}

void kb_offset_unindex(struct kb_groups *g, uint32_t row)
{
    const struct kb_offset *o = kb_offset(g, row);
    uint32_t *at = bucket_of(g, o);

    while (*at != row) {
        at = &kb_offset(g, *at)->next_alike;
    }
    *at = o->next_alike;
    g->txn_offsets -= o->kind == KB_O_TXN;
}

/* ---- the heap ---- */

static bool is_before(const struct kb_groups *g, uint32_t a, uint32_t b)
{
    int64_t da = kb_group(g, a)->due_us, db = kb_group(g, b)->due_us;
    return da != db ? da < db : a < b;
}

static void heap_set(struct kb_groups *g, uint32_t place, uint32_t row)
{
    words(g, g->heap_at)[place] = row;
    kb_group(g, row)->heap = place + 1;
}

static void heap_up(struct kb_groups *g, uint32_t place, uint32_t row)
{
    const uint32_t *heap = words(g, g->heap_at);

    for (; place > 0 && is_before(g, row, heap[(place - 1) / 2]); place = (place - 1) / 2) {
        heap_set(g, place, heap[(place - 1) / 2]);
    }
    heap_set(g, place, row);
}

static void heap_down(struct kb_groups *g, uint32_t place, uint32_t row)
{
    const uint32_t *heap = words(g, g->heap_at);

    for (uint32_t child; (child = 2 * place + 1) < g->heap_count; place = child) {
        child += child + 1 < g->heap_count && is_before(g, heap[child + 1], heap[child]);
        if (!is_before(g, heap[child], row)) {
            break;
        }
        heap_set(g, place, heap[child]);
    }
    heap_set(g, place, row);
}

static void heap_place(struct kb_groups *g, uint32_t place, uint32_t row)
{
    const uint32_t *heap = words(g, g->heap_at);

    if (place > 0 && is_before(g, row, heap[(place - 1) / 2])) {
        heap_up(g, place, row);
    } else {
        heap_down(g, place, row);
    }
}

void kb_group_schedule(struct kb_groups *g, uint32_t row, int64_t due_us)
{
    struct kb_group *p = kb_group(g, row);
    uint32_t *heap = words(g, g->heap_at), place = p->heap - 1;

    p->due_us = due_us;
    if (due_us >= 0 && p->heap == 0) {
        heap_up(g, g->heap_count++, row);
    } else if (due_us >= 0) {
        heap_place(g, place, row);
    } else if (p->heap != 0) {
        uint32_t last = heap[--g->heap_count];
        heap[g->heap_count] = 0;
        p->heap = 0;
        if (last != row) {
            heap_place(g, place, last);
        }
    }
}

uint32_t kb_group_earliest(const struct kb_groups *g)
{
    return g->heap_count == 0 ? 0 : words(g, g->heap_at)[0];
}

void kb_index_check(const struct kb_groups *g)
{
    uint32_t due = 0;

    for (uint32_t row = 1; row <= g->tables[KB_T_GROUP].high; row++) {
        const struct kb_group *p = kb_group(g, row);
        if (!p->row.used) {
            continue;
        }
        assert((p->heap != 0) == (p->due_us >= 0));
        assert(p->heap == 0 || words(g, g->heap_at)[p->heap - 1] == row);
        assert(p->heap < 2 || !is_before(g, row, words(g, g->heap_at)[(p->heap - 2) / 2]));
        assert(p->previous_here == 0 || kb_group(g, p->previous_here)->next_here == row);
        assert((p->next_here == 0) == (kb_owned(g, p->partition)->last_group == row));
        due += p->heap != 0;
        for (uint32_t o = p->first_offset, before = 0; o != 0; o = kb_offset(g, o)->row.next) {
            const struct kb_offset *it = kb_offset(g, o);
            assert(it->previous == before);
            assert(kb_offset_find(g, row, (enum kb_offset_kind)it->kind, it->producer_id,
                                  kb_offset_topic(it), it->partition) == o);
            before = o;
        }
    }
    assert(due == g->heap_count);
}
