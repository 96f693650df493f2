/*
 * Judging expectations. What subjects have is in expect_values.c, whether a statement holds in
 * expect_holds.c.
 *
 * One entry per expectation: what is still open, and how it came out. Patterns that are still open
 * are kept in two short lists, so that a record costs nothing once they are decided. A statement is
 * evaluated to one of three answers: it holds, it does not, or it cannot be said (no active
 * controller to ask); see expect.h for what each modality makes of these.
 */
#include "sim/expect_parts.h"

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "sim/pattern.h"

struct entry {
    struct sim_judgement judgement;
    bool open;        /* not decided yet */
    bool after_seen;  /* the record of `after` has come, or there is none */
    bool held;        /* a statement: has held at some moment */
    uint32_t matches; /* records that matched, for nth */
};

struct sim_expectations {
    const struct sim_scenario *scenario;
    struct entry *entries;
};

/* ---- judging ---- */

struct sim_expectations *sim_expect_new(const struct sim_scenario *scenario)
{
    struct sim_expectations *e = calloc(1, sizeof(*e));
    if (e == NULL) {
        abort();
    }
    e->scenario = scenario;
    e->entries = calloc(scenario->expect_count + 1, sizeof(*e->entries));
    if (e->entries == NULL) {
        abort();
    }
    for (uint32_t i = 0; i < scenario->expect_count; i++) {
        e->entries[i].open = true;
        e->entries[i].after_seen = !scenario->expect[i].has_after;
    }
    return e;
}

void sim_expect_free(struct sim_expectations *e)
{
    if (e != NULL) {
        free(e->entries);
        free(e);
    }
}

static void decide(struct entry *entry, enum sim_outcome outcome, int64_t t_us, uint64_t record)
{
    assert(entry->open);
    entry->open = false;
    entry->judgement.outcome = outcome;
    entry->judgement.t_us = t_us;
    entry->judgement.record = record;
}

/* A record decides only patterns. */
static void judge_record(const struct sim_expect *x, struct entry *entry,
                         const struct sim_trace *trace, const struct sim_record *record)
{
    if (!entry->after_seen) {
        entry->after_seen = sim_pattern_match(&x->after, trace, record);
        return; /* what comes behind it counts, not the record itself */
    }
    if (x->subject != SIM_SUBJECT_PATTERN || (x->modality == SIM_BY && record->t > x->time_us) ||
        !sim_pattern_match(&x->pattern, trace, record) || ++entry->matches < x->pattern.nth) {
        return;
    }
    snprintf(entry->judgement.actual, SIM_EXPECT_TEXT, "record %" PRIu64 " matches", record->n);
    snprintf(entry->judgement.expected, SIM_EXPECT_TEXT, "no such record");
    decide(entry, x->modality == SIM_NEVER ? SIM_FAILED : SIM_MET, record->t, record->n);
}

void sim_expect_record(struct sim_expectations *e, const struct sim_trace *trace,
                       const struct sim_record *record)
{
    for (uint32_t i = 0; i < e->scenario->expect_count; i++) {
        const struct sim_expect *x = &e->scenario->expect[i];
        struct entry *entry = &e->entries[i];
        if (entry->open && (x->subject == SIM_SUBJECT_PATTERN || !entry->after_seen)) {
            judge_record(x, entry, trace, record);
        }
    }
}

static void fail(const struct sim_expect *x, struct entry *entry, const char *actual, int64_t t_us,
                 uint64_t record)
{
    if (x->modality == SIM_NEVER) {
        snprintf(entry->judgement.expected, SIM_EXPECT_TEXT, "never so");
        snprintf(entry->judgement.actual, SIM_EXPECT_TEXT, "it was so");
    } else {
        sim_expect_write(x, entry->judgement.expected, SIM_EXPECT_TEXT);
        snprintf(entry->judgement.actual, SIM_EXPECT_TEXT, "%s", actual);
    }
    decide(entry, SIM_FAILED, t_us, record);
}

static void judge_moment(const struct sim_expect *x, struct entry *entry, int64_t now_us,
                         uint64_t last, const struct sim_view *view, bool quiet_end)
{
    char actual[SIM_EXPECT_TEXT];
    const bool due =
        (x->modality == SIM_BY || x->modality == SIM_AT) && (now_us >= x->time_us || quiet_end);
    if (sim_expect_is_violation(x) || x->modality == SIM_END ||
        ((x->modality == SIM_BY || x->modality == SIM_AT) && !due)) {
        return;
    }
    const enum sim_answer answer = sim_expect_evaluate(x, view, actual, SIM_EXPECT_TEXT);
    switch (x->modality) {
    case SIM_ALWAYS:
        entry->held = entry->held || answer == SIM_YES;
        /* It counts from the first moment at which it can hold. */
        if (answer == SIM_NO && entry->held) {
            fail(x, entry, actual, now_us, last);
        }
        break;
    case SIM_NEVER:
        if (answer == SIM_YES) {
            fail(x, entry, actual, now_us, last);
        }
        break;
    case SIM_SOMETIMES:
        if (answer == SIM_YES) {
            decide(entry, SIM_MET, now_us, last);
        }
        break;
    case SIM_BY:
    case SIM_AT:
        if (answer == SIM_YES) {
            decide(entry, SIM_MET, now_us, last);
        } else {
            fail(x, entry, actual, now_us, last);
        }
        break;
    case SIM_END:
        break;
    }
}

void sim_expect_moment(struct sim_expectations *e, int64_t now_us, uint64_t last,
                       const struct sim_view *view)
{
    for (uint32_t i = 0; i < e->scenario->expect_count; i++) {
        const struct sim_expect *x = &e->scenario->expect[i];
        struct entry *entry = &e->entries[i];
        if (entry->open && x->subject != SIM_SUBJECT_PATTERN && entry->after_seen) {
            judge_moment(x, entry, now_us, last, view, false);
        }
    }
}

int64_t sim_expect_next(const struct sim_expectations *e, int64_t now_us)
{
    int64_t next = SIM_FOREVER;
    for (uint32_t i = 0; i < e->scenario->expect_count; i++) {
        const struct sim_expect *x = &e->scenario->expect[i];
        const bool timed = x->modality == SIM_BY || x->modality == SIM_AT;
        if (e->entries[i].open && timed && x->subject != SIM_SUBJECT_PATTERN &&
            x->time_us >= now_us && x->time_us < next) {
            next = x->time_us;
        }
    }
    return next;
}

/* ---- the end ---- */

static void undecided(struct entry *entry, int64_t now_us, const char *why)
{
    snprintf(entry->judgement.expected, SIM_EXPECT_TEXT, "a run that gets so far");
    snprintf(entry->judgement.actual, SIM_EXPECT_TEXT, "%s", why);
    decide(entry, SIM_UNDECIDED, now_us, 0);
}

static void end_pattern(const struct sim_expect *x, struct entry *entry, int64_t now_us,
                        enum sim_ending ending)
{
    if (x->modality == SIM_NEVER) {
        decide(entry, SIM_MET, now_us, 0);
        return;
    }
    const bool cut = ending == SIM_ENDED_INTERRUPTED || ending == SIM_ENDED_AT_HORIZON;
    if (cut || (x->modality == SIM_BY && ending == SIM_ENDED_AT_UNTIL && now_us < x->time_us)) {
        undecided(entry, now_us, "the run was cut off before it");
        return;
    }
    snprintf(entry->judgement.expected, SIM_EXPECT_TEXT,
             x->pattern.nth > 1 ? "such records" : "such a record");
    if (x->pattern.nth > 1) {
        snprintf(entry->judgement.actual, SIM_EXPECT_TEXT, "%u of %u came", entry->matches,
                 x->pattern.nth);
    } else {
        snprintf(entry->judgement.actual, SIM_EXPECT_TEXT, "none came");
    }
    decide(entry, SIM_FAILED, now_us, 0);
}

static void end_statement(const struct sim_expect *x, struct entry *entry, int64_t now_us,
                          uint64_t last, const struct sim_view *view, enum sim_ending ending)
{
    char actual[SIM_EXPECT_TEXT];
    const bool cut = ending == SIM_ENDED_INTERRUPTED;
    switch (x->modality) {
    case SIM_ALWAYS:
        if (entry->held) {
            decide(entry, SIM_MET, now_us, last);
        } else {
            sim_expect_evaluate(x, view, actual, SIM_EXPECT_TEXT);
            fail(x, entry, actual, now_us, last);
        }
        break;
    case SIM_NEVER:
        if (sim_expect_is_violation(x) &&
            sim_expect_evaluate(x, view, actual, SIM_EXPECT_TEXT) != SIM_NO) {
            snprintf(entry->judgement.expected, SIM_EXPECT_TEXT, "a violation of it");
            snprintf(entry->judgement.actual, SIM_EXPECT_TEXT, "it held to the end");
            decide(entry, SIM_FAILED, now_us, last);
        } else {
            decide(entry, SIM_MET, now_us, last);
        }
        break;
    case SIM_SOMETIMES:
        if (cut || ending == SIM_ENDED_AT_HORIZON) {
            undecided(entry, now_us, "the run was cut off before it was so");
        } else {
            sim_expect_evaluate(x, view, actual, SIM_EXPECT_TEXT);
            fail(x, entry, actual, now_us, last);
        }
        break;
    case SIM_BY:
    case SIM_AT:
        if (ending == SIM_ENDED_QUIET || now_us >= x->time_us) {
            judge_moment(x, entry, now_us, last, view, true);
        } else {
            undecided(entry, now_us, "the run ended before this time");
        }
        break;
    case SIM_END:
        if (cut) {
            undecided(entry, now_us, "the run was interrupted");
        } else if (sim_expect_evaluate(x, view, actual, SIM_EXPECT_TEXT) == SIM_YES) {
            decide(entry, SIM_MET, now_us, last);
        } else {
            fail(x, entry, actual, now_us, last);
        }
        break;
    }
}

void sim_expect_end(struct sim_expectations *e, int64_t now_us, uint64_t last,
                    const struct sim_view *view, enum sim_ending ending)
{
    for (uint32_t i = 0; i < e->scenario->expect_count; i++) {
        const struct sim_expect *x = &e->scenario->expect[i];
        struct entry *entry = &e->entries[i];
        if (!entry->open) {
            continue;
        }
        if (!entry->after_seen && x->modality != SIM_NEVER) {
            undecided(entry, now_us, "the record of `after` never came");
        } else if (x->subject == SIM_SUBJECT_PATTERN) {
            end_pattern(x, entry, now_us, ending);
        } else {
            end_statement(x, entry, now_us, last, view, ending);
        }
    }
}

const struct sim_judgement *sim_expect_judgement(const struct sim_expectations *e, uint32_t index)
{
    assert(index < e->scenario->expect_count);
    return &e->entries[index].judgement;
}
