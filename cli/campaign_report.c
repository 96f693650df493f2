/*
 * The report of a campaign, in six forms. All walk the same two lists: the classes of what was not
 * met, and the things that should be seen; a form says how to begin, how to tell one of each, how
 * to end.
 */
#include "cli/campaign_report.h"

#include <inttypes.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

enum { LINE = 1200 };

static uint32_t never_seen(const struct cli_campaign_report *r)
{
    uint32_t count = 0;
    for (uint32_t i = 0; i < r->campaign->seen_count; i++)
        count += r->tally->seen[i] == 0;
    return count;
}

static bool is_vacuous(const struct cli_campaign_report *r)
{
    return never_seen(r) > 0 && !r->allow_vacuous;
}

enum sim_exit cli_campaign_exit(const struct cli_campaign_report *r)
{
    if (r->why_missing != NULL && strcmp(r->why_missing, "interrupted") == 0)
        return SIM_EXIT_INTERRUPTED;
    return sim_tally_exit(r->tally, r->missing, is_vacuous(r));
}

static const char *verdict_of(const struct cli_campaign_report *r)
{
    enum sim_exit code = cli_campaign_exit(r);
    bool only_vacuous = code == SIM_EXIT_UNDECIDED && r->tally->failures == 0 && r->missing == 0;
    return only_vacuous ? "vacuous" : sim_verdict_name(code);
}

const char *cli_campaign_class(char *out, size_t capacity, const struct sim_campaign *c,
                               const struct sim_class *k)
{
    bool known = k->defect[0] != '\0';
    snprintf(out, capacity, "%s%s%s%s%s", sim_verdict_name((enum sim_exit)k->exit),
             known ? " (known defect " : "", k->defect, known ? "): " : ": ", k->what);
    if (c->file_count > 1) {
        size_t size = strlen(out);
        snprintf(out + size, capacity - size, " in %s", c->files[k->file].name);
    }
    return out;
}

static const char *reproduce(char *out, const struct cli_campaign_report *r,
                             const struct sim_class *k)
{
    size_t size = (size_t)snprintf(out, LINE, "reproduce: ");
    sim_played_reproduce(out + size, LINE - size, r->campaign, &k->first);
    return out;
}

/* ---- for people ---- */

static void print_classes(const struct cli_campaign_report *r, bool failures, FILE *out)
{
    char text[LINE];
    for (uint32_t i = 0; i < r->tally->class_count; i++) {
        const struct sim_class *k = &r->tally->classes[i];
        if (sim_played_is_failure(&k->first) != failures)
            continue;
        fprintf(out, "%8" PRIu64 " x %s\n", k->count,
                cli_campaign_class(text, sizeof(text), r->campaign, k));
        fprintf(out, "           first: seed %" PRIu64 ", digest %016" PRIx64 "%s%s\n",
                k->first.seed, k->first.digest, k->first.detail[0] == '\0' ? "" : "; ",
                k->first.detail);
        fprintf(out, "           %s\n", reproduce(text, r, k));
    }
}

static void print_seen(const struct cli_campaign_report *r, FILE *out)
{
    if (r->campaign->seen_count == 0)
        return;
    fputs("seen in runs:\n", out);
    for (uint32_t i = 0; i < r->campaign->seen_count; i++)
        if (r->tally->seen[i] > 0)
            fprintf(out, "%8" PRIu64 "   %s\n", r->tally->seen[i], r->campaign->seen[i]);
        else
            fprintf(out, "   never   %s\n", r->campaign->seen[i]);
}

static void print_human(const struct cli_campaign_report *r, bool color, FILE *out)
{
    const struct sim_tally *t = r->tally;
    enum sim_exit code = cli_campaign_exit(r);
    const char *paint = code == SIM_EXIT_MET         ? "\033[32m"
                        : code == SIM_EXIT_UNDECIDED ? "\033[33m"
                                                     : "\033[31m";
    if (t->failures > 0)
        fputs("failures:\n", out);
    print_classes(r, true, out);
    if (t->explained > 0)
        fputs("known defects of this version:\n", out);
    print_classes(r, false, out);
    print_seen(r, out);
    if (r->missing > 0)
        fprintf(out, "%" PRIu64 " runs are missing (%s)\n", r->missing,
                r->why_missing != NULL ? r->why_missing : "not in these results");
    fprintf(out, "%s%s verdict: %s%s (%" PRIu64 " runs: %" PRIu64 " met, %" PRIu64 " failed",
            color ? paint : "",
            code == SIM_EXIT_MET         ? "✓"
            : code == SIM_EXIT_UNDECIDED ? "?"
                                         : "✗",
            verdict_of(r), color ? "\033[0m" : "", t->runs, t->met, t->failures);
    if (t->explained > 0)
        fprintf(out, ", %" PRIu64 " by known defects", t->explained);
    if (r->shard.count > 1)
        fprintf(out, "; shard %" PRIu32 "/%" PRIu32, r->shard.index, r->shard.count);
    if (r->wall_seconds >= 0)
        fprintf(out, "; %" PRIu64 " played in %.1f s", r->played, r->wall_seconds);
    fputs(")\n", out);
}

/* ---- JSON ---- */

static json_t *class_json(const struct cli_campaign_report *r, const struct sim_class *k)
{
    char digest[20], line[LINE];
    snprintf(digest, sizeof(digest), "%016" PRIx64, k->first.digest);
    return json_pack("{s:s,s:s,s:i,s:s,s:s,s:s,s:I,s:I,s:s,s:s}", "class", k->what, "scenario",
                     r->campaign->files[k->file].name, "exit", k->exit, "verdict",
                     sim_verdict_name((enum sim_exit)k->exit), "defect", k->defect, "detail",
                     k->first.detail, "count", (json_int_t)k->count, "first_seed",
                     (json_int_t)k->first.seed, "digest", digest, "reproduce",
                     sim_played_reproduce(line, sizeof(line), r->campaign, &k->first));
}

static json_t *whole_json(const struct cli_campaign_report *r)
{
    const struct sim_tally *t = r->tally;
    json_t *seen = json_object();
    for (uint32_t i = 0; i < r->campaign->seen_count; i++)
        json_object_set_new(seen, r->campaign->seen[i], json_integer((json_int_t)t->seen[i]));
    return json_pack("{s:s,s:s,s:i,s:I,s:I,s:I,s:I,s:I,s:o}", "schema", "kcsim.campaign.report/1",
                     "verdict", verdict_of(r), "exit", (int)cli_campaign_exit(r), "runs",
                     (json_int_t)t->runs, "met", (json_int_t)t->met, "failed",
                     (json_int_t)t->failures, "by_known_defects", (json_int_t)t->explained,
                     "missing", (json_int_t)r->missing, "seen", seen);
}

static void print_object(json_t *object, FILE *out)
{
    char *text = object == NULL ? NULL : json_dumps(object, JSON_COMPACT);
    if (text == NULL)
        abort();
    fprintf(out, "%s\n", text);
    free(text);
    json_decref(object);
}

static void print_json(const struct cli_campaign_report *r, bool one_document, FILE *out)
{
    json_t *list = json_array(), *whole = whole_json(r);
    for (uint32_t i = 0; i < r->tally->class_count; i++) {
        json_t *k = class_json(r, &r->tally->classes[i]);
        if (one_document)
            json_array_append_new(list, k);
        else
            print_object(k, out);
    }
    if (one_document)
        json_object_set(whole, "classes", list);
    json_decref(list);
    print_object(whole, out);
}

/* ---- tests of other tools: JUnit, TAP, GitHub ---- */

/* One row: what is all right, what is not, and why. What was never seen, and need not be, is passed
   over: it says nothing, and so must not look like a test that passed. */
struct row {
    char name[LINE];
    const char *file; /* scenario, or NULL */
    bool ok, skipped; /* skipped is ok */
    char text[2 * LINE];
};

static uint32_t row_count(const struct cli_campaign_report *r)
{
    return 1 + r->tally->class_count + r->campaign->seen_count;
}

static void row_of_class(const struct cli_campaign_report *r, const struct sim_class *k,
                         struct row *row)
{
    char line[LINE];
    cli_campaign_class(row->name, sizeof(row->name), r->campaign, k);
    row->file = r->campaign->files[k->file].name;
    row->ok = !sim_played_is_failure(&k->first);
    snprintf(row->text, sizeof(row->text),
             "%" PRIu64 " runs, the first with seed %" PRIu64 "\n%s\n%s", k->count, k->first.seed,
             k->first.detail, reproduce(line, r, k));
}

/* Rows: the whole first, then the classes, then what should be seen. */
static void row_at(const struct cli_campaign_report *r, uint32_t index, struct row *row)
{
    *row = (struct row){.ok = true};
    if (index == 0) {
        snprintf(row->name, sizeof(row->name), "seeds %" PRIu64 "..%" PRIu64 " are played",
                 r->campaign->first_seed, r->campaign->last_seed);
        row->ok = r->missing == 0;
        snprintf(row->text, sizeof(row->text), "%" PRIu64 " are missing: %s", r->missing,
                 r->why_missing != NULL ? r->why_missing : "not in these results");
    } else if (index <= r->tally->class_count) {
        row_of_class(r, &r->tally->classes[index - 1], row);
    } else {
        uint32_t seen = index - 1 - r->tally->class_count;
        snprintf(row->name, sizeof(row->name), "sometimes %s", r->campaign->seen[seen]);
        row->skipped = r->tally->seen[seen] == 0 && r->allow_vacuous;
        row->ok = r->tally->seen[seen] > 0 || r->allow_vacuous;
        snprintf(row->text, sizeof(row->text), "never seen: the campaign says nothing about it");
    }
}

static void count_rows(const struct cli_campaign_report *r, uint32_t *not_ok, uint32_t *skipped)
{
    struct row row;
    *not_ok = *skipped = 0;
    for (uint32_t i = 0; i < row_count(r); i++) {
        row_at(r, i, &row);
        *not_ok += !row.ok;
        *skipped += row.skipped;
    }
}

static void print_junit(const struct cli_campaign_report *r, FILE *out)
{
    struct row row;
    uint32_t not_ok, skipped;
    count_rows(r, &not_ok, &skipped);
    fprintf(out,
            "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuite name=\"kcsim campaign\" "
            "tests=\"%" PRIu32 "\" failures=\"%" PRIu32 "\" skipped=\"%" PRIu32 "\">\n",
            row_count(r), not_ok, skipped);
    for (uint32_t i = 0; i < row_count(r); i++) {
        row_at(r, i, &row);
        fputs("  <testcase classname=\"", out);
        sim_print_xml(out, row.file != NULL ? row.file : "campaign");
        fputs("\" name=\"", out);
        sim_print_xml(out, row.name);
        fputs("\">", out);
        if (!row.ok) {
            fputs("<failure message=\"", out);
            sim_print_xml(out, row.name);
            fputs("\">", out);
            sim_print_xml(out, row.text);
            fputs("</failure>", out);
        } else if (row.skipped) {
            fputs("<skipped message=\"never seen\"/>", out);
        }
        fputs("</testcase>\n", out);
    }
    fputs("</testsuite>\n", out);
}

static void print_tap(const struct cli_campaign_report *r, FILE *out)
{
    struct row row;
    fprintf(out, "TAP version 13\n1..%" PRIu32 "\n", row_count(r));
    for (uint32_t i = 0; i < row_count(r); i++) {
        row_at(r, i, &row);
        fprintf(out, "%s %" PRIu32 " - ", row.ok ? "ok" : "not ok", i + 1);
        for (const char *c = row.name; *c != '\0'; c++)
            fputc(*c == '#' || *c == '\n' ? ' ' : *c, out);
        fputs(row.skipped ? " # SKIP never seen\n" : "\n", out);
        for (char *line = row.ok ? NULL : strtok(row.text, "\n"); line != NULL;
             line = strtok(NULL, "\n"))
            fprintf(out, "# %s\n", line);
    }
}

static void print_annotations(const struct cli_campaign_report *r, FILE *out)
{
    struct row row;
    for (uint32_t i = 0; i < row_count(r); i++) {
        row_at(r, i, &row);
        if (row.ok)
            continue;
        fputs("::error", out);
        if (row.file != NULL) {
            fputs(" file=", out);
            sim_print_github(out, row.file, true);
            fputs(",title=", out);
        } else {
            fputs(" title=", out);
        }
        sim_print_github(out, row.name, true);
        fputs("::", out);
        sim_print_github(out, row.text, false);
        fputc('\n', out);
    }
}

void cli_campaign_print(struct cli_campaign_report *r, enum sim_format format, bool color,
                        FILE *out)
{
    sim_tally_sort(r->tally);
    switch (format) {
    case SIM_FORMAT_HUMAN:
        print_human(r, color, out);
        return;
    case SIM_FORMAT_JSON:
        print_json(r, true, out);
        return;
    case SIM_FORMAT_NDJSON:
        print_json(r, false, out);
        return;
    case SIM_FORMAT_JUNIT:
        print_junit(r, out);
        return;
    case SIM_FORMAT_TAP:
        print_tap(r, out);
        return;
    case SIM_FORMAT_GITHUB:
        print_annotations(r, out);
        return;
    }
}
