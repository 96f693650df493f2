/*
 * Requests that name topics and partitions, to a node that hosts none of them. Request and response
 * have the same form, whatever the API: topics, each with a name and partitions, each with a number
 * and, in the response, an error. So there is one walk, and a row per API that says where these
 * things lie.
 *
 * What is not in the cache does not exist; what is has its leader elsewhere. APIs that go to a
 * coordinator are told that this node is none.
 *
 * Source: Kafka KafkaApis.handleProduceRequest, handleFetchRequest, handleListOffsetRequest,
 * handleOffsetForLeaderEpochRequest, handleDeleteRecordsRequest, handleOffsetCommitRequest,
 * handleOffsetFetchRequest, handleAddPartitionToTxnRequest, handleTxnOffsetCommitRequest,
 * handleDescribeProducersRequest; ReplicaManager.getPartitionOrError.
 */
#include <assert.h>
#include <string.h>

#include "broker/state.h"

struct side {
    const struct wire_layout *topic, *partition; /* partition NULL: numbers alone */
    uint32_t topics, name, partitions, number, error;
};

struct mirror {
    int16_t api;
    int16_t known; /* error of a partition that exists */
    struct side request, response;
};

#define REQUEST(api, topics_, topic_, name_, partitions_, partition_, number_)                     \
    {                                                                                              \
        .topic = &wire_layout_##api##_request_##topic_,                                            \
        .partition = &wire_layout_##api##_request_##partition_,                                    \
        .topics = offsetof(struct wire_##api##_request, topics_),                                  \
        .name = offsetof(struct wire_##api##_request_##topic_, name_),                             \
        .partitions = offsetof(struct wire_##api##_request_##topic_, partitions_),                 \
        .number = offsetof(struct wire_##api##_request_##partition_, number_),                     \
    }
#define NUMBERS(api, topics_, topic_, name_, partitions_)                                          \
    {                                                                                              \
        .topic = &wire_layout_##api##_request_##topic_,                                            \
        .topics = offsetof(struct wire_##api##_request, topics_),                                  \
        .name = offsetof(struct wire_##api##_request_##topic_, name_),                             \
        .partitions = offsetof(struct wire_##api##_request_##topic_, partitions_),                 \
    }
#define RESPONSE(api, topics_, topic_, name_, partitions_, partition_, number_)                    \
    {                                                                                              \
        .topic = &wire_layout_##api##_response_##topic_,                                           \
        .partition = &wire_layout_##api##_response_##partition_,                                   \
        .topics = offsetof(struct wire_##api##_response, topics_),                                 \
        .name = offsetof(struct wire_##api##_response_##topic_, name_),                            \
        .partitions = offsetof(struct wire_##api##_response_##topic_, partitions_),                \
        .number = offsetof(struct wire_##api##_response_##partition_, number_),                    \
        .error = offsetof(struct wire_##api##_response_##partition_, error_code),                  \
    }

static const struct mirror mirrors[] = {
    {WIRE_API_PRODUCE, WIRE_ERROR_NOT_LEADER_OR_FOLLOWER,
     REQUEST(produce, topic_data, topic_data, name, partition_data, partition_data, index),
     RESPONSE(produce, responses, response, name, partition_responses, partition_response, index)},
    {WIRE_API_FETCH, WIRE_ERROR_NOT_LEADER_OR_FOLLOWER,
     REQUEST(fetch, topics, topic, topic, partitions, partition, partition),
     RESPONSE(fetch, responses, response, topic, partition_responses, partition_response,
              partition)},
    {WIRE_API_LIST_OFFSETS, WIRE_ERROR_NOT_LEADER_OR_FOLLOWER,
     REQUEST(list_offsets, topics, topic, name, partitions, partition, partition_index),
     RESPONSE(list_offsets, topics, topic, name, partitions, partition, partition_index)},
    {WIRE_API_OFFSET_FOR_LEADER_EPOCH, WIRE_ERROR_NOT_LEADER_OR_FOLLOWER,
     REQUEST(offset_for_leader_epoch, topics, topic, topic, partitions, partition, partition),
     RESPONSE(offset_for_leader_epoch, topics, topic, topic, partitions, partition, partition)},
    {WIRE_API_DELETE_RECORDS, WIRE_ERROR_NOT_LEADER_OR_FOLLOWER,
     REQUEST(delete_records, topics, topic, name, partitions, partition, partition_index),
     RESPONSE(delete_records, topics, topic, name, partitions, partition, partition_index)},
    {WIRE_API_OFFSET_COMMIT, WIRE_ERROR_NOT_COORDINATOR,
     REQUEST(offset_commit, topics, topic, name, partitions, partition, partition_index),
     RESPONSE(offset_commit, topics, topic, name, partitions, partition, partition_index)},
    {WIRE_API_OFFSET_FETCH, WIRE_ERROR_NOT_COORDINATOR,
     NUMBERS(offset_fetch, topics, topic, name, partition_indexes),
     RESPONSE(offset_fetch, topics, topic, name, partitions, partition, partition_index)},
    {WIRE_API_ADD_PARTITIONS_TO_TXN, WIRE_ERROR_NOT_COORDINATOR,
     NUMBERS(add_partitions_to_txn, topics, topic, name, partitions),
     RESPONSE(add_partitions_to_txn, results, topic_result, name, results, partition_result,
              partition_index)},
    {WIRE_API_TXN_OFFSET_COMMIT, WIRE_ERROR_NOT_COORDINATOR,
     REQUEST(txn_offset_commit, topics, topic, name, partitions, partition, partition_index),
     RESPONSE(txn_offset_commit, topics, topic, name, partitions, partition, partition_index)},
    {WIRE_API_DESCRIBE_PRODUCERS, WIRE_ERROR_NOT_LEADER_OR_FOLLOWER,
     NUMBERS(describe_producers, topics, topic, name, partition_indexes),
     RESPONSE(describe_producers, topics, topic, name, partitions, partition, partition_index)},
};

static const struct mirror *mirror_of(int32_t api)
{
    for (size_t i = 0; i < sizeof mirrors / sizeof mirrors[0]; i++)
        if (mirrors[i].api == api)
            return &mirrors[i];
    return NULL;
}

/* ---- reading by offsets ---- */

static struct wire_array array_at(const uint8_t *s, uint32_t offset)
{
    struct wire_array a;
    memcpy(&a, s + offset, sizeof a);
    return a;
}

static const uint8_t *topic_at(const struct mirror *m, const uint8_t *q, int32_t i)
{
    return q + array_at(q, m->request.topics).at + (size_t)i * m->request.topic->size;
}

static int32_t number_at(const struct mirror *m, const uint8_t *q, const uint8_t *topic, int32_t k)
{
    size_t stride = m->request.partition == NULL ? 4 : m->request.partition->size;
    const uint8_t *p = q + array_at(topic, m->request.partitions).at + (size_t)k * stride;
    int32_t number;
    memcpy(&number, p + (m->request.partition == NULL ? 0 : m->request.number), sizeof number);
    return number;
}

static struct wire_string name_at(const struct mirror *m, const uint8_t *topic)
{
    struct wire_string name;
    memcpy(&name, topic + m->request.name, sizeof name);
    return name;
}

static uint32_t count_at(const uint8_t *s, uint32_t offset)
{
    int32_t count = array_at(s, offset).count;
    return count < 0 ? 0 : (uint32_t)count;
}

struct kb_room kb_room_mirror(const struct kb_broker *b, const struct kb_broker_input *in)
{
    const struct mirror *m = mirror_of(in->api);
    size_t size = 4096 + 16 * (in->size < 1u << 24 ? in->size : 1u << 24);
    (void)b;
    if (m != NULL) {
        uint32_t topics = count_at(in->message, m->request.topics);
        size = 4096 + (size_t)topics * (m->response.topic->size + 280 + 16);
        for (uint32_t i = 0; i < topics; i++)
            size += (size_t)count_at(topic_at(m, in->message, (int32_t)i), m->request.partitions) *
                        m->response.partition->size +
                    (size_t)name_at(m, topic_at(m, in->message, (int32_t)i)).size;
    }
    return (struct kb_room){.scratch = size};
}

/* ---- the walk ---- */

typedef int32_t judge(struct kb_turn *t, const struct mirror *m, const char *name, size_t size,
                      int32_t partition, int32_t context);

static bool exists(struct kb_turn *t, const char *name, size_t size, int32_t partition)
{
    const struct kb_cache *c = kb_broker_cache(t->b);
    return kb_cache_partition(c, kb_cache_topic(c, name, size), partition) != NULL;
}

static int32_t by_cache(struct kb_turn *t, const struct mirror *m, const char *name, size_t size,
                        int32_t partition, int32_t context)
{
    (void)context;
    return exists(t, name, size, partition) ? m->known : WIRE_ERROR_UNKNOWN_TOPIC_OR_PARTITION;
}

/* Whether the topics of the request are such that all judge alike. */
static int32_t always(struct kb_turn *t, const struct mirror *m, const char *name, size_t size,
                      int32_t partition, int32_t context)
{
    (void)t, (void)m, (void)name, (void)size, (void)partition;
    return context;
}

static int32_t for_deletion(struct kb_turn *t, const struct mirror *m, const char *name,
                            size_t size, int32_t partition, int32_t context)
{
    int32_t error = by_cache(t, m, name, size, partition, context);
    return error == m->known && kb_topic_is_internal(name) ? WIRE_ERROR_INVALID_TOPIC_EXCEPTION
                                                           : error;
}

/* `context`: 1 where some partition of the request cannot be added at all. */
static int32_t for_transaction(struct kb_turn *t, const struct mirror *m, const char *name,
                               size_t size, int32_t partition, int32_t context)
{
    if (kb_topic_is_internal(name))
        return WIRE_ERROR_TOPIC_AUTHORIZATION_FAILED;
    int32_t error = by_cache(t, m, name, size, partition, 0);
    return error == m->known && context ? WIRE_ERROR_OPERATION_NOT_ATTEMPTED : error;
}

/* What a partition without an answer has where the schema's default says another thing. */
static void set_unknown(int16_t api, uint8_t *p)
{
    if (api == WIRE_API_PRODUCE) {
        ((struct wire_produce_response_partition_response *)(void *)p)->base_offset = -1;
    } else if (api == WIRE_API_FETCH) {
        struct wire_fetch_response_partition_response *f = (void *)p;
        f->high_watermark = -1;
        f->aborted_transactions = WIRE_NULL_ARRAY;
        f->record_set = (struct wire_bytes){0, 0};
    } else if (api == WIRE_API_DELETE_RECORDS) {
        ((struct wire_delete_records_response_partition *)(void *)p)->low_watermark = -1;
    } else if (api == WIRE_API_OFFSET_FETCH) {
        ((struct wire_offset_fetch_response_partition *)(void *)p)->committed_offset = -1;
    }
}

static void walk(struct kb_turn *t, const struct mirror *m, struct wire_flat *f, uint8_t *head,
                 judge *error_of, int32_t context)
{
    const uint8_t *q = t->in->message;
    const struct side *to = &m->response;
    struct wire_array topics, partitions;
    uint8_t *out = kb_items(f, &topics, (int32_t)count_at(q, m->request.topics), to->topic);
    memcpy(head + to->topics, &topics, sizeof topics);
    for (int32_t i = 0; i < topics.count; i++, out += to->topic->size) {
        const uint8_t *topic = topic_at(m, q, i);
        struct wire_string name = name_at(m, topic);
        const char *text = (const char *)q + name.at;
        size_t size = name.size < 0 ? 0 : (size_t)name.size;
        struct wire_string copy = wire_flat_string_of(f, text, size);
        memcpy(out + to->name, &copy, sizeof copy);
        uint8_t *p = kb_items(f, &partitions, (int32_t)count_at(topic, m->request.partitions),
                              to->partition);
        memcpy(out + to->partitions, &partitions, sizeof partitions);
        for (int32_t k = 0; k < partitions.count; k++, p += to->partition->size) {
            int32_t number = number_at(m, q, topic, k);
            int16_t error = (int16_t)error_of(t, m, text, size, number, context);
            memcpy(p + to->number, &number, sizeof number);
            memcpy(p + to->error, &error, sizeof error);
            set_unknown(m->api, p);
        }
    }
}

static void answer(struct kb_turn *t, judge *error_of, int32_t context)
{
    const struct mirror *m = mirror_of(t->in->api);
    struct wire_flat f;
    assert(m != NULL);
    uint8_t *head = kb_answer_begin(t, &f, m->api, wire_head_size(WIRE_RESPONSE, m->api));
    walk(t, m, &f, head, error_of, context);
    kb_answer_send(t, &f);
}

/* Whether a partition of the request is not `known`. */
static bool some_is_unknown(struct kb_turn *t, judge *error_of)
{
    const struct mirror *m = mirror_of(t->in->api);
    const uint8_t *q = t->in->message;
    for (uint32_t i = 0; i < count_at(q, m->request.topics); i++) {
        const uint8_t *topic = topic_at(m, q, (int32_t)i);
        struct wire_string name = name_at(m, topic);
        for (uint32_t k = 0; k < count_at(topic, m->request.partitions); k++)
            if (error_of(t, m, (const char *)q + name.at, (size_t)name.size,
                         number_at(m, q, topic, (int32_t)k), 0) != m->known)
                return true;
    }
    return false;
}

/* ---- one by one ---- */

static void answer_offset_fetch(struct kb_turn *t)
{
    struct wire_flat f;
    if (t->in->version == 0) { /* such offsets were kept in ZooKeeper: there are none */
        answer(t, always, WIRE_ERROR_UNKNOWN_TOPIC_OR_PARTITION);
    } else if (t->in->version == 1) {
        answer(t, always, WIRE_ERROR_NOT_COORDINATOR);
    } else {
        struct wire_offset_fetch_response *head =
            kb_answer_begin(t, &f, WIRE_API_OFFSET_FETCH, sizeof *head);
        head->error_code = WIRE_ERROR_NOT_COORDINATOR;
        kb_answer_send(t, &f);
    }
}

static void answer_add_partitions(struct kb_turn *t)
{
    const struct wire_add_partitions_to_txn_request *q = t->in->message;
    if (some_is_unknown(t, for_transaction))
        answer(t, for_transaction, 1);
    else
        answer(t, always,
               q->transactional_id.size == 0 ? WIRE_ERROR_INVALID_REQUEST
                                             : WIRE_ERROR_NOT_COORDINATOR);
}

void kb_begin_by_partition(struct kb_turn *t)
{
    switch (t->in->api) {
    case WIRE_API_OFFSET_FETCH:
        answer_offset_fetch(t);
        return;
    case WIRE_API_ADD_PARTITIONS_TO_TXN:
        answer_add_partitions(t);
        return;
    case WIRE_API_DELETE_RECORDS:
        answer(t, for_deletion, 0);
        return;
    }
    answer(t, by_cache, 0);
}

static int32_t for_acks(struct kb_turn *t, const struct mirror *m, const char *name, size_t size,
                        int32_t partition, int32_t context)
{
    int32_t error = by_cache(t, m, name, size, partition, 0);
    return error == m->known ? context : error;
}

/* A producer that wants no answer learns of an error by losing its connection. */
void kb_begin_produce(struct kb_turn *t)
{
    const struct wire_produce_request *q = t->in->message;
    if (q->acks == 0) {
        t->out->put(t->out->context, &(struct kb_broker_output){.kind = KB_BROKER_OUT_RESPONSE,
                                                                .by = t->in->record,
                                                                .call_id = t->in->call_id,
                                                                .api = t->in->api,
                                                                .version = t->in->version});
        return;
    }
    answer(t, for_acks,
           q->acks == 1 || q->acks == -1 ? WIRE_ERROR_NOT_LEADER_OR_FOLLOWER
                                         : WIRE_ERROR_INVALID_REQUIRED_ACKS);
}

/* No fetch sessions are kept: a client that asks for one is answered in full, without. */
void kb_begin_fetch(struct kb_turn *t)
{
    const struct wire_fetch_request *q = t->in->message;
    struct wire_flat f;
    if (q->session_id == 0 || q->session_epoch == -1 || q->session_epoch == 0) {
        answer(t, by_cache, 0);
        return;
    }
    struct wire_fetch_response *head = kb_answer_begin(t, &f, WIRE_API_FETCH, sizeof *head);
    head->error_code = WIRE_ERROR_FETCH_SESSION_ID_NOT_FOUND;
    kb_answer_send(t, &f);
}
