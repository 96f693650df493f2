/*
 * Everything that may be asked of untrusted bytes, in one call: every decoder reads them, every
 * reader walks them to its end, and what a decoder accepts must survive encoding and decoding.
 * Shared by the tests of the codec and the fuzzer; failures are assertions.
 */
#ifndef TESTS_STATEMACHINE_EXERCISE_H
#define TESTS_STATEMACHINE_EXERCISE_H

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "statemachine/znode.h"

/* Returns how many decoders accepted the bytes. */
static int exercise_state(const char *bytes, size_t size)
{
    struct sm_leader_and_isr li, again, untouched;
    char text[SM_STATE_BYTES_MAX];
    memset(&li, 0x55, sizeof li);
    untouched = li;
    if (sm_znode_decode_state(bytes, size, 3, &li) != SM_ERR_OK) {
        assert(memcmp(&li, &untouched, sizeof li) == 0);
        return 0;
    }
    size_t written = sm_znode_encode_state(text, &li);
    memset(&again, 0x55, sizeof again);
    enum sm_err err = sm_znode_decode_state(text, written, 3, &again);
    assert(err == SM_ERR_OK);
    assert(memcmp(&li, &again, sizeof li) == 0);
    return 1;
}

static size_t rewrite_topic(const char *bytes, size_t size, char *out, size_t capacity)
{
    struct sm_topic_writer w;
    struct sm_topic_reader r = {0};
    sm_topic_writer_begin(&w, out, capacity);
    for (int32_t section = 0; section < 3; section++) {
        struct sm_assignment a;
        int32_t partition;
        enum sm_err err = sm_topic_open(&r, bytes, size);
        assert(err == SM_ERR_OK);
        sm_topic_writer_section(&w, section);
        while (sm_topic_next(&r, &partition, &a))
            sm_topic_writer_partition(&w, partition, &a);
    }
    return sm_topic_writer_end(&w, r.has_topic_id ? r.topic_id : NULL);
}

static int exercise_topic(const char *bytes, size_t size)
{
    struct sm_topic_reader r, s;
    struct sm_assignment a, b;
    int32_t p, q, members = 0;
    if (sm_topic_open(&r, bytes, size) != SM_ERR_OK)
        return 0;
    while (sm_topic_next(&r, &p, &a)) {
        assert(p >= 0);
        members += 1 + a.replicas.count + a.adding.count + a.removing.count;
    }
    size_t capacity = 256 + 16 * (size_t)members * 3;
    char *text = malloc(capacity);
    assert(text != NULL);
    size_t written = rewrite_topic(bytes, size, text, capacity);
    assert(written > 0);
    enum sm_err err = sm_topic_open(&r, bytes, size);
    enum sm_err same = sm_topic_open(&s, text, written);
    assert(err == SM_ERR_OK && same == SM_ERR_OK);
    assert(r.has_topic_id == s.has_topic_id);
    assert(memcmp(r.topic_id, s.topic_id, sizeof r.topic_id) == 0);
    while (sm_topic_next(&r, &p, &a)) {
        bool more = sm_topic_next(&s, &q, &b);
        assert(more);
        assert(p == q);
        assert(memcmp(&a, &b, sizeof a) == 0);
    }
    assert(!sm_topic_next(&s, &q, &b));
    free(text);
    return 1;
}

static int exercise_partitions(const char *bytes, size_t size)
{
    struct sm_partitions_reader r;
    struct sm_partition_item item;
    if (sm_partitions_open(&r, bytes, size) != SM_ERR_OK)
        return 0;
    while (sm_partitions_next(&r, &item)) {
        assert(item.partition >= 0);
        assert(strlen(item.topic) <= SM_TOPIC_NAME_MAX);
    }
    assert(!sm_partitions_next(&r, &item));
    return 1;
}

static int exercise_broker(const char *bytes, size_t size)
{
    struct sm_broker b, again;
    char text[4096];
    memset(&b, 0, sizeof b);
    if (sm_znode_decode_broker(bytes, size, 4, &b) != SM_ERR_OK)
        return 0;
    for (int i = 0; i < b.endpoint_count; i++)
        for (int j = 0; j < i; j++)
            if (strcmp(b.endpoint[i].listener, b.endpoint[j].listener) == 0)
                return 1; /* one listener, two protocols: no broker writes that */
    size_t written = sm_znode_encode_broker(text, sizeof text, &b, 1);
    assert(written > 0);
    enum sm_err err = sm_znode_decode_broker(text, written, 4, &again);
    assert(err == SM_ERR_OK);
    assert(memcmp(&b, &again, sizeof b) == 0);
    return 1;
}

static int exercise_small(const char *bytes, size_t size)
{
    int32_t n;
    bool found;
    char value[32], entity[32];
    int accepted = 0;
    accepted += sm_znode_decode_controller(bytes, size, &n) == SM_ERR_OK;
    accepted += sm_znode_decode_epoch(bytes, size, &n) == SM_ERR_OK;
    accepted += sm_znode_decode_log_dir_event(bytes, size, &n) == SM_ERR_OK;
    accepted += sm_znode_decode_feature(bytes, size, &n) == SM_ERR_OK;
    accepted += sm_znode_config_get(bytes, size, "a", value, sizeof value, &found) == SM_ERR_OK;
    accepted += sm_znode_decode_config_change(bytes, size, entity, sizeof entity) == SM_ERR_OK;
    return accepted;
}

static int exercise(const char *bytes, size_t size)
{
    return exercise_state(bytes, size) + exercise_topic(bytes, size) +
           exercise_partitions(bytes, size) + exercise_broker(bytes, size) +
           exercise_small(bytes, size);
}

/* One valid text of each kind, as starting points for damage. */
#define EXERCISE_SAMPLE_LIST                                                                       \
    "{\"controller_epoch\":1,\"leader\":-1,\"version\":1,\"leader_epoch\":12,\"isr\":[1,2,30]}",   \
        "{\"partitions\":{\"0\":[4,2,1],\"1\":[2],\"10\":[]},\"topic_id\":"                        \
        "\"AAAAAAAAAAEAAAAAAAAAAg\","                                                              \
        "\"adding_replicas\":{\"0\":[4]},\"removing_replicas\":{\"0\":[1]},\"version\":3}",        \
        "{\"version\":1,\"partitions\":[{\"topic\":\"t\",\"partition\":0,\"replicas\":[1,2]},"     \
        "{\"topic\":\"\\u0075\\ud83d\\ude00\",\"partition\":17}]}",                                \
        "{\"listener_security_protocol_map\":{\"CLIENT\":\"SASL_SSL\",\"PLAINTEXT\":"              \
        "\"PLAINTEXT\"},"                                                                          \
        "\"endpoints\":[\"CLIENT://[::1]:9093\",\"PLAINTEXT://host:9092\"],\"rack\":\"r1\","       \
        "\"jmx_port\":-1,\"port\":9092,\"host\":\"host\",\"version\":4,\"timestamp\":\"15\"}",     \
        "{\"jmx_port\":9999,\"port\":9092,\"host\":\"localhost\",\"version\":1,\"timestamp\":"     \
        "\"1\"}",                                                                                  \
        "{\"version\":1,\"brokerid\":3,\"timestamp\":\"1500000000000\"}", "2147483647",            \
        "{\"version\":1,\"broker\":3,\"event\":1}",                                                \
        "{\"version\":1,\"config\":{\"unclean.leader.election.enable\":\"true\",\"a\":"            \
        "\"\xc3\xa9\"}}",                                                                          \
        "{\"version\":2,\"entity_path\":\"topics/t\"}",                                            \
        "{\"version\":1,\"entity_type\":\"topics\",\"entity_name\":\"t\"}",                        \
        "{\"features\":{},\"version\":1,\"status\":0}",                                            \
        "{\"skip\":[1.5e+3,-0,true,false,null,{\"deep\":[[[\"\\n\\u00e9\xe2\x82\xac\"]]]}],"       \
        "\"broker\":"                                                                              \
        "1}"

static const char *const exercise_samples[] = {EXERCISE_SAMPLE_LIST};

enum { EXERCISE_SAMPLES = sizeof exercise_samples / sizeof exercise_samples[0] };

#endif
