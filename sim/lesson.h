/*
 * Lessons: what a learner is told and asked, with the right answers read from a run.
 *
 *     scenario (lesson_spec.h) ─┐
 *                               ├─► sim_lesson_new ──► stops: record, texts, choices, the right one
 *     trace of its run ─────────┘
 *
 * No right answer stands in a scenario: each is read from the trace, so that another seed, another
 * defect or another property asks the same and is answered anew. Where the run never comes to a
 * stop, or not exactly one choice is right, that is an error with its place in the file.
 *
 * The terminal, JSON and the first record of a trace (`meta`, field `lesson`) have all they show
 * from here. Pure: no I/O but the FILE that is passed in. Memory: a lesson owns its texts; it needs
 * neither trace nor scenario once it is made. Thread: none.
 */
#ifndef SIM_LESSON_H
#define SIM_LESSON_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "sim/diagnostics.h"
#include "sim/facts.h"
#include "sim/memory.h"
#include "sim/scenario.h"
#include "sim/trace.h"

#define SIM_LESSON_NONE UINT32_MAX

struct sim_lesson_word {
    const char *name, *text;
};

struct sim_lesson_choice {
    const char *say;   /* what stands there */
    const char *value; /* what it stands for: what the answer is compared with */
    const char *wrong; /* why it is wrong, NULL: nothing more is known */
};

struct sim_lesson_show {
    const char *text; /* "leader of orders-0" */
    const char *key;  /* the fact behind it */
    uint64_t record;  /* that made it so */
};

struct sim_lesson_stop {
    uint64_t record; /* the run stands still behind this record */
    int64_t t_us;
    const char *say; /* NULL: nothing; paragraphs are parted by newlines, here and below */
    struct sim_lesson_word *words;
    uint32_t word_count;

    const char *ask; /* NULL: what follows is empty */
    struct sim_lesson_choice *choices;
    uint32_t choice_count;   /* 0: any text is taken as an answer */
    uint32_t right;          /* index of the choice; SIM_LESSON_NONE without choices */
    const char *answer;      /* the right value */
    uint64_t answer_record;  /* the moment as which it was read, or the record that tells it */
    const char *key, *field; /* the fact that it was read from, the part of it; NULL: no fact */
    const char *because;
    struct sim_lesson_show *shows;
    uint32_t show_count;
};

struct sim_lesson {
    const char *title;
    struct sim_lesson_stop *stops; /* in the order of the run */
    uint32_t stop_count, question_count;
    struct sim_memory memory;
};

/* Returns the owned lesson of a scenario (which has one) whose run `trace` tells, or NULL with
   errors in `diagnostics`. */
struct sim_lesson *sim_lesson_new(const struct sim_scenario *scenario,
                                  const struct sim_trace *trace,
                                  struct sim_diagnostics *diagnostics);
void sim_lesson_free(struct sim_lesson *lesson); /* NULL is fine */

enum sim_lesson_mark { SIM_LESSON_RIGHT, SIM_LESSON_WRONG, SIM_LESSON_UNKNOWN };
/* Judges what a learner typed: the letter of a choice, or its text. UNKNOWN: it names no choice.
 *choice (may be NULL) is its index, SIM_LESSON_NONE without choices. */
enum sim_lesson_mark sim_lesson_judge(const struct sim_lesson_stop *stop, const char *text,
                                      uint32_t *choice);

/* The rule for what learners type, which the page has, too (ui/web/answers.js; both are held to
   tests/sim/lesson_answers.tsv). Two texts are the same answer where they are equal but for blanks,
   case (A-Z) and a full stop at the end, or where both name the same records, in whatever order and
   pieces: "p1#3..5, p2#1", "P1#3-4 p1#5 p2#1". */
bool sim_lesson_same_answer(const char *a, const char *b);

/* Writes the field `lesson` into the open record (docs/trace.md). */
void sim_lesson_meta(struct sim_trace *trace, const struct sim_lesson *lesson);

/* ---- lesson_view.c: between two stops ---- */

struct sim_lesson_colors {
    const char *dim, *bold, *good, *bad, *off; /* "" each: no colour */
};

/* Prints the story of the records behind `from` up to `to`, at most `lines` lines. */
void sim_lesson_print_story(FILE *out, const struct sim_trace *trace, uint64_t from, uint64_t to,
                            unsigned lines, const struct sim_lesson_colors *colors);
/* Prints who is controller, who is up, and leader and ISR of each partition at record n. */
void sim_lesson_print_table(FILE *out, const struct sim_facts *facts, uint64_t n,
                            const struct sim_lesson_colors *colors);
/* Prints text wrapped at 80 columns, each line behind `indent` blanks. */
void sim_lesson_print_text(FILE *out, const char *text, unsigned indent);

#endif
