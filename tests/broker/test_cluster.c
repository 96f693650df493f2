/*
 * Whole nodes with data: a controller of ours tells brokers of ours what to host, clients produce
 * and fetch by messages of the protocol, followers fetch from leaders, and the ISR goes through
 * ZooKeeper.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cluster_desk.h"
#include "statemachine/znode.h"
#include "wire/errors.h"
#include "wire/record_batch.h"

#define SECOND ((int64_t)1000000)
#define STATE  "/brokers/topics/t/partitions/0/state"

/* ---- requests ---- */

static void create_topic(struct desk *d, int node, const int32_t *ids, int32_t count)
{
    struct wire_flat w;
    struct wire_create_topics_request *q = desk_begin(d, &w, WIRE_API_CREATE_TOPICS);
    q->timeout_ms = 10000;
    q->topics = wire_flat_array(&w, 1, sizeof(struct wire_create_topics_request_topic));
    struct wire_create_topics_request_topic *t = wire_flat_at(&w, q->topics.at);
    t->name = wire_flat_string(&w, "t");
    t->num_partitions = t->replication_factor = -1;
    t->assignments = wire_flat_array(&w, 1, sizeof(struct wire_create_topics_request_assignment));
    struct wire_create_topics_request_assignment *a = wire_flat_at(&w, t->assignments.at);
    a->broker_ids = wire_flat_ids(&w, ids, count);
    uint64_t call = desk_send(d, node, &w, WIRE_API_CREATE_TOPICS, 4);
    desk_run(d, SECOND);
    const struct wire_create_topics_response *r = desk_response(d, call);
    ck_assert_ptr_nonnull(r);
    ck_assert_int_eq(WIRE_ITEMS(r, r->topics, struct wire_create_topics_response_topic)->error_code,
                     0);
}

/* `records` of values letter, letter + 1, …, a second apart. */
static size_t batch_of(uint8_t *bytes, size_t room, char letter, int records)
{
    const struct wire_record_batch head = {.leader_epoch = -1,
                                           .base_timestamp = 1000,
                                           .producer_id = -1,
                                           .producer_epoch = -1,
                                           .base_sequence = -1};
    struct wire_record_batch_writer w;
    wire_record_batch_begin(&w, bytes, room, &head);
    for (int i = 0; i < records; i++) {
        uint8_t value = (uint8_t)(letter + i);
        wire_record_batch_add(&w,
                              &(struct wire_log_record){.offset = i,
                                                        .timestamp = 1000 * (i + 1),
                                                        .key_size = -1,
                                                        .value = &value,
                                                        .value_size = 1},
                              NULL);
    }
    return wire_record_batch_end(&w);
}

static uint64_t produce_at(struct desk *d, int node, const char *topic, const uint8_t *bytes,
                           size_t size, int16_t acks, int16_t version)
{
    struct wire_flat w;
    struct wire_produce_request *q = desk_begin(d, &w, WIRE_API_PRODUCE);
    q->acks = acks;
    q->timeout_ms = 5000;
    q->topic_data = wire_flat_array(&w, 1, sizeof(struct wire_produce_request_topic_data));
    struct wire_produce_request_topic_data *t = wire_flat_at(&w, q->topic_data.at);
    t->name = wire_flat_string(&w, topic);
    t->partition_data = wire_flat_array(&w, 1, sizeof(struct wire_produce_request_partition_data));
    struct wire_produce_request_partition_data *p = wire_flat_at(&w, t->partition_data.at);
    p->records = wire_flat_bytes(&w, bytes, size);
    return desk_send(d, node, &w, WIRE_API_PRODUCE, version);
}

static uint64_t produce_bytes(struct desk *d, int node, const char *topic, const uint8_t *bytes,
                              size_t size, int16_t acks)
{
    return produce_at(d, node, topic, bytes, size, acks, 8);
}

static uint64_t produce(struct desk *d, int node, char letter, int records, int16_t acks)
{
    uint8_t bytes[1024];
    size_t size = batch_of(bytes, sizeof bytes, letter, records);
    return produce_bytes(d, node, "t", bytes, size, acks);
}

static const struct wire_produce_response_partition_response *produced(struct desk *d,
                                                                       uint64_t call)
{
    const struct wire_produce_response *r = desk_response(d, call);
    ck_assert_ptr_nonnull(r);
    const struct wire_produce_response_response *t =
        WIRE_ITEMS(r, r->responses, struct wire_produce_response_response);
    return WIRE_ITEMS(r, t->partition_responses, struct wire_produce_response_partition_response);
}

static uint64_t fetch_at(struct desk *d, int node, int64_t offset, int32_t max_wait_ms,
                         int16_t version)
{
    struct wire_flat w;
    struct wire_fetch_request *q = desk_begin(d, &w, WIRE_API_FETCH);
    q->replica_id = -1;
    q->max_wait_ms = max_wait_ms;
    q->min_bytes = 1;
    q->max_bytes = 1 << 20;
    q->topics = wire_flat_array(&w, 1, sizeof(struct wire_fetch_request_topic));
    struct wire_fetch_request_topic *t = wire_flat_at(&w, q->topics.at);
    t->topic = wire_flat_string(&w, "t");
    t->partitions = wire_flat_array(&w, 1, sizeof(struct wire_fetch_request_partition));
    struct wire_fetch_request_partition *p = wire_flat_at(&w, t->partitions.at);
    p->current_leader_epoch = -1;
    p->last_fetched_epoch = -1;
    p->fetch_offset = offset;
    p->log_start_offset = -1;
    p->partition_max_bytes = 1 << 20;
    return desk_send(d, node, &w, WIRE_API_FETCH, version);
}

static uint64_t fetch(struct desk *d, int node, int64_t offset, int32_t max_wait_ms)
{
    return fetch_at(d, node, offset, max_wait_ms, 11);
}

/* "hw 3 | a@0 b@1 c@2" or "error 6". Static. */
static const char *fetched(struct desk *d, uint64_t call)
{
    static char text[1024];
    const struct wire_fetch_response *r = desk_response(d, call);
    if (r == NULL)
        return "(waits)";
    const struct wire_fetch_response_response *t =
        WIRE_ITEMS(r, r->responses, struct wire_fetch_response_response);
    const struct wire_fetch_response_partition_response *p =
        WIRE_ITEMS(r, t->partition_responses, struct wire_fetch_response_partition_response);
    if (p->error_code != 0) {
        snprintf(text, sizeof text, "error %d", p->error_code);
        return text;
    }
    int n = snprintf(text, sizeof text, "hw %d |", (int)p->high_watermark);
    const uint8_t *at = wire_data(r, p->record_set);
    size_t left = (size_t)p->record_set.size;
    struct wire_record_batch batch;
    while (left > 0 && wire_record_batch_read(at, left, &batch) == SM_ERR_OK) {
        uint8_t room[1024];
        const uint8_t *records;
        size_t size;
        struct wire_log_walk walk;
        struct wire_log_record record;
        ck_assert(wire_record_batch_is_intact(at, &batch));
        ck_assert_int_eq(wire_record_batch_records(&batch, room, sizeof room, &records, &size),
                         SM_ERR_OK);
        wire_log_walk_begin(&walk, &batch, records, size);
        while (wire_log_record_next(&walk, &record) == SM_ERR_OK)
            n += snprintf(text + n, sizeof text - (size_t)n, " %c@%d/%d", record.value[0],
                          (int)record.offset, batch.leader_epoch);
        at += batch.size;
        left -= batch.size;
    }
    return text;
}

static int64_t list_offset(struct desk *d, int node, int64_t timestamp)
{
    struct wire_flat w;
    struct wire_list_offsets_request *q = desk_begin(d, &w, WIRE_API_LIST_OFFSETS);
    q->replica_id = -1;
    q->topics = wire_flat_array(&w, 1, sizeof(struct wire_list_offsets_request_topic));
    struct wire_list_offsets_request_topic *t = wire_flat_at(&w, q->topics.at);
    t->name = wire_flat_string(&w, "t");
    t->partitions = wire_flat_array(&w, 1, sizeof(struct wire_list_offsets_request_partition));
    struct wire_list_offsets_request_partition *p = wire_flat_at(&w, t->partitions.at);
    p->current_leader_epoch = -1;
    p->max_num_offsets = 1;
    p->timestamp = timestamp;
    const struct wire_list_offsets_response *r =
        desk_response(d, desk_send(d, node, &w, WIRE_API_LIST_OFFSETS, 5));
    ck_assert_ptr_nonnull(r);
    const struct wire_list_offsets_response_topic *rt =
        WIRE_ITEMS(r, r->topics, struct wire_list_offsets_response_topic);
    const struct wire_list_offsets_response_partition *rp =
        WIRE_ITEMS(r, rt->partitions, struct wire_list_offsets_response_partition);
    return rp->error_code != 0 ? -100 - rp->error_code : rp->offset;
}

static int64_t delete_records(struct desk *d, int node, int64_t offset)
{
    struct wire_flat w;
    struct wire_delete_records_request *q = desk_begin(d, &w, WIRE_API_DELETE_RECORDS);
    q->topics = wire_flat_array(&w, 1, sizeof(struct wire_delete_records_request_topic));
    struct wire_delete_records_request_topic *t = wire_flat_at(&w, q->topics.at);
    t->name = wire_flat_string(&w, "t");
    t->partitions = wire_flat_array(&w, 1, sizeof(struct wire_delete_records_request_partition));
    struct wire_delete_records_request_partition *p = wire_flat_at(&w, t->partitions.at);
    p->offset = offset;
    const struct wire_delete_records_response *r =
        desk_response(d, desk_send(d, node, &w, WIRE_API_DELETE_RECORDS, 1));
    ck_assert_ptr_nonnull(r);
    const struct wire_delete_records_response_topic *rt =
        WIRE_ITEMS(r, r->topics, struct wire_delete_records_response_topic);
    const struct wire_delete_records_response_partition *rp =
        WIRE_ITEMS(r, rt->partitions, struct wire_delete_records_response_partition);
    return rp->error_code != 0 ? -100 - rp->error_code : rp->low_watermark;
}

/* The end offset of a leader epoch. */
static int64_t epoch_end(struct desk *d, int node, int32_t epoch)
{
    struct wire_flat w;
    struct wire_offset_for_leader_epoch_request *q =
        desk_begin(d, &w, WIRE_API_OFFSET_FOR_LEADER_EPOCH);
    q->topics = wire_flat_array(&w, 1, sizeof(struct wire_offset_for_leader_epoch_request_topic));
    struct wire_offset_for_leader_epoch_request_topic *t = wire_flat_at(&w, q->topics.at);
    t->topic = wire_flat_string(&w, "t");
    t->partitions =
        wire_flat_array(&w, 1, sizeof(struct wire_offset_for_leader_epoch_request_partition));
    struct wire_offset_for_leader_epoch_request_partition *p = wire_flat_at(&w, t->partitions.at);
    p->current_leader_epoch = -1;
    p->leader_epoch = epoch;
    const struct wire_offset_for_leader_epoch_response *r =
        desk_response(d, desk_send(d, node, &w, WIRE_API_OFFSET_FOR_LEADER_EPOCH, 3));
    ck_assert_ptr_nonnull(r);
    const struct wire_offset_for_leader_epoch_response_topic *rt =
        WIRE_ITEMS(r, r->topics, struct wire_offset_for_leader_epoch_response_topic);
    const struct wire_offset_for_leader_epoch_response_partition *rp =
        WIRE_ITEMS(r, rt->partitions, struct wire_offset_for_leader_epoch_response_partition);
    return rp->error_code != 0 ? -100 - rp->error_code : rp->end_offset;
}

static int64_t log_end(struct desk *d, int node)
{
    struct kb_partition_view v;
    return kb_partition(desk_node(d, node)->replicas, "t", 0, &v) ? v.log_end : -1;
}

static const int32_t on_three[] = {1, 2, 3};

static struct desk *three_with_topic(void)
{
    struct desk *d = desk_new(3);
    desk_run(d, SECOND);
    create_topic(d, 1, on_three, 3);
    return d;
}

/* ---- tests ---- */

START_TEST(what_is_acknowledged_by_all_is_on_all_and_is_fetched)
{
    struct desk *d = three_with_topic();
    uint64_t call = produce(d, 1, 'a', 3, -1);
    desk_run(d, SECOND);
    ck_assert_int_eq(produced(d, call)->error_code, 0);
    ck_assert_int_eq(produced(d, call)->base_offset, 0);
    call = produce(d, 1, 'x', 1, 1);
    ck_assert_int_eq(produced(d, call)->base_offset, 3);
    desk_run(d, SECOND);
    ck_assert_str_eq(fetched(d, fetch(d, 1, 0, 0)), "hw 4 | a@0/0 b@1/0 c@2/0 x@3/0");
    for (int node = 1; node <= 3; node++)
        ck_assert_int_eq(log_end(d, node), 4);
    ck_assert_uint_eq(sim_keeper_count(desk_keeper(d)), 2); /* each batch once, for all */
    ck_assert_uint_gt(desk_peer_requests(d, WIRE_API_FETCH), 4);
    desk_free(d);
}
END_TEST

START_TEST(a_fetch_waits_for_records_or_its_time)
{
    struct desk *d = three_with_topic();
    uint64_t first = fetch(d, 1, 0, 60000), second = fetch(d, 1, 0, 500);
    ck_assert_str_eq(fetched(d, first), "(waits)");
    desk_run(d, SECOND);
    ck_assert_str_eq(fetched(d, second), "hw 0 |");
    ck_assert_str_eq(fetched(d, first), "(waits)");
    produce(d, 1, 'a', 1, -1);
    desk_run(d, SECOND);
    ck_assert_str_eq(fetched(d, first), "hw 1 | a@0/0");
    desk_free(d);
}
END_TEST

START_TEST(a_leader_dies_another_leads_and_it_comes_back)
{
    struct desk *d = desk_new(3);
    desk_run(d, SECOND);
    create_topic(d, 1, (const int32_t[]){2, 3, 1}, 3);
    produce(d, 2, 'a', 2, -1);
    desk_run(d, SECOND);
    desk_kill(d, 2);
    desk_run(d, SECOND);
    ck_assert_ptr_nonnull(strstr(desk_znode(d, STATE), "\"leader\":3"));
    uint64_t call = produce(d, 3, 'p', 1, -1);
    desk_run(d, SECOND);
    ck_assert_int_eq(produced(d, call)->error_code, 0);
    ck_assert_int_eq(produced(d, call)->base_offset, 2);
    ck_assert_ptr_null(strstr(desk_znode(d, STATE), "[3,1,2]"));
    desk_start(d, 2);
    desk_run(d, 10 * SECOND);
    ck_assert_int_eq(log_end(d, 2), 3);
    ck_assert_ptr_nonnull(strstr(desk_znode(d, STATE), "\"isr\":[3,1,2]"));
    ck_assert_str_eq(fetched(d, fetch(d, 3, 0, 0)), "hw 3 | a@0/0 b@1/0 p@2/1");
    ck_assert_int_eq(epoch_end(d, 3, 0), 2);
    ck_assert_uint_gt(desk_peer_requests(d, WIRE_API_OFFSET_FOR_LEADER_EPOCH), 0);
    desk_free(d);
}
END_TEST

START_TEST(the_controller_dies_and_all_goes_on)
{
    struct desk *d = three_with_topic();
    produce(d, 1, 'a', 2, -1);
    desk_run(d, SECOND);
    desk_kill(d, 1);
    desk_run(d, 5 * SECOND);
    int leader = strstr(desk_znode(d, STATE), "\"leader\":2") != NULL ? 2 : 3;
    uint64_t call = produce(d, leader, 'p', 1, -1);
    desk_run(d, SECOND);
    ck_assert_int_eq(produced(d, call)->error_code, 0);
    desk_start(d, 1);
    desk_run(d, 10 * SECOND);
    for (int node = 1; node <= 3; node++)
        ck_assert_int_eq(log_end(d, node), 3);
    desk_free(d);
}
END_TEST

START_TEST(offsets_are_found_by_time_and_records_deleted)
{
    struct desk *d = three_with_topic();
    produce(d, 1, 'a', 4, -1);
    desk_run(d, SECOND);
    ck_assert_int_eq(list_offset(d, 1, -1), 4);
    ck_assert_int_eq(list_offset(d, 1, -2), 0);
    ck_assert_int_eq(list_offset(d, 1, 3000), 2);
    ck_assert_int_eq(list_offset(d, 1, 3001), 3);
    ck_assert_int_eq(list_offset(d, 1, 9000), -1);
    ck_assert_int_eq(list_offset(d, 2, -1), -100 - WIRE_ERROR_NOT_LEADER_OR_FOLLOWER);
    ck_assert_int_eq(delete_records(d, 1, 2), 2);
    ck_assert_int_eq(list_offset(d, 1, -2), 2);
    ck_assert_int_eq(delete_records(d, 1, 9), -100 - WIRE_ERROR_OFFSET_OUT_OF_RANGE);
    desk_free(d);
}
END_TEST

START_TEST(what_cannot_be_taken_is_told_by_its_partition)
{
    struct desk *d = three_with_topic();
    uint8_t bytes[1024];
    size_t size = batch_of(bytes, sizeof bytes, 'a', 2);
    ck_assert_int_eq(produced(d, produce_bytes(d, 1, "none", bytes, size, 1))->error_code,
                     WIRE_ERROR_UNKNOWN_TOPIC_OR_PARTITION);
    ck_assert_int_eq(produced(d, produce_bytes(d, 2, "t", bytes, size, 1))->error_code,
                     WIRE_ERROR_NOT_LEADER_OR_FOLLOWER);
    ck_assert_int_eq(produced(d, produce_bytes(d, 1, "t", bytes, size - 1, 1))->error_code,
                     WIRE_ERROR_CORRUPT_MESSAGE);
    ck_assert_int_eq(produced(d, produce_bytes(d, 1, "t", bytes, 0, 1))->error_code,
                     WIRE_ERROR_INVALID_RECORD);
    ck_assert_int_eq(produced(d, produce_bytes(d, 1, "t", bytes, size, 7))->error_code,
                     WIRE_ERROR_INVALID_REQUIRED_ACKS);
    bytes[size - 1] ^= 1;
    ck_assert_int_eq(produced(d, produce_bytes(d, 1, "t", bytes, size, 1))->error_code,
                     WIRE_ERROR_CORRUPT_MESSAGE);
    ck_assert(desk_closed(d, produce_bytes(d, 1, "t", bytes, size, 0)));
    ck_assert(!desk_closed(d, produce(d, 1, 'k', 1, 0)));
    ck_assert_int_eq(log_end(d, 1), 1);
    ck_assert_uint_eq(sim_keeper_count(desk_keeper(d)), 1); /* what was refused is not kept */
    desk_free(d);
}
END_TEST

/* Kafka reads a request into a map: what is said of a partition last is what is appended. */
START_TEST(a_partition_that_is_named_twice_is_written_once)
{
    struct desk *d = three_with_topic();
    struct wire_flat w;
    uint8_t bytes[1024];
    struct wire_produce_request *q = desk_begin(d, &w, WIRE_API_PRODUCE);
    q->acks = 1;
    q->topic_data = wire_flat_array(&w, 2, sizeof(struct wire_produce_request_topic_data));
    for (int i = 0; i < 2; i++) {
        struct wire_produce_request_topic_data *t = wire_flat_at(&w, q->topic_data.at);
        size_t size = batch_of(bytes, sizeof bytes, (char)('a' + i), 1);
        t[i].name = wire_flat_string(&w, "t");
        t[i].partition_data =
            wire_flat_array(&w, 1, sizeof(struct wire_produce_request_partition_data));
        struct wire_produce_request_partition_data *p = wire_flat_at(&w, t[i].partition_data.at);
        p->records = wire_flat_bytes(&w, bytes, size);
    }
    uint64_t call = desk_send(d, 1, &w, WIRE_API_PRODUCE, 8);
    desk_run(d, SECOND);
    const struct wire_produce_response *r = desk_response(d, call);
    ck_assert_int_eq(r->responses.count, 1);
    ck_assert_int_eq(produced(d, call)->error_code, 0);
    ck_assert_str_eq(fetched(d, fetch(d, 1, 0, 0)), "hw 1 | b@0/0");
    desk_free(d);
}
END_TEST

/* ProduceRequest.validateRecords: zstd from version 7 on, the other codecs in any. A batch stays
 * packed. */
START_TEST(a_packed_batch_is_taken_as_it_is)
{
    struct desk *d = three_with_topic();
    enum wire_codec codec = (enum wire_codec)_i;
    uint8_t bytes[1024], packed[2048];
    size_t size = batch_of(bytes, sizeof bytes, 'a', 20), used;
    ck_assert_int_eq(wire_record_batch_compress(codec, bytes, size, packed, sizeof packed, &used),
                     SM_ERR_OK);
    uint64_t call = produce_at(d, 1, "t", packed, used, -1, 6);
    desk_run(d, SECOND);
    ck_assert_int_eq(produced(d, call)->error_code,
                     codec == WIRE_CODEC_ZSTD ? WIRE_ERROR_UNSUPPORTED_COMPRESSION_TYPE : 0);
    ck_assert_uint_eq(sim_keeper_count(desk_keeper(d)), codec == WIRE_CODEC_ZSTD ? 0 : 1);
    call = produce_at(d, 1, "t", packed, used, -1, 7);
    desk_run(d, SECOND);
    ck_assert_int_eq(produced(d, call)->error_code, 0);
    ck_assert_int_eq(log_end(d, 1), codec == WIRE_CODEC_ZSTD ? 20 : 40);
    ck_assert_uint_eq(sim_keeper_count(desk_keeper(d)), 1);
    desk_free(d);
}
END_TEST

/* ---- compression.type ---- */

/* kafka-configs.sh --alter: of topic t, or of all brokers. Returns the error. */
static int16_t alter_setting(struct desk *d, bool is_topic, const char *name, const char *value)
{
    struct wire_flat w;
    struct wire_incremental_alter_configs_request *q =
        desk_begin(d, &w, WIRE_API_INCREMENTAL_ALTER_CONFIGS);
    q->resources =
        wire_flat_array(&w, 1, sizeof(struct wire_incremental_alter_configs_request_resource));
    struct wire_incremental_alter_configs_request_resource *r = wire_flat_at(&w, q->resources.at);
    r->resource_type = is_topic ? 2 : 4;
    r->resource_name = wire_flat_string(&w, is_topic ? "t" : "");
    r->configs =
        wire_flat_array(&w, 1, sizeof(struct wire_incremental_alter_configs_request_config));
    struct wire_incremental_alter_configs_request_config *c = wire_flat_at(&w, r->configs.at);
    c->name = wire_flat_string(&w, name);
    c->value = wire_flat_string(&w, value);
    uint64_t call = desk_send(d, 1, &w, WIRE_API_INCREMENTAL_ALTER_CONFIGS, 0);
    desk_run(d, SECOND);
    const struct wire_incremental_alter_configs_response *a = desk_response(d, call);
    ck_assert_ptr_nonnull(a);
    return WIRE_ITEMS(a, a->responses, struct wire_incremental_alter_configs_response_response)
        ->error_code;
}

static int16_t alter_config(struct desk *d, bool is_topic, const char *value)
{
    return alter_setting(d, is_topic, "compression.type", value);
}

/* How the last batch of a log is packed, in the words of Kafka. */
static const char *packed_on(struct desk *d, int node)
{
    struct kb_partition_view v;
    ck_assert(kb_partition(desk_node(d, node)->replicas, "t", 0, &v));
    ck_assert_uint_gt(v.batch_count, 0);
    return wire_codec_name((enum wire_codec)v.batches[v.batch_count - 1].codec);
}

/* Log.append, LogValidator: the leader packs as the topic wants it, and who fetches gets the same
 * records, under the same offsets, epochs and times. */
START_TEST(a_topic_names_how_its_log_is_packed)
{
    const enum kb_compression wanted = (enum kb_compression)_i;
    const char *name = kb_compression_name(wanted);
    const char *is = wanted == KB_COMPRESSION_PRODUCER ? "snappy"
                     : wanted == KB_COMPRESSION_NONE   ? "none"
                                                       : name;
    uint8_t bytes[1024], packed[2048];
    size_t used, size = batch_of(bytes, sizeof bytes, 'a', 3);
    struct desk *d = three_with_topic();
    ck_assert_int_eq(alter_config(d, true, name), 0);
    ck_assert_int_eq(
        wire_record_batch_compress(WIRE_CODEC_SNAPPY, bytes, size, packed, sizeof packed, &used),
        SM_ERR_OK);
    uint64_t call = produce_bytes(d, 1, "t", packed, used, -1);
    desk_run(d, SECOND);
    ck_assert_int_eq(produced(d, call)->error_code, 0);
    for (int node = 1; node <= 3; node++)
        ck_assert_str_eq(packed_on(d, node), is);
    call = produce(d, 1, 'd', 1, -1);
    desk_run(d, SECOND);
    ck_assert_int_eq(produced(d, call)->base_offset, 3);
    ck_assert_str_eq(packed_on(d, 2), wanted == KB_COMPRESSION_PRODUCER ? "none" : is);
    ck_assert_str_eq(fetched(d, fetch(d, 1, 0, 0)), "hw 4 | a@0/0 b@1/0 c@2/0 d@3/0");
    ck_assert_int_eq(list_offset(d, 1, 2000), 1); /* a time inside of what is packed */
    desk_free(d);
}
END_TEST

/* KafkaApis.handleFetchRequest: who fetches before version 10 may not know zstd. */
START_TEST(a_topic_packed_by_zstd_is_not_for_old_consumers)
{
    struct desk *d = three_with_topic();
    uint64_t call = produce(d, 1, 'a', 1, -1);
    desk_run(d, SECOND);
    ck_assert_str_eq(fetched(d, fetch_at(d, 1, 0, 0, 9)), "hw 1 | a@0/0");
    ck_assert_int_eq(alter_config(d, true, "zstd"), 0);
    ck_assert_str_eq(fetched(d, fetch_at(d, 1, 0, 0, 9)), "error 76");
    ck_assert_str_eq(fetched(d, fetch_at(d, 1, 0, 0, 10)), "hw 1 | a@0/0");
    ck_assert_int_eq(produced(d, call)->error_code, 0);
    desk_free(d);
}
END_TEST

/* LogConfig: the topic's own counts, then what brokers are told while they run, then their file;
 * what is none of the words changes nothing. */
START_TEST(what_a_topic_does_not_say_its_brokers_say)
{
    static const char *const settings[] = {"compression.type", "gzip", NULL};
    struct desk *d = desk_new_with(3, settings);
    desk_run(d, SECOND);
    create_topic(d, 1, on_three, 3);
    desk_run(d, SECOND);
    produce(d, 1, 'a', 1, -1);
    desk_run(d, SECOND);
    ck_assert_str_eq(packed_on(d, 3), "gzip");
    ck_assert_int_eq(alter_config(d, false, "lz4"), 0);
    produce(d, 1, 'b', 1, -1);
    desk_run(d, SECOND);
    ck_assert_str_eq(packed_on(d, 3), "lz4");
    ck_assert_int_eq(alter_config(d, true, "zip"), WIRE_ERROR_INVALID_REQUEST);
    ck_assert_int_eq(alter_config(d, true, "uncompressed"), 0);
    produce(d, 1, 'c', 1, -1);
    desk_run(d, SECOND);
    ck_assert_str_eq(packed_on(d, 3), "none");
    ck_assert_str_eq(fetched(d, fetch(d, 1, 0, 0)), "hw 3 | a@0/0 b@1/0 c@2/0");
    desk_free(d);
}
END_TEST

/* LogValidator: the leader's date in place of the producer's, for followers, too; a compacted log
 * has no place for records without a key. */
START_TEST(a_topic_stamps_its_records_and_asks_for_keys)
{
    struct desk *d = three_with_topic();
    struct kb_partition_view v[4];
    ck_assert_int_eq(alter_setting(d, true, "message.timestamp.type", "LogAppendTime"), 0);
    produce(d, 1, 'a', 2, -1);
    desk_run(d, SECOND);
    for (int node = 1; node <= 3; node++) {
        ck_assert(kb_partition(desk_node(d, node)->replicas, "t", 0, &v[node]));
        ck_assert_int_eq(v[node].batches[0].first_timestamp, v[node].batches[0].max_timestamp);
        ck_assert_int_eq(v[node].batches[0].max_timestamp, v[1].batches[0].max_timestamp);
    }
    const int64_t stamped = v[1].batches[0].max_timestamp;
    ck_assert_int_eq(list_offset(d, 1, stamped), 0); /* that of every record */
    ck_assert_int_eq(list_offset(d, 1, stamped + 1), -1);
    ck_assert_str_eq(fetched(d, fetch(d, 1, 0, 0)), "hw 2 | a@0/0 b@1/0");
    ck_assert_int_eq(alter_setting(d, true, "cleanup.policy", "compact"), 0);
    uint64_t call = produce(d, 1, 'b', 1, -1);
    desk_run(d, SECOND);
    ck_assert_int_eq(produced(d, call)->error_code, WIRE_ERROR_INVALID_RECORD);
    ck_assert_int_eq(log_end(d, 1), 2);
    desk_free(d);
}
END_TEST

/* What cannot be unpacked is no reason to lose it: nothing is appended, and it is told. */
START_TEST(what_cannot_be_packed_anew_is_refused)
{
    uint8_t bytes[1024], packed[2048];
    size_t used, size = batch_of(bytes, sizeof bytes, 'a', 3);
    struct desk *d = three_with_topic();
    ck_assert_int_eq(alter_config(d, true, "lz4"), 0);
    bytes[60] = 4; /* one more record than there is */
    bytes[26] = 3;
    wire_record_batch_stamp(bytes, size, 5000);
    uint64_t call = produce_bytes(d, 1, "t", bytes, size, -1);
    desk_run(d, SECOND);
    ck_assert_int_eq(produced(d, call)->error_code, WIRE_ERROR_INVALID_RECORD);
    size = batch_of(bytes, sizeof bytes, 'a', 3);
    ck_assert_int_eq(
        wire_record_batch_compress(WIRE_CODEC_GZIP, bytes, size, packed, sizeof packed, &used),
        SM_ERR_OK);
    packed[used - 10] ^= 0xff;
    wire_record_batch_stamp(packed, used, 5000); /* whose checksum is right nevertheless */
    call = produce_bytes(d, 1, "t", packed, used, -1);
    desk_run(d, SECOND);
    ck_assert_int_eq(produced(d, call)->error_code, WIRE_ERROR_UNKNOWN_SERVER_ERROR);
    ck_assert_int_eq(log_end(d, 1), 0);
    desk_free(d);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("cluster");
    TCase *c = tcase_create("cluster");
    tcase_add_test(c, what_is_acknowledged_by_all_is_on_all_and_is_fetched);
    tcase_add_test(c, a_fetch_waits_for_records_or_its_time);
    tcase_add_test(c, a_leader_dies_another_leads_and_it_comes_back);
    tcase_add_test(c, the_controller_dies_and_all_goes_on);
    tcase_add_test(c, offsets_are_found_by_time_and_records_deleted);
    tcase_add_test(c, what_cannot_be_taken_is_told_by_its_partition);
    tcase_add_test(c, a_partition_that_is_named_twice_is_written_once);
    tcase_add_loop_test(c, a_packed_batch_is_taken_as_it_is, WIRE_CODEC_NONE, WIRE_CODEC_END);
    tcase_add_loop_test(c, a_topic_names_how_its_log_is_packed, KB_COMPRESSION_PRODUCER,
                        KB_COMPRESSION_END);
    tcase_add_test(c, a_topic_packed_by_zstd_is_not_for_old_consumers);
    tcase_add_test(c, what_a_topic_does_not_say_its_brokers_say);
    tcase_add_test(c, a_topic_stamps_its_records_and_asks_for_keys);
    tcase_add_test(c, what_cannot_be_packed_anew_is_refused);
    tcase_set_timeout(c, 60);
    suite_add_tcase(s, c);
    SRunner *r = srunner_create(s);
    srunner_run_all(r, CK_NORMAL);
    int failed = srunner_ntests_failed(r);
    srunner_free(r);
    return failed == 0 ? 0 : 1;
}
