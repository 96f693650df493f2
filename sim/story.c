/*
 * The story of a run, from its records.
 *
 *     records ──► events {time, rank, sentence} ──► the most important that fit ──► lines
 *            └──► partitions {leader, ISR, …}  ──► how it stands at the end
 *
 * One pass. A change of leader or ISR is told with what made it: changes that one controller event
 * makes are one line with counts and a few names; so are those that leaders make themselves.
 * Faults, expired sessions and changes of the controller are lines of their own.
 *
 * What does not fit gives way by rank, and a line says how much is missing; faults are never
 * missing without being counted.
 */
#define _POSIX_C_SOURCE 200809L
#include "sim/story_parts.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { LINES_DEFAULT = 25 };

/* ---- choosing lines ---- */

/* Drops the least important lines, the latest first, until `room` are left. */
static void drop_lines(struct sim_teller *s, uint32_t room)
{
    uint32_t kept = s->line_count;
    if (kept <= room) {
        return;
    }
    room = room > 0 ? room - 1 : 0; /* the line that tells of it */
    for (int rank = SIM_RANK_END - 1; rank >= SIM_RANK_FAULT && kept > room; rank--) {
        for (uint32_t i = s->line_count; i > 0 && kept > room; i--) {
            if (!s->lines[i - 1].dropped && (int)s->lines[i - 1].rank == rank) {
                s->lines[i - 1].dropped = true;
                s->truncated++;
                kept--;
            }
        }
    }
}

/* A chapter is told when it ends, at the time when it began. */
static int compare_lines(const void *a, const void *b)
{
    const struct sim_story_line *x = a, *y = b;
    return x->t != y->t ? (x->t < y->t ? -1 : 1) : x->order < y->order ? -1 : 1;
}

static unsigned print_lines(struct sim_teller *s, FILE *out, bool color)
{
    static const char *const colors[SIM_RANK_END] = {
        [SIM_RANK_FAULT] = "\033[31m",   [SIM_RANK_CONTROLLER] = "\033[1m",
        [SIM_RANK_SESSION] = "\033[33m", [SIM_RANK_LEADERS] = "",
        [SIM_RANK_ADMIN] = "",           [SIM_RANK_ISR] = "\033[2m"};
    static const char *const marks[SIM_RANK_END] = {
        [SIM_RANK_FAULT] = "!",   [SIM_RANK_CONTROLLER] = "*", [SIM_RANK_SESSION] = "-",
        [SIM_RANK_LEADERS] = ">", [SIM_RANK_ADMIN] = "+",      [SIM_RANK_ISR] = "."};
    unsigned lines = 0;
    for (uint32_t i = 0; i < s->line_count; i++) {
        const struct sim_story_line *l = &s->lines[i];
        if (!l->dropped) {
            fprintf(out, "%10.3fs %s%s %s%s\n", (double)l->t / 1e6, color ? colors[l->rank] : "",
                    marks[l->rank], l->text, color ? "\033[0m" : "");
            lines++;
        }
    }
    if (s->truncated > 0) {
        fprintf(out, "            (%u more line%s: -v)\n", s->truncated,
                sim_story_plural(s->truncated));
        lines++;
    }
    return lines;
}

/* ---- the whole ---- */

static void free_teller(struct sim_teller *s)
{
    for (uint32_t i = 0; i < s->line_count; i++) {
        free(s->lines[i].text);
    }
    free(s->lines);
    free(s->partitions);
    free(s->chapter.touched);
    sim_keys_clear(&s->keys);
    sim_story_free_flags(&s->deleting);
    sim_story_free_flags(&s->down);
}

static unsigned print_head(FILE *out, const struct sim_scenario *scenario, const char *bold,
                           const char *off)
{
    fprintf(out, "%s%s%s\n", bold, scenario->title == NULL ? scenario->file : scenario->title, off);
    if (scenario->question != NULL) {
        fprintf(out, "%s\n", scenario->question);
        return 2;
    }
    return 1;
}

/* Counts what a print function would print, by printing it into memory first. */
static char *into_memory(unsigned (*print)(struct sim_teller *, FILE *, const char *, const char *),
                         struct sim_teller *s, const char *bold, const char *off, unsigned *lines)
{
    char *text = NULL;
    size_t size = 0;
    FILE *out = open_memstream(&text, &size);
    if (out == NULL) {
        abort();
    }
    *lines = print(s, out, bold, off);
    fclose(out);
    return text;
}

static unsigned print_verdict(struct sim_teller *s, FILE *out, const char *bold, const char *off)
{
    (void)off;
    return sim_verdict_print(out, s->result, bold[0] != '\0');
}

/* Cuts a verdict that alone would be too long: its first lines and its last three stay. */
static unsigned print_cut(FILE *out, const char *text, unsigned lines, unsigned room)
{
    const unsigned last = 3;
    if (lines <= room || room <= last + 1) {
        fputs(text, out);
        return lines;
    }
    unsigned number = 0, printed = 0;
    for (const char *at = text; *at != '\0'; number++) {
        const char *newline = strchr(at, '\n');
        const size_t size = newline == NULL ? strlen(at) : (size_t)(newline - at) + 1;
        if (number < room - last - 1 || number >= lines - last) {
            fwrite(at, 1, size, out);
            printed++;
        } else if (number == room - last - 1) {
            fprintf(out, "    (%u more lines of failures: --format json)\n", lines - room + 1);
            printed++;
        }
        at += size;
    }
    return printed;
}

unsigned sim_story_print(FILE *out, const struct sim_trace *trace, const struct sim_result *result,
                         const struct sim_story_options *options)
{
    struct sim_teller s = {.trace = trace, .result = result, .controller = -1, .live_of = -1};
    const char *bold = options->color ? "\033[1m" : "", *off = options->color ? "\033[0m" : "";
    const unsigned most = options->lines == 0 ? LINES_DEFAULT : options->lines;
    unsigned ending_lines, verdict_lines;
    struct sim_record record;
    for (uint64_t n = 1; n <= sim_trace_count(trace); n++) {
        if (sim_trace_get(trace, n, &record)) {
            sim_story_take_record(&s, &record);
        }
    }
    sim_story_close_chapter(&s);
    if (s.line_count > 1) {
        qsort(s.lines, s.line_count, sizeof(*s.lines), compare_lines);
    }
    char *ending = into_memory(sim_story_print_ending, &s, bold, off, &ending_lines);
    char *verdict = into_memory(print_verdict, &s, bold, off, &verdict_lines);
    const unsigned verdict_room = most > ending_lines + 10 ? most - ending_lines - 8 : 6;
    const unsigned shown = verdict_lines < verdict_room ? verdict_lines : verdict_room;
    unsigned lines = print_head(out, result->scenario, bold, off);
    const unsigned used = lines + ending_lines + shown;
    drop_lines(&s, most > used ? most - used : 1);
    lines += print_lines(&s, out, options->color);
    fputs(ending, out);
    lines += ending_lines;
    lines += print_cut(out, verdict, verdict_lines, verdict_room);
    free(ending);
    free(verdict);
    free_teller(&s);
    return lines;
}

bool sim_color_wanted(enum sim_color option, FILE *out)
{
    const char *none = getenv("NO_COLOR"), *force = getenv("CLICOLOR_FORCE"),
               *term = getenv("TERM");
    if (option != SIM_COLOR_AUTO) {
        return option == SIM_COLOR_ALWAYS;
    }
    if (none != NULL && none[0] != '\0') {
        return false;
    }
    if (force != NULL && force[0] != '\0' && strcmp(force, "0") != 0) {
        return true;
    }
    return (term == NULL || strcmp(term, "dumb") != 0) && isatty(fileno(out)) == 1;
}
