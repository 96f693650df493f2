/*
 * What a follower asks its leaders, and their answers: Fetch 11, OffsetForLeaderEpoch 3,
 * ListOffsets 5, as inter.broker.protocol.version 2.6 has them.
 *
 * A peer may be anybody's broker. What it says is taken as an answer only where it is of the API
 * and its partitions can be read; records that cannot be are an error of their partition, which the
 * fetcher then tries again.
 *
 * Source: Kafka ReplicaFetcherThread, ReplicaFetcherBlockingSend.
 */
#include <string.h>

#include "broker/by_topic.h"

enum { FETCH_VERSION = 11, EPOCHS_VERSION = 3, OFFSETS_VERSION = 5 };

/* ---- asking ---- */

static void write_fetch(struct kb_turn *t, struct wire_flat *f, void *to, const void *item)
{
    const struct kb_fetch_item *from = item;
    struct wire_fetch_request_partition *out = to;
    (void)t, (void)f;
    out->partition = from->partition;
    out->current_leader_epoch = from->current_leader_epoch;
    out->fetch_offset = from->offset;
    out->log_start_offset = from->log_start;
    out->partition_max_bytes = from->max_bytes;
}

static void fill_fetch(struct kb_turn *t, struct wire_flat *f, struct wire_fetch_request *q,
                       const struct kb_fetch *fetch)
{
    const struct kb_shape shape = KB_SHAPE(fetch_request, topic, topic, partitions, partition);
    const struct kb_shape forgotten = KB_NUMBERS(fetch_request, forgotten_topic, topic, partitions);
    q->replica_id = fetch->replica_id;
    q->max_wait_ms = (int32_t)(fetch->max_wait_us / 1000);
    q->min_bytes = fetch->min_bytes;
    q->max_bytes = fetch->max_bytes;
    q->session_id = fetch->session_id;
    q->session_epoch = fetch->session_epoch;
    kb_topics_write(t, f, &q->topics, &shape,
                    (struct kb_item_list){fetch->items, sizeof *fetch->items, fetch->count},
                    write_fetch);
    kb_topics_write(
        t, f, &q->forgotten_topics_data, &forgotten,
        (struct kb_item_list){fetch->forgotten, sizeof *fetch->forgotten, fetch->forgotten_count},
        NULL);
}

static void write_epochs(struct kb_turn *t, struct wire_flat *f, void *to, const void *item)
{
    const struct kb_epochs_item *from = item;
    struct wire_offset_for_leader_epoch_request_partition *out = to;
    (void)t, (void)f;
    out->partition = from->partition;
    out->current_leader_epoch = from->current_leader_epoch;
    out->leader_epoch = from->leader_epoch;
}

static void fill_epochs(struct kb_turn *t, struct wire_flat *f,
                        struct wire_offset_for_leader_epoch_request *q, const struct kb_output *o)
{
    const struct kb_shape shape =
        KB_SHAPE(offset_for_leader_epoch_request, topic, topic, partitions, partition);
    q->replica_id = t->b->self.id;
    kb_topics_write(t, f, &q->topics, &shape,
                    (struct kb_item_list){o->items, sizeof(struct kb_epochs_item), o->count},
                    write_epochs);
}

static void write_offsets(struct kb_turn *t, struct wire_flat *f, void *to, const void *item)
{
    const struct kb_offsets_item *from = item;
    struct wire_list_offsets_request_partition *out = to;
    (void)t, (void)f;
    out->partition_index = from->partition;
    out->current_leader_epoch = from->current_leader_epoch;
    out->timestamp = from->timestamp;
}

static void fill_offsets(struct kb_turn *t, struct wire_flat *f,
                         struct wire_list_offsets_request *q, const struct kb_output *o)
{
    const struct kb_shape shape =
        KB_SHAPE(list_offsets_request, topic, name, partitions, partition);
    q->replica_id = t->b->self.id;
    kb_topics_write(t, f, &q->topics, &shape,
                    (struct kb_item_list){o->items, sizeof(struct kb_offsets_item), o->count},
                    write_offsets);
}

void kb_data_put_peer_request(struct kb_turn *t, const struct kb_output *o)
{
    struct wire_flat f;
    size_t room = kb_turn_scratch_left(t) & ~(size_t)7;
    int16_t api = o->kind == KB_OUT_FETCH    ? WIRE_API_FETCH
                  : o->kind == KB_OUT_EPOCHS ? WIRE_API_OFFSET_FOR_LEADER_EPOCH
                                             : WIRE_API_LIST_OFFSETS;
    void *head = wire_flat_begin(&f, (uint8_t *)t->out->scratch + t->scratch_used, room,
                                 wire_head_size(WIRE_REQUEST, api));
    wire_defaults(WIRE_REQUEST, api, head);
    if (o->kind == KB_OUT_FETCH)
        fill_fetch(t, &f, head, o->request);
    else if (o->kind == KB_OUT_EPOCHS)
        fill_epochs(t, &f, head, o);
    else
        fill_offsets(t, &f, head, o);
    size_t size = wire_flat_end(&f);
    t->out->put(t->out->context,
                &(struct kb_broker_output){.kind = KB_BROKER_OUT_PEER_REQUEST,
                                           .by = t->in->record,
                                           .api = api,
                                           .version = o->kind == KB_OUT_FETCH    ? FETCH_VERSION
                                                      : o->kind == KB_OUT_EPOCHS ? EPOCHS_VERSION
                                                                                 : OFFSETS_VERSION,
                                           .broker_id = o->broker_id,
                                           .correlation = o->correlation,
                                           .message = f.bytes,
                                           .size = size});
}

/* ---- hearing ---- */

static const char *text_of(const void *message, struct wire_string name)
{
    const char *text = wire_text(message, name);
    return text == NULL ? "" : text;
}

static void read_fetched(struct kb_turn *t, const void *message, struct wire_string topic,
                         const void *partition, void *item)
{
    const struct wire_fetch_response_partition_response *from = partition;
    struct kb_fetch_result *to = item;
    *to = (struct kb_fetch_result){.topic = text_of(message, topic),
                                   .partition = from->partition,
                                   .error = from->error_code,
                                   .hw = from->high_watermark,
                                   .last_stable = from->last_stable_offset,
                                   .log_start = from->log_start_offset};
    const struct kb_records_from leader = {.is_client = false};
    int32_t error = kb_records_read(t, wire_data(message, from->record_set), from->record_set.size,
                                    &leader, &to->batches, &to->batch_count);
    if (error == 0)
        return;
    to->error = error;
    to->batch_count = 0;
}

static void read_epochs(struct kb_turn *t, const void *message, struct wire_string topic,
                        const void *partition, void *item)
{
    const struct wire_offset_for_leader_epoch_response_partition *from = partition;
    (void)t;
    *(struct kb_epochs_result *)item =
        (struct kb_epochs_result){.topic = text_of(message, topic),
                                  .partition = from->partition,
                                  .error = from->error_code,
                                  .end_offset = from->end_offset,
                                  .leader_epoch = from->leader_epoch};
}

static void read_offsets(struct kb_turn *t, const void *message, struct wire_string topic,
                         const void *partition, void *item)
{
    const struct wire_list_offsets_response_partition *from = partition;
    (void)t;
    *(struct kb_offsets_result *)item =
        (struct kb_offsets_result){.topic = text_of(message, topic),
                                   .partition = from->partition_index,
                                   .error = from->error_code,
                                   .timestamp = from->timestamp,
                                   .offset = from->offset,
                                   .leader_epoch = from->leader_epoch};
}

static void hear_fetch(struct kb_turn *t, struct kb_input *in)
{
    const struct wire_fetch_response *a = t->in->message;
    const struct kb_shape shape =
        KB_SHAPE(fetch_response, response, topic, partition_responses, partition_response);
    in->kind = KB_IN_FETCH_ANSWER;
    in->error = a->error_code;
    in->session_id = a->session_id;
    in->items = kb_topics_read(t, a, a->responses, &shape, sizeof(struct kb_fetch_result),
                               read_fetched, &in->count);
}

enum sm_err kb_data_on_peer_response(struct kb_turn *t)
{
    struct kb_input in = {.kind = KB_IN_SEND_FAILED,
                          .broker_id = t->in->broker_id,
                          .correlation = t->in->correlation};
    if (t->in->size > t->b->largest_request)
        t->b->largest_request = t->in->size > UINT32_MAX ? UINT32_MAX : (uint32_t)t->in->size;
    if (t->in->message == NULL) { /* the peer has closed the connection */
        return kb_data_step(t, &in);
    }
    if (t->in->api == WIRE_API_FETCH) {
        hear_fetch(t, &in);
    } else if (t->in->api == WIRE_API_OFFSET_FOR_LEADER_EPOCH) {
        const struct wire_offset_for_leader_epoch_response *a = t->in->message;
        const struct kb_shape shape =
            KB_SHAPE(offset_for_leader_epoch_response, topic, topic, partitions, partition);
        in.kind = KB_IN_EPOCHS_ANSWER;
        in.items = kb_topics_read(t, a, a->topics, &shape, sizeof(struct kb_epochs_result),
                                  read_epochs, &in.count);
    } else if (t->in->api == WIRE_API_LIST_OFFSETS) {
        const struct wire_list_offsets_response *a = t->in->message;
        const struct kb_shape shape =
            KB_SHAPE(list_offsets_response, topic, name, partitions, partition);
        in.kind = KB_IN_OFFSETS_ANSWER;
        in.items = kb_topics_read(t, a, a->topics, &shape, sizeof(struct kb_offsets_result),
                                  read_offsets, &in.count);
    }
    return kb_data_step(t, &in);
}
