/* Frames of the connection for bulk reads: what is written is what the protocol says, and any bytes
   that come back give a reply or none. */
#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "live/bulk_codec.h"

enum { BYTES_MAX = 4096 };

static uint64_t request_bytes[BYTES_MAX / 8];

struct op {
    enum wire_zk_opcode opcode;
    const char *path;
};

static const struct wire_zk_request *request_of(const struct op *ops, int count)
{
    struct wire_zk_builder b;
    wire_zk_begin(&b, request_bytes, sizeof request_bytes, 77, true);
    for (int i = 0; i < count; i++)
        wire_zk_add(&b, (struct wire_zk_op){.opcode = (uint8_t)ops[i].opcode}, ops[i].path, NULL);
    return wire_zk_end(&b);
}

/* ---- an answer, written by hand ---- */

struct bytes {
    uint8_t at[BYTES_MAX];
    size_t size;
};

static void number(struct bytes *b, uint64_t value, int width)
{
    for (int shift = 8 * (width - 1); shift >= 0; shift -= 8)
        b->at[b->size++] = (uint8_t)(value >> shift);
}

static void text(struct bytes *b, const char *string)
{
    number(b, strlen(string), 4);
    memcpy(b->at + b->size, string, strlen(string));
    b->size += strlen(string);
}

static void multi_header(struct bytes *b, int32_t type, bool done, int32_t err)
{
    number(b, (uint32_t)type, 4);
    number(b, done, 1);
    number(b, (uint32_t)err, 4);
}

/* Fields in the order of zookeeper.jute, each with a number of its own. */
static void stat(struct bytes *b)
{
    static const int widths[] = {8, 8, 8, 8, 4, 4, 4, 8, 4, 4, 8};
    for (uint64_t i = 0; i < sizeof widths / sizeof widths[0]; i++)
        number(b, i + 1, widths[i]);
}

static const struct op ops[] = {
    {WIRE_ZK_GET_DATA, "/full"},    {WIRE_ZK_GET_DATA, "/null"},
    {WIRE_ZK_GET_DATA, "/missing"}, {WIRE_ZK_GET_CHILDREN, "/parent"},
    {WIRE_ZK_GET_DATA, "/empty"},   {WIRE_ZK_GET_CHILDREN, "/leaf"},
};
enum { OPS = sizeof ops / sizeof ops[0] };

static struct bytes answer(void)
{
    struct bytes b = {.size = 0};
    number(&b, 9, 4);      /* xid */
    number(&b, 0x1234, 8); /* zxid */
    number(&b, 0, 4);      /* err */
    multi_header(&b, 4, false, 0);
    text(&b, "some data");
    stat(&b);
    multi_header(&b, 4, false, 0);
    number(&b, UINT32_MAX, 4);
    stat(&b);
    multi_header(&b, -1, false, WIRE_ZK_NO_NODE);
    number(&b, (uint32_t)WIRE_ZK_NO_NODE, 4);
    multi_header(&b, 8, false, 0);
    number(&b, 3, 4);
    text(&b, "b");
    text(&b, "c");
    text(&b, "a");
    multi_header(&b, 4, false, 0);
    text(&b, "");
    stat(&b);
    multi_header(&b, 8, false, 0);
    number(&b, 0, 4);
    multi_header(&b, -1, true, -1);
    return b;
}

START_TEST(an_answer_becomes_a_reply)
{
    struct bytes b = answer();
    const struct wire_zk_request *request = request_of(ops, OPS);
    struct wire_zk_reply *reply = live_bulk_get_reply(b.at, b.size, request);
    struct wire_zk_result_view v = {0};
    ck_assert_ptr_nonnull(reply);
    ck_assert(wire_zk_reply_valid(reply, reply->size));
    ck_assert_int_eq(reply->count, OPS);
    ck_assert_uint_eq(reply->xid, 77);
    ck_assert_int_eq(reply->zxid, 0x1234);
    ck_assert(wire_zk_result_next(reply, &v));
    ck_assert_mem_eq(v.data, "some data", 9);
    ck_assert_int_eq(v.result->stat.czxid, 1);
    ck_assert_int_eq(v.result->stat.version, 5);
    ck_assert_int_eq(v.result->stat.ephemeral_owner, 8);
    ck_assert_int_eq(v.result->stat.num_children, 10);
    ck_assert_int_eq(v.result->stat.pzxid, 11);
    ck_assert(wire_zk_result_next(reply, &v));
    ck_assert(!v.result->has_data);
    ck_assert(wire_zk_result_next(reply, &v));
    ck_assert_int_eq(v.result->err, WIRE_ZK_NO_NODE);
    ck_assert(wire_zk_result_next(reply, &v));
    ck_assert_uint_eq(v.result->name_count, 3);
    ck_assert_mem_eq(v.data, "a\0b\0c", 6);
    ck_assert(wire_zk_result_next(reply, &v));
    ck_assert(v.result->has_data);
    ck_assert_uint_eq(v.result->data_size, 0);
    ck_assert(wire_zk_result_next(reply, &v));
    ck_assert_uint_eq(v.result->name_count, 0);
    free(reply);
}
END_TEST

START_TEST(an_answer_to_another_request_is_none)
{
    static const struct op other[] = {{WIRE_ZK_GET_CHILDREN, "/full"}, {WIRE_ZK_GET_DATA, "/null"}};
    struct bytes b = answer();
    ck_assert_ptr_null(live_bulk_get_reply(b.at, b.size, request_of(other, 2)));
    ck_assert_ptr_null(live_bulk_get_reply(b.at, b.size, request_of(ops, OPS - 1)));
    ck_assert_ptr_null(live_bulk_get_reply(b.at, b.size - 1, request_of(ops, OPS)));
    b.size++;
    ck_assert_ptr_null(live_bulk_get_reply(b.at, b.size, request_of(ops, OPS)));
}
END_TEST

/* Goal: no bytes do harm (the sanitizers watch), and what is accepted is well formed. */
START_TEST(damaged_answers_give_a_reply_or_none)
{
    const struct bytes good = answer();
    uint64_t seed = 88172645463325252ull;
    uint32_t accepted = 0;
    for (int round = 0; round < 300000; round++) {
        struct bytes b = good;
        for (int k = 0; k < 1 + round % 4; k++) {
            seed ^= seed << 13, seed ^= seed >> 7, seed ^= seed << 17;
            b.at[(seed >> 8) % b.size] = (uint8_t)(seed & 3 ? seed >> 40 : 255 * (seed >> 40 & 1));
        }
        if (round % 5 == 0)
            b.size = (size_t)(seed >> 20) % b.size;
        uint8_t *exact = malloc(b.size + 1); /* its end is where reading would be seen */
        memcpy(exact, b.at, b.size);
        struct wire_zk_reply *reply = live_bulk_get_reply(exact, b.size, request_of(ops, OPS));
        if (reply != NULL) {
            ck_assert(wire_zk_reply_valid(reply, reply->size));
            ck_assert_int_eq(reply->count, OPS);
            accepted++;
        }
        struct live_bulk_session session;
        struct live_bulk_header header;
        live_bulk_get_connect(exact, b.size, &session);
        live_bulk_get_header(exact, b.size, &header);
        free(reply);
        free(exact);
    }
    ck_assert_uint_gt(accepted, 1000);
}
END_TEST

START_TEST(a_request_is_written_as_the_protocol_says)
{
    static const struct op two[] = {{WIRE_ZK_GET_DATA, "/a"}, {WIRE_ZK_GET_CHILDREN, "/"}};
    const struct wire_zk_request *request = request_of(two, 2);
    struct bytes expected = {.size = 0};
    uint8_t frame[256];
    size_t size = live_bulk_read_size(request, 5);
    number(&expected, size - 4, 4);
    number(&expected, 42, 4);
    number(&expected, 22, 4);
    multi_header(&expected, 4, false, -1);
    text(&expected, "/root/a");
    number(&expected, 0, 1);
    multi_header(&expected, 8, false, -1);
    text(&expected, "/root");
    number(&expected, 0, 1);
    multi_header(&expected, -1, true, -1);
    live_bulk_put_read(frame, size, 42, request, "/root");
    ck_assert_uint_eq(size, expected.size);
    ck_assert_mem_eq(frame, expected.at, size);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("bulk_codec");
    TCase *tc = tcase_create("all");
    tcase_set_timeout(tc, 120);
    tcase_add_test(tc, an_answer_becomes_a_reply);
    tcase_add_test(tc, an_answer_to_another_request_is_none);
    tcase_add_test(tc, damaged_answers_give_a_reply_or_none);
    tcase_add_test(tc, a_request_is_written_as_the_protocol_says);
    suite_add_tcase(s, tc);
    SRunner *runner = srunner_create(s);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? 0 : 1;
}
