/*
 * What members of a group tell each other is written by anybody: any bytes are read to an end.
 */
#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "client/state.h"

struct seen {
    int topics, partitions;
};

static void topic(void *context, const char *name)
{
    ck_assert_uint_lt(strlen(name), KL_TEXT);
    ((struct seen *)context)->topics++;
}

static void partition(void *context, const char *name, int32_t number)
{
    ck_assert_uint_lt(strlen(name), KL_TEXT);
    ck_assert_int_ge(number, 0);
    ((struct seen *)context)->partitions++;
}

/* Of exactly `size` bytes, so that a sanitizer sees one too many. */
static void read_both(const uint8_t *bytes, int32_t size, struct seen *s)
{
    uint8_t *own = malloc((size_t)size + (size == 0));
    memcpy(own, bytes, (size_t)size);
    kl_read_subscription(own, size, topic, partition, s);
    kl_read_assignment(own, size, partition, s);
    free(own);
}

static size_t subscription(uint8_t *bytes, size_t room)
{
    struct kl_bytes to = {bytes, bytes + room, false};
    kl_write_i16(&to, 1);
    kl_write_i32(&to, 2);
    kl_write_text(&to, "orders");
    kl_write_text(&to, "t");
    kl_write_i32(&to, 0);
    kl_write_i32(&to, 1);
    kl_write_text(&to, "t");
    kl_write_i32(&to, 2);
    kl_write_i32(&to, 0);
    kl_write_i32(&to, 7);
    ck_assert(!to.bad);
    return (size_t)(to.at - bytes);
}

START_TEST(what_was_written_is_read)
{
    uint8_t bytes[128];
    struct seen s = {0, 0};
    size_t size = subscription(bytes, sizeof bytes);
    ck_assert(kl_read_subscription(bytes, (int32_t)size, topic, partition, &s));
    ck_assert_int_eq(s.topics, 2);
    ck_assert_int_eq(s.partitions, 2);
    ck_assert(!kl_read_subscription(NULL, -1, topic, partition, &s));
    ck_assert(!kl_read_assignment(NULL, -1, partition, &s));
}
END_TEST

START_TEST(any_part_and_any_change_of_it_is_read_to_an_end)
{
    uint8_t bytes[128], changed[128];
    struct seen s = {0, 0};
    size_t size = subscription(bytes, sizeof bytes);
    for (size_t n = 0; n <= size; n++)
        read_both(bytes, (int32_t)n, &s);
    for (size_t at = 0; at < size; at++)
        for (int v = 0; v < 256; v++) {
            memcpy(changed, bytes, size);
            changed[at] = (uint8_t)v;
            read_both(changed, (int32_t)size, &s);
        }
}
END_TEST

START_TEST(any_bytes_are_read_to_an_end)
{
    uint8_t bytes[64];
    struct seen s = {0, 0};
    uint32_t r = 1;
    for (int i = 0; i < 200000; i++) {
        int32_t size = i % (int)sizeof bytes;
        for (int32_t k = 0; k < size; k++) {
            r = r * 1664525u + 1013904223u;
            bytes[k] = (r >> 28) < 12 ? 0 : (uint8_t)(r >> 16); /* small counts, often */
        }
        read_both(bytes, size, &s);
    }
    ck_assert_int_gt(s.topics, 1000);
    ck_assert_int_gt(s.partitions, 0);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("client fuzz");
    TCase *c = tcase_create("fuzz");
    tcase_add_test(c, what_was_written_is_read);
    tcase_add_test(c, any_part_and_any_change_of_it_is_read_to_an_end);
    tcase_add_test(c, any_bytes_are_read_to_an_end);
    tcase_set_timeout(c, 120);
    suite_add_tcase(s, c);
    SRunner *r = srunner_create(s);
    srunner_run_all(r, CK_NORMAL);
    int failed = srunner_ntests_failed(r);
    srunner_free(r);
    return failed == 0 ? 0 : 1;
}
