/*
 * Requests that wait: produces with acks=all for the high watermark, fetches for records.
 *
 *     operation ── items ──► wait ─ wait ─ wait        one per partition it waits on
 *                             │      │
 *     row ──────── ring ──────●──────┼──── ●  …        oldest first
 *     row ──────── ring ─────────────●──── ●  …
 *     heap of operations by due time
 *
 * When something happens to a row only its own ring is looked at; a produce counts the items that
 * are still open. Fetches of followers in a session have no items: what may be news for them is in
 * the session's list of dirty rows.
 *
 * Source: Kafka DelayedOperationPurgatory, DelayedProduce, DelayedFetch.
 */
#include "broker/replica_state.h"

#include <assert.h>
#include <string.h>

/* ---- heap ---- */

static uint32_t *heap(const struct kb_replicas *r)
{
    return kb_place(r, r->at.heap);
}

static bool is_earlier(const struct kb_replicas *r, uint32_t a, uint32_t b)
{
    int64_t x = kb_operation(r, a)->due_us, y = kb_operation(r, b)->due_us;
    return x != y ? x < y : a < b;
}

static void heap_set(struct kb_replicas *r, uint32_t place, uint32_t operation)
{
    heap(r)[place] = operation;
    kb_operation(r, operation)->heap = place + 1;
}

static void heap_up(struct kb_replicas *r, uint32_t place)
{
    uint32_t operation = heap(r)[place];

    while (place > 0 && is_earlier(r, operation, heap(r)[(place - 1) / 2])) {
        heap_set(r, place, heap(r)[(place - 1) / 2]);
        place = (place - 1) / 2;
    }
    heap_set(r, place, operation);
}

static void heap_down(struct kb_replicas *r, uint32_t place)
{
    uint32_t operation = heap(r)[place];

    for (;;) {
        uint32_t child = 2 * place + 1;
        if (child + 1 < r->heap_count && is_earlier(r, heap(r)[child + 1], heap(r)[child])) {
            child++;
        }
        if (child >= r->heap_count || !is_earlier(r, heap(r)[child], operation)) {
            break;
        }
        heap_set(r, place, heap(r)[child]);
        place = child;
    }
    heap_set(r, place, operation);
}

static void heap_remove(struct kb_replicas *r, uint32_t place)
{
    uint32_t last = heap(r)[--r->heap_count];

    heap(r)[r->heap_count] = 0;
    if (place != r->heap_count) {
        heap_set(r, place, last);
        heap_up(r, place);
        heap_down(r, kb_operation(r, last)->heap - 1);
    }
}

/* ---- operations ---- */

struct kb_wait *kb_wait_at(struct kb_replicas *r, const struct kb_operation *op, uint32_t i)
{
    return kb_extent_at(r, KB_POOL_WAITS, &op->items, i);
}

uint32_t kb_operation_new(struct kb_replicas *r, const struct kb_operation *of, uint32_t items)
{
    uint32_t operation = r->free_operation != 0 ? r->free_operation - 1 : r->operation_high;
    struct kb_operation *op = kb_operation(r, operation);

    assert(operation < r->limits.operations);
    if (r->free_operation != 0) {
        r->free_operation = op->heap;
    } else {
        r->operation_high++;
    }
    *op = *of;
    op->items = (struct kb_extent){0};
    kb_extent_reserve(r, KB_POOL_WAITS, &op->items, items);
    op->items.count = items;
    for (uint32_t i = 0; i < items; i++) {
        kb_wait_at(r, op, i)->operation = operation + 1;
    }
    r->operation_count++;
    heap_set(r, r->heap_count++, operation);
    heap_up(r, r->heap_count - 1);
    return operation;
}

static struct kb_wait *wait_of(const struct kb_replicas *r, uint32_t place1)
{
    return (struct kb_wait *)kb_place(r, r->pools[KB_POOL_WAITS].at) + (place1 - 1);
}

static uint32_t place_of(const struct kb_replicas *r, const struct kb_wait *wait)
{
    return (uint32_t)(wait - wait_of(r, 1)) + 1;
}

void kb_wait_watch(struct kb_replicas *r, uint32_t operation, uint32_t item, uint32_t row)
{
    struct kb_row *p = kb_row(r, row);
    struct kb_wait *wait = kb_wait_at(r, kb_operation(r, operation), item);
    uint32_t here = place_of(r, wait);

    wait->row = row + 1;
    if (p->waits == 0) {
        wait->next = wait->prev = here;
        p->waits = here;
        return;
    }
    wait->next = p->waits;
    wait->prev = wait_of(r, p->waits)->prev;
    wait_of(r, wait->prev)->next = here;
    wait_of(r, p->waits)->prev = here;
}

static void unwatch(struct kb_replicas *r, struct kb_wait *wait)
{
    struct kb_row *row;
    uint32_t here = place_of(r, wait);

    if (wait->row == 0) {
        return;
    }
    row = kb_row(r, wait->row - 1);
    if (wait->next == here) {
        row->waits = 0;
    } else {
        wait_of(r, wait->next)->prev = wait->prev;
        wait_of(r, wait->prev)->next = wait->next;
        row->waits = row->waits == here ? wait->next : row->waits;
    }
    wait->row = wait->next = wait->prev = 0;
}

void kb_operation_free(struct kb_replicas *r, uint32_t operation)
{
    struct kb_operation *op = kb_operation(r, operation);

    for (uint32_t i = 0; i < op->items.count; i++) {
        struct kb_wait *wait = kb_wait_at(r, op, i);
        unwatch(r, wait);
        if (wait->topic != 0) {
            kb_topic_drop(r, wait->topic - 1);
        }
    }
    kb_extent_free(r, KB_POOL_WAITS, &op->items);
    if (op->session != 0) {
        struct kb_session *session = kb_session(r, op->session - 1);
        session->operation = 0;
        if (session->cached_count == 0) {
            memset(session, 0, sizeof *session); /* its rows went to a newer one */
        }
    }
    heap_remove(r, op->heap - 1);
    memset(op, 0, sizeof *op);
    op->heap = r->free_operation;
    r->free_operation = operation + 1;
    r->operation_count--;
}

static void finish(const struct kb_step *s, uint32_t operation)
{
    if (kb_operation(s->r, operation)->kind == KB_OP_PRODUCE) {
        kb_produce_finish(s, operation);
    } else {
        kb_fetch_finish(s, operation);
    }
}

/* ---- waking ---- */

static void settle(struct kb_replicas *r, struct kb_wait *wait)
{
    wait->pending = 0;
    kb_operation(r, wait->operation - 1)->pending--;
    unwatch(r, wait);
}

/* Returns whether the item's operation is finished, and gone with all its items. */
static bool wake(const struct kb_step *s, struct kb_wait *wait, bool fetches_only)
{
    uint32_t operation = wait->operation - 1;
    const struct kb_operation *op = kb_operation(s->r, operation);

    if (op->kind == KB_OP_PRODUCE) {
        if (fetches_only || !kb_produce_settled(s->r, wait)) {
            return false;
        }
        settle(s->r, wait);
        if (op->pending == 0) {
            finish(s, operation);
        }
        return true;
    }
    if (!kb_fetch_may_end(s->r, op)) {
        return false;
    }
    finish(s, operation);
    return true;
}

/* The ring changes with every item that leaves it: then it is walked anew. Those who wait longest
   stand in front, and produces leave in this order. */
static void wake_ring(const struct kb_step *s, struct kb_row *row, bool fetches_only)
{
    uint32_t at = row->waits;

    while (at != 0) {
        struct kb_wait *wait = wait_of(s->r, at);
        uint32_t next = wait->next == row->waits ? 0 : wait->next;
        at = wake(s, wait, fetches_only) ? row->waits : next;
    }
}

static void wake_sessions(const struct kb_step *s, struct kb_row *row)
{
    for (uint32_t slot = 0; slot < s->r->limits.replicas; slot++) {
        const struct kb_remote *remote = kb_remote(s->r, row, slot);
        uint32_t operation =
            remote->session == 0 ? 0 : kb_session(s->r, remote->session - 1)->operation;
        if (operation != 0 && kb_fetch_may_end(s->r, kb_operation(s->r, operation - 1))) {
            kb_fetch_finish(s, operation - 1);
        }
    }
}

void kb_wake_all(const struct kb_step *s, struct kb_row *row)
{
    wake_ring(s, row, false);
    wake_sessions(s, row);
}

void kb_wake_fetches(const struct kb_step *s, struct kb_row *row)
{
    wake_ring(s, row, true);
    wake_sessions(s, row);
}

/* With KAFKA-9198 a produce hears nothing: its item stays open until its time is up. */
void kb_waits_detach(const struct kb_step *s, struct kb_row *row, int32_t error)
{
    struct kb_replicas *r = s->r;
    bool silent = kb_defect(r, SM_DEFECT_STOP_KEEPS_WAITERS);

    while (row->waits != 0) {
        struct kb_wait *wait = wait_of(r, row->waits);
        uint32_t operation = wait->operation - 1;
        const struct kb_operation *op = kb_operation(r, operation);
        if (op->kind == KB_OP_FETCH) {
            unwatch(r, wait);
            finish(s, operation);
        } else if (silent) {
            unwatch(r, wait);
        } else {
            wait->error = error;
            settle(r, wait);
            if (op->pending == 0) {
                finish(s, operation);
            }
        }
    }
}

void kb_waits_expire(const struct kb_step *s)
{
    struct kb_replicas *r = s->r;

    while (r->heap_count > 0 && kb_operation(r, heap(r)[0])->due_us <= s->now_us) {
        finish(s, heap(r)[0]);
    }
}
