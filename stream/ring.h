/*
 * A channel: packets of records from one subtask to another, first in first out.
 *
 *     producer ──► [ packet ][ packet ][   ] … ──► consumer        one writes, one reads: no lock
 *
 *     packet:  records 0 … count-1, their timestamps, their text; and marks: "before record 17,
 *              the watermark is 1200", "barrier 5", "end". So what is not a record keeps its place
 *              among the records, and a watermark behind every record costs a mark, not a packet.
 *
 * A ring has a fixed number of packets under way: that, and the size of a packet, bound what is
 * between two subtasks. A producer is not run while less than ROOM_LEFT of them are free
 * (back-pressure), which is room for what a step usually puts out. One that puts out more may wait,
 * or, where its thread must not wait, gets packets of the heap: they are spilled, a list of the
 * producer's, and enter the ring in order as there is room.
 *
 * Between threads a packet is filled beside the ring, in the stage, which stays in the producer's
 * cache. To publish it means to stream what it has, line by line, past the caches into a block of
 * the ring's memory (ring.c):
 *
 *     stage ══stream══► | block | block | block | …      a block: header, marks, records, times,
 * text
 *
 * where written lines that another cache has had must be asked for from it, one wait of up to 300
 * ns each between distant cores, streamed ones ask nobody. What is not used of a block is not
 * streamed. Where one thread has both sides, or the two share a cache, packets are filled in their
 * blocks.
 *
 * Threads: ring_open/ring_publish by the producer, ring_peek/ring_pop by the consumer, only.
 */
#ifndef STREAM_RING_H
#define STREAM_RING_H

#include <stdatomic.h>

#include "stream/record.h"
#include "stream/table.h"

#if defined(__SSE2__) && !defined(__SANITIZE_THREAD__)
#define STREAMS 1
#else
#define STREAMS 0 /* the thread sanitizer does not see streamed stores */
#endif

#define RING_PACKETS_MAX 64 /* under way between threads, one of which may stop for a moment */
#define RING_PACKETS     16 /* within a thread, or in one of many rings */
/* Bytes for the blocks of all rings between threads into which a task writes by one writer. Few
 * packets are under way, but they go round in a memory that is larger than the second cache. */
#define RING_ROUND_SIZE ((size_t)2 << 20)
/* An exchange of more rings than this, which is one between more than 8 and 8 subtasks, has many.
 * Their number is the square of the parallelism: at 64 it is 4096, and the first record in each
 * would take a huge page, 2 MB, where in small ones it takes some of 4 KB. As each ring goes round
 * all its blocks, however few packets are under way, they have fewer: 16 in each of many rings are
 * enough for a writer. */
#define RINGS_FEW        64
#define WAKE_PACKETS     8 /* so many are worth to wake who reads them */
#define ROOM_LEFT        4 /* free packets that a producer needs to be run */
#define PACKET_MARKS     64
#define PACKET_TEXT_SIZE ((uint32_t)32 * 1024)
#define RECORD_TEXT_MAX  ((uint32_t)64 * 1024 * 1024) /* of one record that crosses a channel */

enum mark_kind { MARK_WATERMARK = 1, MARK_IDLE, MARK_BARRIER, MARK_END };

struct mark {
    enum mark_kind kind;
    uint32_t before; /* comes before this record of the packet */
    int64_t value;   /* watermark; barrier's checkpoint id */
};

struct packet { /* with its first mark it is one line of the cache */
    _Alignas(64) uint32_t count;
    uint32_t mark_count;
    char *records;  /* [BATCH_SIZE] */
    int64_t *times; /* [BATCH_SIZE], of [count] if `timed`, else no record has one */
    char *text;
    uint32_t text_size, text_capacity;
    uint64_t timed; /* 0 or 1 */
    struct mark marks[PACKET_MARKS];
};

struct spilled {
    struct packet packet; /* first */
    char *memory;         /* its records and times */
    char *text;           /* owned, or NULL */
    struct spilled *next;
};

/* What a packet under way has of the heap, to be freed when its place in the ring is taken anew. */
struct of_heap {
    struct spilled *spilled;
    char *text;
};

/* Each side has a line of the cache for what it writes, and remembers in it what it last saw of the
 * other's index: it looks at that line only when what it remembers is not enough. */
struct ring {
    struct layout layout;                 /* of the records */
    char *blocks;                         /* [round] of block_size bytes */
    size_t block_size, times_at, text_at; /* in a block; the records are behind the packet */
    uint32_t round;                       /* >= limit */
    uint32_t limit;                       /* packets under way, a power of two */
    bool is_one_of_many;                  /* see RINGS_FEW */
    struct packet *stage;                 /* NULL: one thread has both sides */
    /* The producer's; the consumer asks for `head` again and again. */
    _Alignas(64) _Atomic uint64_t head; /* packets published */
    _Alignas(64) uint64_t seen_tail;
    struct packet *open; /* not yet published */
    uint32_t streamed;   /* so many of its records are in the block already; of eight */
    char *text_read;     /* where the open packet's text will be read */
    char *text_own;      /* the open packet's text, if it is of the heap */
    struct spilled *spilled, *spilled_last; /* published once there is room */
    bool open_spills;                       /* the open packet will be the last of them */
    bool some_of_heap;                      /* in of_heap */
    bool is_near;                           /* the consumer is: its packets are not staged */
    uint32_t looks, near_looks; /* at what the consumer wrote; how many of them took little time */
    uint32_t next;              /* block of the next packet */
    _Atomic uint64_t written;   /* bytes of records, timestamps and text, for the metrics */
    struct of_heap of_heap[RING_PACKETS_MAX];
    /* The consumer's: */
    _Alignas(64) _Atomic uint64_t tail; /* packets read */
    uint64_t seen_head;
    uint32_t read_block;  /* of the packet that is read next */
    uint32_t read_record; /* its place in its packet */
    uint32_t read_mark;
    /* What has been asked for before it is read: up to byte ahead_at of a packet's block. */
    uint32_t ahead_block;
    uint64_t ahead;
    size_t ahead_at;
    size_t times_used, text_used; /* bytes of the packet read last */
    _Atomic uint64_t read;        /* bytes, as in written */
    struct ring *next_into;       /* of those between threads into the same slot, in a circle */
};

/* `type` outlives the ring; round_size: see RING_ROUND_SIZE, 0 if one thread has both sides;
 * is_one_of_many: see RINGS_FEW. */
void ring_init(struct ring *r, const st_type *type, size_t round_size, bool is_one_of_many);
void ring_free(struct ring *r);
/* The packet being filled; never NULL. */
struct packet *ring_open(struct ring *r);
/* Hands the open packet, if any, to the consumer, or to the spilled ones; returns whether there was
 * one. Whoever then looks whether the consumer sleeps may see what was before: see writer_wake. */
bool ring_publish(struct ring *r);
/* Streams the open packet's records up to `count`, a multiple of eight, from the stage; those
 * behind may be streamed to what it returns, the beginning of a line, and are then counted in
 * `streamed`. */
char *ring_stream_records(struct ring *r, uint32_t count);
/* Is the open packet filled beside its block? */
static inline bool ring_is_staged(const struct ring *r)
{
    return STREAMS != 0 && r->stage != NULL && r->open == r->stage;
}
/* Moves spilled packets into the ring; returns whether none is left. By the producer. */
bool ring_drain(struct ring *r);
void ring_pop(struct ring *r);

/* Learns what the consumer has read, and how near it is. By the producer. */
void ring_look_at_tail(struct ring *r);

/* Are more than `limit` packets in the ring? By the producer. */
static inline bool ring_holds_more(struct ring *r, uint32_t limit)
{
    uint64_t head = atomic_load_explicit(&r->head, memory_order_relaxed);
    if (head - r->seen_tail > limit) {
        ring_look_at_tail(r);
    }
    return head - r->seen_tail > limit;
}

/* Is there room for what a step usually puts out? By the producer. */
static inline bool ring_has_room(struct ring *r)
{
    return !ring_holds_more(r, r->limit - ROOM_LEFT);
}

/* Is there no packet to open but one of the heap? By the producer. */
static inline bool ring_is_full(struct ring *r)
{
    return r->spilled != NULL || ring_holds_more(r, r->limit - 1);
}

static inline struct packet *ring_block(const struct ring *r, uint32_t block)
{
    return (struct packet *)(void *)(r->blocks + block * r->block_size);
}

/* The packet to read, or NULL; valid until ring_pop. By the consumer. */
static inline struct packet *ring_peek(struct ring *r)
{
    uint64_t tail = atomic_load_explicit(&r->tail, memory_order_relaxed);
    if (tail == r->seen_head) {
        r->seen_head = atomic_load(&r->head);
        if (tail == r->seen_head) {
            return NULL;
        }
    }
    return ring_block(r, r->read_block);
}

/* Asks for some lines of what has been published, so that they are near when they are read; by the
 * consumer, who has something else to do meanwhile. */
void ring_foresee(struct ring *r);

/* Published and not yet read. Any thread. */
static inline uint32_t ring_packets(struct ring *r)
{
    return (uint32_t)(atomic_load(&r->head) - atomic_load(&r->tail));
}

/* All that it has ever had: bytes and packets that were written, and those that were read. Any
 * thread. */
struct ring_traffic {
    uint64_t bytes_written, packets_written, bytes_read;
};
struct ring_traffic ring_traffic(struct ring *r);

/* Nothing under way, to the producer's knowledge: no packet open, spilled, or not yet read. For who
 * is producer and consumer in one. */
static inline bool ring_is_clear(struct ring *r)
{
    return r->open == NULL && r->spilled == NULL && ring_packets(r) == 0;
}

/* The timestamps of records that have none. */
extern const int64_t no_times[BATCH_SIZE];

/* The places for the timestamps of `more` records behind those in an open packet, and of seven more
 * that may be written to; NULL: none of all these has one (`timed`: the new ones have). */
int64_t *packet_times(struct packet *p, uint32_t more, bool timed);

/* Room for `size` bytes of text in the open packet; NULL: publish it first (it has other text). An
 * empty packet takes any size up to RECORD_TEXT_MAX. */
char *packet_text(struct ring *r, uint32_t size);
/* Where text that the producer has put there will be read. */
static inline char *packet_text_read(const struct ring *r, const char *text)
{
    return r->text_read + (text - r->open->text);
}

#endif
