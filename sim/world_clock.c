/*
 * The clock of each process. A machine's clock may run too fast or too slow, and it may be wrong.
 *
 *     its time = its time at the skew + rate x (the world's time since then)     timers, sessions, lag
 *     its date = its time + offset                                               what it writes down
 *
 * Two clocks, as on a real machine: the one that steps and timers go by never jumps; the date does.
 * Invariant: a process's time never falls, whatever is done to its clock. Who has never been skewed
 * goes by the world's time exactly.
 *
 * Differs: Kafka measures replica.lag.time.max.ms by the date, so that a jump of it shrinks ISRs;
 * here that goes by time.
 */
#include <assert.h>

#include "sim/world_state.h"

enum { MILLION = 1000000 };

static int64_t scale(int64_t x, int64_t by, int64_t of, bool up)
{
    return x / of * by + (x % of * by + (up ? of - 1 : 0)) / of;
}

int64_t sim_clock_now(const struct sim_world *w, const struct sim_process *p)
{
    const struct sim_clock *c = &p->clock;
    if (c->rate_ppm == 0)
        return w->now_us;
    return c->own_us + scale(w->now_us - c->world_us, c->rate_ppm, MILLION, false);
}

int64_t sim_clock_date(const struct sim_world *w, const struct sim_process *p)
{
    int64_t us = sim_clock_now(w, p) + p->clock.offset_us;
    return us < 0 ? 0 : us;
}

int64_t sim_clock_when(const struct sim_process *p, int64_t own_us)
{
    const struct sim_clock *c = &p->clock;
    if (c->rate_ppm == 0)
        return own_us;
    return own_us <= c->own_us
               ? c->world_us
               : c->world_us + scale(own_us - c->own_us, MILLION, c->rate_ppm, true);
}

int64_t sim_clock_after(const struct sim_world *w, const struct sim_process *p, int64_t us)
{
    return sim_clock_when(p, sim_clock_now(w, p) + us);
}

static void rearm(struct sim_world *w, struct sim_process *p, struct sim_timer *timers,
                  uint32_t count)
{
    for (uint32_t i = 0; i < count; i++)
        if (timers[i].due_us >= 0)
            sim_process_arm(w, p, timers[i].id, timers[i].due_us, timers[i].record);
}

void sim_clock_skew(struct sim_world *w, struct sim_process *p, int64_t offset_us, int32_t rate_ppm)
{
    assert(rate_ppm > 0);
    p->clock = (struct sim_clock){.own_us = sim_clock_now(w, p),
                                  .world_us = w->now_us,
                                  .offset_us = offset_us,
                                  .rate_ppm = rate_ppm};
    p->node.date_offset_us = offset_us;
    if (p->client != NULL) {
        sim_client_rearm(w, p->client);
    } else if (p->life != SIM_DOWN) {
        rearm(w, p, p->timers, p->timer_count);
        rearm(w, p, p->broker_timers, p->broker_timer_count);
    }
}

void sim_clock_mend(struct sim_world *w, struct sim_process *p)
{
    if (p->clock.rate_ppm != 0)
        sim_clock_skew(w, p, 0, MILLION);
}
