/*
 * Restart strategies: whether a failed job begins again, and after how long.
 *
 * Source: Flink FixedDelayRestartBackoffTimeStrategy, FailureRateRestartBackoffTimeStrategy,
 * ExponentialDelayRestartBackoffTimeStrategy; FLINK-20752.
 */
#ifndef STREAM_RESTART_H
#define STREAM_RESTART_H

#include <stdbool.h>
#include <stdint.h>

#define RESTART_FAILURES_MAX 1000

enum restart_kind { RESTART_NONE = 0, RESTART_FIXED, RESTART_RATE, RESTART_EXPONENTIAL };

struct restart_strategy {
    enum restart_kind kind;
    int64_t attempts, delay_ms;                             /* fixed */
    int64_t rate_failures, rate_interval_ms, rate_delay_ms; /* at most so many in an interval */
    int64_t initial_ms, max_ms, reset_after_ms;             /* exponential */
    double multiplier,
        jitter; /* jitter: the part of a delay by which it may be longer or shorter */
};

/* What has happened so far; zero bytes at first, but for `random`: any number. */
struct restart_state {
    int64_t failures;
    int64_t times[RESTART_FAILURES_MAX]; /* of the last ones, in a circle: rate */
    int64_t current_ms, last_ms; /* exponential: the last delay; when the last failure was */
    uint64_t random;             /* the jitter's; equal ones give equal delays */
};

struct restart_strategy restart_default(void);
/* Notes a failure at `now_ms`. Returns whether the job begins again, *delay_ms later. */
bool restart_after(const struct restart_strategy *strategy, struct restart_state *state,
                   int64_t now_ms, int64_t *delay_ms);

#endif
