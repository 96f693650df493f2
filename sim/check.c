/*
 * Violations, and the turn after each event.
 *
 * A hook that finds something wrong says so at once (check_fail); what can only be judged when the
 * event is over puts its row into the list of the touched ones. Nothing is recorded inside an
 * event: the records of violations follow it.
 */
#include "sim/check.h"

#include <assert.h>
#include <stdarg.h>
#include <stdio.h>

#include "sim/check_state.h"
#include "sim/world_client.h"

/* ---- violations ---- */

static void record(struct sim_checks *c, enum sim_check check)
{
    struct sim_violation *v = &c->result.violations[check];
    v->record = sim_trace_check(c->w->trace, v->t_us, sim_trace_count(c->w->trace),
                                sim_check_name(check), false, NULL, NULL, 0);
}

__attribute__((format(printf, 4, 0))) static void fail(struct sim_checks *c, enum sim_check check,
                                                       const char *object, const char *format,
                                                       va_list args)
{
    struct sim_violation *v = &c->result.violations[check];
    if ((c->judged >> check & 1) == 0 || v->count++ > 0)
        return; /* the first one counts; a violated check may be violated by every later event */
    if (c->result.first == SIM_CHECK_END)
        c->result.first = check;
    v->t_us = c->w->now_us;
    snprintf(v->object, sizeof(v->object), "%s", object);
    vsnprintf(v->detail, sizeof(v->detail), format, args);
    if (c->in_whole) {
        size_t at = strlen(v->detail);
        snprintf(v->detail + at, sizeof(v->detail) - at,
                 " (seen only when everything was looked at)");
    }
    c->unrecorded |= UINT64_C(1) << check;
}

void check_fail(struct sim_checks *c, enum sim_check check, const char *object, const char *format,
                ...)
{
    va_list args;
    va_start(args, format);
    fail(c, check, object, format, args);
    va_end(args);
}

void check_fail_row(struct sim_checks *c, enum sim_check check, const struct check_row *row,
                    const char *format, ...)
{
    char object[sizeof(c->result.violations[0].object)];
    va_list args;
    if (c->result.violations[check].count == 0) {
        if (strlen(row->topic->name) < sizeof(object) - 12)
            snprintf(object, sizeof(object), "%.51s-%d", row->topic->name, row->partition);
        else
            snprintf(object, sizeof(object), "%.48s…-%d", row->topic->name, row->partition);
    }
    va_start(args, format);
    fail(c, check, object, format, args);
    va_end(args);
}

const char *check_list(char out[CHECK_LIST_TEXT], const struct sm_list *list)
{
    size_t at = (size_t)snprintf(out, CHECK_LIST_TEXT, "[");
    for (int32_t i = 0; i < list->count && at < CHECK_LIST_TEXT - 16; i++)
        at += (size_t)snprintf(out + at, CHECK_LIST_TEXT - at, "%s%d", i == 0 ? "" : ", ",
                               list->id[i]);
    snprintf(out + at, CHECK_LIST_TEXT - at, "]");
    return out;
}

/* ---- life ---- */

struct sim_checks *sim_checks_new(struct sim_world *w, enum sim_checks_mode mode)
{
    struct sim_checks *c = sim_alloc(sizeof(*c));
    c->w = w;
    c->mode = mode;
    c->judged = UINT64_MAX;
    c->result.first = SIM_CHECK_END;
    c->result.healed_us = c->result.rested_us = -1;
    return c;
}

void sim_checks_free(struct sim_checks *c)
{
    if (c == NULL)
        return;
    check_logs_free(c);
    check_rows_free(c);
    for (uint32_t i = 0; i < c->process_count; i++)
        sim_free(c->processes[i].sent), sim_free(c->processes[i].moved);
    for (uint32_t i = 0; i < c->ephemeral_count; i++)
        sim_free(c->ephemerals[i].path);
    sim_free(c->processes);
    sim_free(c->ephemerals);
    sim_free(c->acked_before);
    sim_free(c->touched);
    sim_free(c);
}

const struct sim_check_result *sim_checks_result(const struct sim_checks *c)
{
    return &c->result;
}

/* ---- after each event ---- */

/* What clients were told since the last event. */
static void read_ledger(struct sim_checks *c)
{
    struct sim_ledger book = sim_world_ledger(c->w);
    for (; c->acked_seen < book.acked_count; c->acked_seen++) {
        const struct sim_acked *a = &book.acked[c->acked_seen];
        if (a->acks == -1)
            sim_checks_acknowledged(c, sim_client_topic(c->w, a->topic), a->partition, a->offset,
                                    a->leader_epoch);
    }
    for (; c->reads_seen < book.read_count; c->reads_seen++) {
        const struct sim_read *r = &book.reads[c->reads_seen];
        sim_checks_consumed(c, sim_client_topic(c->w, r->topic), r->partition, r->offset);
    }
}

static void record_all(struct sim_checks *c)
{
    for (int i = 0; c->unrecorded != 0; i++) {
        if ((c->unrecorded >> i & 1) != 0)
            record(c, (enum sim_check)i);
        c->unrecorded &= ~(UINT64_C(1) << i);
    }
}

/* Long runs repeat themselves: all of their first events, then every 64th. */
static bool is_whole_due(uint64_t event)
{
    return event <= 4096 || event % 64 == 0;
}

void sim_checks_event(struct sim_checks *c)
{
    c->result.events++;
    c->asking.is_open = false;
    for (uint32_t i = 0; i < c->touched_count; i++) {
        c->touched[i]->touched = false;
        check_logs(c, c->touched[i]);
    }
    c->touched_count = 0;
    read_ledger(c);
    if (c->expired_count > 0)
        check_znodes_event(c);
    if (c->heal_until_us > 0 && c->w->now_us >= c->heal_until_us)
        check_heal_end(c);
    if (c->mode == SIM_CHECKS_WHOLE && is_whole_due(c->result.events))
        sim_checks_whole(c);
    if (c->unrecorded != 0)
        record_all(c);
}

void sim_checks_end(struct sim_checks *c, bool quiet)
{
    sim_checks_whole(c);
    if (quiet)
        check_rest(c);
    check_heal_end(c);
    record_all(c);
}
