/*
 * Restart strategies, see restart.h.
 */
#include "stream/restart.h"

struct restart_strategy restart_default(void)
{
    return (struct restart_strategy){.attempts = 1,
                                     .delay_ms = 1000,
                                     .rate_failures = 1,
                                     .rate_interval_ms = 60000,
                                     .rate_delay_ms = 1000,
                                     .initial_ms = 1000,
                                     .max_ms = 300000,
                                     .reset_after_ms = 3600000,
                                     .multiplier_percent = 200};
}

/* Is the oldest of the last failures that are allowed out of the interval? */
static bool rate_allows(const struct restart_strategy *s, struct restart_state *state,
                        int64_t now_ms)
{
    int64_t had = state->failures - 1, size = s->rate_failures;
    bool allowed = had < size || now_ms - state->times[had % size] > s->rate_interval_ms;
    state->times[had % size] = now_ms;
    return allowed;
}

/* Doubles from failure to failure; a long time without one begins anew. */
static int64_t backoff(const struct restart_strategy *s, struct restart_state *state,
                       int64_t now_ms)
{
    bool anew =
        state->failures == 1 || now_ms - state->last_ms >= s->reset_after_ms + state->next_ms;
    int64_t delay = anew ? s->initial_ms : state->next_ms;
    int64_t next = delay > s->max_ms * 100 / s->multiplier_percent
                       ? s->max_ms
                       : delay * s->multiplier_percent / 100;
    state->next_ms = next < s->max_ms ? next : s->max_ms;
    state->last_ms = now_ms;
    return delay;
}

bool restart_after(const struct restart_strategy *strategy, struct restart_state *state,
                   int64_t now_ms, int64_t *delay_ms)
{
    state->failures++;
    switch (strategy->kind) {
    case RESTART_NONE:
        break;
    case RESTART_FIXED:
        *delay_ms = strategy->delay_ms;
        return state->failures <= strategy->attempts;
    case RESTART_RATE:
        *delay_ms = strategy->rate_delay_ms;
        return rate_allows(strategy, state, now_ms);
    case RESTART_EXPONENTIAL:
        *delay_ms = backoff(strategy, state, now_ms);
        return true;
    }
    return false;
}
