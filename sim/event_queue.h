/*
 * What will happen: a 4-ary heap of events, the earliest on top, ties by the order of insertion.
 *
 * Source: LaMarca and Ladner, "The influence of caches on the performance of heaps" (1996): four
 * children share a cache line or two.
 */
#ifndef SIM_EVENT_QUEUE_H
#define SIM_EVENT_QUEUE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct sim_event {
    int64_t t_us;
    uint64_t number; /* given by push */
    uint32_t kind;
    uint32_t process;
    uint64_t a, b;
    void *p;
};

struct sim_event_queue {
    struct sim_event *events;
    size_t count, capacity;
    uint64_t pushed;
};

/* Starts empty when zeroed. push copies; memory is taken as needed (abort()s where there is none).
 */
void sim_event_push(struct sim_event_queue *q, struct sim_event event);
/* Takes the earliest into *event; false where there is none. */
bool sim_event_pop(struct sim_event_queue *q, struct sim_event *event);
void sim_event_queue_free(struct sim_event_queue *q);

#endif
