/*
 * Bytes that Apache Kafka 2.8.2 wrote (recorded/, made by record/) in both directions: what we read
 * out of them prints as Kafka's own JSON, and is written as the same bytes; every message of every
 * API in every version.
 *
 * Cut anywhere they are refused, and with too little room they say how much they need. Buffers have
 * exactly the size that is spoken of, so that the sanitizers see every byte too far.
 */
#include <check.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "recorded.h"
#include "wire/codec.h"
#include "wire/errors.h"
#include "wire/frame.h"

/* ---- one line ---- */

static void *decode(const struct recorded *r, size_t *used)
{
    uint64_t none;
    enum sm_err err =
        wire_decode(r->direction, r->api, r->version, r->bytes, r->size, &none, 0, used);
    ck_assert_msg(err == SM_ERR_LIMIT, "%s:%d: %s", r->name, r->line, sm_err_text(err));
    void *message = malloc(*used);
    size_t again;
    err = wire_decode(r->direction, r->api, r->version, r->bytes, r->size, message, *used, &again);
    ck_assert_msg(err == SM_ERR_OK, "%s:%d: %s", r->name, r->line, sm_err_text(err));
    ck_assert_uint_eq(again, *used);
    return message;
}

static void prints_as_kafka(const struct recorded *r, const void *message)
{
    size_t size = wire_print(r->direction, r->api, r->version, message, NULL, 0);
    char *line = malloc(size + 1);
    ck_assert_uint_eq(wire_print(r->direction, r->api, r->version, message, line, size + 1), size);
    json_t *ours = json_loads(line, 0, NULL), *theirs = json_loads(r->json, 0, NULL);
    ck_assert_msg(ours != NULL, "%s:%d: not JSON: %s", r->name, r->line, line);
    ck_assert_ptr_nonnull(theirs);
    ck_assert_msg(json_equal(ours, theirs), "%s:%d:\nours   %s\nKafka's %s", r->name, r->line, line,
                  r->json);
    json_decref(ours);
    json_decref(theirs);
    free(line);
}

static void is_written_as_read(const struct recorded *r, const void *message)
{
    size_t used;
    enum sm_err err = wire_encode(r->direction, r->api, r->version, message, NULL, 0, &used);
    ck_assert_msg(err == (r->size == 0 ? SM_ERR_OK : SM_ERR_LIMIT), "%s:%d: %s", r->name, r->line,
                  sm_err_text(err));
    ck_assert_msg(used == r->size, "%s:%d: %zu bytes, %zu are right", r->name, r->line, used,
                  r->size);
    uint8_t *bytes = malloc(used + 1);
    ck_assert_int_eq(wire_encode(r->direction, r->api, r->version, message, bytes, used, &used),
                     SM_ERR_OK);
    ck_assert_msg(memcmp(bytes, r->bytes, used) == 0, "%s:%d: other bytes", r->name, r->line);
    free(bytes);
}

static void is_refused_when_cut(const struct recorded *r, size_t capacity)
{
    void *message = malloc(capacity);
    for (size_t size = 0; size < r->size; size++) {
        uint8_t *cut = malloc(size + 1);
        memcpy(cut + 1, r->bytes, size);
        size_t used;
        enum sm_err err =
            wire_decode(r->direction, r->api, r->version, cut + 1, size, message, capacity, &used);
        ck_assert_msg(err == SM_ERR_SYNTAX, "%s:%d: cut at %zu: %s", r->name, r->line, size,
                      sm_err_text(err));
        free(cut);
    }
    free(message);
}

static void is_refused_with_more(const struct recorded *r, size_t capacity)
{
    uint8_t *more = calloc(1, r->size + 1);
    void *message = malloc(capacity);
    size_t used;
    memcpy(more, r->bytes, r->size);
    ck_assert_int_eq(
        wire_decode(r->direction, r->api, r->version, more, r->size + 1, message, capacity, &used),
        SM_ERR_SYNTAX);
    free(message);
    free(more);
}

START_TEST(what_kafka_wrote_is_read_and_written_alike)
{
    struct recorded_file *f = recorded_open();
    struct recorded r;
    int lines = 0;
    while (recorded_next(f, &r)) {
        size_t used;
        void *message = decode(&r, &used);
        prints_as_kafka(&r, message);
        is_written_as_read(&r, message);
        is_refused_when_cut(&r, used);
        is_refused_with_more(&r, used);
        ck_assert(wire_equal(r.direction, r.api, message, message));
        free(message);
        lines++;
    }
    recorded_close(f);
    ck_assert_int_gt(lines, 1000);
}
END_TEST

START_TEST(every_version_of_every_message_is_recorded)
{
    static bool seen[128][2][32];
    struct recorded_file *f = recorded_open();
    struct recorded r;
    while (recorded_next(f, &r))
        seen[r.api][r.direction][r.version] = true;
    recorded_close(f);
    for (const struct wire_api_info *i = wire_api_next(NULL); i != NULL; i = wire_api_next(i))
        for (int16_t version = i->min; version <= i->max; version++)
            for (int d = 0; d < 2; d++)
                ck_assert_msg(seen[i->key][d][version], "%s %d", i->name, version);
}
END_TEST

/* ---- headers ---- */

static void check_request_header(const char *name, int version, const uint8_t *bytes, size_t size,
                                 int api, int correlation_id, const char *client)
{
    struct wire_request_header h;
    size_t body;
    ck_assert_str_eq(wire_api_info((int16_t)api)->name, name);
    ck_assert_int_eq(wire_request_header_decode(bytes, size, &h, &body), SM_ERR_OK);
    ck_assert_uint_eq(body, size);
    ck_assert_int_eq(h.api, api);
    ck_assert_int_eq(h.version, version);
    ck_assert_int_eq(h.correlation_id, correlation_id);
    if (wire_request_header_version(h.api, h.version) == 0 || strcmp(client, "null") == 0) {
        ck_assert_ptr_null(h.client_id);
    } else {
        ck_assert_int_eq(h.client_id_size, (int32_t)strlen(client) - 2);
        ck_assert_mem_eq(h.client_id, client + 1, (size_t)h.client_id_size);
    }
    uint8_t out[64];
    size_t used;
    ck_assert_int_eq(wire_request_header_encode(&h, out, sizeof out, &used), SM_ERR_OK);
    ck_assert_uint_eq(used, size + 4);
    ck_assert_mem_eq(out + 4, bytes, size);
    for (size_t cut = 0; cut < size; cut++)
        ck_assert_int_eq(wire_request_header_decode(bytes, cut, &h, &body), SM_ERR_SYNTAX);
}

static void check_response_header(int version, const uint8_t *bytes, size_t size, int api,
                                  int correlation_id)
{
    int32_t correlation;
    size_t body, used;
    uint8_t out[16];
    ck_assert_int_eq(wire_response_header_decode((int16_t)api, (int16_t)version, bytes, size,
                                                 &correlation, &body),
                     SM_ERR_OK);
    ck_assert_uint_eq(body, size);
    ck_assert_int_eq(correlation, correlation_id);
    ck_assert_int_eq(wire_response_header_encode((int16_t)api, (int16_t)version, correlation, out,
                                                 sizeof out, &used),
                     SM_ERR_OK);
    ck_assert_uint_eq(used, size + 4);
    ck_assert_mem_eq(out + 4, bytes, size);
}

START_TEST(headers_are_those_of_kafka)
{
    FILE *in = fopen(KC_SOURCE_DIR "/tests/wire/recorded/headers.txt", "r");
    ck_assert_ptr_nonnull(in);
    char direction[16], name[64], hex[128], client[64];
    int version, api, correlation_id, count = 0;
    while (fscanf(in, "%15s %63s %d %127s %d %d %63s", direction, name, &version, hex, &api,
                  &correlation_id, client) == 7) {
        uint8_t bytes[64];
        size_t size = recorded_unhex(hex, bytes);
        if (strcmp(direction, "request") == 0)
            check_request_header(name, version, bytes, size, api, correlation_id, client);
        else
            check_response_header(version, bytes, size, api, correlation_id);
        count++;
    }
    fclose(in);
    ck_assert_int_gt(count, 300);
}
END_TEST

START_TEST(errors_are_those_of_kafka)
{
    FILE *in = fopen(KC_SOURCE_DIR "/tests/wire/recorded/errors.txt", "r");
    ck_assert_ptr_nonnull(in);
    char line[1024], name[64];
    int code, retriable, at, count = 0;
    while (fgets(line, sizeof line, in) != NULL) {
        line[strcspn(line, "\n")] = '\0';
        ck_assert_int_eq(sscanf(line, "%d %63s %d%n", &code, name, &retriable, &at), 3);
        const char *text = line + at + 1;
        ck_assert_str_eq(wire_error_name(code), name);
        ck_assert_int_eq(wire_error_is_retriable(code), retriable);
        if (code == 0)
            ck_assert_ptr_null(wire_error_text(code));
        else
            ck_assert_str_eq(wire_error_text(code), text);
        count++;
    }
    fclose(in);
    ck_assert_int_eq(count, 106);
    ck_assert_str_eq(wire_error_name(105), "ERROR");
    ck_assert_str_eq(wire_error_text(-2), wire_error_text(-1));
}
END_TEST

int main(void)
{
    Suite *s = suite_create("recorded bytes");
    TCase *t = tcase_create("recorded");
    tcase_set_timeout(t, 300);
    tcase_add_test(t, what_kafka_wrote_is_read_and_written_alike);
    tcase_add_test(t, every_version_of_every_message_is_recorded);
    tcase_add_test(t, headers_are_those_of_kafka);
    tcase_add_test(t, errors_are_those_of_kafka);
    suite_add_tcase(s, t);
    SRunner *runner = srunner_create(s);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed != 0;
}
