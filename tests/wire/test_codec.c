/*
 * The codec over its own tables: messages drawn at random survive bytes in every version, and what
 * a version cannot say is dropped or refused as Kafka does.
 */
#include "wire/codec.h"

#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "draw.h"
#include "wire/frame.h"
#include "wire/schema.h"

enum { ROOM = 1 << 20 };

static uint8_t room[ROOM] __attribute__((aligned(8)));

/* ---- messages by chance ---- */

static void draw_struct(struct wire_flat *f, const struct wire_layout *layout, uint8_t *to,
                        int16_t version, int depth);

static struct wire_string draw_text(struct wire_flat *f, bool may_be_null)
{
    uint8_t text[40];
    size_t size = draw(40);
    for (size_t i = 0; i < size; i++)
        text[i] = (uint8_t)draw_bits();
    return may_be_null && draw(3) == 0 ? WIRE_NULL_STRING : wire_flat_string_of(f, text, size);
}

static struct wire_array draw_array(struct wire_flat *f, const struct wire_field *field,
                                    int16_t version, int depth)
{
    if (wire_field_may_be_null(field, version) && draw(3) == 0)
        return WIRE_NULL_ARRAY;
    size_t size = wire_item_size(field);
    struct wire_array a = wire_flat_array(f, (int32_t)draw(depth > 2 ? 2 : 4), size);
    for (int32_t i = 0; i < a.count; i++) {
        uint8_t item[256] __attribute__((aligned(8)));
        ck_assert_uint_le(size, sizeof item);
        uint64_t bits = draw_bits();
        memcpy(item, &bits, sizeof bits);
        if (field->kind == WIRE_ARRAY_STRING) {
            struct wire_string s = draw_text(f, false);
            memcpy(item, &s, sizeof s);
        } else if (field->kind == WIRE_ARRAY_STRUCT) {
            draw_struct(f, field->layout, item, version, depth + 1);
        }
        memcpy((uint8_t *)wire_flat_at(f, a.at) + (size_t)i * size, item, size);
    }
    return a;
}

static void draw_field(struct wire_flat *f, const struct wire_field *field, uint8_t *to,
                       int16_t version, int depth)
{
    uint8_t *at = to + field->offset;
    uint64_t bits[2] = {draw_bits(), draw_bits()};
    struct wire_array a;
    struct wire_string s;
    switch ((enum wire_kind)field->kind) {
    case WIRE_BOOL:
        *at = bits[0] & 1;
        return;
    case WIRE_INT8:
        memcpy(at, bits, 1);
        return;
    case WIRE_INT16:
        memcpy(at, bits, 2);
        return;
    case WIRE_INT32:
        memcpy(at, bits, 4);
        return;
    case WIRE_INT64:
    case WIRE_FLOAT64:
        memcpy(at, bits, 8);
        return;
    case WIRE_UUID:
        memcpy(at, bits, 16);
        return;
    case WIRE_STRING:
    case WIRE_BYTES:
    case WIRE_RECORDS:
        s = draw_text(f, wire_field_may_be_null(field, version));
        memcpy(at, &s, sizeof s);
        return;
    case WIRE_STRUCT:
        draw_struct(f, field->layout, at, version, depth + 1);
        return;
    case WIRE_ARRAY_INT32:
    case WIRE_ARRAY_INT64:
    case WIRE_ARRAY_STRING:
    case WIRE_ARRAY_STRUCT:
        a = draw_array(f, field, version, depth);
        memcpy(at, &a, sizeof a);
        return;
    }
}

static void draw_struct(struct wire_flat *f, const struct wire_layout *layout, uint8_t *to,
                        int16_t version, int depth)
{
    wire_defaults_of(layout, to);
    for (uint16_t i = 0; i < layout->count; i++) {
        const struct wire_field *field = &layout->fields[i];
        if (wire_field_is_in(field, version) && draw(8) != 0)
            draw_field(f, field, to, version, depth);
    }
}

static void *draw_message(enum wire_direction direction, const struct wire_api_info *info,
                          int16_t version)
{
    struct wire_flat f;
    uint8_t head[256] __attribute__((aligned(8)));
    const struct wire_layout *layout = info->head[direction];
    ck_assert_uint_le(layout->size, sizeof head);
    wire_flat_begin(&f, room, ROOM, layout->size);
    draw_struct(&f, layout, head, version, 0);
    memcpy(room, head, layout->size);
    size_t size = wire_flat_end(&f);
    ck_assert_uint_gt(size, 0);
    void *exact = malloc(size);
    memcpy(exact, room, size);
    return exact;
}

static void goes_round(enum wire_direction direction, const struct wire_api_info *info,
                       int16_t version)
{
    void *message = draw_message(direction, info, version);
    size_t size, used;
    enum sm_err err = wire_encode(direction, info->key, version, message, NULL, 0, &size);
    ck_assert_msg(err == SM_ERR_LIMIT || size == 0, "%s %d: %s", info->name, version,
                  sm_err_text(err));
    uint8_t *bytes = malloc(size + 1);
    ck_assert_int_eq(wire_encode(direction, info->key, version, message, bytes, size, &used),
                     SM_ERR_OK);
    wire_decode(direction, info->key, version, bytes, size, NULL, 0, &used);
    void *again = malloc(used);
    err = wire_decode(direction, info->key, version, bytes, size, again, used, &used);
    ck_assert_msg(err == SM_ERR_OK, "%s %d: %s", info->name, version, sm_err_text(err));
    ck_assert_msg(wire_equal(direction, info->key, message, again), "%s %d", info->name, version);
    for (int i = 0; i < 8 && size > 0; i++) {
        bytes[draw((uint32_t)size)] ^= (uint8_t)(1u << draw(8));
        size_t need;
        err = wire_decode(direction, info->key, version, bytes, size, again, used, &need);
        ck_assert(err == SM_ERR_OK || err == SM_ERR_LIMIT || err == SM_ERR_SYNTAX);
        if (err == SM_ERR_OK) {
            size_t length = wire_print(direction, info->key, version, again, NULL, 0);
            ck_assert_uint_gt(length, 1);
            ck_assert_int_ne(wire_encode(direction, info->key, version, again, NULL, 0, &need),
                             SM_ERR_RANGE);
        }
    }
    free(again);
    free(bytes);
    free(message);
}

START_TEST(messages_drawn_at_random_survive_their_bytes)
{
    draw_seed(1);
    for (const struct wire_api_info *i = wire_api_next(NULL); i != NULL; i = wire_api_next(i))
        for (int16_t version = i->min; version <= i->max; version++)
            for (int round = 0; round < 20; round++) {
                goes_round(WIRE_REQUEST, i, version);
                goes_round(WIRE_RESPONSE, i, version);
            }
}
END_TEST

/* ---- what a version lacks ---- */

START_TEST(what_a_version_lacks_is_dropped_or_refused)
{
    struct wire_metadata_request m;
    uint8_t bytes[64];
    size_t used;
    wire_defaults(WIRE_REQUEST, WIRE_API_METADATA, &m);
    ck_assert_int_eq(m.allow_auto_topic_creation, 1);
    m.allow_auto_topic_creation = 0; /* not ignorable, from version 4 on */
    ck_assert_int_eq(wire_encode(WIRE_REQUEST, WIRE_API_METADATA, 3, &m, bytes, 64, &used),
                     SM_ERR_RANGE);
    ck_assert_int_eq(wire_encode(WIRE_REQUEST, WIRE_API_METADATA, 4, &m, bytes, 64, &used),
                     SM_ERR_OK);
    m.topics = WIRE_NULL_ARRAY; /* may be null from version 1 on */
    m.allow_auto_topic_creation = 1;
    ck_assert_int_eq(wire_encode(WIRE_REQUEST, WIRE_API_METADATA, 0, &m, bytes, 64, &used),
                     SM_ERR_RANGE);
    ck_assert_int_eq(wire_encode(WIRE_REQUEST, WIRE_API_METADATA, 1, &m, bytes, 64, &used),
                     SM_ERR_OK);
    ck_assert_mem_eq(bytes, "\xff\xff\xff\xff", 4);

    struct wire_heartbeat_response h = {.throttle_time_ms = 5, .error_code = 3}; /* ignorable, 1+ */
    ck_assert_int_eq(wire_encode(WIRE_RESPONSE, WIRE_API_HEARTBEAT, 0, &h, bytes, 64, &used),
                     SM_ERR_OK);
    ck_assert_uint_eq(used, 2);
}
END_TEST

/* Goal: whoever finds that two messages differ, or that one cannot be said, can say where. */
START_TEST(a_field_that_differs_or_is_refused_is_named)
{
    struct wire_flat f;
    char where[80];
    const int32_t ids[] = {1, 2};
    struct wire_metadata_response *m = wire_flat_begin(&f, room, ROOM, sizeof *m), *other;
    wire_defaults(WIRE_RESPONSE, WIRE_API_METADATA, m);
    m->topics = wire_flat_array(&f, 2, sizeof(struct wire_metadata_response_topic));
    struct wire_metadata_response_topic *topics = wire_flat_at(&f, m->topics.at);
    topics[1].partitions = wire_flat_array(&f, 1, sizeof(struct wire_metadata_response_partition));
    struct wire_metadata_response_partition *p = wire_flat_at(&f, topics[1].partitions.at);
    p->isr_nodes = wire_flat_ids(&f, ids, 2);
    size_t size = wire_flat_end(&f);
    other = malloc(size);
    memcpy(other, room, size);
    ck_assert(!wire_difference(WIRE_RESPONSE, WIRE_API_METADATA, m, other, where, sizeof where));
    ck_assert_str_eq(where, "");
    ((int32_t *)wire_flat_at(&f, p->isr_nodes.at))[1] = 3;
    ck_assert(wire_difference(WIRE_RESPONSE, WIRE_API_METADATA, m, other, where, sizeof where));
    ck_assert_str_eq(where, "topics[1].partitions[0].isr_nodes[1]");
    ck_assert(wire_difference(WIRE_RESPONSE, WIRE_API_METADATA, m, other, where, 12));
    ck_assert_str_eq(where, "topics[1].p");
    p->isr_nodes.count = 1;
    ck_assert(wire_difference(WIRE_RESPONSE, WIRE_API_METADATA, m, other, where, sizeof where));
    ck_assert_str_eq(where, "topics[1].partitions[0].isr_nodes");
    free(other);

    struct wire_metadata_request q;
    wire_defaults(WIRE_REQUEST, WIRE_API_METADATA, &q);
    ck_assert_ptr_null(wire_refused(WIRE_REQUEST, WIRE_API_METADATA, 3, &q));
    q.allow_auto_topic_creation = 0;
    ck_assert_str_eq(wire_refused(WIRE_REQUEST, WIRE_API_METADATA, 3, &q),
                     "allow_auto_topic_creation");
    ck_assert_ptr_null(wire_refused(WIRE_REQUEST, WIRE_API_METADATA, 99, &q));
}
END_TEST

START_TEST(apis_and_versions_that_are_not_there_are_out_of_range)
{
    uint64_t message[64] = {0};
    uint8_t bytes[8] = {0};
    size_t used;
    const int16_t keys[] = {-1, 52, 53, 58, 62, 32767, -32768};
    for (size_t i = 0; i < sizeof keys / sizeof keys[0]; i++) {
        ck_assert_ptr_null(wire_api_info(keys[i]));
        ck_assert_int_eq(
            wire_decode(WIRE_REQUEST, keys[i], 0, bytes, 8, message, sizeof message, &used),
            SM_ERR_RANGE);
        ck_assert_int_eq(wire_encode(WIRE_REQUEST, keys[i], 0, message, bytes, 8, &used),
                         SM_ERR_RANGE);
    }
    ck_assert_int_eq(wire_decode(WIRE_REQUEST, 3, 12, bytes, 8, message, sizeof message, &used),
                     SM_ERR_RANGE);
    ck_assert_int_eq(wire_decode(WIRE_REQUEST, 3, -1, bytes, 8, message, sizeof message, &used),
                     SM_ERR_RANGE);
}
END_TEST

START_TEST(tags_ascend_and_rows_name_what_they_are)
{
    for (const struct wire_api_info *i = wire_api_next(NULL); i != NULL; i = wire_api_next(i))
        for (int d = 0; d < 2; d++) {
            int tag = -1;
            for (uint16_t k = 0; k < i->head[d]->count; k++)
                if (i->head[d]->fields[k].tagged) {
                    ck_assert_int_gt(i->head[d]->fields[k].tag, tag);
                    tag = i->head[d]->fields[k].tag;
                }
            ck_assert_uint_le(i->head[d]->size, sizeof((struct wire_flat *)0)->sink);
        }
}
END_TEST

/* ---- lies ---- */

/* A count of two thousand million elements in a few bytes asks for no room. */
START_TEST(a_count_that_lies_asks_for_no_room)
{
    const uint8_t lie[] = {0x7f, 0xff, 0xff, 0xff, 0, 0, 0, 0};
    uint64_t message[64];
    size_t used;
    ck_assert_int_eq(wire_decode(WIRE_REQUEST, WIRE_API_METADATA, 0, lie, sizeof lie, message,
                                 sizeof message, &used),
                     SM_ERR_SYNTAX);
    const uint8_t flexible_lie[] = {0xff, 0xff, 0xff, 0xff, 0x07, 0, 0, 0, 0};
    ck_assert_int_eq(wire_decode(WIRE_REQUEST, WIRE_API_METADATA, 9, flexible_lie,
                                 sizeof flexible_lie, message, sizeof message, &used),
                     SM_ERR_SYNTAX);
    ck_assert_uint_eq(used, 0);
}
END_TEST

START_TEST(tagged_fields_that_nobody_knows_are_stepped_over)
{
    /* Heartbeat response 4: throttle, error, tags: 9 of 3 bytes, 10 of none. */
    const uint8_t bytes[] = {0, 0, 0, 7, 0, 25, 2, 9, 3, 1, 2, 3, 10, 0};
    struct wire_heartbeat_response m;
    uint64_t message[8];
    size_t used;
    ck_assert_int_eq(wire_decode(WIRE_RESPONSE, WIRE_API_HEARTBEAT, 4, bytes, sizeof bytes, message,
                                 sizeof message, &used),
                     SM_ERR_OK);
    memcpy(&m, message, sizeof m);
    ck_assert_int_eq(m.throttle_time_ms, 7);
    ck_assert_int_eq(m.error_code, 25);
    /* A known one fills its size: finalizedFeaturesEpoch of ApiVersions, a byte too many. */
    const uint8_t versions[] = {0, 0, 1, 0, 0, 0, 0, 1, 1, 9, 0, 0, 0, 0, 0, 0, 0, 5, 0};
    ck_assert_int_eq(wire_decode(WIRE_RESPONSE, WIRE_API_API_VERSIONS, 3, versions, sizeof versions,
                                 message, sizeof message, &used),
                     SM_ERR_SYNTAX);
}
END_TEST

/* ---- frames ---- */

START_TEST(a_frame_is_whole_when_its_size_says_so)
{
    size_t size;
    ck_assert_int_eq(wire_frame_size((const uint8_t *)"\0\0\0", 3, WIRE_FRAME_MAX, &size),
                     SM_ERR_OK);
    ck_assert_uint_eq(size, 0);
    ck_assert_int_eq(wire_frame_size((const uint8_t *)"\0\0\1\2", 4, WIRE_FRAME_MAX, &size),
                     SM_ERR_OK);
    ck_assert_uint_eq(size, 4 + 258);
    ck_assert_int_eq(wire_frame_size((const uint8_t *)"\xff\xff\xff\xff", 4, WIRE_FRAME_MAX, &size),
                     SM_ERR_SYNTAX);
    ck_assert_int_eq(wire_frame_size((const uint8_t *)"GET ", 4, WIRE_FRAME_MAX, &size),
                     SM_ERR_SYNTAX);
}
END_TEST

START_TEST(frames_carry_requests_and_responses)
{
    struct wire_heartbeat_response m = {.error_code = 27};
    uint8_t bytes[32];
    size_t used;
    ck_assert_int_eq(wire_frame_response(WIRE_API_HEARTBEAT, 4, 9, &m, bytes, 5, &used),
                     SM_ERR_LIMIT);
    ck_assert_uint_eq(used, 16);
    ck_assert_int_eq(wire_frame_response(WIRE_API_HEARTBEAT, 4, 9, &m, bytes, used, &used),
                     SM_ERR_OK);
    ck_assert_mem_eq(bytes, "\0\0\0\014\0\0\0\011\0\0\0\0\0\0\033\0", 16);
    const struct wire_request_header h = {
        .api = WIRE_API_API_VERSIONS, .version = 0, .correlation_id = 3, .client_id_size = -1};
    struct wire_api_versions_request q;
    wire_defaults(WIRE_REQUEST, WIRE_API_API_VERSIONS, &q);
    ck_assert_int_eq(wire_frame_request(&h, &q, bytes, sizeof bytes, &used), SM_ERR_OK);
    ck_assert_mem_eq(bytes, "\0\0\0\012\0\022\0\0\0\0\0\3\xff\xff", 14);
    ck_assert_uint_eq(used, 14);
    /* A version too new is answered all the same: what is known is told. */
    const uint8_t newer[] = {0, 18, 0, 9, 0, 0, 0, 7, 0, 0, 0};
    struct wire_request_header read;
    size_t body;
    ck_assert_int_eq(wire_request_header_decode(newer, sizeof newer, &read, &body), SM_ERR_RANGE);
    ck_assert_int_eq(read.api, 18);
    ck_assert_int_eq(read.version, 9);
    ck_assert_int_eq(read.correlation_id, 7);
}
END_TEST

/* ---- the builder ---- */

START_TEST(a_builder_that_is_full_says_so_at_the_end)
{
    uint64_t small[8];
    struct wire_flat f;
    for (size_t capacity = 0; capacity <= sizeof small; capacity += 8) {
        struct wire_create_topics_request *m = wire_flat_begin(&f, small, capacity, sizeof *m);
        m->timeout_ms = 5;
        m->topics = wire_flat_array(&f, 1, sizeof(struct wire_create_topics_request_topic));
        for (int32_t i = 0; i < m->topics.count; i++) {
            struct wire_create_topics_request_topic *t = wire_flat_at(&f, m->topics.at);
            t->name = wire_flat_string(&f, "orders");
        }
        ck_assert_uint_eq(wire_flat_end(&f), capacity >= 56 ? 56 : 0);
    }
    const struct wire_create_topics_request *m = (const void *)small;
    const struct wire_create_topics_request_topic *t =
        WIRE_ITEMS(m, m->topics, struct wire_create_topics_request_topic);
    ck_assert_str_eq(wire_text(m, t->name), "orders");
    ck_assert_str_eq(wire_text(m, (struct wire_string){0, 0}), "");
    ck_assert_ptr_null(wire_text(m, WIRE_NULL_STRING));
}
END_TEST

START_TEST(a_line_of_json_is_cut_where_room_ends)
{
    struct wire_heartbeat_response m = {.throttle_time_ms = -5, .error_code = 3};
    const char *whole = "{\"throttleTimeMs\":-5,\"errorCode\":3}";
    for (size_t capacity = 0; capacity < 60; capacity++) {
        char *line = malloc(capacity + 1);
        ck_assert_uint_eq(wire_print(WIRE_RESPONSE, WIRE_API_HEARTBEAT, 4, &m, line, capacity),
                          strlen(whole));
        if (capacity > 0) {
            ck_assert_uint_lt(strlen(line), capacity);
            ck_assert_int_eq(strncmp(line, whole, strlen(line)), 0);
        }
        free(line);
    }
}
END_TEST

int main(void)
{
    Suite *s = suite_create("codec");
    TCase *t = tcase_create("codec");
    tcase_set_timeout(t, 300);
    tcase_add_test(t, messages_drawn_at_random_survive_their_bytes);
    tcase_add_test(t, what_a_version_lacks_is_dropped_or_refused);
    tcase_add_test(t, a_field_that_differs_or_is_refused_is_named);
    tcase_add_test(t, apis_and_versions_that_are_not_there_are_out_of_range);
    tcase_add_test(t, tags_ascend_and_rows_name_what_they_are);
    tcase_add_test(t, a_count_that_lies_asks_for_no_room);
    tcase_add_test(t, tagged_fields_that_nobody_knows_are_stepped_over);
    tcase_add_test(t, a_frame_is_whole_when_its_size_says_so);
    tcase_add_test(t, frames_carry_requests_and_responses);
    tcase_add_test(t, a_builder_that_is_full_says_so_at_the_end);
    tcase_add_test(t, a_line_of_json_is_cut_where_room_ends);
    suite_add_tcase(s, t);
    SRunner *runner = srunner_create(s);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed != 0;
}
