/*
 * Arguments of a step: one reader per key, and what must be there in the end.
 *
 * Which verb takes which key is in the table of the grammar, and has been looked at before; here a
 * key has one meaning for all verbs that take it. Exception: `count` and `partitions` of an answer.
 */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "sim/scenario_steps.h"

/* ---- arguments ---- */

static const char *const *error_names(void)
{
    static const char *const names[] = {
#define X(name, code) #name,
        WIRE_ERROR_MAP(X)
#undef X
            NULL};
    return names;
}

static bool read_error(struct sim_reader *r, const struct sim_yaml *node, int32_t *out)
{
    static const int32_t codes[] = {
#define X(name, code) code,
        WIRE_ERROR_MAP(X)
#undef X
    };
    uint32_t index;
    if (node->kind == SIM_YAML_SCALAR && node->size > 0 &&
        strspn(node->text, "-0123456789") == node->size) {
        return sim_read_int32(r, node, "an error code", -1, 200, out);
    }
    if (!sim_read_word(r, node, "Kafka error", error_names(), &index)) {
        return false;
    }
    *out = codes[index];
    return true;
}

static bool read_partitions_argument(struct sim_reader *r, const struct sim_yaml *node,
                                     struct sim_step *out)
{
    if (out->verb == SIM_VERB_ANSWER || out->verb == SIM_VERB_FAIL_LOG_DIR) {
        return sim_step_read_partitions(r, node, out);
    }
    return sim_read_int32(r, node, "partitions", 1, SIM_PARTITIONS_MAX, &out->partition_count);
}

static bool read_assignment_argument(struct sim_reader *r, const struct sim_yaml *node,
                                     struct sim_step *out)
{
    struct sm_list *lists = NULL;
    int32_t count = 0, first = 0;
    /* New partitions are numbered on; the file says from where. */
    if (out->verb == SIM_VERB_ADD_PARTITIONS) {
        if (node->kind != SIM_YAML_MAP || node->count == 0 ||
            !sim_read_int32(r, node->keys[0], "a partition", 1, SIM_PARTITIONS_MAX, &first)) {
            return node->kind == SIM_YAML_MAP && node->count > 0
                       ? false
                       : sim_error(r->d, node->place,
                                   "new partitions are numbered: {2: [3, 1], 3: [1, 2]}");
        }
        for (uint32_t i = 1; i < node->count; i++) {
            int32_t number;
            if (!sim_read_int32(r, node->keys[i], "a partition", 1, SIM_PARTITIONS_MAX, &number)) {
                return false;
            }
            first = number < first ? number : first;
        }
    }
    if (!sim_read_assignment(r, node, first, &lists, &count)) {
        return false;
    }
    out->partitions = sim_memory_take(r->memory, (size_t)count * sizeof(*out->partitions));
    out->partition_arg_count = (uint32_t)count;
    for (int32_t i = 0; i < count; i++) {
        out->partitions[i] = (struct sim_partition_arg){
            .topic = out->topic_count > 0 ? out->topics[0] : NULL,
            .partition = first + i,
            .has_replicas = true,
            .replicas = lists[i],
            .place = node->place,
        };
    }
    return true;
}

static bool read_removed(struct sim_reader *r, const struct sim_yaml *node, struct sim_step *out)
{
    const uint32_t count = node->kind == SIM_YAML_SCALAR ? 1 : node->count;
    bool good = node->kind != SIM_YAML_MAP;
    if (!good) {
        return sim_error(r->d, node->place, "remove takes names of configuration");
    }
    for (uint32_t i = 0; i < count; i++) {
        const struct sim_yaml *item = node->kind == SIM_YAML_SCALAR ? node : node->items[i];
        if (!sim_read_is_scalar(r, item, "a name of configuration")) {
            good = false;
            continue;
        }
        out->config =
            sim_memory_grow(r->memory, out->config, sizeof(*out->config), out->config_count);
        out->config[out->config_count++] = (struct sim_config_entry){item->text, NULL, item->place};
    }
    return good;
}

static bool read_percent(struct sim_reader *r, const struct sim_yaml *node, int32_t *out)
{
    if (!sim_read_is_scalar(r, node, "loss")) {
        return false;
    }
    char *end;
    const long value = strtol(node->text, &end, 10);
    if (end == node->text || strcmp(end, "%") != 0 || value < 0 || value > 100) {
        return sim_error(r->d, node->place, "loss is a percentage like 10%%, not '%s'", node->text);
    }
    *out = (int32_t)value;
    return true;
}

static bool read_offset(struct sim_reader *r, const struct sim_yaml *node, int64_t *out_us)
{
    struct sim_yaml span = *node;
    const bool is_early = node->kind == SIM_YAML_SCALAR && node->text[0] == '-';
    if (is_early) {
        span.text++;
        span.size--;
    }
    const bool good = sim_read_time(r, &span, "offset", out_us);
    *out_us = is_early ? -*out_us : *out_us;
    return good;
}

/* How fast a clock runs: 1 is right. */
static bool read_rate(struct sim_reader *r, const struct sim_yaml *node, int32_t *ppm)
{
    int64_t whole = 0, part = 0, scale = 1000000;
    if (!sim_read_is_scalar(r, node, "rate")) {
        return false;
    }
    const char *p = node->text;
    for (; *p >= '0' && *p <= '9' && whole < 1000; p++) {
        whole = whole * 10 + (*p - '0');
    }
    const bool has_digits = p != node->text;
    for (p += *p == '.'; *p >= '0' && *p <= '9' && scale > 1; p++) {
        scale /= 10;
        part += scale * (*p - '0');
    }
    *ppm = (int32_t)(whole * 1000000 + part);
    if (!has_digits || *p != '\0' || *ppm < 10000 || *ppm > 100000000) {
        return sim_error(r->d, node->place,
                         "a rate is a number from 0.01 to 100, like 1.01, not '%s'", node->text);
    }
    return true;
}

static bool read_outcome(struct sim_reader *r, const struct sim_yaml *node, struct sim_step *out)
{
    static const char *const words[] = {"normal", "drop", "hang", NULL};
    uint32_t index;
    if (!sim_read_word(r, node, "outcome", words, &index)) {
        return false;
    }
    out->clear = index == 0;
    out->drop = index == 1;
    out->hang = index == 2;
    return true;
}

static bool read_data(struct sim_reader *r, const struct sim_yaml *node, struct sim_step *out)
{
    if (node->kind == SIM_YAML_SCALAR && !node->quoted && strcmp(node->text, "null") == 0) {
        out->data = NULL; /* a null payload */
        return true;
    }
    if (!sim_read_is_scalar(r, node, "data")) {
        if (node->kind == SIM_YAML_MAP) {
            sim_note(r->d, "JSON is written as a text, in single quotes");
        }
        return false;
    }
    out->data = node->text;
    out->data_size = node->size;
    return true;
}

static bool read_timeout(struct sim_reader *r, const struct sim_yaml *node, struct sim_step *out)
{
    return sim_read_time(r, node, "timeout", &out->timeout_us) &&
           (out->timeout_us > 0 || sim_error(r->d, node->place, "a timeout is more than 0s"));
}

bool sim_step_read_argument(struct sim_reader *r, const char *key, const struct sim_yaml *node,
                            struct sim_step *out)
{
    static const char *const elections[] = {"preferred", "unclean", NULL};
    static const char *const ways[] = {"znode", "request", NULL};
    static const char *const acts[] = {"set", "create", "delete", NULL};
    uint32_t word = 0;
    int32_t count = 0;
#define IS(name) (strcmp(key, name) == 0)
    if (IS("for"))
        return sim_read_time(r, node, "for", &out->for_us);
    if (IS("oneway"))
        return sim_read_bool(r, node, key, &out->oneway);
    if (IS("latency"))
        return sim_read_time(r, node, key, &out->delay_us);
    if (IS("jitter"))
        return sim_read_time(r, node, key, &out->jitter_us);
    if (IS("loss"))
        return read_percent(r, node, &out->loss_percent);
    if (IS("offset"))
        return read_offset(r, node, &out->offset_us);
    if (IS("rate"))
        return read_rate(r, node, &out->rate_ppm);
    if (IS("api"))
        return sim_read_api(r, node, &out->api);
    if (IS("error"))
        return read_error(r, node, &out->error);
    if (IS("partition-error"))
        return read_error(r, node, &out->partition_error);
    if (IS("outcome"))
        return read_outcome(r, node, out);
    if (IS("partitions"))
        return read_partitions_argument(r, node, out);
    if (IS("replication-factor"))
        return sim_read_int32(r, node, key, 1, SM_REPLICAS_MAX, &out->replication_factor);
    if (IS("assignment"))
        return read_assignment_argument(r, node, out);
    if (IS("config") || IS("set"))
        return sim_read_config(r, node, &out->config, &out->config_count);
    if (IS("remove"))
        return read_removed(r, node, out);
    if (IS("stale-epoch"))
        return sim_read_bool(r, node, key, &out->stale_epoch);
    if (IS("lose")) {
        static const char *const losses[] = {"unflushed", NULL};
        out->lose_unflushed = sim_read_word(r, node, "loss", losses, &word);
        return out->lose_unflushed;
    }
    if (IS("leave")) {
        static const char *const left[] = {"ephemerals", NULL};
        out->leave_ephemerals = sim_read_word(r, node, "what is left", left, &word);
        return out->leave_ephemerals;
    }
    if (IS("request-only"))
        return sim_read_bool(r, node, key, &out->request_only);
    if (IS("applied"))
        return sim_read_bool(r, node, key, &out->applied);
    if (IS("notify"))
        return sim_read_bool(r, node, key, &out->notify);
    if (IS("data"))
        return read_data(r, node, out);
    if (IS("version"))
        return sim_read_int32(r, node, key, 0, INT32_MAX, &out->version);
    if (IS("count")) {
        const bool good = sim_read_int32(r, node, key, 1, 1000000000, &count);
        out->count = (uint32_t)count;
        return good;
    }
    if (IS("election-type")) {
        const bool good = sim_read_word(r, node, "election type", elections, &word);
        out->unclean = word == 1;
        return good;
    }
    if (IS("timeout"))
        return read_timeout(r, node, out);
    if (IS("via")) {
        const bool good = sim_read_word(r, node, "way", ways, &word);
        out->via = word == 0 ? SIM_VIA_ZNODE : SIM_VIA_REQUEST;
        return good;
    }
    if (IS("do")) {
        const bool good = sim_read_word(r, node, "act", acts, &word);
        out->act = (enum sim_znode_act)(SIM_ZNODE_SET + word);
        return good;
    }
#undef IS
    assert(false); /* a row of the table without a reader */
    return false;
}

/* ---- what must be there ---- */

static bool missing(struct sim_reader *r, const struct sim_step *step, const char *what)
{
    return sim_error(r->d, step->verb_place, "%s: %s is missing", sim_verb_name(step->verb), what);
}

static bool check_topic_args(struct sim_reader *r, struct sim_step *s)
{
    if (s->partition_arg_count > 0 && s->partition_count > 0) {
        return sim_error(r->d, s->verb_place,
                         "either a count of partitions or an assignment, not both");
    }
    if (s->verb == SIM_VERB_ADD_PARTITIONS && s->partition_arg_count == 0 &&
        s->partition_count == 0) {
        return missing(r, s, "partitions (the new total) or assignment");
    }
    if (s->verb != SIM_VERB_CREATE_TOPIC || s->partition_arg_count > 0) {
        return true;
    }
    int32_t brokers = 0;
    for (uint32_t i = 0; i < r->s->node_count; i++) {
        brokers += r->s->nodes[i].role != SIM_NODE_CONTROLLER;
    }
    s->partition_count =
        s->partition_count == 0 ? r->s->settings.num_partitions : s->partition_count;
    if (s->replication_factor == 0) {
        s->replication_factor = r->s->settings.default_replication_factor;
    }
    return s->replication_factor <= brokers ||
           sim_error(r->d, s->verb_place, "replication-factor %d, but there are %d brokers",
                     s->replication_factor, brokers);
}

bool sim_step_check(struct sim_reader *r, struct sim_step *s)
{
    switch (s->verb) {
    case SIM_VERB_DEGRADE:
        return s->delay_us > 0 || s->jitter_us > 0 || s->loss_percent > 0 ||
               missing(r, s, "latency, jitter or loss");
    case SIM_VERB_CLOCK_SKEW:
        return s->offset_us != 0 || s->rate_ppm != 1000000 || missing(r, s, "offset or rate");
    case SIM_VERB_DELAY:
        return s->delay_us > 0 || missing(r, s, "latency");
    case SIM_VERB_ANSWER:
        return s->error != 0 || s->partition_error != 0 || s->drop || s->hang || s->clear ||
               s->delay_us > 0 || missing(r, s, "error, partition-error, outcome or latency");
    case SIM_VERB_ALTER_CONFIG:
        return s->config_count > 0 || missing(r, s, "set or remove");
    case SIM_VERB_ZNODE:
        return s->act != SIM_ZNODE_DELETE || s->data == NULL ||
               sim_error(r->d, s->verb_place, "a znode that is deleted has no data");
    case SIM_VERB_CREATE_TOPIC:
    case SIM_VERB_ADD_PARTITIONS:
        return check_topic_args(r, s);
    case SIM_VERB_ELECT_LEADERS:
    case SIM_VERB_REASSIGN:
        return s->timeout_us == 0 || !sim_step_is_by_znode(r->s, s) ||
               sim_error(
                   r->d, s->verb_place,
                   "timeout: is of a request, and this is asked by znode (write via: request)");
    case SIM_VERB_NONE:
    case SIM_VERB_KILL:
    case SIM_VERB_RESTART:
    case SIM_VERB_BOUNCE:
    case SIM_VERB_SHUTDOWN:
    case SIM_VERB_STOP:
    case SIM_VERB_PAUSE:
    case SIM_VERB_RESUME:
    case SIM_VERB_PARTITION:
    case SIM_VERB_HOLD:
    case SIM_VERB_RELEASE:
    case SIM_VERB_DROP:
    case SIM_VERB_FAIL_LOG_DIR:
    case SIM_VERB_EXPIRE:
    case SIM_VERB_DISCONNECT:
    case SIM_VERB_LOSE_QUORUM:
    case SIM_VERB_FAIL:
    case SIM_VERB_BLOCK:
    case SIM_VERB_UNBLOCK:
    case SIM_VERB_DELETE_TOPIC:
    case SIM_VERB_CANCEL_REASSIGNMENT:
    case SIM_VERB_MOVE_CONTROLLER:
    case SIM_VERB_SET_ISR:
    case SIM_VERB_END:
        return true;
    }
    return true;
}
