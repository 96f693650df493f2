/*
 * The verdict of a run, and how it is told to people and to machines.
 *
 *     verdict                       exit code
 *     all met                       0
 *     an expectation failed         1
 *     undecided                     2     a step's pattern never came, a time was not reached
 *     an invariant is violated      3
 *     usage                         64    bad input file 65    our own bug 70    interrupted 130
 *
 * A failure is never told without the line that reproduces it.
 */
#ifndef SIM_VERDICT_H
#define SIM_VERDICT_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "sim/check_blame.h"
#include "sim/client_report.h"
#include "sim/diagnostics.h"
#include "sim/expect.h"
#include "sim/scenario.h"

enum sim_exit {
    SIM_EXIT_MET = 0,
    SIM_EXIT_FAILED = 1,
    SIM_EXIT_UNDECIDED = 2,
    SIM_EXIT_VIOLATED = 3,
    SIM_EXIT_USAGE = 64,
    SIM_EXIT_DATA = 65,
    SIM_EXIT_SOFTWARE = 70,
    SIM_EXIT_INTERRUPTED = 130,
};

/* What a run came to; filled in by whoever ran it. Pointers are borrowed. */
struct sim_result {
    const struct sim_scenario *scenario;
    const struct sim_expectations *expectations;
    enum sim_ending ending;
    int64_t end_us;
    uint64_t records;
    uint64_t digest;      /* of the trace */
    uint64_t seed;        /* that was used */
    bool seed_given;      /* on the command line, so that it must be repeated */
    bool until_given;     /* likewise */
    const char *swarm;    /* "on", "off": likewise; NULL: not given */
    bool wire;            /* likewise */
    uint32_t never_fired; /* index + 1 of the first step whose pattern or label never came, 0: all
                             fired */
    const struct sim_check_result *checked; /* NULL: nothing was checked */
    const char *violated; /* name of a check that nothing explains, NULL; by sim_result_explain */
    struct sim_known {
        enum sim_check check;
        struct sim_blame blame;
    } known[SIM_CHECK_END]; /* violated checks, and the known defects that explain them */
    uint32_t known_count;
    const struct sim_client_report *clients; /* what came of them, NULL: there are none */
    const char *golden;                      /* what differs from the golden trace, lines; NULL */
    double wall_seconds;                     /* for people only */
};

/* Finds out what explains each violation in result->checked (as sim_check_blame does, so this plays
   the scenario again), and fills in `violated` and `known`. A check that the scenario expects to be
   violated is neither. names: which defects explain it; else only whether any does (`known` has all
   of them then), which costs a tenth. */
void sim_result_explain(struct sim_result *result, bool names);

/* Returns whether a check was violated that the scenario does not expect to be; a known defect may
   explain it. */
bool sim_result_is_violated(const struct sim_result *result);

/* Returns the exit code: interrupted, violated, failed, undecided, met, in this order. */
enum sim_exit sim_verdict(const struct sim_result *result);
/* "met", "failed", "undecided", "violated", "interrupted"; static. */
const char *sim_verdict_name(enum sim_exit verdict);

const char *sim_outcome_name(enum sim_outcome outcome); /* "met", "failed", "undecided"; static */

/* Writes "reproduce: kcsim run FILE --seed N --until T" without a newline; returns `out`. */
const char *sim_reproduce(char *out, size_t capacity, const struct sim_result *result);

/* Returns why a verdict is undecided though no expectation is, written to `out`; NULL: it is not
 * so. */
const char *sim_open_reason(const struct sim_result *result, char *out, size_t capacity);

/* Print text inside XML or HTML (attributes too), or inside a GitHub annotation (property: before
 * its "::"). */
void sim_print_xml(FILE *out, const char *text);
void sim_print_github(FILE *out, const char *text, bool property);

enum sim_format {
    SIM_FORMAT_HUMAN,  /* one line per expectation that is not met, and the verdict line */
    SIM_FORMAT_JSON,   /* one document: {"schema":"kcsim.result/1","runs":[…]} */
    SIM_FORMAT_NDJSON, /* one line a run */
    SIM_FORMAT_JUNIT,
    SIM_FORMAT_TAP,    /* version 13 */
    SIM_FORMAT_GITHUB, /* ::error file=…,line=… ; at most 10, then a count */
};
/* Stores the format of that name; false where there is none. */
bool sim_format_named(const char *name, enum sim_format *format);

/* A report over several runs and bad files: begin, add…, end. Nothing is kept but counts. */
struct sim_report {
    FILE *out;
    enum sim_format format;
    bool color;
    uint32_t runs, failed, skipped, tests, annotations;
    char *body; /* JUNIT, TAP: what is printed at the end, behind the counts */
    size_t body_size;
    FILE *body_out;
};
void sim_report_begin(struct sim_report *report, FILE *out, enum sim_format format, bool color);
void sim_report_add(struct sim_report *report, const struct sim_result *result);
/* A file that could not be run: exit code 65 */
void sim_report_bad(struct sim_report *report, const char *file,
                    const struct sim_diagnostics *diagnostics);
void sim_report_end(struct sim_report *report);

/* Prints the judgements that are not met and the verdict line for people (also the end of a story);
   returns the lines printed. */
unsigned sim_verdict_print(FILE *out, const struct sim_result *result, bool color);

#endif
