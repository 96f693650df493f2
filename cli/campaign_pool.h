/*
 * Seeds over all cores: worker processes that play, and a parent that hands out and collects.
 *
 *     parent ──(blocks of seeds)──► worker ──(outcomes)──► parent
 *                                     │ dies (assert, signal)
 *                                     ├── the seed that it played is an outcome with exit 70;
 *                                     │   another worker goes on behind it
 *                                     │ needs more processor time for a seed than the limit
 *                                     └── the same, but the seed was stopped (exit 2)
 *
 * Workers are forked, so that they have the scenarios without reading them again, and so that what
 * one world does to memory ends with its process. They die with their parent. The limit is one of
 * processor time, not of time that passes: a machine that is busy with something else stops no run,
 * and a worker waits for nobody but its parent.
 * Thread: one; SIGINT is the parent's alone.
 */
#ifndef CLI_CAMPAIGN_POOL_H
#define CLI_CAMPAIGN_POOL_H

#include <stdbool.h>
#include <stdint.h>

#include "sim/campaign.h"

enum { CLI_BLOCK_MAX = 16 };

/* Seeds of one scenario, played one after another by one worker. */
struct cli_block {
    uint32_t file, count;
    uint64_t seeds[CLI_BLOCK_MAX];
};

struct cli_pool {
    void *context;
    uint32_t jobs;    /* workers at most, >= 1 */
    int64_t limit_us; /* of processor time for one seed, replays included; 0: none */
    /* In a worker: plays one seed; `outcome` is zero but for file and seed. */
    void (*play)(void *context, struct sim_played *outcome);
    /* In the parent: the next block; false: there is none, or no more is wanted. */
    bool (*next)(void *context, struct cli_block *block);
    /* In the parent: an outcome has come. */
    void (*done)(void *context, const struct sim_played *outcome);
    /* In the parent, several times a second. Returns whether to stop at once: what is being played
       then is given up. */
    bool (*tick)(void *context);
};

/* Returns when `next` has nothing more and all is collected, or `tick` stops it. False: no process
   or pipe could be made; errno says why. */
bool cli_pool_run(const struct cli_pool *pool);

#endif
