/*
 * What a reader without script sees, in the words of narrate.c. Each list says what it leaves out.
 */
#include "ui/page.h"

#include <inttypes.h>
#include <string.h>

#include "sim/moment.h"
#include "sim/narrate.h"
#include "sim/verdict.h"

enum { SHOWN = 200, SENTENCE = 600 };

static bool is_fault(const struct sim_record *r)
{
    return r->kind == SIM_K_FAULT;
}

static bool is_session(const struct sim_record *r)
{
    const char *what = sim_record_text(r, SIM_F_WHAT), *seen = sim_record_text(r, SIM_F_SEEN);
    return r->kind == SIM_K_SESSION && what != NULL && seen != NULL &&
           strcmp(seen, "server") == 0 &&
           (strcmp(what, "expired") == 0 || strcmp(what, "closed") == 0);
}

static bool is_decision(const struct sim_record *r)
{
    return r->kind == SIM_K_DECIDE;
}

static bool is_violation(const struct sim_record *r)
{
    return r->kind == SIM_K_CHECK && sim_record_int(r, SIM_F_OK, 1) == 0;
}

static void print_record(FILE *out, const struct sim_record *r)
{
    char sentence[SENTENCE], time[SIM_TIME_TEXT];
    sim_narrate(r, sentence, sizeof(sentence));
    fprintf(out, "<li>%s: ", sim_time_text(time, r->t));
    sim_print_xml(out, sentence);
    fputs("</li>\n", out);
}

static void print_list(FILE *out, const struct sim_trace *trace, const char *title,
                       bool (*wanted)(const struct sim_record *record))
{
    struct sim_record r;
    uint64_t count = 0;
    for (uint64_t n = 1; sim_trace_get(trace, n, &r); n++) {
        if (!wanted(&r))
            continue;
        if (count == 0)
            fprintf(out, "<h2>%s</h2>\n<ul>\n", title);
        if (count++ < SHOWN)
            print_record(out, &r);
    }
    if (count > SHOWN)
        fprintf(out, "<li>and %" PRIu64 " more</li>\n", count - SHOWN);
    if (count > 0)
        fputs("</ul>\n", out);
}

static void print_paragraph(FILE *out, const char *lead, const char *text)
{
    if (text == NULL || text[0] == '\0')
        return;
    fprintf(out, "<p>%s", lead);
    sim_print_xml(out, text);
    fputs("</p>\n", out);
}

static void print_end(FILE *out, const struct sim_trace *trace)
{
    char sentence[SENTENCE];
    struct sim_record last;
    if (!sim_trace_get(trace, sim_trace_count(trace), &last))
        return;
    if (last.kind == SIM_K_FINISH) {
        sim_narrate(&last, sentence, sizeof(sentence));
        print_paragraph(out, "", sentence);
    } else {
        fprintf(out, "<p>The run was cut off: its last record is %" PRIu64 ".</p>\n", last.n);
    }
}

void ui_summary_print(FILE *out, const struct sim_trace *trace,
                      const struct ui_page_options *options)
{
    struct sim_record meta;
    if (sim_trace_get(trace, 1, &meta)) {
        const char *title = sim_record_text(&meta, SIM_F_TITLE);
        fputs("<h1>", out);
        sim_print_xml(out, title != NULL ? title : options->name != NULL ? options->name : "A run");
        fputs("</h1>\n", out);
        print_paragraph(out, "", sim_record_text(&meta, SIM_F_QUESTION));
    }
    fputs("<p>This page draws with script, which is switched off here. In words:</p>\n", out);
    print_paragraph(out, "", options->remark);
    print_list(out, trace, "Faults and what the scenario asked for", is_fault);
    print_list(out, trace, "Sessions that ended", is_session);
    print_list(out, trace, "Elections", is_decision);
    print_list(out, trace, "Checks that failed", is_violation);
    print_end(out, trace);
}
