/*
 * NDJSON to a trace: each line is parsed by jansson, then given to the recorder again, so that a
 * trace that was read is the trace that was written, digest included.
 *
 * Total: any bytes give a trace or an error with its line. A last line without its newline that
 * does not parse is what an interrupted run leaves behind; it is left out and the trace counts as
 * cut. Checked: numbers dense, causes before effects, time not falling, kinds and fields known,
 * `finish` last, its digest that of the records.
 */
#include "sim/trace_store.h"

#include <assert.h>
#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <jansson.h>

struct reader {
    struct sim_trace *trace;
    struct sim_trace_error *error;
    uint32_t line;
    bool finished;
};

__attribute__((format(printf, 3, 4))) static bool refuse(struct reader *r, uint32_t column,
                                                         const char *format, ...)
{
    r->error->line = r->line;
    r->error->column = column;
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(r->error->text, sizeof(r->error->text), format, arguments);
    va_end(arguments);
    return false;
}

/* ---- values ---- */

static int hex_digit(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

static bool put_hex(struct reader *r, enum sim_field field, const json_t *value)
{
    const char *text = json_string_value(value);
    size_t size = text != NULL ? json_string_length(value) : 1;
    if (size % 2 != 0)
        return refuse(r, 1, "\"hex\" is not an even number of hexadecimal digits");
    uint8_t *bytes = malloc(size / 2 + 1);
    if (bytes == NULL)
        abort();
    for (size_t i = 0; i < size / 2; i++) {
        int high = hex_digit(text[2 * i]), low = hex_digit(text[2 * i + 1]);
        if (high < 0 || low < 0) {
            free(bytes);
            return refuse(r, 1, "\"hex\" is not an even number of hexadecimal digits");
        }
        bytes[i] = (uint8_t)(high << 4 | low);
    }
    sim_trace_bytes(r->trace, field, bytes, size / 2);
    free(bytes);
    return true;
}

static bool put_value(struct reader *r, enum sim_field field, json_t *value, int depth);

static bool put_list(struct reader *r, enum sim_field field, json_t *value, int depth)
{
    sim_trace_list_begin(r->trace, field);
    for (size_t i = 0; i < json_array_size(value); i++)
        if (!put_value(r, SIM_F_NONE, json_array_get(value, i), depth + 1))
            return false;
    sim_trace_list_end(r->trace);
    return true;
}

static bool put_object(struct reader *r, enum sim_field field, json_t *value, int depth)
{
    const char *name;
    json_t *item;
    if (json_object_size(value) == 1 && (item = json_object_get(value, "hex")) != NULL)
        return put_hex(r, field, item);
    sim_trace_object_begin(r->trace, field);
    json_object_foreach(value, name, item)
    {
        enum sim_field member = sim_field_named(name);
        if (member == SIM_F_NONE)
            return refuse(r, 1, "no such field: \"%.60s\"", name);
        if (!put_value(r, member, item, depth + 1))
            return false;
    }
    sim_trace_object_end(r->trace);
    return true;
}

static bool put_value(struct reader *r, enum sim_field field, json_t *value, int depth)
{
    if (depth >= SIM_DEPTH_MAX - 2)
        return refuse(r, 1, "nested deeper than %d", SIM_DEPTH_MAX - 2);
    switch (json_typeof(value)) {
    case JSON_NULL:
        sim_trace_null(r->trace, field);
        return true;
    case JSON_INTEGER:
        sim_trace_int(r->trace, field, json_integer_value(value));
        return true;
    case JSON_STRING:
        sim_trace_bytes(r->trace, field, json_string_value(value), json_string_length(value));
        return true;
    case JSON_ARRAY:
        return put_list(r, field, value, depth);
    case JSON_OBJECT:
        return put_object(r, field, value, depth);
    case JSON_REAL:
    case JSON_TRUE:
    case JSON_FALSE:
        break;
    }
    return refuse(r, 1, "a trace holds integers, strings, null, lists and objects only");
}

static bool put_sets(struct reader *r, json_t *sets)
{
    if (!json_is_array(sets))
        return refuse(r, 1, "\"set\" must be a list of [key, value]");
    for (size_t i = 0; i < json_array_size(sets); i++) {
        json_t *pair = json_array_get(sets, i);
        const char *key = json_string_value(json_array_get(pair, 0));
        if (key == NULL || json_array_size(pair) != 2 || strlen(key) == 0 ||
            strlen(key) != json_string_length(json_array_get(pair, 0)))
            return refuse(r, 1, "\"set\" must be a list of [key, value]");
        json_t *value = json_array_get(pair, 1);
        if (json_is_null(value)) {
            sim_trace_set_null(r->trace, key);
            continue;
        }
        sim_trace_set_begin(r->trace, key);
        if (!put_value(r, SIM_F_NONE, value, 1))
            return false;
        sim_trace_set_end(r->trace);
    }
    return true;
}

/* ---- records ---- */

static bool get_int(struct reader *r, json_t *line, const char *name, int64_t low, int64_t high,
                    int64_t *value)
{
    json_t *item = json_object_get(line, name);
    if (!json_is_integer(item))
        return refuse(r, 1, "\"%s\" is missing or not an integer", name);
    *value = json_integer_value(item);
    if (*value < low || *value > high)
        return refuse(r, 1, "\"%s\" is %" PRId64 ", expected %" PRId64 " to %" PRId64, name, *value,
                      low, high);
    return true;
}

struct head {
    int64_t n, t, by, mute;
    sim_lane at;
    enum sim_kind kind;
};

static bool get_head(struct reader *r, json_t *line, struct head *h)
{
    const struct sim_trace_store *s = r->trace->store;
    int64_t next = (int64_t)s->count + 1;
    if (!get_int(r, line, "n", next, next, &h->n) ||
        !get_int(r, line, "t", s->last_t, INT64_MAX, &h->t) ||
        !get_int(r, line, "by", 0, next - 1, &h->by))
        return false;
    h->mute = 0;
    if (json_object_get(line, "mute") != NULL && !get_int(r, line, "mute", 1, next - 1, &h->mute))
        return false;
    const char *at = json_string_value(json_object_get(line, "at"));
    const char *kind = json_string_value(json_object_get(line, "k"));
    h->at = at != NULL ? sim_lane_named(at) : 0;
    h->kind = kind != NULL ? sim_kind_named(kind) : SIM_K_NONE;
    if (h->at == 0)
        return refuse(r, 1, "\"at\" is missing or no lane (zk, w, o, c1, b1, …)");
    if (h->kind == SIM_K_NONE)
        return refuse(r, 1, "\"k\" is missing or no kind of record: \"%.40s\"",
                      kind != NULL ? kind : "");
    return true;
}

static bool check_schema(struct reader *r, json_t *line, const struct head *h)
{
    if (h->n != 1)
        return h->kind != SIM_K_META || refuse(r, 1, "\"meta\" is the first record only");
    const char *schema = json_string_value(json_object_get(line, "schema"));
    if (h->kind == SIM_K_META && schema != NULL && strcmp(schema, SIM_TRACE_SCHEMA) == 0)
        return true;
    return refuse(r, 1, "not a trace: the first line must be a record \"meta\" with schema \"%s\"",
                  SIM_TRACE_SCHEMA);
}

static bool check_digest(struct reader *r, json_t *line)
{
    const char *digest = json_string_value(json_object_get(line, "digest"));
    char actual[17];
    snprintf(actual, sizeof(actual), "%016" PRIx64, sim_trace_digest(r->trace));
    if (digest != NULL && strcmp(digest, actual) == 0)
        return true;
    return refuse(r, 1, "digest is %.40s, but the records give %s: the file has been changed",
                  digest != NULL ? digest : "missing", actual);
}

static bool is_head_field(const char *name)
{
    static const char *const names[] = {"n", "t", "at", "k", "by", "mute"};
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
        if (strcmp(name, names[i]) == 0)
            return true;
    return false;
}

/* Leaves a record open where it refuses: the trace is then thrown away. */
static bool put_record(struct reader *r, json_t *line)
{
    struct head h = {0};
    if (r->finished)
        return refuse(r, 1, "a record follows \"finish\"");
    if (!json_is_object(line))
        return refuse(r, 1, "a line must be an object");
    if (!get_head(r, line, &h) || !check_schema(r, line, &h))
        return false;
    if (h.kind == SIM_K_FINISH && !check_digest(r, line))
        return false;
    r->finished = h.kind == SIM_K_FINISH;
    sim_trace_begin(r->trace, h.kind, h.t, h.at, (uint64_t)h.by, (uint64_t)h.mute);
    const char *name;
    json_t *value;
    json_object_foreach(line, name, value)
    {
        if (is_head_field(name))
            continue;
        enum sim_field field = sim_field_named(name);
        if (field == SIM_F_NONE || !sim_kind_has(h.kind, field))
            return refuse(r, 1, "a record \"%s\" has no field \"%.60s\"", sim_kind_name(h.kind),
                          name);
        if (field == SIM_F_SET ? !put_sets(r, value) : !put_value(r, field, value, 1))
            return false;
    }
    sim_trace_end(r->trace);
    return true;
}

/* Returns false on an error; *cut where the line was the torn end of a file. */
static bool put_line(struct reader *r, const char *at, size_t size, bool is_last, bool *cut)
{
    json_error_t where;
    json_t *line = json_loadb(at, size, JSON_REJECT_DUPLICATES | JSON_ALLOW_NUL, &where);
    if (line == NULL) {
        *cut = is_last && r->trace->store->count > 0;
        return *cut ||
               refuse(r, where.column > 0 ? (uint32_t)where.column : 1, "%.200s", where.text);
    }
    bool ok = put_record(r, line);
    json_decref(line);
    return ok;
}

struct sim_trace *sim_trace_read(const char *bytes, size_t size, bool *cut,
                                 struct sim_trace_error *error)
{
    struct sim_trace_options options = {.mode = SIM_TRACE_KEEP};
    struct reader r = {.trace = sim_trace_new(&options), .error = error};
    *error = (struct sim_trace_error){0};
    *cut = false;
    bool ok = true, torn = false;
    for (size_t at = 0; ok && !torn && at < size;) {
        const char *newline = memchr(bytes + at, '\n', size - at);
        size_t length = newline != NULL ? (size_t)(newline - bytes) - at : size - at;
        r.line++;
        ok = put_line(&r, bytes + at, length, newline == NULL, &torn);
        at += length + 1;
    }
    if (ok && r.trace->store->count == 0) {
        r.line = 1;
        ok = refuse(&r, 1, "the file is empty");
    }
    *cut = !r.finished;
    if (ok)
        return r.trace;
    sim_trace_free(r.trace);
    return NULL;
}

/* ---- files ---- */

static char *read_file(FILE *in, size_t *size)
{
    size_t capacity = 0;
    char *bytes = NULL;
    *size = 0;
    for (;;) {
        bytes = sim_grow(bytes, &capacity, *size + 65536, 1);
        size_t got = fread(bytes + *size, 1, capacity - *size, in);
        *size += got;
        if (got == 0)
            return bytes;
    }
}

struct sim_trace *sim_trace_open(const char *file, bool *cut, struct sim_trace_error *error)
{
    *error = (struct sim_trace_error){0};
    *cut = false;
    bool standard = strcmp(file, "-") == 0;
    FILE *in = standard ? stdin : fopen(file, "rb");
    size_t size = 0;
    char *bytes = in != NULL ? read_file(in, &size) : NULL;
    if (in == NULL || ferror(in)) {
        snprintf(error->text, sizeof(error->text), "%s", strerror(errno));
        if (in != NULL && !standard)
            fclose(in);
        free(bytes);
        return NULL;
    }
    if (!standard)
        fclose(in);
    struct sim_trace *trace = sim_trace_read(bytes, size, cut, error);
    free(bytes);
    return trace;
}
