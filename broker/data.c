/*
 * The way to the replicas and back: one input for them, and what they say put as this broker's.
 *
 *     input ──► kb_data_ask ──► kb_replicas_step ──► put_one ──► responses, batch answers,
 *                   │ number                            ▲         ZooKeeper, timers, peers
 *                   ▼                                   │
 *              data calls {number, call_id, api, version} : what an answer is for
 *
 * Replicas are stepped before anything else is done with an input: what they lack they say before
 * they change anything, and then nothing has happened here either.
 *
 * A coordinator's append is a call too, one that ends in its queue (broker/coordinators.h).
 *
 * Xids: theirs have the upper bit here, the serving half's have not.
 *
 * Source: Kafka KafkaApis (handleLeaderAndIsrRequest, handleUpdateMetadataRequest,
 * handleStopReplicaRequest), ReplicaManager.maybeUpdateMetadataCache.
 */
#include <assert.h>
#include <string.h>

#include "broker/coordinators.h"

enum {
    ANSWER_ROOM = 16 << 20
}; /* of records in one answer: replica.fetch.response.max.bytes and a
      batch; larger wishes of consumers are answered in parts */

static const uint32_t REPLICA_XID = 1u << 31;

bool kb_hosts(const struct kb_turn *t)
{
    return t->b->has_data && t->out->replicas != NULL && t->out->payloads != NULL;
}

size_t kb_data_scratch(const struct kb_turn *t)
{
    uint32_t size = t->in->size > UINT32_MAX ? UINT32_MAX : (uint32_t)t->in->size;
    size_t largest = size > t->b->largest_request ? size : t->b->largest_request;
    return ANSWER_ROOM + 8 * (size_t)kb_replicas_limits(t->out->replicas)->scratch_bytes +
           16 * largest + kb_coordinators_scratch(t->b);
}

/* ---- calls ---- */

static struct kb_data_call *calls(const struct kb_broker *b)
{
    return (struct kb_data_call *)(void *)kb_region(b, b->data_calls_at);
}

static void remove_call(struct kb_broker *b, uint32_t i)
{
    struct kb_data_call *c = calls(b);
    memmove(&c[i], &c[i + 1], (--b->data_call_count - i) * sizeof *c);
    memset(&c[b->data_call_count], 0, sizeof *c);
}

/* Takes out the call of that number; false where it is not there (any more). Numbers ascend. */
static bool take_call(struct kb_broker *b, uint64_t number, struct kb_data_call *out)
{
    const struct kb_data_call *c = calls(b);
    uint32_t low = 0, high = b->data_call_count;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        if (c[middle].number < number)
            low = middle + 1;
        else
            high = middle;
    }
    if (low == b->data_call_count || c[low].number != number)
        return false;
    *out = c[low];
    remove_call(b, low);
    return true;
}

/* Nobody is there to be answered: what would answer finds no call. */
void kb_data_drop(struct kb_turn *t)
{
    for (uint32_t i = t->b->data_call_count; i > 0; i--)
        if (calls(t->b)[i - 1].call_id == t->in->call_id)
            remove_call(t->b, i - 1);
}

/* Returns the number of a new call; 0 where there is no room. */
uint64_t kb_data_call_new(struct kb_turn *t, struct kb_data_call call)
{
    struct kb_broker *b = t->b;
    if (b->data_call_count == b->limits.data_calls) {
        t->out->short_of = "data_calls";
        return 0;
    }
    call.number = ++b->order;
    calls(b)[b->data_call_count++] = call;
    return call.number;
}

uint64_t kb_data_call_open(struct kb_turn *t)
{
    if (t->in->size > t->b->largest_request)
        t->b->largest_request = t->in->size > UINT32_MAX ? UINT32_MAX : (uint32_t)t->in->size;
    return kb_data_call_new(t, (struct kb_data_call){.call_id = t->in->call_id,
                                                     .record = t->in->record,
                                                     .api = t->in->api,
                                                     .version = (int16_t)t->in->version});
}

void kb_data_call_cancel(struct kb_turn *t, uint64_t number)
{
    struct kb_data_call call;
    take_call(t->b, number, &call);
}

void kb_data_call_answer(struct kb_turn *t, uint64_t number, const void *message, size_t size)
{
    struct kb_data_call call;
    if (take_call(t->b, number, &call))
        kb_put_response(t, call.record, call.call_id, call.api, call.version, message, size);
}

/* ---- what they say ---- */

static void put(struct kb_turn *t, struct kb_broker_output o)
{
    o.by = o.by == 0 ? t->in->record : o.by;
    t->out->put(t->out->context, &o);
}

static void put_zk(struct kb_turn *t, const struct wire_zk_request *request)
{
    struct wire_zk_request *own = kb_turn_scratch(t, request->size);
    memcpy(own, request, request->size);
    assert((own->xid & REPLICA_XID) == 0);
    own->xid |= REPLICA_XID;
    put(t, (struct kb_broker_output){.kind = KB_BROKER_OUT_ZK, .request = own});
}

static void put_control_answer(struct kb_turn *t, const struct wire_answer *answer)
{
    if (t->holds_answer) {
        t->held_error = answer->error;
        return;
    }
    put(t, (struct kb_broker_output){.kind = KB_BROKER_OUT_BATCH_ANSWER,
                                     .call_id = t->in->call_id,
                                     .api = t->in->api,
                                     .answer = answer});
}

static void close_call(struct kb_turn *t, uint64_t number)
{
    struct kb_data_call call;
    if (take_call(t->b, number, &call))
        kb_put_response(t, t->in->record, call.call_id, call.api, call.version, NULL, 0);
}

static void put_answer(struct kb_turn *t, const struct kb_output *o)
{
    struct kb_data_call call;
    if (!take_call(t->b, o->call_id, &call))
        return;
    if (call.api == WIRE_API_WRITE_TXN_MARKERS) {
        kb_markers_answered(t, call.append_id, o);
    } else if (call.coordinator != 0) {
        const struct kb_produce_result *r = o->items;
        kb_event_put(t->b, &(struct kb_event){.kind = KB_EVENT_APPENDED,
                                              .coordinator = call.coordinator - 1,
                                              .partition = r->partition,
                                              .append_id = call.append_id,
                                              .error = r->error,
                                              .offset = r->base_offset});
    } else if (call.call_id != 0) {
        kb_data_put_answer(t, &call, o);
    }
}

static void put_one(void *context, const struct kb_output *o)
{
    struct kb_turn *t = context;
    const struct kb_payloads *payloads = t->out->payloads;
    size_t before = t->scratch_used;
    switch ((enum kb_output_kind)o->kind) {
    case KB_OUT_NONE:
        break;
    case KB_OUT_LEADERSHIP:
        kb_coordinators_on_leadership(t, o);
        break;
    case KB_OUT_ZK:
        put_zk(t, o->zk);
        break;
    case KB_OUT_CONTROL_ANSWER:
        put_control_answer(t, o->answer);
        break;
    case KB_OUT_PRODUCE_ANSWER:
    case KB_OUT_FETCH_ANSWER:
    case KB_OUT_EPOCHS_ANSWER:
    case KB_OUT_OFFSETS_ANSWER:
    case KB_OUT_DELETE_RECORDS_ANSWER:
        put_answer(t, o);
        break;
    case KB_OUT_CLOSE:
        close_call(t, o->call_id);
        break;
    case KB_OUT_FETCH:
    case KB_OUT_EPOCHS:
    case KB_OUT_OFFSETS:
        kb_data_put_peer_request(t, o);
        break;
    case KB_OUT_TIMER:
        put(t, (struct kb_broker_output){.kind = KB_BROKER_OUT_TIMER,
                                         .timer = o->timer + KB_BROKER_TIMER_REPLICAS,
                                         .due_us = o->due_us});
        break;
    case KB_OUT_PAYLOAD:
        payloads->refer(payloads->context, o->payload, o->value);
        break;
    case KB_OUT_FATAL:
        put(t, (struct kb_broker_output){.kind = KB_BROKER_OUT_FATAL});
        break;
    case KB_OUT_HW:
    case KB_OUT_FACT:
        put(t, (struct kb_broker_output){.kind = KB_BROKER_OUT_REPLICA, .replica = o});
        break;
    }
    t->scratch_used = before;
}

/* ---- stepping ---- */

/* Which limit of the replicas is short, told from those of this block. */
static const char *of_replicas(const char *short_of)
{
    static const char *const names[] = {
        "replicas.topics",     "replicas.partitions", "replicas.replicas",
        "replicas.topic_name", "replicas.batches",    "replicas.segments",
        "replicas.epochs",     "replicas.producers",  "replicas.transactions",
        "replicas.waits",      "replicas.operations", "replicas.fetchers",
        "replicas.sessions",   "replicas.live",       "replicas.scratch_bytes"};
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
        if (strcmp(names[i] + strlen("replicas."), short_of) == 0)
            return names[i];
    assert(false); /* a limit of struct kb_limits that is not in the list */
    return short_of;
}

enum sm_err kb_data_step(struct kb_turn *t, const struct kb_input *in)
{
    struct kb_outputs out = {.put = put_one, .context = t};
    struct kb_input timed = *in;
    timed.wall_ms = kb_wall_ms(t);
    enum sm_err err = kb_replicas_step(t->out->replicas, t->now_us, &timed, &out);
    if (err == SM_ERR_LIMIT)
        t->out->short_of = of_replicas(out.short_of);
    return err;
}

enum sm_err kb_data_ask(struct kb_turn *t, struct kb_input *in)
{
    in->call_id = kb_data_call_open(t);
    if (in->call_id == 0)
        return SM_ERR_LIMIT;
    enum sm_err err = kb_data_step(t, in);
    bool is_silent =
        in->kind == KB_IN_PRODUCE && ((const struct kb_produce *)in->request)->acks == 0;
    if (err != SM_ERR_OK || is_silent)
        kb_data_call_cancel(t, in->call_id);
    return err;
}

enum sm_err kb_data_append(struct kb_turn *t, const struct kb_event *e)
{
    const struct kb_produce_item item = {.topic = kb_coordinator_topic(e->coordinator),
                                         .partition = e->partition,
                                         .batches = &e->batch,
                                         .batch_count = 1};
    const struct kb_produce produce = {.timeout_us = e->timeout_us,
                                       .acks = e->acks,
                                       .origin = KB_FROM_COORDINATOR,
                                       .items = &item,
                                       .count = 1};
    struct kb_input in = {.kind = KB_IN_PRODUCE, .request = &produce};
    if (e->append_id != 0) {
        in.call_id = kb_data_call_new(
            t, (struct kb_data_call){.record = t->in->record,
                                     .append_id = e->append_id,
                                     .coordinator = (uint16_t)(e->coordinator + 1)});
        if (in.call_id == 0)
            return SM_ERR_LIMIT;
    }
    enum sm_err err = kb_data_step(t, &in);
    if (err != SM_ERR_OK)
        kb_data_call_cancel(t, in.call_id);
    return err;
}

enum sm_err kb_data_on_batch(struct kb_turn *t)
{
    const struct wire_broker *own = wire_batch_broker(t->in->batch, t->b->self.id);
    struct kb_input in = {.kind = t->in->api == WIRE_API_LEADER_AND_ISR    ? KB_IN_LEADER_AND_ISR
                                  : t->in->api == WIRE_API_UPDATE_METADATA ? KB_IN_UPDATE_METADATA
                                                                           : KB_IN_STOP_REPLICA,
                          .call_id = t->in->call_id,
                          .broker_epoch = own == NULL ? -1 : own->epoch,
                          .batch = t->in->batch,
                          .broker_index = t->in->index};
    return kb_data_step(t, &in);
}

bool kb_data_on_reply(struct kb_turn *t, enum sm_err *err)
{
    const struct wire_zk_reply *reply = t->in->reply;
    if ((reply->xid & REPLICA_XID) == 0 || !kb_hosts(t))
        return false;
    struct wire_zk_reply *own = kb_turn_scratch(t, reply->size);
    memcpy(own, reply, reply->size);
    own->xid &= ~REPLICA_XID;
    *err = kb_data_step(t, &(struct kb_input){.kind = KB_IN_ZK_REPLY, .reply = own});
    return true;
}
