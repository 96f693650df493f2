/*
 * A campaign at work: which seeds are left, what has come, what is told meanwhile.
 *
 *     options ──► open (scenarios, results so far) ──► run (pool of workers) ──► report
 */
#ifndef CLI_CAMPAIGN_RUN_H
#define CLI_CAMPAIGN_RUN_H

#include "cli/campaign_play.h"
#include "cli/campaign_report.h"
#include "sim/story.h"

struct cli_campaign_options {
    char **files;
    int file_count;
    uint64_t first_seed, last_seed;
    uint32_t jobs;
    struct sim_shard shard;
    const char *folder;    /* where results are written, NULL: nowhere */
    bool resume;           /* goes on with what lies in `folder` */
    uint64_t stop_after;   /* failures, 0: never */
    int64_t time_limit_us; /* of wall time, -1: none */
    int64_t run_limit_us;  /* of processor time for one seed, 0: none */
    struct cli_play_options play;
    enum sim_color color;
};

struct cli_campaign; /* opaque */

/* Loads the scenarios and the results so far. Returns an owned campaign, or NULL after messages
   with the exit code in *code. */
struct cli_campaign *cli_campaign_open(const struct cli_campaign_options *options,
                                       enum sim_exit *code);
/* Plays what is left, until done, stopped or interrupted. False after a message. */
bool cli_campaign_run(struct cli_campaign *campaign);
/* Borrows from `campaign`. */
struct cli_campaign_report cli_campaign_report_of(struct cli_campaign *campaign);
void cli_campaign_close(struct cli_campaign *campaign);

#endif
