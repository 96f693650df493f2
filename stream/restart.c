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
                                     .multiplier = 2.0,
                                     .jitter = 0.1};
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

/* From -most to most, each as likely (splitmix64). */
static int64_t jitter(struct restart_state *state, int64_t most)
{
    state->random += UINT64_C(0x9E3779B97F4A7C15);
    uint64_t z = (state->random ^ state->random >> 30) * UINT64_C(0xBF58476D1CE4E5B9);
    z = (z ^ z >> 27) * UINT64_C(0x94D049BB133111EB);
    return (int64_t)((z ^ z >> 31) % (2 * (uint64_t)most + 1)) - most;
}

/* Multiplied from failure to failure; a long time without one begins anew. */
static int64_t backoff(const struct restart_strategy *s, struct restart_state *state,
                       int64_t now_ms)
{
    bool anew =
        state->failures == 1 || now_ms - state->last_ms >= s->reset_after_ms + state->current_ms;
    double more = (double)state->current_ms * s->multiplier;
    state->current_ms = anew ? s->initial_ms : more < (double)s->max_ms ? (int64_t)more : s->max_ms;
    state->last_ms = now_ms;
    int64_t delay =
        state->current_ms + jitter(state, (int64_t)((double)state->current_ms * s->jitter));
    return delay < s->max_ms ? delay : s->max_ms;
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
