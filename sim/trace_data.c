/*
 * Messages about records, as records: Produce, Fetch, ListOffsets, OffsetForLeaderEpoch, between
 * brokers and from clients.
 *
 * Each of them names topics, and in each topic partitions; a row of `shapes` says where they stand
 * and which numbers of a partition are worth telling. Zeros of `error` and offsets of -1 are left
 * out.
 *
 * A follower asks all the time. What a Fetch within a session does not name has not changed, so one
 * that names nothing says nothing (sim_message_says): it is not recorded, and neither is an answer
 * without partitions.
 */
#include <assert.h>
#include <string.h>

#include "sim/trace_store.h"
#include "wire/api/fetch.h"
#include "wire/api/list_offsets.h"
#include "wire/api/offset_for_leader_epoch.h"
#include "wire/api/produce.h"
#include "wire/flat.h"
#include "wire/messages.h"

enum { NUMBERS = 6 };

/* A number of a partition: where it stands, how wide it is (of RECORDS: their bytes are told). */
struct number {
    uint8_t field; /* enum sim_field; 0 ends */
    uint8_t width; /* 2, 4, 8; 0: RECORDS */
    uint16_t at;
};
struct shape {
    int16_t api;
    bool is_response;
    uint16_t topics, topic_size, name, partitions, partition_size, partition;
    struct number numbers[NUMBERS];
};

#define SHAPE(api, response, s, list, topic, text, parts, part, index)                             \
    api, response, offsetof(struct wire_##s, list), sizeof(struct wire_##s##_##topic),             \
        offsetof(struct wire_##s##_##topic, text), offsetof(struct wire_##s##_##topic, parts),     \
        sizeof(struct wire_##s##_##part), offsetof(struct wire_##s##_##part, index)
#define NUMBER(field, width, s, part, member)                                                      \
    {                                                                                              \
        SIM_F_##field, width, offsetof(struct wire_##s##_##part, member)                           \
    }

static const struct shape shapes[] = {
    {SHAPE(WIRE_API_FETCH, false, fetch_request, topics, topic, topic, partitions, partition,
           partition),
     {NUMBER(OFFSET, 8, fetch_request, partition, fetch_offset),
      NUMBER(EPOCH, 4, fetch_request, partition, current_leader_epoch)}},
    {SHAPE(WIRE_API_FETCH, true, fetch_response, responses, response, topic, partition_responses,
           partition_response, partition),
     {NUMBER(ERROR, 2, fetch_response, partition_response, error_code),
      NUMBER(HW, 8, fetch_response, partition_response, high_watermark),
      NUMBER(LSO, 8, fetch_response, partition_response, last_stable_offset),
      NUMBER(LEN, 0, fetch_response, partition_response, record_set)}},
    {SHAPE(WIRE_API_PRODUCE, false, produce_request, topic_data, topic_data, name, partition_data,
           partition_data, index),
     {NUMBER(LEN, 0, produce_request, partition_data, records)}},
    {SHAPE(WIRE_API_PRODUCE, true, produce_response, responses, response, name,
           partition_responses, partition_response, index),
     {NUMBER(ERROR, 2, produce_response, partition_response, error_code),
      NUMBER(BASE, 8, produce_response, partition_response, base_offset)}},
    {SHAPE(WIRE_API_LIST_OFFSETS, false, list_offsets_request, topics, topic, name, partitions,
           partition, partition_index),
     {NUMBER(EPOCH, 4, list_offsets_request, partition, current_leader_epoch)}},
    {SHAPE(WIRE_API_LIST_OFFSETS, true, list_offsets_response, topics, topic, name, partitions,
           partition, partition_index),
     {NUMBER(ERROR, 2, list_offsets_response, partition, error_code),
      NUMBER(OFFSET, 8, list_offsets_response, partition, offset),
      NUMBER(EPOCH, 4, list_offsets_response, partition, leader_epoch)}},
    {SHAPE(WIRE_API_OFFSET_FOR_LEADER_EPOCH, false, offset_for_leader_epoch_request, topics, topic,
           topic, partitions, partition, partition),
     {NUMBER(EPOCH, 4, offset_for_leader_epoch_request, partition, leader_epoch)}},
    {SHAPE(WIRE_API_OFFSET_FOR_LEADER_EPOCH, true, offset_for_leader_epoch_response, topics, topic,
           topic, partitions, partition, partition),
     {NUMBER(ERROR, 2, offset_for_leader_epoch_response, partition, error_code),
      NUMBER(OFFSET, 8, offset_for_leader_epoch_response, partition, end_offset),
      NUMBER(EPOCH, 4, offset_for_leader_epoch_response, partition, leader_epoch)}},
};

static const struct shape *shape_of(enum wire_api api, bool is_response)
{
    for (size_t i = 0; i < sizeof(shapes) / sizeof(shapes[0]); i++)
        if (shapes[i].api == (int16_t)api && shapes[i].is_response == is_response)
            return &shapes[i];
    return NULL;
}

/* ---- walking ---- */

struct place {
    const char *topic;
    const uint8_t *partition;
    int32_t number;
};

static struct wire_array array_at(const void *at)
{
    struct wire_array a;
    memcpy(&a, at, sizeof(a));
    return a;
}

/* Calls `tell` for each partition, in order. */
static void walk(const struct shape *s, const void *message,
                 void (*tell)(struct sim_trace *trace, const struct shape *s, const void *message,
                              const struct place *place),
                 struct sim_trace *trace)
{
    const uint8_t *bytes = message;
    struct wire_array topics = array_at(bytes + s->topics);
    for (int32_t i = 0; i < topics.count; i++) {
        const uint8_t *topic = bytes + topics.at + (size_t)i * s->topic_size;
        struct wire_array partitions = array_at(topic + s->partitions);
        struct wire_string name;
        memcpy(&name, topic + s->name, sizeof(name));
        struct place p = {.topic = wire_text(message, name)};
        for (int32_t k = 0; k < partitions.count && p.topic != NULL; k++) {
            p.partition = bytes + partitions.at + (size_t)k * s->partition_size;
            memcpy(&p.number, p.partition + s->partition, sizeof(p.number));
            tell(trace, s, message, &p);
        }
    }
}

static int64_t number_at(const struct number *n, const uint8_t *partition)
{
    const uint8_t *at = partition + n->at;
    int16_t narrow;
    int32_t middle;
    int64_t wide;
    struct wire_bytes records;
    switch (n->width) {
    case 2:
        memcpy(&narrow, at, sizeof(narrow));
        return narrow;
    case 4:
        memcpy(&middle, at, sizeof(middle));
        return middle;
    case 8:
        memcpy(&wide, at, sizeof(wide));
        return wide;
    }
    memcpy(&records, at, sizeof(records));
    return records.size > 0 ? records.size : 0;
}

static bool is_worth_telling(const struct number *n, int64_t value)
{
    return n->field == SIM_F_ERROR || n->field == SIM_F_LEN ? value != 0 : value != -1;
}

static void tell_partition(struct sim_trace *trace, const struct shape *s, const void *message,
                           const struct place *p)
{
    (void)message;
    sim_trace_object_begin(trace, SIM_F_NONE);
    sim_trace_partition(trace, SIM_F_PARTITION, p->topic, p->number);
    for (int i = 0; i < NUMBERS && s->numbers[i].field != 0; i++) {
        int64_t value = number_at(&s->numbers[i], p->partition);
        if (is_worth_telling(&s->numbers[i], value))
            sim_trace_int(trace, (enum sim_field)s->numbers[i].field, value);
    }
    sim_trace_object_end(trace);
}

/* ---- the whole ---- */

bool sim_message_says(enum wire_api api, bool is_response, const void *message)
{
    if (api != WIRE_API_FETCH || message == NULL)
        return true;
    if (is_response) {
        const struct wire_fetch_response *a = message;
        return a->error_code != 0 || a->responses.count > 0;
    }
    const struct wire_fetch_request *q = message;
    return q->topics.count > 0 || q->forgotten_topics_data.count > 0;
}

static int32_t error_of(enum wire_api api, const void *message)
{
    return api == WIRE_API_FETCH ? ((const struct wire_fetch_response *)message)->error_code : 0;
}

uint64_t sim_trace_message(struct sim_trace *trace, const struct sim_message_note *note)
{
    const struct shape *s = shape_of(note->api, note->is_response);
    bool leaves = note->kind == SIM_K_SEND;
    if (!sim_trace_begin(trace, note->kind, note->t, note->at, note->by, 0))
        return note->by;
    sim_trace_int(trace, SIM_F_M, (int64_t)(leaves ? sim_trace_open_number(trace) : note->m));
    sim_trace_lane(trace, leaves ? SIM_F_TO : SIM_F_FRM, note->peer);
    sim_trace_text(trace, SIM_F_API, wire_api_name(note->api));
    if (note->is_response) {
        sim_trace_int(trace, SIM_F_RE, (int64_t)note->re);
        sim_trace_int(trace, SIM_F_ERROR,
                      note->message == NULL ? 0 : error_of(note->api, note->message));
    }
    if (s != NULL && note->message != NULL) {
        sim_trace_list_begin(trace, SIM_F_BODY);
        walk(s, note->message, tell_partition, trace);
        sim_trace_list_end(trace);
    }
    return sim_trace_end(trace);
}
