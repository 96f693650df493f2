/*
 * Two traces aligned by cause: which record of one is which of the other.
 *
 *     A    kill 2 ──► session expires ──► elects 3 ──► …         other[n]: the record that it is
 * there, ║              ║                ┊                   0: only here B    kill 2 ──► session
 * expires ──► elects nobody
 *
 * Both traces are forests: each record has the cause `by`, which is earlier. Two records are the
 * same thing where their causes are, and kind, place and subject (align_same.h) agree. So the walk
 * goes from causes to effects, and what comes of one cause is paired with what comes of its like:
 * first what is equal, then what differs, each in its order. What happened because nothing came
 * (`mute`) is paired by its subject in the end, for an absence may have two causes. Numbers of
 * records play no part, and times none, but that of a fault: when it acts is what it is.
 *
 * What differs without any of its causes differing begins a difference (sim_align_begins); all
 * others follow from those. Cost: n log n in records. Determinism: the result follows from the
 * two traces alone.
 */
#ifndef SIM_ALIGN_H
#define SIM_ALIGN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "sim/trace.h"

enum sim_align_state {
    SIM_ALIGN_SAME,
    SIM_ALIGN_MOVED,   /* the same at another time */
    SIM_ALIGN_CHANGED, /* a value differs, or what silenced it */
    SIM_ALIGN_ONLY,    /* the other trace has it not */
};

struct sim_align_side {
    const struct sim_trace *trace; /* borrowed */
    uint64_t count;
    uint64_t *other; /* [n], n from 1: its record in the other trace, 0: none */
    uint8_t *state;  /* [n]: enum sim_align_state; of a pair, both have the same */
};

/* A difference that no other one causes. */
struct sim_align_begin {
    int side;   /* 0 or 1; of a pair, 0 */
    uint64_t n; /* its record there */
    int64_t t;  /* µs; of a pair, when it first came in either */
    bool is_fault;
};

struct sim_align {
    struct sim_align_side side[2];
    uint64_t same, moved, changed; /* pairs */
    uint64_t only[2];
    struct sim_align_begin *begins; /* by time; at one time, faults first */
    size_t begin_count;
};

/* Aligns two traces (borrowed while the result lives, SIM_TRACE_KEEP). Owned: sim_align_free. Their
   `meta` are a pair and never differ: they say how the runs were made. */
struct sim_align *sim_align_new(const struct sim_trace *a, const struct sim_trace *b);
void sim_align_free(struct sim_align *align);

/* Returns whether record n of a side is as it is in the other trace, whenever that was. */
bool sim_align_alike(const struct sim_align *align, int side, uint64_t n);

#endif
