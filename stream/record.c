/*
 * Types, copies of records, keys and their hashes.
 *
 * Source of the hashes: java.lang.String.hashCode, Long.hashCode, Double.hashCode;
 * org.apache.flink.api.java.tuple.Tuple2.hashCode; org.apache.flink.util.MathUtils.murmurHash.
 */
#include "stream/record.h"

#include <assert.h>
#include <float.h>
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <xxhash.h>

#define ONE_VALUE(T, K)                                                                            \
    const st_type st_type_##T = {#T, (uint32_t)sizeof(T), 1, {{"value", 0, (uint16_t)sizeof(T), K}}}

ONE_VALUE(st_str, ST_KIND_STR);
ONE_VALUE(int32_t, ST_KIND_I32);
ONE_VALUE(int64_t, ST_KIND_I64);
ONE_VALUE(uint64_t, ST_KIND_U64);
ONE_VALUE(double, ST_KIND_F64);

const st_type st_type_st_file = {
    "st_file", (uint32_t)sizeof(st_file), 2, {ST_EACH(ST_FIELD_ROW, st_file, name, content)}};

struct layout layout_of(const st_type *type)
{
    struct layout layout = {.size = type->size};
    for (uint32_t f = 0; f < type->field_count; f++) {
        if (type->fields[f].kind == ST_KIND_STR) {
            layout.text[layout.text_count++] = type->fields[f].offset;
        }
    }
    return layout;
}

const st_field *type_field_at(const st_type *type, uint16_t offset)
{
    for (uint32_t f = 0; f < type->field_count; f++) {
        if (type->fields[f].offset == offset) {
            return &type->fields[f];
        }
    }
    return NULL;
}

bool type_equal(const st_type *a, const st_type *b)
{
    if (a == b) {
        return true;
    }
    if (a == NULL || b == NULL || strcmp(a->name, b->name) != 0 || a->size != b->size ||
        a->field_count != b->field_count) {
        return false;
    }
    for (uint32_t f = 0; f < a->field_count; f++) {
        const st_field *x = &a->fields[f], *y = &b->fields[f];
        if (strcmp(x->name, y->name) != 0 || x->offset != y->offset || x->size != y->size ||
            x->kind != y->kind) {
            return false;
        }
    }
    return true;
}

static st_str *text_at(const struct layout *layout, void *record, uint32_t t)
{
    return (st_str *)(void *)((char *)record + layout->text[t]);
}

uint32_t record_text_size(const struct layout *layout, const void *record)
{
    uint32_t size = 0;
    for (uint32_t t = 0; t < layout->text_count; t++) {
        st_str text;
        memcpy(&text, (const char *)record + layout->text[t], sizeof text);
        size += text.size;
    }
    return size;
}

void record_move_text(const struct layout *layout, void *record, char *to, const char *read)
{
    for (uint32_t t = 0; t < layout->text_count; t++) {
        st_str *text = text_at(layout, record, t);
        if (text->size > 0) {
            memcpy(to, text->data, text->size);
        }
        text->data = read;
        to += text->size;
        read += text->size;
    }
}

bool record_own_text(const struct layout *layout, void *record)
{
    for (uint32_t t = 0; t < layout->text_count; t++) {
        st_str *text = text_at(layout, record, t);
        char *own = malloc(text->size > 0 ? text->size : 1);
        if (own == NULL) {
            return false;
        }
        if (text->size > 0) {
            memcpy(own, text->data, text->size);
        }
        text->data = own;
    }
    return true;
}

void record_free_text(const struct layout *layout, void *record)
{
    for (uint32_t t = 0; t < layout->text_count; t++) {
        st_str *text = text_at(layout, record, t);
        union {
            const char *borrowed;
            char *owned;
        } data = {.borrowed = text->data};
        free(data.owned);
        *text = (st_str){0};
    }
}

/* ------------------------------------------------------------------------------------ Printing */

static size_t print_text(const char *data, size_t text_size, char *to, size_t size)
{
    if (size > 0) {
        size_t fits = text_size < size - 1 ? text_size : size - 1;
        if (fits > 0) {
            memcpy(to, data, fits);
        }
        to[fits] = '\0';
    }
    return text_size;
}

#define PRINT_NUMBER(T, format, as)                                                                \
    do {                                                                                           \
        T number;                                                                                  \
        memcpy(&number, value, sizeof number);                                                     \
        return (size_t)snprintf(to, size, format, (as)number);                                     \
    } while (0)

/* The digits of a number, the fewest that are read as it again, but of two those that are nearest
 * (4.9E-324, where one would do); returns how many, and the exponent of ten of the first. */
static int digits_of(double value, bool is_float, char digits[DBL_DECIMAL_DIG], int *exponent)
{
    char text[40];
    int count = 1, most = is_float ? FLT_DECIMAL_DIG : DBL_DECIMAL_DIG;
    for (bool same = false; !same && count < most; count++) {
        snprintf(text, sizeof text, "%.*e", count, value);
        same = (is_float ? (double)strtof(text, NULL) : strtod(text, NULL)) == value;
    }
    const char *at = text;
    for (int i = 0; i < count; at++) { /* the point is that of the locale */
        if (*at >= '0' && *at <= '9') {
            digits[i++] = *at;
        }
    }
    *exponent = (int)strtol(strchr(at, 'e') + 1, NULL, 10);
    while (count > 1 && digits[count - 1] == '0') {
        count--;
    }
    return count;
}

/* As Java writes it: 0.5, 100.0, 1.0E7. Source: java.lang.Double.toString (of JDK 19 on, which
 * gives the fewest digits). */
static size_t print_real(double value, bool is_float, char *to, size_t size)
{
    char digits[DBL_DECIMAL_DIG], text[48], *at = text;
    int exponent;
    if (!isfinite(value)) {
        const char *name = isnan(value) ? "NaN" : value < 0 ? "-Infinity" : "Infinity";
        return print_text(name, strlen(name), to, size);
    }
    int count = digits_of(fabs(value), is_float, digits, &exponent);
    bool is_plain = exponent >= -3 && exponent < 7;
    int point = is_plain ? exponent + 1 : 1; /* behind so many digits; zeros stand around them */
    if (signbit(value)) {
        *at++ = '-';
    }
    for (int i = point < 1 ? point - 1 : 0; i < count || i <= point; i++) {
        if (i == point) {
            *at++ = '.';
        }
        *at++ = (char)(i >= 0 && i < count ? digits[i] : '0');
    }
    if (!is_plain) {
        at += snprintf(at, sizeof text - (size_t)(at - text), "E%d", exponent);
    }
    return print_text(text, (size_t)(at - text), to, size);
}

static size_t print_field(const st_field *field, const char *value, char *to, size_t size)
{
    switch (field->kind) {
    case ST_KIND_BOOL: {
        bool truth;
        memcpy(&truth, value, sizeof truth);
        return print_text(truth ? "true" : "false", truth ? 4 : 5, to, size);
    }
    case ST_KIND_I8:
        PRINT_NUMBER(int8_t, "%d", int);
    case ST_KIND_I16:
        PRINT_NUMBER(int16_t, "%d", int);
    case ST_KIND_I32:
        PRINT_NUMBER(int32_t, "%" PRId32, int32_t);
    case ST_KIND_I64:
        PRINT_NUMBER(int64_t, "%" PRId64, int64_t);
    case ST_KIND_U8:
        PRINT_NUMBER(uint8_t, "%u", unsigned);
    case ST_KIND_U16:
        PRINT_NUMBER(uint16_t, "%u", unsigned);
    case ST_KIND_U32:
        PRINT_NUMBER(uint32_t, "%" PRIu32, uint32_t);
    case ST_KIND_U64:
        PRINT_NUMBER(uint64_t, "%" PRIu64, uint64_t);
    case ST_KIND_F32: {
        float number;
        memcpy(&number, value, sizeof number);
        return print_real((double)number, true, to, size);
    }
    case ST_KIND_F64: {
        double number;
        memcpy(&number, value, sizeof number);
        return print_real(number, false, to, size);
    }
    case ST_KIND_STR: {
        st_str text;
        memcpy(&text, value, sizeof text);
        return print_text(text.data, text.size, to, size);
    }
    case ST_KIND_CHARS:
        return print_text(value, strnlen(value, field->size), to, size);
    case ST_KIND_NONE:
    case ST_KIND_END:
        break;
    }
    assert(0 && "a type has fields of known kinds");
    return 0;
}

size_t record_print(const st_type *type, const void *record, char *to, size_t size)
{
    const char *bytes = record;
    if (type->field_count == 1) {
        return print_field(&type->fields[0], bytes + type->fields[0].offset, to, size);
    }
    size_t at = 0;
    for (uint32_t f = 0; f < type->field_count; f++) {
        at += print_text(f == 0 ? "(" : ",", 1, at < size ? to + at : NULL,
                         at < size ? size - at : 0);
        at += print_field(&type->fields[f], bytes + type->fields[f].offset,
                          at < size ? to + at : NULL, at < size ? size - at : 0);
    }
    return at + print_text(")", 1, at < size ? to + at : NULL, at < size ? size - at : 0);
}

/* ---------------------------------------------------------------------------------------- Keys */

static uint16_t alignment_of(enum st_kind kind, uint16_t size)
{
    return kind == ST_KIND_STR ? 8 : kind == ST_KIND_CHARS ? 1 : size;
}

struct key_reader key_reader_of(const st_key_spec *spec)
{
    struct key_reader reader = {.count = spec->count};
    uint32_t at = 0;
    for (uint32_t f = 0; f < spec->count; f++) {
        const st_field *field = type_field_at(spec->type, spec->offset[f]);
        assert(field != NULL);
        uint32_t align = alignment_of(field->kind, field->size);
        at = (at + align - 1) / align * align;
        reader.kind[f] = field->kind;
        reader.from[f] = field->offset;
        reader.to[f] = (uint16_t)at;
        reader.size[f] = field->size;
        reader.type.fields[f] = (st_field){field->name, (uint16_t)at, field->size, field->kind};
        at += field->size;
    }
    reader.type.name = "key";
    reader.type.size = round_up_8(at);
    reader.type.field_count = spec->count;
    reader.layout = layout_of(&reader.type);
    return reader;
}

void key_read(const struct key_reader *reader, const void *record, void *key)
{
    memset(key, 0, reader->layout.size);
    for (uint32_t f = 0; f < reader->count; f++) {
        char *to = (char *)key + reader->to[f];
        const char *from = (const char *)record + reader->from[f];
        if (reader->size[f] == 8) { /* most are, and a size that the compiler sees costs no call */
            memcpy(to, from, 8);
        } else {
            memcpy(to, from, reader->size[f]);
        }
    }
}

static bool field_equal(enum st_kind kind, uint32_t size, const char *a, const char *b)
{
    if (size == 8 && kind != ST_KIND_CHARS) {
        return memcmp(a, b, 8) == 0;
    }
    if (kind == ST_KIND_STR) {
        st_str x, y;
        memcpy(&x, a, sizeof x);
        memcpy(&y, b, sizeof y);
        return st_str_equal(x, y);
    }
    return kind == ST_KIND_CHARS ? strncmp(a, b, size) == 0 : memcmp(a, b, size) == 0;
}

bool key_equal(const struct key_reader *reader, const void *a, const void *b)
{
    for (uint32_t f = 0; f < reader->count; f++) {
        if (!field_equal(reader->kind[f], reader->size[f], (const char *)a + reader->to[f],
                         (const char *)b + reader->to[f])) {
            return false;
        }
    }
    return true;
}

uint32_t key_table_hash(const struct key_reader *reader, const void *key)
{
    uint64_t h = 0;
    for (uint32_t f = 0; f < reader->count; f++) {
        const char *at = (const char *)key + reader->to[f];
        uint64_t one = 0;
        if (reader->kind[f] == ST_KIND_STR) {
            st_str text;
            memcpy(&text, at, sizeof text);
            one = XXH3_64bits(text.data, text.size);
        } else if (reader->kind[f] == ST_KIND_CHARS) {
            one = XXH3_64bits(at, strnlen(at, reader->size[f]));
        } else if (reader->size[f] == 8) {
            memcpy(&one, at, 8);
        } else {
            memcpy(&one, at, reader->size[f]);
        }
        h = (h << 27 | h >> 37) ^ one;
    }
    return hash_int64(h);
}

#define POWER_8_OF_31 ((uint32_t)(UINT64_C(852891037441) & UINT32_MAX)) /* 31^8 */

/* UTF-8 is decoded to UTF-16 units, as a Java String has them; a malformed byte counts as U+FFFD.
 */
int32_t java_hash_of_long_text(const char *data, size_t size)
{
    const unsigned char *s = (const unsigned char *)data;
    uint32_t h = 0;
    for (size_t i = 0; i < size;) {
        uint64_t word = UINT64_C(0x80);
        if (size - i >= 8) {
            memcpy(&word, s + i, 8);
        }
        if ((word & UINT64_C(0x8080808080808080)) == 0) {
            h = h * POWER_8_OF_31 + java_hash_of_word(word);
            i += 8;
            continue;
        }
        uint32_t c = s[i];
        size_t more = c < 0x80 ? 0 : c >> 5 == 6 ? 1 : c >> 4 == 14 ? 2 : c >> 3 == 30 ? 3 : 4;
        if (more == 4 || i + more >= size + (more == 0)) {
            c = 0xFFFD;
            more = 0;
        } else if (more > 0) {
            c &= 0x3Fu >> more;
            for (size_t k = 1; k <= more; k++) {
                c = c << 6 | (s[i + k] & 0x3F);
            }
        }
        i += 1 + more;
        if (c >= 0x10000) {
            h = 31 * h + (0xD800 + ((c - 0x10000) >> 10));
            c = 0xDC00 + ((c - 0x10000) & 0x3FF);
        }
        h = 31 * h + c;
    }
    return (int32_t)h;
}

static int32_t java_hash_of_long(uint64_t value)
{
    return (int32_t)(uint32_t)(value ^ value >> 32);
}

static int32_t java_hash_of_field(enum st_kind kind, uint32_t size, const char *at)
{
    uint64_t bits = 0;
    switch (kind) {
    case ST_KIND_STR: {
        st_str text;
        memcpy(&text, at, sizeof text);
        return java_hash_of_text(text.data, text.size);
    }
    case ST_KIND_CHARS:
        return java_hash_of_text(at, strnlen(at, size));
    case ST_KIND_BOOL:
        return *at != 0 ? 1231 : 1237;
    case ST_KIND_I8:
        return (signed char)*at;
    case ST_KIND_I16: {
        int16_t number;
        memcpy(&number, at, sizeof number);
        return number;
    }
    case ST_KIND_I64:
    case ST_KIND_U64:
    case ST_KIND_F64:
        memcpy(&bits, at, 8);
        return java_hash_of_long(bits);
    case ST_KIND_U8:
    case ST_KIND_U16:
    case ST_KIND_U32:
    case ST_KIND_I32:
    case ST_KIND_F32:
        memcpy(&bits, at, size);
        return (int32_t)(uint32_t)bits;
    case ST_KIND_NONE:
    case ST_KIND_END:
        break;
    }
    assert(0 && "a key has fields of known kinds");
    return 0;
}

int32_t key_java_hash(const struct key_reader *reader, const void *key)
{
    const char *bytes = key;
    uint32_t h = (uint32_t)java_hash_of_field(reader->kind[0], reader->size[0], bytes);
    for (uint32_t f = 1; f < reader->count; f++) {
        h = 31 * h +
            (uint32_t)java_hash_of_field(reader->kind[f], reader->size[f], bytes + reader->to[f]);
    }
    return (int32_t)h;
}

int32_t st_key_hash(const st_key_spec *spec, const void *record)
{
    uint64_t key[ST_KEY_FIELDS_MAX * ST_RECORD_SIZE_MAX / 8];
    struct key_reader reader = key_reader_of(spec);
    key_read(&reader, record, key);
    return key_java_hash(&reader, key);
}

uint32_t st_key_group(int32_t hash, uint32_t max_parallelism)
{
    return murmur_of(hash) % max_parallelism;
}

uint32_t st_key_group_owner(uint32_t group, uint32_t parallelism, uint32_t max_parallelism)
{
    return group * parallelism / max_parallelism;
}
