/*
 * Reading `clients`: producers and consumers.
 *
 *     - {produce: orders, rate: 100/s, acks: all}          one row, one process
 *     - {consume: orders, group: g1, members: 3}           one row, three processes
 *     - {transform: in -> out, group: g, transactional-id: tx}   one process of two clients
 *
 * A row becomes one struct sim_client_spec per process. What is not said has librdkafka's default,
 * but for auto.offset.reset: here earliest, since a consumer that misses the first records
 * surprises whoever wanted to see them read.
 */
#define _POSIX_C_SOURCE 200809L
#include <assert.h>
#include <ctype.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "sim/client_properties.h"
#include "sim/scenario_read.h"
#include "sim/trace.h"

enum {
    SIZE_MAX_BYTES = 1000000, /* of a value: message.max.bytes of brokers is a little above */
    KEYS_MAX = 1000000,
};
#define RATE_MAX INT64_C(1000000000)

/* ---- names ---- */

uint32_t sim_named_clients(const struct sim_reader *r, const char *name, int32_t *ids)
{
    uint32_t count = 0;
    for (uint32_t i = 0; i < r->s->client_count; i++) {
        const struct sim_client_spec *c = &r->s->clients[i];
        if (strcmp(c->name, name) == 0 || (c->row != NULL && strcmp(c->row, name) == 0)) {
            ids[count++] = sim_client_id(c->kind == SIM_CLIENT_CONSUMES, c->number);
        }
    }
    return count;
}

bool sim_check_client_verb(struct sim_reader *r, const struct sim_yaml *node,
                           const struct sim_key *verb, const struct sim_target *target)
{
    const uint64_t fit = SIM_VERB_BIT(SIM_VERB_KILL) | SIM_VERB_BIT(SIM_VERB_RESTART) |
                         SIM_VERB_BIT(SIM_VERB_BOUNCE) | SIM_VERB_BIT(SIM_VERB_SHUTDOWN) |
                         SIM_VERB_BIT(SIM_VERB_STOP) | SIM_VERB_BIT(SIM_VERB_PAUSE) |
                         SIM_VERB_BIT(SIM_VERB_RESUME) | SIM_VERB_BIT(SIM_VERB_CLOCK_SKEW);
    for (uint32_t i = 0; i < target->id_count && (fit & SIM_VERB_BIT(verb->verb)) == 0; i++) {
        if (sim_id_is_client(target->ids[i])) {
            sim_error(r->d, node->place, "'%s' is for brokers and controllers; this is a client",
                      verb->name);
            sim_note(r->d,
                     "clients: kill, restart, bounce, shutdown, stop, pause, resume, clock-skew, "
                     "and as an end of partition, degrade, hold, drop");
            return false;
        }
    }
    return true;
}

/* Targets have words of their own. */
static bool is_taken_word(const char *name)
{
    static const char *const words[] = {"all",  "any",       "minority", "controller",
                                        "none", "zookeeper", "quiet",    NULL};
    for (uint32_t i = 0; words[i] != NULL; i++) {
        if (strcmp(words[i], name) == 0) {
            return true;
        }
    }
    return false;
}

/* p1 and u1 are names of lanes: whoever takes such a name must be that client. */
static bool is_lane_of_another(const struct sim_client_spec *c, const char *name)
{
    bool looks_so = (name[0] == 'p' || name[0] == 'u') && name[1] != '\0' &&
                    strspn(name + 1, "0123456789") == strlen(name + 1);
    return looks_so && (name[0] != (c->kind == SIM_CLIENT_PRODUCES ? 'p' : 'u') ||
                        strtol(name + 1, NULL, 10) != c->number);
}

static bool read_name(struct sim_reader *r, const struct sim_yaml *node,
                      struct sim_client_spec *out)
{
    int32_t ids[SIM_CLIENTS_MAX];
    if (!sim_read_text(r, node, "name", &out->row)) {
        return false;
    }
    const char *name = out->row;
    bool is_plain = isalpha((unsigned char)name[0]) && strlen(name) < 64;
    for (const char *c = name; *c != '\0'; c++) {
        is_plain = is_plain && (isalnum((unsigned char)*c) || strchr("-_.", *c) != NULL);
    }
    if (!is_plain || is_taken_word(name)) {
        sim_error(r->d, node->place, "a client cannot be called '%s'", name);
        sim_note(r->d, "a letter, then letters, digits, '-', '_', '.'; no word that targets use");
        return false;
    }
    if (is_lane_of_another(out, name)) {
        return sim_error(r->d, node->place, "%s is the name of another client; this one is %c%d",
                         name, out->kind == SIM_CLIENT_PRODUCES ? 'p' : 'u', out->number);
    }
    if (sim_named_clients(r, name, ids) > 0) {
        return sim_error(r->d, node->place, "a client called %s stands above already", name);
    }
    return true;
}

/* ---- values ---- */

/* 0: no such unit. */
static int64_t unit_us(const char *name)
{
    static const struct {
        const char *name;
        int64_t us;
    } units[] = {{"us", 1},       {"ms", 1000},      {"s", 1000000},
                 {"m", 60000000}, {"h", 3600000000}, {"d", 86400000000}};
    for (unsigned i = 0; i < sizeof(units) / sizeof(units[0]); i++) {
        if (strcmp(units[i].name, name) == 0) {
            return units[i].us;
        }
    }
    return 0;
}

/* 100/s, 5/ms, 30/m: a count and a unit of time. */
static bool read_rate(struct sim_reader *r, const struct sim_yaml *node,
                      struct sim_client_spec *out)
{
    char *text, *end;
    if (!sim_read_text(r, node, "rate", &text)) {
        return false;
    }
    int64_t count = strtoll(text, &end, 10);
    if (text[0] < '0' || text[0] > '9' || *end != '/') {
        sim_error(r->d, node->place, "rate is so many records in a time, not '%s'", text);
        sim_note(r->d, "write 100/s, 5/ms or 30/m");
        return false;
    }
    out->rate_us = unit_us(end + 1);
    if (out->rate_us == 0) {
        sim_error(r->d, node->place, "'%s' is no unit of time", end + 1);
        sim_note(r->d, "write %.*s/s; units: us, ms, s, m, h, d", (int)(end - text), text);
        return false;
    }
    if (count < 1 || count > RATE_MAX) {
        return sim_error(r->d, node->place, "a rate is 1 to %" PRId64 " records, not %" PRId64,
                         RATE_MAX, count);
    }
    out->rate_count = count;
    return true;
}

static bool read_topics(struct sim_reader *r, const struct sim_yaml *node,
                        struct sim_client_spec *out)
{
    bool is_list = node->kind == SIM_YAML_LIST, good = true;
    uint32_t count = is_list ? node->count : 1;
    if (node->kind == SIM_YAML_MAP || count == 0) {
        return sim_error(r->d, node->place, "which topics? Write orders, or [orders, payments]");
    }
    out->topics = sim_memory_take(r->memory, count * sizeof(*out->topics));
    for (uint32_t i = 0; i < count; i++) {
        good = sim_read_topic(r, is_list ? node->items[i] : node, &out->topics[i]) && good;
    }
    out->topic_count = count;
    return good;
}

static bool read_assign(struct sim_reader *r, const struct sim_yaml *node,
                        struct sim_client_spec *out)
{
    bool is_list = node->kind == SIM_YAML_LIST, good = true;
    uint32_t count = is_list ? node->count : 1;
    if (node->kind == SIM_YAML_SCALAR && strcmp(node->text, "all") == 0) {
        out->assign_all = true;
        return true;
    }
    if (node->kind == SIM_YAML_MAP || count == 0) {
        return sim_error(r->d, node->place, "which partitions? Write all, or [orders-0, orders-1]");
    }
    out->assign = sim_memory_take(r->memory, count * sizeof(*out->assign));
    for (uint32_t i = 0; i < count; i++) {
        const struct sim_yaml *item = is_list ? node->items[i] : node;
        struct sim_partition_arg *a = &out->assign[out->assign_count++];
        a->place = item->place;
        char *text = NULL;
        good = sim_read_text(r, item, "partition", &text) &&
               sim_read_partition(r, item, text, &a->topic, &a->partition) && good;
    }
    return good;
}

/* A transform is both: each property is for the half that knows it. */
static enum kl_kind kind_for(const struct sim_client_spec *c, const char *property)
{
    for (const struct sim_client_property *p = sim_client_properties;
         c->transforms && p->name != NULL; p++) {
        if (strcmp(p->name, property) == 0 && p->owner == SIM_CP_PRODUCER) {
            return KL_PRODUCER;
        }
    }
    return c->kind == SIM_CLIENT_PRODUCES ? KL_PRODUCER : KL_CONSUMER;
}

static bool read_properties(struct sim_reader *r, const struct sim_yaml *node,
                            struct sim_client_spec *out)
{
    bool good = true;
    if (node->kind != SIM_YAML_MAP) {
        return sim_error(r->d, node->place, "properties are a mapping: {linger.ms: 5}");
    }
    for (uint32_t i = 0; i < node->count; i++) {
        out->config.kind = kind_for(out, node->keys[i]->text);
        good = sim_read_is_scalar(r, node->items[i], node->keys[i]->text) &&
               sim_client_property_set(&out->config, node->keys[i]->text, node->keys[i]->place,
                                       node->items[i]->text, node->items[i]->place, r->d) &&
               good;
    }
    out->config.kind = out->kind == SIM_CLIENT_PRODUCES ? KL_PRODUCER : KL_CONSUMER;
    return good;
}

/* ---- the keys of a row ---- */

static bool read_acks(struct sim_reader *r, const struct sim_yaml *node, const char *name,
                      struct sim_client_spec *out)
{
    static const char *const words[] = {"0", "1", "all", "-1", NULL};
    uint32_t index;
    if (!sim_read_word(r, node, name, words, &index)) {
        return false;
    }
    out->config.acks = index < 2 ? (int32_t)index : -1;
    return true;
}

static bool read_word_key(struct sim_reader *r, const struct sim_yaml *node, const char *name,
                          struct sim_client_spec *out)
{
    uint32_t index;
    if (strcmp(name, "acks") == 0) {
        return read_acks(r, node, name, out);
    }
    if (strcmp(name, "isolation") == 0) {
        return sim_read_word(r, node, name, sim_isolation_words, &out->config.isolation);
    }
    if (strcmp(name, "assignor") == 0) {
        return sim_read_word(r, node, name, sim_assignor_words, &out->config.assignor);
    }
    assert(strcmp(name, "reset") == 0);
    if (!sim_read_word(r, node, name, sim_reset_words, &index)) {
        return false;
    }
    out->config.auto_offset_reset = (enum kl_reset)sim_reset_of_word(index);
    return true;
}

static bool read_call_timeout(struct sim_reader *r, const struct sim_yaml *node,
                              struct sim_client_spec *out)
{
    int64_t us = 0;
    if (!sim_read_time(r, node, "timeout", &us)) {
        return false;
    }
    out->call_timeout_ms = (int32_t)(us / 1000);
    return (us >= 1000 && us / 1000 <= INT32_MAX) ||
           sim_error(r->d, node->place, "a timeout is at least 1ms, at most %ds", INT32_MAX / 1000);
}

static bool read_time_key(struct sim_reader *r, const struct sim_yaml *node, const char *name,
                          struct sim_client_spec *out)
{
    if (strcmp(name, "timeout") == 0) {
        return read_call_timeout(r, node, out);
    }
    int64_t *field = strcmp(name, "from") == 0    ? &out->from_us
                     : strcmp(name, "until") == 0 ? &out->until_us
                                                  : &out->commit_us;
    if (!sim_read_time(r, node, name, field)) {
        return false;
    }
    if (field != &out->commit_us) {
        sim_read_note_time(r, *field);
    }
    return field != &out->commit_us || *field > 0 ||
           sim_error(r->d, node->place, "commit-every is more than 0s");
}

static bool read_number_key(struct sim_reader *r, const struct sim_yaml *node, const char *name,
                            struct sim_client_spec *out)
{
    if (strcmp(name, "count") == 0) {
        return sim_read_int(r, node, name, 0, INT64_MAX - 1, &out->count);
    }
    if (strcmp(name, "keys") == 0) {
        return sim_read_int32(r, node, name, 1, KEYS_MAX, &out->keys);
    }
    if (strcmp(name, "size") == 0) {
        return sim_read_int32(r, node, name, 1, SIZE_MAX_BYTES, &out->size);
    }
    if (strcmp(name, "partition") == 0) {
        return sim_read_int32(r, node, name, 0, SIM_PARTITIONS_MAX, &out->partition);
    }
    assert(strcmp(name, "abort-every") == 0);
    return sim_read_int32(r, node, name, 1, INT32_MAX, &out->abort_every);
}

static bool read_flag_key(struct sim_reader *r, const struct sim_yaml *node, const char *name,
                          struct sim_client_spec *out)
{
    bool on = false;
    bool good = sim_read_bool(r, node, name, &on);
    if (good && strcmp(name, "idempotent") == 0) {
        out->config.enable_idempotence = on;
    }
    return good;
}

static bool read_text_key(struct sim_reader *r, const struct sim_yaml *node, const char *name,
                          struct sim_client_spec *out)
{
    char *text = NULL;
    if (strcmp(name, "name") == 0) {
        return read_name(r, node, out);
    }
    if (!sim_read_text(r, node, name, &text)) {
        return false;
    }
    if (strcmp(name, "transform") == 0) {
        return true; /* read_arrow */
    }
    *(strcmp(name, "group") == 0 ? &out->config.group_id : &out->config.transactional_id) = text;
    return true;
}

/* `properties` are read before the others, which go over them; `members` and `static` after. */
static bool read_key(struct sim_reader *r, const struct sim_key *key, const struct sim_yaml *node,
                     struct sim_client_spec *out)
{
    if (key->form == SIM_FORM_CLIENT_PROPERTIES || strcmp(key->name, "members") == 0) {
        return true;
    }
    if (key->form == SIM_FORM_TIME) {
        return read_time_key(r, node, key->name, out);
    }
    if (key->form == SIM_FORM_INT) {
        return read_number_key(r, node, key->name, out);
    }
    if (key->form == SIM_FORM_ENUM) {
        return read_word_key(r, node, key->name, out);
    }
    if (key->form == SIM_FORM_RATE) {
        return read_rate(r, node, out);
    }
    if (key->form == SIM_FORM_BOOL) {
        return read_flag_key(r, node, key->name, out);
    }
    if (key->form == SIM_FORM_TEXT) {
        return read_text_key(r, node, key->name, out);
    }
    assert(key->form == SIM_FORM_NAMES);
    return strcmp(key->name, "assign") == 0 ? read_assign(r, node, out) : read_topics(r, node, out);
}

/* Whom a key is for: a producer's in a consumer's row is a mistake worth a sentence of its own. */
static bool is_for(const char *key, const struct sim_client_spec *c)
{
    enum sim_client_kind kind = c->kind;
    static const char *const producers[] = {"produce",
                                            "rate",
                                            "count",
                                            "keys",
                                            "size",
                                            "partition",
                                            "acks",
                                            "idempotent",
                                            "transactional-id",
                                            "commit-every",
                                            "abort-every",
                                            "timeout",
                                            NULL};
    static const char *const consumers[] = {"consume", "group",     "members", "assign", "assignor",
                                            "static",  "isolation", "reset",   NULL};
    static const char *const not_transforms[] = {
        "rate", "count", "keys", "partition", "acks", "idempotent", "assign", "until", NULL};
    const char *const *others = c->transforms                 ? not_transforms
                                : kind == SIM_CLIENT_PRODUCES ? consumers
                                                              : producers;
    for (; *others != NULL; others++) {
        if (strcmp(*others, key) == 0) {
            return false;
        }
    }
    return true;
}

/* ---- what must fit together ---- */

static bool check_producer(struct sim_reader *r, const struct sim_yaml *row,
                           struct sim_client_spec *c)
{
    static const char *const of_transactions[] = {"commit-every", "abort-every", "timeout"};
    c->config.enable_idempotence |= c->config.transactional_id != NULL;
    for (uint32_t i = 0; c->config.transactional_id == NULL && i < 3; i++) {
        const struct sim_yaml *key = sim_yaml_get(row, of_transactions[i]);
        if (key != NULL) {
            return sim_error(r->d, key->place,
                             "only a producer with a transactional-id works in transactions");
        }
    }
    if (c->config.enable_idempotence && c->config.acks != -1) {
        const struct sim_yaml *acks = sim_yaml_get(row, "acks");
        return sim_error(r->d, (acks != NULL ? acks : row)->place,
                         "an idempotent producer needs acks: all");
    }
    for (uint32_t i = 0; c->partition >= 0 && i < c->topic_count; i++) {
        const struct sim_known_topic *t = sim_known_topic(r, c->topics[i]);
        if (t != NULL && c->partition >= t->partitions) {
            return sim_error(r->d, sim_yaml_get(row, "partition")->place,
                             "topic %s has partitions 0 to %d", t->name, t->partitions - 1);
        }
    }
    return true;
}

static bool check_transform(struct sim_reader *r, const struct sim_yaml *row)
{
    if (sim_yaml_get(row, "group") != NULL && sim_yaml_get(row, "transactional-id") != NULL) {
        return true;
    }
    sim_error(r->d, row->place, "a transform needs a group and a transactional-id");
    sim_note(r->d, "write {transform: in -> out, group: g, transactional-id: tx}");
    return false;
}

static bool check_consumer(struct sim_reader *r, const struct sim_yaml *row,
                           struct sim_client_spec *c)
{
    static const char *const only_groups[] = {"members", "assignor", "static"};
    const struct sim_yaml *assign = sim_yaml_get(row, "assign");
    if (c->config.group_id != NULL && assign != NULL) {
        return sim_error(r->d, assign->place,
                         "a member of a group is assigned its partitions by the group");
    }
    for (unsigned i = 0; c->config.group_id == NULL && i < 3; i++) {
        const struct sim_yaml *key = sim_yaml_get(row, only_groups[i]);
        if (key != NULL) {
            return sim_error(r->d, key->place, "%s goes with group: NAME", only_groups[i]);
        }
    }
    if (c->config.group_id == NULL && assign == NULL) {
        c->assign_all = true;
    }
    return true;
}

/* ---- rows ---- */

static struct sim_client_spec spec_of(struct sim_reader *r, enum sim_client_kind kind,
                                      struct sim_place place)
{
    struct sim_client_spec c = {
        .kind = kind,
        .number = 1,
        .partition = -1,
        .from_us = 100000,
        .until_us = SIM_FOREVER,
        .rate_count = 100,
        .rate_us = 1000000,
        .count = INT64_MAX,
        .commit_us = 100000,
        .config = kl_config_default(kind == SIM_CLIENT_PRODUCES ? KL_PRODUCER : KL_CONSUMER),
        .place = place,
    };
    c.config.auto_offset_reset = KL_RESET_EARLIEST;
    for (uint32_t i = 0; i < r->s->client_count; i++) {
        c.number += r->s->clients[i].kind == kind;
    }
    return c;
}

static void add_process(struct sim_reader *r, const struct sim_client_spec *row, int32_t member,
                        int32_t members, bool is_static)
{
    struct sim_scenario *s = r->s;
    s->clients = sim_memory_grow(r->memory, s->clients, sizeof(*s->clients), s->client_count);
    struct sim_client_spec *c = &s->clients[s->client_count];
    *c = *row;
    c->number += member;
    if (row->row != NULL && members > 1) {
        c->name = sim_memory_format(r->memory, "%s-%d", row->row, member + 1);
    } else if (row->row != NULL) {
        c->name = row->row;
    } else {
        c->name = sim_memory_format(r->memory, "%c%d", row->kind == SIM_CLIENT_PRODUCES ? 'p' : 'u',
                                    c->number);
    }
    if (is_static) {
        c->config.group_instance_id = c->name;
    }
    if (strcmp(c->config.client_id, "rdkafka") == 0) {
        c->config.client_id = c->name;
    }
    s->client_count++;
}

/* transform: IN -> OUT */
static bool read_arrow(struct sim_reader *r, const struct sim_yaml *node, char **from, char **to)
{
    char *text = NULL;
    if (!sim_read_text(r, node, "transform", &text)) {
        return false;
    }
    const char *arrow = strstr(text, "->");
    if (arrow == NULL) {
        sim_error(r->d, node->place, "from where to where? '%s' has no arrow", text);
        sim_note(r->d, "write transform: orders -> invoices");
        return false;
    }
    const char *end = arrow, *begin = arrow + 2;
    while (end > text && end[-1] == ' ') {
        end--;
    }
    begin += strspn(begin, " ");
    struct sim_yaml in = *node, out = *node;
    in.text = sim_memory_format(r->memory, "%.*s", (int)(end - text), text);
    in.size = strlen(in.text);
    out.text = sim_memory_format(r->memory, "%s", begin);
    out.size = strlen(out.text);
    bool good = sim_read_topic(r, &in, from);
    return sim_read_topic(r, &out, to) && good;
}

/* The two clients of one transform, the reading half first. */
static void add_transform(struct sim_reader *r, const struct sim_client_spec *row, char **to,
                          int32_t member, int32_t members, bool is_static)
{
    struct sim_scenario *s = r->s;
    struct sim_client_spec reads = *row, writes = *row;
    reads.config.transactional_id = NULL;
    reads.config.enable_auto_commit = 0;
    reads.other = s->client_count + 1;
    writes.kind = SIM_CLIENT_PRODUCES;
    writes.config.kind = KL_PRODUCER;
    writes.config.group_id = NULL;
    writes.config.enable_idempotence = true;
    writes.topics = to;
    writes.other = s->client_count;
    writes.number = 1;
    for (uint32_t i = 0; i < s->client_count; i++) {
        writes.number += s->clients[i].kind == SIM_CLIENT_PRODUCES;
    }
    if (members > 1 && writes.config.transactional_id != NULL) {
        writes.config.transactional_id =
            sim_memory_format(r->memory, "%s-%d", writes.config.transactional_id, member + 1);
    }
    add_process(r, &reads, member, members, is_static);
    writes.number -= member; /* which add_process adds */
    add_process(r, &writes, member, members, false);
}

/* t1, t2, …: the first that nobody is called yet. */
static char *transform_name(struct sim_reader *r)
{
    int32_t ids[SIM_CLIENTS_MAX], number = 1;
    char *name = sim_memory_format(r->memory, "t%d", number);
    while (sim_named_clients(r, name, ids) > 0) {
        name = sim_memory_format(r->memory, "t%d", ++number);
    }
    return name;
}

static bool read_kind(struct sim_reader *r, const struct sim_yaml *row, enum sim_client_kind *kind)
{
    const struct sim_yaml *produce = sim_yaml_get(row, "produce"),
                          *consume = sim_yaml_get(row, "consume"),
                          *transform = sim_yaml_get(row, "transform");
    if (transform != NULL && (produce != NULL || consume != NULL)) {
        return sim_error(r->d, transform->place,
                         "a transform names both topics itself: transform: IN -> OUT");
    }
    if (transform != NULL) {
        *kind = SIM_CLIENT_CONSUMES;
        return true;
    }
    *kind = produce != NULL ? SIM_CLIENT_PRODUCES : SIM_CLIENT_CONSUMES;
    if (produce != NULL && consume != NULL) {
        return sim_error(r->d, consume->place,
                         "a client either produces or consumes; write two rows");
    }
    if (produce == NULL && consume == NULL) {
        sim_error(r->d, row->place,
                  "what does this client do? Write produce: TOPIC, consume: TOPIC or "
                  "transform: IN -> OUT");
        sim_note(r->d, "see: kcsim explain clients");
        return false;
    }
    return true;
}

static bool read_row_keys(struct sim_reader *r, const struct sim_yaml *row,
                          struct sim_client_spec *c)
{
    const struct sim_yaml *properties = sim_yaml_get(row, "properties");
    bool good = properties == NULL || read_properties(r, properties, c);
    for (uint32_t i = 0; i < row->count; i++) {
        const struct sim_key *key = sim_key_find(SIM_SHAPE_CLIENT, row->keys[i]->text);
        if (is_for(key->name, c)) {
            good = read_key(r, key, row->items[i], c) && good;
            continue;
        }
        good = sim_error(r->d, row->keys[i]->place, "'%s' is for %s", key->name,
                         c->transforms ? "others; a transform works as its input comes"
                         : c->kind == SIM_CLIENT_PRODUCES ? "consumers; this client produces"
                                                          : "producers; this client consumes");
    }
    return good;
}

static void read_row(struct sim_reader *r, const struct sim_yaml *row)
{
    enum sim_client_kind kind = SIM_CLIENT_CONSUMES;
    int32_t members = 1;
    bool is_static = false;
    if (!sim_read_keys(r, row, SIM_SHAPE_CLIENT, SIM_SHAPE_END) || !read_kind(r, row, &kind)) {
        return;
    }
    struct sim_client_spec c = spec_of(r, kind, row->place);
    const struct sim_yaml *key = sim_yaml_get(row, "members"),
                          *transform = sim_yaml_get(row, "transform");
    char **to = sim_memory_take(r->memory, sizeof(*to));
    c.transforms = transform != NULL;
    bool good = read_row_keys(r, row, &c);
    if (transform != NULL) {
        c.topics = sim_memory_take(r->memory, sizeof(*c.topics));
        c.topic_count = 1;
        c.row = c.row != NULL ? c.row : transform_name(r);
        good = read_arrow(r, transform, &c.topics[0], to) && check_transform(r, row) && good;
    }
    if (good && key != NULL) {
        good = sim_read_int32(r, key, "members", 1, SIM_CLIENTS_MAX, &members);
    }
    if (good && (key = sim_yaml_get(row, "static")) != NULL) {
        good = sim_read_bool(r, key, "static", &is_static);
    }
    good = good &&
           (kind == SIM_CLIENT_PRODUCES ? check_producer(r, row, &c) : check_consumer(r, row, &c));
    if (!good) {
        members = 1; /* known by name, so that one slip is one error */
    }
    if (r->s->client_count + (uint32_t)members * (c.transforms ? 2 : 1) > SIM_CLIENTS_MAX) {
        sim_error(r->d, row->place, "more than %d clients (SIM_CLIENTS_MAX)", SIM_CLIENTS_MAX);
        return;
    }
    for (int32_t i = 0; i < members; i++) {
        if (c.transforms) {
            add_transform(r, &c, to, i, members, is_static);
        } else {
            add_process(r, &c, i, members, is_static);
        }
    }
}

static void check_brokers(struct sim_reader *r, const struct sim_yaml *node)
{
    for (uint32_t i = 0; i < r->s->node_count; i++) {
        const struct sim_node *n = &r->s->nodes[i];
        if (n->role != SIM_NODE_CONTROLLER && n->behaviour == SIM_BEHAVIOUR_SCRIPTED) {
            sim_error(r->d, node->place, "clients need brokers with logs; broker %d is scripted",
                      n->id);
            sim_note(r->d, "leave behaviour away, or write behaviour: full");
            return;
        }
    }
}

void sim_read_clients(struct sim_reader *r, const struct sim_yaml *node)
{
    if (node == NULL) {
        return;
    }
    if (node->kind != SIM_YAML_LIST) {
        sim_error(r->d, node->place, "clients is a list: - {produce: orders, rate: 100/s}");
        return;
    }
    for (uint32_t i = 0; i < node->count; i++) {
        read_row(r, node->items[i]);
    }
    check_brokers(r, node);
}
