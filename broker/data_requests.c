/*
 * Requests of clients and of followers to the replicas, and the answers: Produce, Fetch,
 * ListOffsets, OffsetForLeaderEpoch, DeleteRecords.
 *
 * What the cache does not have does not exist (KafkaApis asks metadataCache.contains before it asks
 * the replica manager); what a request itself does wrong about one partition is said of that
 * partition, the others go on.
 *
 * A Produce that names a partition twice means the last. Differs: where the last is refused and one
 * before it is not, Kafka appends that one and answers with the refusal; here nothing is appended.
 *
 * Source: Kafka KafkaApis.handleProduceRequest, handleFetchRequest, handleListOffsetRequest,
 * handleOffsetForLeaderEpochRequest, handleDeleteRecordsRequest.
 */
#include <string.h>

#include "broker/by_topic.h"

static const size_t UNPACK_ROOM = 4 << 20; /* of scratch, for a compressed batch that is searched */
enum { ZSTD_FETCH_VERSION = 10 };
static const size_t PER_RESULT = 512; /* bytes of a result beside its records, at most */

bool kb_data_serves(int32_t api)
{
    return api == WIRE_API_PRODUCE || api == WIRE_API_FETCH || api == WIRE_API_LIST_OFFSETS ||
           api == WIRE_API_OFFSET_FOR_LEADER_EPOCH || api == WIRE_API_DELETE_RECORDS;
}

int32_t kb_data_unknown(const struct kb_turn *t, const void *message, struct wire_string name,
                        int32_t partition)
{
    const struct kb_cache *c = kb_broker_cache(t->b);
    const char *text = wire_text(message, name);
    uint32_t topic = text == NULL ? KB_NO_TOPIC : kb_cache_topic(c, text, (size_t)name.size);
    return topic == KB_NO_TOPIC || kb_cache_partition(c, topic, partition) == NULL;
}

static const char *text_of(const void *message, struct wire_string name)
{
    const char *text = wire_text(message, name);
    return text == NULL ? "" : text;
}

static int64_t us_of(int32_t ms)
{
    return ms > 0 ? (int64_t)ms * 1000 : 0;
}

/* ---- Produce ---- */

static void read_produce(struct kb_turn *t, const void *message, struct wire_string topic,
                         const void *partition, void *item)
{
    const struct wire_produce_request_partition_data *from = partition;
    struct kb_produce_item *to = item;
    to->topic = text_of(message, topic);
    to->partition = from->index;
    to->unknown = kb_data_unknown(t, message, topic, from->index);
    if (to->unknown != 0)
        return;
    const struct kb_log_config log = kb_topic_log_config(t->out->replicas, to->topic);
    const struct kb_records_from client = {.is_client = true,
                                           .wanted = kb_compression_for(t, to->topic),
                                           .stamped = log.log_append_time != 0,
                                           .keyed = (log.cleanup & KB_CLEANUP_COMPACT) != 0};
    to->unknown = kb_records_read(t, wire_data(message, from->records), from->records.size, &client,
                                  &to->batches, &to->batch_count);
    if (to->unknown != 0)
        to->batch_count = 0;
}

static enum sm_err on_produce(struct kb_turn *t)
{
    const struct wire_produce_request *q = t->in->message;
    const struct kb_shape shape =
        KB_SHAPE(produce_request, topic_data, name, partition_data, partition_data);
    struct kb_produce p = {
        .timeout_us = us_of(q->timeout_ms), .acks = q->acks, .origin = KB_FROM_CLIENT};
    struct kb_produce_item *items =
        kb_topics_read(t, q, q->topic_data, &shape, sizeof *items, read_produce, &p.count);
    p.items = items;
    p.count = kb_items_unique(t, items, sizeof *items, p.count);
    return kb_data_ask(t, &(struct kb_input){.kind = KB_IN_PRODUCE, .request = &p});
}

static void write_produce(struct kb_turn *t, struct wire_flat *f, void *to, const void *item)
{
    const struct kb_produce_result *from = item;
    struct wire_produce_response_partition_response *out = to;
    (void)t, (void)f;
    out->index = from->partition;
    out->error_code = (int16_t)from->error;
    out->base_offset = from->base_offset;
    out->log_start_offset = from->log_start;
}

/* ---- Fetch ---- */

static void read_fetch(struct kb_turn *t, const void *message, struct wire_string topic,
                       const void *partition, void *item)
{
    const struct wire_fetch_request_partition *from = partition;
    *(struct kb_fetch_item *)item =
        (struct kb_fetch_item){.topic = text_of(message, topic),
                               .partition = from->partition,
                               .unknown = kb_data_unknown(t, message, topic, from->partition),
                               .current_leader_epoch = from->current_leader_epoch,
                               .max_bytes = from->partition_max_bytes,
                               .offset = from->fetch_offset,
                               .log_start = from->log_start_offset};
}

static void read_forgotten(struct kb_turn *t, const void *message, struct wire_string topic,
                           const void *partition, void *item)
{
    struct kb_partition_name *to = item;
    (void)t;
    to->topic = text_of(message, topic);
    memcpy(&to->partition, partition, sizeof to->partition);
}

static enum sm_err on_fetch(struct kb_turn *t)
{
    const struct wire_fetch_request *q = t->in->message;
    const struct kb_shape shape = KB_SHAPE(fetch_request, topic, topic, partitions, partition);
    const struct kb_shape forgotten = KB_NUMBERS(fetch_request, forgotten_topic, topic, partitions);
    struct kb_fetch fetch = {.max_wait_us = us_of(q->max_wait_ms),
                             .replica_id = q->replica_id,
                             .min_bytes = q->min_bytes,
                             .max_bytes = q->max_bytes,
                             .committed = q->isolation_level == 1,
                             .any_replica = t->in->version >= 11 && q->replica_id < 0,
                             .session_id = q->session_id,
                             .session_epoch = q->session_epoch};
    fetch.items =
        kb_topics_read(t, q, q->topics, &shape, sizeof *fetch.items, read_fetch, &fetch.count);
    fetch.forgotten =
        kb_topics_read(t, q, q->forgotten_topics_data, &forgotten, sizeof *fetch.forgotten,
                       read_forgotten, &fetch.forgotten_count);
    return kb_data_ask(
        t, &(struct kb_input){.kind = KB_IN_FETCH, .replica_id = q->replica_id, .request = &fetch});
}

/* Who asks in a version before 10 may not know zstd, and where the topic is stored so everything
   there is zstd. Source: KafkaApis.handleFetchRequest, maybeConvertFetchedData. */
static bool is_beyond(const struct kb_turn *t, const struct kb_fetch_result *from)
{
    return t->response_version < ZSTD_FETCH_VERSION &&
           kb_compression_for(t, from->topic) == KB_COMPRESSION_ZSTD;
}

static void write_fetch(struct kb_turn *t, struct wire_flat *f, void *to, const void *item)
{
    const struct kb_fetch_result *from = item;
    struct wire_fetch_response_partition_response *out = to;
    out->partition = from->partition;
    if (is_beyond(t, from)) {
        out->error_code = WIRE_ERROR_UNSUPPORTED_COMPRESSION_TYPE;
        out->high_watermark = out->last_stable_offset = out->log_start_offset = -1;
        out->aborted_transactions = WIRE_NULL_ARRAY;
        out->record_set = kb_records_write(t, f, NULL, 0, t->response_spare);
        return;
    }
    out->error_code = (int16_t)from->error;
    out->high_watermark = from->hw;
    out->last_stable_offset = from->last_stable;
    out->log_start_offset = from->log_start;
    out->aborted_transactions = WIRE_NULL_ARRAY;
    if (from->aborted_count > 0) {
        struct wire_fetch_response_aborted_transaction *a =
            kb_items(f, &out->aborted_transactions, (int32_t)from->aborted_count,
                     &wire_layout_fetch_response_aborted_transaction);
        for (int32_t i = 0; i < out->aborted_transactions.count; i++) {
            a[i].producer_id = from->aborted[i].producer_id;
            a[i].first_offset = from->aborted[i].first_offset;
        }
    }
    out->record_set = kb_records_write(t, f, from->batches, from->batch_count, t->response_spare);
}

/* ---- ListOffsets ---- */

static void read_offsets(struct kb_turn *t, const void *message, struct wire_string topic,
                         const void *partition, void *item)
{
    const struct wire_list_offsets_request_partition *from = partition;
    *(struct kb_offsets_item *)item = (struct kb_offsets_item){
        .topic = text_of(message, topic),
        .partition = from->partition_index,
        .unknown = kb_data_unknown(t, message, topic, from->partition_index),
        .current_leader_epoch = from->current_leader_epoch,
        .timestamp = from->timestamp};
}

static enum sm_err on_list_offsets(struct kb_turn *t)
{
    const struct wire_list_offsets_request *q = t->in->message;
    const struct kb_shape shape =
        KB_SHAPE(list_offsets_request, topic, name, partitions, partition);
    struct kb_input in = {
        .kind = KB_IN_OFFSETS, .replica_id = q->replica_id, .committed = q->isolation_level == 1};
    in.items = kb_topics_read(t, q, q->topics, &shape, sizeof(struct kb_offsets_item), read_offsets,
                              &in.count);
    t->asked = in.items;
    return kb_data_ask(t, &in);
}

/* Version 0 has a list of offsets instead of one; here it holds that one. */
static void write_offsets(struct kb_turn *t, struct wire_flat *f, void *to, const void *item)
{
    const struct kb_offsets_result *from = item;
    struct wire_list_offsets_response_partition *out = to;
    int64_t offset = from->offset, timestamp = from->timestamp;
    if (from->inside && t->asked != NULL)
        kb_records_find(t, from->payload, from->offset, t->asked[from - t->results].timestamp,
                        &offset, &timestamp);
    out->partition_index = from->partition;
    out->error_code = (int16_t)from->error;
    if (t->response_version == 0) {
        out->old_style_offsets = wire_flat_array(f, offset >= 0, sizeof offset);
        if (out->old_style_offsets.count > 0)
            memcpy(wire_flat_at(f, out->old_style_offsets.at), &offset, sizeof offset);
        return;
    }
    out->offset = offset;
    out->timestamp = timestamp;
    if (t->response_version >= 4)
        out->leader_epoch = from->leader_epoch;
}

/* ---- OffsetForLeaderEpoch, DeleteRecords ---- */

static void read_epochs(struct kb_turn *t, const void *message, struct wire_string topic,
                        const void *partition, void *item)
{
    const struct wire_offset_for_leader_epoch_request_partition *from = partition;
    *(struct kb_epochs_item *)item =
        (struct kb_epochs_item){.topic = text_of(message, topic),
                                .partition = from->partition,
                                .unknown = kb_data_unknown(t, message, topic, from->partition),
                                .current_leader_epoch = from->current_leader_epoch,
                                .leader_epoch = from->leader_epoch};
}

static enum sm_err on_epochs(struct kb_turn *t)
{
    const struct wire_offset_for_leader_epoch_request *q = t->in->message;
    const struct kb_shape shape =
        KB_SHAPE(offset_for_leader_epoch_request, topic, topic, partitions, partition);
    struct kb_input in = {.kind = KB_IN_EPOCHS, .replica_id = q->replica_id};
    in.items = kb_topics_read(t, q, q->topics, &shape, sizeof(struct kb_epochs_item), read_epochs,
                              &in.count);
    return kb_data_ask(t, &in);
}

static void write_epochs(struct kb_turn *t, struct wire_flat *f, void *to, const void *item)
{
    const struct kb_epochs_result *from = item;
    struct wire_offset_for_leader_epoch_response_partition *out = to;
    (void)t, (void)f;
    out->partition = from->partition;
    out->error_code = (int16_t)from->error;
    out->leader_epoch = from->leader_epoch;
    out->end_offset = from->end_offset;
}

static void read_deletion(struct kb_turn *t, const void *message, struct wire_string topic,
                          const void *partition, void *item)
{
    const struct wire_delete_records_request_partition *from = partition;
    struct kb_delete_records_item *to = item;
    to->topic = text_of(message, topic);
    to->partition = from->partition_index;
    to->offset = from->offset;
    to->unknown = kb_data_unknown(t, message, topic, from->partition_index);
    if (to->unknown == 0 && kb_topic_is_internal(to->topic))
        to->unknown = WIRE_ERROR_INVALID_TOPIC_EXCEPTION;
}

static enum sm_err on_delete_records(struct kb_turn *t)
{
    const struct wire_delete_records_request *q = t->in->message;
    const struct kb_shape shape =
        KB_SHAPE(delete_records_request, topic, name, partitions, partition);
    struct kb_input in = {.kind = KB_IN_DELETE_RECORDS};
    in.items = kb_topics_read(t, q, q->topics, &shape, sizeof(struct kb_delete_records_item),
                              read_deletion, &in.count);
    return kb_data_ask(t, &in);
}

static void write_deletion(struct kb_turn *t, struct wire_flat *f, void *to, const void *item)
{
    const struct kb_delete_records_result *from = item;
    struct wire_delete_records_response_partition *out = to;
    (void)t, (void)f;
    out->partition_index = from->partition;
    out->error_code = (int16_t)from->error;
    out->low_watermark = from->low_watermark;
}

/* ---- both ways ---- */

enum sm_err kb_data_on_request(struct kb_turn *t)
{
    switch (t->in->api) {
    case WIRE_API_PRODUCE:
        return on_produce(t);
    case WIRE_API_FETCH:
        return on_fetch(t);
    case WIRE_API_LIST_OFFSETS:
        return on_list_offsets(t);
    case WIRE_API_OFFSET_FOR_LEADER_EPOCH:
        return on_epochs(t);
    }
    return on_delete_records(t);
}

static void write_answer(struct kb_turn *t, struct wire_flat *f, void *head, int32_t api,
                         const struct kb_output *o)
{
#define LIST(type) ((struct kb_item_list){o->items, sizeof(struct type), o->count})
#define WRITE(api_head, topics_, shape_, type, write_)                                             \
    {                                                                                              \
        const struct kb_shape shape = shape_;                                                      \
        struct wire_##api_head *h = head;                                                          \
        kb_topics_write(t, f, &h->topics_, &shape, LIST(type), write_);                            \
        return;                                                                                    \
    }
    switch (api) {
    case WIRE_API_PRODUCE:
        WRITE(produce_response, responses,
              KB_SHAPE(produce_response, response, name, partition_responses, partition_response),
              kb_produce_result, write_produce)
    case WIRE_API_FETCH:
        ((struct wire_fetch_response *)head)->error_code = (int16_t)o->error;
        ((struct wire_fetch_response *)head)->session_id = o->session_id;
        WRITE(fetch_response, responses,
              KB_SHAPE(fetch_response, response, topic, partition_responses, partition_response),
              kb_fetch_result, write_fetch)
    case WIRE_API_LIST_OFFSETS:
        WRITE(list_offsets_response, topics,
              KB_SHAPE(list_offsets_response, topic, name, partitions, partition),
              kb_offsets_result, write_offsets)
    case WIRE_API_OFFSET_FOR_LEADER_EPOCH:
        WRITE(offset_for_leader_epoch_response, topics,
              KB_SHAPE(offset_for_leader_epoch_response, topic, topic, partitions, partition),
              kb_epochs_result, write_epochs)
    }
    WRITE(delete_records_response, topics,
          KB_SHAPE(delete_records_response, topic, name, partitions, partition),
          kb_delete_records_result, write_deletion)
#undef WRITE
#undef LIST
}

void kb_data_put_answer(struct kb_turn *t, const struct kb_data_call *call,
                        const struct kb_output *o)
{
    struct wire_flat f;
    size_t before = t->scratch_used;
    size_t room = kb_turn_scratch_left(t) & ~(size_t)7;
    size_t kept = call->api == WIRE_API_LIST_OFFSETS ? UNPACK_ROOM : 0;
    t->response_version = call->version;
    t->results = o->items;
    t->response_spare = PER_RESULT * (o->count + 1);
    t->scratch_used += room - kept;
    void *head = wire_flat_begin(&f, (uint8_t *)t->out->scratch + before, room - kept,
                                 wire_head_size(WIRE_RESPONSE, (int16_t)call->api));
    wire_defaults(WIRE_RESPONSE, (int16_t)call->api, head);
    write_answer(t, &f, head, call->api, o);
    size_t size = wire_flat_end(&f);
    kb_put_response(t, call->record, call->call_id, call->api, call->version,
                    size == 0 ? NULL : f.bytes, size);
}
