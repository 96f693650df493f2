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
 * Xids: theirs have the upper bit here, the serving half's have not.
 *
 * Source: Kafka KafkaApis (handleLeaderAndIsrRequest, handleUpdateMetadataRequest,
 * handleStopReplicaRequest), ReplicaManager.maybeUpdateMetadataCache.
 */
#include <assert.h>
#include <string.h>

#include "broker/state.h"

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
           16 * largest;
}

/* ---- calls ---- */

static struct kb_data_call *calls(const struct kb_broker *b)
{
    return (struct kb_data_call *)(void *)kb_region(b, b->data_calls_at);
}

/* Takes out the call of that number; false where it is not there (any more). */
static bool take_call(struct kb_broker *b, uint64_t number, struct kb_data_call *out)
{
    struct kb_data_call *c = calls(b);
    for (uint32_t i = 0; i < b->data_call_count; i++)
        if (c[i].number == number) {
            *out = c[i];
            memmove(&c[i], &c[i + 1], (--b->data_call_count - i) * sizeof *c);
            memset(&c[b->data_call_count], 0, sizeof *c);
            return true;
        }
    return false;
}

void kb_data_drop(struct kb_turn *t)
{
    struct kb_data_call *c = calls(t->b);
    for (uint32_t i = 0; i < t->b->data_call_count; i++)
        if (c[i].call_id == t->in->call_id)
            c[i].call_id = 0;
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
    if (take_call(t->b, o->call_id, &call) && call.call_id != 0)
        kb_data_put_answer(t, &call, o);
}

static void put_one(void *context, const struct kb_output *o)
{
    struct kb_turn *t = context;
    const struct kb_payloads *payloads = t->out->payloads;
    size_t before = t->scratch_used;
    switch ((enum kb_output_kind)o->kind) {
    case KB_OUT_NONE:
    case KB_OUT_LEADERSHIP: /* for coordinators, once there are any */
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
        put(t, (struct kb_broker_output){
                   .kind = KB_BROKER_OUT_TIMER, .timer = o->timer + 1, .due_us = o->due_us});
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
        "replicas.topics",  "replicas.partitions",   "replicas.replicas",  "replicas.topic_name",
        "replicas.batches", "replicas.epochs",       "replicas.producers", "replicas.transactions",
        "replicas.waits",   "replicas.operations",   "replicas.fetchers",  "replicas.sessions",
        "replicas.live",    "replicas.scratch_bytes"};
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
        if (strcmp(names[i] + strlen("replicas."), short_of) == 0)
            return names[i];
    assert(false); /* a limit of struct kb_limits that is not in the list */
    return short_of;
}

enum sm_err kb_data_step(struct kb_turn *t, const struct kb_input *in)
{
    struct kb_outputs out = {.put = put_one, .context = t};
    enum sm_err err = kb_replicas_step(t->out->replicas, t->now_us, in, &out);
    if (err == SM_ERR_LIMIT)
        t->out->short_of = of_replicas(out.short_of);
    return err;
}

enum sm_err kb_data_ask(struct kb_turn *t, struct kb_input *in)
{
    struct kb_broker *b = t->b;
    struct kb_data_call unanswered;
    if (b->data_call_count == b->limits.data_calls) {
        t->out->short_of = "data_calls";
        return SM_ERR_LIMIT;
    }
    in->call_id = ++b->order;
    calls(b)[b->data_call_count++] = (struct kb_data_call){.number = in->call_id,
                                                           .call_id = t->in->call_id,
                                                           .record = t->in->record,
                                                           .api = t->in->api,
                                                           .version = (int16_t)t->in->version};
    if (t->in->size > b->largest_request)
        b->largest_request = t->in->size > UINT32_MAX ? UINT32_MAX : (uint32_t)t->in->size;
    enum sm_err err = kb_data_step(t, in);
    bool is_silent =
        in->kind == KB_IN_PRODUCE && ((const struct kb_produce *)in->request)->acks == 0;
    if (err != SM_ERR_OK || is_silent)
        take_call(b, in->call_id, &unanswered);
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
