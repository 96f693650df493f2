/*
 * Bytes of any size: keys and values of records, what a command holds.
 *
 *     bytes  [ row, size | …… ][ 0, size | gone ][ row, size | …… ]      free
 *                                                                 ▲ bytes_used
 *
 * A piece is appended; one that is dropped stays where it is, its row 0, until the end is reached:
 * then all that live move to the front, and their rows are told. What lives is counted, so whether
 * a piece will fit is known before (kl_room).
 */
#include "client/state.h"

#include <assert.h>
#include <string.h>

struct piece {
    uint32_t row; /* 0: gone */
    uint32_t size;
};

size_t kl_blob_cost(size_t size)
{
    return sizeof(struct piece) + ((size + 7) & ~(size_t)7);
}

static struct piece *piece_at(const struct kl_client *c, uint32_t at)
{
    return (struct piece *)(void *)(kl_bytes(c) + at);
}

static uint32_t cost_of(const struct piece *p)
{
    return (uint32_t)kl_blob_cost(p->size);
}

static void gather(struct kl_client *c)
{
    uint32_t to = 0;

    for (uint32_t at = 0; at < c->bytes_used;) {
        struct piece head = *piece_at(c, at);
        uint32_t cost = cost_of(&head);
        if (head.row != 0) {
            memmove(kl_bytes(c) + to, kl_bytes(c) + at, cost);
            kl_blob_row(c, head.row)->at = to + 1;
            to += cost;
        }
        at += cost;
    }
    memset(kl_bytes(c) + to, 0, c->bytes_used - to);
    c->bytes_used = to;
    assert(c->bytes_used == c->bytes_live);
}

static uint32_t new_row(struct kl_client *c)
{
    uint32_t row = c->blobs_free;

    c->blobs_used++;
    if (row == 0) {
        return ++c->blobs_fresh;
    }
    c->blobs_free = kl_blob_row(c, row)->size;
    return row;
}

uint32_t kl_blob_new(struct kl_client *c, const void *bytes, size_t size)
{
    uint32_t cost = (uint32_t)kl_blob_cost(size);

    assert(c->bytes_live + cost <= c->limits.bytes);
    if (c->bytes_used + cost > c->limits.bytes) {
        gather(c);
    }
    uint32_t row = new_row(c);
    struct piece *p = piece_at(c, c->bytes_used);
    *p = (struct piece){row, (uint32_t)size};
    memset(p + 1, 0, cost - sizeof *p);
    if (bytes != NULL && size > 0) {
        memcpy(p + 1, bytes, size);
    }
    *kl_blob_row(c, row) = (struct kl_blob){c->bytes_used + 1, cost};
    c->bytes_used += cost;
    c->bytes_live += cost;
    return row;
}

void kl_blob_free(struct kl_client *c, uint32_t blob)
{
    struct kl_blob *row = kl_blob_row(c, blob);
    struct piece *p = piece_at(c, row->at - 1);

    assert(p->row == blob);
    p->row = 0;
    c->bytes_live -= cost_of(p);
    if (c->bytes_live == 0) {
        c->bytes_used = 0;
    }
    *row = (struct kl_blob){0, c->blobs_free};
    c->blobs_free = blob;
    c->blobs_used--;
}

void *kl_blob(const struct kl_client *c, uint32_t blob)
{
    return piece_at(c, kl_blob_row(c, blob)->at - 1) + 1;
}

size_t kl_blob_size(const struct kl_client *c, uint32_t blob)
{
    return piece_at(c, kl_blob_row(c, blob)->at - 1)->size;
}

void kl_blobs_move(const struct kl_client *from, struct kl_client *to)
{
    memcpy(kl_bytes(to), kl_bytes(from), from->bytes_used);
}
