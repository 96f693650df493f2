/*
 * A campaign: one or more scenarios, played with many seeds, and what came of it.
 *
 *     identity (version, build, scenarios, seeds) ── the same in every shard
 *     seed ──► run ──► outcome ──► line of a results file ──┐
 *                         │                                 ├──► merge: the same result in any
 * order └──► tally: classes of failures,  ┘ what was seen, known defects
 *
 * A results file is a header line and one line per (scenario, seed), each with a checksum over its
 * own bytes. Lines are only ever appended, so that a process that is killed at any byte leaves a
 * file of which at most the last line is torn; reading takes the whole lines, and a campaign goes
 * on with the seeds that are missing. Nothing in a line depends on the machine, on time, or on
 * which shard played it, but for that of a run that was stopped; merging sorts.
 *
 * Everything here is plain data and files; processes are the business of cli/campaign_pool.h.
 * Memory: from the heap, abort()s without. Thread: one.
 */
#ifndef SIM_CAMPAIGN_H
#define SIM_CAMPAIGN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "sim/verdict.h"

#define SIM_CAMPAIGN_SCHEMA "kcsim.campaign/1"

enum {
    SIM_CAMPAIGN_FILES_MAX = 1000,
    SIM_SEEN_MAX = 64,      /* things that should be seen sometimes, of all scenarios */
    SIM_OUTCOME_TEXT = 240, /* bytes of a text of an outcome, with the NUL */
    SIM_DEFECTS_TEXT = 96,  /* of the names of defects, cut there */
};

/* ---- shards ---- */

/* Shard `index` (1…count) plays the seeds first + index - 1, + count, + 2 count, … */
struct sim_shard {
    uint32_t index, count;
};
/* "3/8", or "/8" with the index from `index` (1…, 0: unknown). False: it is no shard. */
bool sim_shard_parse(const char *text, uint32_t index, struct sim_shard *shard);
/* "1..10000" or "10000", which is 1..10000. False: they are no seeds. */
bool sim_seeds_parse(const char *text, uint64_t *first, uint64_t *last);

/* ---- identity ---- */

struct sim_campaign_file {
    char *name;      /* as given */
    uint64_t digest; /* of its bytes */
};

/* What is played. Two results belong together only if all of this but the seeds is equal. */
struct sim_campaign {
    char version[32];
    uint64_t build;   /* digest of the program: other code, other runs */
    int64_t until_us; /* in place of the scenarios' own, -1: theirs */
    int32_t swarm;    /* in place of the scenarios' own: 0 off, 1 on, -1: theirs */
    bool wire;        /* --wire: messages travelled as bytes */
    uint64_t first_seed, last_seed;
    struct sim_campaign_file *files;
    uint32_t file_count;
    char **seen; /* [seen_count] names of what should be seen sometimes */
    uint32_t seen_count;
};
void sim_campaign_add_file(struct sim_campaign *c, const char *name, const void *bytes,
                           size_t size);
/* Returns the index of that name, added where it is new; SIM_SEEN_MAX where there are too many. */
uint32_t sim_campaign_add_seen(struct sim_campaign *c, const char *name);
void sim_campaign_free(struct sim_campaign *c); /* what it points to */
/* Returns NULL, or what differs between two campaigns (seeds apart), in words; static. */
const char *sim_campaign_differ(const struct sim_campaign *a, const struct sim_campaign *b);

/* ---- outcomes ---- */

struct sim_played {
    uint32_t file;
    int32_t exit; /* enum sim_exit: MET, FAILED, UNDECIDED, VIOLATED, SOFTWARE */
    uint64_t seed, digest, records;
    int64_t end_us;
    char what[SIM_OUTCOME_TEXT];   /* class of the failure, "" where there is none */
    char detail[SIM_OUTCOME_TEXT]; /* of this one: one line */
    char defect[SIM_DEFECTS_TEXT]; /* known defects that explain it, "" none */
    uint32_t seen[SIM_SEEN_MAX];   /* how often each was seen */
};
/* Returns whether it counts as a failure: an expectation that failed, whatever explains it; or not
   met else, and no known defect explains it. */
bool sim_played_is_failure(const struct sim_played *o);
/* Returns whether the run was given up for its limit of processor time. That is known by its having
   no record, which a run that ends always has. Its seed decides no more of it than that it is long:
   it gives way to any other result of the same seed. */
bool sim_played_is_stopped(const struct sim_played *o);
/* Writes "kcsim run FILE --seed N …", which plays the very same bytes; returns `out`. */
const char *sim_played_reproduce(char *out, size_t capacity, const struct sim_campaign *c,
                                 const struct sim_played *o);

/* ---- results files ---- */

/* Write one line each, in one write of stdio. */
void sim_campaign_write_header(const struct sim_campaign *c, FILE *out);
void sim_campaign_write_outcome(const struct sim_campaign *c, const struct sim_played *o,
                                FILE *out);

/* Outcomes of one or more files, each (file, seed) once. */
struct sim_results {
    struct sim_campaign campaign;
    bool has_campaign;
    struct sim_played *outcomes;
    size_t count, capacity;
    uint64_t duplicates; /* equal ones, passed over */
    uint64_t torn;       /* lines that were no whole lines, passed over */
};
void sim_results_free(struct sim_results *r);
/* Adds the results in the file `name`. Returns false with a sentence in `why` where it cannot be
   read, is of another campaign, or contradicts what is there. *whole (may be NULL): bytes up to the
   end of the last whole line: a writer that goes on cuts there. */
bool sim_results_read(struct sim_results *r, const char *name, size_t *whole, char *why,
                      size_t why_size);
/* Orders by scenario and seed, and passes over duplicates, and over stopped runs of which there is
   another result; false with a sentence where two outcomes of one seed differ else. */
bool sim_results_settle(struct sim_results *r, char *why, size_t why_size);

/* ---- tally ---- */

struct sim_class {
    uint32_t file;
    int32_t exit;
    char what[SIM_OUTCOME_TEXT];
    char defect[SIM_DEFECTS_TEXT];
    struct sim_played first; /* of the lowest seed */
    uint64_t count;
};

struct sim_tally {
    uint64_t runs, met, failures, explained;
    uint64_t of_exit[256]; /* failures, by exit code */
    struct sim_class *classes;
    uint32_t class_count, class_capacity;
    uint64_t seen[SIM_SEEN_MAX]; /* runs in which it was seen */
};
/* Returns whether the outcome is the first of its class. */
bool sim_tally_add(struct sim_tally *t, const struct sim_played *o);
/* Most frequent first, then by scenario and text: an order that does not depend on the adding. */
void sim_tally_sort(struct sim_tally *t);
void sim_tally_free(struct sim_tally *t);
/* Returns the worst exit code of all runs; missing: runs that were asked for and not done; vacuous:
   something was never seen. Either makes what would be met undecided. */
enum sim_exit sim_tally_exit(const struct sim_tally *t, uint64_t missing, bool vacuous);

#endif
