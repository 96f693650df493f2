/*
 * The table of znodes, and its interpreter.
 *
 * Data is whatever somebody wrote: of JSON only strings, whole numbers and lists of these have
 * words, -1 and an empty list are "none" (so Kafka says "no leader"), all else counts as absent.
 * Objects are walked in ascending order of their keys, numbers as numbers, for their order in a
 * file means nothing, and a browser does not keep it.
 */
#include "sim/narrate_znode.h"

#include <assert.h>
#include <inttypes.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "sim/text.h"

enum {
    SHOWN = 4,         /* znodes of a record, items of a list */
    WORDS = 300,       /* bytes of a template that is filled; longer: it is left out */
    DATA = 16 * WORDS, /* of all rows of a path */
};
#define WHOLE_MAX (INT64_C(1) << 53) /* numbers from here on a browser does not have exactly */

static const struct znode_row {
    const char *path, *list, *say;
} rows[] = {
    {"/brokers/topics/*/partitions/*/state", NULL,
     "leader {leader}, ISR {isr}, leader epoch {leader_epoch}"},
    {"/controller", NULL, "broker {brokerid}"},
    {"/controller_epoch", NULL, "{}"},
    {"/brokers/ids/*", NULL, "{host}:{port}"},
    {"/brokers/topics/*", "partitions", "partition {key} on {value}"},
    {"/brokers/topics/*", "adding_replicas", "adding {value} to {key}"},
    {"/brokers/topics/*", "removing_replicas", "removing {value} from {key}"},
    {"/admin/reassign_partitions", "partitions", "{topic}-{partition} to {replicas}"},
    {"/admin/preferred_replica_election", "partitions", "{topic}-{partition}"},
    {"/isr_change_notification/*", "partitions", "{topic}-{partition}"},
    {"/log_dir_event_notification/*", NULL, "of broker {broker}"},
    {"/config/*/*", "config", "{key}={value}"},
    {"/config/changes/*", NULL, "{entity_path}"},
    {"/latest_producer_id_block", NULL, "{block_start} to {block_end} for broker {broker}"},
    {"/cluster/id", NULL, "{id}"},
};

/* ---- JSON in words ---- */

/* Appends a value; false where it has no words. */
static bool add_json(char *out, size_t capacity, json_t *value)
{
    if (json_is_string(value)) {
        sim_text_append(out, capacity, "%s", json_string_value(value));
        return true;
    }
    if (json_is_integer(value)) {
        const int64_t number = json_integer_value(value);
        if (number == -1)
            sim_text_append(out, capacity, "none");
        else
            sim_text_append(out, capacity, "%" PRId64, number);
        return number > -WHOLE_MAX && number < WHOLE_MAX;
    }
    if (!json_is_array(value))
        return false;
    if (json_array_size(value) == 0)
        sim_text_append(out, capacity, "none");
    for (size_t i = 0; i < json_array_size(value); i++) {
        json_t *item = json_array_get(value, i);
        if (i > 0)
            sim_text_append(out, capacity, ",");
        if (json_is_array(item) || !add_json(out, capacity, item))
            return false;
    }
    return true;
}

/* ---- templates ---- */

struct item {
    const char *key; /* of an object that is walked; NULL else */
    json_t *value;
};

static json_t *member_of(const struct item *item, const char *name)
{
    if (item->key != NULL && strcmp(name, "value") == 0)
        return item->value;
    return name[0] == '\0' ? item->value : json_object_get(item->value, name);
}

/* Fills the template; false, and `out` unspecified, where something is absent, or it is too long.
 */
static bool fill(char out[WORDS + 2], const char *say, const struct item *item)
{
    const size_t capacity = WORDS + 2;
    out[0] = '\0';
    for (const char *at = say; *at != '\0';) {
        char name[32];
        const size_t size = strcspn(at, "{");
        sim_text_append(out, capacity, "%.*s", (int)size, at);
        at += size;
        if (*at == '\0')
            break;
        const size_t length = strcspn(at, "}") - 1;
        assert(length < sizeof(name));
        memcpy(name, at + 1, length);
        name[length] = '\0';
        at += length + 2;
        if (item->key != NULL && strcmp(name, "key") == 0)
            sim_text_append(out, capacity, "%s", item->key);
        else if (!add_json(out, capacity, member_of(item, name)))
            return false;
    }
    return strlen(out) <= WORDS;
}

static void add_part(char *out, size_t capacity, const char *part)
{
    sim_text_append(out, capacity, "%s%s", out[0] != '\0' ? ", " : "", part);
}

/* Numbers as numbers, before words. */
static int by_key(const void *a, const void *b)
{
    const char *x = *(const char *const *)a, *y = *(const char *const *)b;
    const bool is_x = strspn(x, "0123456789") == strlen(x);
    const bool is_y = strspn(y, "0123456789") == strlen(y);
    if (is_x != is_y)
        return is_x ? -1 : 1;
    if (is_x && strlen(x) != strlen(y))
        return strlen(x) < strlen(y) ? -1 : 1;
    return strcmp(x, y);
}

/* The keys of an object in order; the caller frees the list, whose texts the object owns. */
static const char **keys_of(json_t *object)
{
    const char **keys = calloc(json_object_size(object) + 1, sizeof(*keys)), *key;
    size_t count = 0;
    json_t *value;
    if (keys == NULL)
        abort();
    json_object_foreach(object, key, value) keys[count++] = key;
    qsort(keys, count, sizeof(*keys), by_key);
    return keys;
}

static void add_items(char *out, size_t capacity, const struct znode_row *row, json_t *list)
{
    const bool is_object = json_is_object(list);
    const size_t count = is_object ? json_object_size(list) : json_array_size(list);
    const char **keys = is_object ? keys_of(list) : NULL;
    char part[WORDS + 2];
    for (size_t i = 0; i < count && i < SHOWN; i++) {
        const struct item item = {.key = is_object ? keys[i] : NULL,
                                  .value = is_object ? json_object_get(list, keys[i])
                                                     : json_array_get(list, i)};
        if (fill(part, row->say, &item))
            add_part(out, capacity, part);
    }
    if (count > SHOWN) {
        snprintf(part, sizeof(part), "and %zu more", count - SHOWN);
        add_part(out, capacity, part);
    }
    free((void *)keys);
}

/* ---- one znode ---- */

static bool path_fits(const char *pattern, const char *path)
{
    while (*pattern != '\0') {
        if (*pattern == '*') {
            const size_t size = strcspn(path, "/");
            if (size == 0)
                return false;
            path += size;
            pattern++;
        } else if (*pattern++ != *path++) {
            return false;
        }
    }
    return *path == '\0';
}

/* What is in the znode; "" where nothing has words. */
static void put_data(char *out, size_t capacity, const char *path, const struct sim_value *znode)
{
    struct sim_value data;
    char part[WORDS + 2];
    out[0] = '\0';
    if (!sim_object_get(znode, SIM_F_DATA, &data) || data.type != SIM_V_TEXT)
        return;
    json_t *json = json_loadb(data.text, data.size, JSON_DECODE_ANY, NULL);
    for (size_t i = 0; json != NULL && i < sizeof(rows) / sizeof(rows[0]); i++) {
        if (!path_fits(rows[i].path, path))
            continue;
        const struct item whole = {.value = json};
        if (rows[i].list != NULL)
            add_items(out, capacity, &rows[i], json_object_get(json, rows[i].list));
        else if (fill(part, rows[i].say, &whole))
            add_part(out, capacity, part);
    }
    json_decref(json);
}

static int64_t number_of(const struct sim_value *znode, enum sim_field field)
{
    struct sim_value value;
    return sim_object_get(znode, field, &value) && value.type == SIM_V_INT ? value.number : -1;
}

static void add_znode(char *out, size_t capacity, const char *path, const struct sim_value *znode)
{
    char data[DATA];
    const char *between = out[0] != '\0' ? "; " : "";
    if (znode->type != SIM_V_OBJECT) {
        sim_text_append(out, capacity, "%sdeletes %s", between, path);
        return;
    }
    const int64_t czxid = number_of(znode, SIM_F_CZXID), version = number_of(znode, SIM_F_VERSION);
    const bool is_new = czxid > 0 ? czxid == number_of(znode, SIM_F_MZXID) : version == 0;
    put_data(data, sizeof(data), path, znode);
    sim_text_append(out, capacity, "%s%s %s%s%s", between, is_new ? "creates" : "writes", path,
                    data[0] != '\0' ? ": " : "", data);
    if (version >= 0)
        sim_text_append(out, capacity, " (version %" PRId64 ")", version);
}

/* ---- all of a record ---- */

/* Whether the record sets the same fact once more behind `walk`: then that is what is told. */
static bool is_set_again(const struct sim_record *r, struct sim_walk walk, const char *key)
{
    struct sim_value value;
    const char *later;
    while (sim_record_next_set(r, &walk, &later, &value))
        if (strcmp(later, key) == 0)
            return true;
    return false;
}

size_t sim_narrate_znodes(const struct sim_record *r, char *out, size_t capacity)
{
    struct sim_walk walk = {0};
    struct sim_value value;
    const char *key;
    uint32_t count = 0;
    out[0] = '\0';
    while (sim_record_next_set(r, &walk, &key, &value)) {
        if (strncmp(key, "zn:", 3) != 0 || (count < SHOWN && is_set_again(r, walk, key)))
            continue;
        if (count++ < SHOWN)
            add_znode(out, capacity, key + 3, &value);
    }
    if (count > SHOWN)
        sim_text_append(out, capacity, "; and %" PRIu32 " more", count - SHOWN);
    return strlen(out);
}

void sim_narrate_print_znodes(FILE *out)
{
    const size_t count = sizeof(rows) / sizeof(rows[0]);
    fputs("[\n", out);
    for (size_t i = 0; i < count; i++)
        fprintf(out, " {\"path\":\"%s\",\"list\":\"%s\",\"say\":\"%s\"}%s\n", rows[i].path,
                rows[i].list != NULL ? rows[i].list : "", rows[i].say, i + 1 < count ? "," : "");
    fputs("]\n", out);
}
