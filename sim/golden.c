/*
 * Golden traces: making, reading, comparing. The comparison parses lines of both sides into
 * (object, time, value), groups them by object in the order of first appearance, and asks of each
 * object where its two histories part.
 */
#define _POSIX_C_SOURCE 200809L
#include "sim/golden.h"

#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <jansson.h>
#include <uthash.h>

#include "sim/allocate.h"
#include "sim/keys.h"
#include "sim/moment.h"

/* ---- making ---- */

static bool is_kept(enum sim_kind kind)
{
    return kind == SIM_K_FAULT || kind == SIM_K_DECIDE || kind == SIM_K_MOVE ||
           kind == SIM_K_BATCH || kind == SIM_K_CHECK || kind == SIM_K_FINISH;
}

/* Fields that number something, or say where in a file something stood. */
static bool is_number(enum sim_field field)
{
    return field == SIM_F_SET || field == SIM_F_REFS || field == SIM_F_ID || field == SIM_F_STEP ||
           field == SIM_F_DIGEST || field == SIM_F_COUNTS || field == SIM_F_RECORDS;
}

struct maker {
    FILE *out;
    struct sim_golden *golden;
    size_t capacity;
};

static void end_line(struct maker *m, uint64_t n)
{
    fputs("}\n", m->out);
    m->golden->record =
        sim_grow(m->golden->record, &m->capacity, m->golden->lines + 1, sizeof(*m->golden->record));
    m->golden->record[m->golden->lines++] = n;
}

static void begin_line(struct maker *m, const struct sim_record *r, const char *kind)
{
    char lane[SIM_LANE_TEXT];
    fprintf(m->out, "{\"t\":%" PRId64 ",\"at\":\"%s\",\"k\":\"%s\"", r->t,
            sim_lane_text(lane, r->at), kind);
}

/* Brokers of a batch are told with their epochs, which are transaction numbers: only ids stay. */
static void put_brokers(struct maker *m, const struct sim_value *list)
{
    struct sim_walk walk = {0};
    struct sim_value broker, id;
    char separator = '[';
    while (sim_list_next(list, &walk, &broker)) {
        if (!sim_object_get(&broker, SIM_F_ID, &id))
            continue;
        fprintf(m->out, "%c%" PRId64, separator, id.number);
        separator = ',';
    }
    fputs(separator == '[' ? "[]" : "]", m->out);
}

static void put_record(struct maker *m, const struct sim_record *r)
{
    struct sim_walk walk = {0};
    enum sim_field field;
    struct sim_value value;
    begin_line(m, r, sim_kind_name(r->kind));
    while (sim_record_next(r, &walk, &field, &value)) {
        if (is_number(field))
            continue;
        fprintf(m->out, ",\"%s\":", sim_field_name(field));
        if (field == SIM_F_BROKERS)
            put_brokers(m, &value);
        else
            sim_value_print(m->out, &value);
    }
    end_line(m, r->n);
}

static bool begins(const char *text, const char *prefix)
{
    return strncmp(text, prefix, strlen(prefix)) == 0;
}

static bool is_kept_znode(const char *path)
{
    return begins(path, "/brokers/topics") || begins(path, "/brokers/ids/") ||
           begins(path, "/controller") || begins(path, "/admin/") ||
           begins(path, "/config/topics/");
}

/* What a znode says; what else it holds are ports, times and session numbers. */
static void put_data(struct maker *m, const char *path, const struct sim_value *znode)
{
    struct sim_value data;
    json_t *json = NULL;
    if (!sim_object_get(znode, SIM_F_DATA, &data) || begins(path, "/brokers/ids/")) {
        fputs("true", m->out);
        return;
    }
    if (data.type == SIM_V_TEXT)
        json = json_loadb(data.text, data.size, JSON_DECODE_ANY, NULL);
    if (json == NULL) {
        sim_value_print(m->out, &data);
        return;
    }
    json_object_del(json, "timestamp");
    json_dumpf(json, m->out, JSON_COMPACT | JSON_ENCODE_ANY | JSON_SORT_KEYS);
    json_decref(json);
}

static void put_facts(struct maker *m, const struct sim_record *r)
{
    struct sim_walk walk = {0};
    struct sim_value value;
    const char *key;
    while (sim_record_next_set(r, &walk, &key, &value)) {
        if (!begins(key, "zn:") || !is_kept_znode(key + 3))
            continue;
        begin_line(m, r, "znode");
        fputs(",\"path\":", m->out);
        sim_value_print(m->out, &(struct sim_value){.type = SIM_V_TEXT,
                                                    .text = key + 3,
                                                    .size = (uint32_t)strlen(key + 3)});
        fputs(",\"is\":", m->out);
        if (value.type == SIM_V_NULL)
            fputs("null", m->out);
        else
            put_data(m, key + 3, &value);
        end_line(m, r->n);
    }
}

struct sim_golden sim_golden_of(const struct sim_trace *trace)
{
    struct sim_golden g = {0};
    struct maker m = {.out = open_memstream(&g.text, &g.size), .golden = &g};
    struct sim_record r;
    if (m.out == NULL)
        abort();
    for (uint64_t n = 1; sim_trace_get(trace, n, &r); n++) {
        if (is_kept(r.kind))
            put_record(&m, &r);
        if (r.kind != SIM_K_GIVEN)
            put_facts(&m, &r);
    }
    fclose(m.out);
    return g;
}

/* ---- files ---- */

bool sim_golden_read(struct sim_golden *g, const char *file)
{
    FILE *in = fopen(file, "rb");
    *g = (struct sim_golden){0};
    if (in == NULL)
        return false;
    size_t capacity = 0, got;
    do {
        g->text = sim_grow(g->text, &capacity, g->size + 65536, 1);
        got = fread(g->text + g->size, 1, capacity - g->size - 1, in);
        g->size += got;
    } while (got > 0);
    g->text[g->size] = '\0';
    const bool ok = !ferror(in);
    fclose(in);
    if (!ok)
        sim_golden_free(g);
    return ok;
}

bool sim_golden_write(const struct sim_golden *g, const char *file)
{
    const size_t size = strlen(file) + 5;
    char *temporary = sim_alloc(size);
    snprintf(temporary, size, "%s.new", file);
    FILE *out = fopen(temporary, "wb");
    bool ok = out != NULL && fwrite(g->text, 1, g->size, out) == g->size;
    if (out != NULL)
        ok = fclose(out) == 0 && ok;
    ok = ok && rename(temporary, file) == 0;
    if (!ok) {
        const int error = errno;
        unlink(temporary);
        errno = error;
    }
    free(temporary);
    return ok;
}

void sim_golden_free(struct sim_golden *g)
{
    free(g->text);
    free(g->record);
    *g = (struct sim_golden){0};
}

const char *sim_golden_name(char *out, size_t capacity, const char *scenario)
{
    const char *slash = strrchr(scenario, '/'), *dot = strrchr(scenario, '.');
    const size_t stem =
        dot != NULL && (slash == NULL || dot > slash) ? (size_t)(dot - scenario) : strlen(scenario);
    const int size = snprintf(out, capacity, "%.*s.golden.ndjson", (int)stem, scenario);
    return size > 0 && (size_t)size < capacity ? out : NULL;
}

/* ---- comparing ---- */

/* A line, as far as it could be read. */
struct line {
    const char *text; /* not NUL-terminated */
    size_t size;
    int64_t t;
    char *object;    /* owned */
    json_t *value;   /* what is said of it; owned */
    uint64_t record; /* 0 unknown */
    uint32_t next;   /* line of the same object, 0 none; lines count from 1 */
};

struct side {
    struct line *line; /* [count + 1], from 1 */
    uint32_t count;
    size_t capacity;
};

struct object {
    UT_hash_handle hh;
    const char *name;
    uint32_t first[2], last[2]; /* lines of both sides */
    uint32_t at[2];             /* where they part; 0: one has ended */
    int64_t t;                  /* of the first difference */
};

__attribute__((format(printf, 1, 2))) static char *text(const char *format, ...)
{
    char *out = NULL;
    size_t size;
    va_list arguments;
    FILE *stream = open_memstream(&out, &size);
    if (stream == NULL)
        abort();
    va_start(arguments, format);
    vfprintf(stream, format, arguments);
    va_end(arguments);
    fclose(stream);
    return out;
}

static const char *member(const json_t *json, const char *key)
{
    const char *value = json_string_value(json_object_get(json, key));
    return value == NULL ? "" : value;
}

/* "partition orders-1" for its state znode, "znode PATH" for any other. */
static char *name_znode(const char *path)
{
    char topic[256];
    int partition, end = 0;
    if (sscanf(path, "/brokers/topics/%255[^/]/partitions/%d/state%n", topic, &partition, &end) ==
            2 &&
        end > 0 && path[end] == '\0')
        return text("partition %s-%d in ZooKeeper", topic, partition);
    return text("znode %s", path);
}

static char *name_object(const json_t *json)
{
    const char *kind = member(json, "k");
    const json_t *replica = json_object_get(json, "replica");
    if (strcmp(kind, "znode") == 0)
        return name_znode(member(json, "path"));
    if (strcmp(kind, "move") == 0 && json_is_integer(replica))
        return text("replica of %s on %" PRId64, member(json, "partition"),
                    (int64_t)json_integer_value(replica));
    if (strcmp(kind, "move") == 0)
        return text("partition %s of %s", member(json, "partition"), member(json, "at"));
    if (strcmp(kind, "decide") == 0)
        return text("election of %s", member(json, "partition"));
    if (strcmp(kind, "batch") == 0)
        return text("requests of %s", member(json, "at"));
    if (strcmp(kind, "check") == 0)
        return text("check %s", member(json, "name"));
    return text("%s", kind);
}

static void read_line(struct line *l)
{
    json_t *json = json_loadb(l->text, l->size, 0, NULL);
    if (!json_is_object(json)) {
        json_decref(json);
        l->object = text("a line that is no record");
        l->value = json_stringn_nocheck(l->text, l->size);
        return;
    }
    l->t = json_integer_value(json_object_get(json, "t"));
    l->object = name_object(json);
    json_object_del(json, "t");
    l->value = json;
}

static void read_side(struct side *s, const struct sim_golden *g)
{
    s->line = sim_grow(NULL, &s->capacity, 1, sizeof(*s->line));
    for (size_t at = 0; at < g->size;) {
        const char *end = memchr(g->text + at, '\n', g->size - at);
        const size_t size = end == NULL ? g->size - at : (size_t)(end - g->text) - at;
        s->line = sim_grow(s->line, &s->capacity, s->count + 2, sizeof(*s->line));
        struct line *l = &s->line[++s->count];
        *l = (struct line){.text = g->text + at, .size = size};
        if (g->record != NULL && s->count <= g->lines)
            l->record = g->record[s->count - 1];
        read_line(l);
        at += size + 1;
    }
}

static void free_side(struct side *s)
{
    for (uint32_t i = 1; i <= s->count; i++) {
        free(s->line[i].object);
        json_decref(s->line[i].value);
    }
    free(s->line);
}

static struct object *group(struct side side[2])
{
    struct object *objects = NULL, *o;
    for (int which = 0; which < 2; which++) {
        for (uint32_t i = 1; i <= side[which].count; i++) {
            struct line *l = &side[which].line[i];
            HASH_FIND_STR(objects, l->object, o);
            if (o == NULL) {
                o = sim_alloc(sizeof(*o));
                o->name = l->object;
                HASH_ADD_KEYPTR(hh, objects, o->name, strlen(o->name), o);
            }
            if (o->first[which] == 0)
                o->first[which] = i;
            else
                side[which].line[o->last[which]].next = i;
            o->last[which] = i;
        }
    }
    return objects;
}

/* Finds where the two histories of an object part; false where they do not. */
static bool part(struct object *o, const struct side side[2])
{
    uint32_t a = o->first[0], b = o->first[1];
    while (a != 0 && b != 0) {
        const struct line *x = &side[0].line[a], *y = &side[1].line[b];
        if (x->t != y->t || !json_equal(x->value, y->value))
            break;
        a = x->next;
        b = y->next;
    }
    o->at[0] = a;
    o->at[1] = b;
    const int64_t ta = a == 0 ? INT64_MAX : side[0].line[a].t;
    const int64_t tb = b == 0 ? INT64_MAX : side[1].line[b].t;
    o->t = ta < tb ? ta : tb;
    return a != 0 || b != 0;
}

static int by_time(struct object *a, struct object *b)
{
    return a->t < b->t ? -1 : a->t > b->t;
}

/* Prints a JSON value, cut where it is long. */
static void say_json(FILE *out, const json_t *value)
{
    enum { MOST = 120 };
    char *dump = value == NULL ? NULL : json_dumps(value, JSON_COMPACT | JSON_ENCODE_ANY);
    if (dump == NULL)
        fputs("absent", out);
    else
        fprintf(out, "%.*s%s", MOST, dump, strlen(dump) > MOST ? "…" : "");
    free(dump);
}

static void say_moment(FILE *out, const struct line *l)
{
    char time[SIM_TIME_TEXT];
    fprintf(out, " at %s", sim_time_text(time, l->t));
    if (l->record != 0)
        fprintf(out, ", record %" PRIu64, l->record);
}

/* Walks down to where two values part; says the way, "body[0].leader ", and leaves both there. */
static void go_down(FILE *out, const json_t **a, const json_t **b)
{
    const char *key, *dot = "";
    json_t *item;
    size_t i;
    for (bool deeper = true; deeper;) {
        deeper = false;
        if (json_is_object(*a) && json_is_object(*b)) {
            const json_t *keys = json_object_size(*a) >= json_object_size(*b) ? *a : *b;
            json_object_foreach((json_t *)(uintptr_t)keys, key, item)
            {
                if (json_equal(json_object_get(*a, key), json_object_get(*b, key)))
                    continue;
                if (strcmp(key, "is") != 0)
                    fprintf(out, "%s%s", dot, key);
                dot = strcmp(key, "is") != 0 ? "." : "";
                *a = json_object_get(*a, key);
                *b = json_object_get(*b, key);
                deeper = true;
                break;
            }
        } else if (json_is_array(*a) && json_array_size(*a) == json_array_size(*b) &&
                   json_is_object(json_array_get(*a, 0))) {
            json_array_foreach((json_t *)(uintptr_t)*a, i, item)
            {
                if (json_equal(item, json_array_get(*b, i)))
                    continue;
                fprintf(out, "[%zu]", i);
                *a = item;
                *b = json_array_get(*b, i);
                deeper = true;
                break;
            }
        }
    }
}

/* At one time: what became different. At two: what has come or gone is the earlier one, unless only
   the time has changed. */
static void say_both(FILE *out, const struct line *was, const struct line *is)
{
    const json_t *a = was->value, *b = is->value;
    if (was->t == is->t) {
        go_down(out, &a, &b);
        fputs(" was ", out);
        say_json(out, a);
        fputs(", is ", out);
        say_json(out, b);
    } else if (json_equal(a, b)) {
        fputs("the same at another time: was", out);
        say_moment(out, was);
        fputs(", is", out);
    } else {
        fputs(was->t < is->t ? "no more: " : "new: ", out);
        say_json(out, was->t < is->t ? a : b);
    }
    say_moment(out, was->t < is->t && !json_equal(a, b) ? was : is);
}

static void say_object(FILE *out, const struct object *o, const struct side side[2])
{
    const struct line *was = o->at[0] == 0 ? NULL : &side[0].line[o->at[0]];
    const struct line *is = o->at[1] == 0 ? NULL : &side[1].line[o->at[1]];
    fprintf(out, "  %s: ", o->name);
    if (was != NULL && is != NULL) {
        say_both(out, was, is);
    } else {
        fputs(is == NULL ? "no more: " : "new: ", out);
        say_json(out, (is == NULL ? was : is)->value);
        say_moment(out, is == NULL ? was : is);
    }
    fputc('\n', out);
}

static void say_line(FILE *out, char sign, const struct line *l)
{
    enum { MOST = 240 };
    const int size = l->size > MOST ? MOST : (int)l->size;
    fprintf(out, "  %c %.*s%s\n", sign, size, l->text, l->size > MOST ? "…" : "");
}

/* Prints the first lines from where the two texts part. */
static void say_lines(FILE *out, const struct side side[2], unsigned lines)
{
    uint32_t from = 1;
    while (from <= side[0].count && from <= side[1].count &&
           side[0].line[from].size == side[1].line[from].size &&
           memcmp(side[0].line[from].text, side[1].line[from].text, side[0].line[from].size) == 0)
        from++;
    for (int which = 0; which < 2; which++)
        for (uint32_t i = from; i <= side[which].count && i < from + lines; i++)
            say_line(out, which == 0 ? '-' : '+', &side[which].line[i]);
}

bool sim_golden_compare(FILE *out, const struct sim_golden *was, const struct sim_golden *is,
                        unsigned objects, unsigned lines)
{
    if (was->size == is->size && memcmp(was->text, is->text, was->size) == 0)
        return true;
    struct side side[2] = {0};
    read_side(&side[0], was);
    read_side(&side[1], is);
    struct object *table = group(side), *o, *next;
    unsigned count = 0, said = 0;
    HASH_ITER(hh, table, o, next)
    {
        if (part(o, side)) {
            count++;
            continue;
        }
        HASH_DELETE(hh, table, o);
        free(o);
    }
    HASH_SORT(table, by_time);
    for (o = table; o != NULL && said < objects; o = o->hh.next, said++)
        say_object(out, o, side);
    if (count > said)
        fprintf(out, "  … and %u more\n", count - said);
    say_lines(out, side, lines);
    HASH_ITER(hh, table, o, next)
    {
        HASH_DELETE(hh, table, o);
        free(o);
    }
    free_side(&side[0]);
    free_side(&side[1]);
    return false;
}
