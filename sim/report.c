/*
 * The forms of a verdict that machines read: JSON, JUnit, TAP, GitHub annotations.
 *
 *                    expectation     check violated    known defect       golden trace differs
 *     JSON           expectations    checks, violated  checks: known      golden
 *     JUnit          a case          a failed case     a skipped case     a failed case
 *     TAP            a line          not ok            not ok # TODO      not ok
 *     GitHub         ::error         ::error           ::notice           ::error
 *
 * One loop over the expectations per form; a form is a set of small functions. JUnit and TAP want
 * the number of tests before the first, so their bodies wait in memory until the report ends.
 */
#define _POSIX_C_SOURCE 200809L
#include <inttypes.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "sim/verdict.h"

enum { ANNOTATIONS_MAX = 10, REPRODUCE = 600, CHECK_TEXT = 1200 };

#define GOLDEN_NAME "the golden trace says the same"

/* ---- checks ---- */

static const struct sim_violation *violation_of(const struct sim_result *result,
                                                enum sim_check check)
{
    return result->checked == NULL || check == SIM_CHECK_END ? NULL
                                                             : &result->checked->violations[check];
}

/* "orders-0: … , at 12.3s, record 99", or nothing where there is no more to say. */
static const char *violation_text(char *out, size_t capacity, const struct sim_result *result,
                                  enum sim_check check)
{
    const struct sim_violation *v = violation_of(result, check);
    out[0] = '\0';
    if (v != NULL) {
        snprintf(out, capacity, "%s: %s, at %.6gs, record %" PRIu64, v->object, v->detail,
                 (double)v->t_us / 1e6, v->record);
    }
    return out;
}

/* "KAFKA-9672 violates isr-within-replicas" */
static const char *known_text(char *out, size_t capacity, const struct sim_known *known)
{
    char blame[REPRODUCE];
    snprintf(out, capacity, "known defect %s violates %s",
             sim_blame_text(blame, sizeof(blame), &known->blame), sim_check_name(known->check));
    return out;
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
    json_object_set_new(object, "outcome", json_string(sim_outcome_name(j->outcome)));
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
    if (result->golden != NULL) {
        json_object_set_new(object, "golden", utf8(result->golden));
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
        case '\'':
            fputs("&#39;", out);
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

static void add_junit_checks(struct sim_report *report, const struct sim_result *result,
                             const char *reproduce)
{
    char text[CHECK_TEXT], body[CHECK_TEXT + REPRODUCE];
    for (uint32_t i = 0; i < result->known_count; i++) {
        open_case(report, result->scenario->file, sim_check_name(result->known[i].check), 1);
        report->skipped++;
        fputs("<skipped message=\"", report->body_out);
        sim_print_xml(report->body_out, known_text(text, sizeof(text), &result->known[i]));
        fputs("\"/>", report->body_out);
        close_case(report, false, NULL, NULL);
    }
    if (result->violated != NULL) {
        violation_text(text, sizeof(text), result, sim_check_named(result->violated));
        snprintf(body, sizeof(body), "%s\n%s", text, reproduce);
        open_case(report, result->scenario->file, result->violated, 1);
        close_case(report, true, "violated", body);
    }
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
        close_case(report, j->outcome != SIM_MET, sim_outcome_name(j->outcome), body);
    }
    const char *open = sim_open_reason(result, reason, sizeof(reason));
    open_case(report, result->scenario->file, "the run comes to its end", 1);
    close_case(report, open != NULL || result->ending == SIM_ENDED_INTERRUPTED,
               open != NULL ? open : "interrupted", text);
    add_junit_checks(report, result, text);
    if (result->golden != NULL) {
        open_case(report, result->scenario->file, GOLDEN_NAME, 1);
        close_case(report, true, "the golden trace says otherwise", result->golden);
    }
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

/* Lines of text, each behind "# ". */
static void tap_comment(struct sim_report *report, const char *text)
{
    while (*text != '\0') {
        const size_t size = strcspn(text, "\n");
        fprintf(report->body_out, "# %.*s\n", (int)size, text);
        text += size + (text[size] == '\n');
    }
}

static void add_tap_checks(struct sim_report *report, const struct sim_result *result)
{
    char text[CHECK_TEXT];
    for (uint32_t i = 0; i < result->known_count; i++) {
        report->tests++; /* a harness takes what is to do as no failure */
        fprintf(report->body_out, "not ok %u - %s:1 %s # TODO %s\n", report->tests,
                result->scenario->file, sim_check_name(result->known[i].check),
                known_text(text, sizeof(text), &result->known[i]));
    }
    if (result->violated != NULL) {
        tap_line(report, false, result->scenario->file, 1, result->violated);
        tap_comment(report, violation_text(text, sizeof(text), result,
                                           sim_check_named(result->violated)));
        tap_comment(report, sim_reproduce(text, sizeof(text), result));
    }
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
                    sim_outcome_name(j->outcome), j->expected, j->actual, (double)j->t_us / 1e6,
                    sim_reproduce(text, sizeof(text), result));
        }
    }
    const char *open = sim_open_reason(result, reason, sizeof(reason));
    tap_line(report, open == NULL && result->ending != SIM_ENDED_INTERRUPTED,
             result->scenario->file, 1, open != NULL ? open : "the run comes to its end");
    add_tap_checks(report, result);
    if (result->golden != NULL) {
        tap_line(report, false, result->scenario->file, 1, GOLDEN_NAME);
        tap_comment(report, result->golden);
    }
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

static void add_github_checks(struct sim_report *report, const struct sim_result *result,
                              const char *reproduce)
{
    char text[CHECK_TEXT], body[CHECK_TEXT + REPRODUCE];
    for (uint32_t i = 0; i < result->known_count; i++) {
        known_text(body, sizeof(body), &result->known[i]);
        annotate(report, "notice", result->scenario->file, (struct sim_place){0}, body,
                 violation_text(text, sizeof(text), result, result->known[i].check));
    }
    if (result->violated != NULL) {
        violation_text(text, sizeof(text), result, sim_check_named(result->violated));
        snprintf(body, sizeof(body), "%s\n%s", text, reproduce);
        annotate(report, "error", result->scenario->file, (struct sim_place){0}, result->violated,
                 body);
    }
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
                     sim_outcome_name(j->outcome), body);
        }
    }
    if (sim_open_reason(result, body, sizeof(body)) != NULL) {
        snprintf(body + strlen(body), sizeof(body) - strlen(body), "\n%s", text);
        annotate(report, "error", result->scenario->file, (struct sim_place){0}, "undecided", body);
    }
    add_github_checks(report, result, text);
    if (result->golden != NULL) {
        annotate(report, "error", result->scenario->file, (struct sim_place){0},
                 "the golden trace says otherwise", result->golden);
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
                "tests=\"%u\" failures=\"%u\" skipped=\"%u\">\n%s</testsuite>\n",
                report->tests, report->failed, report->skipped, report->body);
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
