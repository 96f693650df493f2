/*
 * Reading values for lessons out of a trace: what the parts of sim/lesson*.c share.
 *
 * Every function that can fail has told so in the diagnostics, at the place in the scenario.
 * Texts live in the lesson's memory.
 */
#ifndef SIM_LESSON_READ_H
#define SIM_LESSON_READ_H

#include "sim/lesson.h"
#include "sim/lesson_spec.h"

struct sim_lesson_reader {
    const struct sim_scenario *scenario;
    const struct sim_trace *trace;
    struct sim_facts *facts;
    struct sim_memory *memory;
    struct sim_diagnostics *d;
    const uint64_t *stops; /* records of the stops; behind the last one the end */
    const int64_t *times;  /* of the stops, µs: a stop at a time may be later than its record */
};

struct sim_lesson_value {
    const char *text;
    uint64_t record;         /* the moment, or the record that tells it */
    const char *key, *field; /* NULL: it is no fact */
};

/* The record that a moment means, and its time (µs); `from`: patterns count behind it; `there`: where
   the next stop is. */
bool sim_lesson_moment(const struct sim_lesson_reader *r, const struct sim_lesson_moment *moment,
                       uint64_t from, uint64_t there, uint64_t *record, int64_t *t_us);

/* Reads for stop `stop` (an index into r->stops). */
bool sim_lesson_read(const struct sim_lesson_reader *r, const struct sim_reading *reading,
                     uint32_t stop, struct sim_lesson_value *out);
/* The value of a target ("leader of orders-0", "epoch of orders-0", a key) at record n. */
bool sim_lesson_target(const struct sim_lesson_reader *r, const char *target, const char *field,
                       uint64_t n, struct sim_place place, struct sim_lesson_value *out);
/* Whether a condition holds. False in *holds, too, where there is no such value. */
bool sim_lesson_holds(const struct sim_lesson_reader *r, const struct sim_reading *reading,
                      uint32_t stop, bool *holds);

/* lesson_records.c: labels of acknowledged records of a partition: "p1#3..7, p2#1", "none".
   what: "lost of T-P", "kept of T-P", "acknowledged of T-P", up to record n. */
const char *sim_lesson_records(const struct sim_lesson_reader *r, const char *what, uint64_t n);
/* Whether both texts name the same records; false where one is no such list. */
bool sim_lesson_records_equal(const char *a, const char *b);

/* lesson_text.c: fills the {…} of a text: names of spec->lets, `answer`, targets as they are at
   record n. Returns NULL after an error. */
const char *sim_lesson_fill(const struct sim_lesson_reader *r, const struct sim_stop_spec *spec,
                            uint32_t stop, const char *text, struct sim_place place, uint64_t n,
                            const char *answer);

#endif
