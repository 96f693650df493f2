/*
 * Lessons as scenario files write them: stops, what is told and asked there, and how the right
 * answer is read from the trace. Nothing here is an answer; sim/lesson.h computes those.
 *
 *     stop ── moment, say, words, show
 *        └── ask ── choices: a text, a reading, or a sentence with its condition (`if`)
 *                └─ answer: a reading; because: the reason, with {values} of the trace
 *
 * Memory: the scenario's. Source of the grammar: docs/scenarios.md, "Lessons".
 */
#ifndef SIM_LESSON_SPEC_H
#define SIM_LESSON_SPEC_H

#include "sim/scenario.h"

enum {
    SIM_LESSON_STOPS_MAX = 50,
    SIM_LESSON_CHOICES_MAX = 26, /* a letter each */
    SIM_LESSON_TEXT_MAX = 2000,  /* bytes of one text */
    SIM_LESSON_ITEMS_MAX = 20,   /* words, readings with a name, things to look at: of one stop */
};

/* A moment of the run. Without one: for a reading, where the next stop is. */
enum sim_lesson_when {
    SIM_LESSON_THERE, /* the next stop, or the end behind the last one */
    SIM_LESSON_NOW,   /* the stop itself */
    SIM_LESSON_AT,    /* at_us */
    SIM_LESSON_WHEN,  /* pattern, behind the stop (of a stop: behind the one before) */
    SIM_LESSON_AFTER, /* at_us behind the step `label` */
    SIM_LESSON_END,
};

struct sim_lesson_moment {
    enum sim_lesson_when when;
    int64_t at_us;
    struct sim_pattern pattern;
    const char *label;
    struct sim_place place;
};

enum sim_reading_kind {
    SIM_READ_FACT,    /* target: a value as `kcsim why` names it, or the key of a fact */
    SIM_READ_COUNT,   /* pattern: how many such records, from the stop to the moment */
    SIM_READ_FIRST,   /* pattern: `field` of the first such record behind the stop */
    SIM_READ_SECONDS, /* pattern: seconds from the stop to the first such record */
    SIM_READ_RECORDS, /* target: "lost of T-P", "acknowledged of T-P", "kept of T-P" */
};

/* What is to be read from the trace: always a text. */
struct sim_reading {
    enum sim_reading_kind kind;
    const char *target;
    const char *field; /* FACT: dotted path inside it, NULL: all; FIRST: the trace's field */
    struct sim_pattern pattern;
    bool from_start; /* COUNT, FIRST: from the start of the run, not from the stop */
    struct sim_lesson_moment moment;
    bool has_is; /* as a condition: the value must compare so (COUNT without it: > 0) */
    struct sim_condition is;
    struct sim_place place;
};

struct sim_choice_spec {
    const char *say;                 /* what stands there; NULL: the value */
    const char *value;               /* as written, or NULL */
    const struct sim_reading *reads; /* the value is read, or NULL */
    const struct sim_reading
        *right;        /* right where this holds, or NULL: where its value is the answer */
    const char *wrong; /* why it is wrong, NULL: nothing more is said */
    struct sim_place place;
};

struct sim_named_text {
    const char *name, *text;
    struct sim_place place;
};
struct sim_named_reading {
    const char *name;
    const struct sim_reading *reading;
};

struct sim_stop_spec {
    struct sim_lesson_moment moment;
    const char *say, *ask, *because; /* NULL: none */
    struct sim_place say_place, ask_place, because_place;
    struct sim_named_text *words; /* what a word means, at its first use */
    uint32_t word_count;
    bool choices_are_brokers; /* choices: the ids of all brokers, and none */
    struct sim_choice_spec *choices;
    uint32_t choice_count;
    const struct sim_reading *answer; /* NULL: one of the choices has a condition that holds */
    struct sim_named_reading *lets;
    uint32_t let_count;
    struct sim_named_text *shows; /* text: a target */
    uint32_t show_count;
    struct sim_place place;
};

struct sim_lesson_spec {
    struct sim_stop_spec *stops;
    uint32_t stop_count;
};

#endif
