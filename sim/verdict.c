/*
 * Verdicts, and their form for people; those for machines are in report.c.
 */
#define _POSIX_C_SOURCE 200809L
#include "sim/verdict.h"

#include <assert.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "sim/moment.h"

enum { REPRODUCE = 600 };

/* ---- the verdict ---- */

static uint32_t count(const struct sim_result *result, enum sim_outcome outcome)
{
    uint32_t sum = 0;
    for (uint32_t i = 0; i < result->scenario->expect_count; i++) {
        sum += sim_expect_judgement(result->expectations, i)->outcome == outcome;
    }
    return sum;
}

enum sim_exit sim_verdict(const struct sim_result *result)
{
    if (result->ending == SIM_ENDED_INTERRUPTED) {
        return SIM_EXIT_INTERRUPTED;
    }
    if (result->violated != NULL) {
        return SIM_EXIT_VIOLATED;
    }
    if (count(result, SIM_FAILED) > 0 || result->golden != NULL) {
        return SIM_EXIT_FAILED;
    }
    const bool open = count(result, SIM_UNDECIDED) > 0 || result->never_fired != 0 ||
                      result->ending == SIM_ENDED_AT_HORIZON;
    return open ? SIM_EXIT_UNDECIDED : SIM_EXIT_MET;
}

const char *sim_verdict_name(enum sim_exit verdict)
{
    switch (verdict) {
    case SIM_EXIT_MET:
        return "met";
    case SIM_EXIT_FAILED:
        return "failed";
    case SIM_EXIT_UNDECIDED:
        return "undecided";
    case SIM_EXIT_VIOLATED:
        return "violated";
    case SIM_EXIT_USAGE:
        return "usage";
    case SIM_EXIT_DATA:
        return "bad input";
    case SIM_EXIT_SOFTWARE:
        return "internal error";
    case SIM_EXIT_INTERRUPTED:
        return "interrupted";
    }
    return "internal error";
}

const char *sim_reproduce(char *out, size_t capacity, const struct sim_result *result)
{
    char until[SIM_TIME_TEXT] = "";
    char option[48] = "";
    const char *swarm = result->swarm == NULL              ? ""
                        : strcmp(result->swarm, "on") == 0 ? " --swarm on"
                                                           : " --swarm off";
    if (result->until_given) {
        snprintf(option, sizeof(option), " --until %s", sim_time_exact(until, result->end_us));
    }
    snprintf(out, capacity, "reproduce: kcsim run %s --seed %" PRIu64 "%s%s%s",
             result->scenario->file, result->seed, swarm, result->wire ? " --wire" : "", option);
    return out;
}

const char *sim_outcome_name(enum sim_outcome outcome)
{
    return outcome == SIM_MET ? "met" : outcome == SIM_FAILED ? "failed" : "undecided";
}

const char *sim_open_reason(const struct sim_result *result, char *out, size_t capacity)
{
    if (result->never_fired != 0) {
        const struct sim_step *step = &result->scenario->steps[result->never_fired - 1];
        snprintf(out, capacity,
                 "the step at line %u (%s) never acted: what it waits for did not come",
                 step->place.line, sim_verb_name(step->verb));
        return out;
    }
    if (result->ending == SIM_ENDED_AT_HORIZON) {
        char time[SIM_TIME_TEXT];
        if (result->records > SIM_HORIZON_RECORDS) /* when, is of the one seed, and no class */
            snprintf(out, capacity, "not quiet after %d records", SIM_HORIZON_RECORDS);
        else
            snprintf(out, capacity, "not quiet after %s", sim_time_exact(time, result->end_us));
        return out;
    }
    return NULL;
}

/* ---- for people ---- */

struct colors {
    const char *red, *green, *yellow, *off;
};

static struct colors colors_of(bool color)
{
    return color ? (struct colors){"\033[31m", "\033[32m", "\033[33m", "\033[0m"}
                 : (struct colors){"", "", "", ""};
}

static unsigned print_unmet(FILE *out, const struct sim_result *result, const struct colors *c)
{
    unsigned lines = 0;
    for (uint32_t i = 0; i < result->scenario->expect_count; i++) {
        const struct sim_expect *x = &result->scenario->expect[i];
        const struct sim_judgement *j = sim_expect_judgement(result->expectations, i);
        if (j->outcome == SIM_MET) {
            continue;
        }
        fprintf(out, "%s%s%s line %u: %s\n", j->outcome == SIM_FAILED ? c->red : c->yellow,
                j->outcome == SIM_FAILED ? "✗ failed" : "? undecided", c->off, x->place.line,
                x->text);
        fprintf(out, "    expected %s; actual: %s, at %.6gs", j->expected, j->actual,
                (double)j->t_us / 1e6);
        if (j->record != 0) {
            fprintf(out, ", record %" PRIu64, j->record);
        }
        fprintf(out, "\n");
        lines += 2;
    }
    return lines;
}

static void print_violation(FILE *out, const struct sim_result *result, enum sim_check check)
{
    const struct sim_violation *v = &result->checked->violations[check];
    fprintf(out, "    %s: %s, at %.6gs", v->object, v->detail, (double)v->t_us / 1e6);
    if (v->record != 0) {
        fprintf(out, ", record %" PRIu64, v->record);
    }
    fprintf(out, "\n");
}

static unsigned print_checks(FILE *out, const struct sim_result *result, const struct colors *c)
{
    char text[REPRODUCE];
    for (uint32_t i = 0; i < result->known_count; i++) {
        const struct sim_known *k = &result->known[i];
        fprintf(out, "%s! known defect %s%s violates %s\n", c->yellow,
                sim_blame_text(text, sizeof(text), &k->blame), c->off, sim_check_name(k->check));
        print_violation(out, result, k->check);
    }
    if (result->violated == NULL) {
        return 2 * result->known_count;
    }
    fprintf(out, "%s✗ violated%s %s\n", c->red, c->off, result->violated);
    if (result->checked != NULL && sim_check_named(result->violated) != SIM_CHECK_END) {
        print_violation(out, result, sim_check_named(result->violated));
    }
    return 2 * result->known_count + 2;
}

unsigned sim_verdict_print(FILE *out, const struct sim_result *result, bool color)
{
    const struct colors c = colors_of(color);
    const enum sim_exit verdict = sim_verdict(result);
    char text[REPRODUCE];
    unsigned lines =
        result->clients == NULL ? 0 : sim_client_report_print(out, result->clients, color);
    lines += print_unmet(out, result, &c);
    const uint32_t total = result->scenario->expect_count;
    lines += print_checks(out, result, &c);
    if (result->golden != NULL) {
        fprintf(out, "%s✗ failed%s the golden trace says otherwise\n%s", c.red, c.off,
                result->golden);
        lines++;
    }
    if (verdict == SIM_EXIT_UNDECIDED && sim_open_reason(result, text, sizeof(text)) != NULL) {
        fprintf(out, "%s? undecided%s %s\n", c.yellow, c.off, text);
        lines++;
    }
    const char *mark = verdict == SIM_EXIT_MET ? "✓" : verdict == SIM_EXIT_UNDECIDED ? "?" : "✗";
    fprintf(out, "%s%s verdict: %s%s",
            verdict == SIM_EXIT_MET         ? c.green
            : verdict == SIM_EXIT_UNDECIDED ? c.yellow
                                            : c.red,
            mark, sim_verdict_name(verdict), c.off);
    if (total > 0) {
        fprintf(out, " (%u of %u expectations met", count(result, SIM_MET), total);
    } else {
        fprintf(out, " (nothing was expected");
    }
    fprintf(out, "; %.6gs of virtual time, %" PRIu64 " records, digest %016" PRIx64 ")\n",
            (double)result->end_us / 1e6, result->records, result->digest);
    lines++;
    if (verdict != SIM_EXIT_MET) {
        fprintf(out, "%s\n", sim_reproduce(text, sizeof(text), result));
        lines++;
    }
    return lines;
}
