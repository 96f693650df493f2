/*
 * What is wrong with an input file, told so that it can be mended.
 *
 *     zombie.yaml:7:12: error: unknown target 'controler'
 *         pause: controler
 *                ^~~~~~~~~
 *       did you mean 'controller'?
 *       targets: a node id (1, 2, 3), all, any, minority, controller, leader of T-P, …
 *       see: kcsim explain targets
 *
 * Errors are collected, and printed in the order of the text; after SIM_ERRORS_MAX further ones are
 * only counted. An entry keeps its own copy of the line it is about, so that one collection may
 * hold errors of several files (a scenario, its dump, a .properties file).
 *
 * Memory: owned by the collection. Thread: none.
 */
#ifndef SIM_DIAGNOSTICS_H
#define SIM_DIAGNOSTICS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "sim/scenario.h"

enum { SIM_ERRORS_MAX = 20 };

enum sim_severity { SIM_WARNING, SIM_ERROR };

struct sim_diagnostic {
    enum sim_severity severity;
    struct sim_place place;
    char *file, *message, *excerpt, *caret,
        *notes; /* excerpt and caret NULL where there is no line */
    uint32_t order;
};

struct sim_diagnostics {
    const char *file, *text; /* the source that errors are about now; borrowed */
    size_t text_size;
    struct sim_diagnostic entries[SIM_ERRORS_MAX + SIM_ERRORS_MAX]; /* errors and warnings */
    uint32_t count;
    uint32_t errors, warnings; /* all of them, kept or not */
    bool last_kept;
};

void sim_diagnostics_init(struct sim_diagnostics *d);
void sim_diagnostics_free(struct sim_diagnostics *d);

/* From now on places are about this text (NULL: only the file is known). Borrowed until changed. */
void sim_diagnostics_source(struct sim_diagnostics *d, const char *file, const char *text,
                            size_t size);

/* Add an error, or a warning, at `place` (line 0: the file as a whole). Returns false, for use in a
   return. */
bool sim_error(struct sim_diagnostics *d, struct sim_place place, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
void sim_warning(struct sim_diagnostics *d, struct sim_place place, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
/* Adds a line below the entry added last. */
void sim_note(struct sim_diagnostics *d, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* Adds "did you mean 'X'?" below the last entry where one of `words` (NULL at the end) is close to
   `word`; returns that word, or NULL. */
const char *sim_suggest(struct sim_diagnostics *d, const char *word, const char *const *words);
/* Returns the word closest to `word` (edit distance with swaps, at most a third of its length), or
   NULL; the first of equally close ones. */
const char *sim_closest(const char *word, const char *const *words);

/* Prints all, warnings too, in the order of file and place. */
void sim_diagnostics_print(const struct sim_diagnostics *d, FILE *out, bool color);

#endif
