/*
 * DeleteTopics: per topic, exists? ─► create /admin/delete_topics/T; then wait until the cache has
 * forgotten them all, or the deadline. A mark that is there already is as good as one's own.
 *
 * Topic ids: at inter.broker.protocol.version 2.6 no topic has one, so a topic named by id is
 * unknown.
 *
 * Source: Kafka KafkaApis.handleDeleteTopicsRequest, ZkAdminManager.deleteTopics,
 * AdminZkClient.deleteTopic, DelayedDeleteTopics.
 */
#include <string.h>

#include "broker/state.h"

typedef struct wire_delete_topics_request_topic asked_topic;
typedef struct wire_delete_topics_response_response result;

enum { WANTED = 1 }; /* in the work area, a byte a topic: to be deleted */

static bool by_name(const struct kb_slot *s)
{
    return s->version < 6;
}

static int32_t count_of(const struct wire_delete_topics_request *q, int32_t version)
{
    int32_t count = version < 6 ? q->topic_names.count : q->topics.count;
    return count < 0 ? 0 : count;
}

/* Name (size -1: none) and id of the i-th topic. */
static struct wire_string name_at(const struct wire_delete_topics_request *q, int32_t version,
                                  int32_t i)
{
    return version < 6 ? WIRE_ITEMS(q, q->topic_names, struct wire_string)[i]
                       : WIRE_ITEMS(q, q->topics, asked_topic)[i].name;
}

static struct wire_uuid id_at(const struct wire_delete_topics_request *q, int32_t version,
                              int32_t i)
{
    return version < 6 ? (struct wire_uuid){{0}}
                       : WIRE_ITEMS(q, q->topics, asked_topic)[i].topic_id;
}

static bool is_none(struct wire_uuid id)
{
    static const struct wire_uuid none;
    return memcmp(&id, &none, sizeof none) == 0;
}

static result *results(struct kb_broker *b, const struct kb_slot *s)
{
    struct wire_delete_topics_response *head = kb_area_bytes(b, s, KB_AREA_RESPONSE);
    return (result *)(void *)((uint8_t *)head + head->responses.at);
}

static bool is_there(struct kb_broker *b, const result *r, const void *message)
{
    return r->name.size >= 0 && kb_cache_topic(kb_broker_cache(b), wire_text(message, r->name),
                                               (size_t)r->name.size) != KB_NO_TOPIC;
}

/* Ends the wait: who is still there has timed out (`at_once`: all have). */
static void finish(struct kb_turn *t, struct kb_slot *s, bool at_once)
{
    result *r = results(t->b, s);
    const uint8_t *wanted = kb_area_bytes(t->b, s, KB_AREA_WORK);
    const void *message = kb_area_bytes(t->b, s, KB_AREA_RESPONSE);
    for (int32_t i = 0; i < count_of(kb_request_of(t->b, s), s->version); i++)
        if (wanted[i] == WANTED && r[i].error_code == 0 &&
            (at_once || is_there(t->b, &r[i], message)))
            r[i].error_code = WIRE_ERROR_REQUEST_TIMED_OUT;
    kb_response_send(t, s);
}

static bool all_gone(struct kb_broker *b, struct kb_slot *s)
{
    result *r = results(b, s);
    const uint8_t *wanted = kb_area_bytes(b, s, KB_AREA_WORK);
    const void *message = kb_area_bytes(b, s, KB_AREA_RESPONSE);
    int32_t count = count_of(kb_request_of(b, s), s->version);
    for (int32_t round = 0; round < 2; round++) {
        for (; (int32_t)s->at < count; s->at++)
            if (wanted[s->at] == WANTED && r[s->at].error_code == 0 &&
                is_there(b, &r[s->at], message))
                return false;
        if (round == 0)
            s->at = 0; /* one that was gone may have come again */
    }
    return true;
}

static bool any_accepted(struct kb_broker *b, struct kb_slot *s)
{
    result *r = results(b, s);
    const uint8_t *wanted = kb_area_bytes(b, s, KB_AREA_WORK);
    for (int32_t i = 0; i < count_of(kb_request_of(b, s), s->version); i++)
        if (wanted[i] == WANTED && r[i].error_code == 0)
            return true;
    return false;
}

static void ask(struct kb_turn *t, struct kb_slot *s, enum kb_phase phase)
{
    char path[SM_PATH_MAX];
    const char *name =
        wire_text(kb_area_bytes(t->b, s, KB_AREA_RESPONSE), results(t->b, s)[s->item].name);
    if (phase == KB_PHASE_EXISTS)
        sm_path_topic(path, name);
    else
        sm_path_delete_topic(path, name);
    kb_slot_ask(
        t, s, phase,
        &(struct kb_zk){.opcode = phase == KB_PHASE_EXISTS ? WIRE_ZK_EXISTS : WIRE_ZK_CREATE,
                        .path = path});
}

static void on_reply(struct kb_turn *t, struct kb_slot *s, int32_t err)
{
    result *r = &results(t->b, s)[s->item];
    if (s->phase == KB_PHASE_EXISTS && err == WIRE_ZK_OK) {
        ask(t, s, KB_PHASE_MAKE_DELETION);
        return;
    }
    if (s->phase == KB_PHASE_EXISTS && err == WIRE_ZK_NO_NODE)
        r->error_code = WIRE_ERROR_UNKNOWN_TOPIC_OR_PARTITION;
    else if (err != WIRE_ZK_OK && err != WIRE_ZK_NODE_EXISTS)
        r->error_code = WIRE_ERROR_UNKNOWN_SERVER_ERROR;
    s->item++;
    s->phase = KB_PHASE_ITEM;
}

static void wait_or_finish(struct kb_turn *t, struct kb_slot *s)
{
    const struct wire_delete_topics_request *q = kb_request_of(t->b, s);
    if (!any_accepted(t->b, s) || q->timeout_ms <= 0) {
        finish(t, s, true);
        return;
    }
    s->phase = KB_PHASE_LEADERS;
    if (all_gone(t->b, s) || t->now_us >= s->deadline_us)
        finish(t, s, false);
}

void kb_advance_delete_topics(struct kb_turn *t, struct kb_slot *s, const struct kb_reply *r)
{
    const struct wire_delete_topics_request *q = kb_request_of(t->b, s);
    const uint8_t *wanted = kb_area_bytes(t->b, s, KB_AREA_WORK);
    if (s->phase == KB_PHASE_LEADERS) {
        if (all_gone(t->b, s) || t->now_us >= s->deadline_us)
            finish(t, s, false);
        return;
    }
    if (r != NULL)
        on_reply(t, s, r->err);
    while (s->phase == KB_PHASE_ITEM && (int32_t)s->item < count_of(q, s->version)) {
        if (wanted[s->item] == WANTED)
            ask(t, s, KB_PHASE_EXISTS);
        else
            s->item++;
    }
    if (s->phase == KB_PHASE_ITEM)
        wait_or_finish(t, s);
}

struct kb_room kb_room_delete_topics(const struct kb_broker *b, const struct kb_broker_input *in)
{
    size_t count = (size_t)count_of(in->message, in->version);
    (void)b;
    return (struct kb_room){.work = count + 8,
                            .response = 512 + 2 * in->size + count * (sizeof(result) + 16),
                            .scratch = count * 64 + 4 * in->size};
}

/* A name and an id at once: the whole request is refused. */
static bool has_both(const struct wire_delete_topics_request *q, int32_t version)
{
    for (int32_t i = 0; i < count_of(q, version); i++)
        if (name_at(q, version, i).size >= 0 && !is_none(id_at(q, version, i)))
            return true;
    return false;
}

static int32_t error_of_all(struct kb_turn *t, const struct wire_delete_topics_request *q)
{
    if (!t->in->is_controller)
        return WIRE_ERROR_NOT_CONTROLLER;
    if (!kb_property_is_true(t->b, "delete.topic.enable"))
        return t->in->version < 3 ? WIRE_ERROR_INVALID_REQUEST : WIRE_ERROR_TOPIC_DELETION_DISABLED;
    return has_both(q, t->in->version) ? WIRE_ERROR_INVALID_REQUEST : 0;
}

static int32_t error_of_one(struct kb_turn *t, const struct wire_delete_topics_request *q,
                            int32_t i)
{
    struct wire_string name = name_at(q, t->in->version, i);
    if (name.size < 0)
        return is_none(id_at(q, t->in->version, i)) ? WIRE_ERROR_UNKNOWN_TOPIC_OR_PARTITION
                                                    : WIRE_ERROR_UNKNOWN_TOPIC_ID;
    return kb_cache_topic(kb_cache_of(t->b), wire_text(q, name), (size_t)name.size) == KB_NO_TOPIC
               ? WIRE_ERROR_UNKNOWN_TOPIC_OR_PARTITION
               : 0;
}

void kb_begin_delete_topics(struct kb_turn *t)
{
    struct kb_room room = kb_room_delete_topics(t->b, t->in);
    struct kb_slot *s = kb_slot_take(t, room.work, room.response);
    const struct wire_delete_topics_request *q = kb_request_of(t->b, s);
    uint8_t *wanted = kb_area_bytes(t->b, s, KB_AREA_WORK);
    struct wire_flat f;
    int32_t count = count_of(q, s->version), all = error_of_all(t, q);
    struct wire_delete_topics_response *head = kb_response_begin(t->b, s, &f, sizeof *head);
    result *r = kb_items(&f, &head->responses, count, &wire_layout_delete_topics_response_response);
    uint32_t *first = NULL;
    if (count > 0)
        first = by_name(s) ? kb_first_of(t, q, WIRE_ITEMS(q, q->topic_names, struct wire_string),
                                         sizeof(struct wire_string), (uint32_t)count)
                           : kb_first_of(t, q, &WIRE_ITEMS(q, q->topics, asked_topic)->name,
                                         sizeof(asked_topic), (uint32_t)count);
    for (int32_t i = 0; i < head->responses.count; i++) {
        struct wire_string name = name_at(q, s->version, i);
        r[i].name = name.size < 0 ? WIRE_NULL_STRING
                                  : wire_flat_string_of(&f, wire_text(q, name), (size_t)name.size);
        r[i].topic_id = id_at(q, s->version, i);
        r[i].error_code = (int16_t)(all != 0 ? all : error_of_one(t, q, i));
        wanted[i] = r[i].error_code == 0 && first[i] == (uint32_t)i ? WANTED : 0;
    }
    kb_response_close(s, &f);
    s->deadline_us = kb_deadline(t, q->timeout_ms);
    t->scratch_used = 0;
    kb_advance_delete_topics(t, s, NULL);
}
