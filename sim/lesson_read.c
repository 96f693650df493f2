/*
 * Moments and readings: from a spec and a trace to a text.
 *
 * Facts are read by `kcsim why`'s own words (sim/why.h); two more targets are parts of znodes:
 *
 *     epoch of T-P        data.leader_epoch of the partition's state znode
 *     controller epoch    data of /controller_epoch
 *
 * A quiet end stands for all time to come: a moment behind it is the end.
 *
 * What never happened has a value, too: "none", "never", 0. So a question may have that as its
 * right answer.
 */
#define _POSIX_C_SOURCE 200809L
#include "sim/lesson_read.h"

#include <assert.h>
#include <fnmatch.h>
#include <inttypes.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "sim/moment.h"
#include "sim/pattern.h"
#include "sim/why.h"
#include "statemachine/znode.h"

enum { VALUE_TEXT = 1024 };

static const char *copy(const struct sim_lesson_reader *r, const char *text)
{
    return sim_memory_copy(r->memory, text, strlen(text));
}

/* ---- moments ---- */

/* The nth record behind `from` that the pattern means, 0 none. */
static uint64_t find(const struct sim_lesson_reader *r, const struct sim_pattern *pattern,
                     uint64_t from)
{
    uint32_t seen = 0;
    struct sim_record record;
    for (uint64_t n = from + 1; sim_trace_get(r->trace, n, &record); n++)
        if (sim_pattern_match(pattern, r->trace, &record) && ++seen == pattern->nth)
            return n;
    return 0;
}

static uint64_t find_label(const struct sim_lesson_reader *r, const char *label)
{
    struct sim_record record;
    for (uint64_t n = 1; sim_trace_get(r->trace, n, &record); n++) {
        const char *text =
            record.kind == SIM_K_FAULT ? sim_record_text(&record, SIM_F_LABEL) : NULL;
        if (text != NULL && strcmp(text, label) == 0)
            return n;
    }
    return 0;
}

static bool at_time(const struct sim_lesson_reader *r, const struct sim_lesson_moment *m,
                    int64_t t_us, uint64_t *record, int64_t *nominal)
{
    struct sim_record last = {0};
    char time[SIM_TIME_TEXT];
    sim_trace_get(r->trace, sim_trace_count(r->trace), &last);
    if (t_us > last.t && !r->scenario->until_quiet)
        return sim_error(r->d, m->place, "the run is over before that, at %s",
                         sim_time_text(time, last.t));
    *record = sim_trace_at_time(r->trace, t_us);
    *nominal = t_us;
    return *record != 0;
}

static bool after_label(const struct sim_lesson_reader *r, const struct sim_lesson_moment *m,
                        uint64_t *record, int64_t *t_us)
{
    struct sim_record fault;
    *record = find_label(r, m->label);
    if (!sim_trace_get(r->trace, *record, &fault))
        return sim_error(r->d, m->place, "the step '%s' never acted in this run", m->label);
    *t_us = fault.t;
    return m->at_us == 0 || at_time(r, m, fault.t + m->at_us, record, t_us);
}

static bool told_time(const struct sim_lesson_reader *r, uint64_t n, int64_t *t_us)
{
    struct sim_record record = {0};
    const bool good = sim_trace_get(r->trace, n, &record);
    *t_us = record.t;
    return good;
}

bool sim_lesson_moment(const struct sim_lesson_reader *r, const struct sim_lesson_moment *m,
                       uint64_t from, uint64_t there, uint64_t *record, int64_t *t_us)
{
    switch (m->when) {
    case SIM_LESSON_AT:
        return at_time(r, m, m->at_us, record, t_us);
    case SIM_LESSON_AFTER:
        return after_label(r, m, record, t_us);
    case SIM_LESSON_THERE:
        *record = there;
        break;
    case SIM_LESSON_NOW:
        *record = from;
        break;
    case SIM_LESSON_END:
        *record = sim_trace_count(r->trace);
        break;
    case SIM_LESSON_WHEN:
        *record = find(r, &m->pattern, from);
        break;
    }
    return told_time(r, *record, t_us) || m->when != SIM_LESSON_WHEN ||
           sim_error(r->d, m->place, "behind the stop before it this never happens in this run");
}

/* ---- parts of values ---- */

static void print_value(const struct sim_value *v, char *out, size_t capacity)
{
    struct sim_walk walk = {0};
    struct sim_value item;
    size_t size = 0;
    snprintf(out, capacity, "none");
    switch ((enum sim_value_type)v->type) {
    case SIM_V_NULL:
    case SIM_V_OBJECT:
        break;
    case SIM_V_INT:
        snprintf(out, capacity, "%" PRId64, v->number);
        break;
    case SIM_V_TEXT:
        snprintf(out, capacity, "%s", v->text);
        break;
    case SIM_V_LIST:
        while (sim_list_next(v, &walk, &item) && size + 24 < capacity) {
            if (size > 0)
                out[size++] = ',';
            print_value(&item, out + size, capacity - size);
            size += strlen(out + size);
        }
        break;
    }
}

/* The member that a dotted path names, in JSON text. */
static bool json_path(const char *text, const char *path, char *out, size_t capacity)
{
    json_t *root = json_loads(text, JSON_DECODE_ANY, NULL);
    const json_t *at = root;
    char name[64];
    for (const char *p = path; at != NULL && *p != '\0';) {
        const size_t size = strcspn(p, ".");
        if (size >= sizeof(name))
            break;
        memcpy(name, p, size);
        name[size] = '\0';
        at = json_is_array(at) ? json_array_get(at, (size_t)strtoul(name, NULL, 10))
                               : json_object_get(at, name);
        p += size + (p[size] == '.');
    }
    char *dump = at != NULL ? json_dumps(at, JSON_ENCODE_ANY | JSON_COMPACT) : NULL;
    if (at != NULL && json_is_string(at))
        snprintf(out, capacity, "%s", json_string_value(at));
    else if (dump != NULL)
        snprintf(out, capacity, "%s", dump);
    free(dump);
    json_decref(root);
    return dump != NULL;
}

/* `field` of a fact: members of objects, then of the JSON in a text. */
static bool part_of(const struct sim_value *fact, const char *field, char *out, size_t capacity)
{
    struct sim_value at = *fact;
    char name[64];
    for (const char *p = field; *p != '\0';) {
        const size_t size = strcspn(p, ".");
        if (at.type == SIM_V_TEXT)
            return json_path(at.text, p, out, capacity);
        if (at.type != SIM_V_OBJECT || size >= sizeof(name))
            return false;
        memcpy(name, p, size);
        name[size] = '\0';
        const enum sim_field member = sim_field_named(name);
        if (member == SIM_F_NONE || !sim_object_get(&at, member, &at))
            return false;
        p += size + (p[size] == '.');
    }
    print_value(&at, out, capacity);
    return true;
}

/* ---- facts ---- */

static const char *aspect_field(enum sim_aspect aspect)
{
    switch (aspect) {
    case SIM_ASPECT_FACT:
        return NULL;
    case SIM_ASPECT_LEADER:
        return "leader";
    case SIM_ASPECT_ISR:
        return "isr";
    case SIM_ASPECT_CONTROLLER:
        return "controller";
    }
    return NULL;
}

static bool read_part(const struct sim_lesson_reader *r, const char *key, const char *field,
                      uint64_t n, struct sim_place place, struct sim_lesson_value *out)
{
    struct sim_fact fact;
    char text[VALUE_TEXT] = "none";
    if (!sim_facts_get(r->facts, key, UINT64_MAX, &fact))
        return sim_error(r->d, place, "this run has no fact '%s'", key);
    if (sim_facts_have(r->facts, key, n, &fact) && !part_of(&fact.value, field, text, sizeof(text)))
        return sim_error(r->d, place, "'%s' has no part '%s'", key, field);
    *out = (struct sim_lesson_value){
        .text = copy(r, text), .record = n, .key = copy(r, key), .field = copy(r, field)};
    return true;
}

/* Targets that are parts of znodes; false where the text is none of them. */
static bool part_target(const char *target, char *key, size_t capacity, const char **field)
{
    int partition, used = 0;
    const char *dash = strrchr(target, '-');
    if (strcmp(target, "controller epoch") == 0) {
        snprintf(key, capacity, "zn:%s", "/controller_epoch");
        *field = "data";
        return true;
    }
    if (strncmp(target, "epoch of ", 9) != 0 || dash == NULL || dash - target - 9 < 1 ||
        dash - target - 9 > SM_TOPIC_NAME_MAX ||
        sscanf(dash + 1, "%9d%n", &partition, &used) != 1 || dash[1 + used] != '\0')
        return false;
    snprintf(key, capacity, "zn:/brokers/topics/%.*s/partitions/%d/state", (int)(dash - target - 9),
             target + 9, partition);
    *field = "data.leader_epoch";
    return true;
}

bool sim_lesson_target(const struct sim_lesson_reader *r, const char *target, const char *field,
                       uint64_t n, struct sim_place place, struct sim_lesson_value *out)
{
    struct sim_effect effect;
    char message[512], key[400], text[VALUE_TEXT] = "none";
    const char *part;
    uint64_t setter;
    if (part_target(target, key, sizeof(key), &part))
        return read_part(r, key, part, n, place, out);
    if (!sim_why_target(r->facts, target, n, &effect, message, sizeof(message)))
        return sim_error(r->d, place, "%s", message);
    if (field != NULL)
        return read_part(r, effect.key, field, n, place, out);
    if (sim_why_value(r->facts, &effect, n, text, sizeof(text), &setter) &&
        strcmp(text, "gone") == 0)
        snprintf(text, sizeof(text), "none");
    *out = (struct sim_lesson_value){.text = copy(r, text),
                                     .record = n,
                                     .key = copy(r, effect.key),
                                     .field = aspect_field(effect.aspect)};
    return true;
}

/* ---- records ---- */

static void record_field(const struct sim_record *record, const char *field, char *out,
                         size_t capacity)
{
    struct sim_value value;
    char lane[SIM_LANE_TEXT];
    snprintf(out, capacity, "none");
    if (strcmp(field, "t") == 0) {
        sim_time_text(out, record->t);
    } else if (strcmp(field, "broker") == 0) {
        snprintf(out, capacity, "%" PRId32, sim_record_broker(record));
    } else if (strcmp(field, "at") == 0 ||
               (strcmp(field, "node") == 0 && !sim_kind_has(record->kind, SIM_F_NODE))) {
        snprintf(out, capacity, "%s", sim_lane_text(lane, record->at));
    } else if (sim_record_get(
                   record, strcmp(field, "watch-event") == 0 ? SIM_F_EVENT : sim_field_named(field),
                   &value)) {
        print_value(&value, out, capacity);
    }
    if (strcmp(out, "-1") == 0)
        snprintf(out, capacity, "none");
}

static void read_count(const struct sim_lesson_reader *r, const struct sim_reading *reading,
                       uint64_t from, uint64_t to, struct sim_lesson_value *out)
{
    struct sim_record record;
    uint64_t count = 0;
    out->record = to;
    for (uint64_t n = from + 1; n <= to && sim_trace_get(r->trace, n, &record); n++)
        if (sim_pattern_match(&reading->pattern, r->trace, &record)) {
            out->record = count == 0 ? n : out->record;
            count++;
        }
    out->text = sim_memory_format(r->memory, "%" PRIu64, count);
}

static void read_first(const struct sim_lesson_reader *r, const struct sim_reading *reading,
                       uint64_t from, uint64_t to, struct sim_lesson_value *out)
{
    struct sim_record record;
    char text[VALUE_TEXT] = "none";
    const uint64_t n = find(r, &reading->pattern, from);
    out->record = to;
    if (n != 0 && sim_trace_get(r->trace, n, &record)) {
        record_field(&record, reading->field, text, sizeof(text));
        out->record = n;
    }
    out->text = copy(r, text);
}

static void read_seconds(const struct sim_lesson_reader *r, const struct sim_reading *reading,
                         uint32_t stop, uint64_t to, struct sim_lesson_value *out)
{
    struct sim_record record;
    const uint64_t n = find(r, &reading->pattern, r->stops[stop]);
    out->record = to;
    out->text = "never";
    if (n == 0 || !sim_trace_get(r->trace, n, &record))
        return;
    const int64_t ms = (record.t - r->times[stop] + 500) / 1000;
    out->text = ms % 1000 == 0
                    ? sim_memory_format(r->memory, "%" PRId64, ms / 1000)
                    : sim_memory_format(r->memory, "%" PRId64 ".%03" PRId64, ms / 1000, ms % 1000);
    out->record = n;
}

bool sim_lesson_read(const struct sim_lesson_reader *r, const struct sim_reading *reading,
                     uint32_t stop, struct sim_lesson_value *out)
{
    const uint64_t here = r->stops[stop], from = reading->from_start ? 0 : here;
    uint64_t n;
    int64_t t_us;
    *out = (struct sim_lesson_value){0};
    if (!sim_lesson_moment(r, &reading->moment, here, r->stops[stop + 1], &n, &t_us))
        return false;
    switch (reading->kind) {
    case SIM_READ_FACT:
        return sim_lesson_target(r, reading->target, reading->field, n, reading->place, out);
    case SIM_READ_COUNT:
        read_count(r, reading, from, n, out);
        return true;
    case SIM_READ_FIRST:
        read_first(r, reading, from, n, out);
        return true;
    case SIM_READ_SECONDS:
        read_seconds(r, reading, stop, n, out);
        return true;
    case SIM_READ_RECORDS:
        out->text = sim_lesson_records(r, reading->target, n);
        out->record = n;
        return true;
    }
    assert(false);
    return false;
}

/* ---- conditions ---- */

static bool list_is(const struct sm_list *list, const char *text)
{
    char want[SM_REPLICAS_MAX * 12 + 1] = "";
    size_t size = 0;
    for (int32_t i = 0; i < list->count; i++)
        size += (size_t)snprintf(want + size, sizeof(want) - size, "%s%" PRId32, i > 0 ? "," : "",
                                 list->id[i]);
    return strcmp(list->count > 0 ? want : "none", text) == 0;
}

static bool compares(const struct sim_condition *c, const char *text)
{
    char *end;
    const double number = strtod(text, &end);
    if (c->is_list)
        return list_is(&c->list, text) == (c->op != SIM_OP_NE);
    if (c->is_number && end != text && *end == '\0') {
        /* seconds have a fraction; an id of a list like "2,3" is no number */
        const int64_t thousandths = (int64_t)(number * 1000 + (number < 0 ? -0.5 : 0.5));
        return sim_compare_numbers(c->op, thousandths, c->number * 1000);
    }
    const bool equal = c->is_glob ? fnmatch(c->text, text, 0) == 0 : strcmp(c->text, text) == 0;
    return c->op == SIM_OP_NE ? !equal : c->op == SIM_OP_EQ && equal;
}

bool sim_lesson_holds(const struct sim_lesson_reader *r, const struct sim_reading *reading,
                      uint32_t stop, bool *holds)
{
    struct sim_lesson_value value;
    if (!sim_lesson_read(r, reading, stop, &value))
        return false;
    *holds = reading->has_is ? compares(&reading->is, value.text) : strcmp(value.text, "0") != 0;
    return true;
}
