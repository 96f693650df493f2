/*
 * What a record may carry, and how a batch may be packed: headers and codecs, from a producer
 * through the log of a real broker to a consumer. Each test names the rule of client/README.md that
 * it shows.
 */
#include <stdlib.h>
#include <string.h>

#include "client_desk.h"
#include "wire/errors.h"
#include "wire/messages.h"

#define SECOND ((int64_t)1000000)

enum { RECORDS = 40 };

static struct kdesk *three(void)
{
    struct kdesk *k = kdesk_new(3, 0);
    kdesk_topic(k, "t", 1, 1, 3, "2");
    return k;
}

static int producer(struct kdesk *k, enum wire_codec codec)
{
    struct kl_config c = kl_config_default(KL_PRODUCER);
    c.enable_idempotence = 1;
    c.compression_type = codec;
    return kdesk_client(k, &c);
}

static int consumer(struct kdesk *k)
{
    struct kl_config c = kl_config_default(KL_CONSUMER);
    int client = kdesk_client(k, &c);
    kdesk_assign(k, client, "t", 1, KL_OFFSET_BEGINNING);
    return client;
}

static uint64_t send(struct kdesk *k, int p, const char *value,
                     const struct wire_log_header *headers, uint32_t count)
{
    return kdesk_command(k, p,
                         (struct kl_input){.kind = KL_IN_SEND,
                                           .topic = "t",
                                           .key_size = -1,
                                           .value = value,
                                           .value_size = (int32_t)strlen(value),
                                           .headers = headers,
                                           .header_count = count,
                                           .timestamp_ms = 1});
}

static struct wire_log_header header(const char *key, const char *value)
{
    return (struct wire_log_header){.key = (const uint8_t *)key,
                                    .key_size = (int32_t)strlen(key),
                                    .value = (const uint8_t *)value,
                                    .value_size = value == NULL ? -1 : (int32_t)strlen(value)};
}

/* Rule headers: in order, twice the same key, an empty value is not a null one. */
START_TEST(headers_are_read_as_they_were_sent)
{
    struct kdesk *k = three();
    int p = producer(k, WIRE_CODEC_NONE), c = consumer(k);
    const struct wire_log_header headers[] = {header("trace", "7"), header("", ""),
                                              header("trace", NULL)};
    uint64_t a = send(k, p, "a", headers, 3);
    send(k, p, "b", NULL, 0);
    send(k, p, "", headers, 1);
    kdesk_run(k, 2 * SECOND);
    ck_assert_int_eq(kdesk_delivery(k, p, a)->error, 0);
    size_t count;
    const struct reading *r = kdesk_readings(k, &count);
    ck_assert_uint_eq(count, 3);
    ck_assert_int_eq(r[0].client, c);
    ck_assert_str_eq(r[0].headers, "trace=7 = trace=~");
    ck_assert_str_eq(r[1].headers, "");
    ck_assert_str_eq(r[2].headers, "trace=7");
    kdesk_free(k);
}
END_TEST

/* Rule headers: as many as anybody wants; what a step needs for them is asked for before. */
START_TEST(a_thousand_headers_are_kept)
{
    struct kdesk *k = three();
    struct wire_log_header headers[1000];
    for (size_t i = 0; i < 1000; i++)
        headers[i] = header("k", NULL);
    int p = producer(k, WIRE_CODEC_NONE), c = consumer(k);
    uint64_t a = send(k, p, "a", headers, 1000);
    kdesk_run(k, 2 * SECOND);
    ck_assert_int_eq(kdesk_delivery(k, p, a)->error, 0);
    ck_assert_str_eq(kdesk_read(k, c, "t", 0), "a@0");
    kdesk_free(k);
}
END_TEST

struct packed {
    uint32_t batches[WIRE_CODEC_END];
    bool spoils; /* writes over what is packed */
};

static void look(void *context, int client, int16_t api, void *message)
{
    struct packed *seen = context;
    struct wire_record_batch b;
    (void)client;
    if (api != WIRE_API_FETCH || ((struct wire_fetch_response *)message)->responses.count == 0)
        return;
    const struct wire_fetch_response_response *t =
        WIRE_ITEMS(message, ((struct wire_fetch_response *)message)->responses,
                   struct wire_fetch_response_response);
    const struct wire_fetch_response_partition_response *p =
        WIRE_ITEMS(message, t->partition_responses, struct wire_fetch_response_partition_response);
    const uint8_t *at = wire_data(message, p->record_set), *end = at;
    end += p->record_set.size > 0 ? p->record_set.size : 0;
    for (; at < end && wire_record_batch_read(at, (size_t)(end - at), &b) == SM_ERR_OK;
         at += b.size) {
        seen->batches[b.codec]++;
        if (seen->spoils)
            memset((uint8_t *)message + (b.records - (const uint8_t *)message), 0xff,
                   b.records_size);
    }
}

/* Rule compression: each codec, and headers in it; through the log of the broker as they came. */
START_TEST(a_batch_of_any_codec_is_read)
{
    struct kdesk *k = three();
    struct packed seen = {.spoils = false};
    enum wire_codec codec = (enum wire_codec)_i;
    const struct wire_log_header one = header("from", "here");
    kdesk_on_response(k, look, &seen);
    int p = producer(k, codec), c = consumer(k);
    kdesk_run(k, 2 * SECOND);
    for (int i = 0; i < RECORDS; i++)
        send(k, p, "the same words again", &one, 1);
    kdesk_run(k, 2 * SECOND);
    size_t count;
    const struct reading *r = kdesk_readings(k, &count);
    ck_assert_uint_eq(count, RECORDS);
    for (int64_t i = 0; i < RECORDS; i++) {
        ck_assert_int_eq(r[i].client, c);
        ck_assert_int_eq(r[i].offset, i);
        ck_assert_str_eq(r[i].value, "the same words again");
        ck_assert_str_eq(r[i].headers, "from=here");
    }
    for (int i = 0; i < WIRE_CODEC_END; i++)
        ck_assert_int_eq(seen.batches[i] > 0, i == (int)codec);
    kdesk_free(k);
}
END_TEST

/* Rule compression: what does not get smaller is sent as it is. */
START_TEST(a_batch_that_gets_no_smaller_is_not_packed)
{
    struct kdesk *k = three();
    struct packed seen = {.spoils = false};
    kdesk_on_response(k, look, &seen);
    int p = producer(k, WIRE_CODEC_GZIP), c = consumer(k);
    send(k, p, "x", NULL, 0);
    kdesk_run(k, 2 * SECOND);
    ck_assert_str_eq(kdesk_read(k, c, "t", 0), "x@0");
    ck_assert_uint_gt(seen.batches[WIRE_CODEC_NONE], 0);
    ck_assert_uint_eq(seen.batches[WIRE_CODEC_GZIP], 0);
    kdesk_free(k);
}
END_TEST

/* Rule compression: a batch that cannot be unpacked is told, and passed over. */
START_TEST(a_spoilt_batch_is_told_and_passed_over)
{
    struct kdesk *k = three();
    struct packed seen = {.spoils = true};
    int p = producer(k, (enum wire_codec)_i), c = consumer(k);
    kdesk_run(k, 2 * SECOND);
    kdesk_on_response(k, look, &seen);
    for (int i = 0; i < RECORDS; i++)
        send(k, p, "the same words again", NULL, 0);
    kdesk_run(k, 2 * SECOND);
    seen.spoils = false;
    size_t count;
    const struct said *s = kdesk_said(k, &count);
    int told = 0;
    for (size_t i = 0; i < count; i++)
        told +=
            s[i].client == c && s[i].kind == KL_OUT_ERROR && s[i].error == KL_ERR_BAD_COMPRESSION;
    ck_assert_int_gt(told, 0);
    ck_assert_str_eq(kdesk_read(k, c, "t", 0), "");
    ck_assert_int_eq(kl_client_position(kdesk_of(k, c), "t", 0), RECORDS);
    kdesk_free(k);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("client records");
    TCase *c = tcase_create("records");
    tcase_add_test(c, headers_are_read_as_they_were_sent);
    tcase_add_test(c, a_thousand_headers_are_kept);
    tcase_add_loop_test(c, a_batch_of_any_codec_is_read, 0, WIRE_CODEC_END);
    tcase_add_test(c, a_batch_that_gets_no_smaller_is_not_packed);
    tcase_add_loop_test(c, a_spoilt_batch_is_told_and_passed_over, WIRE_CODEC_GZIP, WIRE_CODEC_END);
    tcase_set_timeout(c, 120);
    suite_add_tcase(s, c);
    SRunner *r = srunner_create(s);
    srunner_run_all(r, CK_NORMAL);
    int failed = srunner_ntests_failed(r);
    srunner_free(r);
    return failed == 0 ? 0 : 1;
}
