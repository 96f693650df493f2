/*
 * What a node asks of ZooKeeper for itself.
 *
 *   cluster id      /cluster/id read; where it is missing, made, as the first broker of a cluster
 *                   does; a race is lost by reading the winner's
 *   dynamic         /config/brokers/N and /config/brokers/<default>, at each new session, when
 *   settings        they were changed (and by DescribeConfigs before it answers)
 *   producer ids    blocks of 1000 from /latest_producer_id_block: read, then a write under the
 *                   version read; a conflict reads again
 *
 * Each has at most one request in flight; of settings that changed meanwhile the later reply counts.
 *
 * Source: Kafka KafkaServer.getOrGenerateClusterId, DynamicBrokerConfig.initialize,
 * ProducerIdManager. Differs: Kafka claims its first block of ids as it starts, here when somebody
 * first wants one.
 */
#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "broker/coordinators.h"
#include "statemachine/json.h"
#include "statemachine/text.h"

#define PRODUCER_IDS "/latest_producer_id_block"

enum { BLOCK = 1000, VERSION_UNREAD = -2, VERSION_CONFLICT = -3 };

/* ---- the cluster's id ---- */

static void read_cluster_id(struct kb_turn *t)
{
    t->b->cluster_xid =
        kb_zk_ask(t, &(struct kb_zk){.opcode = WIRE_ZK_GET_DATA, .path = "/cluster/id"});
}

/* 16 bytes by chance (a version 4 UUID) as 22 characters of URL-safe base64. */
static void draw_id(struct kb_broker *b, char out[23])
{
    static const char letters[] =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    uint8_t u[18] = {0};
    for (int i = 0; i < 16; i++)
        u[i] = (uint8_t)kb_draw(b, 256);
    u[6] = (uint8_t)((u[6] & 0x0f) | 0x40);
    u[8] = (uint8_t)((u[8] & 0x3f) | 0x80);
    for (int i = 0; i < 22; i++) {
        int bit = i * 6;
        uint32_t pair = (uint32_t)u[bit / 8] << 8 | u[bit / 8 + 1];
        out[i] = letters[pair >> (10 - bit % 8) & 63];
    }
    out[22] = '\0';
}

static void make_cluster_id(struct kb_turn *t)
{
    char id[23], text[80];
    draw_id(t->b, id);
    int n = snprintf(text, sizeof text, "{\"version\":\"1\",\"id\":\"%s\"}", id);
    kb_zk_ask(t, &(struct kb_zk){.opcode = WIRE_ZK_CREATE, .path = "/cluster"});
    t->b->cluster_xid = kb_zk_ask(
        t, &(struct kb_zk){
               .opcode = WIRE_ZK_CREATE, .path = "/cluster/id", .data = text, .size = (size_t)n});
}

static void take_cluster_id(struct kb_turn *t, const struct kb_reply *r)
{
    struct sm_json j = sm_json_begin((const char *)r->data, r->size);
    struct sm_span key, value = {0};
    size_t size;
    for (sm_json_object(&j); sm_json_member(&j, &key);) {
        if (sm_span_is(&key, "id"))
            sm_json_string(&j, &value);
        else
            sm_json_skip(&j);
    }
    if (sm_json_end(&j) != SM_ERR_OK || value.at == NULL ||
        sm_span_copy(&value, t->b->cluster_id, KB_CLUSTER_ID_MAX, &size) != SM_ERR_OK)
        kb_log(t, "The znode /cluster/id cannot be read; the cluster has no id");
    if (t->b->cluster_id[0] == '\0')
        snprintf(t->b->cluster_id, sizeof t->b->cluster_id, "unknown");
    kb_log(t, "Cluster ID = %s", t->b->cluster_id);
    kb_wake(t, KB_PHASE_CLUSTER_ID);
}

static void on_cluster_id(struct kb_turn *t, const struct kb_reply *r)
{
    t->b->cluster_xid = 0;
    if (r->err == WIRE_ZK_OK && r->view.result->opcode == WIRE_ZK_GET_DATA)
        take_cluster_id(t, r);
    else if (r->err == WIRE_ZK_NO_NODE && r->view.result != NULL &&
             r->view.result->opcode == WIRE_ZK_GET_DATA)
        make_cluster_id(t);
    else if (r->err == WIRE_ZK_OK || r->err == WIRE_ZK_NODE_EXISTS)
        read_cluster_id(t);
}

/* ---- dynamic settings ---- */

static void read_dynamic(struct kb_turn *t)
{
    char path[64];
    snprintf(path, sizeof path, "/config/brokers/%" PRId32, t->b->self.id);
    t->b->dynamic_xid[0] = kb_zk_ask(t, &(struct kb_zk){.opcode = WIRE_ZK_GET_DATA, .path = path});
    t->b->dynamic_xid[1] = kb_zk_ask(
        t, &(struct kb_zk){.opcode = WIRE_ZK_GET_DATA, .path = "/config/brokers/<default>"});
}

void kb_dynamic_changed(struct kb_turn *t, const char *broker)
{
    char own[16];
    snprintf(own, sizeof own, "%" PRId32, t->b->self.id);
    if (strcmp(broker, own) == 0 || strcmp(broker, "<default>") == 0)
        read_dynamic(t);
}

void kb_dynamic_take(struct kb_broker *b, int which, const struct kb_reply *r)
{
    struct kb_props p = kb_props_begin(b->dynamic[which], KB_DYNAMIC_BYTES);
    if (r->err != WIRE_ZK_OK && r->err != WIRE_ZK_NO_NODE)
        return;
    memset(b->dynamic[which], 0, KB_DYNAMIC_BYTES);
    if (r->err == WIRE_ZK_OK)
        kb_props_read_znode(&p, r->data, r->size);
    b->dynamic_size[which] = (uint32_t)p.size;
}

void kb_cluster_begin(struct kb_turn *t)
{
    if (t->b->cluster_id[0] == '\0')
        read_cluster_id(t);
    read_dynamic(t);
}

bool kb_cluster_on_reply(struct kb_turn *t, const struct kb_reply *r, uint32_t xid)
{
    if (xid == t->b->cluster_xid) {
        on_cluster_id(t, r);
        return true;
    }
    for (int which = 0; which < 2; which++)
        if (xid == t->b->dynamic_xid[which]) {
            t->b->dynamic_xid[which] = 0;
            kb_dynamic_take(t->b, which, r);
            return true;
        }
    return false;
}

/* ---- producer ids ---- */

static void read_block(struct kb_turn *t, int32_t why)
{
    t->b->ids.version = why;
    t->b->ids.xid = kb_zk_ask(t, &(struct kb_zk){.opcode = WIRE_ZK_GET_DATA, .path = PRODUCER_IDS});
}

bool kb_producer_id(struct kb_turn *t, int64_t *id)
{
    struct kb_producer_ids *ids = &t->b->ids;
    if (ids->next <= ids->last) {
        *id = ids->next++;
        return true;
    }
    if (ids->xid == 0)
        read_block(t, VERSION_UNREAD);
    return false;
}

static bool read_long(struct sm_json *j, int64_t *out)
{
    struct sm_span value;
    char text[24], *end;
    size_t size;
    if (!sm_json_string(j, &value) || sm_span_copy(&value, text, sizeof text, &size) != SM_ERR_OK)
        return false;
    *out = strtoll(text, &end, 10);
    return size > 0 && *end == '\0';
}

struct block {
    int32_t broker;
    int64_t begin, end;
};

static bool decode_block(const uint8_t *data, size_t size, struct block *b)
{
    struct sm_json j = sm_json_begin((const char *)data, size);
    struct sm_span key;
    int found = 0;
    for (sm_json_object(&j); sm_json_member(&j, &key);) {
        if (sm_span_is(&key, "broker"))
            found |= sm_json_int32(&j, &b->broker) ? 1 : 0;
        else if (sm_span_is(&key, "block_start"))
            found |= read_long(&j, &b->begin) ? 2 : 0;
        else if (sm_span_is(&key, "block_end"))
            found |= read_long(&j, &b->end) ? 4 : 0;
        else
            sm_json_skip(&j);
    }
    return sm_json_end(&j) == SM_ERR_OK && found == 7;
}

static void use_block(struct kb_turn *t)
{
    struct kb_producer_ids *ids = &t->b->ids;
    ids->next = ids->begin;
    ids->last = ids->begin + BLOCK - 1;
    kb_log(t,
           "[ProducerId Manager %" PRId32 "]: Acquired new producerId block (brokerId:%" PRId32
           ",blockStartProducerId:%" PRId64 ",blockEndProducerId:%" PRId64 ")",
           t->b->self.id, t->b->self.id, ids->begin, ids->last);
}

static void claim_block(struct kb_turn *t, int32_t version)
{
    struct kb_producer_ids *ids = &t->b->ids;
    char text[160];
    int n = snprintf(text, sizeof text,
                     "{\"version\":1,\"broker\":%" PRId32 ",\"block_start\":\"%" PRId64
                     "\",\"block_end\":\"%" PRId64 "\"}",
                     t->b->self.id, ids->begin, ids->begin + BLOCK - 1);
    ids->version = version;
    ids->xid = kb_zk_ask(t, &(struct kb_zk){.opcode = WIRE_ZK_SET_DATA,
                                            .version = version + 1,
                                            .path = PRODUCER_IDS,
                                            .data = text,
                                            .size = (size_t)n});
}

/* Ids are used up, or the znode cannot be read: those who wait are told; 0 waits for nothing. */
static void give_up(struct kb_turn *t, const char *why)
{
    kb_log(t, "[ProducerId Manager %" PRId32 "]: %s", t->b->self.id, why);
    t->b->ids.begin = -1;
    kb_wake(t, KB_PHASE_PRODUCER_ID);
    t->b->ids.begin = 0;
}

static void on_block_read(struct kb_turn *t, const struct kb_reply *r)
{
    struct kb_producer_ids *ids = &t->b->ids;
    struct block b = {.broker = -1, .begin = -1, .end = -1};
    bool empty = r->size == 0;
    if (r->err != WIRE_ZK_OK || (!empty && !decode_block(r->data, r->size, &b)))
        give_up(t, "the block of producer ids in ZooKeeper cannot be read");
    else if (b.end > INT64_MAX - BLOCK)
        give_up(t, "Exhausted all producerIds as the next block's end producerId is will has "
                   "exceeded long type limit");
    else if (!empty && ids->version == VERSION_CONFLICT && b.broker == t->b->self.id &&
             b.begin == ids->begin) {
        use_block(t); /* the write of before had come through: its reply was lost */
        kb_wake(t, KB_PHASE_PRODUCER_ID);
    } else {
        ids->begin = b.end + 1;
        claim_block(t, r->version);
    }
}

bool kb_producer_ids_on_reply(struct kb_turn *t, const struct kb_reply *r, uint32_t xid)
{
    struct kb_producer_ids *ids = &t->b->ids;
    if (xid != ids->xid || xid == 0)
        return false;
    ids->xid = 0;
    if (ids->version < 0) {
        on_block_read(t, r);
    } else if (r->err == WIRE_ZK_OK) {
        use_block(t);
        kb_wake(t, KB_PHASE_PRODUCER_ID);
    } else if (r->err == WIRE_ZK_BAD_VERSION) {
        read_block(t, VERSION_CONFLICT);
    } else {
        give_up(t, "the block of producer ids in ZooKeeper cannot be written");
    }
    return true;
}

/* ---- InitProducerId ---- */

enum { NO_ID = -1 };

static void answer_id(struct kb_turn *t, struct kb_slot *s, int32_t error, int64_t id)
{
    struct wire_flat f;
    struct wire_init_producer_id_response *head =
        kb_answer_begin(t, &f, WIRE_API_INIT_PRODUCER_ID, sizeof *head);
    head->error_code = (int16_t)error;
    head->producer_id = id;
    head->producer_epoch = (int16_t)(error == 0 ? 0 : -1);
    if (s == NULL)
        kb_answer_send(t, &f);
    else
        kb_slot_answer(t, s, &f);
}

/* With a transactional id the coordinator of that id is asked: not here without data, and with data
   not here (coordinator_txns.c). */
static int32_t refusal(const struct kb_broker *b, const struct wire_init_producer_id_request *q)
{
    if ((q->producer_id == NO_ID) != (q->producer_epoch == NO_ID))
        return WIRE_ERROR_INVALID_REQUEST;
    if (q->transactional_id.size < 0)
        return 0;
    if (q->transactional_id.size == 0)
        return WIRE_ERROR_INVALID_REQUEST;
    if (q->transaction_timeout_ms <= 0 ||
        q->transaction_timeout_ms > kb_property_int(b, "transaction.max.timeout.ms"))
        return WIRE_ERROR_INVALID_TRANSACTION_TIMEOUT;
    return WIRE_ERROR_NOT_COORDINATOR;
}

void kb_begin_init_producer_id(struct kb_turn *t)
{
    int64_t id;
    int32_t error = refusal(t->b, t->in->message);
    if (error != 0)
        answer_id(t, NULL, error, NO_ID);
    else if (kb_producer_id(t, &id))
        answer_id(t, NULL, 0, id);
    else
        kb_slot_take(t, 0, 0)->phase = KB_PHASE_PRODUCER_ID;
}

void kb_advance_init_producer_id(struct kb_turn *t, struct kb_slot *s, const struct kb_reply *r)
{
    int64_t id;
    (void)r;
    const struct wire_init_producer_id_request *q = kb_request_of(t->b, s);
    if (t->b->ids.begin == -1) /* see give_up */
        answer_id(t, s, WIRE_ERROR_UNKNOWN_SERVER_ERROR, NO_ID);
    else if (q->transactional_id.size >= 0)
        kb_coordinators_on_waiter(t, s);
    else if (kb_producer_id(t, &id))
        answer_id(t, s, 0, id);
}
