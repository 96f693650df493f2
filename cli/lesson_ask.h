/*
 * Asking the questions of a lesson, and telling how it went: on a terminal, from a pipe, from given
 * answers, as JSON.
 */
#ifndef CLI_LESSON_ASK_H
#define CLI_LESSON_ASK_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "cli/play.h"
#include "sim/lesson.h"
#include "sim/story.h"

enum { CLI_LESSON_ANSWER = 256 };

enum cli_lesson_mark { CLI_LESSON_RIGHT, CLI_LESSON_WRONG, CLI_LESSON_SKIPPED };

/* What became of one question. */
struct cli_lesson_result {
    const struct sim_lesson_stop *stop;
    char given[CLI_LESSON_ANSWER]; /* "" skipped */
    uint32_t choice;               /* index, SIM_LESSON_NONE: none */
    enum cli_lesson_mark mark;
};

struct cli_lesson {
    const struct cli_play *play; /* with its lesson */
    const char *file;
    uint32_t number; /* of the lesson, 0: none */
    FILE *answers;   /* one a line; NULL: nobody answers */
    bool person;     /* answers come from a terminal: ask again, wait for Enter */
    bool quiet;      /* nothing is printed while asking */
    enum sim_color color;
    struct cli_lesson_result *results; /* [questions]: room for all */
    uint32_t asked, right, wrong, skipped;
};

/* Goes through the lesson; counts and results are in it then. False: interrupted. */
bool cli_lesson_ask(struct cli_lesson *lesson);

/* 0 all right, 1 something wrong, 2 something without an answer. */
enum sim_exit cli_lesson_exit(const struct cli_lesson *lesson);

/* Prints the result as one JSON document. */
void cli_lesson_json(const struct cli_lesson *lesson, FILE *out);

/* Prints moments, questions, right answers and reasons, for teachers. */
void cli_lesson_show(const struct cli_lesson *lesson, FILE *out);

#endif
