/*
 * Sentences: one table of templates turns a record into one sentence, the same one on the terminal,
 * in a report and in a lesson.
 *
 * A row is {kind, up to two conditions on fields, template}. The first row of the kind whose
 * conditions hold is taken. In a template
 *
 *     {field}     is the value in words: lanes become "controller 2", lists "1,2,3"
 *     {at}        is the lane of the record; {t}, {n}, {by} are numbers
 *     {a!b}       is {a}, and absent where {b} has the same words
 *     {error}     is Kafka's name of the code, and the code
 *     {znodes}    is what the record made of znodes (narrate_znode.h); where it set none, what was
 *                 asked for: "applies create /a"
 *     [ … ]       is left out where a field inside it is absent
 *
 * The table is exported as JSON (sim_narrate_print_table), so that a page in a browser needs the
 * same forty lines of interpreter and no sentence of its own.
 */
#ifndef SIM_NARRATE_H
#define SIM_NARRATE_H

#include <stddef.h>
#include <stdio.h>

#include "sim/trace.h"

/* Writes the sentence of a record into `out` (capacity bytes, cut with "..." where it does not
   fit); returns its length. No newline, no full stop. */
size_t sim_narrate(const struct sim_record *record, char *out, size_t capacity);

/* Prints the table as JSON: [{"k":…, "if":[["what","put"],…], "say":…}, …]. A condition whose text
   is "*" asks for presence, "-" for absence. */
void sim_narrate_print_table(FILE *out);

/* Prints Kafka's names of its error codes, which {error} has words from: {"11":"STALE_…", …}. */
void sim_narrate_print_errors(FILE *out);

#endif
