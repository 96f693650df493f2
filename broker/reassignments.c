/*
 * AlterPartitionReassignments and ListPartitionReassignments, served by the controller of this
 * node.
 *
 *   which brokers hold data? ─► what names a node without data is refused here ─► the rest is the
 *   call ─► its answers, in the order of the call, fill in what was not refused
 *
 * Source: Kafka KafkaApis.handleAlterPartitionReassignmentsRequest,
 * handleListPartitionReassignmentsRequest, KafkaController.processApiPartitionReassignment (texts).
 */
#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "broker/controller_calls.h"
#include "statemachine/text.h"

typedef struct wire_alter_partition_reassignments_request_topic asked_topic;
typedef struct wire_alter_partition_reassignments_request_partition asked;
typedef struct wire_alter_partition_reassignments_response_response topic_result;
typedef struct wire_alter_partition_reassignments_response_partition result;

enum { ASKED_OF_CONTROLLER = INT16_MAX }; /* as error_code, until the answer */

static const asked *asked_of(const void *q, const asked_topic *t)
{
    return WIRE_ITEMS(q, t->partitions, asked);
}

/* ---- making the call ---- */

struct kb_room kb_room_alter_reassignments(const struct kb_broker *b,
                                           const struct kb_broker_input *in)
{
    const struct wire_alter_partition_reassignments_request *q = in->message;
    const asked_topic *topic = WIRE_ITEMS(q, q->topics, asked_topic);
    size_t partitions = 0, names = 0;
    (void)b;
    for (int32_t i = 0; i < q->topics.count; i++) {
        size_t count = (size_t)(topic[i].partitions.count < 0 ? 0 : topic[i].partitions.count);
        partitions += count;
        names += count * (size_t)topic[i].name.size;
    }
    return (struct kb_room){.response = 512 + 2 * in->size + partitions * 512,
                            .work = 512 + 2 * in->size + names +
                                    partitions * (sizeof(struct wire_call_item) + 64)};
}

/* What is refused before the controller is asked, or 0. */
static int32_t judge(const struct kb_broker *b, const void *q, const asked *p, char *text)
{
    const int32_t *ids = WIRE_ITEMS(q, p->replicas, int32_t);
    if (p->replicas.count > SM_REPLICAS_MAX) {
        snprintf(text, KB_TEXT_MAX, "A partition may have %d replicas at most, a limit of kcsim.",
                 SM_REPLICAS_MAX);
        return WIRE_ERROR_INVALID_REPLICA_ASSIGNMENT;
    }
    for (int32_t i = 0; i < p->replicas.count; i++)
        if (kb_is_without_data(b, ids[i])) {
            snprintf(text, KB_TEXT_MAX,
                     "Replicas cannot be placed on node %" PRId32
                     ", which is a controller without data.",
                     ids[i]);
            return WIRE_ERROR_INVALID_REPLICA_ASSIGNMENT;
        }
    return 0;
}

static void add_to_call(struct wire_call_builder *c, const void *q, const char *topic,
                        const asked *p)
{
    struct sm_assignment a = {0};
    bool cancel = p->replicas.count < 0;
    if (!cancel)
        a.replicas = sm_list_of(WIRE_ITEMS(q, p->replicas, int32_t), p->replicas.count);
    wire_call_add(c, topic, p->partition_index, 0, cancel, cancel ? NULL : &a);
}

/* Begins the response, a place for each partition asked for, and the call beside it. Returns how
   many partitions are in the call. */
static uint32_t sort_out(struct kb_turn *t, struct kb_slot *s, struct wire_call_builder *c)
{
    const struct wire_alter_partition_reassignments_request *q = kb_request_of(t->b, s);
    const asked_topic *topic = WIRE_ITEMS(q, q->topics, asked_topic);
    struct wire_flat f;
    char text[KB_TEXT_MAX];
    uint32_t called = 0;
    struct wire_alter_partition_reassignments_response *head =
        kb_response_begin(t->b, s, &f, sizeof *head);
    topic_result *out = kb_items(&f, &head->responses, q->topics.count < 0 ? 0 : q->topics.count,
                                 &wire_layout_alter_partition_reassignments_response_response);
    for (int32_t i = 0; i < head->responses.count; i++) {
        const asked *p = asked_of(q, &topic[i]);
        out[i].name = wire_flat_string(&f, wire_text(q, topic[i].name));
        result *r = kb_items(&f, &out[i].partitions, topic[i].partitions.count,
                             &wire_layout_alter_partition_reassignments_response_partition);
        for (int32_t k = 0; k < out[i].partitions.count; k++) {
            int32_t error = t->in->is_controller ? judge(t->b, q, &p[k], text) : 0;
            r[k].partition_index = p[k].partition_index;
            kb_say(&f, &r[k].error_code, &r[k].error_message,
                   error == 0 ? ASKED_OF_CONTROLLER : error, error == 0 ? NULL : text);
            if (error == 0 && p[k].replicas.count <= SM_REPLICAS_MAX) {
                add_to_call(c, q, wire_text(q, topic[i].name), &p[k]);
                called++;
            }
        }
    }
    kb_response_close(s, &f);
    return called;
}

static void ask(struct kb_turn *t, struct kb_slot *s)
{
    struct wire_call head = {.api = WIRE_API_ALTER_PARTITION_REASSIGNMENTS};
    struct wire_call_builder c;
    size_t capacity;
    void *bytes = kb_call_room(t, s, &capacity);
    wire_call_begin(&c, bytes, capacity, &head);
    uint32_t called = sort_out(t, s, &c);
    const struct wire_call *call = wire_call_end(&c);
    assert(call != NULL);
    if (called == 0 && t->in->is_controller)
        kb_response_send(t, s);
    else
        kb_slot_call(s);
}

void kb_begin_alter_reassignments(struct kb_turn *t)
{
    struct kb_room room = kb_room_alter_reassignments(t->b, t->in);
    struct kb_slot *s = kb_slot_take(t, room.work, room.response);
    if (t->in->is_controller && !kb_candidates_known(t))
        s->phase = KB_PHASE_BROKERS;
    else
        ask(t, s);
}

void kb_advance_reassignments(struct kb_turn *t, struct kb_slot *s, const struct kb_reply *r)
{
    (void)r;
    if (s->phase == KB_PHASE_BROKERS && kb_candidates_known(t))
        ask(t, s);
}

/* ---- its answer ---- */

static void show_list(struct sm_text *x, const void *q, struct wire_array ids)
{
    SM_TEXT(x, "ArrayBuffer(");
    for (int32_t i = 0; i < ids.count; i++) {
        sm_text_string(x, i > 0 ? ", " : "");
        sm_text_int(x, WIRE_ITEMS(q, ids, int32_t)[i]);
    }
    SM_TEXT(x, ")");
}

static bool has_negative(const int32_t *ids, int32_t count)
{
    for (int32_t i = 0; i < count; i++)
        if (ids[i] < 0)
            return true;
    return false;
}

static bool has_repetition(const int32_t *ids, int32_t count)
{
    for (int32_t i = 0; i < count; i++)
        for (int32_t j = 0; j < i; j++)
            if (ids[i] == ids[j])
                return true;
    return false;
}

/* Those of the list that the partition has not got, and the brokers that live. */
static void show_dead(struct sm_text *x, const struct kb_turn *t, const char *topic,
                      const int32_t *ids, const asked *p)
{
    const struct kb_cache *c = kb_broker_cache(t->b);
    const struct kb_partition *row =
        kb_cache_partition(c, kb_cache_topic(c, topic, strlen(topic)), p->partition_index);
    uint32_t count = 0;
    const int32_t *old = row == NULL ? NULL : kb_cache_list(c, row->replicas, &count);
    const char *comma = "";
    SM_TEXT(x, "Replica assignment has brokers that are not alive. Replica list: ArrayBuffer(");
    for (int32_t i = 0; i < p->replicas.count; i++) {
        uint32_t k = 0;
        while (k < count && old[k] != ids[i])
            k++;
        if (k < count)
            continue;
        sm_text_string(x, comma);
        sm_text_int(x, ids[i]);
        comma = ", ";
    }
    SM_TEXT(x, "), live broker list: Set(");
    for (uint32_t i = 0; i < kb_cache_live_count(c); i++) {
        sm_text_string(x, i > 0 ? ", " : "");
        sm_text_int(x, kb_cache_live(kb_cache_of(t->b), i)->broker.id);
    }
    SM_TEXT(x, ")");
}

/* Tells which of Kafka's reasons it was: the controller's answer only has the code. */
static const char *why_invalid(const struct kb_turn *t, const void *q, const char *topic,
                               const asked *p, char *text)
{
    const int32_t *ids = WIRE_ITEMS(q, p->replicas, int32_t);
    struct sm_text x = sm_text_begin(text, KB_TEXT_MAX - 1);
    if (p->replicas.count < 0)
        return NULL;
    if (p->replicas.count == 0) {
        SM_TEXT(&x, "Empty replica list specified in partition reassignment.");
    } else if (has_repetition(ids, p->replicas.count)) {
        SM_TEXT(&x, "Duplicate replica ids in partition reassignment replica list: ");
        show_list(&x, q, p->replicas);
    } else if (has_negative(ids, p->replicas.count)) {
        SM_TEXT(&x, "Invalid broker id in replica list: ");
        show_list(&x, q, p->replicas);
    } else {
        show_dead(&x, t, topic, ids, p);
    }
    text[x.size] = '\0';
    return text;
}

static const char *reason(const struct kb_turn *t, const void *q, const char *topic, const asked *p,
                          int32_t error, char *text)
{
    switch (error) {
    case WIRE_ERROR_NONE:
        return NULL;
    case WIRE_ERROR_UNKNOWN_TOPIC_OR_PARTITION:
        return "The partition does not exist.";
    case WIRE_ERROR_INVALID_REPLICA_ASSIGNMENT:
        return why_invalid(t, q, topic, p, text);
    }
    return wire_error_text(error);
}

static void refuse_all(struct kb_turn *t, struct kb_slot *s, int32_t error)
{
    struct wire_flat f;
    struct wire_alter_partition_reassignments_response *head =
        kb_answer_begin(t, &f, WIRE_API_ALTER_PARTITION_REASSIGNMENTS, sizeof *head);
    kb_say(&f, &head->error_code, &head->error_message, error, wire_error_text(error));
    kb_slot_answer(t, s, &f);
}

void kb_answered_alter_reassignments(struct kb_turn *t, struct kb_slot *s,
                                     const struct wire_call *answer)
{
    const struct wire_alter_partition_reassignments_request *q = kb_request_of(t->b, s);
    const asked_topic *topic = WIRE_ITEMS(q, q->topics, asked_topic);
    uint8_t *response = kb_area_bytes(t->b, s, KB_AREA_RESPONSE);
    struct wire_call_view v = {0};
    struct wire_flat f;
    char text[KB_TEXT_MAX];
    if (answer->error != 0) {
        refuse_all(t, s, answer->error);
        return;
    }
    struct wire_alter_partition_reassignments_response *head = (void *)response;
    topic_result *out = (void *)(response + head->responses.at);
    kb_response_open(t->b, s, &f);
    for (int32_t i = 0; i < head->responses.count; i++) {
        result *r = (void *)(response + out[i].partitions.at);
        for (int32_t k = 0; k < out[i].partitions.count; k++) {
            if (r[k].error_code != ASKED_OF_CONTROLLER)
                continue;
            int32_t error =
                wire_call_next(answer, &v) ? v.item->error : WIRE_ERROR_UNKNOWN_SERVER_ERROR;
            kb_say(
                &f, &r[k].error_code, &r[k].error_message, error,
                reason(t, q, wire_text(q, topic[i].name), &asked_of(q, &topic[i])[k], error, text));
        }
    }
    kb_response_close(s, &f);
    kb_response_send(t, s);
}

/* ---- ListPartitionReassignments ---- */

struct kb_room kb_room_list_reassignments(const struct kb_broker *b,
                                          const struct kb_broker_input *in)
{
    const struct wire_list_partition_reassignments_request *q = in->message;
    const struct wire_list_partition_reassignments_request_topic *topic =
        WIRE_ITEMS(q, q->topics, struct wire_list_partition_reassignments_request_topic);
    size_t call = 256;
    (void)b;
    for (int32_t i = 0; i < q->topics.count; i++)
        call +=
            (size_t)(topic[i].partition_indexes.count < 0 ? 0 : topic[i].partition_indexes.count) *
            (sizeof(struct wire_call_item) + (size_t)topic[i].name.size + 16);
    return (struct kb_room){.response = 512, .work = call};
}

void kb_begin_list_reassignments(struct kb_turn *t)
{
    struct kb_room room = kb_room_list_reassignments(t->b, t->in);
    struct kb_slot *s = kb_slot_take(t, room.work, room.response);
    const struct wire_list_partition_reassignments_request *q = kb_request_of(t->b, s);
    const struct wire_list_partition_reassignments_request_topic *topic =
        WIRE_ITEMS(q, q->topics, struct wire_list_partition_reassignments_request_topic);
    struct wire_call head = {.api = WIRE_API_LIST_PARTITION_REASSIGNMENTS,
                             .all = q->topics.count < 0};
    struct wire_call_builder c;
    size_t capacity;
    void *bytes = kb_call_room(t, s, &capacity);
    wire_call_begin(&c, bytes, capacity, &head);
    for (int32_t i = 0; i < q->topics.count; i++)
        for (int32_t k = 0; k < topic[i].partition_indexes.count; k++)
            wire_call_add(&c, wire_text(q, topic[i].name),
                          WIRE_ITEMS(q, topic[i].partition_indexes, int32_t)[k], 0, false, NULL);
    const struct wire_call *call = wire_call_end(&c);
    assert(call != NULL);
    kb_slot_call(s);
}

void kb_answered_list_reassignments(struct kb_turn *t, struct kb_slot *s,
                                    const struct wire_call *answer)
{
    struct kb_call_group g = {.call = answer};
    struct wire_flat f;
    int32_t n = 0;
    struct wire_list_partition_reassignments_response *head =
        kb_response_begin(t->b, s, &f, sizeof *head);
    if (answer->error != 0)
        kb_say(&f, &head->error_code, &head->error_message, answer->error,
               wire_error_text(answer->error));
    struct wire_list_partition_reassignments_response_topic *out =
        kb_items(&f, &head->topics, answer->error != 0 ? 0 : kb_group_count(answer, NULL, NULL),
                 &wire_layout_list_partition_reassignments_response_topic);
    while (n < head->topics.count && kb_call_group_next(&g, NULL, NULL)) {
        struct wire_call_view v = g.first;
        out[n].name = wire_flat_string(&f, v.topic);
        struct wire_list_partition_reassignments_response_partition *p =
            kb_items(&f, &out[n].partitions, g.count,
                     &wire_layout_list_partition_reassignments_response_partition);
        for (int32_t k = 0; k < out[n].partitions.count; k++) {
            p[k].partition_index = v.item->partition;
            p[k].replicas = wire_flat_ids(&f, v.replicas, v.item->replica_count);
            p[k].adding_replicas = wire_flat_ids(&f, v.adding, v.item->adding_count);
            p[k].removing_replicas = wire_flat_ids(&f, v.removing, v.item->removing_count);
            wire_call_next(answer, &v);
        }
        n++;
    }
    kb_response_close(s, &f);
    kb_response_send(t, s);
}
