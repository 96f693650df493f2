/*
 * Describing: a topic is read once into rows, then printed in one of the forms.
 *
 * Malformed znodes are possible (an operator can write anything): a topic that cannot be decoded
 * has no partitions, a state that cannot be decoded is no leader and no ISR, as Kafka's tools have
 * it.
 */
#include "sim/describe.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include <jansson.h>

#include "sim/keys.h"
#include "sim/znodes.h"
#include "statemachine/znode.h"

struct partition {
    int32_t id;
    struct sm_assignment assignment;
    int32_t leader; /* -1 none */
    struct sm_list isr;
};

struct topic {
    char name[SM_TOPIC_NAME_MAX + 1];
    struct partition *partitions; /* ascending by id */
    size_t count, capacity;
    bool has_id, is_deleted;
    uint8_t id[16];
    const char *config; /* text of /config/topics/T, NULL none */
    uint32_t config_size;
    int64_t min_isr;
};

struct scene {
    FILE *out;
    const struct sim_facts *facts;
    uint64_t n;
    const struct sim_describe_options *options;
};

/* ---- reading ---- */

static bool is_live(const struct scene *s, int32_t broker)
{
    char path[SM_PATH_MAX];
    struct sim_znode znode;
    sm_path_broker(path, broker);
    return sim_znode_get(s->facts, path, s->n, &znode);
}

/* Keeps the partitions ascending; one that the text names twice counts as it stands last. */
static void put_partition(struct topic *t, const struct partition *p)
{
    size_t at = t->count;
    while (at > 0 && t->partitions[at - 1].id > p->id)
        at--;
    if (at > 0 && t->partitions[at - 1].id == p->id) {
        t->partitions[at - 1] = *p;
        return;
    }
    t->partitions = sim_grow(t->partitions, &t->capacity, t->count + 1, sizeof(*t->partitions));
    memmove(&t->partitions[at + 1], &t->partitions[at], (t->count - at) * sizeof(*t->partitions));
    t->partitions[at] = *p;
    t->count++;
}

static void read_config(const struct scene *s, struct topic *t)
{
    char path[SM_PATH_MAX], value[32];
    struct sim_znode znode;
    bool found = false;
    sm_path_config_topic(path, t->name);
    t->min_isr = 1;
    if (!sim_znode_get(s->facts, path, s->n, &znode) || znode.data == NULL)
        return;
    t->config = znode.data;
    t->config_size = znode.size;
    if (sm_znode_config_get(znode.data, znode.size, "min.insync.replicas", value, sizeof(value),
                            &found) == SM_ERR_OK &&
        found)
        t->min_isr = strtoll(value, NULL, 10);
}

/* False where the topic does not exist. */
static bool read_topic(const struct scene *s, const char *name, struct topic *t)
{
    char path[SM_PATH_MAX];
    struct sim_znode znode;
    struct sm_topic_reader reader;
    struct partition p = {0};
    *t = (struct topic){0};
    if (strlen(name) > SM_TOPIC_NAME_MAX)
        return false;
    snprintf(t->name, sizeof(t->name), "%s", name);
    sm_path_topic(path, name);
    if (!sim_znode_get(s->facts, path, s->n, &znode))
        return false;
    if (znode.data != NULL && sm_topic_open(&reader, znode.data, znode.size) == SM_ERR_OK) {
        while (sm_topic_next(&reader, &p.id, &p.assignment)) {
            struct sm_leader_and_isr li;
            bool known = sim_znode_leadership(s->facts, name, p.id, s->n, &li);
            p.leader = known ? li.leader : SM_NO_LEADER;
            p.isr = known ? li.isr : (struct sm_list){0};
            put_partition(t, &p);
        }
        t->has_id = reader.has_topic_id;
        memcpy(t->id, reader.topic_id, sizeof(t->id));
    }
    sm_path_delete_topic(path, name);
    t->is_deleted = sim_znode_get(s->facts, path, s->n, &znode);
    read_config(s, t);
    return true;
}

/* ---- Kafka's form ---- */

static void print_ids(FILE *out, const struct sm_list *list)
{
    for (int32_t i = 0; i < list->count; i++)
        fprintf(out, "%s%" PRId32, i > 0 ? "," : "", list->id[i]);
}

/* org.apache.kafka.common.Uuid.toString: base64 for URLs without padding. */
static void print_uuid(FILE *out, const uint8_t *id)
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    uint32_t bits = 0;
    int have = 0;
    for (int i = 0; i < 16; i++) {
        bits = (bits << 8 | id[i]) & 0xffff;
        for (have += 8; have >= 6; have -= 6)
            fputc(digits[bits >> (have - 6) & 63], out);
    }
    fputc(digits[bits << (6 - have) & 63], out);
}

/* "k=v,k=v" in the order of the znode {"version":1,"config":{k:v}}. */
static void print_config(FILE *out, const struct topic *t)
{
    const char *key, *comma = "";
    json_t *root = t->config != NULL ? json_loadb(t->config, t->config_size, 0, NULL) : NULL;
    json_t *value;
    json_object_foreach(json_object_get(root, "config"), key, value)
    {
        if (!json_is_string(value))
            continue;
        fprintf(out, "%s%s=%s", comma, key, json_string_value(value));
        comma = ",";
    }
    json_decref(root);
}

/* Replicas that a reassignment adds do not count. */
static int32_t replication_factor(const struct partition *p)
{
    struct sm_list staying = sm_list_minus(&p->assignment.replicas, &p->assignment.adding);
    return staying.count;
}

static void print_topic_line(const struct scene *s, const struct topic *t)
{
    const char *blank = s->options->compat_0_9 ? "" : " ";
    int32_t factor = t->count > 0 ? replication_factor(&t->partitions[0]) : 0;
    fprintf(s->out, "Topic:%s%s", blank, t->name);
    if (t->has_id && !s->options->compat_0_9) {
        fputs("\tTopicId: ", s->out);
        print_uuid(s->out, t->id);
    }
    fprintf(s->out, "\tPartitionCount:%s%zu\tReplicationFactor:%s%" PRId32 "\tConfigs:%s", blank,
            t->count, blank, factor, blank);
    print_config(s->out, t);
    if (t->is_deleted && !s->options->compat_0_9)
        fputs("\tMarkedForDeletion: true", s->out);
    fputc('\n', s->out);
}

static void print_partition_line(const struct scene *s, const struct topic *t,
                                 const struct partition *p)
{
    fprintf(s->out, "\tTopic: %s\tPartition: %" PRId32 "\tLeader: ", t->name, p->id);
    if (p->leader == SM_NO_LEADER)
        fputs("none", s->out);
    else
        fprintf(s->out, "%" PRId32, p->leader);
    fputs("\tReplicas: ", s->out);
    print_ids(s->out, &p->assignment.replicas);
    fputs("\tIsr: ", s->out);
    print_ids(s->out, &p->isr);
    if (!s->options->compat_0_9 && sm_assignment_is_being_reassigned(&p->assignment)) {
        fputs("\tAdding Replicas: ", s->out);
        print_ids(s->out, &p->assignment.adding);
        fputs("\tRemoving Replicas: ", s->out);
        print_ids(s->out, &p->assignment.removing);
    }
    if (t->is_deleted && !s->options->compat_0_9)
        fputs("\tMarkedForDeletion: true", s->out);
    fputc('\n', s->out);
}

static bool is_filtered(const struct sim_describe_options *o)
{
    return o->under_replicated || o->unavailable || o->under_min_isr || o->at_min_isr;
}

static bool is_wanted(const struct scene *s, const struct topic *t, const struct partition *p)
{
    const struct sim_describe_options *o = s->options;
    bool has_leader = p->leader != SM_NO_LEADER;
    if (!is_filtered(o))
        return true;
    return (o->under_replicated && p->isr.count < replication_factor(p)) ||
           (o->unavailable && (!has_leader || !is_live(s, p->leader))) ||
           (o->under_min_isr && (!has_leader || p->isr.count < t->min_isr)) ||
           (o->at_min_isr && p->isr.count == t->min_isr);
}

static void print_topic(const struct scene *s, const struct topic *t)
{
    if (!is_filtered(s->options))
        print_topic_line(s, t);
    for (size_t i = 0; i < t->count; i++)
        if (is_wanted(s, t, &t->partitions[i]))
            print_partition_line(s, t, &t->partitions[i]);
}

/* ---- reassignments ---- */

static void print_reassignments(const struct scene *s, const struct topic *t, bool *any)
{
    for (size_t i = 0; i < t->count; i++) {
        const struct sm_assignment *a = &t->partitions[i].assignment;
        if (!sm_assignment_is_being_reassigned(a))
            continue;
        if (!*any)
            fputs("Current partition reassignments:\n", s->out);
        *any = true;
        fprintf(s->out, "%s-%" PRId32 ": replicas: ", t->name, t->partitions[i].id);
        print_ids(s->out, &a->replicas);
        fputc('.', s->out);
        if (a->adding.count > 0) {
            fputs(" adding: ", s->out);
            print_ids(s->out, &a->adding);
            fputc('.', s->out);
        }
        if (a->removing.count > 0) {
            fputs(" removing: ", s->out);
            print_ids(s->out, &a->removing);
            fputc('.', s->out);
        }
        fputc('\n', s->out);
    }
}

/* ---- kcat's forms ---- */

/* Children of /brokers/ids are names in byte order; brokers are listed by number. */
struct brokers {
    struct sm_broker *at;
    size_t count, capacity;
    int32_t controller;
};

static int compare_brokers(const void *a, const void *b)
{
    int32_t left = ((const struct sm_broker *)a)->id, right = ((const struct sm_broker *)b)->id;
    return left < right ? -1 : left > right;
}

static struct brokers read_brokers(const struct scene *s)
{
    struct brokers b = {.controller = -1};
    struct sim_fact_walk walk = {0};
    struct sim_znode znode;
    const char *name;
    while (sim_znode_next_child(s->facts, SM_PATH_BROKER_IDS, s->n, &walk, &name)) {
        char path[SM_PATH_MAX];
        int32_t id;
        if (strlen(name) > 10)
            continue;
        sm_path_child(path, SM_PATH_BROKER_IDS, name);
        b.at = sim_grow(b.at, &b.capacity, b.count + 1, sizeof(*b.at));
        if (sm_path_is_broker(path, &id) && sim_znode_get(s->facts, path, s->n, &znode) &&
            znode.data != NULL &&
            sm_znode_decode_broker(znode.data, znode.size, id, &b.at[b.count]) == SM_ERR_OK)
            b.count++;
    }
    if (b.count > 1)
        qsort(b.at, b.count, sizeof(*b.at), compare_brokers);
    if (sim_znode_get(s->facts, SM_PATH_CONTROLLER, s->n, &znode) && znode.data != NULL)
        sm_znode_decode_controller(znode.data, znode.size, &b.controller);
    return b;
}

static const char *host_of(const struct sm_broker *b)
{
    return b->endpoint_count > 0 ? b->endpoint[0].host : "";
}

static int32_t port_of(const struct sm_broker *b)
{
    return b->endpoint_count > 0 ? b->endpoint[0].port : 0;
}

static void print_kcat_brokers(const struct scene *s, const struct brokers *b)
{
    const struct sm_broker none = {.id = -1};
    const struct sm_broker *from = b->count > 0 ? &b->at[0] : &none;
    fprintf(s->out, "Metadata for %s (from broker %" PRId32 ": %s:%" PRId32 "/%" PRId32 "):\n",
            s->options->topic != NULL ? s->options->topic : "all topics", from->id, host_of(from),
            port_of(from), from->id);
    fprintf(s->out, " %zu brokers:\n", b->count);
    for (size_t i = 0; i < b->count; i++)
        fprintf(s->out, "  broker %" PRId32 " at %s:%" PRId32 "%s\n", b->at[i].id,
                host_of(&b->at[i]), port_of(&b->at[i]),
                b->at[i].id == b->controller ? " (controller)" : "");
}

static void print_kcat_topic(const struct scene *s, const struct topic *t)
{
    fprintf(s->out, "  topic \"%s\" with %zu partitions:\n", t->name, t->count);
    for (size_t i = 0; i < t->count; i++) {
        const struct partition *p = &t->partitions[i];
        fprintf(s->out, "    partition %" PRId32 ", leader %" PRId32 ", replicas: ", p->id,
                p->leader);
        print_ids(s->out, &p->assignment.replicas);
        fputs(", isrs: ", s->out);
        print_ids(s->out, &p->isr);
        fputs(p->leader == SM_NO_LEADER ? ", Broker: Leader not available\n" : "\n", s->out);
    }
}

static void print_json_brokers(const struct scene *s, const struct brokers *b)
{
    const struct sm_broker none = {.id = -1};
    const struct sm_broker *from = b->count > 0 ? &b->at[0] : &none;
    fprintf(s->out,
            "{\"originating_broker\":{\"id\":%" PRId32 ",\"name\":\"%s:%" PRId32 "/%" PRId32
            "\"},\"query\":{\"topic\":\"%s\"},\"controllerid\":%" PRId32 ",\"brokers\":[",
            from->id, host_of(from), port_of(from), from->id,
            s->options->topic != NULL ? s->options->topic : "*", b->controller);
    for (size_t i = 0; i < b->count; i++)
        fprintf(s->out, "%s{\"id\":%" PRId32 ",\"name\":\"%s:%" PRId32 "\"}", i > 0 ? "," : "",
                b->at[i].id, host_of(&b->at[i]), port_of(&b->at[i]));
    fputs("],\"topics\":[", s->out);
}

static void print_json_ids(FILE *out, const struct sm_list *list)
{
    fputc('[', out);
    for (int32_t i = 0; i < list->count; i++)
        fprintf(out, "%s{\"id\":%" PRId32 "}", i > 0 ? "," : "", list->id[i]);
    fputc(']', out);
}

static void print_json_topic(const struct scene *s, const struct topic *t)
{
    fprintf(s->out, "{\"topic\":\"%s\",\"partitions\":[", t->name);
    for (size_t i = 0; i < t->count; i++) {
        const struct partition *p = &t->partitions[i];
        fprintf(s->out, "%s{\"partition\":%" PRId32 ",", i > 0 ? "," : "", p->id);
        if (p->leader == SM_NO_LEADER)
            fputs("\"error\":\"Broker: Leader not available\",", s->out);
        fprintf(s->out, "\"leader\":%" PRId32 ",\"replicas\":", p->leader);
        print_json_ids(s->out, &p->assignment.replicas);
        fputs(",\"isrs\":", s->out);
        print_json_ids(s->out, &p->isr);
        fputc('}', s->out);
    }
    fputs("]}", s->out);
}

/* ---- all topics ---- */

static bool is_asked(const struct scene *s, const char *name)
{
    return s->options->topic == NULL || strcmp(s->options->topic, name) == 0;
}

/* Calls `print` for each topic asked for, by name; returns how many there are. */
static uint32_t each_topic(const struct scene *s,
                           void (*print)(const struct scene *s, const struct topic *t,
                                         uint32_t index, void *context),
                           void *context)
{
    struct sim_fact_walk walk = {0};
    const char *name;
    uint32_t count = 0;
    while (sim_znode_next_child(s->facts, SM_PATH_TOPICS, s->n, &walk, &name)) {
        struct topic t;
        if (!is_asked(s, name) || !read_topic(s, name, &t))
            continue;
        if (print != NULL)
            print(s, &t, count, context);
        free(t.partitions);
        count++;
    }
    return count;
}

static void print_one(const struct scene *s, const struct topic *t, uint32_t index, void *context)
{
    if (s->options->reassignment) {
        print_reassignments(s, t, context);
        return;
    }
    switch (s->options->format) {
    case SIM_DESCRIBE_KAFKA:
        print_topic(s, t);
        break;
    case SIM_DESCRIBE_KCAT:
        print_kcat_topic(s, t);
        break;
    case SIM_DESCRIBE_KCAT_JSON:
        fputs(index > 0 ? "," : "", s->out);
        print_json_topic(s, t);
        break;
    }
}

uint32_t sim_describe_print(FILE *out, const struct sim_facts *facts, uint64_t n,
                            const struct sim_describe_options *options)
{
    struct scene s = {.out = out, .facts = facts, .n = n, .options = options};
    bool is_kcat = !options->reassignment && options->format != SIM_DESCRIBE_KAFKA;
    bool any = false;
    if (is_kcat) {
        struct brokers b = read_brokers(&s);
        if (options->format == SIM_DESCRIBE_KCAT) {
            print_kcat_brokers(&s, &b);
            fprintf(out, " %" PRIu32 " topics:\n", each_topic(&s, NULL, NULL));
        } else {
            print_json_brokers(&s, &b);
        }
        free(b.at);
    }
    uint32_t count = each_topic(&s, print_one, &any);
    if (is_kcat && options->format == SIM_DESCRIBE_KCAT_JSON)
        fputs("]}\n", out);
    if (options->reassignment && !any)
        fputs("No partition reassignments found.\n", out);
    return count;
}
