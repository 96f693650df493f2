/*
 * ShiViz: a vector clock for every record.
 *
 * Lane L's clock at a record is the clock of L's record before it, joined with the clocks of the
 * record's cause, and one more at L. Clocks are kept only of records that cause something in
 * another lane, and only the entries that are not zero: a run of 100,000 records in 20 lanes needs
 * a few megabytes.
 */
#include "sim/export.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include <uthash.h>

#include "sim/allocate.h"
#include "sim/narrate.h"

struct lane {
    UT_hash_handle hh;
    sim_lane lane;
    uint32_t index;
};

struct clocks {
    struct lane *by_lane;
    sim_lane *lane; /* [count], in the order of their first record */
    uint32_t count, capacity;
    uint32_t *now; /* [count * capacity]: row i is the clock of lane i */
    uint32_t **at; /* [records + 1]: [0] size, then the clock of that record; NULL: not needed */
};

const char *sim_export_shiviz_expression(void)
{
    return "(?<host>\\S*) (?<clock>{.*})\\n(?<event>.*)";
}

static bool is_shown(const struct sim_record *r)
{
    return r->kind != SIM_K_LOG && r->kind != SIM_K_META && r->kind != SIM_K_GIVEN &&
           r->kind != SIM_K_FINISH;
}

static uint32_t lane_index(struct clocks *c, sim_lane lane)
{
    struct lane *found;
    HASH_FIND(hh, c->by_lane, &lane, sizeof(lane), found);
    if (found != NULL)
        return found->index;
    if (c->count == c->capacity) {
        const uint32_t old = c->capacity, new = old == 0 ? 16 : old * 2;
        c->lane = sim_realloc(c->lane, new * sizeof(*c->lane));
        uint32_t *now = sim_alloc((size_t) new *new * sizeof(*now));
        for (uint32_t i = 0; i < c->count; i++)
            memcpy(now + (size_t)i * new, c->now + (size_t)i * old, old * sizeof(*now));
        free(c->now);
        c->now = now;
        c->capacity = new;
    }
    found = sim_alloc(sizeof(*found));
    *found = (struct lane){.lane = lane, .index = c->count};
    HASH_ADD(hh, c->by_lane, lane, sizeof(found->lane), found);
    c->lane[c->count] = lane;
    return c->count++;
}

static void join(uint32_t *clock, const uint32_t *other)
{
    for (uint32_t i = 0; other != NULL && i < other[0]; i++)
        if (other[1 + i] > clock[i])
            clock[i] = other[1 + i];
}

static uint32_t *copy_of(const uint32_t *clock, uint32_t count)
{
    while (count > 0 && clock[count - 1] == 0)
        count--;
    uint32_t *copy = sim_alloc((count + 1) * sizeof(*copy));
    copy[0] = count;
    memcpy(copy + 1, clock, count * sizeof(*copy));
    return copy;
}

/* Marks the records whose clock somebody in another lane will ask for. */
static bool *find_causes(const struct sim_trace *trace, uint64_t count)
{
    struct sim_record r, cause;
    bool *is_cause = sim_alloc((count + 1) * sizeof(*is_cause));
    for (uint64_t n = 1; n <= count && sim_trace_get(trace, n, &r); n++) {
        const uint64_t causes[] = {r.by, r.mute};
        for (int i = 0; i < 2; i++)
            if (causes[i] != 0 && sim_trace_get(trace, causes[i], &cause) && cause.at != r.at)
                is_cause[causes[i]] = true;
    }
    return is_cause;
}

static void print_event(FILE *out, const struct clocks *c, uint32_t lane,
                        const struct sim_record *r)
{
    char name[SIM_LANE_TEXT], sentence[1024];
    const uint32_t *clock = c->now + (size_t)lane * c->capacity;
    char separator = '{';
    sim_narrate(r, sentence, sizeof(sentence));
    fprintf(out, "%s ", sim_lane_text(name, r->at));
    for (uint32_t i = 0; i < c->count; i++) {
        if (clock[i] == 0)
            continue;
        fprintf(out, "%c\"%s\":%" PRIu32, separator, sim_lane_text(name, c->lane[i]), clock[i]);
        separator = ',';
    }
    fprintf(out, "}\n#%" PRIu64 " %" PRId64 ".%06" PRId64 "s %s\n", r->n, r->t / 1000000,
            r->t % 1000000, sentence);
}

void sim_export_shiviz(FILE *out, const struct sim_trace *trace)
{
    struct clocks c = {0};
    struct sim_record r;
    const uint64_t count = sim_trace_count(trace);
    bool *is_cause = find_causes(trace, count);
    c.at = sim_alloc((count + 1) * sizeof(*c.at));
    for (uint64_t n = 1; n <= count && sim_trace_get(trace, n, &r); n++) {
        const uint32_t lane = lane_index(&c, r.at);
        uint32_t *clock = c.now + (size_t)lane * c.capacity;
        join(clock, c.at[r.by]);
        join(clock, c.at[r.mute]);
        if (is_shown(&r)) {
            clock[lane]++;
            print_event(out, &c, lane, &r);
        }
        if (is_cause[n])
            c.at[n] = copy_of(clock, c.count);
    }
    for (uint64_t n = 0; n <= count; n++)
        free(c.at[n]);
    struct lane *lane, *next;
    HASH_ITER(hh, c.by_lane, lane, next)
    {
        HASH_DELETE(hh, c.by_lane, lane);
        free(lane);
    }
    free(c.at);
    free(c.lane);
    free(c.now);
    free(is_cause);
}
