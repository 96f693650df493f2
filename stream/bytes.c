/*
 * Bytes of a snapshot, see bytes.h.
 */
#include "stream/bytes.h"

#include <stdio.h>
#include <stdlib.h>

#include "stream/files.h"
#include "stream/frozen.h"
#include "stream/graph.h"

_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "snapshots are images of memory");

static char *room(struct bytes *b, size_t more)
{
    if (b->capacity - b->size < more) {
        size_t capacity = b->capacity * 2 + 4096;
        while (capacity - b->size < more) {
            capacity *= 2;
        }
        char *data = realloc(b->data, capacity);
        if (data == NULL) {
            fputs("kcsim stream: out of memory\n", stderr);
            abort();
        }
        b->data = data;
        b->capacity = capacity;
    }
    char *at = b->data + b->size;
    b->size += more;
    return at;
}

void bytes_put(struct bytes *b, const void *data, size_t size)
{
    if (size > 0) {
        memcpy(room(b, size), data, size);
    }
}

void bytes_u32(struct bytes *b, uint32_t value)
{
    memcpy(room(b, sizeof value), &value, sizeof value);
}

void bytes_i64(struct bytes *b, int64_t value)
{
    memcpy(room(b, sizeof value), &value, sizeof value);
}

void bytes_ordered_i64(struct bytes *b, int64_t value)
{
    unsigned char high_first[8];
    for (int i = 0; i < 8; i++) {
        high_first[i] = (unsigned char)(((uint64_t)value ^ UINT64_C(1) << 63) >> (56 - 8 * i));
    }
    bytes_put(b, high_first, sizeof high_first);
}

void bytes_text(struct bytes *b, const char *text)
{
    bytes_u32(b, (uint32_t)strlen(text));
    bytes_put(b, text, strlen(text));
}

void bytes_record(struct bytes *b, const struct layout *layout, const void *record)
{
    size_t began = b->size;
    bytes_put(b, record, layout->size);
    for (uint32_t t = 0; t < layout->text_count; t++) {
        st_str text;
        memcpy(&text, (const char *)record + layout->text[t], sizeof text);
        bytes_put(b, text.data, text.size);
        text.data = NULL;
        memcpy(b->data + began + layout->text[t], &text, sizeof text);
    }
}

void bytes_hole(struct bytes *b, struct frozen *frozen)
{
    struct hole *holes = must_calloc(b->hole_count + 1, sizeof *holes);
    if (b->hole_count > 0) {
        memcpy(holes, b->holes, b->hole_count * sizeof *holes);
    }
    free(b->holes);
    b->holes = holes;
    holes[b->hole_count++] = (struct hole){.at = b->size, .frozen = frozen};
}

void bytes_attach(struct bytes *b, const char *folder, const char *prefix)
{
    struct attached *one = must_calloc(1, sizeof *one);
    *one = (struct attached){b->attached, must_strdup(folder), must_strdup(prefix)};
    b->attached = one;
}

void attached_free(struct attached *list)
{
    while (list != NULL) {
        struct attached *next = list->next;
        files_remove_tree(list->folder);
        free(list->folder);
        free(list->prefix);
        free(list);
        list = next;
    }
}

void bytes_free(struct bytes *b)
{
    attached_free(b->attached);
    for (uint32_t h = 0; h < b->hole_count; h++) {
        atomic_store_explicit(&b->holes[h].frozen->released, 1, memory_order_release);
    }
    free(b->holes);
    free(b->data);
    *b = (struct bytes){0};
}

size_t bytes_reserve_i64(struct bytes *b)
{
    size_t at = b->size;
    bytes_i64(b, 0);
    return at;
}

void bytes_set_i64(struct bytes *b, size_t at, int64_t value)
{
    memcpy(b->data + at, &value, sizeof value);
}

size_t bytes_reserve_u32(struct bytes *b)
{
    size_t at = b->size;
    bytes_u32(b, 0);
    return at;
}

void bytes_set_u32(struct bytes *b, size_t at, uint32_t value)
{
    memcpy(b->data + at, &value, sizeof value);
}

const char *read_bytes(struct reader *r, size_t size)
{
    if (r->bad || (size_t)(r->end - r->at) < size) {
        r->bad = true;
        return NULL;
    }
    const char *at = r->at;
    r->at += size;
    return at;
}

uint32_t read_u32(struct reader *r)
{
    uint32_t value = 0;
    const char *at = read_bytes(r, sizeof value);
    if (at != NULL) {
        memcpy(&value, at, sizeof value);
    }
    return value;
}

int64_t read_i64(struct reader *r)
{
    int64_t value = 0;
    const char *at = read_bytes(r, sizeof value);
    if (at != NULL) {
        memcpy(&value, at, sizeof value);
    }
    return value;
}

st_str read_text(struct reader *r)
{
    uint32_t size = read_u32(r);
    const char *at = read_bytes(r, size);
    return at != NULL ? (st_str){at, size, 0} : ST_STR("");
}

bool read_record(struct reader *r, const struct layout *layout, void *record)
{
    const char *at = read_bytes(r, layout->size);
    memset(record, 0, layout->size);
    if (at == NULL) {
        return false;
    }
    memcpy(record, at, layout->size);
    for (uint32_t t = 0; t < layout->text_count; t++) {
        st_str text;
        memcpy(&text, (char *)record + layout->text[t], sizeof text);
        text.data = read_bytes(r, text.size);
        text.zero = 0;
        if (text.data == NULL) {
            memset(record, 0, layout->size);
            return false;
        }
        memcpy((char *)record + layout->text[t], &text, sizeof text);
    }
    return true;
}

static void describe(const st_type *type, char *to, size_t size)
{
    static const char *const kinds[ST_KIND_END] = {
        [ST_KIND_NONE] = "none", [ST_KIND_BOOL] = "bool",   [ST_KIND_I8] = "i8",
        [ST_KIND_I16] = "i16",   [ST_KIND_I32] = "i32",     [ST_KIND_I64] = "i64",
        [ST_KIND_U8] = "u8",     [ST_KIND_U16] = "u16",     [ST_KIND_U32] = "u32",
        [ST_KIND_U64] = "u64",   [ST_KIND_F32] = "f32",     [ST_KIND_F64] = "f64",
        [ST_KIND_STR] = "str",   [ST_KIND_CHARS] = "chars",
    };
    size_t at = (size_t)snprintf(to, size, "%s %u{", type->name, type->size);
    for (uint32_t f = 0; f < type->field_count && at < size; f++) {
        const st_field *field = &type->fields[f];
        at += (size_t)snprintf(to + at, size - at, "%s%s %s %u %u", f > 0 ? "," : "", field->name,
                               kinds[field->kind], field->offset, field->size);
    }
    if (at < size) {
        snprintf(to + at, size - at, "}");
    }
}

#define WORDS_MAX 4096 /* bytes, with the zero behind */

void bytes_type(struct bytes *b, const st_type *type)
{
    char words[WORDS_MAX];
    describe(type, words, sizeof words);
    bytes_text(b, words);
}

bool read_type(struct reader *r, const st_type *type, st_str *words)
{
    char expected[WORDS_MAX];
    describe(type, expected, sizeof expected);
    *words = read_text(r);
    return !r->bad && st_str_equal(*words, st_str_of(expected));
}

/* One field of the words, "text str 16 16" and what is behind it; false: it is none. */
static bool add_field(struct layout *layout, const char **at, char *behind)
{
    char kind[6];
    unsigned offset, size;
    int length;
    if (sscanf(*at, "%*[^ ] %5[a-z0-9] %5u %5u%c%n", kind, &offset, &size, behind, &length) != 4 ||
        offset > layout->size || size > layout->size - offset) {
        return false;
    }
    *at += length;
    if (strcmp(kind, "str") == 0) {
        bool fits = size == sizeof(st_str) && layout->text_count < ST_FIELDS_MAX;
        layout->text[fits ? layout->text_count++ : 0] = (uint16_t)offset;
        return fits;
    }
    return true;
}

/* As `describe` writes it. */
static bool parse_layout(const char *words, struct layout *layout)
{
    char behind = ',';
    int length = 0;
    *layout = (struct layout){0};
    bool ok = sscanf(words, "%*[^ ] %5u{%n", &layout->size, &length) == 1 && length > 0 &&
              layout->size > 0 && layout->size <= ST_RECORD_SIZE_MAX;
    for (const char *at = words + length; ok && behind == ',';) {
        ok = add_field(layout, &at, &behind);
    }
    return ok && behind == '}';
}

bool read_layout(struct reader *r, struct layout *layout)
{
    char words[WORDS_MAX] = "";
    st_str text = read_text(r);
    if (text.size < sizeof words) {
        memcpy(words, text.data, text.size);
    }
    r->bad |= !parse_layout(words, layout);
    return !r->bad;
}
