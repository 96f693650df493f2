/*
 * --wire: every message through the codec.
 *
 *     x ──encode──► bytes ──decode──► y ──encode──► the same bytes
 *                                     └── is delivered; x is thrown away
 *
 * Three forms of messages pass here: flat ones (brokers, clients), calls to the controller, and
 * requests out of a controller's batch. A batch is stored once for all recipients; what one of them
 * gets becomes a batch of its own with a single recipient, bit 0, and keeps the one that it was
 * made of: a broker answers in terms of the former, the controller hears terms of the latter.
 *
 * Versions are those of inter.broker.protocol.version 2.6, which all our controllers speak, in
 * every profile (a profile switches rules and defects, not messages); between brokers, and of
 * clients, the version is the message's own; calls have the newest one, as tools ask for.
 *
 * A request groups its partitions by topic, a batch need not. Its order is put back: brokers of
 * Kafka take partitions in the order of hash maps, so none is more right, and runs can be compared.
 *
 * Not here: headers, and what a controller tells the broker in its own process. Where the sender
 * says one error for all partitions, the answer that is delivered says it so as well: on the wire
 * it stands beside each partition, and that each has it is looked at.
 */
#include "sim/world_wire.h"

#include <assert.h>
#include <inttypes.h>
#include <uthash.h>

#include "sim/allocate.h"
#undef uthash_malloc
#undef uthash_free
#define uthash_malloc(size)  sim_realloc(NULL, size)
#define uthash_free(p, size) sim_free(p)

#include "sim/world_state.h"
#include "wire/batch_codec.h"
#include "wire/call_codec.h"

struct room {
    void *at;
    size_t size;
};

enum room_name {
    BYTES,   /* encoded */
    AGAIN,   /* encoded from what was decoded */
    MESSAGE, /* decoded */
    OTHER,   /* another form of it */
    SCRATCH, /* of the batch codec */
    ITEMS,   /* of an answer; a call */
    ROOMS,
};

struct sim_wire {
    struct room room[ROOMS];
};

enum { ROOM_AT_FIRST = 1024 };

struct sim_wire *sim_wire_new(void)
{
    struct sim_wire *s = sim_alloc(sizeof(*s));
    for (size_t i = 0; i < ROOMS; i++)
        s->room[i] = (struct room){.at = sim_realloc(NULL, ROOM_AT_FIRST), .size = ROOM_AT_FIRST};
    return s;
}

void sim_wire_free(struct sim_wire *s)
{
    for (size_t i = 0; s != NULL && i < ROOMS; i++)
        sim_free(s->room[i].at);
    sim_free(s);
}

/* Returns whether the work is to be done again, in larger room. */
static bool grows(struct room *r, enum sm_err err, size_t needed)
{
    if (err != SM_ERR_LIMIT || needed <= r->size)
        return false;
    sim_free(r->at);
    r->size = needed + needed / 2 + 8;
    r->at = sim_realloc(NULL, r->size);
    return true;
}

/* ---- trouble ---- */

/* One message on its way. */
struct carried {
    struct sim_world *w;
    struct sim_message *m;
    enum wire_api api;
    enum wire_direction direction;
    int16_t version;
};

static void fail(const struct carried *c, const char *what, const char *field)
{
    const struct sim_message *m = c->m;
    sim_world_fail(c->w, "--wire: %s %s version %d%s%s: %s (record %" PRIu64 ")",
                   wire_api_name(c->api), c->direction == WIRE_REQUEST ? "request" : "response",
                   c->version, field[0] == '\0' ? "" : ", field ", field, what,
                   m->m != 0 ? m->m : m->by);
}

/* Returns whether they differ; then it has failed. A field that the version does not have has its
   default in memory, too (wire/flat.h): so that nobody reads what no wire would bring. */
static bool differ(const struct carried *c, const void *a, const void *b)
{
    char field[128];
    if (!wire_difference(c->direction, (int16_t)c->api, a, b, field, sizeof(field)))
        return false;
    fail(c, "what is read is not what was written", field);
    return true;
}

/* ---- flat messages ---- */

static enum sm_err encode(const struct carried *c, const void *message, struct room *to,
                          size_t *used)
{
    enum sm_err err;
    do
        err =
            wire_encode(c->direction, (int16_t)c->api, c->version, message, to->at, to->size, used);
    while (grows(to, err, *used));
    return err;
}

static enum sm_err decode(const struct carried *c, const struct room *from, size_t size,
                          struct room *to, size_t *used)
{
    enum sm_err err;
    do
        err = wire_decode(c->direction, (int16_t)c->api, c->version, from->at, size, to->at,
                          to->size, used);
    while (grows(to, err, *used));
    return err;
}

/* Whether what was written a second time, to AGAIN, is what was written first. */
static bool is_written_again(const struct sim_wire *s, size_t size, size_t size_again)
{
    return size == size_again && memcmp(s->room[BYTES].at, s->room[AGAIN].at, size) == 0;
}

/* Takes `message` through bytes into the wire's `message`; *used: its size. False: it failed. */
static bool pass(const struct carried *c, const void *message, size_t *used)
{
    struct sim_wire *s = c->w->wire;
    size_t size, size_again;
    if (encode(c, message, &s->room[BYTES], &size) != SM_ERR_OK) {
        const char *field = wire_refused(c->direction, (int16_t)c->api, c->version, message);
        fail(c, field == NULL ? "there is no such version" : "the version cannot say it",
             field == NULL ? "" : field);
        return false;
    }
    if (decode(c, &s->room[BYTES], size, &s->room[MESSAGE], used) != SM_ERR_OK) {
        fail(c, "what was written cannot be read", "");
        return false;
    }
    if (differ(c, message, s->room[MESSAGE].at))
        return false;
    if (encode(c, s->room[MESSAGE].at, &s->room[AGAIN], &size_again) != SM_ERR_OK ||
        !is_written_again(s, size, size_again)) {
        fail(c, "written again it has other bytes", "");
        return false;
    }
    return true;
}

static void replace_bytes(struct sim_message *m, const void *bytes, size_t size)
{
    if (m->bytes != m->room)
        sim_free(m->bytes);
    sim_message_carry(m, bytes, size);
}

static void carry_message(struct carried *c)
{
    size_t used;
    if (c->m->bytes != NULL && pass(c, c->m->bytes, &used))
        replace_bytes(c->m, c->w->wire->room[MESSAGE].at, used);
}

/* ---- calls ---- */

enum { CALL_TIMEOUT_MS = 60000 }; /* which a call does not keep */

/* Into OTHER. */
static enum sm_err message_of(const struct carried *c, const struct wire_call *call)
{
    struct room *to = &c->w->wire->room[OTHER];
    const struct wire_call_extra extra = {.timeout_ms = CALL_TIMEOUT_MS};
    size_t used;
    enum sm_err err;
    do
        err = wire_call_to_message(c->direction, call, &extra, to->at, to->size, &used);
    while (grows(to, err, used));
    return err;
}

static void carry_call(struct carried *c)
{
    struct sim_wire *s = c->w->wire;
    struct room *read = &s->room[ITEMS];
    const struct wire_call *call = c->m->bytes;
    size_t used;
    enum sm_err err;
    c->api = (enum wire_api)call->api;
    c->version = wire_api_info((int16_t)c->api)->max;
    if (message_of(c, call) != SM_ERR_OK) {
        fail(c, "it has no message", "");
        return;
    }
    if (!pass(c, s->room[OTHER].at, &used))
        return;
    do
        err = wire_call_of_message(c->direction, c->api, s->room[MESSAGE].at, read->at, read->size,
                                   &used);
    while (grows(read, err, used));
    if (err != SM_ERR_OK || message_of(c, read->at) != SM_ERR_OK)
        fail(c, "what is read is no call", "");
    else if (!differ(c, s->room[MESSAGE].at, s->room[OTHER].at))
        replace_bytes(c->m, read->at, used);
}

/* ---- requests out of a batch ---- */

static struct wire_batch_request request_of(const struct carried *c, const struct wire_batch *batch)
{
    int32_t to = c->direction == WIRE_REQUEST ? c->m->process->id : c->m->channel->broker->id;
    return (struct wire_batch_request){
        .batch = batch,
        .kind = c->api == WIRE_API_LEADER_AND_ISR    ? WIRE_RECORD_LEADER_AND_ISR
                : c->api == WIRE_API_UPDATE_METADATA ? WIRE_RECORD_UPDATE_METADATA
                                                     : WIRE_RECORD_STOP_REPLICA,
        .index = wire_batch_bit(batch, to),
        .version = c->version};
}

/* LeaderAndIsr 4, UpdateMetadata 6, StopReplica 3: ControllerBrokerRequestBatch at 2.6. */
static int16_t version_at_2_6(enum wire_api api)
{
    return api == WIRE_API_LEADER_AND_ISR ? 4 : api == WIRE_API_UPDATE_METADATA ? 6 : 3;
}

static void *scratch_for(struct sim_wire *s, const struct wire_batch *batch)
{
    size_t needed = wire_batch_scratch_size(batch);
    grows(&s->room[SCRATCH], SM_ERR_LIMIT, needed);
    return s->room[SCRATCH].at;
}

static enum sm_err encode_batch(const struct carried *c, const struct wire_batch *batch,
                                struct room *to, size_t *used)
{
    struct wire_batch_request q = request_of(c, batch);
    void *scratch = scratch_for(c->w->wire, batch);
    enum sm_err err;
    do
        err = wire_batch_encode(&q, scratch, to->at, to->size, used, NULL);
    while (grows(to, err, *used));
    return err;
}

/* The bytes of two requests differ: the field, where both can be read. */
static void fail_batch(const struct carried *c, size_t size, size_t size_again)
{
    struct sim_wire *s = c->w->wire;
    size_t used;
    if (decode(c, &s->room[BYTES], size, &s->room[MESSAGE], &used) == SM_ERR_OK &&
        decode(c, &s->room[AGAIN], size_again, &s->room[OTHER], &used) == SM_ERR_OK)
        differ(c, s->room[MESSAGE].at, s->room[OTHER].at);
    fail(c, "written again it has other bytes", ""); /* the first one that is told counts */
}

/* A topic of what was read, and how far the records of it have been taken. */
struct topic {
    const char *name; /* in the batch */
    uint32_t at;      /* offset of the next record */
    UT_hash_handle hh;
};

static struct topic *topics_of(const struct wire_batch *read, enum wire_record_kind kind)
{
    struct topic *topics = NULL, *last = NULL;
    struct wire_record_view v = {0};
    while (wire_batch_next(read, kind, &v)) {
        if (last != NULL && strcmp(last->name, v.topic) == 0)
            continue;
        last = sim_alloc(sizeof(*last));
        last->name = v.topic;
        last->at = v.offset;
        HASH_ADD_KEYPTR(hh, topics, last->name, strlen(last->name), last);
    }
    return topics;
}

static void free_topics(struct topic *topics)
{
    struct topic *t, *next;
    HASH_ITER(hh, topics, t, next)
    {
        HASH_DEL(topics, t);
        sim_free(t);
    }
}

/* Puts what was read, in MESSAGE, into the order of what `q` was made of; in OTHER. False: they are
   not the same partitions. */
static bool order(struct sim_wire *s, const struct wire_batch_request *q, size_t size)
{
    const struct wire_batch *read = s->room[MESSAGE].at;
    struct wire_record_view v = {0}, next = {0};
    struct topic *t, *topics = topics_of(read, q->kind);
    size_t to = read->records;
    bool same = true;
    grows(&s->room[OTHER], SM_ERR_LIMIT, size);
    memcpy(s->room[OTHER].at, read, size);
    while (same && wire_batch_next_for(q->batch, q->kind, q->index, &v)) {
        HASH_FIND_STR(topics, v.topic, t);
        same = t != NULL && wire_batch_at(read, t->at, &next) &&
               next.record->partition == v.record->partition;
        if (!same)
            break;
        memcpy((uint8_t *)s->room[OTHER].at + to, next.record, next.record->size);
        to += next.record->size;
        t->at += next.record->size;
    }
    free_topics(topics);
    return same && to == read->records + read->record_bytes;
}

static void carry_request(struct carried *c)
{
    struct sim_wire *s = c->w->wire;
    struct sim_message *m = c->m;
    size_t size, size_again, used;
    enum sm_err err;
    if (encode_batch(c, m->batch->batch, &s->room[BYTES], &size) != SM_ERR_OK) {
        fail(c, "the version cannot say it", "");
        return;
    }
    do
        err = wire_batch_decode(c->api, c->version, m->process->id, s->room[BYTES].at, size,
                                s->room[MESSAGE].at, s->room[MESSAGE].size, &used);
    while (grows(&s->room[MESSAGE], err, used));
    if (err != SM_ERR_OK) {
        fail(c, "what was written cannot be read", "");
        return;
    }
    const struct wire_batch_request q = request_of(c, m->batch->batch);
    if (encode_batch(c, s->room[MESSAGE].at, &s->room[AGAIN], &size_again) != SM_ERR_OK ||
        !is_written_again(s, size, size_again))
        fail_batch(c, size, size_again);
    else if (!order(s, &q, used))
        fail(c, "other partitions are read than were written", "");
    else
        m->batch = sim_batch_received(m->batch, s->room[OTHER].at, used);
}

/* ---- answers to them ---- */

static enum sm_err decode_answer(const struct carried *c, const struct wire_batch *batch,
                                 size_t size, struct room *items, struct wire_answer *out)
{
    struct sim_wire *s = c->w->wire;
    struct wire_batch_request q = request_of(c, batch);
    void *scratch = scratch_for(s, batch);
    enum sm_err err;
    do
        err = wire_answer_decode(&q, s->room[BYTES].at, size, scratch, items->at,
                                 (uint32_t)(items->size / sizeof(struct wire_answer_item)), out);
    while (grows(items, err, out->count * sizeof(struct wire_answer_item)));
    out->items = items->at;
    return err;
}

static enum sm_err encode_answer(const struct carried *c, const struct wire_batch *batch,
                                 const struct wire_answer *answer, struct room *to, size_t *used)
{
    struct wire_batch_request q = request_of(c, batch);
    enum sm_err err;
    do
        err = wire_answer_encode(&q, answer, to->at, to->size, used);
    while (grows(to, err, *used));
    return err;
}

/* What is left when the partitions that have the error of all are not told one by one. */
static void fold(struct wire_answer *a, struct wire_answer_item *items, int32_t of_all)
{
    uint32_t kept = 0;
    for (uint32_t i = 0; i < a->count; i++)
        if (items[i].error != of_all)
            items[kept++] = items[i];
    a->count = kept;
    a->partition_error = of_all;
}

static void carry_answer(struct carried *c)
{
    struct sim_wire *s = c->w->wire;
    struct sim_message *m = c->m;
    const struct wire_batch *batch = m->batch->batch, *sent = m->batch->sent->batch;
    struct wire_answer answer = {0};
    size_t size, size_again;
    if (encode_answer(c, batch, &m->answer, &s->room[BYTES], &size) != SM_ERR_OK) {
        fail(c, "the version cannot say it", "");
        return;
    }
    if (decode_answer(c, batch, size, &s->room[ITEMS], &answer) != SM_ERR_OK) {
        fail(c, "what was written cannot be read", "");
        return;
    }
    if (encode_answer(c, batch, &answer, &s->room[AGAIN], &size_again) != SM_ERR_OK ||
        !is_written_again(s, size, size_again)) {
        fail_batch(c, size, size_again);
        return;
    }
    if (decode_answer(c, sent, size, &s->room[ITEMS], &answer) != SM_ERR_OK) {
        fail(c, "it does not answer what was asked", "");
        return;
    }
    if (m->answer.partition_error != 0)
        fold(&answer, s->room[ITEMS].at, m->answer.partition_error);
    replace_bytes(m, s->room[ITEMS].at, answer.count * sizeof(struct wire_answer_item));
    m->answer = answer;
    m->answer.items = m->bytes;
}

/* ---- which is which ---- */

/* What travels as bytes of Kafka's protocol; messages of ZooKeeper, and news of broken connections,
   do not. */
static const struct {
    void (*carry)(struct carried *c);
    enum wire_direction direction;
    bool is_at_2_6; /* a controller's: in the version that 2.6 speaks */
} carriers[] = {
    [SIM_M_REQUEST] = {carry_request, WIRE_REQUEST, true},
    [SIM_M_ANSWER] = {carry_answer, WIRE_RESPONSE, true},
    [SIM_M_CALL] = {carry_call, WIRE_REQUEST, false},
    [SIM_M_CALL_ANSWER] = {carry_call, WIRE_RESPONSE, false},
    [SIM_M_PEER_REQUEST] = {carry_message, WIRE_REQUEST, false},
    [SIM_M_PEER_RESPONSE] = {carry_message, WIRE_RESPONSE, false},
    [SIM_M_CLIENT_REQUEST] = {carry_message, WIRE_REQUEST, false},
    [SIM_M_CLIENT_RESPONSE] = {carry_message, WIRE_RESPONSE, false},
    [SIM_M_CLIENT_BROKEN] = {NULL, WIRE_REQUEST, false},
};

void sim_wire_carry(struct sim_world *w, struct sim_message *m)
{
    struct carried c = {.w = w, .m = m, .api = m->api, .version = (int16_t)m->version};
    assert(m->kind < sizeof carriers / sizeof carriers[0]);
    if (carriers[m->kind].carry == NULL)
        return;
    c.direction = carriers[m->kind].direction;
    if (carriers[m->kind].is_at_2_6)
        c.version = version_at_2_6(m->api);
    carriers[m->kind].carry(&c);
}
