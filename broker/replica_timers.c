/*
 * Timers. Kafka's periodic tasks run on a grid from the moment they were started; here a task is
 * armed for the next point of its grid only while it has something to look at, so that a quiet
 * broker is quiet.
 *
 *     ISR check        every replica.lag.time.max.ms / 2     rows with a lagging member
 *     ISR notification every 2.5 s                           rows whose ISR was written
 *     HW checkpoint    every 5 s, from the first LeaderAndIsr  rows whose high watermark moved
 *     retention        every 5 min, the first after 30 s       all, once something may be too old
 *     producers        every 10 min                            all, once one may be idle too long
 *
 * A checkpoint names the partitions that are open: a log whose partition was not named by any
 * LeaderAndIsr of this life loses its entry, and with it its high watermark (KAFKA-1647 is about
 * logs that were named and all the same not opened).
 *
 * Source: Kafka ReplicaManager.startup, checkpointHighWatermarks; ZkIsrManager.start.
 */
#include "broker/replica_state.h"

static int64_t grid_after(int64_t start_us, int64_t period_us, int64_t now_us)
{
    return start_us + ((now_us - start_us) / period_us + 1) * period_us;
}

static void arm(const struct kb_step *s, enum kb_timer timer, int64_t due_us)
{
    struct kb_output o = {
        .kind = KB_OUT_TIMER, .broker_id = -1, .timer = (uint32_t)timer, .due_us = due_us};

    if (s->r->armed_us[timer] != due_us) {
        s->r->armed_us[timer] = due_us;
        kb_put(s, &o);
    }
}

static void arm_periodic(const struct kb_step *s, enum kb_timer timer, bool wanted,
                         int64_t start_us, int64_t period_us)
{
    if (!wanted) {
        arm(s, timer, -1);
    } else if (s->r->armed_us[timer] < 0) {
        arm(s, timer, grid_after(start_us, period_us, s->now_us));
    }
}

enum { RETENTION_DELAY_US = 30000000 }; /* Source: LogManager.InitialTaskDelayMs */

/* For the first point of the grid at which the clock on the wall says `due_ms` or more; one that is
   armed for earlier stays. The grid goes by the clock that does not jump. */
static void arm_when_due(const struct kb_step *s, enum kb_timer timer, int64_t due_ms,
                         int64_t first_us, int64_t period_us)
{
    int64_t in_ms, at_us;

    if (due_ms > INT64_MAX / 4000) { /* not in a thousand lives; before, for the sums */
        arm(s, timer, -1);
        return;
    }
    in_ms = due_ms <= s->wall_ms ? 0 : due_ms - s->wall_ms;
    at_us = s->now_us + in_ms * 1000;
    at_us = at_us < first_us ? first_us : grid_after(first_us, period_us, at_us - 1);
    at_us = at_us <= s->now_us ? at_us + period_us : at_us;
    if (s->r->armed_us[timer] < 0 || at_us < s->r->armed_us[timer]) {
        arm(s, timer, at_us);
    }
}

void kb_timers_arm(const struct kb_step *s)
{
    struct kb_replicas *r = s->r;
    uint32_t first = r->heap_count == 0 ? 0 : *(uint32_t *)kb_place(r, r->at.heap);

    arm_periodic(s, KB_TIMER_ISR_CHECK, r->lagging.count > 0, r->started_us,
                 r->config.replica_lag_us / 2);
    arm_periodic(s, KB_TIMER_ISR_NOTIFY, r->changed.count > 0, r->started_us,
                 r->config.isr_check_us);
    arm_periodic(s, KB_TIMER_HW_CHECKPOINT, r->checkpointing && r->hw.count > 0,
                 r->checkpoint_start_us, r->config.hw_checkpoint_us);
    arm_when_due(s, KB_TIMER_RETENTION, r->retention_due_ms, r->started_us + RETENTION_DELAY_US,
                 r->config.retention_check_us);
    arm_when_due(s, KB_TIMER_PRODUCERS, r->producers_due_ms,
                 r->started_us + r->config.producer_check_us, r->config.producer_check_us);
    arm(s, KB_TIMER_WAITS, r->heap_count == 0 ? -1 : kb_operation(r, first)->due_us);
}

static void checkpoint(const struct kb_step *s)
{
    struct kb_replicas *r = s->r;

    while (r->hw.first != 0) {
        uint32_t row = r->hw.first - 1;
        struct kb_row *p = kb_row(r, row);
        p->checkpoint_hw = p->attached ? p->hw : 0;
        kb_list_remove(r, KB_LIST_HW, &r->hw, row);
    }
}

void kb_on_timer(const struct kb_step *s, uint32_t timer)
{
    struct kb_replicas *r = s->r;

    if (timer >= KB_TIMER_FETCHER) {
        if (timer - KB_TIMER_FETCHER < r->limits.fetchers) {
            kb_fetcher(r, timer - KB_TIMER_FETCHER)->armed_us = -1;
        }
        return; /* every step ends with the fetchers' turns */
    }
    if (r->armed_us[timer] < 0 || r->armed_us[timer] > s->now_us) {
        return; /* was cancelled, or moved */
    }
    r->armed_us[timer] = -1;
    switch ((enum kb_timer)timer) {
    case KB_TIMER_ISR_CHECK:
        kb_isr_check(s);
        break;
    case KB_TIMER_ISR_NOTIFY:
        kb_isr_notify(s);
        break;
    case KB_TIMER_HW_CHECKPOINT:
        checkpoint(s);
        break;
    case KB_TIMER_WAITS:
        kb_waits_expire(s);
        break;
    case KB_TIMER_RETENTION:
        kb_retention_check(s);
        break;
    case KB_TIMER_PRODUCERS:
        kb_producers_expire(s);
        break;
    case KB_TIMER_FETCHER:
        break;
    }
}
