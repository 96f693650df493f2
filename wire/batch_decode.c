/*
 * The body of a LeaderAndIsr, UpdateMetadata or StopReplica request -> a batch with one recipient.
 *
 *     head | three sets of one word | records … | {id, place} of each live broker | brokers …
 *
 * Records are written as they are read. Brokers come last on the wire and in any order, but ascend
 * in a batch: their ids and places are noted, put in order, and then each is read where it stands.
 * (The notes are blanked when they have served.)
 *
 * What does not fit is counted all the same, as in wire_decode: the size that is needed is known at
 * the end. It may be told too large where a broker is named twice.
 *
 * Source: wire/batch_codec.h.
 */
#include "wire/batch_codec.h"

#include <assert.h>
#include <string.h>

#include "wire/batch_pick.h"
#include "wire/bytes.h"

struct decoder {
    struct wire_reader r;
    const uint8_t *body;
    struct wire_batch_request q; /* kind and version */
    uint8_t *bytes;
    size_t used, capacity;
    struct wire_batch head;
    bool too_much; /* for a batch to hold */
};

/* Ids as they stand on the wire. */
struct ids {
    const uint8_t *at;
    uint32_t count;
};

struct partition {
    const uint8_t *topic;
    uint32_t topic_size; /* without NUL */
    int32_t partition, controller_epoch, leader, leader_epoch, zk_version;
    struct ids isr, replicas, adding, removing, offline;
    bool flag;
};

/* Zeroed room at the end, of a size that is a multiple of 8; NULL where it does not fit. */
static uint8_t *reserve(struct decoder *d, size_t size)
{
    size_t at = d->used;
    d->used += size;
    d->too_much = d->too_much || d->used > UINT32_MAX;
    if (d->used > d->capacity || d->too_much)
        return NULL;
    memset(d->bytes + at, 0, size);
    return d->bytes + at;
}

static bool stopped(const struct decoder *d)
{
    return d->r.bad || d->too_much;
}

static size_t round_up_8(size_t n)
{
    return (n + 7) & ~(size_t)7;
}

/* ---- partitions ---- */

static struct ids take_ids(struct decoder *d)
{
    int32_t count = wire_take_length(&d->r, 4);
    d->r.bad = d->r.bad || count < 0;
    d->too_much = d->too_much || count > SM_REPLICAS_MAX;
    if (stopped(d))
        return (struct ids){0};
    return (struct ids){wire_take(&d->r, (size_t)count * 4), (uint32_t)count};
}

static void take_topic(struct decoder *d, struct partition *p)
{
    int32_t size = wire_take_length(&d->r, 2);
    d->r.bad = d->r.bad || size < 0;
    d->too_much = d->too_much || size > SM_TOPIC_NAME_MAX;
    if (stopped(d))
        return;
    p->topic = wire_take(&d->r, (size_t)size);
    p->topic_size = (uint32_t)size;
    if (p->topic != NULL && memchr(p->topic, 0, (size_t)size) != NULL)
        d->too_much = true;
}

static void take_leadership(struct decoder *d, struct partition *p)
{
    p->partition = wire_take_int32(&d->r);
    p->controller_epoch = wire_take_int32(&d->r);
    p->leader = wire_take_int32(&d->r);
    p->leader_epoch = wire_take_int32(&d->r);
    p->isr = take_ids(d);
    p->zk_version = wire_take_int32(&d->r);
    p->replicas = take_ids(d);
}

static void take_stop(struct decoder *d, struct partition *p)
{
    p->partition = wire_take_int32(&d->r);
    p->leader_epoch = -1;
    p->flag = d->q.deletes;
    if (d->q.version < 3)
        return;
    p->leader_epoch = wire_take_int32(&d->r);
    p->flag = wire_take_number(&d->r, 1) != 0;
    wire_skip_tagged(&d->r);
}

/* A partition behind its topic's name. */
static void take_partition(struct decoder *d, struct partition *p)
{
    if (d->q.kind == WIRE_RECORD_STOP_REPLICA) {
        take_stop(d, p);
        return;
    }
    take_leadership(d, p);
    if (d->q.kind == WIRE_RECORD_UPDATE_METADATA) {
        if (d->q.version >= 4)
            p->offline = take_ids(d);
    } else {
        if (d->q.version >= 3) {
            p->adding = take_ids(d);
            p->removing = take_ids(d);
        }
        if (d->q.version >= 1)
            p->flag = wire_take_number(&d->r, 1) != 0;
    }
    wire_skip_tagged(&d->r);
}

static uint8_t *put_ids(uint8_t *to, struct ids ids)
{
    for (uint32_t i = 0; i < ids.count; i++) {
        uint32_t n = 0;
        for (size_t k = 0; k < 4; k++)
            n = n << 8 | ids.at[(size_t)i * 4 + k];
        memcpy(to + (size_t)i * 4, &n, sizeof n);
    }
    return to + (size_t)ids.count * 4;
}

static void fill_record(struct wire_record *r, const struct decoder *d, const struct partition *p,
                        size_t size, size_t set_bytes)
{
    r->size = (uint32_t)size;
    r->kind = (uint8_t)d->q.kind;
    r->isr_count = (uint8_t)p->isr.count;
    r->replica_count = (uint8_t)p->replicas.count;
    r->adding_count = (uint8_t)p->adding.count;
    r->removing_count = (uint8_t)p->removing.count;
    r->offline_count = (uint8_t)p->offline.count;
    r->topic_size = (uint16_t)(p->topic_size + 1);
    r->partition = p->partition;
    r->controller_epoch = p->controller_epoch;
    r->leader = p->leader;
    r->leader_epoch = p->leader_epoch;
    r->zk_version = p->zk_version;
    uint8_t *to = (uint8_t *)(void *)(r + 1);
    if (set_bytes > 0) {
        const uint64_t sets[2] = {1, p->flag};
        memcpy(to, sets, sizeof sets);
    }
    to = put_ids(to + set_bytes, p->isr);
    to = put_ids(put_ids(to, p->replicas), p->adding);
    to = put_ids(put_ids(to, p->removing), p->offline);
    if (p->topic_size > 0)
        memcpy(to, p->topic, p->topic_size);
}

static void add_record(struct decoder *d, const struct partition *p)
{
    size_t set_bytes = d->q.kind == WIRE_RECORD_UPDATE_METADATA ? 0 : 2 * sizeof(uint64_t);
    size_t id_count =
        p->isr.count + p->replicas.count + p->adding.count + p->removing.count + p->offline.count;
    size_t size =
        round_up_8(sizeof(struct wire_record) + set_bytes + id_count * 4 + p->topic_size + 1);
    uint8_t *to = reserve(d, size);
    d->head.count[d->q.kind - 1]++;
    if (to != NULL)
        fill_record((void *)to, d, p, size, set_bytes);
}

static void take_topics(struct decoder *d)
{
    int32_t topics = wire_take_length(&d->r, 4);
    d->r.bad = d->r.bad || topics < 0;
    for (int32_t i = 0; i < topics && !stopped(d); i++) {
        struct partition p = {0};
        take_topic(d, &p);
        int32_t partitions = wire_take_length(&d->r, 4);
        d->r.bad = d->r.bad || partitions < 0;
        for (int32_t k = 0; k < partitions && !stopped(d); k++) {
            take_partition(d, &p);
            if (!stopped(d))
                add_record(d, &p);
        }
        wire_skip_tagged(&d->r);
    }
}

static void take_ungrouped(struct decoder *d)
{
    int32_t partitions = wire_take_length(&d->r, 4);
    d->r.bad = d->r.bad || partitions < 0;
    for (int32_t i = 0; i < partitions && !stopped(d); i++) {
        struct partition p = {0};
        take_topic(d, &p);
        take_partition(d, &p);
        if (!stopped(d))
            add_record(d, &p);
    }
}

/* ---- brokers ---- */

struct note {
    int32_t id;
    uint32_t at; /* in the body */
};

static void take_text(struct decoder *d, char *out, size_t capacity, bool may_be_null)
{
    int32_t size = wire_take_length(&d->r, 2);
    d->r.bad = d->r.bad || (size < 0 && !may_be_null);
    if (stopped(d) || size <= 0)
        return;
    const uint8_t *from = wire_take(&d->r, (size_t)size);
    if (from == NULL)
        return;
    if ((size_t)size >= capacity || memchr(from, 0, (size_t)size) != NULL) {
        d->too_much = true;
        return;
    }
    memcpy(out, from, (size_t)size);
}

static void take_protocol(struct decoder *d, struct sm_endpoint *out, int16_t id)
{
    if (id < 0 || id > 3) {
        d->too_much = true;
        return;
    }
    strcpy(out->protocol, wire_security_protocols[id]);
    if (out->listener[0] == '\0')
        strcpy(out->listener, wire_security_protocols[id]);
}

static void take_endpoint(struct decoder *d, struct sm_endpoint *out)
{
    out->port = wire_take_int32(&d->r);
    take_text(d, out->host, sizeof out->host, false);
    if (d->q.version >= 3)
        take_text(d, out->listener, sizeof out->listener, false);
    take_protocol(d, out, wire_take_int16(&d->r));
    wire_skip_tagged(&d->r);
}

static void take_host_and_port(struct decoder *d, struct sm_broker *out)
{
    take_text(d, out->endpoint[0].host, sizeof out->endpoint[0].host, false);
    out->endpoint[0].port = wire_take_int32(&d->r);
    out->endpoint_count = 1;
}

/* A live broker, or a live leader, at the reader's place. */
static void take_broker(struct decoder *d, struct sm_broker *out)
{
    memset(out, 0, sizeof *out);
    out->id = wire_take_int32(&d->r);
    if (d->q.kind == WIRE_RECORD_LEADER_AND_ISR) {
        take_host_and_port(d, out);
    } else if (d->q.version == 0) {
        take_host_and_port(d, out);
        take_protocol(d, &out->endpoint[0], 0);
    } else {
        int32_t endpoints = wire_take_length(&d->r, 4);
        d->r.bad = d->r.bad || endpoints < 0;
        d->too_much = d->too_much || endpoints > SM_ENDPOINTS_MAX;
        for (int32_t i = 0; i < endpoints && !stopped(d); i++)
            take_endpoint(d, &out->endpoint[out->endpoint_count++]);
        if (d->q.version >= 2)
            take_text(d, out->rack, sizeof out->rack, true);
    }
    wire_skip_tagged(&d->r);
}

/* Puts notes in order of id: a heap sort, for brokers are many at most in bytes that lie. */
static void sift(struct note *notes, uint32_t at, uint32_t count)
{
    for (uint32_t child; (child = 2 * at + 1) < count; at = child) {
        if (child + 1 < count && notes[child + 1].id > notes[child].id)
            child++;
        if (notes[at].id >= notes[child].id)
            return;
        struct note swapped = notes[at];
        notes[at] = notes[child];
        notes[child] = swapped;
    }
}

static void sort(struct note *notes, uint32_t count)
{
    for (uint32_t i = count / 2; i > 0; i--)
        sift(notes, i - 1, count);
    for (uint32_t i = count; i > 1; i--) {
        struct note swapped = notes[0];
        notes[0] = notes[i - 1];
        notes[i - 1] = swapped;
        sift(notes, 0, i - 1);
    }
}

static void add_broker(struct decoder *d, const struct sm_broker *b, bool is_recipient,
                       int64_t epoch)
{
    uint8_t *to = reserve(d, wire_broker_size(b));
    if (to != NULL)
        wire_broker_encode((void *)to, is_recipient ? 0 : 1 + d->head.broker_count,
                           is_recipient ? epoch : -1, b);
}

/* Writes the brokers that the notes name, in their order, the recipient among them. */
static void add_brokers(struct decoder *d, const struct note *notes, uint32_t count,
                        int32_t recipient, int64_t epoch)
{
    bool has_recipient = false;
    for (uint32_t i = 0; i <= count; i++) {
        struct sm_broker b = {.id = recipient};
        bool none_left = i == count;
        if (!has_recipient && (none_left || notes[i].id > recipient)) {
            has_recipient = true;
            add_broker(d, &b, true, epoch);
            d->head.broker_count++;
        }
        if (none_left || (i > 0 && notes[i].id == notes[i - 1].id))
            continue;
        d->r.at = d->body + notes[i].at;
        take_broker(d, &b);
        has_recipient = has_recipient || b.id == recipient;
        add_broker(d, &b, b.id == recipient, epoch);
        d->head.broker_count++;
    }
}

/* Reads all brokers once, noting where they stand, if there is room for notes; returns the room
   that their entries need at most. */
static size_t note_brokers(struct decoder *d, struct note *notes, int32_t count)
{
    size_t size = 0;
    for (int32_t i = 0; i < count && !stopped(d); i++) {
        struct sm_broker b;
        uint32_t at = (uint32_t)(d->r.at - d->body);
        take_broker(d, &b);
        if (stopped(d))
            break;
        size += wire_broker_size(&b);
        if (notes != NULL)
            notes[i] = (struct note){b.id, at};
    }
    return size;
}

static void take_brokers(struct decoder *d, int32_t recipient, int64_t epoch)
{
    int32_t count = d->q.kind == WIRE_RECORD_STOP_REPLICA ? 0 : wire_take_length(&d->r, 4);
    d->r.bad = d->r.bad || count < 0 || (size_t)count > wire_left(&d->r);
    if (stopped(d))
        return;
    struct note *notes = (void *)reserve(d, (size_t)count * sizeof *notes);
    size_t size = note_brokers(d, notes, count);
    d->head.brokers = (uint32_t)d->used;
    if (stopped(d))
        return;
    if (notes == NULL || size + sizeof(struct wire_broker) > d->capacity - d->used) {
        d->used += size + sizeof(struct wire_broker);
        return;
    }
    const uint8_t *end = d->r.at;
    sort(notes, (uint32_t)count);
    add_brokers(d, notes, (uint32_t)count, recipient, epoch);
    memset(notes, 0, (size_t)count * sizeof *notes);
    d->r.at = end;
}

/* ---- the whole ---- */

static enum wire_record_kind kind_of(enum wire_api api)
{
    return api == WIRE_API_LEADER_AND_ISR    ? WIRE_RECORD_LEADER_AND_ISR
           : api == WIRE_API_UPDATE_METADATA ? WIRE_RECORD_UPDATE_METADATA
           : api == WIRE_API_STOP_REPLICA    ? WIRE_RECORD_STOP_REPLICA
                                             : WIRE_RECORD_DEAD;
}

static void take_body(struct decoder *d, int32_t recipient)
{
    d->head.controller_id = wire_take_int32(&d->r);
    d->head.controller_epoch = wire_take_int32(&d->r);
    int64_t epoch = wire_pick_has_epoch(&d->q) ? wire_take_int64(&d->r) : -1;
    if (d->q.kind == WIRE_RECORD_STOP_REPLICA && d->q.version < 3)
        d->q.deletes = wire_take_number(&d->r, 1) != 0;
    d->head.records = (uint32_t)d->used;
    if (wire_pick_is_grouped(&d->q))
        take_topics(d);
    else
        take_ungrouped(d);
    d->head.record_bytes = (uint32_t)(d->used - d->head.records);
    take_brokers(d, recipient, epoch);
    wire_skip_tagged(&d->r);
}

enum sm_err wire_batch_decode(enum wire_api api, int16_t version, int32_t broker_id,
                              const uint8_t *bytes, size_t size, void *batch, size_t capacity,
                              size_t *used)
{
    struct decoder d = {.r = wire_reader_of(bytes, size, false),
                        .body = bytes,
                        .q = {.kind = kind_of(api), .version = version},
                        .bytes = batch,
                        .capacity = capacity,
                        .head = {.set_words = 1, .sets = sizeof d.head}};
    *used = 0;
    if (size > INT32_MAX || !wire_pick_has_version(&d.q))
        return SM_ERR_RANGE;
    assert(((uintptr_t)batch & 7) == 0);
    d.r.flexible = wire_pick_is_flexible(&d.q);
    reserve(&d, sizeof d.head + 3 * sizeof(uint64_t));
    take_body(&d, broker_id);
    if (d.too_much)
        return SM_ERR_RANGE;
    if (d.r.bad || d.r.at != d.r.end)
        return SM_ERR_SYNTAX;
    *used = d.used;
    if (d.used > capacity)
        return SM_ERR_LIMIT;
    d.head.size = (uint32_t)d.used;
    memcpy(batch, &d.head, sizeof d.head);
    memcpy((uint8_t *)batch + sizeof d.head + (d.q.kind - 1) * sizeof(uint64_t), &(uint64_t){1},
           sizeof(uint64_t));
    return SM_ERR_OK;
}
