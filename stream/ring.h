/*
 * A channel: packets of records from one subtask to another, first in first out.
 *
 *     producer ──► [ packet ][ packet ][   ] … ──► consumer        one writes, one reads: no lock
 *
 *     packet:  records 0 … count-1, their timestamps, their text; and marks: "before record 17,
 *              the watermark is 1200", "barrier 5", "end". So what is not a record keeps its place
 *              among the records, and a watermark behind every record costs a mark, not a packet.
 *
 * A ring has a fixed number of packets, made with it: that, and the size of a packet, bound what is
 * under way between two subtasks. A producer is not run while less than ROOM_LEFT of them are free
 * (back-pressure), which is room for what a step usually puts out. One that puts out more may wait,
 * or, where its thread must not wait, gets packets of the heap: they are spilled, a list of the
 * producer's, and enter the ring in order as there is room.
 *
 * Threads: ring_open/ring_publish by the producer, ring_peek/ring_pop by the consumer, only.
 */
#ifndef STREAM_RING_H
#define STREAM_RING_H

#include <stdatomic.h>

#include "stream/record.h"
#include "stream/table.h"

#define RING_PACKETS     16
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

struct packet {
    uint32_t count, mark_count;
    char *records;  /* [BATCH_SIZE] */
    int64_t *times; /* [BATCH_SIZE], of [count] if `timed`, else no record has one */
    bool timed;
    char *text;
    uint32_t text_size, text_capacity;
    struct mark marks[PACKET_MARKS];
};

struct spilled {
    struct packet packet;
    struct spilled *next;
};

/* Each side has a line of the cache for what it writes, and remembers in it what it last saw of the
 * other's index: it looks at that line only when what it remembers is not enough. */
struct ring {
    struct layout layout;   /* of the records */
    struct packet *packets; /* [RING_PACKETS] */
    /* The producer's: */
    _Alignas(64) _Atomic uint64_t head; /* packets published */
    uint64_t seen_tail;
    struct packet *open;                    /* not yet published */
    struct spilled *spilled, *spilled_last; /* published once there is room */
    bool open_spills;                       /* the open packet will be the last of them */
    /* The consumer's: */
    _Alignas(64) _Atomic uint64_t tail; /* packets read */
    uint64_t seen_head;
    uint32_t read_record; /* its place in its packet */
    uint32_t read_mark;
};

void ring_init(struct ring *r, const st_type *type);
void ring_free(struct ring *r);
/* Is there no packet to open but one of the heap? */
bool ring_is_full(struct ring *r);
/* The packet being filled; never NULL. */
struct packet *ring_open(struct ring *r);
/* Hands the open packet, if any, to the consumer, or to the spilled ones; returns whether there was
 * one. */
bool ring_publish(struct ring *r);
/* Moves spilled packets into the ring; returns whether none is left. By the producer. */
bool ring_drain(struct ring *r);
/* The packet to read, or NULL; valid until ring_pop. */
struct packet *ring_peek(struct ring *r);
void ring_pop(struct ring *r);
/* Published and not yet read. Any thread. */
uint32_t ring_packets(struct ring *r);
/* Asks for the memory where the producer will write its next `count` records, which the consumer's
 * cache still has from the last time round. */
void ring_expect(struct ring *r, uint32_t count, bool timed);
/* Is there room for what a step usually puts out? By the producer. */
bool ring_has_room(struct ring *r);

/* Nothing under way, to the producer's knowledge: no packet open, spilled, or not yet read. For who
 * is producer and consumer in one. */
bool ring_is_clear(struct ring *r);

/* The timestamps of records that have none. */
extern const int64_t no_times[BATCH_SIZE];

/* The places for the timestamps of `more` records behind those in an open packet; NULL: none of
 * all these has one (`timed`: the new ones have). */
int64_t *packet_times(struct packet *p, uint32_t more, bool timed);

/* Room for `size` bytes of text in an open packet; NULL: publish it first (it has other text). An
 * empty packet takes any size up to RECORD_TEXT_MAX. */
char *packet_text(struct packet *p, uint32_t size);

#endif
