/*
 * A message as one line of JSON, by its table.
 *
 * Names are Kafka's: throttle_time_ms is throttleTimeMs. `add` counts all and keeps what fits. What
 * is not UTF-8 in a string becomes U+FFFD, as it does in Kafka when it reads the bytes.
 *
 * Source: Kafka JsonConverterGenerator (with records left out, as the request log has them).
 */
#include "wire/codec.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

struct text {
    const uint8_t *head; /* of the message */
    char *out;
    size_t used, capacity;
    int16_t version;
};

/* ---- text ---- */

static void add(struct text *t, const char *from, size_t size)
{
    size_t room = t->used < t->capacity ? t->capacity - t->used : 0;
    if (room > 0)
        memcpy(t->out + t->used, from, size < room ? size : room);
    t->used += size;
}

static void add_char(struct text *t, char c)
{
    add(t, &c, 1);
}

static void add_word(struct text *t, const char *word)
{
    add(t, word, strlen(word));
}

static void add_int(struct text *t, int64_t n)
{
    char digits[24];
    int size = snprintf(digits, sizeof digits, "%lld", (long long)n);
    add(t, digits, (size_t)size);
}

static void add_bits(struct text *t, uint64_t bits)
{
    char digits[24];
    int size = snprintf(digits, sizeof digits, "\"0x%016llx\"", (unsigned long long)bits);
    add(t, digits, (size_t)size);
}

/* The name of a row: every letter behind a '_' large, the '_' gone. */
static void add_name(struct text *t, const char *name, const char *end)
{
    add_char(t, '"');
    for (; *name != '\0'; name++) {
        if (*name == '_')
            add_char(t, (char)(*++name - 'a' + 'A'));
        else
            add_char(t, *name);
    }
    add_word(t, end);
    add_word(t, "\":");
}

/* Returns the bytes of the UTF-8 character at `at`, 0 where there is none. */
static size_t utf8_size(const uint8_t *at, size_t left)
{
    static const uint32_t least[] = {0, 0, 0x80, 0x800, 0x10000};
    size_t size = at[0] < 0x80 ? 1 : at[0] < 0xc2 ? 0 : at[0] < 0xe0 ? 2 : at[0] < 0xf0 ? 3 : 4;
    if (size <= 1)
        return size;
    if (at[0] > 0xf4 || size > left)
        return 0;
    uint32_t c = at[0] & (0x7fu >> size);
    for (size_t i = 1; i < size; i++) {
        if ((at[i] & 0xc0) != 0x80)
            return 0;
        c = c << 6 | (at[i] & 0x3fu);
    }
    return c >= least[size] && c <= 0x10ffff && (c < 0xd800 || c > 0xdfff) ? size : 0;
}

static void add_quoted(struct text *t, const uint8_t *at, size_t size)
{
    add_char(t, '"');
    for (size_t i = 0; i < size;) {
        size_t n = utf8_size(at + i, size - i);
        if (n == 0) {
            add_word(t, "\xef\xbf\xbd");
            i++;
            continue;
        }
        char escape[8];
        if (at[i] < 0x20) {
            int length = snprintf(escape, sizeof escape, "\\u%04x", at[i]);
            add(t, escape, (size_t)length);
        } else {
            if (at[i] == '"' || at[i] == '\\')
                add_char(t, '\\');
            add(t, (const char *)at + i, n);
        }
        i += n;
    }
    add_char(t, '"');
}

/* Base64; for URLs without padding, as Kafka prints uuids. */
static void add_base64(struct text *t, const uint8_t *at, size_t size, bool for_url)
{
    const char *digits = for_url
                             ? "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
                             : "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    add_char(t, '"');
    for (size_t i = 0; i < size; i += 3) {
        size_t n = size - i < 3 ? size - i : 3;
        uint32_t bits = (uint32_t)at[i] << 16 | (n > 1 ? (uint32_t)at[i + 1] << 8 : 0) |
                        (n > 2 ? at[i + 2] : 0u);
        for (size_t k = 0; k <= n; k++)
            add_char(t, digits[bits >> (18 - 6 * k) & 63]);
        for (size_t k = n; k < 3 && !for_url; k++)
            add_char(t, '=');
    }
    add_char(t, '"');
}

/* ---- values ---- */

static void add_struct(struct text *t, const struct wire_layout *layout, const uint8_t *from);

static void add_string(struct text *t, const uint8_t *at, bool is_bytes)
{
    struct wire_string s;
    memcpy(&s, at, sizeof s);
    if (s.size < 0)
        add_word(t, "null");
    else if (is_bytes)
        add_base64(t, t->head + s.at, (size_t)s.size, false);
    else
        add_quoted(t, t->head + s.at, (size_t)s.size);
}

static void add_item(struct text *t, const struct wire_field *f, const uint8_t *at)
{
    if (f->kind == WIRE_ARRAY_INT32) {
        int32_t n;
        memcpy(&n, at, sizeof n);
        add_int(t, n);
    } else if (f->kind == WIRE_ARRAY_INT64) {
        int64_t n;
        memcpy(&n, at, sizeof n);
        add_int(t, n);
    } else if (f->kind == WIRE_ARRAY_STRING) {
        add_string(t, at, false);
    } else {
        add_struct(t, f->layout, at);
    }
}

static void add_array(struct text *t, const struct wire_field *f, const uint8_t *at)
{
    struct wire_array a;
    memcpy(&a, at, sizeof a);
    if (a.count < 0) {
        add_word(t, "null");
        return;
    }
    size_t size = wire_item_size(f);
    add_char(t, '[');
    for (int32_t i = 0; i < a.count; i++) {
        if (i > 0)
            add_char(t, ',');
        add_item(t, f, t->head + a.at + (size_t)i * size);
    }
    add_char(t, ']');
}

static int64_t number_at(enum wire_kind kind, const uint8_t *at)
{
    int16_t n16;
    int32_t n32;
    int64_t n64;
    if (kind == WIRE_INT8)
        return (int8_t)*at;
    if (kind == WIRE_INT16)
        return memcpy(&n16, at, sizeof n16), n16;
    if (kind == WIRE_INT32)
        return memcpy(&n32, at, sizeof n32), n32;
    return memcpy(&n64, at, sizeof n64), n64;
}

static void add_value(struct text *t, const struct wire_field *f, const uint8_t *at)
{
    struct wire_bytes bytes;
    switch ((enum wire_kind)f->kind) {
    case WIRE_BOOL:
        add_word(t, *at != 0 ? "true" : "false");
        return;
    case WIRE_INT8:
    case WIRE_INT16:
    case WIRE_INT32:
    case WIRE_INT64:
        add_int(t, number_at(f->kind, at));
        return;
    case WIRE_FLOAT64:
        add_bits(t, (uint64_t)number_at(WIRE_INT64, at));
        return;
    case WIRE_UUID:
        add_base64(t, at, sizeof(struct wire_uuid), true);
        return;
    case WIRE_STRING:
    case WIRE_BYTES:
        add_string(t, at, f->kind == WIRE_BYTES);
        return;
    case WIRE_RECORDS:
        memcpy(&bytes, at, sizeof bytes);
        if (bytes.size < 0)
            add_word(t, "null");
        else
            add_int(t, bytes.size);
        return;
    case WIRE_STRUCT:
        add_struct(t, f->layout, at);
        return;
    case WIRE_ARRAY_INT32:
    case WIRE_ARRAY_INT64:
    case WIRE_ARRAY_STRING:
    case WIRE_ARRAY_STRUCT:
        add_array(t, f, at);
        return;
    }
}

static bool is_null(const struct wire_field *f, const uint8_t *from)
{
    struct wire_bytes bytes;
    memcpy(&bytes, from + f->offset, sizeof bytes);
    return bytes.size < 0;
}

static void add_struct(struct text *t, const struct wire_layout *layout, const uint8_t *from)
{
    bool first = true;
    add_char(t, '{');
    for (uint16_t i = 0; i < layout->count; i++) {
        const struct wire_field *f = &layout->fields[i];
        if (!wire_field_is_in(f, t->version) || (f->tagged && wire_field_is_default(f, from)))
            continue;
        if (!first)
            add_char(t, ',');
        first = false;
        bool is_size = f->kind == WIRE_RECORDS && !is_null(f, from);
        add_name(t, f->name, is_size ? "SizeInBytes" : "");
        add_value(t, f, from + f->offset);
    }
    add_char(t, '}');
}

size_t wire_print(enum wire_direction direction, int16_t api, int16_t version, const void *message,
                  char *out, size_t capacity)
{
    const struct wire_api_info *info = wire_api_info(api);
    assert(info != NULL);
    struct text t = {.head = message,
                     .out = out,
                     .capacity = capacity > 0 ? capacity - 1 : 0,
                     .version = version};
    add_struct(&t, info->head[direction], message);
    if (capacity > 0)
        out[t.used < capacity ? t.used : capacity - 1] = '\0';
    return t.used;
}
