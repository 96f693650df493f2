/*
 * A request is kept as the texts that it will be written as, but for what is known only at the end
 * (the name of its broker epoch) and what the effect needs apart (flags that add up).
 */
#define _POSIX_C_SOURCE 200809L
#include "sim/canonical.h"

#include <errno.h>
#include <jansson.h>
#include <stdarg.h>
#include <stdio.h>
#include <sys/stat.h>

#include "sim/allocate.h"

/* One partition of a request: {"tp":…,"leader":…, then "is_new" or "delete" where it has a flag. */
struct part {
    char *topic;
    int32_t partition;
    char *json;       /* without the flag and the brace */
    const char *flag; /* "is_new", "delete", NULL */
    bool is_set;
};

enum section { LEADER_AND_ISR, UPDATE_METADATA, STOP_REPLICA, SECTIONS };
static const char *const section_names[SECTIONS] = {"leader_and_isr", "update_metadata",
                                                    "stop_replica"};

struct request {
    uint32_t step;
    int32_t broker;
    uint64_t number; /* of arrival */
    enum section section;
    int32_t controller, controller_epoch;
    int64_t broker_epoch;
    struct part *parts;
    uint32_t part_count;
    char *live_leaders, *live_brokers; /* JSON lists, NULL where empty */
    char *answer;                      /* NULL: without error */
};

struct sim_canonical {
    char **steps; /* [number], texts */
    uint32_t step_count;
    uint32_t step;
    bool drops;
    int32_t *hidden;
    uint32_t hidden_count;
    struct {
        int32_t id, epoch;
    } * heard;
    uint32_t heard_count;
    struct request *requests;
    uint32_t request_count, request_capacity;
    uint64_t count;
    char **notes;
    uint32_t note_count;
};

/* ---- text that grows ---- */

struct text {
    char *bytes;
    size_t size;
};

static void add(struct text *t, const char *format, ...) __attribute__((format(printf, 2, 3)));
static void add(struct text *t, const char *format, ...)
{
    va_list args, again;
    va_start(args, format);
    va_copy(again, args);
    size_t n = (size_t)vsnprintf(NULL, 0, format, args);
    va_end(args);
    t->bytes = sim_realloc(t->bytes, t->size + n + 1);
    vsnprintf(t->bytes + t->size, n + 1, format, again);
    va_end(again);
    t->size += n;
}

/* As Go's encoding/json: <, >, & and control characters escaped; the rest is UTF-8 as it is. */
static void add_string(struct text *t, const char *s)
{
    add(t, "\"");
    for (; *s != '\0'; s++) {
        unsigned char c = (unsigned char)*s;
        if (c == '"' || c == '\\')
            add(t, "\\%c", c);
        else if (c == '\n' || c == '\r' || c == '\t')
            add(t, "\\%c", c == '\n' ? 'n' : c == '\r' ? 'r' : 't');
        else if (c < 0x20 || c == '<' || c == '>' || c == '&')
            add(t, "\\u%04x", c);
        else
            add(t, "%c", c);
    }
    add(t, "\"");
}

static char *finish(struct text *t)
{
    return t->bytes == NULL ? sim_copy("", 1) : t->bytes;
}

static void add_ids(struct text *t, const char *name, const int32_t *ids, uint32_t count)
{
    add(t, ",\"%s\":[", name);
    for (uint32_t i = 0; i < count; i++)
        add(t, "%s%d", i == 0 ? "" : ",", ids[i]);
    add(t, "]");
}

/* ---- recording ---- */

struct sim_canonical *sim_canonical_new(void)
{
    struct sim_canonical *c = sim_alloc(sizeof(*c));
    sim_canonical_step(c, 0, "");
    return c;
}

void sim_canonical_free(struct sim_canonical *c)
{
    if (c == NULL)
        return;
    for (uint32_t i = 0; i < c->request_count; i++) {
        struct request *r = &c->requests[i];
        for (uint32_t j = 0; j < r->part_count; j++) {
            free(r->parts[j].topic);
            free(r->parts[j].json);
        }
        free(r->parts);
        free(r->live_leaders);
        free(r->live_brokers);
        free(r->answer);
    }
    for (uint32_t i = 0; i < c->step_count; i++)
        free(c->steps[i]);
    for (uint32_t i = 0; i < c->note_count; i++)
        free(c->notes[i]);
    free(c->requests);
    free(c->steps);
    free(c->notes);
    free(c->hidden);
    free(c->heard);
    free(c);
}

void sim_canonical_step(struct sim_canonical *c, uint32_t number, const char *text)
{
    while (c->step_count <= number) {
        c->steps = sim_realloc(c->steps, (c->step_count + 1) * sizeof(*c->steps));
        c->steps[c->step_count++] = NULL;
    }
    free(c->steps[number]);
    c->steps[number] = sim_copy(text, strlen(text) + 1);
    c->step = number;
}

void sim_canonical_keep(struct sim_canonical *c, bool keep)
{
    c->drops = !keep;
}

static bool is_hidden(const struct sim_canonical *c, int32_t id)
{
    for (uint32_t i = 0; i < c->hidden_count; i++)
        if (c->hidden[i] == id)
            return true;
    return false;
}

void sim_canonical_hide(struct sim_canonical *c, int32_t id)
{
    if (is_hidden(c, id))
        return;
    c->hidden = sim_realloc(c->hidden, (c->hidden_count + 1) * sizeof(*c->hidden));
    c->hidden[c->hidden_count++] = id;
}

void sim_canonical_note(struct sim_canonical *c, const char *text)
{
    struct text t = {0};
    add(&t, "%s | %s", c->steps[c->step], text);
    c->notes = sim_realloc(c->notes, (c->note_count + 1) * sizeof(*c->notes));
    c->notes[c->note_count++] = finish(&t);
}

uint64_t sim_canonical_count(const struct sim_canonical *c)
{
    return c->count;
}

int32_t sim_canonical_heard(const struct sim_canonical *c, int32_t id)
{
    for (uint32_t i = 0; i < c->heard_count; i++)
        if (c->heard[i].id == id)
            return c->heard[i].epoch;
    return 0;
}

static void hear(struct sim_canonical *c, int32_t id, int32_t epoch)
{
    for (uint32_t i = 0; i < c->heard_count; i++)
        if (c->heard[i].id == id) {
            if (epoch > c->heard[i].epoch)
                c->heard[i].epoch = epoch;
            return;
        }
    c->heard = sim_realloc(c->heard, (c->heard_count + 1) * sizeof(*c->heard));
    c->heard[c->heard_count].id = id;
    c->heard[c->heard_count++].epoch = epoch;
}

static enum wire_record_kind kind_of(enum section section)
{
    static const enum wire_record_kind kinds[SECTIONS] = {
        WIRE_RECORD_LEADER_AND_ISR, WIRE_RECORD_UPDATE_METADATA, WIRE_RECORD_STOP_REPLICA};
    return kinds[section];
}

static bool has_bit(const uint64_t *set, uint32_t index)
{
    return (set[index / 64] >> index % 64 & 1u) != 0;
}

static struct part new_part(const struct wire_record_view *v, enum section section, uint32_t index)
{
    const struct wire_record *r = v->record;
    struct text t = {0}, tp = {0};
    add(&tp, "%s-%d", v->topic, r->partition);
    add(&t, "{\"tp\":");
    add_string(&t, tp.bytes);
    free(tp.bytes);
    if (section != STOP_REPLICA)
        add(&t, ",\"controller_epoch\":%d,\"leader\":%d", r->controller_epoch, r->leader);
    add(&t, ",\"leader_epoch\":%d", r->leader_epoch);
    if (section != STOP_REPLICA) {
        add_ids(&t, "isr", v->isr, r->isr_count);
        add(&t, ",\"zk_version\":%d", r->zk_version);
        add_ids(&t, "replicas", v->replicas, r->replica_count);
    }
    if (section == LEADER_AND_ISR) {
        add_ids(&t, "adding", v->adding, r->adding_count);
        add_ids(&t, "removing", v->removing, r->removing_count);
    } else if (section == UPDATE_METADATA) {
        add_ids(&t, "offline", v->offline, r->offline_count);
    }
    return (struct part){.topic = sim_copy(v->topic, strlen(v->topic) + 1),
                         .partition = r->partition,
                         .json = finish(&t),
                         .flag = section == LEADER_AND_ISR ? "is_new"
                                 : section == STOP_REPLICA ? "delete"
                                                           : NULL,
                         .is_set = section != UPDATE_METADATA && has_bit(v->flag, index)};
}

static int by_partition(const void *a, const void *b)
{
    const struct part *x = a, *y = b;
    int c = strcmp(x->topic, y->topic);
    return c != 0 ? c : (x->partition > y->partition) - (x->partition < y->partition);
}

static void add_parts(struct request *r, const struct wire_batch *batch, uint32_t index)
{
    struct wire_record_view v = {0};
    uint32_t capacity = 0;
    while (wire_batch_next_for(batch, kind_of(r->section), index, &v)) {
        if (r->part_count == capacity) {
            capacity = capacity * 2 + 4;
            r->parts = sim_realloc(r->parts, capacity * sizeof(*r->parts));
        }
        r->parts[r->part_count++] = new_part(&v, r->section, index);
    }
    if (r->part_count > 0)
        qsort(r->parts, r->part_count, sizeof(*r->parts), by_partition);
}

static bool leads_some(const struct wire_batch *batch, uint32_t index, int32_t id)
{
    struct wire_record_view v = {0};
    while (wire_batch_next_for(batch, WIRE_RECORD_LEADER_AND_ISR, index, &v))
        if (v.record->leader == id)
            return true;
    return false;
}

static char *live_leaders(const struct wire_batch *batch, uint32_t index)
{
    struct text t = {0};
    const struct wire_broker *b = NULL;
    while ((b = wire_batch_next_broker(batch, b)) != NULL)
        if (leads_some(batch, index, b->id))
            add(&t, "%s%d", t.size == 0 ? "[" : ",", b->id);
    if (t.size > 0)
        add(&t, "]");
    return t.bytes;
}

static int protocol_number(const char *name)
{
    static const char *const names[] = {"PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL"};
    for (int i = 0; i < 4; i++)
        if (strcmp(name, names[i]) == 0)
            return i;
    return -1;
}

static char *live_broker(const struct wire_broker *entry)
{
    struct sm_broker b;
    struct text t = {0};
    wire_broker_decode(entry, &b);
    add(&t, "%d", entry->id);
    for (int32_t i = 0; i < b.endpoint_count; i++)
        add(&t, " %s/%d", b.endpoint[i].listener, protocol_number(b.endpoint[i].protocol));
    if (b.rack[0] != '\0')
        add(&t, " rack=%s", b.rack);
    return finish(&t);
}

static int by_text(const void *a, const void *b)
{
    const char *const *x = a, *const *y = b;
    return strcmp(*x, *y);
}

static char *live_brokers(const struct sim_canonical *c, const struct wire_batch *batch)
{
    struct text t = {0};
    char **names = sim_alloc((batch->broker_count + 1) * sizeof(*names));
    const struct wire_broker *b = NULL;
    uint32_t count = 0;
    while ((b = wire_batch_next_broker(batch, b)) != NULL)
        if (!is_hidden(c, b->id))
            names[count++] = live_broker(b);
    qsort(names, count, sizeof(*names), by_text);
    for (uint32_t i = 0; i < count; i++) {
        add(&t, i == 0 ? "[" : ",");
        add_string(&t, names[i]);
        free(names[i]);
    }
    if (count > 0)
        add(&t, "]");
    free(names);
    return t.bytes;
}

void sim_canonical_request(void *context, const struct sim_request *q)
{
    struct sim_canonical *c = context;
    if (is_hidden(c, q->broker_id) || q->receiver == NULL)
        return;
    c->count++;
    hear(c, q->broker_id, q->batch->controller_epoch);
    if (c->drops)
        return;
    if (c->request_count == c->request_capacity) {
        c->request_capacity = c->request_capacity * 2 + 64;
        c->requests = sim_realloc(c->requests, c->request_capacity * sizeof(*c->requests));
    }
    struct request *r = &c->requests[c->request_count];
    *r = (struct request){.step = c->step,
                          .broker = q->broker_id,
                          .number = c->request_count++,
                          .section = q->api == WIRE_API_LEADER_AND_ISR    ? LEADER_AND_ISR
                                     : q->api == WIRE_API_UPDATE_METADATA ? UPDATE_METADATA
                                                                          : STOP_REPLICA,
                          .controller = q->batch->controller_id,
                          .controller_epoch = q->batch->controller_epoch,
                          .broker_epoch = q->receiver->epoch};
    add_parts(r, q->batch, q->receiver->index);
    if (r->section == LEADER_AND_ISR)
        r->live_leaders = live_leaders(q->batch, q->receiver->index);
    if (r->section == UPDATE_METADATA)
        r->live_brokers = live_brokers(c, q->batch);
    if (q->told != NULL)
        r->answer = sim_copy(q->told, strlen(q->told) + 1);
}

/* ---- trace.jsonl ---- */

static int by_step_and_broker(const void *a, const void *b)
{
    const struct request *x = a, *y = b;
    if (x->step != y->step)
        return x->step < y->step ? -1 : 1;
    if (x->broker != y->broker)
        return x->broker < y->broker ? -1 : 1;
    return x->number < y->number ? -1 : 1;
}

static void add_epoch(struct text *t, const struct sim_world *w, int32_t broker, int64_t epoch)
{
    uint32_t k = sim_world_registration(w, broker, epoch);
    if (k > 0)
        add(t, "\"%d#%u\"", broker, k);
    else
        add(t, epoch == -1 ? "\"none\"" : "\"unknown\"");
}

static void add_part(struct text *t, const struct part *p, bool is_set)
{
    add(t, "%s", p->json);
    if (p->flag != NULL)
        add(t, ",\"%s\":%s", p->flag, is_set ? "true" : "false");
    add(t, "}");
}

static void print_request(FILE *out, const struct sim_canonical *c, const struct sim_world *w,
                          const struct request *r, uint32_t seq)
{
    static const struct {
        const char *name;
        int version;
    } apis[SECTIONS] = {{"LeaderAndIsr", 4}, {"UpdateMetadata", 6}, {"StopReplica", 3}};
    struct text t = {0};
    add(&t, "{\"step\":");
    add_string(&t, c->steps[r->step]);
    add(&t, ",\"broker\":%d,\"seq\":%u,\"api\":\"%s\",\"v\":%d,\"controller\":%d", r->broker, seq,
        apis[r->section].name, apis[r->section].version, r->controller);
    add(&t, ",\"controller_epoch\":%d,\"broker_epoch\":", r->controller_epoch);
    add_epoch(&t, w, r->broker, r->broker_epoch);
    for (uint32_t i = 0; i < r->part_count; i++) {
        if (i == 0)
            add(&t, ",\"%s\":[", section_names[r->section]);
        else
            add(&t, ",");
        add_part(&t, &r->parts[i], r->parts[i].is_set);
    }
    if (r->part_count > 0)
        add(&t, "]");
    if (r->live_leaders != NULL)
        add(&t, ",\"live_leaders\":%s", r->live_leaders);
    if (r->live_brokers != NULL)
        add(&t, ",\"live_brokers\":%s", r->live_brokers);
    if (r->answer != NULL) {
        add(&t, ",\"answer\":");
        add_string(&t, r->answer);
    }
    fprintf(out, "%s}\n", t.bytes);
    free(t.bytes);
}

static bool is_same_group(const struct request *a, const struct request *b)
{
    return a->step == b->step && a->broker == b->broker;
}

static void print_trace(FILE *out, const struct sim_canonical *c, const struct sim_world *w)
{
    uint32_t seq = 0;
    for (uint32_t i = 0; i < c->request_count; i++) {
        seq = i > 0 && is_same_group(&c->requests[i - 1], &c->requests[i]) ? seq + 1 : 0;
        print_request(out, c, w, &c->requests[i], seq);
    }
}

/* ---- effect.jsonl ---- */

/* What remains of one section: the last entry of each partition, flags added up; by name. */
struct remains {
    struct {
        const struct part *part;
        char *tp;
        bool is_set;
    } * items;
    uint32_t count;
};

static void remains_put(struct remains *m, const struct part *p)
{
    char *tp = NULL;
    struct text t = {0};
    add(&t, "%s-%d", p->topic, p->partition);
    tp = finish(&t);
    uint32_t at = 0, high = m->count;
    while (at < high) {
        uint32_t middle = (at + high) / 2;
        if (strcmp(m->items[middle].tp, tp) < 0)
            at = middle + 1;
        else
            high = middle;
    }
    if (at < m->count && strcmp(m->items[at].tp, tp) == 0) {
        free(tp);
        m->items[at].part = p;
        m->items[at].is_set |= p->is_set;
        return;
    }
    m->items = sim_realloc(m->items, (m->count + 1) * sizeof(*m->items));
    memmove(&m->items[at + 1], &m->items[at], (m->count++ - at) * sizeof(*m->items));
    m->items[at].part = p;
    m->items[at].tp = tp;
    m->items[at].is_set = p->is_set;
}

static void add_remains(struct text *t, const char *name, struct remains *m)
{
    for (uint32_t i = 0; i < m->count; i++) {
        if (i == 0)
            add(t, ",\"%s\":{", name);
        else
            add(t, ",");
        add_string(t, m->items[i].tp);
        add(t, ":");
        add_part(t, m->items[i].part, m->items[i].is_set);
        free(m->items[i].tp);
    }
    if (m->count > 0)
        add(t, "}");
    free(m->items);
}

static void print_effect(FILE *out, const struct sim_canonical *c, const struct sim_world *w,
                         const struct request *first, const struct request *end)
{
    struct remains remains[SECTIONS] = {0};
    const struct request *last = end - 1;
    const char *live = NULL;
    struct text t = {0};
    for (const struct request *r = first; r < end; r++) {
        for (uint32_t i = 0; i < r->part_count; i++)
            remains_put(&remains[r->section], &r->parts[i]);
        if (r->section == UPDATE_METADATA)
            live = r->live_brokers;
    }
    add(&t, "{\"step\":");
    add_string(&t, c->steps[first->step]);
    add(&t, ",\"broker\":%d", first->broker);
    for (int i = 0; i < SECTIONS; i++)
        add_remains(&t, section_names[i], &remains[i]);
    if (live != NULL)
        add(&t, ",\"live_brokers\":%s", live);
    add(&t, ",\"controller_epoch\":%d,\"broker_epoch\":", last->controller_epoch);
    add_epoch(&t, w, last->broker, last->broker_epoch);
    fprintf(out, "%s}\n", t.bytes);
    free(t.bytes);
}

static void print_effects(FILE *out, const struct sim_canonical *c, const struct sim_world *w)
{
    uint32_t first = 0;
    for (uint32_t i = 1; i <= c->request_count; i++)
        if (i == c->request_count || !is_same_group(&c->requests[first], &c->requests[i])) {
            print_effect(out, c, w, &c->requests[first], c->requests + i);
            first = i;
        }
}

/* ---- znodes.jsonl ---- */

static void add_json(struct text *t, const json_t *j);

static void add_object(struct text *t, json_t *j)
{
    const char **keys = sim_alloc((json_object_size(j) + 1) * sizeof(*keys));
    const char *key;
    json_t *value;
    size_t count = 0;
    json_object_foreach(j, key, value) keys[count++] = key;
    qsort(keys, count, sizeof(*keys), by_text);
    add(t, "{");
    for (size_t i = 0; i < count; i++) {
        add(t, i == 0 ? "" : ",");
        add_string(t, keys[i]);
        add(t, ":");
        add_json(t, json_object_get(j, keys[i]));
    }
    add(t, "}");
    free(keys);
}

static void add_json(struct text *t, const json_t *value)
{
    json_t *j = json_incref((json_t *)(uintptr_t)value);
    if (json_is_object(j)) {
        add_object(t, j);
    } else if (json_is_array(j)) {
        add(t, "[");
        for (size_t i = 0; i < json_array_size(j); i++) {
            add(t, i == 0 ? "" : ",");
            add_json(t, json_array_get(j, i));
        }
        add(t, "]");
    } else if (json_is_string(j)) {
        add_string(t, json_string_value(j));
    } else if (json_is_integer(j)) {
        add(t, "%lld", (long long)json_integer_value(j));
    } else if (json_is_real(j)) {
        add(t, "%.17g", json_real_value(j));
    } else {
        add(t, json_is_true(j) ? "true" : json_is_false(j) ? "false" : "null");
    }
    json_decref(j);
}

/* Returns the JSON to be written for the data, or NULL: nothing. */
static char *data_json(const char *path, const uint8_t *data, uint32_t size)
{
    struct text t = {0};
    json_t *j;
    if (strncmp(path, "/brokers/ids/", 13) == 0) {
        add(&t, "\"registration\"");
        return t.bytes;
    }
    if (size == 0)
        return NULL;
    j = json_loadb((const char *)data, size, JSON_DECODE_ANY | JSON_ALLOW_NUL, NULL);
    if (j == NULL) {
        char *raw = sim_realloc(NULL, size + 1u);
        memcpy(raw, data, size);
        raw[size] = '\0';
        add_string(&t, raw);
        free(raw);
        return t.bytes;
    }
    if (strcmp(path, "/controller") == 0)
        json_object_del(j, "timestamp");
    if (!json_is_null(j))
        add_json(&t, j);
    json_decref(j);
    return t.bytes;
}

static int depth(const char *path)
{
    int count = 0;
    for (; *path != '\0'; path++)
        count += *path == '/';
    return count;
}

static bool shows_version(const char *path)
{
    size_t n = strlen(path);
    return (n > 6 && strcmp(path + n - 6, "/state") == 0) ||
           (strncmp(path, "/brokers/topics/", 16) == 0 && depth(path) == 3) ||
           strcmp(path, "/controller_epoch") == 0;
}

static void print_znode(FILE *out, const struct sim_canonical *c, const struct sim_world *w,
                        const char *path)
{
    struct wire_zk_stat stat;
    const uint8_t *data;
    uint32_t size;
    bool has_data;
    int32_t id;
    struct text t = {0};
    if (!kz_server_get(sim_world_zookeeper(w), path, &stat, &data, &size, &has_data) ||
        (sm_path_is_broker(path, &id) && is_hidden(c, id)))
        return;
    char *json = data_json(path, data, size);
    add(&t, "{\"path\":");
    add_string(&t, path);
    if (shows_version(path))
        add(&t, ",\"version\":%d", stat.version);
    if (stat.ephemeral_owner != 0)
        add(&t, ",\"ephemeral\":true");
    if (json != NULL)
        add(&t, ",\"data\":%s", json);
    fprintf(out, "%s}\n", t.bytes);
    free(t.bytes);
    free(json);
}

static bool number_of(const char *path, long *n)
{
    const char *base = strrchr(path, '/') + 1;
    char *end;
    errno = 0;
    *n = strtol(base, &end, 10);
    return *base != '\0' && *base != ' ' && *end == '\0' && errno == 0;
}

/* Numbers by value, all else by text; siblings only. */
static int by_name(const void *a, const void *b)
{
    const char *const *x = a, *const *y = b;
    long m, n;
    if (number_of(*x, &m) && number_of(*y, &n))
        return (m > n) - (m < n);
    return strcmp(*x, *y);
}

static void print_tree(FILE *out, const struct sim_canonical *c, const struct sim_world *w,
                       const char *path)
{
    char buffer[KZ_PATH_MAX], **children = NULL;
    size_t count = 0;
    const char *child = NULL;
    print_znode(out, c, w, path);
    while ((child = kz_server_next_child(sim_world_zookeeper(w), path, child, buffer,
                                         sizeof(buffer))) != NULL) {
        if ((count & (count - 1)) == 0)
            children = sim_realloc(children, (count == 0 ? 1 : count * 2) * sizeof(*children));
        children[count++] = sim_copy(child, strlen(child) + 1);
    }
    if (count > 0)
        qsort(children, count, sizeof(*children), by_name);
    for (size_t i = 0; i < count; i++) {
        print_tree(out, c, w, children[i]);
        free(children[i]);
    }
    free(children);
}

static bool exists(const struct sim_world *w, const char *path)
{
    struct wire_zk_stat stat;
    const uint8_t *data;
    uint32_t size;
    bool has_data;
    return kz_server_get(sim_world_zookeeper(w), path, &stat, &data, &size, &has_data);
}

static void print_znodes(FILE *out, const struct sim_canonical *c, const struct sim_world *w)
{
    static const char *const roots[] = {"/admin",
                                        "/brokers/ids",
                                        "/brokers/topics",
                                        "/config/topics",
                                        "/controller",
                                        "/controller_epoch",
                                        "/isr_change_notification",
                                        "/log_dir_event_notification"};
    for (size_t i = 0; i < sizeof(roots) / sizeof(roots[0]); i++)
        if (exists(w, roots[i]))
            print_tree(out, c, w, roots[i]);
}

static void print_notes(FILE *out, const struct sim_canonical *c, const struct sim_world *w)
{
    (void)w;
    for (uint32_t i = 0; i < c->note_count; i++)
        fprintf(out, "%s\n", c->notes[i]);
}

/* ---- files ---- */

static bool write_file(const struct sim_canonical *c, const struct sim_world *w, const char *folder,
                       const char *name,
                       void (*print)(FILE *, const struct sim_canonical *,
                                     const struct sim_world *))
{
    struct text path = {0};
    add(&path, "%s/%s", folder, name);
    FILE *out = fopen(path.bytes, "w");
    free(path.bytes);
    if (out == NULL)
        return false;
    print(out, c, w);
    bool good = ferror(out) == 0;
    return fclose(out) == 0 && good;
}

bool sim_canonical_write(struct sim_canonical *c, const struct sim_world *w, const char *folder)
{
    if (mkdir(folder, 0777) != 0 && errno != EEXIST)
        return false;
    if (c->request_count > 0)
        qsort(c->requests, c->request_count, sizeof(*c->requests), by_step_and_broker);
    return write_file(c, w, folder, "trace.jsonl", print_trace) &&
           write_file(c, w, folder, "effect.jsonl", print_effects) &&
           write_file(c, w, folder, "znodes.jsonl", print_znodes) &&
           (c->note_count == 0 || write_file(c, w, folder, "answers.txt", print_notes));
}
