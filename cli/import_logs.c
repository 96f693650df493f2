/*
 * Logs in, a trace out, and an account of it: whose clocks were moved, what was not understood,
 * what was inferred. Everything that is odd about the input is said with its file and line, on
 * stderr.
 */
#include "cli/import_logs.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

#include "cli/cli.h"
#include "sim/logs.h"
#include "sim/moment.h"
#include "sim/zkshell.h"
#include "cli/look.h"
#include "ui/page.h"

/* Of all files together, unpacked: entries take about as much again. */
#define SIZE_MAX_BYTES ((size_t)4 << 30)
enum { PEEK = 65536, CHUNK = 1 << 20 };

/* ---- files ---- */

/* Reads at most `most` bytes, unpacked where they are packed. NULL after a message. */
static char *read_file(const char *file, size_t most, size_t *size, bool quiet)
{
    gzFile in = gzopen(file, "rb");
    char *bytes = NULL;
    size_t capacity = 0;
    int got = -1;
    *size = 0;
    while (in != NULL && *size < most) {
        if (capacity < *size + CHUNK) {
            capacity = (*size + CHUNK) * 2;
            char *grown = realloc(bytes, capacity);
            if (grown == NULL)
                abort();
            bytes = grown;
        }
        got = gzread(in, bytes + *size, CHUNK);
        if (got <= 0)
            break;
        *size += (size_t)got;
    }
    int code = Z_OK;
    const char *text = in != NULL ? gzerror(in, &code) : strerror(errno);
    bool bad = in == NULL || got < 0 || (code != Z_OK && code != Z_BUF_ERROR);
    bool cut = !bad && code == Z_BUF_ERROR;
    if (!quiet && bad)
        cli_error("%s: cannot be read: %s", file, code == Z_ERRNO ? strerror(errno) : text);
    else if (!quiet && cut)
        cli_error("%s: the packed file ends too soon; what is there is read", file);
    if (in != NULL)
        gzclose(in);
    if (bad) {
        free(bytes);
        return NULL;
    }
    return bytes;
}

bool cli_import_is_log(const char *file)
{
    size_t size;
    char *bytes = read_file(file, PEEK, &size, true);
    enum sim_import_kind kind =
        bytes != NULL ? sim_import_kind_of(bytes, size < PEEK ? size : PEEK) : SIM_IMPORT_OTHER;
    free(bytes);
    return kind == SIM_IMPORT_LOG || kind == SIM_IMPORT_TRANSACTIONS || kind == SIM_IMPORT_RAW;
}

bool cli_zone_parse(const char *text, int32_t *zone_s)
{
    char sign, rest;
    unsigned hours, minutes = 0;
    *zone_s = 0;
    if (strcmp(text, "UTC") == 0 || strcmp(text, "GMT") == 0 || strcmp(text, "Z") == 0)
        return true;
    int count = sscanf(text, "%c%2u:%2u%c", &sign, &hours, &minutes, &rest);
    if (count == 2 && strlen(text) == 5)
        count = sscanf(text, "%c%2u%2u%c", &sign, &hours, &minutes, &rest);
    if ((count != 2 && count != 3) || (sign != '+' && sign != '-') || hours > 18 || minutes > 59)
        return false;
    *zone_s = (sign == '-' ? -1 : 1) * (int32_t)(hours * 3600 + minutes * 60);
    return true;
}

/* ---- the account ---- */

static const char *clock_name(char *out, size_t capacity, int32_t node)
{
    if (node == -1)
        snprintf(out, capacity, "ZooKeeper");
    else if (node == -2)
        snprintf(out, capacity, "other files");
    else
        snprintf(out, capacity, "broker %" PRId32, node);
    return out;
}

enum { SHIFT_TEXT = SIM_TIME_TEXT + 16 };

/* "3.200s ahead", "0.050s behind", "0.000s" */
static const char *shift_text(char *out, int64_t us)
{
    char time[SIM_TIME_TEXT];
    snprintf(out, SHIFT_TEXT, "%s%s", sim_time_text(time, us < 0 ? -us : us),
             us < 0   ? " behind"
             : us > 0 ? " ahead"
                      : "");
    return out;
}

static void tell_bounds(const struct sim_import_clock *clock)
{
    char low[SHIFT_TEXT], high[SHIFT_TEXT];
    bool has_low = clock->low_us != INT64_MIN, has_high = clock->high_us != INT64_MAX;
    if (has_low && has_high)
        printf("%" PRIu32 " pairs of lines allow %s to %s", clock->pairs,
               shift_text(low, clock->low_us), shift_text(high, clock->high_us));
    else if (has_high)
        printf("%" PRIu32 " pairs of lines allow at most %s", clock->pairs,
               shift_text(high, clock->high_us));
    else if (has_low)
        printf("%" PRIu32 " pairs of lines allow at least %s", clock->pairs,
               shift_text(low, clock->low_us));
    else
        printf("no pairs of lines to compare it by");
}

static void tell_clocks(const struct sim_import_report *r)
{
    char name[32], ahead[SHIFT_TEXT];
    if (r->clock_count < 2)
        return;
    printf("clocks, beside that of %s:\n",
           clock_name(name, sizeof(name), r->clocks[r->reference].node));
    for (uint32_t i = 0; i < r->clock_count; i++) {
        const struct sim_import_clock *clock = &r->clocks[i];
        if (i == r->reference)
            continue;
        printf("  %-12s", clock_name(name, sizeof(name), clock->node));
        if (clock->ahead_us == 0)
            printf("not moved (");
        else
            printf("%s, moved (", shift_text(ahead, clock->ahead_us));
        tell_bounds(clock);
        printf(")%s\n", clock->torn ? ": no single shift fits, this clock was set meanwhile" : "");
    }
}

static void tell(const struct cli_import_logs *a, const struct sim_import_report *r)
{
    char date[SIM_DATE_TEXT];
    printf("%zu file%s, %" PRIu64 " lines: %" PRIu64 " unknown%s, %" PRIu64
           " of loggers that are not read; all are in the trace\n",
           a->count, a->count == 1 ? "" : "s", r->lines, r->unknown,
           r->unknown > 0 && !a->unknown ? " (--unknown lists them)" : "", r->other);
    printf("%" PRIu64 " records, %" PRIu64 " of them inferred; time 0 is %s UTC\n", r->records,
           r->inferred, sim_log_date_text(date, r->wall_ms));
    tell_clocks(r);
}

/* The line itself, cut; found again in the file, for only its number was kept. */
static void tell_line(const struct sim_import_input *in, uint32_t line)
{
    const char *at = in->bytes, *end = in->bytes + in->size;
    for (uint32_t i = 1; i < line && at < end; i++) {
        const char *newline = memchr(at, '\n', (size_t)(end - at));
        at = newline != NULL ? newline + 1 : end;
    }
    const char *newline = at < end ? memchr(at, '\n', (size_t)(end - at)) : NULL;
    size_t size = (size_t)((newline != NULL ? newline : end) - at);
    printf("%s:%" PRIu32 ": ", in->name, line);
    for (size_t i = 0; i < size && i < 200; i++)
        putchar((uint8_t)at[i] < 0x20 || at[i] == 0x7f ? '?' : at[i]);
    printf("%s\n", size > 200 ? "..." : "");
}

static void tell_unknown(const struct sim_import_input *inputs, const struct sim_import_report *r)
{
    uint64_t kept = r->unknown < SIM_IMPORT_UNKNOWN_MAX ? r->unknown : SIM_IMPORT_UNKNOWN_MAX;
    for (uint64_t i = 0; i < kept; i++)
        tell_line(&inputs[r->unknown_at[i].input], r->unknown_at[i].line);
    if (r->unknown > kept)
        printf("and %" PRIu64 " more\n", r->unknown - kept);
}

static void tell_notes(const struct sim_import_report *r)
{
    uint32_t kept = r->note_count < SIM_IMPORT_NOTES_MAX ? r->note_count : SIM_IMPORT_NOTES_MAX;
    for (uint32_t i = 0; i < kept; i++)
        cli_error("%s", r->notes[i]);
    if (r->note_count > kept)
        cli_error("and %" PRIu32 " more of these", r->note_count - kept);
}

/* ---- the whole ---- */

static bool write_outputs(const struct cli_import_logs *a, const struct sim_trace *trace,
                          const struct sim_import_report *r)
{
    char remark[200];
    bool good = a->trace == NULL || cli_trace_write(a->trace, trace);
    snprintf(remark, sizeof(remark),
             "Imported from logs: %" PRIu64 " of %" PRIu64 " records are inferred, %" PRIu64
             " lines were not understood.",
             r->inferred, r->records, r->unknown);
    const struct ui_page_options options = {.name = a->files[0], .remark = remark};
    return (a->report == NULL || cli_report_write(a->report, trace, &options)) && good;
}

static enum sim_exit import_inputs(const struct cli_import_logs *a,
                                   const struct sim_import_input *inputs)
{
    char error[600];
    struct sim_import_report *r = malloc(sizeof(*r));
    if (r == NULL)
        abort();
    struct sim_trace *trace = sim_import(inputs, a->count, &a->options, r, error, sizeof(error));
    tell_notes(r);
    enum sim_exit code = SIM_EXIT_DATA;
    if (trace == NULL) {
        cli_error("%s", error);
    } else {
        bool good = write_outputs(a, trace, r);
        bool silent = (a->trace != NULL && strcmp(a->trace, "-") == 0) ||
                      (a->report != NULL && strcmp(a->report, "-") == 0);
        if (!silent)
            tell(a, r);
        if (!silent && a->unknown)
            tell_unknown(inputs, r);
        code = good ? SIM_EXIT_MET : SIM_EXIT_SOFTWARE;
    }
    sim_trace_free(trace);
    free(r);
    return code;
}

enum sim_exit cli_import_logs(const struct cli_import_logs *a)
{
    struct sim_import_input *inputs = calloc(a->count, sizeof(*inputs));
    char **bytes = calloc(a->count, sizeof(*bytes));
    size_t all = 0;
    bool good = true;
    if (inputs == NULL || bytes == NULL)
        abort();
    for (size_t i = 0; good && i < a->count; i++) {
        size_t size;
        bytes[i] = read_file(a->files[i], SIZE_MAX_BYTES, &size, false);
        good = bytes[i] != NULL;
        inputs[i] = (struct sim_import_input){
            .name = a->files[i], .bytes = bytes[i], .size = good ? size : 0};
        all += inputs[i].size;
        if (good && all >= SIZE_MAX_BYTES) {
            cli_error(
                "%s: the files are larger than 4 GiB together; give those around the incident",
                a->files[i]);
            good = false;
        }
    }
    enum sim_exit code = good ? import_inputs(a, inputs) : SIM_EXIT_DATA;
    for (size_t i = 0; i < a->count; i++)
        free(bytes[i]);
    free(bytes);
    free(inputs);
    return code;
}
