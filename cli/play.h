/*
 * Playing one scenario: from a file to a trace, judged expectations and a result.
 *
 *     file ──► scenario ──► world ──► steps until the end ──► result
 *                             │  every record, every moment
 *                             └──► expectations, trace
 *
 * run, test, demo and coverage all play through this, so that a scenario means the same everywhere.
 */
#ifndef CLI_PLAY_H
#define CLI_PLAY_H

#include <stdbool.h>
#include <stdint.h>

#include "sim/diagnostics.h"
#include "sim/expect.h"
#include "sim/lesson.h"
#include "sim/scenario.h"
#include "sim/trace.h"
#include "sim/verdict.h"
#include "sim/world.h"

struct cli_play_options {
    bool has_seed, has_until;
    uint64_t seed;     /* in place of the scenario's */
    int64_t until_us;  /* in place of the scenario's, µs */
    bool log_trace;    /* TRACE lines of the logs too */
    const char *swarm; /* "on", "off": in place of random.swarm of the scenario; NULL: that */
    bool wire;         /* messages travel as bytes of the Kafka protocol */
    bool unnamed;      /* only whether known defects explain a violation, not which; the digest is
                          another */
    bool unexplained; /* no search for the known defect behind a violation: it plays again and again
                       */
    bool has_reseed;  /* from `reseed_at_us` on chance goes by `reseed`: sim_world_reseed */
    int64_t reseed_at_us;
    uint64_t reseed;
};

struct cli_play {
    struct sim_scenario *scenario;
    bool owns_scenario;
    struct sim_trace *trace;
    struct sim_world *world;
    struct sim_expectations *expectations;
    struct sim_client_report *clients; /* NULL: the scenario has none */
    struct sim_lesson *lesson; /* with its answers; NULL: the scenario is none */
    struct sim_result result; /* points to the others */
    bool failed;              /* the world gave up: our bug or a limit; said on stderr */
    bool unanswered; /* it is a lesson, and this run does not answer it; said on stderr */
};

/* Loads and plays `file`. Returns false, with errors in `diagnostics`, where the file is bad; then
   there is nothing to free. Looks for an interrupt between events. */
bool cli_play_file(struct cli_play *play, const char *file, const struct cli_play_options *options,
                   struct sim_diagnostics *diagnostics);
/* The same with a scenario that is loaded: borrows it; `swarm` is set in it. */
void cli_play_scenario(struct cli_play *play, struct sim_scenario *scenario,
                       const struct cli_play_options *options);
void cli_play_free(struct cli_play *play);

/* Writes the first record of a trace: what is played. scenario NULL: only the file is known. */
void cli_play_meta(struct sim_trace *trace, const char *file, const struct sim_scenario *scenario,
                   uint64_t seed);

/* Returns the exit code of the play. */
enum sim_exit cli_play_exit(const struct cli_play *play);

/* Returns the worse of two exit codes: what a command over several files returns. */
enum sim_exit cli_worse(enum sim_exit a, enum sim_exit b);

/* The scenario files in `names` (NULL-ended, at least one): a file is itself, a folder all .yaml
   below it whose name does not begin with a dot, in byte order of their paths. Returns an owned,
   NULL-ended list, or NULL after a message. */
char **cli_scenario_files(char *const *names);
void cli_scenario_files_free(char **files);

#endif
