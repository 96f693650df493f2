/*
 * Writing a topic's znode: the whole topic from the context, with another assignment for one of its
 * partitions.
 *
 *     scratch  | what the event has kept … scratch_used | the znode | … the request that takes it
 *
 * The text is built in the room at the end of the scratch; the request is built behind it, and
 * nothing is kept in between. A write that finds no topic is an IllegalState, as it is for Kafka.
 *
 * Source: Kafka KafkaController.updateReplicaAssignmentForPartition,
 * KafkaZkClient.setTopicAssignment.
 */
#include "controller/state.h"

#include <assert.h>

size_t kc_topic_znode_max(const struct kc_controller *c, uint32_t topic)
{
    return 256 +
           (size_t)kc_topic(c, topic)->partition_count * (48 + 36 * (size_t)c->limits.replicas);
}

char *kc_room(struct kc_controller *c, uint32_t partitions, size_t *size)
{
    uint32_t at = (c->scratch_used + 7) & ~7u;

    (void)partitions;
    if (size != NULL) {
        *size = c->limits.scratch_bytes - at;
    }
    return (char *)kc_scratch(c) + at;
}

const uint8_t *kc_topic_id(const struct kc_controller *c, uint32_t topic)
{
    const struct kc_topic *t = kc_topic(c, topic);

    return (t->flags & KC_TOPIC_HAS_ID) != 0 ? t->id : NULL;
}

/* The whole topic from the context, but `goal` for one partition. */
static size_t encode_topic(struct kc_controller *c, uint32_t topic, uint32_t changed,
                           const struct sm_assignment *goal, char *out, size_t capacity)
{
    struct sm_topic_writer w;

    sm_topic_writer_begin(&w, out, capacity);
    for (int32_t section = 0; section < 3; section++) {
        sm_topic_writer_section(&w, section);
        for (uint32_t row = kc_row_next_of(c, topic, KC_NO_ROW); row != KC_NO_ROW;
             row = kc_row_next_of(c, topic, row)) {
            if (!kc_row_is_assigned(c, row) && row != changed) {
                continue;
            }
            struct sm_assignment a = row == changed ? *goal : kc_row_assignment(c, row);
            sm_topic_writer_partition(&w, kc_row_at(c, row)->partition, &a);
        }
    }
    return sm_topic_writer_end(&w, kc_topic_id(c, topic));
}

/* Builds the znode at the end of the scratch; the request is built behind it. */
bool kc_ask_topic_write(struct kc_controller *c, uint32_t row, const struct sm_assignment *goal,
                        struct kc_ask *ask)
{
    uint32_t topic = kc_row_at(c, row)->topic - 1;
    char path[SM_PATH_MAX];
    size_t capacity;
    char *out = kc_room(c, 0, &capacity);
    size_t max = kc_topic_znode_max(c, topic);

    assert(max <= capacity);
    size_t size = encode_topic(c, topic, row, goal, out, max);
    assert(size > 0);
    sm_path_topic(path, kc_topic_name(kc_topic(c, topic)));
    kc_ask_write(ask, WIRE_ZK_SET_DATA, path, out, (uint32_t)size, WIRE_ZK_ANY_VERSION);
    return true;
}

enum kc_slot_next kc_answer_topic_write(struct kc_controller *c, uint32_t row, int32_t err)
{
    if (err == WIRE_ZK_NO_NODE) {
        kc_throw(c, SM_ERR_ILLEGAL_STATE,
                 "java.lang.IllegalStateException: Failed to update assignment for %s-%d since the "
                 "topic has no current assignment",
                 kc_row_topic(c, row), kc_row_at(c, row)->partition);
        return KC_SLOT_FAIL;
    }
    return err == WIRE_ZK_OK ? KC_SLOT_DONE : kc_slot_throw(c, err);
}
