/*
 * ElectLeaders and ControlledShutdown: the request becomes a call to the controller of this node,
 * its answer a response. Whether the node is the active controller the controller itself says.
 *
 * After an election the client hears of a partition only when the cache shows its new leader, or
 * with REQUEST_TIMED_OUT at the deadline. In the response under construction that error stands for
 * "awaited"; a cursor passes over what has come.
 *
 * Source: Kafka KafkaApis.handleElectReplicaLeader, handleControlledShutdownRequest,
 * ReplicaManager.electLeaders, DelayedElectLeader. Differs: the controller's answer does not say
 * whom it elected; awaited is the first replica (preferred), or any live leader (unclean). What has
 * come is noticed in the order of the answer.
 */
#include "broker/controller_calls.h"

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

/* ---- groups ---- */

static bool next_item(const struct wire_call *call, struct wire_call_view *v)
{
    return wire_call_next(call, v);
}

bool kb_call_group_next(struct kb_call_group *g, kb_keep *keep, const void *context)
{
    struct wire_call_view v = g->at;
    if (!next_item(g->call, &v))
        return false;
    g->first = v;
    g->count = 0;
    do {
        g->at = v;
        g->count += keep == NULL || keep(&v, context);
    } while (next_item(g->call, &v) && strcmp(v.topic, g->first.topic) == 0);
    return true;
}

int32_t kb_group_count(const struct wire_call *call, kb_keep *keep, const void *context)
{
    struct kb_call_group g = {.call = call};
    int32_t count = 0;
    while (kb_call_group_next(&g, keep, context))
        count += g.count > 0;
    return count;
}

/* ---- ElectLeaders ---- */

typedef struct wire_elect_leaders_request_topic_partition asked_topic;
typedef struct wire_elect_leaders_response_replica_election_result topic_result;
typedef struct wire_elect_leaders_response_partition_result result;

enum { PREFERRED, UNCLEAN };

/* "All partitions" are those that the cache knows: one that never had a leader is not among them.
 */
static size_t all_size(const struct kb_cache *c)
{
    size_t size = 0;
    uint32_t name;
    for (uint32_t t = KB_NO_TOPIC; (t = kb_cache_next_topic(c, t)) != KB_NO_TOPIC;) {
        kb_cache_topic_name(c, t, &name);
        size += kb_cache_partition_count(c, t) * (sizeof(struct wire_call_item) + name + 16);
    }
    return size;
}

static void add_all(const struct kb_cache *c, struct wire_call_builder *call)
{
    for (uint32_t t = KB_NO_TOPIC; (t = kb_cache_next_topic(c, t)) != KB_NO_TOPIC;) {
        const char *name = kb_cache_topic_name(c, t, NULL);
        for (int32_t p = 0; (p = kb_cache_next_partition(c, t, p)) >= 0; p++)
            wire_call_add(call, name, p, 0, false, NULL);
    }
}

struct kb_room kb_room_elect_leaders(const struct kb_broker *b, const struct kb_broker_input *in)
{
    const struct wire_elect_leaders_request *q = in->message;
    const asked_topic *topic = WIRE_ITEMS(q, q->topic_partitions, asked_topic);
    size_t call = 256 + (q->topic_partitions.count < 0 ? all_size(kb_broker_cache(b)) : 0);
    for (int32_t i = 0; i < q->topic_partitions.count; i++)
        call += (size_t)(topic[i].partition_id.count < 0 ? 0 : topic[i].partition_id.count) *
                (sizeof(struct wire_call_item) + (size_t)topic[i].topic.size + 16);
    return (struct kb_room){.work = call, .response = 256};
}

void kb_begin_elect_leaders(struct kb_turn *t)
{
    struct kb_room room = kb_room_elect_leaders(t->b, t->in);
    struct kb_slot *s = kb_slot_take(t, room.work, room.response);
    const struct wire_elect_leaders_request *q = kb_request_of(t->b, s);
    const asked_topic *topic = WIRE_ITEMS(q, q->topic_partitions, asked_topic);
    struct wire_call_builder c;
    struct wire_call head = {.api = WIRE_API_ELECT_LEADERS,
                             .election_type = q->election_type == UNCLEAN ? UNCLEAN : PREFERRED};
    size_t capacity;
    void *bytes = kb_call_room(t, s, &capacity);
    wire_call_begin(&c, bytes, capacity, &head);
    if (q->topic_partitions.count < 0)
        add_all(kb_broker_cache(t->b), &c);
    for (int32_t i = 0; i < q->topic_partitions.count; i++)
        for (int32_t k = 0; k < topic[i].partition_id.count; k++)
            wire_call_add(&c, wire_text(q, topic[i].topic),
                          WIRE_ITEMS(q, topic[i].partition_id, int32_t)[k], 0, false, NULL);
    const struct wire_call *call = wire_call_end(&c);
    assert(call != NULL);
    s->deadline_us = kb_deadline(t, q->timeout_ms);
    kb_slot_call(s);
}

/* Those who asked for all do not hear of what needed nothing. */
static bool is_told(const struct wire_call_view *v, const void *context)
{
    const struct wire_elect_leaders_request *q = context;
    return q->topic_partitions.count >= 0 || v->item->error != WIRE_ERROR_ELECTION_NOT_NEEDED;
}

static const char *election_text(const struct wire_call_view *v, int32_t error, int8_t type,
                                 char *text)
{
    switch (error) {
    case WIRE_ERROR_ELECTION_NOT_NEEDED:
        return wire_error_text(error);
    case WIRE_ERROR_INVALID_TOPIC_EXCEPTION:
        return "The topic is being deleted";
    case WIRE_ERROR_UNKNOWN_TOPIC_OR_PARTITION:
        return "The partition does not exist.";
    case WIRE_ERROR_PREFERRED_LEADER_NOT_AVAILABLE:
    case WIRE_ERROR_ELIGIBLE_LEADERS_NOT_AVAILABLE:
        snprintf(text, KB_TEXT_MAX,
                 "Failed to elect leader for partition %s-%" PRId32 " under strategy %s", v->topic,
                 v->item->partition,
                 type == UNCLEAN ? "OfflinePartitionLeaderElectionStrategy(true)"
                                 : "PreferredReplicaPartitionLeaderElectionStrategy");
        return text;
    }
    return NULL;
}

static void put_group(struct kb_slot *s, struct wire_flat *f, const struct kb_call_group *g,
                      topic_result *out, const struct wire_elect_leaders_request *q,
                      int32_t whole_error)
{
    struct wire_call_view v = g->first;
    char text[KB_TEXT_MAX];
    int32_t n = 0;
    out->topic = wire_flat_string(f, g->first.topic);
    result *r = kb_items(f, &out->partition_result, g->count,
                         &wire_layout_elect_leaders_response_partition_result);
    do {
        int32_t error = whole_error != 0 ? whole_error : v.item->error;
        if (!is_told(&v, q))
            continue;
        r[n].partition_id = v.item->partition;
        s->value += error == 0;
        kb_say(f, &r[n].error_code, &r[n].error_message,
               error == 0 ? WIRE_ERROR_REQUEST_TIMED_OUT : error,
               error == 0 ? NULL : election_text(&v, error, q->election_type, text));
        n++;
    } while (v.next < g->at.next && next_item(g->call, &v));
}

static topic_result *topic_results(struct kb_broker *b, struct kb_slot *s, int32_t *count)
{
    struct wire_elect_leaders_response *head = kb_area_bytes(b, s, KB_AREA_RESPONSE);
    *count = head->replica_election_results.count;
    return (topic_result *)(void *)((uint8_t *)head + head->replica_election_results.at);
}

static bool has_come(struct kb_broker *b, const char *topic, int32_t partition, int8_t type)
{
    const struct kb_cache *c = kb_broker_cache(b);
    uint32_t count;
    const struct kb_partition *p =
        kb_cache_partition(c, kb_cache_topic(c, topic, strlen(topic)), partition);
    if (p == NULL || p->leader == -1)
        return false;
    const int32_t *replicas = kb_cache_list(c, p->replicas, &count);
    return type == UNCLEAN ? kb_cache_live_id(c, p->leader) != NULL
                           : count > 0 && replicas[0] == p->leader;
}

/* Takes note of what has come, from the cursor on; past what has not where `all`. Returns how many
   are still awaited. */
static uint32_t look(struct kb_broker *b, struct kb_slot *s, bool all)
{
    const struct wire_elect_leaders_request *q = kb_request_of(b, s);
    uint8_t *response = kb_area_bytes(b, s, KB_AREA_RESPONSE);
    int32_t topics;
    topic_result *topic = topic_results(b, s, &topics);
    for (; (int32_t)s->item < topics; s->item++, s->at = 0) {
        result *r = (result *)(void *)(response + topic[s->item].partition_result.at);
        for (; (int32_t)s->at < topic[s->item].partition_result.count; s->at++) {
            if (r[s->at].error_code != WIRE_ERROR_REQUEST_TIMED_OUT)
                continue;
            if (has_come(b, wire_text(response, topic[s->item].topic), r[s->at].partition_id,
                         q->election_type)) {
                r[s->at].error_code = 0;
                s->value--;
            } else if (!all) {
                return s->value;
            }
        }
    }
    return s->value;
}

void kb_advance_elect_leaders(struct kb_turn *t, struct kb_slot *s, const struct kb_reply *r)
{
    (void)r;
    bool is_late = t->now_us >= s->deadline_us;
    if (s->phase == KB_PHASE_LEADERS && (look(t->b, s, is_late) == 0 || is_late))
        kb_response_send(t, s);
}

/* Refused as a whole: each partition that was named gets the error. */
static void refuse_named(struct kb_turn *t, struct kb_slot *s, int32_t error)
{
    const struct wire_elect_leaders_request *q = kb_request_of(t->b, s);
    const asked_topic *topic = WIRE_ITEMS(q, q->topic_partitions, asked_topic);
    struct wire_flat f;
    int32_t topics = q->topic_partitions.count < 0 ? 0 : q->topic_partitions.count;
    struct wire_elect_leaders_response *head =
        kb_answer_begin(t, &f, WIRE_API_ELECT_LEADERS, sizeof *head);
    topic_result *out = kb_items(&f, &head->replica_election_results, topics,
                                 &wire_layout_elect_leaders_response_replica_election_result);
    for (int32_t i = 0; i < head->replica_election_results.count; i++) {
        out[i].topic = wire_flat_string(&f, wire_text(q, topic[i].topic));
        result *r = kb_items(&f, &out[i].partition_result, topic[i].partition_id.count,
                             &wire_layout_elect_leaders_response_partition_result);
        for (int32_t k = 0; k < out[i].partition_result.count; k++) {
            r[k].partition_id = WIRE_ITEMS(q, topic[i].partition_id, int32_t)[k];
            r[k].error_code = (int16_t)error;
            r[k].error_message = WIRE_NULL_STRING;
        }
    }
    kb_slot_answer(t, s, &f);
}

void kb_answered_elect_leaders(struct kb_turn *t, struct kb_slot *s, const struct wire_call *answer)
{
    const struct wire_elect_leaders_request *q = kb_request_of(t->b, s);
    struct kb_call_group g = {.call = answer};
    struct wire_flat f;
    if (answer->count == 0 && answer->error != 0) {
        refuse_named(t, s, answer->error);
        return;
    }
    struct wire_elect_leaders_response *head = kb_response_begin(t->b, s, &f, sizeof *head);
    topic_result *out =
        kb_items(&f, &head->replica_election_results, kb_group_count(answer, is_told, q),
                 &wire_layout_elect_leaders_response_replica_election_result);
    for (int32_t n = 0; kb_call_group_next(&g, is_told, q);)
        if (g.count > 0 && n < head->replica_election_results.count)
            put_group(s, &f, &g, &out[n++], q, answer->error);
    kb_response_close(s, &f);
    s->phase = KB_PHASE_LEADERS;
    kb_advance_elect_leaders(t, s, NULL);
}

/* ---- ControlledShutdown ---- */

void kb_begin_controlled_shutdown(struct kb_turn *t)
{
    struct kb_slot *s = kb_slot_take(t, sizeof(struct wire_call), 1024);
    const struct wire_controlled_shutdown_request *q = kb_request_of(t->b, s);
    struct wire_call call = {.size = sizeof call,
                             .api = WIRE_API_CONTROLLED_SHUTDOWN,
                             .broker_id = q->broker_id,
                             .broker_epoch = q->broker_epoch};
    size_t capacity;
    memcpy(kb_call_room(t, s, &capacity), &call, sizeof call);
    kb_slot_call(s);
}

void kb_answered_controlled_shutdown(struct kb_turn *t, struct kb_slot *s,
                                     const struct wire_call *answer)
{
    struct wire_flat f;
    struct wire_call_view v = {0};
    int32_t n = 0;
    struct wire_controlled_shutdown_response *head = kb_response_begin(t->b, s, &f, sizeof *head);
    head->error_code = (int16_t)answer->error;
    struct wire_controlled_shutdown_response_remaining_partition *p =
        kb_items(&f, &head->remaining_partitions, (int32_t)answer->count,
                 &wire_layout_controlled_shutdown_response_remaining_partition);
    while (n < head->remaining_partitions.count && wire_call_next(answer, &v)) {
        p[n].topic_name = wire_flat_string(&f, v.topic);
        p[n++].partition_index = v.item->partition;
    }
    kb_response_close(s, &f);
    kb_response_send(t, s);
}
