/*
 * Texts inside of lines: numbers, lists of ids, partitions, the notations of a LeaderAndIsr.
 *
 *     LeaderAndIsr(leader=1, leaderEpoch=0, isr=List(1, 2, 3), zkVersion=0)              1.1 to 3.1
 *     LeaderAndIsr(leader=1, …, isrWithBrokerEpoch=List(BrokerState(brokerId=1, …)),
 * partitionEpoch=0)  3.5 (Leader:1,ISR:1,2,LeaderEpoch:0,ZkVersion:0,ControllerEpoch:1) all
 *     {"leader":1,"leader_epoch":0,"isr":[1,2]}                                           0.8
 * to 1.0 LeaderAndIsrPartitionState(topicName='t', …, isr=[1, 2], zkVersion=0, replicas=[1, 2], …)
 *
 * They differ in the signs around the same names, so a field is looked for by its name, without
 * case, quotes and underscores, and lists are the whole numbers up to the next name.
 */
#include <stdio.h>
#include <string.h>

#include "sim/import_state.h"

bool sim_span_int(struct sim_span s, int64_t *value)
{
    size_t i = s.size > 0 && s.at[0] == '-';
    int64_t v = 0;
    if (s.size == i || s.size - i > 18)
        return false;
    for (; i < s.size; i++) {
        if (s.at[i] < '0' || s.at[i] > '9')
            return false;
        v = v * 10 + (s.at[i] - '0');
    }
    *value = s.at[0] == '-' ? -v : v;
    return true;
}

int64_t sim_span_number(struct sim_span s, int64_t otherwise)
{
    int64_t value;
    return sim_span_int(s, &value) ? value : otherwise;
}

bool sim_span_is(struct sim_span s, const char *text)
{
    return s.size == strlen(text) && memcmp(s.at, text, s.size) == 0;
}

bool sim_span_begins(struct sim_span s, const char *text)
{
    size_t size = strlen(text);
    return s.size >= size && memcmp(s.at, text, size) == 0;
}

const char *sim_span_find(struct sim_span s, const char *text)
{
    size_t size = strlen(text);
    const char *at = s.at, *end = s.at + s.size;
    while (size > 0 && (size_t)(end - at) >= size) {
        at = memchr(at, text[0], (size_t)(end - at) - size + 1);
        if (at == NULL)
            return NULL;
        if (memcmp(at, text, size) == 0)
            return at;
        at++;
    }
    return NULL;
}

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static bool is_letter(char c)
{
    return ((c | 0x20) >= 'a' && (c | 0x20) <= 'z') || c == '_';
}

/* A number that begins at `at`; returns what follows it, NULL where it is beyond int32. */
static const char *take_number(const char *at, const char *end, int32_t *value)
{
    const char *p = at + (*at == '-');
    int64_t v = 0;
    while (p < end && is_digit(*p) && v <= INT32_MAX)
        v = v * 10 + (*p++ - '0');
    if (v > INT32_MAX)
        return NULL;
    *value = (int32_t)(*at == '-' ? -v : v);
    return p;
}

static bool begins_number(const char *at, const char *end)
{
    return is_digit(*at) || (*at == '-' && at + 1 < end && is_digit(at[1]));
}

/* Numbers up to the next name (a letter), where until_name. */
static void take_ids(const char *at, const char *end, bool until_name, struct sim_ids *ids)
{
    ids->count = 0;
    while (at < end) {
        if (until_name && is_letter(*at))
            return;
        if (!begins_number(at, end)) {
            at++;
            continue;
        }
        int32_t id;
        const char *next = take_number(at, end, &id);
        if (next == NULL)
            return;
        if (ids->count < SIM_IDS_MAX)
            ids->id[ids->count++] = id;
        at = next;
    }
}

void sim_span_ids(struct sim_span s, struct sim_ids *ids)
{
    take_ids(s.at, s.at + s.size, false, ids);
}

/* ---- partitions ---- */

static bool put_partition(struct sim_tp *tp, const char *topic, size_t size, struct sim_span number)
{
    int64_t partition;
    if (size == 0 || size >= sizeof(tp->topic) || !sim_span_int(number, &partition) ||
        partition < 0 || partition > INT32_MAX)
        return false;
    for (size_t i = 0; i < size; i++)
        if (!(is_letter(topic[i]) || is_digit(topic[i]) || topic[i] == '.' || topic[i] == '-'))
            return false;
    memcpy(tp->topic, topic, size);
    tp->topic[size] = '\0';
    tp->partition = (int32_t)partition;
    return true;
}

bool sim_span_partition(struct sim_span s, struct sim_tp *tp)
{
    if (s.size > 4 && (s.at[0] == '[' || s.at[0] == '(')) {
        const char *comma = memchr(s.at, ',', s.size);
        if (comma == NULL)
            return false;
        const char *number = comma + 1;
        return put_partition(tp, s.at + 1, (size_t)(comma - s.at - 1),
                             (struct sim_span){number, (size_t)(s.at + s.size - 1 - number)});
    }
    size_t dash = s.size;
    while (dash > 0 && s.at[dash - 1] != '-')
        dash--;
    return dash > 1 &&
           put_partition(tp, s.at, dash - 1, (struct sim_span){s.at + dash, s.size - dash});
}

/* "[Topic=orders,Partition=0,Replica=1]" */
static const char *take_replica(const char *at, const char *end, struct sim_tp *tp,
                                int32_t *replica)
{
    struct sim_span s = {at, (size_t)(end - at)};
    if (!sim_span_begins(s, "[Topic="))
        return NULL;
    const char *topic = at + 7;
    const char *p = sim_span_find((struct sim_span){topic, (size_t)(end - topic)}, ",Partition=");
    if (p == NULL)
        return NULL;
    const char *r = sim_span_find((struct sim_span){p, (size_t)(end - p)}, ",Replica=");
    const char *close = r == NULL ? NULL : memchr(r, ']', (size_t)(end - r));
    int64_t id;
    if (close == NULL || !sim_span_int((struct sim_span){r + 9, (size_t)(close - r - 9)}, &id) ||
        id < 0 || id > INT32_MAX ||
        !put_partition(tp, topic, (size_t)(p - topic),
                       (struct sim_span){p + 11, (size_t)(r - p - 11)}))
        return NULL;
    *replica = (int32_t)id;
    return close + 1;
}

/* Where the key that ends at `arrow` begins. */
static const char *key_before(const char *from, const char *arrow)
{
    const char *at = arrow;
    if (at > from && at[-1] == ']') {
        while (at > from && *at != '[')
            at--;
        return at;
    }
    while (at > from && at[-1] != ' ' && at[-1] != '(' && at[-1] != ',')
        at--;
    return at;
}

bool sim_span_next_pair(struct sim_span *s, struct sim_tp *tp, int32_t *replica,
                        struct sim_span *value)
{
    const char *end = s->at + s->size, *arrow;
    while ((arrow = sim_span_find(*s, " -> ")) != NULL) {
        const char *key = key_before(s->at, arrow), *behind = arrow + 4;
        struct sim_span rest = {behind, (size_t)(end - behind)};
        const char *next = sim_span_find(rest, " -> ");
        const char *stop = next == NULL ? end : key_before(behind, next);
        *s = (struct sim_span){behind, (size_t)(end - behind)};
        *value = (struct sim_span){behind, (size_t)(stop - behind)};
        while (value->size > 0 &&
               (value->at[value->size - 1] == ' ' || value->at[value->size - 1] == ','))
            value->size--;
        *replica = -1;
        if (take_replica(key, arrow, tp, replica) != NULL ||
            sim_span_partition((struct sim_span){key, (size_t)(arrow - key)}, tp))
            return true;
    }
    return false;
}

/* ---- states ---- */

/* What stands behind `name` and its sign (= : ": ), or NULL. The name must stand alone. */
static const char *field(struct sim_span s, const char *name)
{
    const char *end = s.at + s.size;
    for (const char *at = s.at; at < end; at++) {
        if (!is_letter(*at) || (at > s.at && is_letter(at[-1])))
            continue;
        const char *p = at, *n = name;
        while (p < end && *n != '\0' && (*p == '_' || (*p | 0x20) == *n)) {
            n += *p != '_';
            p++;
        }
        if (*n != '\0' || p == end || is_letter(*p))
            continue;
        while (p < end && (*p == '"' || *p == '\''))
            p++;
        if (p < end && (*p == '=' || *p == ':'))
            return p + 1;
    }
    return NULL;
}

static int32_t number_field(struct sim_span s, const char *name)
{
    const char *at = field(s, name), *end = s.at + s.size;
    int32_t value;
    while (at != NULL && at < end && *at == ' ')
        at++;
    if (at == NULL || at == end || !begins_number(at, end) || take_number(at, end, &value) == NULL)
        return INT32_MIN;
    return value;
}

static bool list_field(struct sim_span s, const char *name, struct sim_ids *ids)
{
    const char *at = field(s, name), *end = s.at + s.size;
    ids->count = 0;
    if (at == NULL)
        return false;
    while (at < end && (is_letter(*at) || *at == ' ')) /* "List(", "Buffer(" */
        at++;
    take_ids(at, end, true, ids);
    return true;
}

/* isrWithBrokerEpoch=List(BrokerState(brokerId=1, brokerEpoch=7), …) */
static bool broker_states(struct sim_span s, struct sim_ids *ids)
{
    const char *end = s.at + s.size, *at = field(s, "isrwithbrokerepoch");
    ids->count = 0;
    if (at == NULL)
        return false;
    for (struct sim_span rest = {at, (size_t)(end - at)};;) {
        const char *id = sim_span_find(rest, "brokerId=");
        int32_t value;
        if (id == NULL || id + 9 == end || !begins_number(id + 9, end) ||
            take_number(id + 9, end, &value) == NULL)
            return true;
        if (ids->count < SIM_IDS_MAX)
            ids->id[ids->count++] = value;
        rest = (struct sim_span){id + 9, (size_t)(end - id - 9)};
    }
}

void sim_span_state(struct sim_span s, struct sim_state_text *state)
{
    memset(state, 0, sizeof(*state));
    state->leader = number_field(s, "leader");
    state->leader_epoch = number_field(s, "leaderepoch");
    state->zk_version = number_field(s, "zkversion");
    if (state->zk_version == INT32_MIN)
        state->zk_version = number_field(s, "partitionepoch");
    state->controller_epoch = number_field(s, "controllerepoch");
    state->has_isr = list_field(s, "isr", &state->isr) || broker_states(s, &state->isr);
    state->has_replicas = list_field(s, "replicas", &state->replicas) ||
                          list_field(s, "allreplicas", &state->replicas);
    list_field(s, "addingreplicas", &state->adding);
    list_field(s, "removingreplicas", &state->removing);
}
