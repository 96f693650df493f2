/*
 * One seed of a campaign: a run, and its outcome in one flat record.
 *
 * A seed is played exactly as `kcsim run FILE --seed N` plays it, so that the digest is the same.
 * Judged it is a little differently: `sometimes` of a scenario counts over all seeds, not in each.
 */
#ifndef CLI_CAMPAIGN_PLAY_H
#define CLI_CAMPAIGN_PLAY_H

#include "cli/play.h"
#include "sim/campaign.h"

/* Registers in `c` what should be seen sometimes in runs of `scenario`. False: too much of it. */
bool cli_campaign_register(struct sim_campaign *c, const struct sim_scenario *scenario);

/* Plays outcome->seed of `scenario` (its file is outcome->file) and fills in the rest. */
void cli_campaign_play(const struct sim_campaign *c, struct sim_scenario *scenario,
                       const struct cli_play_options *options, struct sim_played *outcome);

#endif
