/*
 * The codec: what the real Kafka writes, both ways; what is wrong, and how; and any bytes at all.
 *
 * The literals under "as recorded" were printed by kafka_2.13-2.8.2.jar (Encodings.java beside this
 * file prints them again). golden_znodes.tsv holds path and content of every znode in the
 * recordings of the real controller; the recorder sorts the fields by name.
 */
#include <check.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "exercise.h"

#define STATE(isr) "{\"leader\":1,\"leader_epoch\":0,\"controller_epoch\":1,\"isr\":" isr "}"

static uint64_t seed = 0x9e3779b97f4a7c15u;

static uint32_t draw(uint32_t below)
{
    seed ^= seed << 13;
    seed ^= seed >> 7;
    seed ^= seed << 17;
    return (uint32_t)(seed >> 32) % below;
}

static struct sm_list random_list(int count_max)
{
    struct sm_list list = {0};
    for (int i = (int)draw((uint32_t)count_max + 1); i > 0; i--)
        sm_list_append(&list, draw(2) == 0 ? (int32_t)draw(10) : (int32_t)draw(UINT32_MAX));
    return list;
}

static enum sm_err decode(const char *text, struct sm_leader_and_isr *li)
{
    return sm_znode_decode_state(text, strlen(text), 5, li);
}

/* ---- as recorded from Kafka 2.8.2 ---- */

/* Goal: our bytes are Kafka's, field by field. */
START_TEST(a_state_is_written_as_kafka_writes_it)
{
    struct sm_leader_and_isr li = {
        .leader = 1, .controller_epoch = 1, .isr = {.count = 2, .id = {1, 2}}};
    char out[SM_STATE_BYTES_MAX + 1];
    out[sm_znode_encode_state(out, &li)] = '\0';
    ck_assert_str_eq(
        out,
        "{\"controller_epoch\":1,\"leader\":1,\"version\":1,\"leader_epoch\":0,\"isr\":[1,2]}");
}
END_TEST

static size_t write_topic(char *out, size_t capacity, int32_t partitions, const uint8_t *id)
{
    struct sm_topic_writer w;
    sm_topic_writer_begin(&w, out, capacity);
    for (int32_t section = 0; section < 3; section++) {
        sm_topic_writer_section(&w, section);
        for (int32_t p = 0; p < partitions; p++) {
            struct sm_assignment a = {.replicas = {.count = 2, .id = {1, 2}}};
            if (p % 2 == 0)
                a.adding = sm_list_of((int32_t[]){2}, 1);
            if (p == 0)
                a.removing = sm_list_of((int32_t[]){1}, 1);
            sm_topic_writer_partition(&w, p, &a);
        }
    }
    return sm_topic_writer_end(&w, id);
}

START_TEST(a_topic_is_written_as_kafka_writes_it)
{
    char out[1024];
    uint8_t id[16] = {[7] = 1, [15] = 2};
    out[write_topic(out, sizeof out, 3, NULL)] = '\0';
    ck_assert_str_eq(out, "{\"partitions\":{\"0\":[1,2],\"1\":[1,2],\"2\":[1,2]},"
                          "\"adding_replicas\":{\"0\":[2],\"2\":[2]},"
                          "\"removing_replicas\":{\"0\":[1]},\"version\":3}");
    out[write_topic(out, sizeof out, 1, id)] = '\0';
    ck_assert_str_eq(out, "{\"partitions\":{\"0\":[1,2]},\"topic_id\":\"AAAAAAAAAAEAAAAAAAAAAg\","
                          "\"adding_replicas\":{\"0\":[2]},\"removing_replicas\":{\"0\":[1]},"
                          "\"version\":3}");
}
END_TEST

START_TEST(a_broker_is_written_as_kafka_writes_it)
{
    struct sm_broker b = {
        .id = 1,
        .endpoint_count = 2,
        .endpoint =
            {{.listener = "PLAINTEXT", .protocol = "PLAINTEXT", .host = "host", .port = 9092},
             {.listener = "CLIENT", .protocol = "SASL_SSL", .host = "::1", .port = 9093}},
        .rack = "r1"};
    char out[1024];
    out[sm_znode_encode_broker(out, sizeof out, &b, 1795272481436)] = '\0';
    ck_assert_str_eq(
        out, "{\"listener_security_protocol_map\":{\"PLAINTEXT\":\"PLAINTEXT\",\"CLIENT\":"
             "\"SASL_SSL\"},\"endpoints\":[\"PLAINTEXT://host:9092\",\"CLIENT://[::1]:9093\"],"
             "\"rack\":\"r1\",\"jmx_port\":-1,\"port\":9092,\"host\":\"host\",\"version\":4,"
             "\"timestamp\":\"1795272481436\"}");
    b.endpoint[0] = b.endpoint[1];
    b.endpoint_count = 1;
    b.rack[0] = '\0';
    out[sm_znode_encode_broker(out, sizeof out, &b, 1)] = '\0';
    ck_assert_str_eq(out, "{\"listener_security_protocol_map\":{\"CLIENT\":\"SASL_SSL\"},"
                          "\"endpoints\":[\"CLIENT://[::1]:9093\"],\"jmx_port\":-1,\"port\":-1,"
                          "\"host\":null,\"version\":4,\"timestamp\":\"1\"}");
}
END_TEST

START_TEST(small_znodes_are_written_as_kafka_writes_them)
{
    char out[256];
    out[sm_znode_encode_controller(out, sizeof out, 1, 123)] = '\0';
    ck_assert_str_eq(out, "{\"version\":1,\"brokerid\":1,\"timestamp\":\"123\"}");
    out[sm_znode_encode_epoch(out, sizeof out, 7)] = '\0';
    ck_assert_str_eq(out, "7");
    out[sm_znode_encode_log_dir_event(out, sizeof out, 3)] = '\0';
    ck_assert_str_eq(out, "{\"version\":1,\"broker\":3,\"event\":1}");
    out[sm_znode_encode_feature(out, sizeof out, 0)] = '\0';
    ck_assert_str_eq(out, "{\"features\":{},\"version\":1,\"status\":0}");
    ck_assert_uint_eq(sm_znode_encode_controller(out, 20, 1, 123), 0);
}
END_TEST

START_TEST(partition_lists_are_written_as_kafka_writes_them)
{
    struct sm_partitions_writer w;
    struct sm_list replicas = {.count = 2, .id = {1, 2}};
    char out[256];
    sm_partitions_writer_begin(&w, out, sizeof out);
    sm_partitions_writer_item(&w, "t", 0, &replicas);
    out[sm_partitions_writer_end(&w)] = '\0';
    ck_assert_str_eq(
        out,
        "{\"version\":1,\"partitions\":[{\"topic\":\"t\",\"partition\":0,\"replicas\":[1,2]}]}");
    sm_partitions_writer_begin(&w, out, sizeof out);
    sm_partitions_writer_item(&w, "t", 1, NULL);
    sm_partitions_writer_item(&w, "u\"\xc3\xa9/\x01", 0, NULL);
    out[sm_partitions_writer_end(&w)] = '\0';
    ck_assert_str_eq(out, "{\"version\":1,\"partitions\":[{\"topic\":\"t\",\"partition\":1},"
                          "{\"topic\":\"u\\\"\xc3\xa9/\\u0001\",\"partition\":0}]}");
}
END_TEST

/* Goal: any string can be written and comes back. Method: every character but NUL, in one name. */
START_TEST(every_character_survives_in_a_name)
{
    struct sm_partitions_writer w;
    struct sm_partitions_reader r;
    struct sm_partition_item item;
    char name[0x80], out[1024];
    for (int c = 1; c < 0x80; c++)
        name[c - 1] = (char)c;
    name[0x7f] = '\0';
    sm_partitions_writer_begin(&w, out, sizeof out);
    sm_partitions_writer_item(&w, name, 1, NULL);
    size_t size = sm_partitions_writer_end(&w);
    ck_assert_int_eq(sm_partitions_open(&r, out, size), SM_ERR_OK);
    ck_assert(sm_partitions_next(&r, &item));
    ck_assert_str_eq(item.topic, name);
    out[size] = '\0';
    ck_assert_ptr_nonnull(strstr(out, "\\u0007\\b\\t\\n\\u000B\\f\\r\\u000E"));
    ck_assert_ptr_nonnull(strstr(out, "\\u001F !\\\"#"));
}
END_TEST

/* What BrokerIdZNode.encode of 2.8.2 printed for versions 2 to 5; version 1 is from its comment. */
static const char *const registrations[] = {
    "{\"version\":1,\"host\":\"host\",\"port\":9092,\"jmx_port\":9999,\"timestamp\":\"1\"}",
    "{\"endpoints\":[\"PLAINTEXT://host:9092\",\"SSL://[::1]:9093\"],\"jmx_port\":-1,"
    "\"port\":9092,\"host\":\"host\",\"version\":2,\"timestamp\":\"1795272481432\"}",
    "{\"endpoints\":[\"PLAINTEXT://host:9092\",\"SSL://[::1]:9093\"],\"rack\":\"r1\","
    "\"jmx_port\":-1,\"port\":9092,\"host\":\"host\",\"version\":3,\"timestamp\":\"1\"}",
    "{\"listener_security_protocol_map\":{\"PLAINTEXT\":\"PLAINTEXT\",\"CLIENT\":\"SASL_SSL\"},"
    "\"endpoints\":[\"PLAINTEXT://host:9092\",\"CLIENT://[::1]:9093\"],\"rack\":\"r1\","
    "\"jmx_port\":-1,\"port\":9092,\"host\":\"host\",\"version\":4,\"timestamp\":\"1\"}",
    "{\"features\":{},\"listener_security_protocol_map\":{\"PLAINTEXT\":\"PLAINTEXT\","
    "\"CLIENT\":\"SASL_SSL\"},\"endpoints\":[\"PLAINTEXT://host:9092\",\"CLIENT://[::1]:9093\"],"
    "\"rack\":null,\"jmx_port\":-1,\"port\":9092,\"host\":\"host\",\"version\":5,"
    "\"timestamp\":\"1\"}",
};

/* Goal: registrations of all five versions give the same first endpoint, and their own rest. */
START_TEST(registrations_of_every_version_are_read)
{
    int version = _i + 1;
    struct sm_broker b;
    ck_assert_int_eq(sm_znode_decode_broker(registrations[_i], strlen(registrations[_i]), 6, &b),
                     SM_ERR_OK);
    ck_assert_int_eq(b.id, 6);
    ck_assert_int_eq(b.endpoint_count, version == 1 ? 1 : 2);
    ck_assert_str_eq(b.endpoint[0].listener, "PLAINTEXT");
    ck_assert_str_eq(b.endpoint[0].protocol, "PLAINTEXT");
    ck_assert_str_eq(b.endpoint[0].host, "host");
    ck_assert_int_eq(b.endpoint[0].port, 9092);
    ck_assert_str_eq(b.rack, version == 3 || version == 4 ? "r1" : "");
    if (version >= 2) {
        ck_assert_str_eq(b.endpoint[1].listener, version < 4 ? "SSL" : "CLIENT");
        ck_assert_str_eq(b.endpoint[1].protocol, version < 4 ? "SSL" : "SASL_SSL");
        ck_assert_str_eq(b.endpoint[1].host, "::1");
        ck_assert_int_eq(b.endpoint[1].port, 9093);
    }
}
END_TEST

/* ---- the examples of the specification ---- */

START_TEST(topics_of_every_version_are_read)
{
    static const char *const texts[] = {
        "{\"version\":1,\"partitions\":{\"0\":[1,2]}}",
        "{\"version\":2,\"partitions\":{\"0\":[1,2]},\"adding_replicas\":{},"
        "\"removing_replicas\":{}}",
        "{\"version\":3,\"topic_id\":\"AAAAAAAAAAEAAAAAAAAAAg\",\"adding_replicas\":{\"0\":[2]},"
        "\"partitions\":{\"0\":[1,2]}}",
        "{}",
    };
    for (int i = 0; i < 4; i++) {
        struct sm_topic_reader r;
        struct sm_assignment a;
        int32_t partition = -1;
        ck_assert_int_eq(sm_topic_open(&r, texts[i], strlen(texts[i])), SM_ERR_OK);
        ck_assert_int_eq(r.has_topic_id, i == 2);
        ck_assert_int_eq(sm_topic_next(&r, &partition, &a), i < 3);
        if (i == 3)
            continue;
        ck_assert_int_eq(partition, 0);
        ck_assert_int_eq(a.replicas.count, 2);
        ck_assert_int_eq(a.adding.count, i == 2);
        ck_assert(!sm_topic_next(&r, &partition, &a));
        ck_assert(!sm_topic_next(&r, &partition, &a));
    }
}
END_TEST

START_TEST(the_small_znodes_of_the_specification_are_read)
{
    int32_t n = 0;
    char entity[64];
    static const char controller[] = "{\"version\":1,\"brokerid\":3,\"timestamp\":\"15\"}";
    static const char event[] = "{\"version\":1,\"broker\":2,\"event\":1}";
    static const char v2[] = "{\"version\":2,\"entity_path\":\"topics/T\"}";
    static const char v1[] = "{\"version\":1,\"entity_type\":\"topics\",\"entity_name\":\"T\"}";
    static const char feature[] = "{\"version\":1,\"status\":1,\"features\":{}}";
    ck_assert_int_eq(sm_znode_decode_controller(controller, sizeof controller - 1, &n), SM_ERR_OK);
    ck_assert_int_eq(n, 3);
    ck_assert_int_eq(sm_znode_decode_log_dir_event(event, sizeof event - 1, &n), SM_ERR_OK);
    ck_assert_int_eq(n, 2);
    ck_assert_int_eq(sm_znode_decode_config_change(v2, sizeof v2 - 1, entity, sizeof entity),
                     SM_ERR_OK);
    ck_assert_str_eq(entity, "topics/T");
    ck_assert_int_eq(sm_znode_decode_config_change(v1, sizeof v1 - 1, entity, sizeof entity),
                     SM_ERR_OK);
    ck_assert_str_eq(entity, "topics/T");
    ck_assert_int_eq(sm_znode_decode_config_change(v1, sizeof v1 - 1, entity, 8), SM_ERR_LIMIT);
    ck_assert_int_eq(sm_znode_decode_feature(feature, sizeof feature - 1, &n), SM_ERR_OK);
    ck_assert_int_eq(n, 1);
    static const char no_map[] = "{\"version\":1,\"status\":1}";
    ck_assert_int_eq(sm_znode_decode_feature(no_map, sizeof no_map - 1, &n), SM_ERR_SYNTAX);
    static const char odd[] = "{\"version\":1,\"status\":2,\"features\":{}}";
    ck_assert_int_eq(sm_znode_decode_feature(odd, sizeof odd - 1, &n), SM_ERR_RANGE);
}
END_TEST

/* Goal: Java's Integer.parseInt, sign and leading zeros included, blanks excluded. */
START_TEST(epochs_are_parsed_as_java_parses_them)
{
    int32_t n = 0;
    static const char *const good[] = {"7", "+7", "007"};
    static const char *const bad[] = {"", " 7", "7\n", "+", "-", "7.0", "0x7", "\"7\""};
    for (int i = 0; i < 3; i++, n = 0) {
        ck_assert_int_eq(sm_znode_decode_epoch(good[i], strlen(good[i]), &n), SM_ERR_OK);
        ck_assert_int_eq(n, 7);
    }
    for (int i = 0; i < 8; i++)
        ck_assert_int_eq(sm_znode_decode_epoch(bad[i], strlen(bad[i]), &n), SM_ERR_SYNTAX);
    ck_assert_int_eq(sm_znode_decode_epoch("2147483648", 10, &n), SM_ERR_RANGE);
    ck_assert_int_eq(sm_znode_decode_epoch("-2147483648", 11, &n), SM_ERR_OK);
    ck_assert_int_eq(n, INT32_MIN);
    ck_assert_int_eq(sm_znode_decode_epoch("99999999999999999999999", 23, &n), SM_ERR_RANGE);
}
END_TEST

/* Goal: a setting is found by name, absent settings and absent maps are not errors, and a value
   that does not fit is never cut. */
START_TEST(settings_are_looked_up)
{
    static const struct {
        const char *text, *value;
        enum sm_err err;
    } cases[] = {
        {"{\"version\":1,\"config\":{\"a\":\"b\"}}", "b", SM_ERR_OK},
        {"{\"config\":{\"\\u0061\":\"x\\ty\"}}", "x\ty", SM_ERR_OK},
        {"{\"config\":{\"a\":\"1\",\"a\":\"2\"}}", "2", SM_ERR_OK},
        {"{\"config\":{\"aa\":\"b\"}}", NULL, SM_ERR_OK},
        {"{\"config\":null}", NULL, SM_ERR_OK},
        {"{\"version\":1}", NULL, SM_ERR_OK},
        {"[]", NULL, SM_ERR_OK},
        {"", NULL, SM_ERR_OK},
        {"{\"config\":{\"a\":\"12345678\"}}", NULL, SM_ERR_LIMIT},
        {"{\"config\":{\"a\":\"1234567\"}}", "1234567", SM_ERR_OK},
        {"{\"config\":{\"b\":1}}", NULL, SM_ERR_SYNTAX},
        {"{\"config\":{\"a\":\"\\u0000\"}}", NULL, SM_ERR_SYNTAX},
        {"{\"config\":{\"a\":\"b\"}", NULL, SM_ERR_SYNTAX},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char value[8] = "";
        bool found = true;
        enum sm_err err = sm_znode_config_get(cases[i].text, strlen(cases[i].text), "a", value,
                                              sizeof value, &found);
        ck_assert_msg(err == cases[i].err, "%s gave %d", cases[i].text, err);
        ck_assert_int_eq(found, cases[i].value != NULL);
        if (found)
            ck_assert_str_eq(value, cases[i].value);
    }
}
END_TEST

/* ---- what is wrong, and how ---- */

/* Goal: each kind of mistake gives the error that names it. */
START_TEST(wrong_states_are_refused_by_kind)
{
    static const struct {
        const char *text;
        enum sm_err err;
    } cases[] = {
        {STATE("[1]"), SM_ERR_OK},
        {STATE("[]"), SM_ERR_OK},
        {" \t\r\n" STATE(" [ 1 , 2 ] ") "\n", SM_ERR_OK},
        {"{\"\\u006ceader\":1,\"leader_epoch\":0,\"controller_epoch\":1,\"isr\":[1]}", SM_ERR_OK},
        {"", SM_ERR_SYNTAX},
        {"null", SM_ERR_SYNTAX},
        {"[]", SM_ERR_SYNTAX},
        {"{}", SM_ERR_SYNTAX},
        {"{\"leader\":1,\"leader_epoch\":0,\"isr\":[1]}", SM_ERR_SYNTAX},
        {STATE("[1]") "x", SM_ERR_SYNTAX},
        {STATE("[1]") STATE("[1]"), SM_ERR_SYNTAX},
        {STATE("[1,]"), SM_ERR_SYNTAX},
        {STATE("[,1]"), SM_ERR_SYNTAX},
        {STATE("[1 2]"), SM_ERR_SYNTAX},
        {STATE("[01]"), SM_ERR_SYNTAX},
        {STATE("[+1]"), SM_ERR_SYNTAX},
        {STATE("[.5]"), SM_ERR_SYNTAX},
        {STATE("[1.]"), SM_ERR_SYNTAX},
        {STATE("[1e]"), SM_ERR_SYNTAX},
        {STATE("[\"1\"]"), SM_ERR_SYNTAX},
        {STATE("{\"1\":1}"), SM_ERR_SYNTAX},
        {STATE("null"), SM_ERR_SYNTAX},
        {STATE("[1.0]"), SM_ERR_RANGE},
        {STATE("[1e0]"), SM_ERR_RANGE},
        {STATE("[2147483647,-2147483648]"), SM_ERR_OK},
        {STATE("[2147483648]"), SM_ERR_RANGE},
        {STATE("[-2147483649]"), SM_ERR_RANGE},
        {STATE("[123456789012345678901234567890]"), SM_ERR_RANGE},
        {STATE("[1],\"x\":tru"), SM_ERR_SYNTAX},
        {STATE("[1],\"x\":[[[[[[[[[[[[[[[0]]]]]]]]]]]]]]]"), SM_ERR_OK},
        {STATE("[1],\"x\":[[[[[[[[[[[[[[[[0]]]]]]]]]]]]]]]]"), SM_ERR_LIMIT},
        {STATE("[1],\"x\":[1}"), SM_ERR_SYNTAX},
        {STATE("[1],\"x\":{\"a\":1]"), SM_ERR_SYNTAX},
        {STATE("[1],\"x\":{\"a\" 1}"), SM_ERR_SYNTAX},
        {STATE("[1],\"x\":{1:1}"), SM_ERR_SYNTAX},
        {STATE("[1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,17,18,19,20,21,22,23,24,25,26,27,28,29,30,"
               "31,32]"),
         SM_ERR_OK},
        {STATE("[1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,17,18,19,20,21,22,23,24,25,26,27,28,29,30,"
               "31,32,33]"),
         SM_ERR_LIMIT},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct sm_leader_and_isr li;
        enum sm_err err = decode(cases[i].text, &li);
        ck_assert_msg(err == cases[i].err, "%s gave %d", cases[i].text, err);
    }
}
END_TEST

/* Goal: strings are UTF-8 and their escapes are JSON's. */
START_TEST(strings_are_checked)
{
    static const struct {
        const char *inside;
        bool good;
    } cases[] = {
        {"\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80", true},
        {"\\\"\\\\\\/\\b\\f\\n\\r\\t\\u00e9\\uD83D\\uDE00", true},
        {"\x7f", true},
        {"\x01", false},
        {"\n", false},
        {"\\x", false},
        {"\\u12", false},
        {"\\u12g4", false},
        {"\\ud800", false},
        {"\\ud800x", false},
        {"\\ud800\\n", false},
        {"\\ud800\\ud800", false},
        {"\\udc00", false},
        {"\\udc00\\udc00", false},
        {"\x80", false},
        {"\xc3", false},
        {"\xc3(", false},
        {"\xc0\xaf", false},         /* overlong */
        {"\xe0\x80\xaf", false},     /* overlong */
        {"\xf0\x80\x80\xaf", false}, /* overlong */
        {"\xed\xa0\x80", false},     /* a surrogate */
        {"\xf4\x90\x80\x80", false}, /* beyond U+10FFFF */
        {"\xff", false},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char text[256];
        struct sm_leader_and_isr li;
        snprintf(text, sizeof text, STATE("[1],\"%s\":\"%s\""), cases[i].inside, cases[i].inside);
        ck_assert_int_eq(decode(text, &li), cases[i].good ? SM_ERR_OK : SM_ERR_SYNTAX);
    }
}
END_TEST

/* Goal: escapes come out as the characters they stand for. */
START_TEST(escapes_are_resolved)
{
    static const char text[] = "{\"partitions\":[{\"topic\":\"\\u0041\\u00e9\\u20AC\\ud83d\\ude00"
                               "\\/\\t\",\"partition\":1}]}";
    struct sm_partitions_reader r;
    struct sm_partition_item item;
    ck_assert_int_eq(sm_partitions_open(&r, text, sizeof text - 1), SM_ERR_OK);
    ck_assert(sm_partitions_next(&r, &item));
    ck_assert_str_eq(item.topic, "A\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80/\t");
    ck_assert(!item.has_replicas);
    ck_assert(!sm_partitions_next(&r, &item));
}
END_TEST

static enum sm_err open_topic(const char *text)
{
    struct sm_topic_reader r;
    return sm_topic_open(&r, text, strlen(text));
}

START_TEST(wrong_topics_are_refused_by_kind)
{
    ck_assert_int_eq(open_topic("{\"partitions\":{\"00\":[1],\"+1\":[2]}}"), SM_ERR_OK);
    ck_assert_int_eq(open_topic("{\"partitions\":{\"-1\":[1]}}"), SM_ERR_RANGE);
    ck_assert_int_eq(open_topic("{\"partitions\":{\"2147483648\":[1]}}"), SM_ERR_RANGE);
    ck_assert_int_eq(open_topic("{\"partitions\":{\"\":[1]}}"), SM_ERR_SYNTAX);
    ck_assert_int_eq(open_topic("{\"partitions\":{\"a\":[1]}}"), SM_ERR_SYNTAX);
    ck_assert_int_eq(open_topic("{\"partitions\":{\"00000000000000000000001\":[1]}}"),
                     SM_ERR_SYNTAX);
    ck_assert_int_eq(open_topic("{\"partitions\":null}"), SM_ERR_SYNTAX);
    ck_assert_int_eq(open_topic("{\"partitions\":{\"0\":[1]},\"adding_replicas\":null}"),
                     SM_ERR_SYNTAX);
    ck_assert_int_eq(open_topic("{\"topic_id\":\"x\"}"), SM_ERR_SYNTAX);
    ck_assert_int_eq(open_topic("{\"topic_id\":\"AAAAAAAAAAEAAAAAAAAAAh\"}"), SM_ERR_SYNTAX);
    ck_assert_int_eq(open_topic("{\"topic_id\":\"AAAAAAAAAAEAAAAAAAAAAg==\"}"), SM_ERR_OK);
    ck_assert_int_eq(open_topic("{\"topic_id\":\"AAAAAAAA+AEAAAAAAAAAAg\"}"), SM_ERR_SYNTAX);
}
END_TEST

static enum sm_err open_partitions(const char *text)
{
    struct sm_partitions_reader r;
    return sm_partitions_open(&r, text, strlen(text));
}

START_TEST(wrong_partition_lists_are_refused_by_kind)
{
    char text[512], name[SM_TOPIC_NAME_MAX + 2];
    ck_assert_int_eq(open_partitions("{\"partitions\":[]}"), SM_ERR_OK);
    ck_assert_int_eq(open_partitions("{}"), SM_ERR_SYNTAX);
    ck_assert_int_eq(open_partitions("{\"partitions\":{}}"), SM_ERR_SYNTAX);
    ck_assert_int_eq(open_partitions("{\"partitions\":[{\"topic\":\"t\"}]}"), SM_ERR_SYNTAX);
    ck_assert_int_eq(open_partitions("{\"partitions\":[{\"partition\":1}]}"), SM_ERR_SYNTAX);
    ck_assert_int_eq(open_partitions("{\"partitions\":[{\"topic\":\"t\",\"partition\":-1}]}"),
                     SM_ERR_RANGE);
    ck_assert_int_eq(open_partitions("{\"partitions\":[{\"topic\":\"\\u0000\",\"partition\":1}]}"),
                     SM_ERR_SYNTAX);
    memset(name, 'x', sizeof name);
    name[sizeof name - 1] = '\0';
    snprintf(text, sizeof text, "{\"partitions\":[{\"topic\":\"%s\",\"partition\":1}]}", name);
    ck_assert_int_eq(open_partitions(text), SM_ERR_LIMIT);
}
END_TEST

START_TEST(wrong_registrations_are_refused_by_kind)
{
#define V4(endpoints, map)                                                                         \
    "{\"version\":4,\"jmx_port\":-1,\"endpoints\":" endpoints                                      \
    ",\"listener_security_protocol_map\":" map "}"
    static const struct {
        const char *text;
        enum sm_err err;
    } cases[] = {
        {V4("[\"A://h:1\"]", "{\"A\":\"SSL\"}"), SM_ERR_OK},
        {V4("[\"a://h:1\"]", "{\"A\":\"SSL\"}"), SM_ERR_OK},
        {V4("[\"A://:-1\"]", "{\"A\":\"SSL\"}"), SM_ERR_OK},
        {V4("[\"A://B://h:1\"]", "{\"A://B\":\"SSL\"}"), SM_ERR_OK},
        {V4("[]", "{}"), SM_ERR_OK},
        {V4("[\"A://h:1\"]", "{\"B\":\"SSL\"}"), SM_ERR_SYNTAX},
        {V4("[\"A://h:1\"]", "{\"A\":\"TLS\"}"), SM_ERR_SYNTAX},
        {V4("[\"A://h\"]", "{\"A\":\"SSL\"}"), SM_ERR_SYNTAX},
        {V4("[\"A:h:1\"]", "{\"A\":\"SSL\"}"), SM_ERR_SYNTAX},
        {V4("[\"A://h h:1\"]", "{\"A\":\"SSL\"}"), SM_ERR_SYNTAX},
        {V4("[\"A://h:+1\"]", "{\"A\":\"SSL\"}"), SM_ERR_SYNTAX},
        {V4("[\"A://h:1x\"]", "{\"A\":\"SSL\"}"), SM_ERR_SYNTAX},
        {V4("[\"A://h:99999999999\"]", "{\"A\":\"SSL\"}"), SM_ERR_RANGE},
        {V4("[\"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA://h:1\"]", "{\"A\":\"SSL\"}"), SM_ERR_LIMIT},
        {V4("[\"A://h:1\",\"A://h:2\",\"A://h:3\",\"A://h:4\",\"A://h:5\",\"A://h:6\",\"A://h:7\","
            "\"A://h:8\",\"A://h:9\"]",
            "{\"A\":\"SSL\"}"),
         SM_ERR_LIMIT},
        {"{\"version\":0,\"jmx_port\":-1}", SM_ERR_RANGE},
        {"{\"version\":4,\"jmx_port\":-1}", SM_ERR_SYNTAX},
        {"{\"version\":1,\"jmx_port\":-1,\"host\":\"h\"}", SM_ERR_SYNTAX},
        {"{\"version\":1,\"host\":\"h\",\"port\":1}", SM_ERR_SYNTAX},
        {"registration", SM_ERR_SYNTAX},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct sm_broker b;
        enum sm_err err = sm_znode_decode_broker(cases[i].text, strlen(cases[i].text), 1, &b);
        ck_assert_msg(err == cases[i].err, "%s gave %d", cases[i].text, err);
    }
}
END_TEST

/* ---- both ways ---- */

/* Goal: what is encoded is decoded to the same bytes, also at the limits. Method: 20,000 random
   values, small and large. */
START_TEST(random_states_survive)
{
    for (int round = 0; round < 20000; round++) {
        struct sm_leader_and_isr li = {.leader = (int32_t)draw(UINT32_MAX),
                                       .leader_epoch = (int32_t)draw(UINT32_MAX),
                                       .zk_version = 5,
                                       .controller_epoch = (int32_t)draw(UINT32_MAX),
                                       .isr = random_list(round % SM_REPLICAS_MAX)};
        struct sm_leader_and_isr back;
        char out[SM_STATE_BYTES_MAX];
        size_t size = sm_znode_encode_state(out, &li);
        ck_assert_int_eq(sm_znode_decode_state(out, size, 5, &back), SM_ERR_OK);
        ck_assert_mem_eq(&li, &back, sizeof li);
    }
}
END_TEST

/* Goal: what is read by comparing and what is read by the scanner are the same. Method: a blank in
   front makes the scanner read it; the text is as written, or one byte of it is another. */
START_TEST(a_state_is_read_alike_either_way)
{
    static const char bytes[] = "0123456789-,:[]{}\" .eE\\x";
    int good = 0;
    for (int round = 0; round < 20000; round++) {
        struct sm_leader_and_isr li = {.leader = (int32_t)draw(5) - 1,
                                       .leader_epoch = (int32_t)draw(1 << 30),
                                       .controller_epoch = (int32_t)draw(1000)};
        struct sm_leader_and_isr one = {0}, other = {0};
        char text[SM_STATE_BYTES_MAX + 1] = " ";
        for (uint32_t n = draw(5); n > 0; n--)
            sm_list_append(&li.isr, (int32_t)draw(1 << 30) - (1 << 29));
        size_t size = sm_znode_encode_state(text + 1, &li);
        if (round % 4 != 0)
            text[1 + draw((uint32_t)size)] = bytes[draw(sizeof bytes - 1)];
        size -= round % 16 == 1 ? draw((uint32_t)size) : 0;
        enum sm_err err = sm_znode_decode_state(text + 1, size, 5, &one);
        ck_assert_int_eq(err, sm_znode_decode_state(text, size + 1, 5, &other));
        ck_assert_mem_eq(&one, &other, sizeof one);
        good += err == SM_ERR_OK;
    }
    ck_assert_int_gt(good, 5000);
}
END_TEST

/* Goal: the longest state fits the buffer that the header asks for. */
START_TEST(the_longest_state_fits)
{
    struct sm_leader_and_isr li = {
        .leader = INT32_MIN, .leader_epoch = INT32_MIN, .controller_epoch = INT32_MIN};
    char out[SM_STATE_BYTES_MAX];
    while (sm_list_append(&li.isr, INT32_MIN))
        ;
    ck_assert_uint_le(sm_znode_encode_state(out, &li), sizeof out);
}
END_TEST

/* Goal: a topic survives, whatever the order of its partitions, and a buffer one byte too short
   gives 0 and is not overrun. */
START_TEST(random_topics_survive)
{
    for (int round = 0; round < 300; round++) {
        enum { PARTITIONS_MAX = 40 };
        struct sm_assignment want[PARTITIONS_MAX];
        int32_t id_of[PARTITIONS_MAX], count = (int32_t)draw(PARTITIONS_MAX);
        struct sm_topic_writer w;
        uint8_t id[16];
        static char out[PARTITIONS_MAX * 700], tight[PARTITIONS_MAX * 700];
        for (int i = 0; i < 16; i++)
            id[i] = (uint8_t)draw(256);
        for (int32_t p = 0; p < count; p++) {
            id_of[p] = round % 2 == 0 ? p : (p * 617 + 5) % 1009;
            want[p] = (struct sm_assignment){.replicas = random_list(5)};
            if (draw(2) == 0)
                want[p].adding = random_list(2);
            if (draw(2) == 0)
                want[p].removing = random_list(2);
        }
        size_t size = 0, capacity = sizeof out;
        for (int attempt = 0; attempt < 2; attempt++, capacity = size - 1) {
            sm_topic_writer_begin(&w, attempt == 0 ? out : tight, capacity);
            for (int32_t section = 0; section < 3; section++) {
                sm_topic_writer_section(&w, section);
                for (int32_t p = 0; p < count; p++)
                    sm_topic_writer_partition(&w, id_of[p], &want[p]);
            }
            if (attempt == 0)
                size = sm_topic_writer_end(&w, round % 3 == 0 ? NULL : id);
            else
                ck_assert_uint_eq(sm_topic_writer_end(&w, round % 3 == 0 ? NULL : id), 0);
        }
        struct sm_topic_reader r;
        struct sm_assignment got;
        int32_t partition;
        ck_assert_int_eq(sm_topic_open(&r, out, size), SM_ERR_OK);
        ck_assert_int_eq(r.has_topic_id, round % 3 != 0);
        if (r.has_topic_id)
            ck_assert_mem_eq(r.topic_id, id, sizeof id);
        for (int32_t p = 0; p < count; p++) {
            ck_assert(sm_topic_next(&r, &partition, &got));
            ck_assert_int_eq(partition, id_of[p]);
            ck_assert_mem_eq(&got, &want[p], sizeof got);
        }
        ck_assert(!sm_topic_next(&r, &partition, &got));
    }
}
END_TEST

/* Goal: no buffer is too small to be safe. Method: every capacity up to the one that suffices, with
   a guard behind. */
START_TEST(a_topic_never_leaves_its_buffer)
{
    char whole[512], out[512];
    uint8_t id[16] = {[7] = 1, [15] = 2};
    size_t size = write_topic(whole, sizeof whole, 2, id);
    for (size_t capacity = 0; capacity <= size; capacity++) {
        memset(out, '#', sizeof out);
        ck_assert_uint_eq(write_topic(out, capacity, 2, id), capacity == size ? size : 0);
        for (size_t i = capacity; i < sizeof out; i++)
            ck_assert_int_eq(out[i], '#');
    }
    ck_assert_mem_eq(out, whole, size);
}
END_TEST

/* Goal: the last of two equal names counts, wherever Kafka's JSON reader says so. */
START_TEST(the_last_of_a_name_counts)
{
    struct sm_leader_and_isr li;
    ck_assert_int_eq(
        decode("{\"leader\":1,\"leader\":2,\"leader_epoch\":0,\"controller_epoch\":1,\"isr\":[]}",
               &li),
        SM_ERR_OK);
    ck_assert_int_eq(li.leader, 2);
    static const char text[] = "{\"partitions\":{\"9\":[9]},\"adding_replicas\":{\"0\":[1],"
                               "\"0\":[2]},\"partitions\":{\"0\":[1,2],\"0\":[3]}}";
    struct sm_topic_reader r;
    struct sm_assignment a;
    int32_t partition;
    ck_assert_int_eq(sm_topic_open(&r, text, sizeof text - 1), SM_ERR_OK);
    ck_assert(sm_topic_next(&r, &partition, &a));
    ck_assert(sm_topic_next(&r, &partition, &a));
    ck_assert_int_eq(partition, 0);
    ck_assert_int_eq(a.replicas.id[0], 3);
    ck_assert_int_eq(a.adding.id[0], 2);
    ck_assert(!sm_topic_next(&r, &partition, &a));
}
END_TEST

/* ---- recordings ---- */

static void check_recorded(const char *path, const char *data)
{
    char topic[SM_TOPIC_NAME_MAX + 1];
    int32_t n;
    size_t size = strlen(data);
    bool found;
    char value[64];
    if (sm_path_is_partition_state(path, topic, &n))
        ck_assert_msg(exercise_state(data, size) == 1, "%s: %s", path, data);
    else if (sm_path_is_topic(path, topic))
        ck_assert_msg(exercise_topic(data, size) == 1, "%s: %s", path, data);
    else if (strcmp(path, SM_PATH_REASSIGN) == 0)
        ck_assert_int_eq(open_partitions(data), SM_ERR_OK);
    else if (strcmp(path, SM_PATH_CONTROLLER_EPOCH) == 0)
        ck_assert_int_eq(sm_znode_decode_epoch(data, size, &n), SM_ERR_OK);
    else if (strncmp(path, SM_PATH_CONFIG_TOPICS "/", 15) == 0)
        ck_assert_int_eq(sm_znode_config_get(data, size, "unclean.leader.election.enable", value,
                                             sizeof value, &found),
                         SM_ERR_OK);
    else
        ck_assert_msg(strcmp(path, SM_PATH_CONTROLLER) == 0, "nobody reads %s", path);
}

/* Goal: every znode that the recorded controller left behind is read, and survives rewriting. */
START_TEST(every_recorded_znode_is_read)
{
    FILE *file = fopen(KC_SOURCE_DIR "/tests/statemachine/golden_znodes.tsv", "r");
    char line[4096];
    int count = 0;
    ck_assert_ptr_nonnull(file);
    while (fgets(line, sizeof line, file) != NULL) {
        char *tab = strchr(line, '\t');
        ck_assert_ptr_nonnull(tab);
        *tab = '\0';
        tab[1 + strcspn(tab + 1, "\n")] = '\0';
        check_recorded(line, tab + 1);
        count++;
    }
    fclose(file);
    ck_assert_int_gt(count, 100);
}
END_TEST

/* ---- any bytes ---- */

/* Runs the decoders over a copy of exactly `size` bytes, so that the sanitizer sees one too many.
 */
static int exercise_exactly(const char *bytes, size_t size)
{
    char *copy = malloc(size > 0 ? size : 1);
    ck_assert_ptr_nonnull(copy);
    memcpy(copy, bytes, size);
    int accepted = exercise(copy, size);
    free(copy);
    return accepted;
}

/* Goal: a text that ends early is refused or read, never overrun. Method: every prefix of a valid
   text of each kind. */
START_TEST(every_truncation_is_survived)
{
    const char *sample = exercise_samples[_i];
    ck_assert_int_gt(exercise_exactly(sample, strlen(sample)), 0);
    for (size_t size = 0; size < strlen(sample); size++)
        exercise_exactly(sample, size);
}
END_TEST

/* Goal: the same for every text that differs in one byte. Method: every position, all 255 others.
 */
START_TEST(every_single_byte_change_is_survived)
{
    char text[1024];
    size_t size = strlen(exercise_samples[_i]);
    ck_assert_uint_lt(size, sizeof text);
    memcpy(text, exercise_samples[_i], size);
    for (size_t at = 0; at < size; at++) {
        char original = text[at];
        for (int change = 1; change < 256; change++) {
            text[at] = (char)(original ^ change);
            exercise_exactly(text, size);
        }
        text[at] = original;
    }
}
END_TEST

static Suite *suite(void)
{
    Suite *s = suite_create("znode");
    TCase *tc = tcase_create("codec");
    tcase_set_timeout(tc, 120);
    tcase_add_test(tc, a_state_is_written_as_kafka_writes_it);
    tcase_add_test(tc, a_topic_is_written_as_kafka_writes_it);
    tcase_add_test(tc, a_broker_is_written_as_kafka_writes_it);
    tcase_add_test(tc, small_znodes_are_written_as_kafka_writes_them);
    tcase_add_test(tc, partition_lists_are_written_as_kafka_writes_them);
    tcase_add_test(tc, every_character_survives_in_a_name);
    tcase_add_loop_test(tc, registrations_of_every_version_are_read, 0, 5);
    tcase_add_test(tc, topics_of_every_version_are_read);
    tcase_add_test(tc, the_small_znodes_of_the_specification_are_read);
    tcase_add_test(tc, epochs_are_parsed_as_java_parses_them);
    tcase_add_test(tc, settings_are_looked_up);
    tcase_add_test(tc, wrong_states_are_refused_by_kind);
    tcase_add_test(tc, strings_are_checked);
    tcase_add_test(tc, escapes_are_resolved);
    tcase_add_test(tc, wrong_topics_are_refused_by_kind);
    tcase_add_test(tc, wrong_partition_lists_are_refused_by_kind);
    tcase_add_test(tc, wrong_registrations_are_refused_by_kind);
    tcase_add_test(tc, random_states_survive);
    tcase_add_test(tc, a_state_is_read_alike_either_way);
    tcase_add_test(tc, the_longest_state_fits);
    tcase_add_test(tc, random_topics_survive);
    tcase_add_test(tc, a_topic_never_leaves_its_buffer);
    tcase_add_test(tc, the_last_of_a_name_counts);
    tcase_add_test(tc, every_recorded_znode_is_read);
    tcase_add_loop_test(tc, every_truncation_is_survived, 0, EXERCISE_SAMPLES);
    tcase_add_loop_test(tc, every_single_byte_change_is_survived, 0, EXERCISE_SAMPLES);
    suite_add_tcase(s, tc);
    return s;
}

int main(void)
{
    SRunner *runner = srunner_create(suite());
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
