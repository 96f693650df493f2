/*
 * One topic of a CreateTopics request in work. Internal to create_topics.c and new_replicas.c.
 */
#ifndef BROKER_CREATE_TOPICS_H
#define BROKER_CREATE_TOPICS_H

#include "broker/assign.h"
#include "broker/state.h"

/* Made anew in each step; pointers into the slot's areas. */
struct kb_new_topic {
    const struct wire_create_topics_request *q;
    const struct wire_create_topics_request_topic *topic;
    const char *name;
    struct wire_create_topics_response_topic *out;
    struct wire_flat f;
};

/* Ends the topic with an error and Kafka's words (NULL: null). */
void kb_new_topic_refuse(struct kb_slot *s, struct kb_new_topic *i, int32_t error,
                         const char *message);

/* ---- new_replicas.c: numbers, or lists ---- */

/* The numbers asked for; -1 is the node's default. */
int32_t kb_new_topic_partitions(const struct kb_broker *b,
                                const struct wire_create_topics_request_topic *topic);
int32_t kb_new_topic_factor(const struct kb_broker *b,
                            const struct wire_create_topics_request_topic *topic);
/* Starts an automatic assignment; false, and the error said. `only_check` draws nothing. */
bool kb_new_topic_assign(struct kb_turn *t, struct kb_slot *s, struct kb_new_topic *i,
                         struct kb_assign *a, bool only_check);

struct kb_new_list {
    const struct wire_create_topics_request_assignment *list; /* of one partition */
    const int32_t *ids;
    int32_t count; /* of ids */
};
/* The list at a place of the request. */
struct kb_new_list kb_new_topic_list(const struct kb_new_topic *i, int32_t place);
/* Places (+1) of the lists by partition number, *count of them, in scratch: a later one for the
   same partition counts. NULL where the numbers are not 0..n-1. */
int32_t *kb_new_topic_places(struct kb_turn *t, const struct kb_new_topic *i, int32_t *count);
/* Checks lists that somebody gave; false, and the error said. */
bool kb_new_topic_check_lists(struct kb_turn *t, struct kb_slot *s, struct kb_new_topic *i);

#endif
