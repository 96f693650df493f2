/*
 * The JSON Schema of scenario files, printed from the tables of the grammar.
 *
 * Each shape is a definition; each form of value is a small schema. What only meaning can tell
 * (does this broker exist, does this label) is the reader's business; the schema is for editors,
 * which complete keys and underline wrong ones.
 */
#include <assert.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "broker/settings.h"
#include "sim/client_properties.h"
#include "sim/grammar.h"
#include "sim/pattern.h"
#include "sim/properties.h"
#include "statemachine/profile.h"

static json_t *typed(const char *type)
{
    return json_pack("{s:s}", "type", type);
}

static json_t *scalar(void)
{
    return json_pack("{s:[s,s,s]}", "type", "string", "number", "boolean");
}

static json_t *reference(enum sim_shape shape)
{
    char path[64];
    snprintf(path, sizeof(path), "#/definitions/%s", sim_shape_name(shape));
    return json_pack("{s:s}", "$ref", path);
}

static json_t *any_of(json_t *a, json_t *b, json_t *c)
{
    json_t *list = json_array();
    json_array_append_new(list, a);
    json_array_append_new(list, b);
    if (c != NULL) {
        json_array_append_new(list, c);
    }
    return json_pack("{s:o}", "anyOf", list);
}

static json_t *list_of(json_t *items)
{
    return json_pack("{s:s,s:o}", "type", "array", "items", items);
}

static json_t *map_of(json_t *values)
{
    return json_pack("{s:s,s:o}", "type", "object", "additionalProperties", values);
}

static json_t *time_schema(void)
{
    return json_pack("{s:s,s:s}", "type", "string", "pattern",
                     "^([0-9]+(\\.[0-9]+)?(us|µs|ms|s|m|h|d))+$");
}

static json_t *words(const char *const *list)
{
    json_t *values = json_array();
    for (; *list != NULL; list++) {
        char *end;
        const double number = strtod(*list, &end);
        json_array_append_new(values, json_string(*list));
        if (end != *list && *end == '\0') { /* YAML reads kafka: 2.8 as a number */
            json_array_append_new(values, json_real(number));
        }
    }
    return json_pack("{s:o}", "enum", values);
}

static json_t *codecs(void)
{
    json_t *values = json_array();
    for (int c = KB_COMPRESSION_PRODUCER; c < KB_COMPRESSION_END; c++) {
        json_array_append_new(values, json_string(kb_compression_name((enum kb_compression)c)));
    }
    return json_pack("{s:o}", "enum", values);
}

static json_t *named(const struct sim_property_row *rows)
{
    json_t *properties = json_object();
    for (; rows->name != NULL; rows++) {
        json_object_set_new(properties, rows->name,
                            rows->type == SIM_P_IGNORED
                                ? json_pack("{s:s}", "description", "not modelled: has no effect")
                            : rows->type == SIM_P_BOOL  ? typed("boolean")
                            : rows->type == SIM_P_NAMES ? typed("string")
                            : rows->type == SIM_P_CODEC ? codecs()
                            : rows->type == SIM_P_CLEANUP || rows->type == SIM_P_STAMP
                                ? typed("string")
                                : typed("integer"));
    }
    return json_pack("{s:s,s:o,s:b}", "type", "object", "properties", properties,
                     "additionalProperties", 0);
}

static json_t *client_properties(void)
{
    json_t *properties = json_object();
    for (const struct sim_client_property *row = sim_client_properties; row->name != NULL; row++) {
        json_object_set_new(properties, row->name,
                            row->type == SIM_CP_IGNORED
                                ? json_pack("{s:s}", "description", "not modelled: has no effect")
                            : row->type == SIM_CP_BOOL                          ? typed("boolean")
                            : row->type == SIM_CP_WORD                          ? words(row->words)
                            : row->type == SIM_CP_INT || row->type == SIM_CP_MS ? typed("integer")
                                                                                : scalar());
    }
    return json_pack("{s:s,s:o,s:b}", "type", "object", "properties", properties,
                     "additionalProperties", 0);
}

static json_t *switches(void)
{
    json_t *properties = json_object();
    for (int i = 0; i < SM_DEFECT_END; i++) {
        json_t *defect = json_pack("{s:[s,b,b],s:s}", "enum", "off", 0, 1, "description",
                                   sm_defect_text((enum sm_defect)i));
        json_array_append_new(json_object_get(defect, "enum"), json_string("on"));
        json_object_set_new(properties, sm_defect_jira((enum sm_defect)i), defect);
    }
    return json_pack("{s:s,s:o,s:b}", "type", "object", "properties", properties,
                     "additionalProperties", 0);
}

static json_t *ids(void)
{
    return list_of(typed("integer"));
}

static json_t *target(void)
{
    return any_of(typed("integer"), typed("string"),
                  list_of(json_pack("{s:[s,s]}", "type", "integer", "string")));
}

/* What an expectation is about: a state, a record, or a check by its name. */
static json_t *statement_or_pattern(void)
{
    return any_of(reference(SIM_SHAPE_STATEMENT), reference(SIM_SHAPE_PATTERN), typed("string"));
}

static json_t *is_schema(void)
{
    json_t *list = json_array();
    for (enum sim_shape s = SIM_SHAPE_IS_PARTITION; s <= SIM_SHAPE_IS_ZNODE; s++) {
        json_array_append_new(list, reference(s));
    }
    json_array_append_new(list, json_pack("{s:[s,s]}", "enum", "absent", "present"));
    return json_pack("{s:o}", "anyOf", list);
}

static json_t *partition_json(void)
{
    return any_of(typed("string"), typed("array"), typed("object"));
}

static json_t *value_schema(const struct sim_key *key)
{
    switch (key->form) {
    case SIM_FORM_TEXT:
        return key->shape == SIM_SHAPE_STATEMENT || key->shape == SIM_SHAPE_STEP ||
                       key->shape == SIM_SHAPE_FILE || key->shape == SIM_SHAPE_NODE
                   ? scalar()
                   : typed("string");
    case SIM_FORM_INT:
        return typed("integer");
    case SIM_FORM_BOOL:
        return typed("boolean");
    case SIM_FORM_TRUE:
        return json_pack("{s:[b]}", "enum", 1);
    case SIM_FORM_TIME:
        return time_schema();
    case SIM_FORM_OFFSET:
        return json_pack("{s:s,s:s}", "type", "string", "pattern",
                         "^-?([0-9]+(\\.[0-9]+)?(us|µs|ms|s|m|h|d))+$");
    case SIM_FORM_FACTOR:
        return typed("number");
    case SIM_FORM_UNTIL:
        return any_of(time_schema(), json_pack("{s:[s]}", "enum", "quiet"), NULL);
    case SIM_FORM_PERCENT:
        return json_pack("{s:s,s:s}", "type", "string", "pattern", "^[0-9]+%$");
    case SIM_FORM_AFTER:
        return typed("string");
    case SIM_FORM_TARGET:
        return target();
    case SIM_FORM_GROUPS:
        return list_of(target());
    case SIM_FORM_IDS:
        return ids();
    case SIM_FORM_VALUE:
        return any_of(scalar(), ids(), NULL);
    case SIM_FORM_PROPERTIES:
        return any_of(named(sim_broker_properties), typed("string"), NULL);
    case SIM_FORM_CONFIG:
        return named(sim_topic_properties);
    case SIM_FORM_ASSIGNMENT:
        return any_of(map_of(ids()), list_of(ids()), NULL);
    case SIM_FORM_SWITCHES:
        return switches();
    case SIM_FORM_NODES:
        return any_of(list_of(any_of(typed("integer"), reference(SIM_SHAPE_NODE), NULL)),
                      map_of(any_of(reference(SIM_SHAPE_NODE), typed("null"), NULL)), NULL);
    case SIM_FORM_TOPICS:
    case SIM_FORM_GIVENS:
        return map_of(reference(key->of));
    case SIM_FORM_LOGS:
        return map_of(list_of(json_pack("{s:s,s:s}", "type", "string", "pattern", "@[0-9]+$")));
    case SIM_FORM_PARTITIONS:
        return any_of(typed("integer"), typed("string"), list_of(typed("string")));
    case SIM_FORM_ISRS:
        return map_of(ids());
    case SIM_FORM_KAFKA_JSON:
        return partition_json();
    case SIM_FORM_NAMES:
        return any_of(scalar(), list_of(scalar()), NULL);
    case SIM_FORM_RATE:
        return json_pack("{s:s,s:s}", "type", "string", "pattern", "^[0-9]+/(us|ms|s|m|h|d)$");
    case SIM_FORM_CLIENT_PROPERTIES:
        return client_properties();
    case SIM_FORM_ENUM:
        return words(key->words);
    case SIM_FORM_OBJECT:
        return key->shape == SIM_SHAPE_EXPECT && key->of == SIM_SHAPE_STATEMENT
                   ? statement_or_pattern()
                   : reference(key->of);
    case SIM_FORM_OBJECT_OR_ALL:
        return any_of(reference(key->of), json_pack("{s:[s]}", "enum", "all"), NULL);
    case SIM_FORM_LIST:
        return list_of(reference(key->of));
    case SIM_FORM_JSON_VALUE:
        return any_of(scalar(), typed("object"), NULL);
    case SIM_FORM_IS:
        return is_schema();
    case SIM_FORM_TEXTS:
        return map_of(typed("string"));
    case SIM_FORM_READINGS:
        return map_of(reference(key->of));
    case SIM_FORM_CHOICES:
        return any_of(json_pack("{s:[s]}", "enum", "brokers"),
                      list_of(any_of(scalar(), reference(key->of), NULL)), NULL);
    }
    assert(false);
    return json_object();
}

static void add_keys(json_t *properties, enum sim_shape shape)
{
    for (const struct sim_key *key = sim_keys; key->name != NULL; key++) {
        if (key->shape == shape && json_object_get(properties, key->name) == NULL) {
            json_t *value = value_schema(key);
            json_object_set_new(
                value, "description",
                json_sprintf("%s%s", key->text, key->later ? " (not modelled yet: refused)" : ""));
            json_object_set_new(properties, key->name, value);
        }
    }
}

static json_t *event_names(void)
{
    json_t *names = json_array();
    for (unsigned i = 0; sim_event_name(i) != NULL; i++) {
        json_array_append_new(names, json_string(sim_event_name(i)));
    }
    return json_pack("{s:o}", "enum", names);
}

static json_t *shape_schema(enum sim_shape shape)
{
    json_t *properties = json_object();
    bool open = false;
    add_keys(properties, shape);
    if (shape == SIM_SHAPE_EXPECT) {
        /* by and at stand beside their statement, or beside the fields of a pattern */
        add_keys(properties, SIM_SHAPE_STATEMENT);
        json_object_set_new(properties, "event", event_names());
        open = true;
    }
    if (shape == SIM_SHAPE_PATTERN) {
        json_object_set_new(properties, "event", event_names());
        open = true; /* fields are the trace's own */
    }
    if (shape == SIM_SHAPE_JOB) {
        open = true; /* what else a job says is not settled */
    }
    json_t *schema = json_pack("{s:s,s:s,s:o}", "description", sim_shape_text(shape), "type",
                               "object", "properties", properties);
    if (!open) {
        json_object_set_new(schema, "additionalProperties", json_false());
    }
    if (shape == SIM_SHAPE_FILE) {
        json_object_set_new(schema, "required", json_pack("[s,s]", "title", "cluster"));
    }
    if (shape == SIM_SHAPE_PATTERN) {
        json_object_set_new(schema, "required", json_pack("[s]", "event"));
    }
    return schema;
}

void sim_schema_print(FILE *out)
{
    json_t *definitions = json_object();
    for (enum sim_shape s = SIM_SHAPE_FILE; s < SIM_SHAPE_END; s++) {
        json_object_set_new(definitions, sim_shape_name(s), shape_schema(s));
    }
    json_t *schema = json_pack(
        "{s:s,s:s,s:s,s:s,s:o}", "$schema", "http://json-schema.org/draft-07/schema#", "title",
        "kcsim scenario", "description", "Printed by kcsim explain schema; see docs/scenarios.md.",
        "$ref", "#/definitions/file", "definitions", definitions);
    char *text = json_dumps(schema, JSON_INDENT(1));
    if (text == NULL) {
        abort();
    }
    fprintf(out, "%s\n", text);
    free(text);
    json_decref(schema);
}
