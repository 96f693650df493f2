/*
 * The znodes of one or two fields: who is controller and in which epoch, a failed log directory, a
 * topic's settings and their change, the feature switch.
 *
 * Source: Kafka kafka.zk.ZkData; kafka.server.DynamicConfigManager (config changes).
 */
#include "statemachine/znode.h"

#include <string.h>

#include "statemachine/json.h"
#include "statemachine/text.h"

/* Reads an object of which one integer field matters, and must be there. */
static enum sm_err decode_int_field(const char *bytes, size_t size, const char *name, int32_t *out)
{
    struct sm_json j = sm_json_begin(bytes, size);
    struct sm_span key;
    int32_t value = 0;
    bool found = false;
    for (sm_json_object(&j); sm_json_member(&j, &key);) {
        if (sm_span_is(&key, name))
            found = sm_json_int32(&j, &value);
        else
            sm_json_skip(&j);
    }
    enum sm_err err = sm_json_end(&j);
    if (err != SM_ERR_OK)
        return err;
    if (!found)
        return SM_ERR_SYNTAX;
    *out = value;
    return SM_ERR_OK;
}

enum sm_err sm_znode_decode_controller(const char *bytes, size_t size, int32_t *broker_id)
{
    return decode_int_field(bytes, size, "brokerid", broker_id);
}

size_t sm_znode_encode_controller(char *out, size_t capacity, int32_t broker_id,
                                  int64_t timestamp_ms)
{
    struct sm_text t = sm_text_begin(out, capacity);
    SM_TEXT(&t, "{\"version\":1,\"brokerid\":");
    sm_text_int(&t, broker_id);
    SM_TEXT(&t, ",\"timestamp\":\"");
    sm_text_int(&t, timestamp_ms);
    SM_TEXT(&t, "\"}");
    return sm_text_end(&t);
}

enum sm_err sm_znode_decode_epoch(const char *bytes, size_t size, int32_t *epoch)
{
    return size == 0 ? SM_ERR_SYNTAX : sm_parse_int32(bytes, size, epoch);
}

size_t sm_znode_encode_epoch(char *out, size_t capacity, int32_t epoch)
{
    struct sm_text t = sm_text_begin(out, capacity);
    sm_text_int(&t, epoch);
    return sm_text_end(&t);
}

enum sm_err sm_znode_decode_log_dir_event(const char *bytes, size_t size, int32_t *broker_id)
{
    return decode_int_field(bytes, size, "broker", broker_id);
}

size_t sm_znode_encode_log_dir_event(char *out, size_t capacity, int32_t broker_id)
{
    struct sm_text t = sm_text_begin(out, capacity);
    SM_TEXT(&t, "{\"version\":1,\"broker\":");
    sm_text_int(&t, broker_id);
    SM_TEXT(&t, ",\"event\":1}");
    return sm_text_end(&t);
}

/* ---- settings ---- */

/* Finds `key` in the map that comes next; every value must be a string, found or not. The last of a
   name counts. */
static void find_setting(struct sm_json *j, const char *key, struct sm_span *value, bool *found)
{
    struct sm_span name, text;
    *found = false;
    for (sm_json_object(j); sm_json_member(j, &name);) {
        if (!sm_json_string(j, &text))
            return;
        if (sm_span_is(&name, key)) {
            *value = text;
            *found = true;
        }
    }
}

enum sm_err sm_znode_config_get(const char *bytes, size_t size, const char *key, char *value,
                                size_t capacity, bool *found)
{
    struct sm_json j = sm_json_begin(bytes, size);
    struct sm_span name, text;
    bool has = false;
    *found = false;
    if (size == 0)
        return SM_ERR_OK;
    if (sm_json_peek(&j) != '{') {
        sm_json_skip(&j);
        return sm_json_end(&j);
    }
    for (sm_json_object(&j); sm_json_member(&j, &name);) {
        if (sm_span_is(&name, "config") && sm_json_peek(&j) == '{')
            find_setting(&j, key, &text, &has);
        else
            sm_json_skip(&j);
    }
    enum sm_err err = sm_json_end(&j);
    if (err == SM_ERR_OK && has)
        err = sm_span_copy(&text, value, capacity, &size);
    *found = err == SM_ERR_OK && has;
    return err;
}

/* ---- changes of settings ---- */

struct change {
    int32_t version;
    bool has_version, has_path, has_type, has_name;
    struct sm_span path, type, name;
};

static void read_change_field(struct sm_json *j, const struct sm_span *key, struct change *c)
{
    if (sm_span_is(key, "version"))
        c->has_version = sm_json_int32(j, &c->version);
    else if (sm_span_is(key, "entity_path"))
        c->has_path = sm_json_string(j, &c->path);
    else if (sm_span_is(key, "entity_type"))
        c->has_type = sm_json_string(j, &c->type);
    else if (sm_span_is(key, "entity_name"))
        c->has_name = sm_json_string(j, &c->name);
    else
        sm_json_skip(j);
}

/* Version 1 names the type and the entity apart, and knows topics and clients. */
static enum sm_err copy_version_1(const struct change *c, char *entity, size_t capacity)
{
    size_t type_size, name_size;
    if (!c->has_type || !c->has_name)
        return SM_ERR_SYNTAX;
    if (!sm_span_is(&c->type, "topics") && !sm_span_is(&c->type, "clients"))
        return SM_ERR_SYNTAX;
    enum sm_err err = sm_span_copy(&c->type, entity, capacity, &type_size);
    if (err != SM_ERR_OK)
        return err;
    entity[type_size++] = '/'; /* where the NUL stands, so that there is room */
    return sm_span_copy(&c->name, entity + type_size, capacity - type_size, &name_size);
}

static enum sm_err copy_version_2(const struct change *c, char *entity, size_t capacity)
{
    size_t size;
    return c->has_path ? sm_span_copy(&c->path, entity, capacity, &size) : SM_ERR_SYNTAX;
}

enum sm_err sm_znode_decode_config_change(const char *bytes, size_t size, char *entity,
                                          size_t capacity)
{
    struct sm_json j = sm_json_begin(bytes, size);
    struct sm_span key;
    struct change c = {0};
    for (sm_json_object(&j); sm_json_member(&j, &key);)
        read_change_field(&j, &key, &c);
    enum sm_err err = sm_json_end(&j);
    if (err != SM_ERR_OK)
        return err;
    if (!c.has_version)
        return SM_ERR_SYNTAX;
    if (c.version == 1)
        return copy_version_1(&c, entity, capacity);
    return c.version == 2 ? copy_version_2(&c, entity, capacity) : SM_ERR_RANGE;
}

/* ---- the feature switch ---- */

size_t sm_znode_encode_feature(char *out, size_t capacity, int32_t status)
{
    struct sm_text t = sm_text_begin(out, capacity);
    SM_TEXT(&t, "{\"features\":{},\"version\":1,\"status\":");
    sm_text_int(&t, status);
    SM_TEXT(&t, "}");
    return sm_text_end(&t);
}

enum sm_err sm_znode_decode_feature(const char *bytes, size_t size, int32_t *status)
{
    struct sm_json j = sm_json_begin(bytes, size);
    struct sm_span key;
    int32_t version = 0, value = 0;
    bool has_version = false, has_status = false, has_features = false;
    for (sm_json_object(&j); sm_json_member(&j, &key);) {
        if (sm_span_is(&key, "version")) {
            has_version = sm_json_int32(&j, &version);
        } else if (sm_span_is(&key, "status")) {
            has_status = sm_json_int32(&j, &value);
        } else {
            has_features |= sm_span_is(&key, "features") && sm_json_peek(&j) == '{';
            sm_json_skip(&j);
        }
    }
    enum sm_err err = sm_json_end(&j);
    if (err != SM_ERR_OK)
        return err;
    if (!has_version || !has_status || !has_features)
        return SM_ERR_SYNTAX;
    if (version < 1 || value < 0 || value > 1)
        return SM_ERR_RANGE;
    *status = value;
    return SM_ERR_OK;
}
