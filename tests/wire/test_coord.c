/*
 * Coordination records: what is built is read back, what does not fit is said, and what is damaged
 * is never read beyond its end (the sanitizer builds look on).
 */
#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "wire/coord.h"

static uint64_t space[512];

START_TEST(a_request_is_read_as_it_was_built)
{
    struct wire_zk_builder b;
    struct wire_zk_op_view v = {0};
    wire_zk_begin(&b, space, sizeof space, 77, true);
    wire_zk_add(&b, (struct wire_zk_op){.opcode = WIRE_ZK_CREATE, .flags = 3, .data_size = 5}, "/a",
                "hello");
    wire_zk_add(&b, (struct wire_zk_op){.opcode = WIRE_ZK_SET_DATA, .version = 9}, "/b/c", "");
    wire_zk_add(&b, (struct wire_zk_op){.opcode = WIRE_ZK_DELETE, .data_size = 9}, "/d", NULL);
    const struct wire_zk_request *r = wire_zk_end(&b);
    ck_assert_ptr_nonnull(r);
    ck_assert(wire_zk_request_valid(r, sizeof space));
    ck_assert_uint_eq(r->xid, 77);
    ck_assert_uint_eq(r->count, 3);
    ck_assert_uint_eq(r->size % 8, 0);
    ck_assert(wire_zk_op_next(r, &v));
    ck_assert_str_eq(v.path, "/a");
    ck_assert_int_eq(v.op->flags, 3);
    ck_assert_mem_eq(v.data, "hello", 5);
    ck_assert(wire_zk_op_next(r, &v));
    ck_assert_str_eq(v.path, "/b/c");
    ck_assert_int_eq(v.op->has_data, 1);
    ck_assert_uint_eq(v.op->data_size, 0);
    ck_assert_int_eq(v.op->version, 9);
    ck_assert(wire_zk_op_next(r, &v));
    ck_assert_int_eq(v.op->has_data, 0);
    ck_assert_uint_eq(v.op->data_size, 0);
    ck_assert(!wire_zk_op_next(r, &v));
}
END_TEST

static const struct wire_zk_reply *make_reply(void)
{
    struct wire_zk_builder b;
    struct wire_zk_result names = {.opcode = WIRE_ZK_GET_CHILDREN, .data_size = 8, .name_count = 3};
    wire_zk_reply_begin(&b, space, sizeof space, 5, false, 1234567890123);
    wire_zk_reply_add(&b, (struct wire_zk_result){.opcode = WIRE_ZK_CREATE, .stat = {.czxid = 3}},
                      "/a0000000001", NULL);
    uint8_t *at = wire_zk_reply_add_space(&b, names, NULL);
    memcpy(at, "a\0bc\0d\0", 8);
    return wire_zk_reply_end(&b, WIRE_ZK_OK);
}

START_TEST(a_reply_is_read_as_it_was_built)
{
    const struct wire_zk_reply *r = make_reply();
    struct wire_zk_result_view v = {0};
    ck_assert(wire_zk_reply_valid(r, sizeof space));
    ck_assert_int_eq(r->zxid, 1234567890123);
    ck_assert(wire_zk_result_next(r, &v));
    ck_assert_str_eq(v.path, "/a0000000001");
    ck_assert_int_eq(v.result->stat.czxid, 3);
    ck_assert(wire_zk_result_next(r, &v));
    const char *name = wire_zk_name_next(&v, NULL);
    ck_assert_str_eq(name, "a");
    name = wire_zk_name_next(&v, name);
    ck_assert_str_eq(name, "bc");
    name = wire_zk_name_next(&v, name);
    ck_assert_str_eq(name, "d");
    ck_assert(!wire_zk_result_next(r, &v));
}
END_TEST

/* Goal: whatever the capacity, a builder says that it did not fit, or builds the very same bytes.
 */
START_TEST(what_does_not_fit_is_said)
{
    uint64_t whole[64], part[64];
    struct wire_zk_builder b;
    struct wire_zk_op op = {.opcode = WIRE_ZK_CREATE, .data_size = 3};
    memset(whole, 0xee, sizeof whole);
    wire_zk_begin(&b, whole, sizeof whole, 1, true);
    for (int i = 0; i < 4; i++)
        wire_zk_add(&b, op, "/path", "abc");
    const struct wire_zk_request *r = wire_zk_end(&b);
    for (size_t capacity = 0; capacity <= r->size; capacity += 8) {
        memset(part, 0xee, sizeof part);
        wire_zk_begin(&b, part, capacity, 1, true);
        for (int i = 0; i < 4; i++)
            wire_zk_add(&b, op, "/path", "abc");
        ck_assert(b.overflow == (capacity < r->size));
        ck_assert((wire_zk_end(&b) == NULL) == b.overflow);
        for (size_t i = capacity; i < sizeof part; i++)
            ck_assert_uint_eq(((uint8_t *)part)[i], 0xee);
    }
    ck_assert_mem_eq(part, whole, r->size);
}
END_TEST

static void walk_request(const uint8_t *bytes, size_t size)
{
    const struct wire_zk_request *r = (const struct wire_zk_request *)(const void *)bytes;
    struct wire_zk_op_view v = {0};
    uint32_t sum = 0;
    if (r->size > size)
        return;
    while (wire_zk_op_next(r, &v)) {
        ck_assert_uint_eq(strlen(v.path), v.op->path_size);
        for (uint32_t i = 0; i < v.op->data_size; i++)
            sum += v.data[i];
    }
    ck_assert(!wire_zk_request_valid(r, size) || sum != UINT32_MAX);
}

static void walk_reply(const uint8_t *bytes, size_t size)
{
    const struct wire_zk_reply *r = (const struct wire_zk_reply *)(const void *)bytes;
    struct wire_zk_result_view v = {0};
    size_t sum = 0;
    if (r->size > size)
        return;
    while (wire_zk_result_next(r, &v))
        for (const char *n = NULL; (n = wire_zk_name_next(&v, n)) != NULL;)
            sum += strlen(n);
    ck_assert(!wire_zk_reply_valid(r, size) || sum != SIZE_MAX);
}

/* Goal: every single byte of a record replaced by every value that tends to hurt, in a block of
   exactly its size. */
START_TEST(a_damaged_record_is_not_read_beyond_its_end)
{
    static const uint8_t values[] = {0, 1, 7, 8, 0x7f, 0x80, 0xf8, 0xff};
    const struct wire_zk_reply *reply = make_reply();
    size_t size = reply->size;
    uint8_t *copy = malloc(size);
    for (size_t i = 0; i < size; i++)
        for (size_t k = 0; k < sizeof values; k++) {
            memcpy(copy, reply, size);
            copy[i] = values[k];
            walk_reply(copy, size);
            walk_request(copy, size);
        }
    free(copy);
}
END_TEST

START_TEST(a_cut_record_is_invalid)
{
    const struct wire_zk_reply *reply = make_reply();
    for (size_t size = 8; size < reply->size; size += 8) {
        uint64_t *copy = malloc(size);
        memcpy(copy, reply, size);
        ck_assert(!wire_zk_reply_valid((const struct wire_zk_reply *)copy, size));
        free(copy);
    }
}
END_TEST

START_TEST(every_code_has_its_name)
{
    ck_assert_str_eq(wire_zk_err_name(WIRE_ZK_OK), "OK");
    ck_assert_str_eq(wire_zk_err_name(WIRE_ZK_BAD_VERSION), "BADVERSION");
    ck_assert_str_eq(wire_zk_err_name(-12345), "UNKNOWN");
    ck_assert_str_eq(wire_zk_event_name(WIRE_ZK_EVENT_CHILD), "NodeChildrenChanged");
    for (int op = 0; op < WIRE_ZK_OPCODE_END; op++)
        ck_assert_str_ne(wire_zk_opcode_name((enum wire_zk_opcode)op), "unknown");
    ck_assert_str_eq(wire_zk_opcode_name(WIRE_ZK_OPCODE_END), "unknown");
}
END_TEST

static Suite *suite(void)
{
    Suite *s = suite_create("coordination records");
    TCase *tc = tcase_create("coord");
    tcase_add_test(tc, a_request_is_read_as_it_was_built);
    tcase_add_test(tc, a_reply_is_read_as_it_was_built);
    tcase_add_test(tc, what_does_not_fit_is_said);
    tcase_add_test(tc, a_damaged_record_is_not_read_beyond_its_end);
    tcase_add_test(tc, a_cut_record_is_invalid);
    tcase_add_test(tc, every_code_has_its_name);
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
