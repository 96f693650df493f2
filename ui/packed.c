/*
 * Packing a trace, block by block.
 */
#include "ui/packed.h"

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <zlib.h>

#include "sim/keys.h"
#include "sim/narrate.h"
#include "sim/narrate_znode.h"
#include "statemachine/explain.h"

enum { BLOCK_RECORDS = 4096, COLUMNS = 7, LANES_MAX = 65535 };

/* Types of values in the file; see the header. */
enum { NONE, INTEGER, STRING, LIST, OBJECT, RAW, LONG, TEXT };

struct ui_packing {
    struct sim_keys strings, lanes;
};

struct packer {
    const struct sim_trace *trace;
    struct ui_bytes *out;
    struct ui_packing *names;
    uint32_t strings_written;
    struct ui_bytes column[COLUMNS];
    struct ui_bytes rows, value;
    uint64_t fact_count;
    int64_t last_t;
};

/* ---- bytes ---- */

void ui_bytes_put(struct ui_bytes *b, const void *data, size_t size)
{
    b->at = sim_grow(b->at, &b->capacity, b->size + size + 1, 1);
    if (size > 0)
        memcpy(b->at + b->size, data, size);
    b->size += size;
}

static void put_byte(struct ui_bytes *b, uint8_t byte)
{
    ui_bytes_put(b, &byte, 1);
}

void ui_bytes_varint(struct ui_bytes *b, uint64_t value)
{
    for (; value >= 0x80; value >>= 7)
        put_byte(b, (uint8_t)(value | 0x80));
    put_byte(b, (uint8_t)value);
}

static void put_fixed(struct ui_bytes *b, uint64_t value, int size)
{
    for (int i = 0; i < size; i++)
        put_byte(b, (uint8_t)(value >> 8 * i));
}

void ui_bytes_frame(struct ui_bytes *out, const struct ui_bytes *body)
{
    enum { LEVEL = 8 };
    uLongf size = compressBound(body->size);
    assert(body->size <= UINT32_MAX && size <= UINT32_MAX);
    uint8_t *room = malloc(size);
    if (room == NULL || compress2(room, &size, body->at, body->size, LEVEL) != Z_OK)
        abort();
    put_fixed(out, size, 4);
    put_fixed(out, body->size, 4);
    ui_bytes_put(out, room, size);
    free(room);
}

void ui_bytes_end(struct ui_bytes *out)
{
    put_fixed(out, 0, 4);
}

/* ---- values ---- */

static void put_tag(struct ui_bytes *b, int type, uint64_t x)
{
    ui_bytes_varint(b, x << 3 | (unsigned)type);
}

/* Strings are numbered; what a table of names cannot hold stands where it is used. */
static void put_text(struct packer *p, struct ui_bytes *b, const struct sim_value *v)
{
    bool is_text = sim_value_is_utf8(v);
    if (is_text && memchr(v->text, '\0', v->size) == NULL) {
        put_tag(b, STRING, sim_keys_intern(&p->names->strings, v->text, v->size));
        return;
    }
    put_tag(b, is_text ? TEXT : RAW, v->size);
    ui_bytes_put(b, v->text, v->size);
}

/* A page's numbers are exact up to 2^53; longer ones are told apart. */
static void put_integer(struct ui_bytes *b, int64_t number)
{
    uint64_t zigzag = (uint64_t)number << 1 ^ (number < 0 ? UINT64_MAX : 0);
    if (zigzag < UINT64_C(1) << 48) {
        put_tag(b, INTEGER, zigzag);
        return;
    }
    put_tag(b, LONG, 0);
    put_fixed(b, (uint64_t)number, 8);
}

static void put_value(struct packer *p, struct ui_bytes *b, const struct sim_value *v);

static void put_list(struct packer *p, struct ui_bytes *b, const struct sim_value *v)
{
    struct sim_walk walk = {0}, again = {0};
    struct sim_value item;
    uint64_t count = 0;
    while (sim_list_next(v, &walk, &item))
        count++;
    put_tag(b, LIST, count);
    while (sim_list_next(v, &again, &item))
        put_value(p, b, &item);
}

static void put_object(struct packer *p, struct ui_bytes *b, const struct sim_value *v)
{
    struct sim_walk walk = {0}, again = {0};
    struct sim_value item;
    enum sim_field field;
    uint64_t count = 0;
    while (sim_object_next(v, &walk, &field, &item))
        count++;
    put_tag(b, OBJECT, count);
    while (sim_object_next(v, &again, &field, &item)) {
        put_byte(b, (uint8_t)field);
        put_value(p, b, &item);
    }
}

static void put_value(struct packer *p, struct ui_bytes *b, const struct sim_value *v)
{
    switch ((enum sim_value_type)v->type) {
    case SIM_V_NULL:
        put_tag(b, NONE, 0);
        break;
    case SIM_V_INT:
        put_integer(b, v->number);
        break;
    case SIM_V_TEXT:
        put_text(p, b, v);
        break;
    case SIM_V_LIST:
        put_list(p, b, v);
        break;
    case SIM_V_OBJECT:
        put_object(p, b, v);
        break;
    }
}

/* ---- records ---- */

static void put_facts(struct packer *p, const struct sim_record *r)
{
    struct sim_walk walk = {0};
    struct sim_value value;
    const char *key;
    while (sim_record_next_set(r, &walk, &key, &value)) {
        ui_bytes_varint(&p->rows, sim_keys_intern(&p->names->strings, key, strlen(key)));
        p->value.size = 0;
        put_value(p, &p->value, &value);
        ui_bytes_varint(&p->rows, p->value.size);
        ui_bytes_put(&p->rows, p->value.at, p->value.size);
        p->fact_count++;
    }
}

static void put_fields(struct packer *p, const struct sim_record *r)
{
    struct sim_walk walk = {0};
    struct sim_value value;
    enum sim_field field;
    while (sim_record_next(r, &walk, &field, &value)) {
        if (field == SIM_F_SET)
            continue;
        put_byte(&p->rows, (uint8_t)field);
        put_value(p, &p->rows, &value);
    }
}

static uint32_t lane_number(struct packer *p, sim_lane lane)
{
    char text[SIM_LANE_TEXT];
    sim_lane_text(text, lane);
    return sim_keys_intern(&p->names->lanes, text, strlen(text));
}

static void put_record(struct packer *p, const struct sim_record *r)
{
    ui_bytes_varint(&p->column[0], (uint64_t)(r->t - p->last_t));
    put_fixed(&p->column[1], lane_number(p, r->at), 2);
    put_byte(&p->column[2], (uint8_t)r->kind);
    ui_bytes_varint(&p->column[3], r->by != 0 ? r->n - r->by : 0);
    ui_bytes_varint(&p->column[4], r->mute != 0 ? r->n - r->mute : 0);
    size_t begin = p->rows.size;
    put_fields(p, r);
    ui_bytes_varint(&p->column[5], p->rows.size - begin);
    begin = p->rows.size;
    put_facts(p, r);
    ui_bytes_varint(&p->column[6], p->rows.size - begin);
    p->last_t = r->t;
}

/* ---- blocks ---- */

static void put_strings(struct packer *p, struct ui_bytes *body)
{
    for (uint32_t id = p->strings_written; id < p->names->strings.count; id++) {
        const char *name = sim_keys_name(&p->names->strings, id);
        ui_bytes_varint(body, strlen(name));
        ui_bytes_put(body, name, strlen(name));
    }
    p->strings_written = p->names->strings.count;
}

static void put_block(struct packer *p, uint64_t count)
{
    struct ui_bytes body = {0};
    ui_bytes_varint(&body, count);
    ui_bytes_varint(&body, p->names->strings.count - p->strings_written);
    ui_bytes_varint(&body, p->fact_count);
    put_strings(p, &body);
    for (int i = 0; i < COLUMNS; i++) {
        ui_bytes_put(&body, p->column[i].at, p->column[i].size);
        p->column[i].size = 0;
    }
    ui_bytes_put(&body, p->rows.at, p->rows.size);
    p->rows.size = 0;
    p->fact_count = 0;
    ui_bytes_frame(p->out, &body);
    free(body.at);
}

/* The records from `first` up to `last`, in blocks that end where those of a whole file do. */
static void put_blocks(struct packer *p, uint64_t first, uint64_t last)
{
    struct sim_record r;
    uint64_t count = 0;
    p->last_t = first > 1 && sim_trace_get(p->trace, first - 1, &r) ? r.t : 0;
    for (uint64_t n = first; n <= last && sim_trace_get(p->trace, n, &r); n++) {
        put_record(p, &r);
        count++;
        if (n % BLOCK_RECORDS == 0 || n == last) {
            put_block(p, count);
            count = 0;
        }
    }
}

/* ---- the header ---- */

void ui_print_json(FILE *out, const char *text)
{
    struct sim_value value = {.type = SIM_V_TEXT, .text = text, .size = (uint32_t)strlen(text)};
    sim_value_print(out, &value);
}

static void print_names(FILE *out, const char *member, const char *(*name)(int), int end)
{
    fprintf(out, ",\"%s\":[\"\"", member);
    for (int i = 1; i < end; i++)
        fprintf(out, ",\"%s\"", name(i));
    fputc(']', out);
}

static const char *kind_name(int kind)
{
    return sim_kind_name((enum sim_kind)kind);
}

static const char *field_name(int field)
{
    return sim_field_name((enum sim_field)field);
}

/* All that have a number, those of the records behind `from` too. */
static void print_lanes(FILE *out, struct packer *p, uint64_t from)
{
    struct sim_record r;
    for (uint64_t n = from + 1; sim_trace_get(p->trace, n, &r); n++)
        lane_number(p, r.at);
    assert(p->names->lanes.count <= LANES_MAX);
    fputs(",\"lanes\":[", out);
    for (uint32_t i = 0; i < p->names->lanes.count; i++)
        fprintf(out, "%s\"%s\"", i > 0 ? "," : "", sim_keys_name(&p->names->lanes, i));
    fputc(']', out);
}

static void print_bytes(void *out, const char *bytes, size_t size)
{
    fwrite(bytes, 1, size, out);
}

/* The legal moves, for the charts of both machines: those of the run's Kafka, else of 2.8. */
static void print_machines(FILE *out, const char *profile)
{
    enum sm_version version = profile != NULL ? sm_version_named(profile) : SM_VERSION_NONE;
    struct sm_profile rules = sm_profile_of(version != SM_VERSION_NONE ? version : SM_VERSION_2_8);
    struct sm_sink sink = {.put = print_bytes, .ctx = out};
    fputs(",\"machines\":{\"partition\":", out);
    sm_explain_json(SM_MACHINE_PARTITION, &rules, &sink);
    fputs(",\"replica\":", out);
    sm_explain_json(SM_MACHINE_REPLICA, &rules, &sink);
    fputs("}", out);
}

static bool is_finished(const struct sim_trace *trace)
{
    struct sim_record last;
    return sim_trace_get(trace, sim_trace_count(trace), &last) && last.kind == SIM_K_FINISH;
}

static FILE *open_text(char **text, size_t *size)
{
    FILE *out = open_memstream(text, size);
    if (out == NULL)
        abort();
    return out;
}

static void put_text_frame(struct packer *p, FILE *out, char **text, const size_t *size)
{
    if (fclose(out) != 0)
        abort();
    ui_bytes_frame(p->out, &(struct ui_bytes){.at = (uint8_t *)*text, .size = *size});
    free(*text);
}

static void put_header(struct packer *p, const char *remark)
{
    char *text = NULL;
    size_t size = 0;
    struct sim_record meta;
    uint64_t count = sim_trace_count(p->trace);
    const char *version =
        sim_trace_get(p->trace, 1, &meta) ? sim_record_text(&meta, SIM_F_VERSION) : NULL;
    FILE *out = open_text(&text, &size);
    fputs("{\"version\":", out);
    ui_print_json(out, version != NULL ? version : "");
    fprintf(out, ",\"records\":%" PRIu64 ",\"finished\":%d,\"remark\":", count,
            is_finished(p->trace));
    ui_print_json(out, remark != NULL ? remark : "");
    print_names(out, "kinds", kind_name, SIM_K_END);
    print_names(out, "fields", field_name, SIM_F_END);
    print_lanes(out, p, 0);
    fputs(",\"tables\":{\"narrate\":", out);
    sim_narrate_print_table(out);
    fputs(",\"znodes\":", out);
    sim_narrate_print_znodes(out);
    fputs(",\"errors\":", out);
    sim_narrate_print_errors(out);
    print_machines(out,
                   sim_trace_count(p->trace) > 0 ? sim_record_text(&meta, SIM_F_PROFILE) : NULL);
    fputs("}}", out);
    put_text_frame(p, out, &text, &size);
}

static void put_growth_header(struct packer *p, const struct ui_packed_from *from, uint64_t version)
{
    char *text = NULL;
    size_t size = 0;
    FILE *out = open_text(&text, &size);
    fprintf(out,
            "{\"version\":%" PRIu64 ",\"from\":%" PRIu64 ",\"records\":%" PRIu64
            ",\"finished\":%d,\"meta\":%d",
            version, from->records, sim_trace_count(p->trace), is_finished(p->trace), from->meta);
    print_lanes(out, p, from->records);
    fputc('}', out);
    put_text_frame(p, out, &text, &size);
}

/* ---- whole, and since ---- */

static void clear(struct packer *p)
{
    for (int i = 0; i < COLUMNS; i++)
        free(p->column[i].at);
    free(p->rows.at);
    free(p->value.at);
}

static void write_whole(struct ui_packing *packing, const struct sim_trace *trace,
                        const char *remark, struct ui_bytes *out)
{
    struct packer p = {.trace = trace, .out = out, .names = packing};
    ui_bytes_put(out, UI_PACKED_SCHEMA "\n", strlen(UI_PACKED_SCHEMA "\n"));
    put_header(&p, remark);
    put_blocks(&p, 1, sim_trace_count(trace));
    ui_bytes_end(out);
    clear(&p);
}

void ui_packed_write(const struct sim_trace *trace, const char *remark, struct ui_bytes *out)
{
    struct ui_packing *packing = ui_packing_new();
    write_whole(packing, trace, remark, out);
    ui_packing_free(packing);
}

struct ui_packing *ui_packing_new(void)
{
    struct ui_packing *packing = calloc(1, sizeof(*packing));
    if (packing == NULL)
        abort();
    return packing;
}

void ui_packing_free(struct ui_packing *packing)
{
    if (packing == NULL)
        return;
    sim_keys_clear(&packing->strings);
    sim_keys_clear(&packing->lanes);
    free(packing);
}

uint32_t ui_packing_strings(const struct ui_packing *packing)
{
    return packing->strings.count;
}

void ui_packing_write(struct ui_packing *packing, const struct sim_trace *trace,
                      struct ui_bytes *out)
{
    write_whole(packing, trace, NULL, out);
}

void ui_packing_write_since(struct ui_packing *packing, const struct sim_trace *trace,
                            const struct ui_packed_from *from, uint64_t version,
                            struct ui_bytes *out)
{
    struct packer p = {
        .trace = trace, .out = out, .names = packing, .strings_written = from->strings};
    assert(from->records <= sim_trace_count(trace) && from->strings <= packing->strings.count);
    ui_bytes_put(out, UI_GROWTH_SCHEMA "\n", strlen(UI_GROWTH_SCHEMA "\n"));
    put_growth_header(&p, from, version);
    if (from->meta)
        put_blocks(&p, 1, 1);
    put_blocks(&p, from->records + 1, sim_trace_count(trace));
    ui_bytes_end(out);
    clear(&p);
}
