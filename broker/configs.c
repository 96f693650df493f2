/*
 * The settings that are in force, and DescribeConfigs.
 *
 *   of a topic    its own ─► the broker's setting behind it, which is
 *   of a broker   its own dynamic ─► all brokers' dynamic ─► static (properties) ─► default
 *
 * A setting may stand under several names ("log.retention.ms", ".minutes", ".hours"), the finest
 * wins. What DescribeConfigs calls synonyms is the list of all places where a value was found, the
 * strongest first; it begins at the setting's own name, so that a retention given in hours shows
 * none.
 *
 * A request reads the two znodes of dynamic settings, then one znode a topic, and answers.
 *
 * Source: Kafka kafka.server.ConfigHelper, LogConfig.extractLogConfigMap,
 * KafkaConfig.getLogRetentionTimeMillis and its like, DynamicBrokerConfig.brokerConfigSynonyms.
 * Differs: entries stand in the order of their names; settings of brokers have no documentation; a
 * broker's loggers are none.
 */
#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "broker/state.h"

enum { TYPE_TOPIC = 2, TYPE_BROKER = 4, TYPE_LOGGER = 8, SYNONYMS_MAX = 16 };

/* ---- values of the broker ---- */

/* Where a broker's setting may stand, by strength. Default last, which is no bag. */
static struct kb_props bag_of(const struct kb_broker *b, int source)
{
    return source == KB_SOURCE_STATIC ? kb_properties(b)
                                      : kb_dynamic(b, source - KB_SOURCE_DYNAMIC_BROKER);
}

static const char *value_in(const struct kb_broker *b, const char *name, int source)
{
    if (source == KB_SOURCE_DEFAULT) {
        const struct kb_setting *s = kb_broker_setting(name);
        return s == NULL ? NULL : s->def;
    }
    struct kb_props bag = bag_of(b, source);
    return kb_props_get(&bag, name);
}

const char *kb_setting_in_force(const struct kb_broker *b, const char *name)
{
    for (int source = KB_SOURCE_DYNAMIC_BROKER; source <= KB_SOURCE_DEFAULT; source++) {
        const char *value = value_in(b, name, source);
        if (value != NULL)
            return value;
    }
    return NULL;
}

static bool ends_with(const char *text, const char *end)
{
    size_t a = strlen(text), b = strlen(end);
    return a >= b && strcmp(text + a - b, end) == 0;
}

/* Value of the broker's setting that stands behind a topic's, in the topic's unit. */
static const char *value_behind(const struct kb_broker *b, const char *server, char *room)
{
    for (uint32_t n = 0;; n++) {
        const char *name = kb_broker_synonym(server, n);
        const char *value = name == NULL ? NULL : kb_setting_in_force(b, name);
        if (name == NULL)
            return NULL;
        if (value == NULL)
            continue;
        int64_t unit = ends_with(name, ".hours")     ? 3600000
                       : ends_with(name, ".minutes") ? 60000
                                                     : 0;
        if (unit == 0)
            return value;
        long long number = strtoll(value, NULL, 10);
        bool forever = number < 0 && strncmp(name, "log.retention.", 14) == 0;
        snprintf(room, 32, "%" PRId64, forever ? -1 : (int64_t)number * unit);
        return room;
    }
}

struct kb_entry kb_topic_entry(const struct kb_broker *b, const struct kb_setting *setting,
                               const struct kb_props *overrides, char *parsed)
{
    char message[KB_TEXT_MAX], room[32];
    struct kb_entry e = {.name = setting->name, .source = KB_SOURCE_DEFAULT};
    const char *own = kb_props_get(overrides, setting->name);
    const char *value = own;
    if (value == NULL && setting->server != NULL)
        value = value_behind(b, setting->server, room);
    if (value == NULL)
        value = setting->def;
    if (!kb_setting_parse(setting, value, parsed, KB_VALUE_MAX, message))
        snprintf(parsed, KB_VALUE_MAX, "%s", value);
    if (own == NULL && strcmp(setting->name, "message.format.version") == 0)
        kb_version_in_full(parsed);
    e.value = parsed;
    if (own != NULL) {
        e.source = KB_SOURCE_TOPIC;
        return e;
    }
    for (int source = KB_SOURCE_DYNAMIC_BROKER; setting->server != NULL; source++) {
        if (value_in(b, setting->server, source) != NULL) {
            e.source = (int8_t)source;
            break;
        }
        if (source == KB_SOURCE_DEFAULT)
            break;
    }
    return e;
}

/* ---- one entry of the response ---- */

struct synonym {
    const char *name, *value;
    int8_t source;
};

struct describe {
    struct kb_turn *t;
    struct wire_flat f;
    char *parsed; /* KB_VALUE_MAX bytes */
    bool synonyms, documentation;
    int16_t version;
};

/* Adds the places where `name` of the broker stands; returns the new count. */
static int32_t collect(const struct kb_broker *b, const char *name, bool only_default_bag,
                       struct synonym *out, int32_t count)
{
    int32_t first = count;
    for (int source = KB_SOURCE_DYNAMIC_BROKER; source <= KB_SOURCE_DEFAULT; source++) {
        if (only_default_bag && source != KB_SOURCE_DYNAMIC_DEFAULT)
            continue;
        for (uint32_t n = 0; n < 3 && count < SYNONYMS_MAX; n++) {
            const char *other = kb_broker_synonym(name, n);
            const char *value = other == NULL ? NULL : value_in(b, other, source);
            if (value == NULL || (count == first && strcmp(other, name) != 0))
                continue;
            out[count++] = (struct synonym){other, value, (int8_t)source};
        }
    }
    return count;
}

static void put_synonyms(struct describe *d, struct wire_describe_configs_response_config *out,
                         const struct synonym *s, int32_t count, bool sensitive)
{
    struct wire_describe_configs_response_synonym *to =
        kb_items(&d->f, &out->synonyms, d->synonyms ? count : 0,
                 &wire_layout_describe_configs_response_synonym);
    for (int32_t i = 0; i < out->synonyms.count; i++) {
        to[i].name = wire_flat_string(&d->f, s[i].name);
        to[i].value = wire_flat_string(&d->f, sensitive ? NULL : s[i].value);
        to[i].source = s[i].source;
    }
}

static void put_entry(struct describe *d, struct wire_describe_configs_response_config *out,
                      const struct kb_entry *e, const struct kb_setting *setting)
{
    out->name = wire_flat_string(&d->f, e->name);
    out->value = wire_flat_string(&d->f, e->value);
    out->read_only = e->read_only;
    out->is_sensitive = e->sensitive;
    out->config_source = e->source;
    out->is_default = false; /* as 2.8.2, which never fills it in */
    out->config_type = (int8_t)(setting == NULL ? KB_UNKNOWN : setting->type);
    out->documentation =
        wire_flat_string(&d->f, d->documentation && setting != NULL ? setting->doc : NULL);
}

static void put_topic_entry(struct describe *d, struct wire_describe_configs_response_config *out,
                            const struct kb_setting *setting, const char *name,
                            const struct kb_props *own)
{
    struct synonym s[SYNONYMS_MAX];
    int32_t count = 0;
    struct kb_entry e = {.name = name, .source = KB_SOURCE_TOPIC, .sensitive = setting == NULL};
    const char *value = kb_props_get(own, name);
    if (setting != NULL)
        e = kb_topic_entry(d->t->b, setting, own, d->parsed);
    if (value != NULL)
        s[count++] = (struct synonym){name, setting == NULL ? NULL : e.value, KB_SOURCE_TOPIC};
    if (setting != NULL && setting->server != NULL)
        count = collect(d->t->b, setting->server, false, s, count);
    put_entry(d, out, &e, setting);
    put_synonyms(d, out, s, count, e.sensitive);
}

static void put_broker_entry(struct describe *d, struct wire_describe_configs_response_config *out,
                             const char *name, bool only_default_bag)
{
    char message[KB_TEXT_MAX];
    struct synonym s[SYNONYMS_MAX];
    const struct kb_setting *setting = kb_broker_setting(name);
    int32_t count = collect(d->t->b, name, only_default_bag, s, 0);
    const char *value =
        only_default_bag ? (count > 0 ? s[0].value : NULL) : kb_setting_in_force(d->t->b, name);
    struct kb_entry e = {.name = name,
                         .source = count == 0 ? KB_SOURCE_DEFAULT : s[0].source,
                         .sensitive = setting == NULL || setting->type == KB_PASSWORD,
                         .read_only = setting == NULL || !setting->dynamic};
    if (value != NULL && setting != NULL &&
        kb_setting_parse(setting, value, d->parsed, KB_VALUE_MAX, message))
        value = d->parsed;
    e.value = e.sensitive ? NULL : value;
    put_entry(d, out, &e, setting);
    put_synonyms(d, out, s, count, e.sensitive);
}

/* ---- resources ---- */

typedef struct wire_describe_configs_request_resource asked;
typedef struct wire_describe_configs_response_result result;

static bool is_wanted(const void *q, const asked *r, const char *name)
{
    const struct wire_string *keys = WIRE_ITEMS(q, r->configuration_keys, struct wire_string);
    for (int32_t i = 0; i < r->configuration_keys.count; i++)
        if (strcmp(wire_text(q, keys[i]), name) == 0)
            return true;
    return r->configuration_keys.count <= 0;
}

/* Names to show: those of the table, then those of bags that it does not have. */
struct names {
    const struct kb_setting *rows;
    uint32_t count, at;
    struct kb_props bag[3];
    int bags, bag_at;
    const char *entry;
    const struct kb_setting *(*find)(const char *);
};

static bool is_in_earlier_bag(const struct names *n, const char *name)
{
    for (int i = 0; i < n->bag_at; i++)
        if (kb_props_get(&n->bag[i], name) != NULL)
            return true;
    return false;
}

static const char *next_name(struct names *n)
{
    if (n->at < n->count)
        return n->rows[n->at++].name;
    for (; n->bag_at < n->bags; n->bag_at++, n->entry = NULL)
        while ((n->entry = kb_props_next(&n->bag[n->bag_at], n->entry)) != NULL)
            if ((n->count == 0 || n->find(n->entry) == NULL) && !is_in_earlier_bag(n, n->entry))
                return n->entry;
    return NULL;
}

static struct wire_describe_configs_response_config *
make_room(struct describe *d, result *out, const void *q, const asked *r, struct names n)
{
    int32_t count = 0;
    for (const char *name; (name = next_name(&n)) != NULL;)
        count += is_wanted(q, r, name);
    return kb_items(&d->f, &out->configs, count, &wire_layout_describe_configs_response_config);
}

static void describe_topic(struct describe *d, result *out, const void *q, const asked *r,
                           const struct kb_props *own)
{
    struct names n = {.bag = {*own}, .bags = 1, .find = kb_topic_setting};
    int32_t i = 0;
    n.rows = kb_topic_settings(&n.count);
    struct wire_describe_configs_response_config *c = make_room(d, out, q, r, n);
    for (const char *name; (name = next_name(&n)) != NULL;)
        if (is_wanted(q, r, name) && i < out->configs.count)
            put_topic_entry(d, &c[i++], kb_topic_setting(name), name, own);
}

static void describe_broker(struct describe *d, result *out, const void *q, const asked *r,
                            bool only_default_bag)
{
    const struct kb_broker *b = d->t->b;
    struct names n = {.bag = {kb_dynamic(b, 0), kb_dynamic(b, 1), kb_properties(b)},
                      .bags = 3,
                      .find = kb_broker_setting};
    int32_t i = 0;
    if (only_default_bag) {
        n.bag[0] = n.bag[1];
        n.bags = 1;
    } else {
        n.rows = kb_broker_settings(&n.count);
    }
    struct wire_describe_configs_response_config *c = make_room(d, out, q, r, n);
    for (const char *name; (name = next_name(&n)) != NULL;)
        if (is_wanted(q, r, name) && i < out->configs.count)
            put_broker_entry(d, &c[i++], name, only_default_bag);
}

int kb_broker_named(const struct kb_broker *b, const char *name, const char *or_empty,
                    char *message)
{
    int32_t id;
    char *end;
    if (name == NULL || name[0] == '\0')
        return 1;
    long long number = strtoll(name, &end, 10);
    id = (int32_t)number;
    if (*end != '\0' || end == name || number != id) {
        snprintf(message, KB_TEXT_MAX, "Broker id must be an integer, but it is: %s", name);
        return -1;
    }
    if (id == b->self.id)
        return 0;
    snprintf(message, KB_TEXT_MAX, "Unexpected broker id, expected %" PRId32 "%s but received %s",
             b->self.id, or_empty, name);
    return -1;
}

/* ---- the flow ---- */

struct kb_room kb_room_describe_configs(const struct kb_broker *b, const struct kb_broker_input *in)
{
    const struct wire_describe_configs_request *q = in->message;
    size_t size = 2048 + 2 * in->size + kb_properties(b).size * 4;
    const asked *r = WIRE_ITEMS(q, q->resources, asked);
    for (int32_t i = 0; i < q->resources.count; i++)
        size += r[i].resource_type == TYPE_BROKER
                    ? 224 * 1024 + 16 * KB_DYNAMIC_BYTES + kb_properties(b).size * 8
                    : 40 * 1024 + kb_properties(b).size;
    return (struct kb_room){.response = size, .scratch = KB_VALUE_MAX};
}

static bool is_known_type(int8_t type)
{
    return type == TYPE_TOPIC || type == TYPE_BROKER || type == TYPE_LOGGER;
}

/* A resource of no known kind refuses the request, so that each resource gets the error. */
static void refuse_all(struct kb_turn *t, struct kb_slot *s)
{
    const struct wire_describe_configs_request *q = kb_request_of(t->b, s);
    const asked *r = WIRE_ITEMS(q, q->resources, asked);
    struct wire_flat f;
    struct wire_describe_configs_response *head = kb_response_begin(t->b, s, &f, sizeof *head);
    result *out = kb_items(&f, &head->results, q->resources.count,
                           &wire_layout_describe_configs_response_result);
    for (int32_t i = 0; i < head->results.count; i++) {
        kb_say(&f, &out[i].error_code, &out[i].error_message, WIRE_ERROR_INVALID_REQUEST,
               wire_error_text(WIRE_ERROR_INVALID_REQUEST));
        out[i].resource_type = r[i].resource_type;
        out[i].resource_name = wire_flat_string(&f, wire_text(q, r[i].resource_name));
    }
    kb_response_close(s, &f);
    kb_response_send(t, s);
}

static void read_config(struct kb_turn *t, struct kb_slot *s, enum kb_phase phase, const char *kind,
                        const char *name)
{
    char folder[SM_PATH_MAX], path[2 * SM_PATH_MAX];
    snprintf(folder, sizeof folder, "/config/%s", kind);
    snprintf(path, sizeof path, "%s/%.*s", folder, SM_TOPIC_NAME_MAX, name);
    kb_slot_ask(t, s, phase, &(struct kb_zk){.opcode = WIRE_ZK_GET_DATA, .path = path});
}

void kb_begin_describe_configs(struct kb_turn *t)
{
    struct kb_room room = kb_room_describe_configs(t->b, t->in);
    struct kb_slot *s = kb_slot_take(t, 0, room.response);
    const struct wire_describe_configs_request *q = kb_request_of(t->b, s);
    const asked *r = WIRE_ITEMS(q, q->resources, asked);
    char id[16];
    struct wire_flat f;
    for (int32_t i = 0; i < q->resources.count; i++)
        if (!is_known_type(r[i].resource_type)) {
            refuse_all(t, s);
            return;
        }
    struct wire_describe_configs_response *head = kb_response_begin(t->b, s, &f, sizeof *head);
    kb_items(&f, &head->results, q->resources.count < 0 ? 0 : q->resources.count,
             &wire_layout_describe_configs_response_result);
    kb_response_close(s, &f);
    snprintf(id, sizeof id, "%" PRId32, t->b->self.id);
    read_config(t, s, KB_PHASE_READ_BROKER, "brokers", id);
}

static void fail(struct describe *d, result *out, int32_t error, const char *message)
{
    kb_say(&d->f, &out->error_code, &out->error_message, error, message);
}

/* What can be said of a resource without asking; false where its znode is to be read. */
static bool describe_at_once(struct describe *d, const void *q, const asked *r, result *out)
{
    char message[KB_TEXT_MAX];
    const char *name = wire_text(q, r->resource_name);
    size_t size = (size_t)r->resource_name.size;
    bool is_logger = r->resource_type == TYPE_LOGGER;
    if (r->resource_type == TYPE_TOPIC) {
        if (kb_topic_name_fault(name, size, message) != NULL)
            fail(d, out, WIRE_ERROR_INVALID_TOPIC_EXCEPTION, message);
        else if (kb_cache_topic(kb_broker_cache(d->t->b), name, size) == KB_NO_TOPIC)
            out->error_code = WIRE_ERROR_UNKNOWN_TOPIC_OR_PARTITION;
        else
            return false;
        return true;
    }
    int which = kb_broker_named(d->t->b, name, is_logger ? "" : " or empty string,", message);
    if (is_logger && which == 1)
        fail(d, out, WIRE_ERROR_INVALID_REQUEST, "Broker id must not be empty");
    else if (which < 0)
        fail(d, out, WIRE_ERROR_INVALID_REQUEST, message);
    else if (!is_logger)
        describe_broker(d, out, q, r, which == 1);
    return true;
}

static struct describe describe_of(struct kb_turn *t, struct kb_slot *s)
{
    const struct wire_describe_configs_request *q = kb_request_of(t->b, s);
    struct describe d = {.t = t,
                         .synonyms = q->include_synonyms,
                         .documentation = q->include_documentation,
                         .version = s->version,
                         .parsed = kb_turn_scratch(t, KB_VALUE_MAX)};
    kb_response_open(t->b, s, &d.f);
    return d;
}

static void take_topic(struct kb_turn *t, struct kb_slot *s, const struct kb_reply *r)
{
    const struct wire_describe_configs_request *q = kb_request_of(t->b, s);
    struct wire_describe_configs_response *head = kb_area_bytes(t->b, s, KB_AREA_RESPONSE);
    result *out = (result *)(void *)((uint8_t *)head + head->results.at) + s->item;
    struct describe d = describe_of(t, s);
    size_t room = r->size + 16;
    struct kb_props own = kb_props_begin(kb_turn_scratch(t, room), room);
    if (r->err == WIRE_ZK_OK)
        kb_props_read_znode(&own, r->data, r->size);
    if (r->err == WIRE_ZK_OK || r->err == WIRE_ZK_NO_NODE)
        describe_topic(&d, out, q, &WIRE_ITEMS(q, q->resources, asked)[s->item], &own);
    else
        fail(&d, out, WIRE_ERROR_UNKNOWN_SERVER_ERROR, NULL);
    kb_response_close(s, &d.f);
    s->item++;
    s->phase = KB_PHASE_ITEM;
}

/* Describes resources until one has to be read. */
static void go_on(struct kb_turn *t, struct kb_slot *s)
{
    const struct wire_describe_configs_request *q = kb_request_of(t->b, s);
    const asked *r = WIRE_ITEMS(q, q->resources, asked);
    struct wire_describe_configs_response *head = kb_area_bytes(t->b, s, KB_AREA_RESPONSE);
    result *out = (result *)(void *)((uint8_t *)head + head->results.at);
    struct describe d = describe_of(t, s);
    for (; (int32_t)s->item < head->results.count; s->item++) {
        out[s->item].resource_type = r[s->item].resource_type;
        out[s->item].resource_name = wire_flat_string(&d.f, wire_text(q, r[s->item].resource_name));
        if (!describe_at_once(&d, q, &r[s->item], &out[s->item])) {
            kb_response_close(s, &d.f);
            read_config(t, s, KB_PHASE_READ, "topics", wire_text(q, r[s->item].resource_name));
            return;
        }
    }
    kb_response_close(s, &d.f);
    kb_response_send(t, s);
}

void kb_advance_describe_configs(struct kb_turn *t, struct kb_slot *s, const struct kb_reply *r)
{
    if (r == NULL)
        return;
    if (s->phase == KB_PHASE_READ_BROKER) {
        kb_dynamic_take(t->b, 0, r);
        read_config(t, s, KB_PHASE_READ_DEFAULT, "brokers", "<default>");
        return;
    }
    if (s->phase == KB_PHASE_READ_DEFAULT) {
        kb_dynamic_take(t->b, 1, r);
        s->phase = KB_PHASE_ITEM;
    } else {
        take_topic(t, s, r);
    }
    go_on(t, s);
}
