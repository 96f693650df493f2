/*
 * Channels, see ring.h.
 *
 * What a block takes over is streamed with stores that go past the caches (x86). Such a store of a
 * whole line needs not own the line: it goes to memory, and a copy that the consumer's cache may
 * have left from the round before is dropped. The price is that the consumer reads from memory and
 * not from a near cache; its processor foresees that, for it reads line by line. Where the two
 * share a cache plain stores are a tenth faster, and where they do not a fifth slower; the system
 * may move threads (a host its machines) from one to the other, so the producer keeps measuring how
 * long a line of the consumer's takes.
 *
 * Order. Streamed stores are not ordered like others, so a fence comes before the store of `head`
 * that publishes (release); who has seen that head (acquire) sees the packet. `tail` is stored
 * behind all reads of a packet and read before its block, or what it has of the heap, is used
 * again. A publication alone is not ordered to the question whether the consumer sleeps:
 * writer_wake.
 */
#include "stream/ring.h"

#include <stdlib.h>

#include "stream/graph.h"

#if STREAMS
#include <emmintrin.h>
#endif

#define LINE       64
#define TIMES_SIZE ((size_t)BATCH_SIZE * sizeof(int64_t) + LINE) /* see packet_times */
/* Of so many looks at the consumer's tail more than half took less than this (with the clock's own
 * 30 ns): the two share a cache. Between distant caches it is 130 and more. */
#define LOOKS   16
#define NEAR_NS 90

static size_t lines(size_t size)
{
    return (size + LINE - 1) / LINE * LINE;
}

/* Copies whole lines; both are aligned to lines. */
static void stream(void *to, const void *from, size_t size)
{
#if STREAMS
    __m128i *out = to;
    const __m128i *in = from;
    for (size_t left = lines(size); left > 0; left -= LINE, in += 4, out += 4) {
        __m128i a = _mm_load_si128(in), b = _mm_load_si128(in + 1);
        __m128i c = _mm_load_si128(in + 2), d = _mm_load_si128(in + 3);
        _mm_stream_si128(out, a);
        _mm_stream_si128(out + 1, b);
        _mm_stream_si128(out + 2, c);
        _mm_stream_si128(out + 3, d);
    }
#else
    memcpy(to, from, lines(size));
#endif
}

static void *take(size_t size)
{
    return must_have(aligned_alloc(LINE, lines(size)));
}

static size_t at_least_chunk(size_t size)
{
    return size < CHUNK_SIZE_BYTES ? CHUNK_SIZE_BYTES : size;
}

/* Few rings' in huge pages, if they are large. */
static void *blocks_take(bool is_one_of_many, size_t size)
{
    if (is_one_of_many) {
        return sparse_calloc(size);
    }
    return size > CHUNK_SIZE_BYTES / 2 ? large_calloc(at_least_chunk(size)) : take(size);
}

static void blocks_free(bool is_one_of_many, void *blocks, size_t size)
{
    if (is_one_of_many) {
        sparse_free(blocks, size);
    } else if (size > CHUNK_SIZE_BYTES / 2) {
        large_free(blocks, at_least_chunk(size));
    } else {
        free(blocks);
    }
}

static size_t records_size(const struct ring *r)
{
    return (size_t)BATCH_SIZE * r->layout.size;
}

void ring_init(struct ring *r, const st_type *type, size_t round_size, bool is_one_of_many)
{
    r->layout = layout_of(type);
    r->times_at = lines(sizeof(struct packet)) + lines(records_size(r));
    r->text_at = r->times_at + TIMES_SIZE;
    r->block_size = r->text_at + (r->layout.text_count > 0 ? PACKET_TEXT_SIZE : 0);
    r->is_one_of_many = is_one_of_many;
    r->limit = round_size > 0 && !is_one_of_many ? RING_PACKETS_MAX : RING_PACKETS;
    size_t packets = round_size / r->block_size;
    r->round = packets > r->limit ? (uint32_t)packets : r->limit;
    r->blocks = blocks_take(is_one_of_many, r->round * r->block_size);
    if (round_size > 0) {
        r->stage = take(r->block_size);
    }
}

static void spilled_free(struct spilled *one)
{
    if (one != NULL) {
        free(one->memory);
        free(one->text);
        free(one);
    }
}

static void free_of_heap(struct of_heap *one)
{
    spilled_free(one->spilled);
    free(one->text);
    *one = (struct of_heap){0};
}

void ring_free(struct ring *r)
{
    for (uint32_t p = 0; p < RING_PACKETS_MAX; p++) {
        free_of_heap(&r->of_heap[p]);
    }
    if (r->open_spills && r->open != NULL) {
        spilled_free((struct spilled *)(void *)r->open);
    }
    for (struct spilled *one = r->spilled, *next; one != NULL; one = next) {
        next = one->next;
        spilled_free(one);
    }
    free(r->text_own);
    free(r->stage);
    blocks_free(r->is_one_of_many, r->blocks, r->round * r->block_size);
    *r = (struct ring){0};
}

/* ---------------------------------------------------------------------------------- Producing */

static struct of_heap *of_heap_at(struct ring *r, uint64_t index)
{
    return &r->of_heap[index & (r->limit - 1)];
}

static struct packet *open_spilled(struct ring *r)
{
    struct spilled *one = calloc_apart(sizeof *one);
    one->memory = take(lines(records_size(r)) + TIMES_SIZE);
    one->packet.records = one->memory;
    one->packet.times = (int64_t *)(void *)(one->memory + lines(records_size(r)));
    return &one->packet;
}

/* Lets a packet's pointers lead into a block. */
static void lead_into(const struct ring *r, struct packet *p, char *block)
{
    p->records = block + lines(sizeof *p);
    p->times = (int64_t *)(void *)(block + r->times_at);
    p->text = r->layout.text_count > 0 ? block + r->text_at : NULL;
}

static struct packet *open_block(struct ring *r)
{
    struct packet *block = ring_block(r, r->next);
    struct packet *p = r->stage != NULL && !r->is_near ? r->stage : block;
    if (r->some_of_heap) {
        free_of_heap(of_heap_at(r, atomic_load_explicit(&r->head, memory_order_relaxed)));
    }
    lead_into(r, p, (char *)p);
    p->count = p->mark_count = p->text_size = r->streamed = 0;
    p->text_capacity = r->layout.text_count > 0 ? PACKET_TEXT_SIZE : 0;
    p->timed = 0;
    r->text_read = (char *)block + r->text_at;
    return p;
}

/* A look that finds something new brings a line from the consumer's cache. Some are short because
 * the line has come before, by another look. */
void ring_look_at_tail(struct ring *r)
{
    int64_t began = r->stage != NULL ? monotonic_ns() : 0;
    uint64_t tail = atomic_load(&r->tail);
    if (r->stage != NULL && tail != r->seen_tail) {
        r->near_looks += monotonic_ns() - began < NEAR_NS;
        if (++r->looks == LOOKS) {
            r->is_near = r->near_looks > LOOKS / 2;
            r->looks = r->near_looks = 0;
        }
    }
    r->seen_tail = tail;
}

struct packet *ring_open(struct ring *r)
{
    if (r->open == NULL) {
        r->open_spills = ring_is_full(r);
        r->open = r->open_spills ? open_spilled(r) : open_block(r);
    }
    return r->open;
}

static void publish_one(struct ring *r)
{
    uint64_t head = atomic_load_explicit(&r->head, memory_order_relaxed);
    r->next = r->next + 1 == r->round ? 0 : r->next + 1;
#if STREAMS
    if (r->stage != NULL) {
        _mm_sfence();
    }
#endif
    atomic_store_explicit(&r->head, head + 1, memory_order_release);
}

/* A packet's first line, and the marks. */
static void stream_head(struct packet *block, const struct packet *p)
{
    stream(block, p, offsetof(struct packet, marks) + p->mark_count * sizeof p->marks[0]);
}

char *ring_stream_records(struct ring *r, uint32_t count)
{
    char *block = (char *)ring_block(r, r->next) + lines(sizeof(struct packet));
    size_t from = (size_t)r->streamed * r->layout.size, to = (size_t)count * r->layout.size;
    if (to > from) {
        stream(block + from, r->stage->records + from, to - from);
        r->streamed = count;
    }
    return block + to;
}

static void publish_stage(struct ring *r)
{
    struct packet *p = r->stage, *block = ring_block(r, r->next);
    char *text = p->text;
    int64_t *times = p->times;
    (void)ring_stream_records(r, p->count);
    lead_into(r, p, (char *)block);
    if (p->timed != 0) {
        stream(p->times, times, p->count * sizeof *times);
    }
    if (r->text_own != NULL) {
        p->text = text;
    } else if (p->text_size > 0) {
        stream(p->text, text, p->text_size);
    }
    stream_head(block, p);
}

bool ring_drain(struct ring *r)
{
    while (r->spilled != NULL && !ring_holds_more(r, r->limit - 1)) {
        struct spilled *first = r->spilled;
        struct of_heap *of_heap =
            of_heap_at(r, atomic_load_explicit(&r->head, memory_order_relaxed));
        free_of_heap(of_heap);
        r->spilled = first->next;
        of_heap->spilled = first;
        r->some_of_heap = true;
        stream_head(ring_block(r, r->next), &first->packet);
        publish_one(r);
    }
    return r->spilled == NULL;
}

/* Counters that one thread writes and others look at. */
static void count_bytes(_Atomic uint64_t *bytes, const struct ring *r, const struct packet *p)
{
    uint64_t more = (uint64_t)p->count * (r->layout.size + (p->timed != 0 ? sizeof *p->times : 0)) +
                    p->text_size;
    atomic_store_explicit(bytes, atomic_load_explicit(bytes, memory_order_relaxed) + more,
                          memory_order_relaxed);
}

struct ring_traffic ring_traffic(struct ring *r)
{
    return (struct ring_traffic){
        .bytes_written = atomic_load_explicit(&r->written, memory_order_relaxed),
        .packets_written = atomic_load_explicit(&r->head, memory_order_relaxed),
        .bytes_read = atomic_load_explicit(&r->read, memory_order_relaxed),
    };
}

bool ring_publish(struct ring *r)
{
    if (r->open == NULL) {
        return false;
    }
    count_bytes(&r->written, r, r->open);
    if (r->open_spills) {
        struct spilled *one = (struct spilled *)(void *)r->open;
        *(r->spilled == NULL ? &r->spilled : &r->spilled_last->next) = one;
        r->spilled_last = one;
        one->text = r->text_own;
        r->text_own = NULL;
        r->open = NULL;
        r->open_spills = false;
        (void)ring_drain(r);
        return true;
    }
    if (r->open == r->stage) {
        publish_stage(r);
    }
    if (r->text_own != NULL) {
        of_heap_at(r, atomic_load_explicit(&r->head, memory_order_relaxed))->text = r->text_own;
        r->some_of_heap = true;
        r->text_own = NULL;
    }
    r->open = NULL;
    publish_one(r);
    return true;
}

/* ---------------------------------------------------------------------------------- Consuming */

void ring_pop(struct ring *r)
{
    uint64_t tail = atomic_load_explicit(&r->tail, memory_order_relaxed);
    const struct packet *p = ring_block(r, r->read_block);
    count_bytes(&r->read, r, p);
    r->times_used = p->timed != 0 ? BATCH_SIZE * sizeof(int64_t) : 0;
    r->text_used = p->text_size <= PACKET_TEXT_SIZE ? p->text_size : 0;
    r->read_record = r->read_mark = 0;
    r->read_block = r->read_block + 1 == r->round ? 0 : r->read_block + 1;
    atomic_store(&r->tail, tail + 1); /* in one order with slot_sleep's */
}

#define LINES_AHEAD 24 /* as many as a processor awaits at once */

/* Where what is used of a block goes on. */
static size_t skip_unused(const struct ring *r, size_t at)
{
    if (at == LINE) {
        return lines(sizeof(struct packet));
    }
    if (at >= r->times_at + r->times_used && at < r->text_at) {
        return r->text_at;
    }
    return at;
}

void ring_foresee(struct ring *r)
{
    uint64_t tail = atomic_load_explicit(&r->tail, memory_order_relaxed);
    if (r->ahead < tail) {
        r->ahead = tail;
        r->ahead_block = r->read_block;
        r->ahead_at = 0;
    }
    if (r->ahead == r->seen_head) {
        r->seen_head = atomic_load_explicit(&r->head, memory_order_acquire);
    }
    const char *block = (const char *)ring_block(r, r->ahead_block);
    for (int i = 0; i < LINES_AHEAD && r->ahead < r->seen_head; i++) {
        __builtin_prefetch(block + r->ahead_at);
        r->ahead_at = skip_unused(r, r->ahead_at + LINE);
        if (r->ahead_at >= r->text_at + r->text_used) {
            r->ahead++;
            r->ahead_block = r->ahead_block + 1 == r->round ? 0 : r->ahead_block + 1;
            r->ahead_at = 0;
            block = (const char *)ring_block(r, r->ahead_block);
        }
    }
}

/* ------------------------------------------------------------------------------ Into a packet */

#define NO_TIMES_4   ST_TIME_MIN, ST_TIME_MIN, ST_TIME_MIN, ST_TIME_MIN
#define NO_TIMES_16  NO_TIMES_4, NO_TIMES_4, NO_TIMES_4, NO_TIMES_4
#define NO_TIMES_64  NO_TIMES_16, NO_TIMES_16, NO_TIMES_16, NO_TIMES_16
#define NO_TIMES_256 NO_TIMES_64, NO_TIMES_64, NO_TIMES_64, NO_TIMES_64
const int64_t no_times[BATCH_SIZE] = {NO_TIMES_256, NO_TIMES_256};
_Static_assert(BATCH_SIZE == 512, "as many as no_times has");

int64_t *packet_times(struct packet *p, uint32_t more, bool timed)
{
    if (timed && p->timed == 0) {
        memcpy(p->times, no_times, p->count * sizeof *p->times);
        p->timed = 1;
    } else if (p->timed != 0 && !timed) {
        memcpy(p->times + p->count, no_times, more * sizeof *p->times);
    }
    return timed ? p->times + p->count : NULL;
}

char *packet_text(struct ring *r, uint32_t size)
{
    struct packet *p = r->open;
    if (p->text_capacity - p->text_size < size || p->text == NULL) {
        if (p->text_size > 0) {
            return NULL;
        }
        uint32_t capacity = size > PACKET_TEXT_SIZE ? size : PACKET_TEXT_SIZE;
        free(r->text_own);
        r->text_own = p->text = r->text_read = must_calloc(1, capacity);
        p->text_capacity = capacity;
    }
    char *text = p->text + p->text_size;
    p->text_size += size;
    return text;
}
