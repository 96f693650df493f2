/*
 * Reading records: views into the bytes (trace_store.h), never copies; and printing them as NDJSON.
 */
#include "sim/trace_store.h"

#include <assert.h>
#include <inttypes.h>
#include <string.h>

uint32_t sim_read_u32(const uint8_t *at)
{
    return (uint32_t)at[0] | (uint32_t)at[1] << 8 | (uint32_t)at[2] << 16 | (uint32_t)at[3] << 24;
}

static uint64_t read_u64(const uint8_t *at)
{
    return sim_read_u32(at) | (uint64_t)sim_read_u32(at + 4) << 32;
}

static uint64_t read_varint(const uint8_t **at)
{
    uint64_t value = 0;
    for (int shift = 0;; shift += 7) {
        uint8_t byte = *(*at)++;
        value |= (uint64_t)(byte & 0x7f) << shift;
        if (byte < 0x80)
            return value;
    }
}

/* The bytes were written by trace.c and nobody else, so they are well formed: asserted, not
 * checked. */
const uint8_t *sim_value_decode(const uint8_t *at, const uint8_t *end, struct sim_value *value)
{
    assert(at < end);
    *value = (struct sim_value){0};
    value->type = *at++;
    switch ((enum sim_value_type)value->type) {
    case SIM_V_NULL:
        break;
    case SIM_V_INT: {
        uint64_t zigzag = read_varint(&at);
        value->number = (int64_t)(zigzag >> 1 ^ (0 - (zigzag & 1)));
        break;
    }
    case SIM_V_TEXT:
        value->size = (uint32_t)read_varint(&at);
        value->text = (const char *)at;
        at += value->size + 1;
        break;
    case SIM_V_LIST:
    case SIM_V_OBJECT:
        value->size = sim_read_u32(at);
        value->items = at + 4;
        at += 4 + value->size;
        break;
    }
    assert(at <= end);
    return at;
}

uint64_t sim_trace_count(const struct sim_trace *trace)
{
    return trace->store->count;
}

static void view(const uint8_t *at, uint64_t n, struct sim_record *record)
{
    *record = (struct sim_record){
        .n = n,
        .t = (int64_t)read_u64(at),
        .at = read_u64(at + 8),
        .by = sim_read_u32(at + 16),
        .mute = sim_read_u32(at + 20),
        .size = sim_read_u32(at + 24),
        .kind = (enum sim_kind)sim_read_u32(at + 28),
        .payload = at + SIM_HEADER,
    };
}

bool sim_trace_get(const struct sim_trace *trace, uint64_t n, struct sim_record *record)
{
    const struct sim_trace_store *s = trace->store;
    if (n == 0 || n > s->count)
        return false;
    if (s->options.mode == SIM_TRACE_DIGEST) {
        if (n != s->count)
            return false;
        view(s->bytes.at, n, record);
        return true;
    }
    view(s->bytes.at + s->offset[n - 1], n, record);
    return true;
}

uint64_t sim_trace_at_time(const struct sim_trace *trace, int64_t t)
{
    uint64_t low = 0, high = trace->store->count;
    while (low < high) {
        uint64_t middle = low + (high - low + 1) / 2;
        struct sim_record r;
        if (!sim_trace_get(trace, middle, &r))
            return 0;
        if (r.t <= t)
            low = middle;
        else
            high = middle - 1;
    }
    return low;
}

/* ---- walking ---- */

static bool next_member(const uint8_t *items, uint32_t size, struct sim_walk *walk,
                        enum sim_field *field, struct sim_value *value)
{
    if (walk->at >= size)
        return false;
    *field = (enum sim_field)items[walk->at];
    const uint8_t *next = sim_value_decode(items + walk->at + 1, items + size, value);
    walk->at = (uint32_t)(next - items);
    return true;
}

bool sim_record_next(const struct sim_record *record, struct sim_walk *walk, enum sim_field *field,
                     struct sim_value *value)
{
    return next_member(record->payload, record->size, walk, field, value);
}

bool sim_list_next(const struct sim_value *list, struct sim_walk *walk, struct sim_value *value)
{
    if (list->type != SIM_V_LIST || walk->at >= list->size)
        return false;
    const uint8_t *next = sim_value_decode(list->items + walk->at, list->items + list->size, value);
    walk->at = (uint32_t)(next - list->items);
    return true;
}

bool sim_object_next(const struct sim_value *object, struct sim_walk *walk, enum sim_field *field,
                     struct sim_value *value)
{
    return object->type == SIM_V_OBJECT &&
           next_member(object->items, object->size, walk, field, value);
}

bool sim_object_get(const struct sim_value *object, enum sim_field field, struct sim_value *value)
{
    struct sim_walk walk = {0};
    enum sim_field found;
    while (sim_object_next(object, &walk, &found, value))
        if (found == field)
            return true;
    return false;
}

bool sim_record_get(const struct sim_record *record, enum sim_field field, struct sim_value *value)
{
    struct sim_walk walk = {0};
    enum sim_field found;
    while (sim_record_next(record, &walk, &found, value))
        if (found == field)
            return true;
    return false;
}

int64_t sim_record_int(const struct sim_record *record, enum sim_field field, int64_t otherwise)
{
    struct sim_value v;
    return sim_record_get(record, field, &v) && v.type == SIM_V_INT ? v.number : otherwise;
}

const char *sim_record_text(const struct sim_record *record, enum sim_field field)
{
    struct sim_value v;
    return sim_record_get(record, field, &v) && v.type == SIM_V_TEXT ? v.text : NULL;
}

bool sim_record_next_set(const struct sim_record *record, struct sim_walk *walk, const char **key,
                         struct sim_value *value)
{
    struct sim_value sets, pair, name;
    if (!sim_record_get(record, SIM_F_SET, &sets) || !sim_list_next(&sets, walk, &pair))
        return false;
    struct sim_walk inner = {0};
    bool both = sim_list_next(&pair, &inner, &name) && sim_list_next(&pair, &inner, value);
    assert(both && name.type == SIM_V_TEXT);
    *key = name.text;
    return true;
}

static bool is_node_lane(sim_lane lane)
{
    return sim_lane_letter(lane) == 'b' || sim_lane_letter(lane) == 'c';
}

int32_t sim_record_broker(const struct sim_record *record)
{
    struct sim_value v;
    if (sim_record_get(record, SIM_F_NODE, &v) && v.type == SIM_V_INT)
        return (int32_t)v.number;
    if (sim_record_get(record, SIM_F_REPLICA, &v) && v.type == SIM_V_INT)
        return (int32_t)v.number;
    const char *to = record->kind == SIM_K_MOVE ? NULL : sim_record_text(record, SIM_F_TO);
    sim_lane lane = to != NULL ? sim_lane_named(to) : 0;
    if (lane != 0 && is_node_lane(lane))
        return sim_lane_id(lane);
    return is_node_lane(record->at) ? sim_lane_id(record->at) : -1;
}

size_t sim_value_ids(const struct sim_value *list, int32_t *ids, size_t capacity)
{
    struct sim_walk walk = {0};
    struct sim_value v;
    size_t count = 0;
    while (sim_list_next(list, &walk, &v)) {
        if (v.type != SIM_V_INT)
            continue;
        if (count < capacity)
            ids[count] = (int32_t)v.number;
        count++;
    }
    return count;
}

/* One value has one encoding, so equal values are equal bytes. */
bool sim_value_equal(const struct sim_value *a, const struct sim_value *b)
{
    if (a->type != b->type)
        return false;
    switch ((enum sim_value_type)a->type) {
    case SIM_V_NULL:
        return true;
    case SIM_V_INT:
        return a->number == b->number;
    case SIM_V_TEXT:
        return a->size == b->size && memcmp(a->text, b->text, a->size) == 0;
    case SIM_V_LIST:
    case SIM_V_OBJECT:
        return a->size == b->size && memcmp(a->items, b->items, a->size) == 0;
    }
    return false;
}

/* ---- JSON ---- */

/* Returns the size of the UTF-8 character at `at`, 0 where there is none (Unicode, table 3-7). */
static size_t utf8_size(const uint8_t *at, size_t left)
{
    static const struct {
        uint8_t first, last, second_first, second_last, size;
    } forms[] = {
        {0x00, 0x7f, 0, 0, 1},       {0xc2, 0xdf, 0x80, 0xbf, 2}, {0xe0, 0xe0, 0xa0, 0xbf, 3},
        {0xe1, 0xec, 0x80, 0xbf, 3}, {0xed, 0xed, 0x80, 0x9f, 3}, {0xee, 0xef, 0x80, 0xbf, 3},
        {0xf0, 0xf0, 0x90, 0xbf, 4}, {0xf1, 0xf3, 0x80, 0xbf, 4}, {0xf4, 0xf4, 0x80, 0x8f, 4},
    };
    for (size_t i = 0; i < sizeof(forms) / sizeof(forms[0]); i++) {
        size_t size = forms[i].size;
        if (at[0] < forms[i].first || at[0] > forms[i].last || size > left)
            continue;
        if (size > 1 && (at[1] < forms[i].second_first || at[1] > forms[i].second_last))
            return 0;
        for (size_t k = 2; k < size; k++)
            if (at[k] < 0x80 || at[k] > 0xbf)
                return 0;
        return size;
    }
    return 0;
}

static bool is_utf8(const uint8_t *at, size_t size)
{
    for (size_t i = 0; i < size;) {
        size_t step = utf8_size(at + i, size - i);
        if (step == 0)
            return false;
        i += step;
    }
    return true;
}

bool sim_value_is_utf8(const struct sim_value *value)
{
    return is_utf8((const uint8_t *)value->text, value->size);
}

static void print_string(FILE *out, const char *text, size_t size)
{
    fputc('"', out);
    for (size_t i = 0; i < size; i++) {
        unsigned char c = (unsigned char)text[i];
        if (c == '"' || c == '\\')
            fprintf(out, "\\%c", c);
        else if (c == '\n')
            fputs("\\n", out);
        else if (c == '\t')
            fputs("\\t", out);
        else if (c < 0x20 || c == 0x7f)
            fprintf(out, "\\u%04x", c);
        else
            fputc(c, out);
    }
    fputc('"', out);
}

/* Bytes that are no UTF-8 text cannot stand in JSON: {"hex":"00ff"}. */
static void print_text(FILE *out, const struct sim_value *v)
{
    if (sim_value_is_utf8(v)) {
        print_string(out, v->text, v->size);
        return;
    }
    fputs("{\"hex\":\"", out);
    for (uint32_t i = 0; i < v->size; i++)
        fprintf(out, "%02x", (uint8_t)v->text[i]);
    fputs("\"}", out);
}

void sim_value_print(FILE *out, const struct sim_value *value)
{
    struct sim_walk walk = {0};
    struct sim_value item;
    enum sim_field field;
    const char *comma = "";
    switch ((enum sim_value_type)value->type) {
    case SIM_V_NULL:
        fputs("null", out);
        break;
    case SIM_V_INT:
        fprintf(out, "%" PRId64, value->number);
        break;
    case SIM_V_TEXT:
        print_text(out, value);
        break;
    case SIM_V_LIST:
        fputc('[', out);
        for (; sim_list_next(value, &walk, &item); comma = ",") {
            fputs(comma, out);
            sim_value_print(out, &item);
        }
        fputc(']', out);
        break;
    case SIM_V_OBJECT:
        fputc('{', out);
        for (; sim_object_next(value, &walk, &field, &item); comma = ",") {
            fprintf(out, "%s\"%s\":", comma, sim_field_name(field));
            sim_value_print(out, &item);
        }
        fputc('}', out);
        break;
    }
}

void sim_record_print(FILE *out, const struct sim_record *record)
{
    char lane[SIM_LANE_TEXT];
    fprintf(out, "{\"n\":%" PRIu64 ",\"t\":%" PRId64 ",\"at\":\"%s\",\"k\":\"%s\",\"by\":%" PRIu64,
            record->n, record->t, sim_lane_text(lane, record->at), sim_kind_name(record->kind),
            record->by);
    if (record->mute != 0)
        fprintf(out, ",\"mute\":%" PRIu64, record->mute);
    struct sim_walk walk = {0};
    enum sim_field field;
    struct sim_value value;
    while (sim_record_next(record, &walk, &field, &value)) {
        fprintf(out, ",\"%s\":", sim_field_name(field));
        sim_value_print(out, &value);
    }
    fputs("}\n", out);
}

bool sim_trace_write(const struct sim_trace *trace, FILE *out)
{
    sim_trace_settle(trace->store);
    struct sim_record r;
    for (uint64_t n = 1; sim_trace_get(trace, n, &r); n++)
        sim_record_print(out, &r);
    return fflush(out) == 0 && ferror(out) == 0;
}
