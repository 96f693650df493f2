/*
 * What brokers of the desk put out: requests, answers, writes, notes; each becomes an event, or an
 * end of a call.
 */
#include "tests/broker/net_parts.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- brokers step ---- */

static void grow(struct kb_replicas **r, const char *short_of, int64_t now)
{
    const struct kb_limits l = kb_limits_above(kb_replicas_limits(*r), short_of);
    struct kb_replicas *grown = aligned_alloc(8, kb_replicas_size(&l));
    uint64_t digest = kb_replicas_digest(*r, now);
    kb_replicas_grow(*r, grown, &l);
    ck_assert_uint_eq(kb_replicas_digest(grown, now), digest);
    kb_replicas_check(grown);
    free(*r);
    *r = grown;
}

void net_step(struct net *n, int broker, const struct kb_input *in)
{
    struct machine *m = &n->m[broker];
    struct putting p = {n, broker};
    struct kb_outputs out = {.put = net_put, .context = &p};
    if (in->kind != KB_IN_TOPIC_CONFIG && !m->alive) {
        return;
    }
    n->stepped = broker;
    while (kb_replicas_step(m->r, n->now, in, &out) == SM_ERR_LIMIT) {
        grow(&m->r, out.short_of, n->now);
    }
}

uint64_t net_call_new(struct net *n, int from, int to, uint32_t kind, uint64_t correlation)
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
        struct kb_fetch_item *items = net_copy(fetch.items, fetch.count * sizeof *items);
        struct kb_partition_name *names =
            net_copy(fetch.forgotten, fetch.forgotten_count * sizeof *names);
        for (uint32_t i = 0; i < fetch.count; i++) {
            items[i].topic = net_intern(items[i].topic);
        }
        for (uint32_t i = 0; i < fetch.forgotten_count; i++) {
            names[i].topic = net_intern(names[i].topic);
        }
        fetch.items = e.owned[1] = items;
        fetch.forgotten = e.owned[2] = names;
        e.in.kind = KB_IN_FETCH;
        e.in.request = e.owned[0] = net_copy(&fetch, sizeof fetch);
    } else if (o->kind == KB_OUT_EPOCHS) {
        struct kb_epochs_item *items = net_copy(o->items, o->count * sizeof *items);
        for (uint32_t i = 0; i < o->count; i++) {
            items[i].topic = net_intern(items[i].topic);
        }
        e.in.kind = KB_IN_EPOCHS;
        e.in.items = e.owned[0] = items;
        e.in.count = o->count;
    } else {
        struct kb_offsets_item *items = net_copy(o->items, o->count * sizeof *items);
        for (uint32_t i = 0; i < o->count; i++) {
            items[i].topic = net_intern(items[i].topic);
        }
        e.in.kind = KB_IN_OFFSETS;
        e.in.items = e.owned[0] = items;
        e.in.count = o->count;
    }
    net_post(n, &e);
}

static void post_fetch_answer(struct net *n, const struct call *call, const struct kb_output *o)
{
    struct event e = {.kind = EV_ANSWER, .to = call->from, .from = call->to};
    struct kb_fetch_result *items = net_copy(o->items, o->count * sizeof *items);
    size_t batches = 0, at = 0;
    for (uint32_t i = 0; i < o->count; i++) {
        batches += items[i].batch_count;
    }
    struct kb_batch *all = calloc(batches + 1, sizeof *all);
    for (uint32_t i = 0; i < o->count; i++) {
        items[i].topic = net_intern(items[i].topic);
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
    net_post(n, &e);
}

static void post_items_answer(struct net *n, const struct call *call, const struct kb_output *o,
                              uint32_t kind, size_t size)
{
    struct event e = {.kind = EV_ANSWER, .to = call->from, .from = call->to};
    e.life = call->from_life;
    e.owned[0] = net_copy(o->items, o->count * size);
    for (uint32_t i = 0; i < o->count; i++) {
        const char **topic = (const char **)((uint8_t *)e.owned[0] + i * size); /* first field */
        *topic = net_intern(*topic);
    }
    e.in = (struct kb_input){.kind = kind,
                             .broker_id = call->to,
                             .correlation = call->correlation,
                             .items = e.owned[0],
                             .count = o->count};
    net_post(n, &e);
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

struct partition *net_part_of(struct net *n, const char *topic, int32_t partition)
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
    struct partition *p = net_part_of(n, o->topic, o->partition);
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
    e.owned[0] = net_copy(o->zk, o->zk->size);
    net_post(n, &e);
}

void net_put(void *context, const struct kb_output *o)
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
            net_heap_push(n, &e);
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
