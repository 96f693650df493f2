/*
 * AlterConfigs (all settings of a resource anew) and IncrementalAlterConfigs (some of them), for
 * topics and for brokers.
 *
 *   checks ─► [read what there is, incremental] ─► does the topic exist? ─► the settings as a whole
 *     ─► set or create /config/KIND/NAME ─► /config/changes/config_change_N ─► next resource
 *
 * A broker takes its own settings (by its id) and those of all brokers (no name). The notification
 * is what makes brokers read the znode.
 *
 * Source: Kafka KafkaApis.handleAlterConfigsRequest, handleIncrementalAlterConfigsRequest,
 * ZkAdminManager.alterConfigs, incrementalAlterConfigs, AdminZkClient.changeEntityConfig. Differs:
 * a value is never a password here; levels of loggers cannot be set.
 */
#include <assert.h>
#include <inttypes.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "broker/state.h"
#include "statemachine/text.h"

typedef struct wire_alter_configs_response_response result;
typedef struct wire_alter_configs_response response_head;

_Static_assert(sizeof(result) == sizeof(struct wire_incremental_alter_configs_response_response) &&
                   offsetof(result, resource_name) ==
                       offsetof(struct wire_incremental_alter_configs_response_response,
                                resource_name) &&
                   offsetof(response_head, responses) ==
                       offsetof(struct wire_incremental_alter_configs_response, responses),
               "both responses are of one form");

enum { TYPE_TOPIC = 2, TYPE_BROKER = 4, TYPE_LOGGER = 8 };
enum { OP_SET, OP_DELETE, OP_APPEND, OP_SUBTRACT };

/* ---- either request, read alike ---- */

struct resource {
    int8_t type;
    const char *name;
    int32_t count; /* of settings */
};
struct change {
    const char *name, *value; /* value NULL: null */
    int8_t op;
};

static bool is_incremental(int32_t api)
{
    return api == WIRE_API_INCREMENTAL_ALTER_CONFIGS;
}

static int32_t resource_count(int32_t api, const void *q)
{
    int32_t count =
        is_incremental(api)
            ? ((const struct wire_incremental_alter_configs_request *)q)->resources.count
            : ((const struct wire_alter_configs_request *)q)->resources.count;
    return count < 0 ? 0 : count;
}

static bool only_validates(int32_t api, const void *q)
{
    return is_incremental(api)
               ? ((const struct wire_incremental_alter_configs_request *)q)->validate_only
               : ((const struct wire_alter_configs_request *)q)->validate_only;
}

static struct resource resource_at(int32_t api, const void *q, int32_t i)
{
    if (is_incremental(api)) {
        const struct wire_incremental_alter_configs_request *m = q;
        const struct wire_incremental_alter_configs_request_resource *r =
            &WIRE_ITEMS(m, m->resources, struct wire_incremental_alter_configs_request_resource)[i];
        return (struct resource){r->resource_type, wire_text(q, r->resource_name),
                                 r->configs.count};
    }
    const struct wire_alter_configs_request *m = q;
    const struct wire_alter_configs_request_resource *r =
        &WIRE_ITEMS(m, m->resources, struct wire_alter_configs_request_resource)[i];
    return (struct resource){r->resource_type, wire_text(q, r->resource_name), r->configs.count};
}

static struct change change_at(int32_t api, const void *q, int32_t i, int32_t k)
{
    if (is_incremental(api)) {
        const struct wire_incremental_alter_configs_request *m = q;
        const struct wire_incremental_alter_configs_request_resource *r =
            &WIRE_ITEMS(m, m->resources, struct wire_incremental_alter_configs_request_resource)[i];
        const struct wire_incremental_alter_configs_request_config *c =
            &WIRE_ITEMS(m, r->configs, struct wire_incremental_alter_configs_request_config)[k];
        return (struct change){wire_text(q, c->name), wire_text(q, c->value), c->config_operation};
    }
    const struct wire_alter_configs_request *m = q;
    const struct wire_alter_configs_request_resource *r =
        &WIRE_ITEMS(m, m->resources, struct wire_alter_configs_request_resource)[i];
    const struct wire_alter_configs_request_config *c =
        &WIRE_ITEMS(m, r->configs, struct wire_alter_configs_request_config)[k];
    return (struct change){wire_text(q, c->name), wire_text(q, c->value), OP_SET};
}

static const char *type_name(int8_t type)
{
    return type == TYPE_TOPIC    ? "TOPIC"
           : type == TYPE_BROKER ? "BROKER"
           : type == TYPE_LOGGER ? "BROKER_LOGGER"
                                 : "UNKNOWN";
}

/* ---- one resource in work ---- */

struct item {
    const void *q;
    struct resource r;
    result *out;
    struct wire_flat f;
};

static struct item item_of(struct kb_broker *b, struct kb_slot *s)
{
    struct item i = {.q = kb_request_of(b, s)};
    response_head *head = kb_area_bytes(b, s, KB_AREA_RESPONSE);
    i.r = resource_at(s->api, i.q, (int32_t)s->item);
    i.out = (result *)(void *)((uint8_t *)head + head->responses.at) + s->item;
    kb_response_open(b, s, &i.f);
    return i;
}

static void end_item(struct kb_slot *s, struct item *i, int32_t error, const char *message)
{
    kb_say(&i->f, &i->out->error_code, &i->out->error_message, error, message);
    kb_response_close(s, &i->f);
    s->item++;
    s->phase = KB_PHASE_ITEM;
}

/* A ConfigException is an invalid request here, and says about what. */
static void end_invalid(struct kb_slot *s, struct item *i, const char *why)
{
    char text[KB_TEXT_MAX + 512];
    snprintf(text, sizeof text,
             "Invalid config value for resource ConfigResource(type=%s, name='%.300s'): %s",
             type_name(i->r.type), i->r.name, why);
    end_item(s, i, WIRE_ERROR_INVALID_REQUEST, text);
}

static void path_of(const struct kb_broker *b, const struct item *i, char *entity, size_t capacity)
{
    if (i->r.type == TYPE_TOPIC)
        snprintf(entity, capacity, "topics/%s", i->r.name);
    else if (i->r.name[0] == '\0')
        snprintf(entity, capacity, "brokers/<default>");
    else
        snprintf(entity, capacity, "brokers/%" PRId32, b->self.id);
}

static void ask(struct kb_turn *t, struct kb_slot *s, enum kb_phase phase, uint8_t opcode,
                const char *path, const void *data, size_t size)
{
    uint8_t flags = phase == KB_PHASE_NOTIFY ? WIRE_ZK_SEQUENTIAL : 0;
    kb_slot_ask(t, s, phase,
                &(struct kb_zk){
                    .opcode = opcode, .flags = flags, .path = path, .data = data, .size = size});
}

static void read_entity(struct kb_turn *t, struct kb_slot *s)
{
    struct item i = item_of(t->b, s);
    char entity[SM_PATH_MAX], path[SM_PATH_MAX];
    path_of(t->b, &i, entity, sizeof entity);
    sm_path_child(path, "/config", entity);
    ask(t, s, KB_PHASE_READ, WIRE_ZK_GET_DATA, path, NULL, 0);
}

/* ---- the settings that are to be ---- */

/* Java's split and mkString: whole elements, the later ones behind. */
static void append_list(struct sm_text *x, const char *list, const char *without)
{
    while (*list != '\0') {
        size_t size = strcspn(list, ",");
        bool drop = false;
        for (const char *w = without; w != NULL && *w != '\0' && !drop;) {
            size_t other = strcspn(w, ",");
            drop = other == size && memcmp(w, list, size) == 0;
            w += other;
            w += *w == ',';
        }
        if (!drop) {
            sm_text_string(x, x->size > 0 ? "," : "");
            sm_text_bytes(x, list, size);
        }
        list += size;
        list += *list == ',';
    }
}

static bool apply_list(struct kb_turn *t, struct kb_slot *s, struct item *i, struct kb_props *p,
                       const struct change *c)
{
    char text[KB_TEXT_MAX];
    const struct kb_setting *setting =
        i->r.type == TYPE_TOPIC ? kb_topic_setting(c->name) : kb_broker_setting(c->name);
    const char *old = kb_props_get(p, c->name);
    if (setting == NULL) {
        end_item(s, i, WIRE_ERROR_UNKNOWN_SERVER_ERROR, NULL);
        return false;
    }
    if (setting->type != KB_LIST) {
        snprintf(text, sizeof text, "Config value %s is not allowed for config key: %s",
                 c->op == OP_APPEND ? "append" : "subtract", c->name);
        end_item(s, i, WIRE_ERROR_INVALID_REQUEST, text);
        return false;
    }
    if (old == NULL)
        old = setting->def == NULL ? "" : setting->def;
    size_t room = strlen(old) + strlen(c->value) + 4;
    char *value = kb_turn_scratch(t, room);
    struct sm_text x = sm_text_begin(value, room - 1);
    append_list(&x, old, c->op == OP_SUBTRACT ? c->value : NULL);
    if (c->op == OP_APPEND)
        append_list(&x, c->value, NULL);
    kb_props_set(p, c->name, value);
    return true;
}

/* Applies the request to what there is; false where it ended the item. */
static bool apply(struct kb_turn *t, struct kb_slot *s, struct item *i, struct kb_props *p)
{
    for (int32_t k = 0; k < i->r.count; k++) {
        struct change c = change_at(s->api, i->q, (int32_t)s->item, k);
        switch (c.op) {
        case OP_SET:
            kb_props_set(p, c.name, c.value);
            break;
        case OP_DELETE:
            kb_props_remove(p, c.name);
            break;
        case OP_APPEND:
        case OP_SUBTRACT:
            if (!apply_list(t, s, i, p, &c))
                return false;
            break;
        default: /* not an enum: a number from the wire */
            end_item(s, i, WIRE_ERROR_UNKNOWN_SERVER_ERROR, NULL);
            return false;
        }
    }
    return true;
}

static struct kb_props bag_for(struct kb_turn *t, const struct kb_slot *s, size_t more)
{
    size_t size = more + s->area[KB_AREA_REQUEST].size * 2 + 4096;
    return kb_props_begin(kb_turn_scratch(t, size), size);
}

/* How many threads there are: as set for this broker, for all, or at its start. */
static int64_t threads_now(const struct kb_broker *b, const char *name)
{
    for (int which = 0; which < 2; which++) {
        struct kb_props p = kb_dynamic(b, which);
        const char *value = kb_props_get(&p, name);
        if (value != NULL)
            return strtoll(value, NULL, 10);
    }
    return kb_property_int(b, name);
}

static bool check(struct kb_turn *t, struct kb_slot *s, struct item *i, const struct kb_props *p)
{
    char message[KB_TEXT_MAX], *room = kb_turn_scratch(t, KB_VALUE_MAX);
    bool is_value = false;
    if (i->r.type == TYPE_BROKER) {
        bool good = kb_broker_props_check(p, i->r.name[0] != '\0', room, message);
        const char *name;
        for (uint32_t k = 0; good && (name = kb_thread_setting(k)) != NULL; k++)
            good = kb_threads_check(p, name, threads_now(t->b, name), message);
        if (good)
            return true;
        end_invalid(s, i, message);
        return false;
    }
    if (kb_topic_props_check(p, room, message, &is_value))
        return true;
    if (is_value)
        end_invalid(s, i, message);
    else
        end_item(s, i, WIRE_ERROR_INVALID_CONFIG, message);
    return false;
}

/* The znode is kept in the work area until it is written: it may take two tries. */
static void keep(struct kb_turn *t, struct kb_slot *s, const struct kb_props *p)
{
    char *out = kb_area_bytes(t->b, s, KB_AREA_WORK);
    s->value = (uint32_t)kb_props_write_znode(p, out, s->area[KB_AREA_WORK].size);
}

static void write_entity(struct kb_turn *t, struct kb_slot *s, enum kb_phase phase)
{
    struct item i = item_of(t->b, s);
    char entity[SM_PATH_MAX], path[SM_PATH_MAX];
    path_of(t->b, &i, entity, sizeof entity);
    sm_path_child(path, "/config", entity);
    ask(t, s, phase, phase == KB_PHASE_SET_CONFIG ? WIRE_ZK_SET_DATA : WIRE_ZK_CREATE, path,
        kb_area_bytes(t->b, s, KB_AREA_WORK), s->value);
}

static void notify(struct kb_turn *t, struct kb_slot *s)
{
    struct item i = item_of(t->b, s);
    char entity[SM_PATH_MAX], text[SM_PATH_MAX + 64];
    struct sm_text x = sm_text_begin(text, sizeof text);
    path_of(t->b, &i, entity, sizeof entity);
    SM_TEXT(&x, "{\"version\":2,\"entity_path\":");
    sm_text_json_string(&x, entity);
    SM_TEXT(&x, "}");
    ask(t, s, KB_PHASE_NOTIFY, WIRE_ZK_CREATE, SM_PATH_CONFIG_CHANGES "/config_change_", text,
        sm_text_end(&x));
}

/* Checks the settings as a whole, and writes them where that is wanted. */
static void settle(struct kb_turn *t, struct kb_slot *s, struct item *i, const struct kb_props *p)
{
    if (!check(t, s, i, p))
        return;
    keep(t, s, p);
    if (s->value == 0)
        end_item(s, i, WIRE_ERROR_INVALID_CONFIG, "The settings would not fit into a znode (1 MB)");
    else if (only_validates(s->api, i->q))
        end_item(s, i, 0, NULL);
    else
        write_entity(t, s, KB_PHASE_SET_CONFIG);
}

/* ---- the flow ---- */

static bool repeats_a_name(struct kb_slot *s, struct item *i)
{
    char text[KB_TEXT_MAX];
    struct sm_text x = sm_text_begin(text, sizeof text - 1);
    int32_t found = 0;
    SM_TEXT(&x, "Error due to duplicate config keys : ");
    for (int32_t k = 0; k < i->r.count; k++)
        for (int32_t j = 0; j < k; j++)
            if (strcmp(change_at(s->api, i->q, (int32_t)s->item, k).name,
                       change_at(s->api, i->q, (int32_t)s->item, j).name) == 0) {
                sm_text_string(&x, found++ > 0 ? "," : "");
                sm_text_string(&x, change_at(s->api, i->q, (int32_t)s->item, k).name);
                break;
            }
    text[x.size] = '\0';
    if (found > 0)
        end_item(s, i, WIRE_ERROR_INVALID_REQUEST, text);
    return found > 0;
}

static bool has_null(struct kb_slot *s, struct item *i)
{
    static const char *const ops[] = {"SET", "DELETE", "APPEND", "SUBTRACT"};
    char text[KB_TEXT_MAX];
    struct sm_text x = sm_text_begin(text, sizeof text - 1);
    int32_t found = 0;
    SM_TEXT(&x, "Null value not supported for : ");
    for (int32_t k = 0; k < i->r.count; k++) {
        struct change c = change_at(s->api, i->q, (int32_t)s->item, k);
        if (c.value != NULL || c.op == OP_DELETE)
            continue;
        sm_text_string(&x, found++ > 0 ? "," : "");
        if (is_incremental(s->api)) {
            sm_text_string(&x, c.op >= 0 && c.op <= OP_SUBTRACT ? ops[c.op] : "null");
            SM_TEXT(&x, ":");
        }
        sm_text_string(&x, c.name);
    }
    text[x.size] = '\0';
    if (found > 0)
        end_item(s, i, WIRE_ERROR_INVALID_REQUEST, text);
    return found > 0;
}

static void end_logger(struct kb_slot *s, struct item *i)
{
    char text[KB_TEXT_MAX];
    if (i->r.count <= 0) {
        end_item(s, i, 0, NULL);
        return;
    }
    snprintf(text, sizeof text, "Logger %.900s does not exist!",
             change_at(s->api, i->q, (int32_t)s->item, 0).name);
    end_invalid(s, i, text);
}

static void ask_exists(struct kb_turn *t, struct kb_slot *s)
{
    struct item i = item_of(t->b, s);
    char path[SM_PATH_MAX];
    sm_path_topic(path, i.r.name);
    ask(t, s, KB_PHASE_EXISTS, WIRE_ZK_EXISTS, path, NULL, 0);
}

/* An incremental change begins with what is there; the other kind replaces it. */
static void change(struct kb_turn *t, struct kb_slot *s, struct item *i)
{
    if (is_incremental(s->api)) {
        read_entity(t, s);
        return;
    }
    struct kb_props p = bag_for(t, s, 0);
    if (apply(t, s, i, &p))
        settle(t, s, i, &p);
}

static void begin_item(struct kb_turn *t, struct kb_slot *s)
{
    struct item i = item_of(t->b, s);
    char text[KB_TEXT_MAX];
    if ((is_incremental(s->api) && repeats_a_name(s, &i)) || has_null(s, &i))
        return;
    if (i.r.type == TYPE_TOPIC) {
        if (is_incremental(s->api) && i.r.name[0] == '\0') /* ZooKeeper's client, of its path */
            end_invalid(s, &i, "Path must not end with / character");
        else if (kb_cache_topic(kb_cache_of(t->b), i.r.name, strlen(i.r.name)) == KB_NO_TOPIC) {
            snprintf(text, sizeof text, "The topic '%s' does not exist.", i.r.name);
            end_item(s, &i, WIRE_ERROR_UNKNOWN_TOPIC_OR_PARTITION, text);
        } else {
            ask_exists(t, s);
        }
        return;
    }
    if (kb_broker_named(t->b, i.r.name, ",", text) < 0) {
        end_item(s, &i, WIRE_ERROR_INVALID_REQUEST, text);
    } else if (i.r.type == TYPE_LOGGER) {
        end_logger(s, &i);
    } else {
        change(t, s, &i);
    }
}

static void on_exists(struct kb_turn *t, struct kb_slot *s, const struct kb_reply *r)
{
    struct item i = item_of(t->b, s);
    char text[KB_TEXT_MAX];
    if (r->err == WIRE_ZK_NO_NODE) {
        snprintf(text, sizeof text, "Topic '%s' does not exist.", i.r.name);
        end_item(s, &i, WIRE_ERROR_UNKNOWN_TOPIC_OR_PARTITION, text);
    } else if (r->err != WIRE_ZK_OK) {
        end_item(s, &i, WIRE_ERROR_UNKNOWN_SERVER_ERROR, NULL);
    } else {
        change(t, s, &i);
    }
}

static void on_read(struct kb_turn *t, struct kb_slot *s, const struct kb_reply *r)
{
    struct item i = item_of(t->b, s);
    struct kb_props p = bag_for(t, s, r->size);
    if (r->err != WIRE_ZK_OK && r->err != WIRE_ZK_NO_NODE) {
        end_item(s, &i, WIRE_ERROR_UNKNOWN_SERVER_ERROR, NULL);
        return;
    }
    if (r->err == WIRE_ZK_OK)
        kb_props_read_znode(&p, r->data, r->size);
    if (apply(t, s, &i, &p))
        settle(t, s, &i, &p);
}

static void on_reply(struct kb_turn *t, struct kb_slot *s, const struct kb_reply *r)
{
    struct item i = item_of(t->b, s);
    bool good = r->err == WIRE_ZK_OK;
    if (s->phase == KB_PHASE_EXISTS)
        on_exists(t, s, r);
    else if (s->phase == KB_PHASE_READ)
        on_read(t, s, r);
    else if (s->phase == KB_PHASE_SET_CONFIG && r->err == WIRE_ZK_NO_NODE)
        write_entity(t, s, KB_PHASE_MAKE_CONFIG);
    else if (s->phase == KB_PHASE_MAKE_CONFIG && r->err == WIRE_ZK_NODE_EXISTS)
        write_entity(t, s, KB_PHASE_SET_CONFIG);
    else if (s->phase == KB_PHASE_NOTIFY || !good)
        end_item(s, &i, good ? 0 : WIRE_ERROR_UNKNOWN_SERVER_ERROR, NULL);
    else
        notify(t, s);
}

void kb_advance_alter_configs(struct kb_turn *t, struct kb_slot *s, const struct kb_reply *r)
{
    size_t before = t->scratch_used;
    if (r != NULL)
        on_reply(t, s, r);
    while (s->phase == KB_PHASE_ITEM &&
           (int32_t)s->item < resource_count(s->api, kb_request_of(t->b, s))) {
        t->scratch_used = before;
        begin_item(t, s);
    }
    t->scratch_used = before;
    if (s->phase == KB_PHASE_ITEM)
        kb_response_send(t, s);
}

struct kb_room kb_room_alter_configs(const struct kb_broker *b, const struct kb_broker_input *in)
{
    size_t count = (size_t)resource_count(in->api, in->message);
    (void)b;
    return (struct kb_room){.work = KB_ZNODE_MAX / 4 + 8 * in->size,
                            .response = 512 + 2 * in->size + count * (2 * KB_TEXT_MAX + 64),
                            .scratch = 8 * in->size + KB_VALUE_MAX};
}

/* Kafka's reader of AlterConfigs fails over a null, whosever it is. */
static bool old_request_has_null(int32_t api, const void *q)
{
    for (int32_t i = 0; !is_incremental(api) && i < resource_count(api, q); i++)
        for (int32_t k = 0; k < resource_at(api, q, i).count; k++)
            if (change_at(api, q, i, k).value == NULL)
                return true;
    return false;
}

static void begin(struct kb_turn *t)
{
    struct kb_room room = kb_room_alter_configs(t->b, t->in);
    struct kb_slot *s = kb_slot_take(t, room.work, room.response);
    const void *q = kb_request_of(t->b, s);
    int32_t count = resource_count(s->api, q);
    struct wire_flat f;
    char text[KB_TEXT_MAX] = "";
    bool fails = old_request_has_null(s->api, q);
    for (int32_t i = 0; i < count && !fails && text[0] == '\0'; i++) {
        struct resource r = resource_at(s->api, q, i);
        if (r.type == TYPE_LOGGER && !is_incremental(s->api))
            snprintf(text, sizeof text,
                     "AlterConfigs is deprecated and does not support the resource type "
                     "BROKER_LOGGER");
        else if (r.type != TYPE_TOPIC && r.type != TYPE_BROKER && r.type != TYPE_LOGGER)
            snprintf(text, sizeof text, "Unexpected resource type UNKNOWN");
    }
    response_head *head = kb_response_begin(t->b, s, &f, sizeof *head);
    result *out =
        kb_items(&f, &head->responses, count, &wire_layout_alter_configs_response_response);
    for (int32_t i = 0; i < head->responses.count; i++) {
        struct resource r = resource_at(s->api, q, i);
        out[i].resource_type = r.type;
        out[i].resource_name = wire_flat_string(&f, r.name);
        if (fails)
            kb_say(&f, &out[i].error_code, &out[i].error_message, WIRE_ERROR_UNKNOWN_SERVER_ERROR,
                   NULL);
        else if (text[0] != '\0')
            kb_say(&f, &out[i].error_code, &out[i].error_message, WIRE_ERROR_INVALID_REQUEST, text);
    }
    kb_response_close(s, &f);
    if (fails || text[0] != '\0')
        kb_response_send(t, s);
    else
        kb_advance_alter_configs(t, s, NULL);
}

void kb_begin_alter_configs(struct kb_turn *t)
{
    begin(t);
}

void kb_begin_incremental_alter_configs(struct kb_turn *t)
{
    begin(t);
}
