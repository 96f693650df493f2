/*
 * The replicas of a new topic: numbers, from which lists are made, or lists that somebody gave.
 * Kafka takes lists with brokers that do not exist, and empty ones; so do we.
 *
 * Source: Kafka AdminZkClient.validateTopicCreate, AdminUtils.assignReplicasToBrokers,
 * ZkAdminManager.createTopics.
 */
#include <inttypes.h>
#include <stdio.h>

#include "broker/create_topics.h"
#include "statemachine/text.h"

/* ---- numbers ---- */

int32_t kb_new_topic_partitions(const struct kb_broker *b,
                                const struct wire_create_topics_request_topic *topic)
{
    return topic->num_partitions == -1 ? (int32_t)kb_property_int(b, "num.partitions")
                                       : topic->num_partitions;
}

int32_t kb_new_topic_factor(const struct kb_broker *b,
                            const struct wire_create_topics_request_topic *topic)
{
    return topic->replication_factor == -1
               ? (int32_t)kb_property_int(b, "default.replication.factor")
               : topic->replication_factor;
}

/* Bytes of one partition in a topic's znode, at most. */
static int64_t znode_bytes(int64_t partitions, int64_t replicas)
{
    return 128 + partitions * (14 + replicas * 11);
}

static const char *too_large = "The topic would not fit into a znode (1 MB)";

/* Starts an automatic assignment; false, and the error said. */
bool kb_new_topic_assign(struct kb_turn *t, struct kb_slot *s, struct kb_new_topic *i,
                         struct kb_assign *a, bool only_check)
{
    char text[KB_TEXT_MAX];
    uint32_t count;
    struct kb_candidate *c = kb_candidates(t, &count);
    int32_t partitions = kb_new_topic_partitions(t->b, i->topic),
            replicas = kb_new_topic_factor(t->b, i->topic);
    uint32_t start = 0, shift = 0;
    if (!only_check && count > 0) {
        start = kb_draw(t->b, count);
        shift = kb_draw(t->b, count);
    }
    switch (kb_assign_begin(a, c, count, partitions, replicas, 0, start, shift)) {
    case KB_ASSIGN_OK:
        break;
    case KB_ASSIGN_NO_PARTITIONS:
        kb_new_topic_refuse(s, i, WIRE_ERROR_INVALID_PARTITIONS,
                            "Number of partitions must be larger than 0.");
        return false;
    case KB_ASSIGN_NO_REPLICAS:
        kb_new_topic_refuse(s, i, WIRE_ERROR_INVALID_REPLICATION_FACTOR,
                            "Replication factor must be larger than 0.");
        return false;
    case KB_ASSIGN_TOO_FEW_BROKERS:
        snprintf(text, sizeof text,
                 "Replication factor: %" PRId32 " larger than available brokers: %" PRIu32 ".",
                 replicas, count);
        kb_new_topic_refuse(s, i, WIRE_ERROR_INVALID_REPLICATION_FACTOR, text);
        return false;
    case KB_ASSIGN_SOME_WITHOUT_RACK: /* an AdminOperationException, whose text is not told */
        kb_new_topic_refuse(s, i, WIRE_ERROR_UNKNOWN_SERVER_ERROR, NULL);
        return false;
    case KB_ASSIGN_TOO_MANY_REPLICAS:
        snprintf(text, sizeof text, "Replication factor: %" PRId32 " above %d, a limit of kcsim.",
                 replicas, SM_REPLICAS_MAX);
        kb_new_topic_refuse(s, i, WIRE_ERROR_INVALID_REPLICATION_FACTOR, text);
        return false;
    }
    if (znode_bytes(partitions, replicas) <= KB_ZNODE_MAX)
        return true;
    kb_new_topic_refuse(s, i, WIRE_ERROR_INVALID_PARTITIONS, too_large);
    return false;
}

/* ---- lists ---- */

struct kb_new_list kb_new_topic_list(const struct kb_new_topic *i, int32_t place)
{
    const struct wire_create_topics_request_assignment *l = &WIRE_ITEMS(
        i->q, i->topic->assignments, struct wire_create_topics_request_assignment)[place];
    return (struct kb_new_list){l, WIRE_ITEMS(i->q, l->broker_ids, int32_t),
                                l->broker_ids.count < 0 ? 0 : l->broker_ids.count};
}

static bool has_duplicates(const struct kb_new_list *m)
{
    for (int32_t i = 0; i < m->count; i++)
        for (int32_t j = 0; j < i; j++)
            if (m->ids[i] == m->ids[j])
                return true;
    return false;
}

/* Places of the lists by partition number (a later one for the same partition counts), or NULL
   where the numbers are not 0..n-1. */
int32_t *kb_new_topic_places(struct kb_turn *t, const struct kb_new_topic *i, int32_t *count)
{
    int32_t given = i->topic->assignments.count, different = 0;
    int32_t *place = kb_turn_scratch(t, (size_t)given * sizeof *place);
    bool in_range = true;
    for (int32_t k = 0; k < given; k++) {
        int32_t number = kb_new_topic_list(i, k).list->partition_index;
        if (number < 0 || number >= given) {
            in_range = false;
            continue;
        }
        different += place[number] == 0;
        place[number] = k + 1;
    }
    for (int32_t k = 0; k < different; k++)
        in_range = in_range && place[k] != 0;
    *count = different;
    return in_range ? place : NULL;
}

static void say_duplicate(char *text, const struct kb_new_topic *i)
{
    struct sm_text x = sm_text_begin(text, KB_TEXT_MAX - 1);
    sm_text_string(&x, "Duplicate replica assignment found: HashMap(");
    for (int32_t k = 0; k < i->topic->assignments.count; k++) {
        struct kb_new_list m = kb_new_topic_list(i, k);
        sm_text_string(&x, k > 0 ? ", " : "");
        sm_text_int(&x, m.list->partition_index);
        sm_text_string(&x, " -> ArrayBuffer(");
        for (int32_t j = 0; j < m.count; j++) {
            sm_text_string(&x, j > 0 ? ", " : "");
            sm_text_int(&x, m.ids[j]);
        }
        SM_TEXT(&x, ")");
    }
    SM_TEXT(&x, ")");
    text[x.size] = '\0';
}

/* AdminZkClient.validateTopicCreate on lists that somebody gave; then what is ours to refuse. */
bool kb_new_topic_check_lists(struct kb_turn *t, struct kb_slot *s, struct kb_new_topic *i)
{
    char text[KB_TEXT_MAX] = "";
    int32_t given = i->topic->assignments.count, count, most = 0;
    for (int32_t k = 0; k < given; k++) {
        struct kb_new_list m = kb_new_topic_list(i, k);
        most = m.count > most ? m.count : most;
        if (m.count != kb_new_topic_list(i, 0).count) {
            kb_new_topic_refuse(s, i, WIRE_ERROR_INVALID_REPLICA_ASSIGNMENT,
                                "All partitions should have the same number of replicas");
            return false;
        }
    }
    for (int32_t k = 0; k < given && most <= SM_REPLICAS_MAX; k++) {
        struct kb_new_list m = kb_new_topic_list(i, k);
        if (has_duplicates(&m)) {
            say_duplicate(text, i);
            kb_new_topic_refuse(s, i, WIRE_ERROR_INVALID_REPLICA_ASSIGNMENT, text);
            return false;
        }
    }
    if (kb_new_topic_places(t, i, &count) == NULL) {
        kb_new_topic_refuse(s, i, WIRE_ERROR_INVALID_REPLICA_ASSIGNMENT,
                            "partitions should be a consecutive 0-based integer sequence");
        return false;
    }
    if (most > SM_REPLICAS_MAX)
        snprintf(text, sizeof text, "A partition may have %d replicas at most, a limit of kcsim.",
                 SM_REPLICAS_MAX);
    else if (znode_bytes(given, most) > KB_ZNODE_MAX)
        snprintf(text, sizeof text, "%s", too_large);
    for (int32_t k = 0; k < given && text[0] == '\0'; k++)
        for (int32_t j = 0; j < kb_new_topic_list(i, k).count; j++)
            if (kb_is_without_data(t->b, kb_new_topic_list(i, k).ids[j]))
                snprintf(text, sizeof text,
                         "Replicas cannot be placed on node %" PRId32
                         ", which is a controller without data.",
                         kb_new_topic_list(i, k).ids[j]);
    if (text[0] == '\0')
        return true;
    kb_new_topic_refuse(s, i, WIRE_ERROR_INVALID_REPLICA_ASSIGNMENT, text);
    return false;
}
