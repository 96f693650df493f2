/*
 * What a campaign came to, told to people, CI and programs.
 *
 *     human    counts, one line and a reproduce line per class of failures, what was never seen
 *     json     one document: {"schema":"kcsim.campaign.report/1", …}
 *     ndjson   one line per class, then one for the whole
 *     junit    a testcase for all that was met, one per class of failures, one per thing to be seen
 *     tap, github   likewise
 */
#ifndef CLI_CAMPAIGN_REPORT_H
#define CLI_CAMPAIGN_REPORT_H

#include <stdio.h>

#include "sim/campaign.h"

struct cli_campaign_report {
    const struct sim_campaign *campaign;
    struct sim_tally *tally; /* sorted by the report */
    struct sim_shard shard;
    uint64_t missing;        /* seeds that were asked for and not played */
    const char *why_missing; /* "interrupted", "--time is over", …; NULL: nothing is */
    bool allow_vacuous;
    double wall_seconds; /* of this call, < 0: not told */
    uint64_t played;     /* in this call */
};

/* Returns the exit code of the whole. */
enum sim_exit cli_campaign_exit(const struct cli_campaign_report *report);
void cli_campaign_print(struct cli_campaign_report *report, enum sim_format format, bool color,
                        FILE *out);
/* One line: what a class is, for progress and reports. Returns `out`. */
const char *cli_campaign_class(char *out, size_t capacity, const struct sim_campaign *campaign,
                               const struct sim_class *class);

#endif
