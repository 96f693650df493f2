/*
 * Layout of the block, its hash tables and its arena (drawn in block.h).
 */
#include "zookeeper/block.h"

#include <assert.h>

/* ---- layout ---- */

/* Appends a section of `count` items to a block of *size bytes; returns its offset. Sections begin
   on cache lines. */
static uint64_t section(uint64_t *size, uint64_t count, uint64_t item_size)
{
    uint64_t at = *size;
    *size = (at + count * item_size + 63) & ~(uint64_t)63;
    return at;
}

static uint64_t arena_capacity(const struct kz_limits *limits)
{
    return 8 + ((uint64_t)limits->bytes / 8 * 9 & ~(uint64_t)7) + 64;
}

static void layout(struct kz_server *s, const struct kz_limits *l)
{
    uint64_t size = (sizeof *s + 63) & ~(uint64_t)63;
    s->limits = *l;
    s->nodes = section(&size, (uint64_t)l->nodes + 1, sizeof(struct kz_node));
    s->table = section(&size, kz_table_slots(l->nodes), sizeof(struct kz_slot));
    s->watches = section(&size, (uint64_t)l->watches + 1, sizeof(struct kz_watch));
    s->watched = section(&size, (uint64_t)l->watches + 1, sizeof(struct kz_watched));
    s->paths = section(&size, kz_table_slots(l->watches), sizeof(struct kz_slot));
    s->sessions = section(&size, (uint64_t)l->sessions + 1, sizeof(struct kz_session));
    s->conns = section(&size, kz_table_slots(l->sessions), sizeof(struct kz_slot));
    s->history = section(&size, l->history, sizeof(struct kz_past));
    s->arena = section(&size, arena_capacity(l), 1);
    s->size = size;
}

size_t kz_server_size(const struct kz_limits *limits)
{
    struct kz_server s = {0};
    layout(&s, limits);
    return s.size;
}

const struct kz_limits *kz_server_limits(const struct kz_server *s)
{
    return &s->limits;
}

void kz_server_init(struct kz_server *s, const struct kz_limits *limits, int64_t tick_us)
{
    assert(((uintptr_t)s & 7) == 0 && tick_us > 0);
    assert(limits->nodes >= 1 && limits->nodes < UINT32_MAX / 8);
    memset(s, 0, kz_server_size(limits));
    layout(s, limits);
    s->tick_us = tick_us;
    s->next_expiry = INT64_MAX;
    s->arena_end = 8; /* offset 0 is nobody */
    s->node_count = s->node_high = KZ_ROOT;
    struct kz_node *root = kz_node(s, KZ_ROOT);
    root->hash = kz_path_hash("/", 1);
    kz_table_add((struct kz_slot *)(void *)kz_at(s, s->table), kz_table_slots(limits->nodes),
                 root->hash, KZ_ROOT);
}

/* ---- growing ---- */

static void copy_section(const struct kz_server *from, uint64_t from_at, struct kz_server *to,
                         uint64_t to_at, uint64_t size)
{
    memcpy(kz_at(to, to_at), kz_at(from, from_at), size);
}

/* The ring of history is laid out anew from slot 0, and its blobs learn their new owners. */
static void grow_history(const struct kz_server *from, struct kz_server *to)
{
    to->history_first = 0;
    for (uint32_t i = 0; i < from->history_count; i++) {
        struct kz_past *past = kz_past(to, i);
        *past = *kz_past(from, i);
        kz_blob_own(to, past->path, KZ_BLOB_PAST_PATH, i);
        if (past->data != 0)
            kz_blob_own(to, past->data, KZ_BLOB_PAST_DATA, i);
    }
}

static void rebuild_tables(struct kz_server *s)
{
    struct kz_slot *table = (struct kz_slot *)(void *)kz_at(s, s->table);
    struct kz_slot *paths = (struct kz_slot *)(void *)kz_at(s, s->paths);
    struct kz_slot *conns = (struct kz_slot *)(void *)kz_at(s, s->conns);
    for (uint32_t i = 1; i <= s->node_high; i++)
        if (i == KZ_ROOT || kz_node(s, i)->parent != 0)
            kz_table_add(table, kz_table_slots(s->limits.nodes), kz_node(s, i)->hash, i);
    for (uint32_t i = 1; i <= s->watched_high; i++)
        if (kz_watched(s, i)->path != 0)
            kz_table_add(paths, kz_table_slots(s->limits.watches), kz_watched(s, i)->hash, i);
    for (uint32_t i = s->session_first; i != 0; i = kz_session(s, i)->next)
        if (kz_session(s, i)->conn != 0)
            kz_table_add(conns, kz_table_slots(s->limits.sessions),
                         kz_session(s, i)->conn * 0x9e3779b1u, i);
}

void kz_server_grow(const struct kz_server *from, struct kz_server *to,
                    const struct kz_limits *limits)
{
    const struct kz_limits *old = &from->limits;
    assert(limits->nodes >= old->nodes && limits->bytes >= old->bytes &&
           limits->watches >= old->watches && limits->sessions >= old->sessions &&
           limits->history >= old->history && limits->nodes < UINT32_MAX / 8);
    memset(to, 0, kz_server_size(limits));
    *to = *from;
    layout(to, limits);
    copy_section(from, from->nodes, to, to->nodes,
                 (from->node_high + 1ull) * sizeof(struct kz_node));
    copy_section(from, from->watches, to, to->watches,
                 (from->watch_high + 1ull) * sizeof(struct kz_watch));
    copy_section(from, from->watched, to, to->watched,
                 (from->watched_high + 1ull) * sizeof(struct kz_watched));
    copy_section(from, from->sessions, to, to->sessions,
                 (from->session_high + 1ull) * sizeof(struct kz_session));
    copy_section(from, from->arena, to, to->arena, from->arena_end);
    grow_history(from, to);
    rebuild_tables(to);
    if (old->history == 0)
        to->floor = to->zxid; /* nothing was kept until now */
}

/* ---- tables ---- */

void kz_table_add(struct kz_slot *table, uint32_t slots, uint32_t hash, uint32_t item)
{
    uint32_t i = kz_table_home(slots, hash);
    while (table[i].item != 0)
        i = i + 1 == slots ? 0 : i + 1;
    table[i] = (struct kz_slot){.hash = hash, .item = item};
}

/* Steps from `from` forward to `to` in the ring. */
static uint32_t distance(uint32_t slots, uint32_t from, uint32_t to)
{
    return to >= from ? to - from : to + slots - from;
}

void kz_table_remove(struct kz_slot *table, uint32_t slots, uint32_t hash, uint32_t item)
{
    uint32_t hole = kz_table_home(slots, hash);
    while (table[hole].item != item)
        hole = hole + 1 == slots ? 0 : hole + 1;
    /* Move back each follower that may stand in the hole: one whose home is not behind it. */
    for (uint32_t i = hole + 1 == slots ? 0 : hole + 1; table[i].item != 0;
         i = i + 1 == slots ? 0 : i + 1) {
        uint32_t home = kz_table_home(slots, table[i].hash);
        if (distance(slots, home, i) >= distance(slots, hole, i)) {
            table[hole] = table[i];
            hole = i;
        }
    }
    table[hole] = (struct kz_slot){0};
}

/* ---- arena ---- */

struct blob_head {
    uint32_t owner; /* item * 8 + kind */
    uint32_t size;
};
_Static_assert(sizeof(struct blob_head) == 8, "no padding");

static struct blob_head *head_of(const struct kz_server *s, uint32_t blob)
{
    return (struct blob_head *)(void *)(kz_blob(s, blob) - sizeof(struct blob_head));
}

/* The field that refers to the blob with this head. */
static uint32_t *reference(struct kz_server *s, const struct blob_head *head)
{
    uint32_t item = head->owner / 8;
    struct kz_past *pasts = (struct kz_past *)(void *)kz_at(s, s->history);
    switch ((enum kz_blob_kind)(head->owner % 8)) {
    case KZ_BLOB_NAME:
        return &kz_node(s, item)->name_at;
    case KZ_BLOB_DATA:
        return &kz_node(s, item)->data;
    case KZ_BLOB_WATCHED_PATH:
        return &kz_watched(s, item)->path;
    case KZ_BLOB_PAST_PATH:
        return &pasts[item].path;
    case KZ_BLOB_PAST_DATA:
        return &pasts[item].data;
    case KZ_BLOB_DEAD:
        break;
    }
    return NULL;
}

/* Slides live blobs down over dead ones. */
static void compact(struct kz_server *s)
{
    uint64_t to = 8;
    for (uint64_t from = 8, cost; from < s->arena_end; from += cost) {
        struct blob_head *head = (struct blob_head *)(void *)kz_at(s, s->arena + from);
        cost = kz_blob_cost(head->size);
        uint32_t *ref = reference(s, head);
        if (ref == NULL)
            continue;
        assert(*ref == (from + 8) / 8);
        *ref = (uint32_t)((to + 8) / 8);
        memmove(kz_at(s, s->arena + to), head, cost);
        to += cost;
    }
    memset(kz_at(s, s->arena + to), 0, s->arena_end - to);
    s->arena_end = to;
    assert(s->arena_end == s->arena_live + 8);
}

bool kz_arena_has(const struct kz_server *s, uint64_t cost)
{
    return s->arena_live + cost <= s->limits.bytes;
}

void kz_arena_reserve(struct kz_server *s, uint64_t cost)
{
    if (s->arena_end + cost > arena_capacity(&s->limits))
        compact(s);
    assert(s->arena_end + cost <= arena_capacity(&s->limits));
}

uint32_t kz_blob_new(struct kz_server *s, enum kz_blob_kind kind, uint32_t item, uint32_t size)
{
    uint64_t cost = kz_blob_cost(size);
    assert(s->arena_end + cost <= arena_capacity(&s->limits));
    uint32_t blob = (uint32_t)((s->arena_end + 8) / 8);
    s->arena_end += cost;
    s->arena_live += cost;
    memset(kz_blob(s, blob) + cost - 16, 0, 8); /* the padding; a blob is never empty */
    *head_of(s, blob) = (struct blob_head){.owner = item * 8 + kind, .size = size};
    return blob;
}

void kz_blob_own(struct kz_server *s, uint32_t blob, enum kz_blob_kind kind, uint32_t item)
{
    head_of(s, blob)->owner = item * 8 + kind;
}

void kz_blob_free(struct kz_server *s, uint32_t blob)
{
    struct blob_head *head = head_of(s, blob);
    assert(head->owner % 8 != KZ_BLOB_DEAD);
    uint64_t cost = kz_blob_cost(head->size);
    s->arena_live -= cost;
    head->owner = KZ_BLOB_DEAD;
    /* The newest blob is simply taken back: a rolled back request leaves no trace. */
    if ((uint64_t)blob * 8 - 8 + cost == s->arena_end) {
        s->arena_end -= cost;
        memset(head, 0, cost);
    }
}

uint32_t kz_past_slot(const struct kz_server *s, uint32_t i)
{
    return (uint32_t)(((uint64_t)s->history_first + i) % s->limits.history);
}

/* ---- sorting a list in place ---- */

/* Merges two sorted lists; of equals those of `a` come first. */
static uint32_t merge(struct kz_server *s, uint32_t a, uint32_t b,
                      uint32_t *(*link)(struct kz_server *s, uint32_t item),
                      bool (*before)(const struct kz_server *s, uint32_t a, uint32_t b))
{
    uint32_t head = 0, *tail = &head;
    while (a != 0 && b != 0) {
        uint32_t *from = before(s, b, a) ? &b : &a;
        *tail = *from;
        tail = link(s, *from);
        *from = *tail;
    }
    *tail = a != 0 ? a : b;
    return head;
}

/* Bottom up: bin[i] holds a sorted run of 2^i items, or nothing, as the bits of a counter do. */
uint32_t kz_list_sort(struct kz_server *s, uint32_t head,
                      uint32_t *(*link)(struct kz_server *s, uint32_t item),
                      bool (*before)(const struct kz_server *s, uint32_t a, uint32_t b))
{
    uint32_t bin[32] = {0};
    while (head != 0) {
        uint32_t run = head, i = 0;
        head = *link(s, run);
        *link(s, run) = 0;
        for (; bin[i] != 0; i++) {
            run = merge(s, bin[i], run, link, before);
            bin[i] = 0;
        }
        bin[i] = run;
    }
    uint32_t sorted = 0;
    for (uint32_t i = 0; i < 32; i++)
        sorted = merge(s, bin[i], sorted, link, before);
    return sorted;
}
