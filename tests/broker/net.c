/*
 * The desk of net.h: one heap of events, everything copied on its way.
 */
#include "tests/broker/net.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "statemachine/znode.h"
#include "zookeeper/server.h"

enum { LATENCY_US = 1000, ACKED_MAX = 1 << 16, PARTITIONS_MAX = 64 };

enum event_kind { EV_INPUT, EV_REQUEST, EV_ANSWER, EV_ZK, EV_TIMER };

struct event {
    int64_t at;
    uint64_t seq;
    int kind, to, from;
    uint32_t life, from_life;
    struct kb_input in;
    void *owned[4]; /* freed with the event */
    uint64_t call;
};

struct machine {
    struct kb_replicas *r;
    struct kb_config config;
    bool alive;
    uint32_t life;
    int64_t broker_epoch, stamp;
    bool held;
    struct event *queue; /* held control requests, in order */
    uint32_t queued;
    int64_t timer[256];
    int64_t channel[NET_BROKERS + 2]; /* last arrival, by sender */
    bool cut[NET_BROKERS + 1];
};

struct call {
    int from, to;
    uint32_t from_life, to_life;
    uint64_t correlation;
    uint32_t kind;
    char topic[32];
    int32_t partition;
    uint64_t payload; /* produced with acks = -1 */
    struct net_call result;
};

struct acked {
    char topic[32];
    int32_t partition;
    int64_t offset;
    uint64_t payload;
};

struct partition {
    char topic[32];
    int32_t partition;
    struct sm_list replicas;
    int32_t hw_epoch[NET_BROKERS + 1];
    int64_t hw[NET_BROKERS + 1];
};

struct net {
    int count;
    struct machine m[NET_BROKERS + 1];
    struct kz_server *z;
    void *zk_scratch;
    size_t zk_scratch_size;
    struct event *heap;
    uint32_t heap_count, heap_max;
    int64_t now;
    uint64_t seq, events, random;
    struct call *calls;
    uint64_t call_count, call_max;
    struct acked *acked;
    uint32_t acked_count;
    struct partition part[PARTITIONS_MAX];
    int part_count;
    int32_t controller_epoch;
    int64_t next_broker_epoch;
    bool lose_isr_reply, check_acked, diverges;
    int64_t references;
    uint64_t batch_id;
    uint64_t facts[32];
    uint64_t looked_at[PARTITIONS_MAX]; /* what a partition looked like when it was checked */
    int stepped;                        /* the broker that this event went to */
    int zk_to;                          /* whose request is in work */
};

static const char *const interned[] = {"t", "u", "v", "__consumer_offsets"};

static const char *intern(const char *topic)
{
    for (size_t i = 0; i < sizeof interned / sizeof *interned; i++) {
        if (strcmp(interned[i], topic) == 0) {
            return interned[i];
        }
    }
    ck_abort_msg("a topic that net.c does not know: %s", topic);
    return NULL;
}

static uint64_t draw(struct net *n)
{
    n->random ^= n->random << 13;
    n->random ^= n->random >> 7;
    n->random ^= n->random << 17;
    return n->random;
}

static void *copy(const void *bytes, size_t size)
{
    void *p = calloc(1, size == 0 ? 1 : size);
    if (size != 0) {
        memcpy(p, bytes, size);
    }
    return p;
}

static struct sm_list list_of(const char *text)
{
    struct sm_list list = {0};
    while (*text != '\0') {
        char *end;
        list.id[list.count++] = (int32_t)strtol(text, &end, 10);
        text = *end == ',' ? end + 1 : end;
    }
    return list;
}

/* ---- the heap ---- */

static bool before(const struct event *a, const struct event *b)
{
    return a->at != b->at ? a->at < b->at : a->seq < b->seq;
}

static void heap_push(struct net *n, const struct event *e)
{
    uint32_t at = n->heap_count++;
    if (n->heap_count > n->heap_max) {
        n->heap_max = n->heap_max == 0 ? 256 : n->heap_max * 2;
        n->heap = realloc(n->heap, n->heap_max * sizeof *n->heap);
    }
    while (at > 0 && before(e, &n->heap[(at - 1) / 2])) {
        n->heap[at] = n->heap[(at - 1) / 2];
        at = (at - 1) / 2;
    }
    n->heap[at] = *e;
}

static struct event heap_pop(struct net *n)
{
    struct event top = n->heap[0], last = n->heap[--n->heap_count];
    uint32_t at = 0;
    for (;;) {
        uint32_t child = 2 * at + 1;
        if (child + 1 < n->heap_count && before(&n->heap[child + 1], &n->heap[child])) {
            child++;
        }
        if (child >= n->heap_count || !before(&n->heap[child], &last)) {
            break;
        }
        n->heap[at] = n->heap[child];
        at = child;
    }
    n->heap[at] = last;
    return top;
}

static void event_free(struct event *e)
{
    for (int i = 0; i < 4; i++) {
        free(e->owned[i]);
    }
}

/* Keeps the order of each channel: from broker (0: the rest) to broker (0: ZooKeeper). */
static void post(struct net *n, struct event *e)
{
    int64_t latency = n->random == 0 ? LATENCY_US : 200 + (int64_t)(draw(n) % 7800);
    int64_t *last = &n->m[e->to].channel[e->from < 0 ? NET_BROKERS + 1 : e->from];
    e->at = n->now + latency;
    e->at = e->at < *last ? *last : e->at;
    *last = e->at;
    e->seq = n->seq++;
    heap_push(n, e);
}

/* ---- brokers step ---- */

static void put(void *context, const struct kb_output *o);
struct putting {
    struct net *n;
    int broker;
};

static void grow(struct kb_replicas **r, const char *short_of, int64_t now)
{
    struct kb_limits l = *kb_replicas_limits(*r);
#define FIELD(name)                                                                                \
    if (strcmp(short_of, #name) == 0) {                                                            \
        l.name = l.name * 2 + 1;                                                                   \
    }
    FIELD(topics)
    FIELD(partitions)
    FIELD(replicas)
    FIELD(topic_name)
    FIELD(batches)
    FIELD(epochs)
    FIELD(producers) FIELD(transactions) FIELD(waits) FIELD(operations) FIELD(fetchers)
        FIELD(sessions) FIELD(live) FIELD(scratch_bytes)
#undef FIELD
            struct kb_replicas *grown = aligned_alloc(8, kb_replicas_size(&l));
    uint64_t digest = kb_replicas_digest(*r, now);
    kb_replicas_grow(*r, grown, &l);
    ck_assert_uint_eq(kb_replicas_digest(grown, now), digest);
    kb_replicas_check(grown);
    free(*r);
    *r = grown;
}

static void step(struct net *n, int broker, const struct kb_input *in)
{
    struct machine *m = &n->m[broker];
    struct putting p = {n, broker};
    struct kb_outputs out = {.put = put, .context = &p};
    if (in->kind != KB_IN_TOPIC_CONFIG && !m->alive) {
        return;
    }
    n->stepped = broker;
    while (kb_replicas_step(m->r, n->now, in, &out) == SM_ERR_LIMIT) {
        grow(&m->r, out.short_of, n->now);
    }
}

static uint64_t call_new(struct net *n, int from, int to, uint32_t kind, uint64_t correlation)
{
    if (n->call_count + 1 >= n->call_max) {
        n->call_max = n->call_max == 0 ? 1024 : n->call_max * 2;
        n->calls = realloc(n->calls, n->call_max * sizeof *n->calls);
    }
    n->calls[++n->call_count] = (struct call){.from = from,
                                              .to = to,
                                              .from_life = n->m[from].life,
                                              .to_life = n->m[to].life,
                                              .correlation = correlation,
                                              .kind = kind};
    return n->call_count;
}

/* ---- outputs ---- */

static void post_request(struct net *n, int from, const struct kb_output *o)
{
    struct event e = {.kind = EV_REQUEST, .to = o->broker_id, .from = from};
    e.from_life = n->m[from].life;
    e.in.correlation = o->correlation;
    e.in.replica_id = from;
    if (o->kind == KB_OUT_FETCH) {
        struct kb_fetch fetch = *(const struct kb_fetch *)o->request;
        struct kb_fetch_item *items = copy(fetch.items, fetch.count * sizeof *items);
        struct kb_partition_name *names =
            copy(fetch.forgotten, fetch.forgotten_count * sizeof *names);
        for (uint32_t i = 0; i < fetch.count; i++) {
            items[i].topic = intern(items[i].topic);
        }
        for (uint32_t i = 0; i < fetch.forgotten_count; i++) {
            names[i].topic = intern(names[i].topic);
        }
        fetch.items = e.owned[1] = items;
        fetch.forgotten = e.owned[2] = names;
        e.in.kind = KB_IN_FETCH;
        e.in.request = e.owned[0] = copy(&fetch, sizeof fetch);
    } else if (o->kind == KB_OUT_EPOCHS) {
        struct kb_epochs_item *items = copy(o->items, o->count * sizeof *items);
        for (uint32_t i = 0; i < o->count; i++) {
            items[i].topic = intern(items[i].topic);
        }
        e.in.kind = KB_IN_EPOCHS;
        e.in.items = e.owned[0] = items;
        e.in.count = o->count;
    } else {
        struct kb_offsets_item *items = copy(o->items, o->count * sizeof *items);
        for (uint32_t i = 0; i < o->count; i++) {
            items[i].topic = intern(items[i].topic);
        }
        e.in.kind = KB_IN_OFFSETS;
        e.in.items = e.owned[0] = items;
        e.in.count = o->count;
    }
    post(n, &e);
}

static void post_fetch_answer(struct net *n, const struct call *call, const struct kb_output *o)
{
    struct event e = {.kind = EV_ANSWER, .to = call->from, .from = call->to};
    struct kb_fetch_result *items = copy(o->items, o->count * sizeof *items);
    size_t batches = 0, at = 0;
    for (uint32_t i = 0; i < o->count; i++) {
        batches += items[i].batch_count;
    }
    struct kb_batch *all = calloc(batches + 1, sizeof *all);
    for (uint32_t i = 0; i < o->count; i++) {
        items[i].topic = intern(items[i].topic);
        if (items[i].batch_count > 0) {
            memcpy(&all[at], items[i].batches, items[i].batch_count * sizeof *all);
        }
        items[i].batches = &all[at];
        at += items[i].batch_count;
    }
    e.life = call->from_life;
    e.in = (struct kb_input){.kind = KB_IN_FETCH_ANSWER,
                             .broker_id = call->to,
                             .correlation = call->correlation,
                             .error = o->error,
                             .session_id = o->session_id,
                             .items = items,
                             .count = o->count};
    e.owned[0] = items;
    e.owned[1] = all;
    post(n, &e);
}

static void post_items_answer(struct net *n, const struct call *call, const struct kb_output *o,
                              uint32_t kind, size_t size)
{
    struct event e = {.kind = EV_ANSWER, .to = call->from, .from = call->to};
    e.life = call->from_life;
    e.owned[0] = copy(o->items, o->count * size);
    for (uint32_t i = 0; i < o->count; i++) {
        const char **topic = (const char **)((uint8_t *)e.owned[0] + i * size); /* first field */
        *topic = intern(*topic);
    }
    e.in = (struct kb_input){.kind = kind,
                             .broker_id = call->to,
                             .correlation = call->correlation,
                             .items = e.owned[0],
                             .count = o->count};
    post(n, &e);
}

static void note_acked(struct net *n, const struct call *call)
{
    struct acked *a = &n->acked[n->acked_count++];
    ck_assert_uint_lt(n->acked_count, ACKED_MAX);
    snprintf(a->topic, sizeof a->topic, "%s", call->topic);
    a->partition = call->partition;
    a->offset = call->result.offset;
    a->payload = call->payload;
}

static void client_produced(struct net *n, struct call *call, const struct kb_output *o)
{
    const struct kb_produce_result *r = o->items;
    call->result.error = r->error;
    call->result.offset = r->base_offset;
    if (r->error == 0 && call->payload != 0) {
        note_acked(n, call);
    }
}

static void client_fetched(struct call *call, const struct kb_output *o)
{
    const struct kb_fetch_result *r = o->items;
    if (o->count == 0) {
        call->result.error = o->error;
        return;
    }
    call->result.error = r->error;
    call->result.offset = r->hw;
    call->result.last_stable = r->last_stable;
    call->result.aborted = r->aborted_count;
    call->result.count = r->batch_count;
    for (uint32_t i = 0; i < r->batch_count && i < 64; i++) {
        call->result.payload[i] = r->batches[i].payload;
    }
}

static void answered(struct net *n, const struct kb_output *o)
{
    struct call *call = &n->calls[o->call_id];
    call->result.done = true;
    call->result.count = o->count;
    if (o->kind == KB_OUT_CLOSE) {
        call->result.closed = true;
    } else if (o->kind == KB_OUT_CONTROL_ANSWER) {
        call->result.count = o->answer->count;
        call->result.error = o->answer->error != 0  ? o->answer->error
                             : o->answer->count > 0 ? o->answer->items[0].error
                                                    : 0;
    } else if (o->kind == KB_OUT_PRODUCE_ANSWER) {
        client_produced(n, call, o);
    } else if (o->kind == KB_OUT_FETCH_ANSWER) {
        call->from != 0 ? post_fetch_answer(n, call, o) : client_fetched(call, o);
    } else if (o->kind == KB_OUT_EPOCHS_ANSWER) {
        post_items_answer(n, call, o, KB_IN_EPOCHS_ANSWER, sizeof(struct kb_epochs_result));
    } else if (o->kind == KB_OUT_OFFSETS_ANSWER && call->from != 0) {
        post_items_answer(n, call, o, KB_IN_OFFSETS_ANSWER, sizeof(struct kb_offsets_result));
    } else if (o->kind == KB_OUT_OFFSETS_ANSWER) {
        const struct kb_offsets_result *r = o->items;
        call->result.error = r->error;
        call->result.offset = r->offset;
        call->result.epoch = r->leader_epoch;
    } else {
        const struct kb_delete_records_result *r = o->items;
        call->result.error = r->error;
        call->result.offset = r->low_watermark;
    }
}

static struct partition *part_of(struct net *n, const char *topic, int32_t partition)
{
    for (int i = 0; i < n->part_count; i++) {
        if (strcmp(n->part[i].topic, topic) == 0 && n->part[i].partition == partition) {
            return &n->part[i];
        }
    }
    return NULL;
}

/* A leader's high watermark only rises within its epoch. */
static void note_hw(struct net *n, int broker, const struct kb_output *o)
{
    struct partition *p = part_of(n, o->topic, o->partition);
    struct kb_partition_view v;
    if (p == NULL || !kb_is_leader(n->m[broker].r, o->topic, o->partition)) {
        return;
    }
    ck_assert(kb_partition(n->m[broker].r, o->topic, o->partition, &v));
    if (p->hw_epoch[broker] == v.leader_epoch + 1) {
        ck_assert_int_ge(o->offset, p->hw[broker]);
    }
    p->hw_epoch[broker] = v.leader_epoch + 1;
    p->hw[broker] = o->offset;
}

static void post_zk(struct net *n, int broker, const struct kb_output *o)
{
    struct event e = {.kind = EV_ZK, .to = 0, .from = broker};
    e.from_life = n->m[broker].life;
    e.owned[0] = copy(o->zk, o->zk->size);
    post(n, &e);
}

static void put(void *context, const struct kb_output *o)
{
    const struct putting *p = context;
    struct net *n = p->n;
    switch ((enum kb_output_kind)o->kind) {
    case KB_OUT_ZK:
        post_zk(n, p->broker, o);
        break;
    case KB_OUT_CONTROL_ANSWER:
    case KB_OUT_PRODUCE_ANSWER:
    case KB_OUT_FETCH_ANSWER:
    case KB_OUT_EPOCHS_ANSWER:
    case KB_OUT_OFFSETS_ANSWER:
    case KB_OUT_DELETE_RECORDS_ANSWER:
    case KB_OUT_CLOSE:
        answered(n, o);
        break;
    case KB_OUT_FETCH:
    case KB_OUT_EPOCHS:
    case KB_OUT_OFFSETS:
        post_request(n, p->broker, o);
        break;
    case KB_OUT_TIMER: {
        struct event e = {.kind = EV_TIMER, .to = p->broker, .at = o->due_us, .seq = n->seq++};
        n->m[p->broker].timer[o->timer] = o->due_us;
        e.life = n->m[p->broker].life;
        e.in.timer = o->timer;
        if (o->due_us >= 0) {
            heap_push(n, &e);
        }
        break;
    }
    case KB_OUT_PAYLOAD:
        n->references += o->value;
        break;
    case KB_OUT_HW:
        note_hw(n, p->broker, o);
        break;
    case KB_OUT_FACT:
        n->facts[o->what]++;
        break;
    case KB_OUT_LEADERSHIP:
    case KB_OUT_FATAL:
    case KB_OUT_NONE:
        break;
    }
}

/* ---- ZooKeeper ---- */

static void zk_put(void *context, const struct kz_output *o)
{
    struct net *n = context;
    if (o->kind == KZ_OUT_REPLY && n->zk_to > 0) {
        struct event e = {.kind = EV_ANSWER, .to = n->zk_to, .from = 0};
        e.life = n->m[n->zk_to].life;
        e.owned[0] = copy(o->reply, o->reply->size);
        e.in = (struct kb_input){.kind = KB_IN_ZK_REPLY, .reply = e.owned[0]};
        post(n, &e);
    }
}

static void zk_step(struct net *n, const struct kz_input *in)
{
    struct kz_outputs out = {
        .put = zk_put, .context = n, .scratch = n->zk_scratch, .scratch_size = n->zk_scratch_size};
    while (kz_server_step(n->z, n->now, in, &out) == SM_ERR_LIMIT) {
        struct kz_limits l = *kz_server_limits(n->z);
        l.nodes *= 2, l.bytes *= 2;
        struct kz_server *grown = aligned_alloc(8, kz_server_size(&l));
        kz_server_grow(n->z, grown, &l);
        free(n->z);
        n->z = grown;
    }
}

/* The controller's own connection is NET_BROKERS + 1: nobody hears its replies. */
static void zk_set(struct net *n, const char *path, const void *data, size_t size)
{
    static _Alignas(8) uint8_t bytes[4096];
    struct wire_zk_builder b;
    struct wire_zk_stat stat;
    n->zk_to = 0;
    if (!kz_server_get(n->z, path, &stat, NULL, NULL, NULL)) {
        ck_assert_int_eq(kz_server_put(n->z, path, data, (uint32_t)size, NULL), SM_ERR_OK);
        return;
    }
    wire_zk_begin(&b, bytes, sizeof bytes, 1, false);
    wire_zk_add(&b,
                (struct wire_zk_op){.opcode = WIRE_ZK_SET_DATA,
                                    .version = WIRE_ZK_ANY_VERSION,
                                    .data_size = (uint32_t)size},
                path, data);
    zk_step(n, &(struct kz_input){
                   .kind = KZ_IN_REQUEST, .conn = NET_BROKERS + 1, .request = wire_zk_end(&b)});
}

static bool zk_state(const struct net *n, const char *topic, int32_t partition,
                     struct sm_leader_and_isr *li)
{
    char path[SM_PATH_MAX];
    const uint8_t *data;
    uint32_t size;
    bool has_data;
    struct wire_zk_stat stat;
    sm_path_partition_state(path, topic, partition);
    if (!kz_server_get(n->z, path, &stat, &data, &size, &has_data)) {
        return false;
    }
    ck_assert_int_eq(sm_znode_decode_state((const char *)data, size, stat.version, li), SM_ERR_OK);
    return true;
}

static void deliver_zk(struct net *n, const struct event *e)
{
    const struct wire_zk_request *request = e->owned[0];
    struct wire_zk_op_view v = {0};
    bool write = wire_zk_op_next(request, &v) && v.op->opcode == WIRE_ZK_SET_DATA;
    struct kz_input in = {.kind = KZ_IN_REQUEST, .conn = (uint32_t)e->from, .request = request};
    if (n->lose_isr_reply && write) {
        n->lose_isr_reply = false;
        n->zk_to = 0;
        zk_step(n, &in);
    }
    n->zk_to = n->m[e->from].life == e->from_life && n->m[e->from].alive ? e->from : 0;
    zk_step(n, &in);
    n->zk_to = 0;
}

/* ---- delivering ---- */

static void fail_request(struct net *n, int from, uint32_t life, int to, uint64_t correlation)
{
    struct event e = {.kind = EV_ANSWER, .to = from, .from = to};
    e.life = life;
    e.in =
        (struct kb_input){.kind = KB_IN_SEND_FAILED, .broker_id = to, .correlation = correlation};
    post(n, &e);
}

static void deliver_request(struct net *n, struct event *e)
{
    if (!n->m[e->to].alive || n->m[e->to].cut[e->from]) {
        fail_request(n, e->from, e->from_life, e->to, e->in.correlation);
        return;
    }
    e->in.call_id = call_new(n, e->from, e->to, e->in.kind, e->in.correlation);
    n->calls[e->in.call_id].from_life = e->from_life;
    step(n, e->to, &e->in);
}

static void deliver(struct net *n, struct event *e)
{
    struct machine *m = &n->m[e->to];
    switch (e->kind) {
    case EV_REQUEST:
        deliver_request(n, e);
        break;
    case EV_ZK:
        deliver_zk(n, e);
        break;
    case EV_TIMER:
        if (m->alive && m->life == e->life && m->timer[e->in.timer] == e->at) {
            m->timer[e->in.timer] = -1;
            step(n, e->to, &(struct kb_input){.kind = KB_IN_TIMER, .timer = e->in.timer});
        }
        break;
    case EV_ANSWER:
        if (m->alive && m->life == e->life) {
            step(n, e->to, &e->in);
        }
        break;
    case EV_INPUT:
        if (m->held) {
            m->queue = realloc(m->queue, (m->queued + 1) * sizeof *m->queue);
            m->queue[m->queued++] = *e;
            memset(e->owned, 0, sizeof e->owned);
        } else {
            step(n, e->to, &e->in);
        }
        break;
    default:
        ck_abort();
    }
}

void net_run(struct net *n, int64_t for_us)
{
    int64_t until = n->now + for_us;
    while (n->heap_count > 0 && n->heap[0].at <= until) {
        struct event e = heap_pop(n);
        n->now = e.at > n->now ? e.at : n->now;
        n->events++;
        deliver(n, &e);
        event_free(&e);
        net_check(n);
    }
    n->now = until;
}

/* ---- batches of the controller ---- */

static size_t batch_head(const struct net *n, uint8_t *bytes)
{
    struct wire_batch *b = (struct wire_batch *)(void *)bytes;
    size_t at = sizeof *b;
    b->set_words = 1;
    b->sets = (uint32_t)at;
    at += 24;
    b->brokers = (uint32_t)at;
    for (int i = 1; i <= n->count; i++) {
        struct sm_broker broker = {.id = i, .endpoint_count = 1};
        struct wire_broker *entry = (struct wire_broker *)(void *)(bytes + at);
        if (!n->m[i].alive) {
            continue;
        }
        broker.endpoint[0] = (struct sm_endpoint){
            .listener = "PLAINTEXT", .protocol = "PLAINTEXT", .host = "localhost", .port = 9092};
        wire_broker_encode(entry, (uint32_t)i, n->m[i].broker_epoch, &broker);
        at += entry->size;
        b->broker_count++;
    }
    b->records = (uint32_t)at;
    b->controller_id = 1;
    b->controller_epoch = n->controller_epoch;
    return at;
}

/* One record for one broker, or none: only who is alive. */
static struct wire_batch *batch_for(struct net *n, int to, enum wire_record_kind kind,
                                    const struct partition *p, const struct sm_leader_and_isr *li,
                                    bool flag)
{
    static _Alignas(8) uint8_t bytes[8192];
    struct wire_batch *b = (struct wire_batch *)(void *)bytes;
    memset(bytes, 0, sizeof bytes);
    size_t at = batch_head(n, bytes);
    b->id = ++n->batch_id;
    ((uint64_t *)(void *)(bytes + b->sets))[kind == WIRE_RECORD_LEADER_AND_ISR    ? 0
                                            : kind == WIRE_RECORD_UPDATE_METADATA ? 1
                                                                                  : 2] = 1ull << to;
    if (p != NULL) {
        struct wire_record *r = (struct wire_record *)(void *)(bytes + at);
        size_t here = at + sizeof *r;
        *r = (struct wire_record){.kind = (uint8_t)kind,
                                  .isr_count = (uint8_t)li->isr.count,
                                  .replica_count = (uint8_t)p->replicas.count,
                                  .topic_size = (uint16_t)(strlen(p->topic) + 1),
                                  .partition = p->partition,
                                  .controller_epoch = li->controller_epoch,
                                  .leader = li->leader,
                                  .leader_epoch = li->leader_epoch,
                                  .zk_version = li->zk_version};
        ((uint64_t *)(void *)(bytes + here))[0] = 1ull << to;
        ((uint64_t *)(void *)(bytes + here))[1] = flag ? 1ull << to : 0;
        here += 16;
        memcpy(bytes + here, li->isr.id, 4ull * (size_t)li->isr.count);
        here += 4ull * (size_t)li->isr.count;
        memcpy(bytes + here, p->replicas.id, 4ull * (size_t)p->replicas.count);
        here += 4ull * (size_t)p->replicas.count;
        strcpy((char *)bytes + here, p->topic);
        here += strlen(p->topic) + 1;
        r->size = (uint32_t)((here - at + 7) & ~(size_t)7);
        b->record_bytes = r->size;
        b->count[kind == WIRE_RECORD_LEADER_AND_ISR ? 0 : 2] = 1;
        at += r->size;
    }
    b->size = (uint32_t)at;
    return copy(b, b->size);
}

static uint64_t send_batch(struct net *n, int to, uint32_t kind, struct wire_batch *batch)
{
    struct event e = {.kind = EV_INPUT, .to = to, .from = -1};
    e.in = (struct kb_input){.kind = kind,
                             .call_id = call_new(n, 0, to, kind, 0),
                             .broker_epoch =
                                 n->m[to].stamp != -1 ? n->m[to].stamp : n->m[to].broker_epoch,
                             .batch = batch,
                             .broker_index = (uint32_t)to};
    e.owned[0] = batch;
    post(n, &e);
    return e.in.call_id;
}

uint64_t net_tell(struct net *n, int broker, const char *topic, int32_t partition, bool is_new)
{
    struct sm_leader_and_isr li;
    ck_assert(zk_state(n, topic, partition, &li));
    return send_batch(n, broker, KB_IN_LEADER_AND_ISR,
                      batch_for(n, broker, WIRE_RECORD_LEADER_AND_ISR, part_of(n, topic, partition),
                                &li, is_new));
}

uint64_t net_metadata_to(struct net *n, int broker)
{
    return send_batch(n, broker, KB_IN_UPDATE_METADATA,
                      batch_for(n, broker, WIRE_RECORD_UPDATE_METADATA, NULL, NULL, false));
}

void net_metadata(struct net *n)
{
    for (int i = 1; i <= n->count; i++) {
        if (n->m[i].alive) {
            net_metadata_to(n, i);
        }
    }
}

uint64_t net_stop_replica(struct net *n, int broker, const char *topic, int32_t partition,
                          int32_t epoch, bool delete)
{
    struct sm_leader_and_isr li = {.leader = -1, .leader_epoch = epoch};
    return send_batch(
        n, broker, KB_IN_STOP_REPLICA,
        batch_for(n, broker, WIRE_RECORD_STOP_REPLICA, part_of(n, topic, partition), &li, delete));
}

void net_assign(struct net *n, const char *topic, int32_t partition, const char *replicas)
{
    struct partition *p = part_of(n, topic, partition);
    if (p == NULL) {
        ck_assert_int_lt(n->part_count, PARTITIONS_MAX);
        p = &n->part[n->part_count++];
        snprintf(p->topic, sizeof p->topic, "%s", topic);
        p->partition = partition;
    }
    p->replicas = list_of(replicas);
}

void net_decide(struct net *n, const char *topic, int32_t partition, int32_t leader,
                const char *isr)
{
    struct sm_leader_and_isr li = {.leader_epoch = -1};
    char path[SM_PATH_MAX], data[SM_STATE_BYTES_MAX];
    size_t size;
    (void)zk_state(n, topic, partition, &li);
    li.leader = leader;
    li.leader_epoch++;
    li.controller_epoch = n->controller_epoch;
    li.isr = isr == NULL ? li.isr : list_of(isr);
    sm_path_partition_state(path, topic, partition);
    size = sm_znode_encode_state(data, &li);
    zk_set(n, path, data, size);
}

static void tell_all(struct net *n, const char *topic, int32_t partition, bool is_new)
{
    const struct partition *p = part_of(n, topic, partition);
    for (int i = 0; i < p->replicas.count; i++) {
        if (n->m[p->replicas.id[i]].alive) {
            net_tell(n, p->replicas.id[i], topic, partition, is_new);
        }
    }
}

void net_elect(struct net *n, const char *topic, int32_t partition, int32_t leader, const char *isr)
{
    net_decide(n, topic, partition, leader, isr);
    tell_all(n, topic, partition, false);
    net_metadata(n);
}

void net_topic(struct net *n, const char *topic, int32_t partition, const char *replicas)
{
    net_assign(n, topic, partition, replicas);
    net_decide(n, topic, partition, part_of(n, topic, partition)->replicas.id[0], replicas);
    tell_all(n, topic, partition, true);
    net_run(n, 20000);
}

int32_t net_controller_epoch(struct net *n, int32_t epoch)
{
    int32_t old = n->controller_epoch;
    n->controller_epoch = epoch;
    return old;
}

void net_stamp(struct net *n, int broker, int64_t broker_epoch)
{
    n->m[broker].stamp = broker_epoch;
}

void net_hold(struct net *n, int broker, bool held)
{
    struct machine *m = &n->m[broker];
    m->held = held;
    if (held) {
        return;
    }
    for (uint32_t i = 0; i < m->queued; i++) {
        step(n, broker, &m->queue[i].in);
        event_free(&m->queue[i]);
        net_check(n);
    }
    m->queued = 0;
}

/* ---- clients ---- */

static uint64_t client_call(struct net *n, int broker, const char *topic, int32_t partition,
                            struct kb_input in)
{
    in.call_id = call_new(n, 0, broker, in.kind, 0);
    snprintf(n->calls[in.call_id].topic, sizeof n->calls[0].topic, "%s", topic);
    n->calls[in.call_id].partition = partition;
    if (n->m[broker].alive) {
        uint64_t id = in.call_id;
        const struct kb_produce *p = in.kind == KB_IN_PRODUCE ? in.request : NULL;
        n->calls[id].payload = p != NULL && p->acks == -1 ? p->items[0].batches[0].payload : 0;
        step(n, broker, &in);
        net_check(n);
    }
    return in.call_id;
}

uint64_t net_produce_batch(struct net *n, int broker, const char *topic, int32_t partition,
                           const struct kb_batch *batch, int32_t acks, int64_t timeout_us,
                           int32_t origin)
{
    struct kb_produce_item item = {
        .topic = topic, .partition = partition, .batches = batch, .batch_count = 1};
    struct kb_produce produce = {
        .timeout_us = timeout_us, .acks = acks, .origin = origin, .items = &item, .count = 1};
    return client_call(n, broker, topic, partition,
                       (struct kb_input){.kind = KB_IN_PRODUCE, .request = &produce});
}

uint64_t net_produce(struct net *n, int broker, const char *topic, int32_t partition,
                     uint64_t payload, int32_t acks)
{
    struct kb_batch batch = {.payload = payload,
                             .producer_id = -1,
                             .producer_epoch = -1,
                             .base_sequence = -1,
                             .size = 70,
                             .record_count = 1,
                             .first_timestamp = n->now / 1000,
                             .max_timestamp = n->now / 1000};
    return net_produce_batch(n, broker, topic, partition, &batch, acks, 10000000, KB_FROM_CLIENT);
}

static uint64_t fetch_call(struct net *n, int broker, const char *topic, int32_t partition,
                           struct kb_fetch fetch, int64_t offset, int32_t epoch)
{
    struct kb_fetch_item item = {.topic = topic,
                                 .partition = partition,
                                 .current_leader_epoch = epoch,
                                 .max_bytes = 1 << 20,
                                 .offset = offset,
                                 .log_start = 0};
    fetch.items = &item;
    fetch.count = 1;
    fetch.min_bytes = 1;
    fetch.max_bytes = 1 << 20;
    fetch.session_epoch = -1;
    return client_call(n, broker, topic, partition,
                       (struct kb_input){.kind = KB_IN_FETCH, .request = &fetch});
}

uint64_t net_fetch(struct net *n, int broker, const char *topic, int32_t partition, int64_t offset,
                   int64_t max_wait_us, bool committed)
{
    return fetch_call(n, broker, topic, partition,
                      (struct kb_fetch){.max_wait_us = max_wait_us,
                                        .replica_id = KB_CONSUMER,
                                        .committed = committed},
                      offset, -1);
}

uint64_t net_fetch_as(struct net *n, int broker, int32_t id, const char *topic, int32_t partition,
                      int64_t offset, int32_t epoch)
{
    return fetch_call(n, broker, topic, partition, (struct kb_fetch){.replica_id = id}, offset,
                      epoch);
}

uint64_t net_offsets(struct net *n, int broker, const char *topic, int32_t partition,
                     int64_t timestamp)
{
    struct kb_offsets_item item = {
        .topic = topic, .partition = partition, .current_leader_epoch = -1, .timestamp = timestamp};
    return client_call(
        n, broker, topic, partition,
        (struct kb_input){
            .kind = KB_IN_OFFSETS, .items = &item, .count = 1, .replica_id = KB_CONSUMER});
}

uint64_t net_delete_records(struct net *n, int broker, const char *topic, int32_t partition,
                            int64_t offset)
{
    struct kb_delete_records_item item = {.topic = topic, .partition = partition, .offset = offset};
    return client_call(n, broker, topic, partition,
                       (struct kb_input){.kind = KB_IN_DELETE_RECORDS, .items = &item, .count = 1});
}

const struct net_call *net_call_of(const struct net *n, uint64_t call)
{
    return &n->calls[call].result;
}

/* ---- processes ---- */

static int64_t keep_flushed(void *context, const char *topic, int32_t partition, int64_t flushed,
                            int64_t log_end)
{
    struct net *n = context;
    (void)topic, (void)partition;
    return n->random == 0 ? flushed
                          : flushed + (int64_t)(draw(n) % (uint64_t)(log_end - flushed + 1));
}

static void end_process(struct net *n, int broker, const struct kb_stop *how)
{
    struct machine *m = &n->m[broker];
    struct putting p = {n, broker};
    struct kb_outputs out = {.put = put, .context = &p};
    kb_replicas_stop(m->r, how, &out);
    kb_replicas_check(m->r);
    m->alive = false;
    m->life++;
    for (uint32_t i = 0; i < m->queued; i++) {
        event_free(&m->queue[i]);
    }
    m->queued = 0;
    m->held = false;
    memset(m->timer, 0xff, sizeof m->timer);
    for (uint64_t id = 1; id <= n->call_count; id++) {
        const struct call *call = &n->calls[id];
        if (call->to == broker && call->from != 0 && !call->result.done) {
            n->calls[id].result.done = true;
            fail_request(n, call->from, call->from_life, broker, call->correlation);
        }
    }
    for (int i = 0; i < n->part_count; i++) {
        n->part[i].hw_epoch[broker] = 0;
    }
}

void net_kill(struct net *n, int broker, bool lost)
{
    end_process(n, broker, &(struct kb_stop){.keep = lost ? keep_flushed : NULL, .context = n});
}

void net_begin_shutdown(struct net *n, int broker)
{
    step(n, broker, &(struct kb_input){.kind = KB_IN_SHUTTING_DOWN});
}

void net_shut_down(struct net *n, int broker)
{
    end_process(n, broker, &(struct kb_stop){.clean = true});
}

void net_start(struct net *n, int broker)
{
    struct machine *m = &n->m[broker];
    m->alive = true;
    m->broker_epoch = ++n->next_broker_epoch;
    m->stamp = -1;
    step(n, broker, &(struct kb_input){.kind = KB_IN_START});
    step(n, broker, &(struct kb_input){.kind = KB_IN_REGISTERED, .broker_epoch = m->broker_epoch});
}

bool net_is_alive(const struct net *n, int broker)
{
    return n->m[broker].alive;
}

void net_fail_dir(struct net *n, int broker, int32_t dir)
{
    step(n, broker, &(struct kb_input){.kind = KB_IN_DIR_FAILED, .value = dir});
    net_check(n);
}

void net_cut(struct net *n, int from, int to, bool cut)
{
    n->m[to].cut[from] = cut;
}

void net_lose_isr_reply(struct net *n)
{
    n->lose_isr_reply = true;
}

void net_jitter(struct net *n, uint64_t seed)
{
    n->random = seed * 2654435761u + 88172645463325252ull;
}

void net_check_acked(struct net *n, bool on)
{
    n->check_acked = on;
}

void net_expect_divergence(struct net *n)
{
    n->diverges = true;
}

/* ---- making ---- */

struct net *net_new_with(const struct kb_config *config, int count)
{
    struct net *n = calloc(1, sizeof *n);
    struct kz_limits zl = {.nodes = 256, .bytes = 1 << 16, .watches = 16, .sessions = 16};
    struct kb_limits l = {.topics = 1,
                          .partitions = 1,
                          .replicas = 2,
                          .topic_name = 20,
                          .batches = 4,
                          .epochs = 2,
                          .producers = 1,
                          .transactions = 1,
                          .waits = 2,
                          .operations = 2,
                          .fetchers = 1,
                          .sessions = 1,
                          .live = 1,
                          .scratch_bytes = 10000};
    n->count = count;
    n->acked = calloc(ACKED_MAX, sizeof *n->acked);
    n->controller_epoch = 1;
    n->check_acked = true;
    n->zk_scratch_size = 1 << 20;
    n->zk_scratch = aligned_alloc(8, n->zk_scratch_size);
    n->z = aligned_alloc(8, kz_server_size(&zl));
    kz_server_init(n->z, &zl, 3000000);
    (void)kz_server_put(n->z, SM_PATH_ISR_NOTIFICATION, NULL, 0, NULL);
    (void)kz_server_put(n->z, SM_PATH_LOG_DIR_EVENT, NULL, 0, NULL);
    for (int i = 1; i <= NET_BROKERS + 1; i++) {
        zk_step(n, &(struct kz_input){
                       .kind = KZ_IN_CONNECT, .conn = (uint32_t)i, .timeout_us = 20000000});
    }
    for (int i = 1; i <= count; i++) {
        struct machine *m = &n->m[i];
        m->config = *config;
        m->config.broker_id = i;
        memset(m->timer, 0xff, sizeof m->timer);
        m->r = aligned_alloc(8, kb_replicas_size(&l));
        kb_replicas_init(m->r, &l, &m->config);
        net_start(n, i);
    }
    net_metadata(n);
    net_run(n, 10000);
    return n;
}

struct net *net_new(enum sm_version version, int count)
{
    struct kb_config config = kb_config_default(sm_profile_of(version), 1);
    return net_new_with(&config, count);
}

struct kb_config *net_config(struct net *n, int broker)
{
    const struct kb_config *config = kb_replicas_config(n->m[broker].r);
    return (struct kb_config *)(uintptr_t)config;
}

void net_defect(struct net *n, enum sm_defect defect, bool on)
{
    for (int i = 1; i <= n->count; i++) {
        uint64_t *defects = &net_config(n, i)->profile.defects;
        *defects = on ? *defects | UINT64_C(1) << defect : *defects & ~(UINT64_C(1) << defect);
    }
}

void net_free(struct net *n)
{
    while (n->heap_count > 0) {
        struct event e = heap_pop(n);
        event_free(&e);
    }
    for (int i = 1; i <= n->count; i++) {
        for (uint32_t k = 0; k < n->m[i].queued; k++) {
            event_free(&n->m[i].queue[k]);
        }
        free(n->m[i].queue);
        free(n->m[i].r);
    }
    free(n->heap);
    free(n->calls);
    free(n->acked);
    free(n->z);
    free(n->zk_scratch);
    free(n);
}

/* ---- looking ---- */

int64_t net_now(const struct net *n)
{
    return n->now;
}

uint64_t net_events(const struct net *n)
{
    return n->events;
}

const struct kb_replicas *net_replicas(const struct net *n, int broker)
{
    return n->m[broker].r;
}

bool net_has(const struct net *n, int broker, const char *topic, int32_t partition)
{
    struct kb_partition_view v;
    return kb_partition(n->m[broker].r, topic, partition, &v);
}

struct kb_partition_view net_view(const struct net *n, int broker, const char *topic,
                                  int32_t partition)
{
    struct kb_partition_view v;
    ck_assert(kb_partition(n->m[broker].r, topic, partition, &v));
    return v;
}

const char *net_log(const struct net *n, int broker, const char *topic, int32_t partition)
{
    static char text[4096];
    struct kb_partition_view v = net_view(n, broker, topic, partition);
    size_t at = 0;
    for (uint32_t i = 0; i < v.batch_count; i++) {
        at += (size_t)snprintf(text + at, sizeof text - at, "%c@%lld ", (int)v.batches[i].payload,
                               (long long)v.batches[i].base_offset);
    }
    at += (size_t)snprintf(text + at, sizeof text - at, "| hw %lld end %lld |", (long long)v.hw,
                           (long long)v.log_end);
    for (uint32_t i = 0; i < v.epoch_count; i++) {
        at += (size_t)snprintf(text + at, sizeof text - at, " %d:%lld", v.epochs[i].epoch,
                               (long long)v.epochs[i].start_offset);
    }
    return text;
}

const char *net_state(const struct net *n, const char *topic, int32_t partition)
{
    static char text[256];
    struct sm_leader_and_isr li;
    size_t at;
    ck_assert(zk_state(n, topic, partition, &li));
    at = (size_t)snprintf(text, sizeof text, "leader %d epoch %d isr ", li.leader, li.leader_epoch);
    for (int i = 0; i < li.isr.count; i++) {
        at +=
            (size_t)snprintf(text + at, sizeof text - at, "%s%d", i == 0 ? "" : ",", li.isr.id[i]);
    }
    snprintf(text + at, sizeof text - at, " version %d", li.zk_version);
    return text;
}

bool net_get_state(const struct net *n, const char *topic, int32_t partition,
                   struct sm_leader_and_isr *li)
{
    return zk_state(n, topic, partition, li);
}

uint64_t net_facts(const struct net *n, enum kb_fact fact)
{
    return n->facts[fact];
}

int net_notifications(const struct net *n, const char *parent)
{
    char buffer[KZ_PATH_MAX];
    const char *path = NULL;
    int count = 0;
    while ((path = kz_server_next_child(n->z, parent, path, buffer, sizeof buffer)) != NULL) {
        count++;
    }
    return count;
}

uint32_t net_acked(const struct net *n)
{
    return n->acked_count;
}

int64_t net_references(const struct net *n)
{
    return n->references;
}

/* ---- invariants between brokers ---- */

static const struct kb_batch *batch_at(const struct kb_partition_view *v, int64_t offset)
{
    uint32_t low = 0, high = v->batch_count;
    while (low < high) {
        uint32_t middle = (low + high) / 2;
        const struct kb_batch *b = &v->batches[middle];
        if (b->base_offset + b->last_offset_delta < offset) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low < v->batch_count && v->batches[low].base_offset <= offset ? &v->batches[low] : NULL;
}

/* From the newest batch down; two equal ones are enough, for then all before them are equal. Full
   walks are left to the end of a test. */
static void check_matching(const struct net *n, const struct kb_partition_view *a,
                           const struct kb_partition_view *b, int64_t committed, bool whole)
{
    (void)n;
    for (uint32_t i = a->batch_count; i > 0; i--) {
        const struct kb_batch *x = &a->batches[i - 1];
        const struct kb_batch *y = batch_at(b, x->base_offset);
        bool below =
            x->base_offset + x->last_offset_delta < committed && x->base_offset >= b->log_start;
        if (below) {
            ck_assert_msg(y != NULL, "a committed record is missing at %lld",
                          (long long)x->base_offset);
        }
        if (y == NULL || (x->leader_epoch != y->leader_epoch && !below)) {
            continue;
        }
        ck_assert_msg(x->payload == y->payload, "different records at %lld: %llu and %llu",
                      (long long)x->base_offset, (unsigned long long)x->payload,
                      (unsigned long long)y->payload);
        if (!whole) {
            return;
        }
    }
}

static void check_acked(const struct net *n, const struct partition *p, int leader, bool whole)
{
    struct kb_partition_view v = net_view(n, leader, p->topic, p->partition);
    uint32_t from = whole || n->acked_count < 8 ? 0 : n->acked_count - 8;
    for (uint32_t i = from; i < n->acked_count; i++) {
        const struct acked *a = &n->acked[i];
        const struct kb_batch *b;
        if (strcmp(a->topic, p->topic) != 0 || a->partition != p->partition ||
            a->offset < v.log_start) {
            continue;
        }
        b = batch_at(&v, a->offset);
        ck_assert_msg(b != NULL && b->payload == a->payload,
                      "acknowledged record %llu of %s-%d at %lld is lost on leader %d",
                      (unsigned long long)a->payload, p->topic, p->partition, (long long)a->offset,
                      leader);
    }
}

static void check_isr(const struct net *n, const struct partition *p, int leader)
{
    struct kb_partition_view v = net_view(n, leader, p->topic, p->partition);
    for (int i = 0; i < v.maximal_isr.count; i++) {
        int id = v.maximal_isr.id[i];
        struct kb_partition_view f;
        if (id == leader || !n->m[id].alive ||
            !kb_partition(n->m[id].r, p->topic, p->partition, &f) ||
            f.leader_epoch != v.leader_epoch || f.fetch_state != KB_FETCHING) {
            continue;
        }
        ck_assert_msg(f.log_end >= v.hw, "%s-%d: ISR member %d ends at %lld, below %lld", p->topic,
                      p->partition, id, (long long)f.log_end, (long long)v.hw);
    }
}

static void check_partition(const struct net *n, const struct partition *p, bool whole)
{
    struct sm_leader_and_isr li;
    int leader = -1;
    if (zk_state(n, p->topic, p->partition, &li) && li.leader > 0 && n->m[li.leader].alive &&
        kb_is_leader(n->m[li.leader].r, p->topic, p->partition) &&
        net_view(n, li.leader, p->topic, p->partition).leader_epoch == li.leader_epoch) {
        leader = li.leader;
    }
    for (int a = 1; a <= n->count; a++) {
        struct kb_partition_view x, y;
        if (!kb_partition(n->m[a].r, p->topic, p->partition, &x) || !x.has_log) {
            continue;
        }
        for (int b = a + 1; b <= n->count; b++) {
            if (kb_partition(n->m[b].r, p->topic, p->partition, &y) && y.has_log) {
                check_matching(n, &x, &y, -1, whole);
            }
        }
        if (leader != -1 && a != leader && n->m[a].alive && x.fetch_state == KB_FETCHING &&
            x.leader_epoch == li.leader_epoch) {
            y = net_view(n, leader, p->topic, p->partition);
            check_matching(n, &x, &y, x.hw < y.hw ? x.hw : y.hw, whole);
        }
    }
    if (leader != -1) {
        check_isr(n, p, leader);
        if (n->check_acked) {
            check_acked(n, p, leader, whole);
        }
    }
}

static uint64_t look(const struct net *n, const struct partition *p)
{
    struct sm_leader_and_isr li = {0};
    uint64_t h = 1;
    (void)zk_state(n, p->topic, p->partition, &li);
    h = h * 31 + (uint64_t)li.zk_version;
    for (int b = 1; b <= n->count; b++) {
        struct kb_partition_view v;
        h = h * 31 + (uint64_t)n->m[b].life;
        if (kb_partition(n->m[b].r, p->topic, p->partition, &v)) {
            h = h * 1000003 + (uint64_t)v.log_end;
            h = h * 1000003 + (uint64_t)v.hw;
            h = h * 1000003 + (uint64_t)v.log_start;
            h = h * 1000003 + (uint64_t)(v.leader_epoch + 2);
            h = h * 31 + (uint64_t)v.fetch_state;
            h = h * 31 + (uint64_t)v.maximal_isr.count;
            h = h * 31 + (v.batch_count == 0 ? 0 : v.batches[v.batch_count - 1].payload);
        }
    }
    return h;
}

/* A partition is looked at when something of it has changed; every 64th event, wholly. */
void net_check(struct net *n)
{
    bool whole = n->events % 64 == 0;
    for (int i = 1; i <= n->count; i++) {
        if (whole || i == n->stepped) {
            kb_replicas_check(n->m[i].r);
        }
    }
    for (int i = 0; i < n->part_count && !n->diverges; i++) {
        uint64_t now = look(n, &n->part[i]);
        if (now != n->looked_at[i]) {
            check_partition(n, &n->part[i], whole);
            n->looked_at[i] = now;
        }
    }
}
