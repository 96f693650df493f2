/*
 * Transaction coordinators under anything that producers, logs, leaders and networks can do, by
 * seed, against partitions that are modelled as plainly as can be.
 *
 *     producers, two to an id, each the zombie of the other
 *        │ InitProducerId, AddPartitionsToTxn, EndTxn, to whoever may coordinate
 *        ▼
 *     three coordinators ── appends ──► logs: written late, twice, lost, cut when leadership moves
 *        │ WriteTxnMarkers: late, twice in a row, lost, unanswered
 *        ▼
 *     partitions: who is open, since when, which epochs they have seen
 *
 * After every event: the blocks' own invariants. Always: a transaction ends the same way in every
 * partition, and as its producer was told; epochs that are given out ascend; who was fenced writes
 * no more. When the faults stop, nothing stays open.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <check.h>

#include "broker/replicas.h"
#include "broker/transactions.h"
#include "wire/errors.h"
#include "wire/messages.h"
#include "wire/schema.h"

enum {
    NODES = 3,
    LOGS = 2,
    IDS = 4,
    CLIENTS = 2 * IDS,
    PARTITIONS = 5,
    TAGS = 1 << 14,
    CALLS_MAX = 1 << 16,
    EVENTS = 6000,
    TIMEOUT_MS = 20000
};

/* ---- the world ---- */

struct log_entry {
    uint8_t key[64], value[512];
    int32_t key_size, value_size;
    bool durable;
};
struct append {
    int node, life;
    uint64_t id;
    int32_t log, error; /* error: what it ends with, at the latest when leadership has moved */
    uint32_t entry;     /* + 1; 0: not in the log */
    int32_t epoch;
};
struct markers {
    int node, life;
    uint64_t correlation;
    struct wire_write_txn_markers_request *request; /* owned */
};
struct node {
    struct kb_txns *x;
    void *scratch;
    int64_t timer_us;
    int life;
    bool leads[LOGS], loads[LOGS]; /* as it believes */
    int32_t epoch[LOGS];
};
enum client_state { NEEDS_ID, READY, OPEN, ENDS };
struct client {
    int id;
    enum client_state state;
    int64_t producer_id;
    int16_t epoch;
    uint64_t call; /* under way */
    int since;     /* event of the call */
    int32_t met;   /* the latest epoch of a coordinator that was asked */
    uint32_t tag, added, asked;
    bool commit;
};
struct partition {
    struct {
        int64_t producer_id;
        int16_t epoch;
        int32_t coordinator_epoch;
        uint32_t tag; /* open; 0: not */
    } of[256];
    int count;
};
enum outcome { UNKNOWN, COMMITTED, ABORTED };

struct world {
    uint64_t seed;
    int64_t now_us;
    struct node node[NODES];
    struct log_entry *log[LOGS];
    uint32_t log_count[LOGS], log_room[LOGS];
    int leader[LOGS];
    int32_t epoch[LOGS];
    struct append *appends;
    struct markers *markers;
    uint32_t append_count, marker_count;
    struct client client[CLIENTS];
    struct partition partition[PARTITIONS];
    uint8_t outcome[TAGS], told[TAGS];
    uint32_t tags;
    uint64_t calls;
    struct {
        int16_t api;
        int32_t error;
        int64_t producer_id;
        int16_t epoch;
        int id;
        bool is_done;
    } answer[CALLS_MAX];
    int64_t next_id;
    struct {
        int64_t producer_id;
        int16_t epoch;
    } best[IDS];
    bool is_calm;
    int event;
    uint32_t seen[8]; /* what came to pass, so that it is known to */
};
enum {
    SEEN_COMMIT,
    SEEN_ABORT,
    SEEN_FENCED_WRITE,
    SEEN_FENCED_CALL,
    SEEN_MOVE,
    SEEN_CUT,
    SEEN_LOST
};

static uint32_t draw(struct world *w, uint32_t bound)
{
    w->seed = w->seed * 6364136223846793005u + 1442695040888963407u;
    return (uint32_t)(w->seed >> 33) % bound;
}
static bool chance(struct world *w, uint32_t percent)
{
    return !w->is_calm && draw(w, 100) < percent;
}

static const char *const names[IDS] = {"alpha", "beta", "gamma", "delta"};
static int32_t log_of(int id)
{
    return kb_coordinator_partition(names[id], LOGS);
}

/* ---- coordinators ---- */

struct context {
    struct world *w;
    int node;
};

static void *copy(const void *from, size_t size)
{
    void *to = malloc(size + 8);
    ck_assert(to != NULL);
    memcpy(to, from, size);
    return to;
}

static void on_append(struct world *w, int n, const struct kb_txns_output *o)
{
    const struct node *node = &w->node[n];
    int32_t log = o->partition;
    struct append a = {.node = n, .life = node->life, .id = o->append_id, .log = log};

    ck_assert_uint_eq(o->count, 1); /* nobody is forgotten in this time */
    a.epoch = w->epoch[log];
    if (w->leader[log] != n || node->epoch[log] != w->epoch[log]) {
        a.error = WIRE_ERROR_NOT_LEADER_OR_FOLLOWER;
    } else if (chance(w, 8)) {
        a.error = WIRE_ERROR_NOT_ENOUGH_REPLICAS;
    } else {
        for (int twice = chance(w, 5); twice >= 0; twice--) {
            if (w->log_count[log] == w->log_room[log]) {
                w->log_room[log] = w->log_room[log] * 2 + 64;
                w->log[log] = realloc(w->log[log], w->log_room[log] * sizeof *w->log[log]);
                ck_assert(w->log[log] != NULL);
            }
            struct log_entry *e = &w->log[log][w->log_count[log]++];
            e->key_size = o->records->key_size;
            e->value_size = o->records->value_size;
            e->durable = false;
            ck_assert_int_le(e->value_size, (int)sizeof e->value);
            memcpy(e->key, o->records->key, (size_t)e->key_size);
            memcpy(e->value, o->records->value, (size_t)e->value_size);
        }
        a.entry = w->log_count[log];
        a.error = chance(w, 8) ? WIRE_ERROR_NOT_ENOUGH_REPLICAS_AFTER_APPEND : 0;
    }
    w->appends = realloc(w->appends, (w->append_count + 1) * sizeof *w->appends);
    ck_assert(w->appends != NULL);
    w->appends[w->append_count++] = a;
}

static void on_answer(struct world *w, const struct kb_txns_output *o)
{
    ck_assert(!w->answer[o->call_id].is_done);
    w->answer[o->call_id].is_done = true;
    w->answer[o->call_id].api = o->api;
    if (o->api == WIRE_API_INIT_PRODUCER_ID) {
        const struct wire_init_producer_id_response *r = o->message;
        w->answer[o->call_id].error = r->error_code;
        w->answer[o->call_id].producer_id = r->producer_id;
        w->answer[o->call_id].epoch = r->producer_epoch;
        int id = w->answer[o->call_id].id;
        if (r->error_code == 0) {
            ck_assert_msg(w->best[id].producer_id != r->producer_id ||
                              w->best[id].epoch < r->producer_epoch,
                          "an epoch was given twice");
            w->best[id].producer_id = r->producer_id;
            w->best[id].epoch = r->producer_epoch;
        }
    } else if (o->api == WIRE_API_END_TXN) {
        w->answer[o->call_id].error =
            ((const struct wire_end_txn_response *)o->message)->error_code;
    } else {
        const struct wire_add_partitions_to_txn_response *r = o->message;
        const struct wire_add_partitions_to_txn_response_topic_result *t =
            WIRE_ITEMS(r, r->results, struct wire_add_partitions_to_txn_response_topic_result);
        w->answer[o->call_id].error =
            WIRE_ITEMS(r, t->results, struct wire_add_partitions_to_txn_response_partition_result)
                ->error_code;
    }
}

static void put(void *context, const struct kb_txns_output *o)
{
    struct context *c = context;
    struct world *w = c->w;

    switch ((enum kb_txns_output_kind)o->kind) {
    case KB_TXNS_OUT_ANSWER:
        on_answer(w, o);
        break;
    case KB_TXNS_OUT_APPEND:
        on_append(w, c->node, o);
        break;
    case KB_TXNS_OUT_MARKERS:
        w->markers = realloc(w->markers, (w->marker_count + 1) * sizeof *w->markers);
        ck_assert(w->markers != NULL);
        w->markers[w->marker_count++] = (struct markers){.node = c->node,
                                                         .life = w->node[c->node].life,
                                                         .correlation = o->correlation,
                                                         .request = copy(o->message, o->size)};
        break;
    case KB_TXNS_OUT_LOAD:
        w->node[c->node].loads[o->partition] = true;
        break;
    case KB_TXNS_OUT_TIMER:
        w->node[c->node].timer_us = o->due_us;
        break;
    }
}

/* The same throughout an event. */
static int32_t leader_of(void *context, const char *topic, int32_t partition)
{
    const struct context *c = context;
    const struct world *w = c->w;
    (void)topic;
    bool is_away = !w->is_calm && (w->event / 50 + partition) % 7 == 0;
    return is_away ? KB_TXNS_NO_LEADER : 1 + (partition + w->event / 300) % 3;
}

static void step(struct world *w, int n, struct kb_txns_input in)
{
    struct node *node = &w->node[n];
    struct context c = {w, n};

    in.wall_ms = 1600000000000 + w->now_us / 1000;
    in.producer_id = w->next_id;
    for (;;) {
        struct kb_txns_outputs out = {
            .put = put, .leader_of = leader_of, .context = &c, .scratch = node->scratch};
        if (kb_txns_step(node->x, w->now_us, &in, &out) == SM_ERR_OK) {
            w->next_id += out.took_id;
            break;
        }
        struct kb_txns_limits l = kb_txns_limits_above(kb_txns_limits(node->x), out.short_of);
        struct kb_txns *to = malloc(kb_txns_size(&l));
        ck_assert(to != NULL);
        kb_txns_grow(node->x, to, &l);
        free(node->x);
        free(node->scratch);
        node->x = to;
        node->scratch = malloc(kb_txns_scratch_size(&l));
        ck_assert(node->scratch != NULL);
    }
    kb_txns_check(node->x);
}

static void start(struct world *w, int n)
{
    struct kb_txns_limits l = kb_txns_limits_default();
    struct kb_txns_config config = kb_txns_config_default();
    struct node *node = &w->node[n];

    l.partitions = LOGS;
    l.transactions = l.topics = l.parts = l.appends = l.brokers = 1;
    free(node->x);
    free(node->scratch);
    *node = (struct node){.timer_us = -1, .life = node->life + 1};
    node->x = malloc(kb_txns_size(&l));
    node->scratch = malloc(kb_txns_scratch_size(&l));
    ck_assert(node->x != NULL && node->scratch != NULL);
    kb_txns_init(node->x, &l, &config);
    step(w, n, (struct kb_txns_input){.kind = KB_TXNS_START});
}

/* ---- logs and their leaders ---- */

static void elect(struct world *w, int32_t log, int n)
{
    int old = w->leader[log];
    uint32_t keep = 0;

    while (keep < w->log_count[log] && w->log[log][keep].durable) {
        keep++;
    }
    /* Of what was not acknowledged, as much as chance leaves. */
    uint32_t loose = w->log_count[log] - keep;
    uint32_t left = loose == 0 ? 0 : draw(w, loose + 1);
    w->seen[SEEN_CUT] += left < loose;
    w->log_count[log] = keep + left;
    for (uint32_t i = keep; i < w->log_count[log]; i++) {
        w->log[log][i].durable = true;
    }
    w->leader[log] = n;
    w->epoch[log]++;
    w->seen[SEEN_MOVE]++;
    for (uint32_t i = 0; i < w->append_count; i++) {
        struct append *a = &w->appends[i];
        if (a->log == log && a->epoch < w->epoch[log] && a->entry > 0) {
            a->error = WIRE_ERROR_NOT_LEADER_OR_FOLLOWER;
            a->entry = 0;
        }
    }
    if (old != n && chance(w, 50) && w->node[old].leads[log]) { /* else it learns later */
        w->node[old].leads[log] = w->node[old].loads[log] = false;
        step(w, old,
             (struct kb_txns_input){
                 .kind = KB_TXNS_RESIGNED, .partition = log, .epoch = w->epoch[log]});
    }
    w->node[n].leads[log] = true;
    w->node[n].epoch[log] = w->epoch[log];
    step(w, n,
         (struct kb_txns_input){.kind = KB_TXNS_ELECTED, .partition = log, .epoch = w->epoch[log]});
}

static void load(struct world *w, int n, int32_t log)
{
    for (uint32_t i = 0; i < w->log_count[log]; i++) {
        const struct log_entry *e = &w->log[log][i];
        struct kb_log_record r = {e->key, e->value, e->key_size, e->value_size};
        struct kb_log_batch b = {.base_offset = i, .producer_id = -1, .count = 1, .records = &r};
        step(w, n,
             (struct kb_txns_input){
                 .kind = KB_TXNS_LOAD, .partition = log, .batches = &b, .count = 1});
    }
    w->node[n].loads[log] = false;
    step(w, n, (struct kb_txns_input){.kind = KB_TXNS_LOADED, .partition = log});
}

/* Believers that are no leaders learn it; leaders read their logs. */
static void lead(struct world *w)
{
    int n = (int)draw(w, NODES);
    int32_t log = (int32_t)draw(w, LOGS);
    struct node *node = &w->node[n];

    if (node->leads[log] && w->leader[log] != n) {
        node->leads[log] = node->loads[log] = false;
        step(w, n,
             (struct kb_txns_input){
                 .kind = KB_TXNS_RESIGNED, .partition = log, .epoch = w->epoch[log]});
    } else if (node->loads[log] && w->leader[log] == n) {
        load(w, n, log);
    }
}

static void end_append(struct world *w)
{
    if (w->append_count == 0) {
        return;
    }
    uint32_t i = draw(w, w->append_count);
    struct append a = w->appends[i];
    /* A log is acknowledged in its order. */
    for (uint32_t k = 0; k < w->append_count; k++) {
        const struct append *b = &w->appends[k];
        if (b->log == a.log && b->entry > 0 && a.entry > 0 && b->entry < a.entry) {
            i = k;
            a = *b;
        }
    }
    w->appends[i] = w->appends[--w->append_count];
    for (uint32_t k = 0; k < a.entry; k++) {
        w->log[a.log][k].durable = true;
    }
    if (w->node[a.node].life == a.life) {
        step(w, a.node,
             (struct kb_txns_input){.kind = KB_TXNS_APPENDED, .append_id = a.id, .error = a.error});
    }
}

/* ---- partitions ---- */

static int producer_at(struct partition *p, int64_t id)
{
    for (int i = 0; i < p->count; i++) {
        if (p->of[i].producer_id == id) {
            return i;
        }
    }
    ck_assert_int_lt(p->count, 256);
    p->of[p->count].producer_id = id;
    p->of[p->count].epoch = -1;
    p->of[p->count].coordinator_epoch = -1;
    return p->count++;
}

static void settle(struct world *w, uint32_t tag, enum outcome outcome)
{
    ck_assert_msg(w->outcome[tag] == UNKNOWN || w->outcome[tag] == outcome,
                  "transaction %u ended both ways", tag);
    ck_assert_msg(w->told[tag] == UNKNOWN || w->told[tag] == outcome,
                  "transaction %u ended otherwise than was told", tag);
    w->outcome[tag] = (uint8_t)outcome;
    w->seen[outcome == COMMITTED ? SEEN_COMMIT : SEEN_ABORT]++;
}

static int32_t write_marker(struct world *w, const struct wire_write_txn_markers_request_marker *m,
                            int32_t partition)
{
    struct partition *p = &w->partition[partition];
    int i = producer_at(p, m->producer_id);

    if (m->producer_epoch < p->of[i].epoch) {
        return WIRE_ERROR_INVALID_PRODUCER_EPOCH;
    }
    if (m->coordinator_epoch < p->of[i].coordinator_epoch) {
        return WIRE_ERROR_TRANSACTION_COORDINATOR_FENCED;
    }
    p->of[i].epoch = m->producer_epoch;
    p->of[i].coordinator_epoch = m->coordinator_epoch;
    if (p->of[i].tag != 0) {
        settle(w, p->of[i].tag, m->transaction_result ? COMMITTED : ABORTED);
        p->of[i].tag = 0;
    }
    return 0;
}

/* Twice means one behind the other. A request that came again when the next transaction of the same
   epoch is open would end that one: Kafka 2.8 has nothing against it (KIP-890 has), but for the
   order of a connection.
   Writes the markers of a request and builds the answer. Some partitions may refuse. */
static size_t write_markers(struct world *w, const struct wire_write_txn_markers_request *r,
                            void *bytes, size_t room)
{
    const struct wire_write_txn_markers_request_marker *m =
        WIRE_ITEMS(r, r->markers, struct wire_write_txn_markers_request_marker);
    struct wire_flat f;
    struct wire_write_txn_markers_response *out = wire_flat_begin(&f, bytes, room, sizeof *out);

    out->markers = wire_flat_array(&f, r->markers.count,
                                   sizeof(struct wire_write_txn_markers_response_marker));
    for (int32_t i = 0; i < out->markers.count; i++) {
        struct wire_write_txn_markers_response_marker *to = wire_flat_at(&f, out->markers.at);
        const struct wire_write_txn_markers_request_topic *topics =
            WIRE_ITEMS(r, m[i].topics, struct wire_write_txn_markers_request_topic);
        ck_assert_int_eq(m[i].topics.count, 1);
        const int32_t *ids = WIRE_ITEMS(r, topics->partition_indexes, int32_t);
        to[i].producer_id = m[i].producer_id;
        to[i].topics = wire_flat_array(&f, 1, sizeof(struct wire_write_txn_markers_response_topic));
        struct wire_write_txn_markers_response_topic *t = wire_flat_at(&f, to[i].topics.at);
        t->name = wire_flat_string(&f, "a");
        t->partitions = wire_flat_array(&f, topics->partition_indexes.count,
                                        sizeof(struct wire_write_txn_markers_response_partition));
        struct wire_write_txn_markers_response_partition *p = wire_flat_at(&f, t->partitions.at);
        for (int32_t k = 0; k < t->partitions.count; k++) {
            p[k].partition_index = ids[k];
            p[k].error_code = (int16_t)(chance(w, 15) ? WIRE_ERROR_NOT_LEADER_OR_FOLLOWER
                                                      : write_marker(w, &m[i], ids[k]));
        }
    }
    return wire_flat_end(&f);
}

static void deliver_markers(struct world *w)
{
    _Alignas(8) static uint8_t bytes[1 << 16];
    if (w->marker_count == 0) {
        return;
    }
    uint32_t i = draw(w, w->marker_count);
    struct markers q = w->markers[i];
    bool is_twice = chance(w, 10), is_lost = chance(w, 10), is_unheard = chance(w, 10);
    struct kb_txns_input in = {.kind = KB_TXNS_SEND_FAILED, .correlation = q.correlation};

    if (!is_lost && is_twice) {
        write_markers(w, q.request, bytes, sizeof bytes);
    }
    if (!is_lost) {
        size_t size = write_markers(w, q.request, bytes, sizeof bytes);
        ck_assert_uint_gt(size, 0);
        if (!is_unheard) {
            in.kind = KB_TXNS_ANSWERED;
            in.message = bytes;
            in.message_size = (uint32_t)size;
        }
    }
    w->seen[SEEN_LOST] += is_lost || is_unheard;
    w->markers[i] = w->markers[--w->marker_count];
    free(q.request);
    if (w->node[q.node].life == q.life) {
        step(w, q.node, in);
    }
}

/* ---- producers ---- */

struct builder {
    _Alignas(8) uint8_t bytes[2048];
    struct wire_flat f;
};
#define BEGIN(b, type) wire_flat_begin(&(b)->f, (b)->bytes, sizeof(b)->bytes, sizeof(struct type))

static void call(struct world *w, struct client *c, struct builder *b, int16_t api)
{
    int32_t log = log_of(c->id);
    int n = chance(w, 15) ? (int)draw(w, NODES) : w->leader[log];
    size_t size = wire_flat_end(&b->f);

    /* Nobody goes back to a coordinator of before: one that does not know yet that it is none would
       say "is in already" of partitions out of its memory, with no record written. */
    if (w->node[n].leads[log] && w->node[n].epoch[log] < c->met) {
        n = w->leader[log];
    }
    c->met = w->node[n].leads[log] ? w->node[n].epoch[log] : c->met;
    ck_assert_uint_gt(size, 0);
    ck_assert_uint_lt(w->calls + 1, CALLS_MAX);
    c->call = ++w->calls;
    w->answer[c->call].id = c->id;
    c->since = w->event;
    step(w, n,
         (struct kb_txns_input){.kind = KB_TXNS_REQUEST,
                                .call_id = c->call,
                                .api = api,
                                .version = api == WIRE_API_INIT_PRODUCER_ID ? 4 : 2,
                                .message = b->bytes,
                                .message_size = (uint32_t)size});
}

static void ask_id(struct world *w, struct client *c)
{
    struct builder b;
    struct wire_init_producer_id_request *r = BEGIN(&b, wire_init_producer_id_request);
    r->transactional_id = wire_flat_string(&b.f, names[c->id]);
    r->transaction_timeout_ms = TIMEOUT_MS;
    r->producer_id = -1;
    r->producer_epoch = -1;
    call(w, c, &b, WIRE_API_INIT_PRODUCER_ID);
}

static void ask_add(struct world *w, struct client *c)
{
    struct builder b;
    struct wire_add_partitions_to_txn_request *r = BEGIN(&b, wire_add_partitions_to_txn_request);
    int32_t ids[PARTITIONS], count = 0;
    c->asked = c->asked == 0 ? 1 + draw(w, (1u << PARTITIONS) - 1) : c->asked;
    for (int32_t i = 0; i < PARTITIONS; i++) {
        if ((c->asked >> i & 1) != 0) {
            ids[count++] = i;
        }
    }
    r->transactional_id = wire_flat_string(&b.f, names[c->id]);
    r->producer_id = c->producer_id;
    r->producer_epoch = c->epoch;
    r->topics = wire_flat_array(&b.f, 1, sizeof(struct wire_add_partitions_to_txn_request_topic));
    struct wire_add_partitions_to_txn_request_topic *t = wire_flat_at(&b.f, r->topics.at);
    t->name = wire_flat_string(&b.f, "a");
    t->partitions = wire_flat_ids(&b.f, ids, count);
    call(w, c, &b, WIRE_API_ADD_PARTITIONS_TO_TXN);
}

static void ask_end(struct world *w, struct client *c)
{
    struct builder b;
    struct wire_end_txn_request *r = BEGIN(&b, wire_end_txn_request);
    r->transactional_id = wire_flat_string(&b.f, names[c->id]);
    r->producer_id = c->producer_id;
    r->producer_epoch = c->epoch;
    r->committed = c->commit;
    call(w, c, &b, WIRE_API_END_TXN);
}

static void new_tag(struct world *w, struct client *c)
{
    ck_assert_uint_lt(w->tags + 1, TAGS);
    c->tag = ++w->tags;
    c->added = c->asked = 0;
}

static bool is_fenced(const struct world *w, const struct client *c)
{
    return w->best[c->id].producer_id == c->producer_id && w->best[c->id].epoch > c->epoch;
}

static void write_data(struct world *w, struct client *c)
{
    int32_t partition = (int32_t)draw(w, PARTITIONS);
    if ((c->added >> partition & 1) == 0) {
        return;
    }
    struct partition *p = &w->partition[partition];
    int i = producer_at(p, c->producer_id);
    if (c->epoch < p->of[i].epoch) {
        w->seen[SEEN_FENCED_WRITE]++;
        c->state = NEEDS_ID;
        return;
    }
    ck_assert_msg(!is_fenced(w, c), "a fenced producer writes");
    ck_assert_msg(p->of[i].tag == 0 || p->of[i].tag == c->tag, "two transactions in one");
    ck_assert_msg(w->outcome[c->tag] != COMMITTED, "a transaction goes on after its commit");
    p->of[i].epoch = c->epoch;
    p->of[i].tag = c->tag;
}

static void on_id(struct world *w, struct client *c, uint64_t done)
{
    int64_t producer_id = w->answer[done].producer_id;
    int16_t epoch = w->answer[done].epoch;

    c->producer_id = producer_id;
    c->epoch = epoch;
    c->state = READY;
    new_tag(w, c);
}

static void on_done(struct world *w, struct client *c)
{
    uint64_t done = c->call;
    int32_t error = w->answer[done].error;

    c->call = 0;
    if (error == WIRE_ERROR_PRODUCER_FENCED || error == WIRE_ERROR_INVALID_PRODUCER_ID_MAPPING) {
        w->seen[SEEN_FENCED_CALL]++;
        c->state = NEEDS_ID;
        return;
    }
    ck_assert_msg(error != WIRE_ERROR_INVALID_TXN_STATE, "a producer that keeps to the rules");
    if (error != 0) {
        return; /* the same again */
    }
    switch (c->state) {
    case NEEDS_ID:
        on_id(w, c, done);
        break;
    case READY:
        c->added = c->asked;
        c->state = OPEN;
        break;
    case OPEN:
        break;
    case ENDS:
        ck_assert(w->outcome[c->tag] == UNKNOWN ||
                  w->outcome[c->tag] == (c->commit ? COMMITTED : ABORTED));
        w->told[c->tag] = c->commit ? COMMITTED : ABORTED;
        c->state = READY;
        new_tag(w, c);
        break;
    }
}

static void act(struct world *w, struct client *c)
{
    if (c->call != 0 && w->answer[c->call].is_done) {
        on_done(w, c);
        return;
    }
    if (c->call != 0 && w->event - c->since < 400) {
        return; /* it waits */
    }
    if (c->state == NEEDS_ID) {
        if (draw(w, 10) == 0) {
            ask_id(w, c);
        }
    } else if (c->state == READY) {
        ask_add(w, c);
    } else if (c->state == OPEN) {
        if (draw(w, 10) < 7) {
            write_data(w, c);
        } else if (draw(w, 10) != 0) { /* else it is silent for a while */
            c->commit = draw(w, 10) < 7;
            c->state = ENDS;
        }
    } else {
        ask_end(w, c);
    }
}

/* ---- the run ---- */

static void pass(struct world *w)
{
    w->now_us += draw(w, 300000);
    for (int n = 0; n < NODES; n++) {
        if (w->node[n].timer_us >= 0 && w->node[n].timer_us <= w->now_us) {
            w->node[n].timer_us = -1;
            step(w, n, (struct kb_txns_input){.kind = KB_TXNS_TIMER});
        }
    }
}

static void crash(struct world *w)
{
    int n = (int)draw(w, NODES);
    start(w, n);
    for (int32_t log = 0; log < LOGS; log++) {
        if (w->leader[log] == n) {
            elect(w, log, (n + 1 + (int)draw(w, NODES - 1)) % NODES);
        }
    }
}

static void one_event(struct world *w)
{
    uint32_t what = draw(w, 100);

    w->event++;
    if (what < 45) {
        act(w, &w->client[draw(w, CLIENTS)]);
    } else if (what < 65) {
        end_append(w);
    } else if (what < 80) {
        deliver_markers(w);
    } else if (what < 90) {
        lead(w);
    } else if (what < 95) {
        pass(w);
    } else if (what < 98) {
        int n = (int)draw(w, NODES);
        step(w, n, (struct kb_txns_input){.kind = KB_TXNS_METADATA});
    } else if (what == 98 && chance(w, 40)) {
        elect(w, (int32_t)draw(w, LOGS), (int)draw(w, NODES));
    } else if (what == 99 && chance(w, 20)) {
        crash(w);
    }
}

/* No more faults, no new transactions: all that is open ends, by its producer or by time. */
static void heal(struct world *w)
{
    w->is_calm = true;
    for (int32_t log = 0; log < LOGS && w->seed % 2 == 0; log++) {
        elect(w, log, w->leader[log]); /* nothing may need it */
    }
    for (int i = 0; i < 4000; i++) {
        w->event++;
        lead(w);
        end_append(w);
        deliver_markers(w);
        step(w, (int)draw(w, NODES), (struct kb_txns_input){.kind = KB_TXNS_METADATA});
        pass(w);
    }
    for (int n = 0; n < NODES; n++) {
        struct kb_txn_view v;
        for (uint32_t at = 0; kb_txns_next(w->node[n].x, &at, &v);) {
            ck_assert_msg(v.pending < 0 && v.parts == 0, "%s is still %s", v.id,
                          kb_txn_state_name((enum kb_txn_state)v.state));
        }
    }
    for (int i = 0; i < PARTITIONS; i++) {
        for (int k = 0; k < w->partition[i].count; k++) {
            ck_assert_msg(w->partition[i].of[k].tag == 0, "a transaction stays open");
        }
    }
}

static void free_world(struct world *w)
{
    for (int n = 0; n < NODES; n++) {
        free(w->node[n].x);
        free(w->node[n].scratch);
    }
    for (int i = 0; i < LOGS; i++) {
        free(w->log[i]);
    }
    for (uint32_t i = 0; i < w->marker_count; i++) {
        free(w->markers[i].request);
    }
    free(w->markers);
    free(w->appends);
    free(w);
}

static uint32_t total[8];

static void play(uint64_t seed)
{
    struct world *w = calloc(1, sizeof *w);

    ck_assert(w != NULL);
    w->seed = seed * 0x9e3779b97f4a7c15u + 1;
    w->next_id = 1000;
    for (int n = 0; n < NODES; n++) {
        start(w, n);
    }
    for (int i = 0; i < CLIENTS; i++) {
        w->client[i] = (struct client){.id = i / 2};
    }
    for (int32_t log = 0; log < LOGS; log++) {
        elect(w, log, log);
    }
    for (int i = 0; i < EVENTS; i++) {
        one_event(w);
    }
    heal(w);
    for (size_t i = 0; i < 8; i++) {
        total[i] += w->seen[i];
    }
    free_world(w);
}

START_TEST(whatever_happens_a_transaction_ends_one_way)
{
    const char *runs = getenv("KC_RUNS"), *first = getenv("KC_SEED");
    uint64_t count = runs == NULL ? 40 : strtoull(runs, NULL, 10);
    uint64_t from = first == NULL ? 1 : strtoull(first, NULL, 10);

    for (uint64_t seed = from; seed < from + count; seed++) {
        if (first != NULL || runs != NULL)
            fprintf(stderr, "seed %llu\n", (unsigned long long)seed);
        play(seed);
    }
    if (first == NULL) {
        for (int i = SEEN_COMMIT; i <= SEEN_LOST; i++) {
            ck_assert_msg(total[i] > 0, "what is number %d in the list was never seen", i);
        }
    }
}
END_TEST

int main(void)
{
    Suite *s = suite_create("transactions by chance");
    TCase *tc = tcase_create("chance");
    tcase_set_timeout(tc, 0);
    tcase_add_test(tc, whatever_happens_a_transaction_ends_one_way);
    suite_add_tcase(s, tc);
    SRunner *r = srunner_create(s);
    srunner_run_all(r, CK_NORMAL);
    int failed = srunner_ntests_failed(r);
    srunner_free(r);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
