/*
 * Which records were acknowledged, and which of them are lost: by the trace alone.
 *
 *     ack p1#7 at offset 6 ──► the append at offset 6 before it, of epoch 2
 *     lost: behind that, somebody begins to lead in a later epoch with a log that ends at 6 or
 * before
 *
 * A leader's log is what its epoch begins with, and followers are cut to it: what it does not have
 * then comes back from nowhere (sim/client_fate.c judges the same in the world).
 *
 * Labels are p1#3; neighbours are told as p1#3..7.
 */
#define _POSIX_C_SOURCE 200809L
#include <stdlib.h>
#include <string.h>

#include "sim/allocate.h"
#include "sim/keys.h"
#include "sim/lesson_read.h"

/* Neighbouring records of one producer. */
struct range {
    int producer;
    long first, last;
};

struct ranges {
    struct range *items;
    size_t count, capacity;
};

static void add(struct ranges *s, struct range item)
{
    s->items = sim_grow(s->items, &s->capacity, s->count + 1, sizeof(*s->items));
    s->items[s->count++] = item;
}

static int by_label(const void *a, const void *b)
{
    const struct range *x = a, *y = b;
    if (x->producer != y->producer)
        return x->producer < y->producer ? -1 : 1;
    return (x->first > y->first) - (x->first < y->first);
}

/* Sorts, and joins what touches. */
static void join(struct ranges *s)
{
    size_t kept = 0;
    if (s->count > 0)
        qsort(s->items, s->count, sizeof(*s->items), by_label);
    for (size_t i = 0; i < s->count; i++) {
        struct range *last = kept > 0 ? &s->items[kept - 1] : NULL;
        if (last != NULL && last->producer == s->items[i].producer &&
            s->items[i].first <= last->last + 1)
            last->last = s->items[i].last > last->last ? s->items[i].last : last->last;
        else
            s->items[kept++] = s->items[i];
    }
    s->count = kept;
}

/* Up to nine digits. Returns what follows, or NULL. */
static const char *read_number(const char *text, long *out)
{
    enum { DIGITS_MAX = 9 };
    int count = 0;
    for (*out = 0; count < DIGITS_MAX && text[count] >= '0' && text[count] <= '9'; count++)
        *out = *out * 10 + (text[count] - '0');
    return count > 0 ? text + count : NULL;
}

/* "p1#3". Returns what follows, or NULL. */
static const char *read_label(const char *text, long *producer, long *number)
{
    if (*text != 'p' || (text = read_number(text + 1, producer)) == NULL || *text != '#')
        return NULL;
    return read_number(text + 1, number);
}

/* "p1#3", "p1#3..7", and "p1#3-7", "p1#3..p1#7" as people write it. Returns what follows, or NULL.
 */
static const char *read_range(const char *text, struct range *out)
{
    long producer, other;
    text = read_label(text, &producer, &out->first);
    if (text == NULL)
        return NULL;
    out->producer = (int)producer;
    out->last = out->first;
    const size_t dots = strspn(text, ".-");
    if (dots > 0) {
        text += dots;
        other = producer;
        text = *text == 'p' ? read_label(text, &other, &out->last) : read_number(text, &out->last);
        if (text == NULL || other != producer)
            return NULL;
    }
    return out->last >= out->first ? text : NULL;
}

/* ---- from the trace ---- */

static bool is_of(const struct sim_record *record, const char *partition)
{
    const char *text = sim_record_text(record, SIM_F_PARTITION);
    return text != NULL && strcmp(text, partition) == 0;
}

/* The epoch of what the log had at `offset` when record n told of it; -1 unknown. */
static int64_t epoch_of(const struct sim_trace *trace, const char *partition, int64_t offset,
                        uint64_t n)
{
    struct sim_record r;
    while (--n > 0 && sim_trace_get(trace, n, &r)) {
        if (r.kind != SIM_K_APPEND || !is_of(&r, partition))
            continue;
        const int64_t base = sim_record_int(&r, SIM_F_BASE, -1);
        if (base <= offset && offset < base + sim_record_int(&r, SIM_F_COUNT, 0))
            return sim_record_int(&r, SIM_F_EPOCH, -1);
    }
    return -1;
}

/* Somebody begins to lead: its epoch, and where its log ends then. */
struct start {
    int64_t epoch, end;
};
struct starts {
    struct start *items;
    size_t count, capacity;
};

static void find_starts(struct starts *s, const struct sim_trace *trace, const char *partition,
                        uint64_t until)
{
    struct sim_record r;
    for (uint64_t n = 1; n <= until && sim_trace_get(trace, n, &r); n++) {
        const char *what = r.kind == SIM_K_REPLICA ? sim_record_text(&r, SIM_F_WHAT) : NULL;
        if (what == NULL || strcmp(what, "leader") != 0 || !is_of(&r, partition))
            continue;
        s->items = sim_grow(s->items, &s->capacity, s->count + 1, sizeof(*s->items));
        s->items[s->count++] = (struct start){.epoch = sim_record_int(&r, SIM_F_EPOCH, -1),
                                              .end = sim_record_int(&r, SIM_F_OFFSET, INT64_MAX)};
    }
}

/* The first offset that a leader of a later epoch has not. */
static int64_t lost_from(const struct starts *starts, int64_t epoch)
{
    int64_t least = INT64_MAX;
    for (size_t i = 0; i < starts->count; i++)
        if (starts->items[i].epoch > epoch && starts->items[i].end < least)
            least = starts->items[i].end;
    return least;
}

enum asked { LOST, KEPT, ACKNOWLEDGED };

/* One ack: the part of it that is asked for. */
static void add_ack(struct ranges *s, const struct sim_trace *trace, const struct sim_record *ack,
                    const struct starts *starts, const char *partition, enum asked asked)
{
    const char *label = sim_record_text(ack, SIM_F_VALUE);
    const int64_t offset = sim_record_int(ack, SIM_F_OFFSET, -1);
    const long count = (long)sim_record_int(ack, SIM_F_COUNT, 1);
    struct range all;
    if (label == NULL || offset < 0 || read_range(label, &all) == NULL)
        return;
    const int64_t epoch = epoch_of(trace, partition, offset, ack->n);
    const int64_t from = lost_from(starts, epoch);
    long kept = from <= offset ? 0 : from - offset >= count ? count : (long)(from - offset);
    if (asked == ACKNOWLEDGED || kept == (asked == LOST ? 0 : count)) {
        add(s, all);
        return;
    }
    struct range part = all;
    if (asked == LOST)
        part.first += kept;
    else
        part.last = part.first + kept - 1;
    if (part.first <= part.last)
        add(s, part);
}

static const char *text_of(const struct sim_lesson_reader *r, const struct ranges *s)
{
    char *text = NULL;
    size_t size;
    FILE *out = open_memstream(&text, &size);
    if (out == NULL)
        abort();
    for (size_t i = 0; i < s->count; i++) {
        fprintf(out, "%sp%d#%ld", i > 0 ? ", " : "", s->items[i].producer, s->items[i].first);
        if (s->items[i].last > s->items[i].first)
            fprintf(out, "..%ld", s->items[i].last);
    }
    if (s->count == 0)
        fputs("none", out);
    fclose(out);
    const char *copy = sim_memory_copy(r->memory, text, size);
    free(text);
    return copy;
}

const char *sim_lesson_records(const struct sim_lesson_reader *r, const char *what, uint64_t n)
{
    const enum asked asked = strncmp(what, "lost ", 5) == 0   ? LOST
                             : strncmp(what, "kept ", 5) == 0 ? KEPT
                                                              : ACKNOWLEDGED;
    const char *partition = strstr(what, " of ") + 4;
    struct ranges found = {0};
    struct starts starts = {0};
    struct sim_record record;
    find_starts(&starts, r->trace, partition, n);
    for (uint64_t i = 1; i <= n && sim_trace_get(r->trace, i, &record); i++)
        if (record.kind == SIM_K_ACK && is_of(&record, partition) &&
            sim_record_int(&record, SIM_F_OK, 0) != 0)
            add_ack(&found, r->trace, &record, &starts, partition, asked);
    join(&found);
    const char *text = text_of(r, &found);
    sim_free(found.items);
    sim_free(starts.items);
    return text;
}

/* ---- comparing ---- */

static bool read_all(const char *text, struct ranges *out)
{
    if (strcmp(text, "none") == 0 || strcmp(text, "nothing") == 0)
        return true;
    while (*text != '\0') {
        struct range item;
        text = read_range(text, &item);
        if (text == NULL)
            return false;
        add(out, item);
        text += strspn(text, ", ");
    }
    join(out);
    return out->count > 0;
}

bool sim_lesson_records_equal(const char *a, const char *b)
{
    struct ranges x = {0}, y = {0};
    bool equal = read_all(a, &x) && read_all(b, &y) && x.count == y.count;
    for (size_t i = 0; equal && i < x.count; i++)
        equal = x.items[i].producer == y.items[i].producer &&
                x.items[i].first == y.items[i].first && x.items[i].last == y.items[i].last;
    sim_free(x.items);
    sim_free(y.items);
    return equal;
}
