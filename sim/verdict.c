/*
 * Verdicts and their forms.
 *
 * One loop over the expectations per form; a form is a set of small functions. JUnit and TAP want
 * the number of tests before the first, so their bodies wait in memory until the report ends.
 */
#define _POSIX_C_SOURCE 200809L
#include "sim/verdict.h"

#include <assert.h>
#include <inttypes.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

enum { ANNOTATIONS_MAX = 10, REPRODUCE = 600 };

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

/* A time in the largest unit that says it exactly, as scenarios write it. */
static const char *write_time(char out[32], int64_t us)
{
    if (us % 1000000 == 0) {
        snprintf(out, 32, "%" PRId64 "s", us / 1000000);
    } else if (us % 1000 == 0) {
        snprintf(out, 32, "%" PRId64 "ms", us / 1000);
    } else {
        snprintf(out, 32, "%" PRId64 "us", us);
    }
    return out;
}

const char *sim_reproduce(char *out, size_t capacity, const struct sim_result *result)
{
    char until[32] = "";
    char option[48] = "";
    const char *swarm = result->swarm == NULL              ? ""
                        : strcmp(result->swarm, "on") == 0 ? " --swarm on"
                                                           : " --swarm off";
    if (result->until_given) {
        snprintf(option, sizeof(option), " --until %s", write_time(until, result->end_us));
    }
    snprintf(out, capacity, "reproduce: kcsim run %s --seed %" PRIu64 "%s%s",
             result->scenario->file, result->seed, swarm, option);
    return out;
}

static const char *outcome_name(enum sim_outcome outcome)
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
        char time[32];
        snprintf(out, capacity, "not quiet after %s", write_time(time, result->end_us));
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

/* ---- JSON ---- */

static json_t *utf8(const char *text)
{
    json_t *string = json_string(text);
    return string != NULL ? string : json_string("(not UTF-8)");
}

static json_t *expectation_json(const struct sim_expect *x, const struct sim_judgement *j)
{
    json_t *object = json_object();
    json_object_set_new(object, "line", json_integer(x->place.line));
    json_object_set_new(object, "column", json_integer(x->place.column));
    json_object_set_new(object, "text", utf8(x->text));
    json_object_set_new(object, "outcome", json_string(outcome_name(j->outcome)));
    json_object_set_new(object, "t_us", json_integer(j->t_us));
    if (j->record != 0) {
        json_object_set_new(object, "record", json_integer((json_int_t)j->record));
    }
    if (j->outcome != SIM_MET) {
        json_object_set_new(object, "expected", utf8(j->expected));
        json_object_set_new(object, "actual", utf8(j->actual));
    }
    return object;
}

/* What was violated, each with the known defects that explain it, and what was seen. */
static json_t *checks_json(const struct sim_result *result)
{
    char text[REPRODUCE];
    json_t *object = json_object(), *list = json_array(), *seen = json_object();
    for (int i = 0; i < SIM_CHECK_END; i++) {
        const struct sim_violation *v = &result->checked->violations[i];
        if (v->count == 0) {
            continue;
        }
        json_t *entry = json_object();
        json_object_set_new(entry, "check", json_string(sim_check_name((enum sim_check)i)));
        json_object_set_new(entry, "object", utf8(v->object));
        json_object_set_new(entry, "text", utf8(v->detail));
        json_object_set_new(entry, "t_us", json_integer(v->t_us));
        json_object_set_new(entry, "times", json_integer((json_int_t)v->count));
        for (uint32_t k = 0; k < result->known_count; k++) {
            if (result->known[k].check == (enum sim_check)i) {
                sim_blame_text(text, sizeof(text), &result->known[k].blame);
                json_object_set_new(entry, "known", json_string(text));
            }
        }
        json_array_append_new(list, entry);
    }
    for (int i = 0; i < SIM_SOMETIMES_END; i++) {
        if (result->checked->seen[i] > 0) {
            json_object_set_new(seen, sim_sometimes_name((enum sim_sometimes)i),
                                json_integer((json_int_t)result->checked->seen[i]));
        }
    }
    json_object_set_new(object, "violations", list);
    json_object_set_new(object, "seen", seen);
    return object;
}

static json_t *result_json(const struct sim_result *result)
{
    char text[REPRODUCE], digest[24];
    const enum sim_exit verdict = sim_verdict(result);
    json_t *object = json_object(), *list = json_array();
    json_object_set_new(object, "file", utf8(result->scenario->file));
    json_object_set_new(object, "title",
                        utf8(result->scenario->title ? result->scenario->title : ""));
    json_object_set_new(object, "kafka", json_string(sm_version_name(result->scenario->version)));
    json_object_set_new(object, "seed", json_integer((json_int_t)result->seed));
    json_object_set_new(object, "verdict", json_string(sim_verdict_name(verdict)));
    json_object_set_new(object, "exit", json_integer(verdict));
    json_object_set_new(object, "end_us", json_integer(result->end_us));
    json_object_set_new(object, "records", json_integer((json_int_t)result->records));
    snprintf(digest, sizeof(digest), "%016" PRIx64, result->digest);
    json_object_set_new(object, "digest", json_string(digest));
    if (sim_open_reason(result, text, sizeof(text)) != NULL) {
        json_object_set_new(object, "undecided", utf8(text));
    }
    if (result->violated != NULL) {
        json_object_set_new(object, "violated", utf8(result->violated));
    }
    if (result->checked != NULL) {
        json_object_set_new(object, "checks", checks_json(result));
    }
    if (result->clients != NULL) {
        sim_client_report_json(result->clients, object);
    }
    for (uint32_t i = 0; i < result->scenario->expect_count; i++) {
        json_array_append_new(list,
                              expectation_json(&result->scenario->expect[i],
                                               sim_expect_judgement(result->expectations, i)));
    }
    json_object_set_new(object, "expectations", list);
    json_object_set_new(object, "reproduce",
                        utf8(sim_reproduce(text, sizeof(text), result) + strlen("reproduce: ")));
    return object;
}

static json_t *bad_json(const char *file, const struct sim_diagnostics *d)
{
    json_t *object = json_object(), *list = json_array();
    json_object_set_new(object, "file", utf8(file));
    json_object_set_new(object, "verdict", json_string(sim_verdict_name(SIM_EXIT_DATA)));
    json_object_set_new(object, "exit", json_integer(SIM_EXIT_DATA));
    for (uint32_t i = 0; i < d->count; i++) {
        json_t *entry = json_object();
        json_object_set_new(entry, "file", utf8(d->entries[i].file));
        json_object_set_new(entry, "line", json_integer(d->entries[i].place.line));
        json_object_set_new(entry, "column", json_integer(d->entries[i].place.column));
        json_object_set_new(entry, "severity",
                            json_string(d->entries[i].severity == SIM_ERROR ? "error" : "warning"));
        json_object_set_new(entry, "message", utf8(d->entries[i].message));
        json_array_append_new(list, entry);
    }
    json_object_set_new(object, "errors", list);
    return object;
}

static void print_json(struct sim_report *report, json_t *object)
{
    char *text = json_dumps(object, JSON_COMPACT);
    if (text == NULL) {
        abort();
    }
    if (report->format == SIM_FORMAT_JSON) {
        fprintf(report->out, "%s%s", report->runs > 1 ? ",\n" : "", text);
    } else {
        fprintf(report->out, "{\"schema\":\"kcsim.result/1\",%s\n", text + 1);
    }
    free(text);
    json_decref(object);
}

/* ---- JUnit ---- */

void sim_print_xml(FILE *out, const char *text)
{
    for (; *text != '\0'; text++) {
        switch (*text) {
        case '<':
            fputs("&lt;", out);
            break;
        case '>':
            fputs("&gt;", out);
            break;
        case '&':
            fputs("&amp;", out);
            break;
        case '"':
            fputs("&quot;", out);
            break;
        default:
            fputc((unsigned char)*text < ' ' && *text != '\n' && *text != '\t' ? '?' : *text, out);
        }
    }
}

static void open_case(struct sim_report *report, const char *file, const char *name, uint32_t line)
{
    report->tests++;
    fputs("  <testcase classname=\"", report->body_out);
    sim_print_xml(report->body_out, file);
    fputs("\" name=\"", report->body_out);
    sim_print_xml(report->body_out, name);
    fputs("\" file=\"", report->body_out);
    sim_print_xml(report->body_out, file);
    fprintf(report->body_out, "\" line=\"%u\">", line);
}

static void close_case(struct sim_report *report, bool failed, const char *message,
                       const char *text)
{
    if (failed) {
        report->failed++;
        fputs("<failure message=\"", report->body_out);
        sim_print_xml(report->body_out, message);
        fputs("\">", report->body_out);
        sim_print_xml(report->body_out, text);
        fputs("</failure>", report->body_out);
    }
    fputs("</testcase>\n", report->body_out);
}

static void add_junit(struct sim_report *report, const struct sim_result *result)
{
    char text[REPRODUCE], body[REPRODUCE + 600], reason[REPRODUCE];
    sim_reproduce(text, sizeof(text), result);
    for (uint32_t i = 0; i < result->scenario->expect_count; i++) {
        const struct sim_expect *x = &result->scenario->expect[i];
        const struct sim_judgement *j = sim_expect_judgement(result->expectations, i);
        snprintf(body, sizeof(body), "expected: %s\nactual: %s\nat: %.6gs, record %" PRIu64 "\n%s",
                 j->expected, j->actual, (double)j->t_us / 1e6, j->record, text);
        open_case(report, result->scenario->file, x->text, x->place.line);
        close_case(report, j->outcome != SIM_MET, outcome_name(j->outcome), body);
    }
    const char *open = sim_open_reason(result, reason, sizeof(reason));
    open_case(report, result->scenario->file, "the run comes to its end", 1);
    close_case(report,
               open != NULL || result->ending == SIM_ENDED_INTERRUPTED || result->violated != NULL,
               open != NULL               ? open
               : result->violated != NULL ? result->violated
                                          : "interrupted",
               text);
}

/* ---- TAP ---- */

static void tap_line(struct sim_report *report, bool ok, const char *file, uint32_t line,
                     const char *what)
{
    report->tests++;
    report->failed += !ok;
    fprintf(report->body_out, "%s %u - %s:%u ", ok ? "ok" : "not ok", report->tests, file, line);
    for (; *what != '\0'; what++) {
        fputc(*what == '#' ? ' ' : *what, report->body_out); /* '#' begins a directive */
    }
    fputc('\n', report->body_out);
}

static void add_tap(struct sim_report *report, const struct sim_result *result)
{
    char text[REPRODUCE], reason[REPRODUCE];
    for (uint32_t i = 0; i < result->scenario->expect_count; i++) {
        const struct sim_expect *x = &result->scenario->expect[i];
        const struct sim_judgement *j = sim_expect_judgement(result->expectations, i);
        tap_line(report, j->outcome == SIM_MET, result->scenario->file, x->place.line, x->text);
        if (j->outcome != SIM_MET) {
            fprintf(report->body_out, "# %s: expected %s; actual: %s, at %.6gs\n# %s\n",
                    outcome_name(j->outcome), j->expected, j->actual, (double)j->t_us / 1e6,
                    sim_reproduce(text, sizeof(text), result));
        }
    }
    const char *open = sim_open_reason(result, reason, sizeof(reason));
    tap_line(report,
             open == NULL && result->ending != SIM_ENDED_INTERRUPTED && result->violated == NULL,
             result->scenario->file, 1, open != NULL ? open : "the run comes to its end");
}

/* ---- GitHub ---- */

void sim_print_github(FILE *out, const char *text, bool property)
{
    for (; *text != '\0'; text++) {
        if (*text == '%' || *text == '\n' || *text == '\r' ||
            (property && (*text == ':' || *text == ','))) {
            fprintf(out, "%%%02X", (unsigned)(unsigned char)*text);
        } else {
            fputc(*text, out);
        }
    }
}

static void annotate(struct sim_report *report, const char *level, const char *file,
                     struct sim_place place, const char *title, const char *text)
{
    if (++report->annotations > ANNOTATIONS_MAX) {
        return; /* GitHub shows no more of a step; the rest is counted at the end */
    }
    fprintf(report->out, "::%s file=", level);
    sim_print_github(report->out, file, true);
    fprintf(report->out, ",line=%u,col=%u,title=", place.line == 0 ? 1 : place.line,
            place.column == 0 ? 1 : place.column);
    sim_print_github(report->out, title, true);
    fputs("::", report->out);
    sim_print_github(report->out, text, false);
    fputc('\n', report->out);
}

static void add_github(struct sim_report *report, const struct sim_result *result)
{
    char text[REPRODUCE], body[REPRODUCE + 700];
    sim_reproduce(text, sizeof(text), result);
    for (uint32_t i = 0; i < result->scenario->expect_count; i++) {
        const struct sim_judgement *j = sim_expect_judgement(result->expectations, i);
        if (j->outcome != SIM_MET) {
            snprintf(body, sizeof(body), "expected %s; actual: %s\n%s", j->expected, j->actual,
                     text);
            annotate(report, "error", result->scenario->file, result->scenario->expect[i].place,
                     outcome_name(j->outcome), body);
        }
    }
    if (sim_open_reason(result, body, sizeof(body)) != NULL) {
        snprintf(body + strlen(body), sizeof(body) - strlen(body), "\n%s", text);
        annotate(report, "error", result->scenario->file, (struct sim_place){0}, "undecided", body);
    }
}

/* ---- a report ---- */

static const char *const format_names[] = {"human", "json", "ndjson", "junit", "tap", "github"};

bool sim_format_named(const char *name, enum sim_format *format)
{
    for (unsigned i = 0; i < sizeof(format_names) / sizeof(format_names[0]); i++) {
        if (strcmp(name, format_names[i]) == 0) {
            *format = (enum sim_format)i;
            return true;
        }
    }
    return false;
}

void sim_report_begin(struct sim_report *report, FILE *out, enum sim_format format, bool color)
{
    *report = (struct sim_report){.out = out, .format = format, .color = color};
    if (format == SIM_FORMAT_JUNIT || format == SIM_FORMAT_TAP) {
        report->body_out = open_memstream(&report->body, &report->body_size);
        if (report->body_out == NULL) {
            abort();
        }
    }
    if (format == SIM_FORMAT_JSON) {
        fputs("{\"schema\":\"kcsim.result/1\",\"runs\":[", out);
    }
}

void sim_report_add(struct sim_report *report, const struct sim_result *result)
{
    report->runs++;
    switch (report->format) {
    case SIM_FORMAT_HUMAN:
        sim_verdict_print(report->out, result, report->color);
        break;
    case SIM_FORMAT_JSON:
    case SIM_FORMAT_NDJSON:
        print_json(report, result_json(result));
        break;
    case SIM_FORMAT_JUNIT:
        add_junit(report, result);
        break;
    case SIM_FORMAT_TAP:
        add_tap(report, result);
        break;
    case SIM_FORMAT_GITHUB:
        add_github(report, result);
        break;
    }
}

static const char *first_error(const struct sim_diagnostics *d, char *out, size_t capacity)
{
    snprintf(out, capacity, "cannot be run");
    for (uint32_t i = 0; i < d->count; i++) {
        if (d->entries[i].severity == SIM_ERROR) {
            snprintf(out, capacity, "%u:%u: %s", d->entries[i].place.line,
                     d->entries[i].place.column, d->entries[i].message);
            break;
        }
    }
    return out;
}

void sim_report_bad(struct sim_report *report, const char *file, const struct sim_diagnostics *d)
{
    char text[REPRODUCE];
    report->runs++;
    switch (report->format) {
    case SIM_FORMAT_HUMAN:
        sim_diagnostics_print(d, report->out, report->color);
        break;
    case SIM_FORMAT_JSON:
    case SIM_FORMAT_NDJSON:
        print_json(report, bad_json(file, d));
        break;
    case SIM_FORMAT_JUNIT:
        open_case(report, file, "the file can be read", 1);
        close_case(report, true, "bad input", first_error(d, text, sizeof(text)));
        break;
    case SIM_FORMAT_TAP:
        tap_line(report, false, file, 1, first_error(d, text, sizeof(text)));
        break;
    case SIM_FORMAT_GITHUB:
        for (uint32_t i = 0; i < d->count; i++) {
            annotate(report, d->entries[i].severity == SIM_ERROR ? "error" : "warning",
                     d->entries[i].file, d->entries[i].place, "bad input", d->entries[i].message);
        }
        break;
    }
}

void sim_report_end(struct sim_report *report)
{
    if (report->body_out != NULL) {
        fclose(report->body_out);
    }
    switch (report->format) {
    case SIM_FORMAT_JSON:
        fputs("]}\n", report->out);
        break;
    case SIM_FORMAT_JUNIT:
        fprintf(report->out,
                "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuite name=\"kcsim\" "
                "tests=\"%u\" failures=\"%u\">\n%s</testsuite>\n",
                report->tests, report->failed, report->body);
        break;
    case SIM_FORMAT_TAP:
        fprintf(report->out, "TAP version 13\n1..%u\n%s", report->tests, report->body);
        break;
    case SIM_FORMAT_GITHUB:
        if (report->annotations > ANNOTATIONS_MAX) {
            fprintf(report->out, "%u more are not shown\n", report->annotations - ANNOTATIONS_MAX);
        }
        break;
    case SIM_FORMAT_HUMAN:
    case SIM_FORMAT_NDJSON:
        break;
    }
    free(report->body);
    report->body = NULL;
    report->body_out = NULL;
}
