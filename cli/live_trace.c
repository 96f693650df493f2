/*
 * What versions have in common.
 *
 *     version      0 ─── 300 same ──► 1 ─── 250 same ──► 2 ─── 400 same ──► 3
 *     a page of version 1 with 500 records: keeps min(500, 250, 400)
 *
 * same[i] is what versions i and i + 1 have in common.
 */
#include "cli/live_trace.h"

#include <stdbool.h>
#include <stdlib.h>

#include "sim/keys.h"

struct cli_live_trace {
    struct ui_packing *packing;
    uint64_t *same;
    size_t version, capacity;
};

struct cli_live_trace *cli_live_trace_new(void)
{
    struct cli_live_trace *t = calloc(1, sizeof(*t));
    if (t == NULL)
        abort();
    t->packing = ui_packing_new();
    return t;
}

void cli_live_trace_free(struct cli_live_trace *t)
{
    if (t == NULL)
        return;
    ui_packing_free(t->packing);
    free(t->same);
    free(t);
}

void cli_live_trace_branch(struct cli_live_trace *t, uint64_t same)
{
    t->same = sim_grow(t->same, &t->capacity, t->version + 1, sizeof(*t->same));
    t->same[t->version++] = same;
}

uint64_t cli_live_trace_version(const struct cli_live_trace *t)
{
    return t->version;
}

struct ui_packing *cli_live_trace_packing(struct cli_live_trace *t)
{
    return t->packing;
}

/* Digits alone, and no more of them than any count here has. */
static bool number_of(const char *text, uint64_t *number)
{
    enum { DIGITS_MAX = 15 };
    *number = 0;
    size_t size = 0;
    for (; text[size] >= '0' && text[size] <= '9' && size < DIGITS_MAX; size++)
        *number = *number * 10 + (uint64_t)(text[size] - '0');
    return size > 0 && text[size] == '\0';
}

const char *cli_live_trace_since(struct cli_live_trace *t, const struct sim_trace *trace,
                                 const struct cli_live_has *has, struct ui_bytes *out)
{
    uint64_t version, records, strings;
    if (!number_of(has->version, &version) || version > t->version)
        return "there is no such version of this run";
    if (!number_of(has->strings, &strings) || strings > ui_packing_strings(t->packing))
        return "there are not so many names";
    if (!number_of(has->records, &records))
        return "a number of records is made of digits";
    if (version == t->version && records > sim_trace_count(trace))
        return "there are not so many records";
    struct ui_packed_from from = {.records = records, .strings = (uint32_t)strings};
    for (size_t i = version; i < t->version; i++)
        if (t->same[i] < from.records)
            from.records = t->same[i];
    from.meta = version < t->version && from.records > 0;
    ui_packing_write_since(t->packing, trace, &from, t->version, out);
    return NULL;
}
