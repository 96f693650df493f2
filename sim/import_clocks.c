/*
 * How the clocks lie to each other.
 *
 * Where one line must have been written before another, on clocks a and b at times ta and tb:
 *
 *     ahead(b) - ahead(a) <= tb - ta
 *
 * Such pairs are: a request that a controller sent and a broker has, an answer that a broker made
 * and the controller has, what a broker says it will write to ZooKeeper and the time that ZooKeeper
 * gave it, a transaction and the line that knows of it. The bounds of all pairs together are closed
 * over all paths; of what they leave, the least is taken: a clock is moved only where lines prove
 * it to be off. Bounds that contradict each other are those of a clock that was set meanwhile: then
 * it lies between them, and that is said.
 *
 * Requests without a correlation id are paired only from the beginning of an epoch on, and in their
 * order, so that a pair's request is never later than the true one: a bound may be weak, not wrong.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "sim/import_state.h"

#define NO_BOUND INT64_MAX

/* Lines that wait for their other half, by key; a list for each, in the order of the file. */
struct waiting {
    int64_t t;
    uint32_t clock;
    size_t next; /* + 1; 0: the last */
    int64_t count;
};

/* The two halves of a message with a correlation id. Ids begin anew with every connection: only one
   that is there once on each side is a pair. */
struct correlated {
    uint32_t first_clock, second_clock, firsts, seconds;
    int64_t first, second;
};

struct clocks {
    struct sim_importer *im;
    uint32_t count;
    int64_t *upper; /* [a * count + b]: ahead(b) - ahead(a) is at most this */
    struct sim_keys keys;
    struct waiting *waiting;
    size_t waiting_count, waiting_capacity;
    size_t *head, *tail; /* [key], + 1 */
    size_t head_capacity, tail_capacity;
    struct sim_keys ids;
    struct correlated *correlated; /* [id] */
    size_t correlated_capacity;
    uint32_t last[2]; /* ids of the lines before, + 1: several lines tell of one request */
};

static void bound(struct clocks *c, uint32_t a, uint32_t b, int64_t most)
{
    if (a == b)
        return;
    int64_t *upper = &c->upper[(size_t)a * c->count + b];
    if (most < *upper)
        *upper = most;
    c->im->report->clocks[a].pairs++;
    c->im->report->clocks[b].pairs++;
}

static uint32_t key_of(struct clocks *c, const char *text)
{
    uint32_t before = c->keys.count, key = sim_keys_intern(&c->keys, text, strlen(text));
    c->head = sim_grow(c->head, &c->head_capacity, (size_t)key + 1, sizeof(*c->head));
    c->tail = sim_grow(c->tail, &c->tail_capacity, (size_t)key + 1, sizeof(*c->tail));
    if (key == before)
        c->head[key] = c->tail[key] = 0;
    return key;
}

static void wait(struct clocks *c, const char *text, int64_t t, uint32_t clock, int64_t count)
{
    uint32_t key = key_of(c, text);
    c->waiting =
        sim_grow(c->waiting, &c->waiting_capacity, c->waiting_count + 1, sizeof(*c->waiting));
    c->waiting[c->waiting_count++] = (struct waiting){.t = t, .clock = clock, .count = count};
    if (c->tail[key] != 0)
        c->waiting[c->tail[key] - 1].next = c->waiting_count;
    else
        c->head[key] = c->waiting_count;
    c->tail[key] = c->waiting_count;
}

/* The first half that waits under the key, and has that count (-1: any). Earlier ones are given up.
 */
static const struct waiting *meet(struct clocks *c, const char *text, int64_t count)
{
    uint32_t key = sim_keys_find(&c->keys, text, strlen(text));
    if (key == SIM_NO_KEY)
        return NULL;
    for (size_t at = c->head[key]; at != 0; at = c->waiting[at - 1].next)
        if (count < 0 || c->waiting[at - 1].count == count) {
            c->head[key] = c->waiting[at - 1].next;
            if (c->head[key] == 0)
                c->tail[key] = 0;
            return &c->waiting[at - 1];
        }
    return NULL;
}

/* ---- pairs of messages ---- */

static void wait_metadata(struct clocks *c, const struct sim_entry *e, uint32_t clock, int32_t ce,
                          struct sim_span to, int64_t count)
{
    struct sim_ids ids;
    char key[96];
    sim_span_ids(to, &ids);
    for (size_t i = 0; i < ids.count; i++) {
        snprintf(key, sizeof(key), "um %" PRId32 " %" PRId32 " %" PRId32, e->node, ce, ids.id[i]);
        wait(c, key, e->t, clock, count);
    }
}

/* One half of the message "what" (sl, su: a request and its handling; r: its handling and its
 * answer). */
static void half(struct clocks *c, const struct sim_entry *e, uint32_t clock, bool second,
                 const char *what, int32_t controller, int64_t ce, int32_t broker, int64_t corr)
{
    char key[120];
    int size = snprintf(key, sizeof(key), "%s %" PRId32 " %" PRId64 " %" PRId32 " %" PRId64, what,
                        controller, ce, broker, corr);
    uint32_t before = c->ids.count, id = sim_keys_intern(&c->ids, key, (size_t)size);
    c->correlated =
        sim_grow(c->correlated, &c->correlated_capacity, (size_t)id + 1, sizeof(*c->correlated));
    struct correlated *m = &c->correlated[id];
    if (id == before)
        *m = (struct correlated){0};
    uint32_t *last = &c->last[what[0] == 'r'];
    bool more = *last == id + 1 && (second ? m->seconds : m->firsts) > 0;
    *last = id + 1;
    if (corr < 0 || more)
        return;
    if (second) {
        m->second = m->seconds++ == 0 ? e->t : m->second;
        m->second_clock = clock;
    } else {
        m->first = m->firsts++ == 0 ? e->t : m->first;
        m->first_clock = clock;
    }
}

static void bound_correlated(struct clocks *c)
{
    for (uint32_t i = 0; i < c->ids.count; i++) {
        const struct correlated *m = &c->correlated[i];
        if (m->firsts == 1 && m->seconds == 1)
            bound(c, m->first_clock, m->second_clock, m->second - m->first);
    }
}

/* An epoch whose beginning is in the files: of it all requests are. */
static uint32_t epoch_key(struct clocks *c, int32_t node, int64_t ce, bool add)
{
    char key[64];
    int size = snprintf(key, sizeof(key), "begun %" PRId32 " %" PRId64, node, ce);
    return add ? key_of(c, key) : sim_keys_find(&c->keys, key, (size_t)size);
}

static void note_epochs(struct clocks *c)
{
    for (size_t i = 0; i < c->im->source_count; i++)
        for (size_t k = 0; k < c->im->sources[i].count; k++) {
            const struct sim_entry *e = &c->im->sources[i].at[k];
            struct sim_holes h;
            if (e->word != WORD_ELECTED)
                continue;
            sim_import_holes(e, &h);
            epoch_key(c, e->node, sim_span_number(SIM_HOLE(&h, 'e'), -1), true);
        }
}

/* What is sent, and what brokers have had: what others may be later than. */
static void first_halves(struct clocks *c, const struct sim_entry *e, uint32_t clock)
{
    struct sim_holes h;
    sim_import_holes(e, &h);
    int64_t corr = sim_span_number(SIM_HOLE(&h, 'k'), -1);
    if (e->word == WORD_SEND_METADATA && e->ce >= 0 &&
        epoch_key(c, e->node, e->ce, false) != SIM_NO_KEY)
        wait_metadata(c, e, clock, e->ce, SIM_HOLE(&h, 'i'),
                      sim_span_number(SIM_HOLE(&h, 'n'), -1));
    if ((e->word == WORD_SEND_METADATA_ONE || e->word == WORD_SEND_LEADER_AND_ISR_ONE) && corr >= 0)
        half(c, e, clock, false, e->word == WORD_SEND_METADATA_ONE ? "su" : "sl", e->node, e->ce,
             (int32_t)sim_span_number(SIM_HOLE(&h, 'b'), -1), corr);
    if (e->word == WORD_RECV_METADATA || e->word == WORD_RECV_METADATA_ONE)
        half(c, e, clock, false, "r", (int32_t)sim_span_number(SIM_HOLE(&h, 'c'), -1),
             sim_span_number(SIM_HOLE(&h, 'e'), -1), e->node, corr);
}

static int32_t id_in(struct sim_span text)
{
    const char *at = sim_span_find(text, "(id: ");
    struct sim_ids ids;
    if (at == NULL)
        return -1;
    sim_span_ids((struct sim_span){at, (size_t)(text.at + text.size - at)}, &ids);
    return ids.count > 0 ? ids.id[0] : -1;
}

static void second_halves(struct clocks *c, const struct sim_entry *e, uint32_t clock)
{
    struct sim_holes h;
    char key[120];
    const struct waiting *w = NULL;
    sim_import_holes(e, &h);
    int32_t controller = (int32_t)sim_span_number(SIM_HOLE(&h, 'c'), -1);
    int64_t ce = sim_span_number(SIM_HOLE(&h, 'e'), -1),
            corr = sim_span_number(SIM_HOLE(&h, 'k'), -1);
    if (e->word == WORD_RECV_METADATA) {
        int64_t count =
            sim_span_number(SIM_HOLE(&h, 'n'), 0) + sim_span_number(SIM_HOLE(&h, 'm'), 0);
        snprintf(key, sizeof(key), "um %" PRId32 " %" PRId64 " %" PRId32, controller, ce, e->node);
        w = meet(c, key, count);
    }
    if (e->word == WORD_RECV_METADATA_ONE || e->word == WORD_RECV_LEADER_AND_ISR_ONE)
        half(c, e, clock, true, e->word == WORD_RECV_METADATA_ONE ? "su" : "sl", controller, ce,
             e->node, corr);
    if (e->word == WORD_RESPONSE)
        half(c, e, clock, true, "r", e->node, e->ce, id_in(SIM_HOLE(&h, 'x')), corr);
    if (w != NULL)
        bound(c, w->clock, clock, e->t - w->t);
}

/* ---- ZooKeeper's clock in a broker's log ---- */

/* "Stat of the created znode at /brokers/ids/1 is: CZXID,MZXID,CTIME,…": ms of ZooKeeper's clock.
 */
static void registered(struct clocks *c, const struct sim_entry *e, uint32_t clock,
                       uint32_t zookeeper, int64_t *registering)
{
    struct sim_holes h;
    sim_import_holes(e, &h);
    if (e->word == WORD_REGISTERING)
        *registering = e->t;
    if (e->word != WORD_REGISTERED)
        return;
    struct sim_span rest = SIM_HOLE(&h, 's');
    for (int i = 0; i < 2 && rest.size > 0; i++) {
        const char *comma = memchr(rest.at, ',', rest.size);
        if (comma == NULL)
            return;
        rest = (struct sim_span){comma + 1, (size_t)(rest.at + rest.size - comma - 1)};
    }
    size_t digits = 0;
    int64_t ms;
    while (digits < rest.size && rest.at[digits] >= '0' && rest.at[digits] <= '9')
        digits++;
    if (!sim_span_int((struct sim_span){rest.at, digits}, &ms) || ms <= 0 ||
        ms > INT64_C(253402300800000))
        return;
    if (*registering != INT64_MIN)
        bound(c, clock, zookeeper, ms * 1000 + 1000 - *registering);
    bound(c, zookeeper, clock, e->t - ms * 1000);
    *registering = INT64_MIN;
}

/* What a transaction says of a broker's clock, and what later lines say of the transaction. */
static void transactions(struct clocks *c, struct sim_entries *source, uint32_t zookeeper)
{
    struct sim_txn txn = {0};
    char key[64];
    for (size_t i = 0; i < source->count; i++) {
        const struct sim_entry *e = &source->at[i];
        const struct sim_import_input *input = &c->im->inputs[e->input];
        if (e->word == WORD_UNKNOWN)
            continue;
        sim_txn_decode(e, sim_import_kind_of(input->bytes, input->size) == SIM_IMPORT_RAW, &txn);
        for (size_t k = 0; k < txn.count; k++)
            if (txn.ops[k].type != SIM_TXN_CHECK && txn.ops[k].data != NULL &&
                strcmp(txn.ops[k].path, "/controller_epoch") == 0) {
                snprintf(key, sizeof(key), "e %.*s",
                         (int)(txn.ops[k].size < 12 ? txn.ops[k].size : 12), txn.ops[k].data);
                wait(c, key, e->t, zookeeper, 0);
            }
    }
    sim_txn_clear(&txn);
}

static void elected(struct clocks *c, const struct sim_entry *e, uint32_t clock)
{
    struct sim_holes h;
    char key[64];
    if (e->word != WORD_ELECTED)
        return;
    sim_import_holes(e, &h);
    snprintf(key, sizeof(key), "e %" PRId64, sim_span_number(SIM_HOLE(&h, 'e'), -1));
    const struct waiting *w = meet(c, key, -1);
    if (w != NULL)
        bound(c, w->clock, clock, e->t - w->t);
}

/* ---- closing, choosing ---- */

static int64_t sum(int64_t a, int64_t b)
{
    return a == NO_BOUND || b == NO_BOUND ? NO_BOUND : a + b;
}

static void close_over(struct clocks *c, uint32_t via)
{
    for (uint32_t a = 0; a < c->count; a++)
        for (uint32_t b = 0; b < c->count; b++) {
            int64_t path =
                sum(c->upper[(size_t)a * c->count + via], c->upper[(size_t)via * c->count + b]);
            if (a != b && path < c->upper[(size_t)a * c->count + b])
                c->upper[(size_t)a * c->count + b] = path;
        }
}

static int64_t choose(struct sim_import_clock *clock)
{
    int64_t low = clock->low_us, high = clock->high_us;
    if (low <= 0 && high >= 0)
        return 0;
    clock->torn = low > high;
    if (low != INT64_MIN && high != INT64_MAX)
        return low + (high - low) / 2;
    return low > 0 ? low : high;
}

/* One after another; each choice bounds those that follow. */
static void choose_all(struct clocks *c)
{
    struct sim_import_report *r = c->im->report;
    uint32_t ref = r->reference;
    for (uint32_t via = 0; via < c->count; via++)
        close_over(c, via);
    for (uint32_t i = 0; i < c->count; i++) {
        struct sim_import_clock *clock = &r->clocks[i];
        clock->low_us = INT64_MIN;
        clock->high_us = INT64_MAX;
        if (i == ref)
            continue;
        int64_t *up = &c->upper[(size_t)ref * c->count + i],
                *down = &c->upper[(size_t)i * c->count + ref];
        clock->high_us = *up == NO_BOUND ? INT64_MAX : *up;
        clock->low_us = *down == NO_BOUND ? INT64_MIN : -*down;
        clock->ahead_us = choose(clock);
        *up = clock->ahead_us;
        *down = -clock->ahead_us;
        close_over(c, i);
        close_over(c, ref);
    }
}

static void move_entries(struct sim_importer *im)
{
    for (size_t i = 0; i < im->source_count; i++) {
        struct sim_entries *source = &im->sources[i];
        int64_t ahead = im->report->clocks[source->clock].ahead_us;
        for (size_t k = 0; ahead != 0 && k < source->count; k++) {
            source->at[k].t -= ahead;
            source->at[k].latest -= ahead;
        }
    }
}

static void collect(struct clocks *c, uint32_t zookeeper)
{
    struct sim_importer *im = c->im;
    for (size_t i = 0; i < im->source_count; i++) {
        struct sim_entries *source = &im->sources[i];
        int64_t registering = INT64_MIN;
        if (source->is_zookeeper) {
            transactions(c, source, zookeeper);
            continue;
        }
        for (size_t k = 0; k < source->count; k++) {
            first_halves(c, &source->at[k], source->clock);
            if (zookeeper < c->count)
                registered(c, &source->at[k], source->clock, zookeeper, &registering);
        }
    }
    for (size_t i = 0; i < im->source_count; i++)
        for (size_t k = 0; !im->sources[i].is_zookeeper && k < im->sources[i].count; k++) {
            second_halves(c, &im->sources[i].at[k], im->sources[i].clock);
            if (zookeeper < c->count)
                elected(c, &im->sources[i].at[k], im->sources[i].clock);
        }
}

void sim_import_clocks(struct sim_importer *im)
{
    struct sim_import_report *r = im->report;
    struct clocks c = {.im = im, .count = r->clock_count};
    uint32_t zookeeper = c.count;
    size_t capacity = 0;
    if (c.count < 2)
        return;
    c.upper = sim_grow(NULL, &capacity, (size_t)c.count * c.count, sizeof(*c.upper));
    for (size_t i = 0; i < (size_t)c.count * c.count; i++)
        c.upper[i] = NO_BOUND;
    for (uint32_t i = 0; i < c.count; i++)
        if (r->clocks[i].node == -1)
            zookeeper = i;
    note_epochs(&c);
    collect(&c, zookeeper);
    bound_correlated(&c);
    choose_all(&c);
    move_entries(im);
    sim_keys_clear(&c.ids);
    free(c.correlated);
    sim_keys_clear(&c.keys);
    free(c.waiting);
    free(c.head);
    free(c.tail);
    free(c.upper);
}
