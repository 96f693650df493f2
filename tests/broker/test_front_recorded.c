/*
 * What Apache Kafka 2.8.2 answered, ours must answer.
 *
 *     recorded/kafka-2.8.2.txt ── request ──► node on the desk ── response ─┐
 *              └──────────────── response ───────────────────────────────►  =
 *
 * The recorded broker is 0 of three, the controller, and hosts no replica; so is ours. Requests go
 * in the order in which they were recorded, to one node, so that what one changes the next one
 * sees. Responses are compared as JSON in which elements of arrays have an order of their own, for
 * Kafka's come out of hash maps; synonyms are left as they are, for there the order says something.
 *
 * Exceptions have a name and a reason (`excepted`); one that is no longer needed fails the test.
 */
#define _POSIX_C_SOURCE 200809L

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "front_desk.h"

enum { LINE = 1 << 20 };

static const struct {
    const char *name; /* what the recording calls it, or how that begins where it ends in '*' */
    const char *why;
} excepted[] = {
    {"incremental: an unknown level", "a node of ours has no loggers, Kafka has some hundred"},
};
enum { EXCEPTED = sizeof excepted / sizeof excepted[0] };

/* What depends on the machine that was recorded, or is drawn by chance. */
static const char *const masked[] = {"host", "port", "clusterId", "throttleTimeMs"};
static const char *const of_the_machine[] = {"listeners",
                                             "advertised.listeners",
                                             "log.dirs",
                                             "log.dir",
                                             "zookeeper.connect",
                                             "port",
                                             "advertised.port",
                                             "host.name",
                                             "advertised.host.name"};

static bool is_one_of(const char *text, size_t size, const char *const *all, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (strlen(all[i]) == size && memcmp(all[i], text, size) == 0)
            return true;
    return false;
}
#define IS_ONE_OF(text, size, all) is_one_of(text, size, all, sizeof all / sizeof all[0])

/* ---- JSON, brought into one order ---- */

static char *canonical(const char **at, bool ordered);

static int by_text(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

static size_t string_size(const char *at) /* with its quotes */
{
    size_t n = 1;
    while (at[n] != '"')
        n += at[n] == '\\' ? 2 : 1;
    return n + 1;
}

static char *canonical_object(const char **at)
{
    char *out;
    size_t size;
    FILE *f = open_memstream(&out, &size);
    bool drops = false;
    fputc('{', f);
    for (++*at; **at != '}'; *at += **at == ',') {
        const char *key = *at;
        size_t n = string_size(key);
        *at += n + 1;
        char *value = canonical(at, n == 10 && memcmp(key, "\"synonyms\"", n) == 0);
        bool masks = IS_ONE_OF(key + 1, n - 2, masked);
        if (n == 6 && memcmp(key, "\"name\"", n) == 0 && value[0] == '"')
            drops |= IS_ONE_OF(value + 1, strlen(value) - 2, of_the_machine);
        fprintf(f, "%.*s:%s%s", (int)n, key, masks ? "*" : value, **at == ',' ? "," : "");
        free(value);
    }
    ++*at;
    fputc('}', f);
    fclose(f);
    if (drops)
        out[0] = '\0';
    return out;
}

static char *canonical_array(const char **at, bool ordered)
{
    char *out, **all = NULL;
    size_t size, count = 0;
    for (++*at; **at != ']'; *at += **at == ',') {
        all = realloc(all, (count + 1) * sizeof *all);
        all[count++] = canonical(at, false);
    }
    ++*at;
    if (!ordered && count > 0 && (all[0][0] == '{' || all[0][0] == '\0'))
        qsort(all, count, sizeof *all, by_text);
    FILE *f = open_memstream(&out, &size);
    fputc('[', f);
    for (size_t i = 0; i < count; i++) {
        fprintf(f, "%s%s", all[i], all[i][0] != '\0' && i + 1 < count ? ",\n  " : "");
        free(all[i]);
    }
    fputc(']', f);
    fclose(f);
    free(all);
    return out;
}

static char *canonical(const char **at, bool ordered)
{
    if (**at == '{')
        return canonical_object(at);
    if (**at == '[')
        return canonical_array(at, ordered);
    size_t n = **at == '"' ? string_size(*at) : strcspn(*at, ",]}");
    char *out = strndup(*at, n);
    *at += n;
    return out;
}

static char *canonical_of(const char *text)
{
    return text[0] == '{' ? canonical(&text, false) : strdup(text);
}

/* ---- the recording ---- */

static char line[LINE], properties[8192], what[256];

static void *from_hex(const char *text, size_t *size)
{
    size_t n = strcspn(text, "\r\n") / 2;
    uint8_t *bytes = malloc(n + 1);
    for (size_t i = 0; i < n; i++) {
        unsigned byte;
        ck_assert_int_eq(sscanf(text + 2 * i, "%2x", &byte), 1);
        bytes[i] = (uint8_t)byte;
    }
    *size = n;
    return bytes;
}

static void *message_of(enum wire_direction direction, int16_t api, int16_t version,
                        const char *hex, size_t *used)
{
    size_t size;
    void *bytes = from_hex(hex, &size);
    enum sm_err err = wire_decode(direction, api, version, bytes, size, NULL, 0, used);
    ck_assert_msg(err == SM_ERR_OK || err == SM_ERR_LIMIT, "API %d version %d", api, version);
    void *message = aligned_alloc(8, *used + 8);
    ck_assert_int_eq(wire_decode(direction, api, version, bytes, size, message, *used, used),
                     SM_ERR_OK);
    free(bytes);
    return message;
}

static char *recorded(int16_t api, int16_t version, const char *hex)
{
    static char text[LINE];
    size_t used;
    if (strncmp(hex, "close", 5) == 0)
        return strdup("(close)");
    void *message = message_of(WIRE_RESPONSE, api, version, hex, &used);
    ck_assert_uint_lt(wire_print(WIRE_RESPONSE, api, version, message, text, sizeof text),
                      sizeof text);
    free(message);
    return canonical_of(text);
}

static char *said(struct front *f, int16_t api, int16_t version, const char *hex)
{
    size_t size;
    void *message = message_of(WIRE_REQUEST, api, version, hex, &size);
    uint64_t call = front_put(f, api, version, message, size);
    free(message);
    if (front_answers(f, call) == 0)
        front_advance(f, 31 * (int64_t)1000000);
    ck_assert_msg(front_answers(f, call) == 1, "%s: not answered", what);
    return canonical_of(front_said(f, call));
}

static int exception_of(const char *name)
{
    for (int i = 0; i < EXCEPTED; i++) {
        size_t n = strlen(excepted[i].name);
        bool begins = excepted[i].name[n - 1] == '*';
        if (begins ? strncmp(name, excepted[i].name, n - 1) == 0
                   : strcmp(name, excepted[i].name) == 0)
            return i;
    }
    return -1;
}

static bool next_line(FILE *in)
{
    return fgets(line, sizeof line, in) != NULL;
}

static FILE *open_recording(void)
{
    FILE *in = fopen(KC_SOURCE_DIR "/tests/broker/recorded/kafka-2.8.2.txt", "r");
    ck_assert_ptr_nonnull(in);
    while (next_line(in) && line[0] != '\n')
        if (line[0] == '=')
            strcat(properties, line + 2);
    return in;
}

START_TEST(what_kafka_answered_ours_answers)
{
    FILE *in = open_recording();
    struct front *f = front_with_data(properties, 2);
    bool needed[EXCEPTED + 1] = {false};
    int16_t api = 0, version = 0;
    int count = 0, differ = 0;
    char *ours = NULL;
    while (next_line(in)) {
        if (line[0] == '#')
            snprintf(what, sizeof what, "%.*s", (int)strcspn(line + 2, "\r\n"), line + 2);
        else if (line[0] == '>')
            ours = said(f, api, version, line + 2);
        else if (line[0] == '<') {
            char *theirs = recorded(api, version, line + 2);
            int exception = exception_of(what);
            bool same = strcmp(ours, theirs) == 0;
            count++;
            if (!same && exception >= 0)
                needed[exception] = true;
            if (!same && exception < 0 && ++differ)
                fprintf(stderr, "%s (API %d version %d): said\n  %s\nKafka\n  %s\n", what, api,
                        version, ours, theirs);
            free(ours);
            free(theirs);
        } else if (line[0] != '\n') {
            ck_assert_int_eq(sscanf(line, "%hd %hd", &api, &version), 2);
        }
    }
    fclose(in);
    front_free(f);
    for (int i = 0; i < EXCEPTED; i++)
        ck_assert_msg(needed[i], "no longer an exception: %s", excepted[i].name);
    ck_assert_int_gt(count, 200);
    ck_assert_msg(differ == 0, "%d of %d differ", differ, count);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("front recorded");
    TCase *c = tcase_create("kafka-2.8.2");
    tcase_add_test(c, what_kafka_answered_ours_answers);
    tcase_set_timeout(c, 120);
    suite_add_tcase(s, c);
    SRunner *r = srunner_create(s);
    srunner_run_all(r, CK_NORMAL);
    int failed = srunner_ntests_failed(r);
    srunner_free(r);
    return failed == 0 ? 0 : 1;
}
