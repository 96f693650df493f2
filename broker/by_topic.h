/*
 * Lists of partitions in two forms: on the wire topics with their partitions, for replicas one item
 * after the other, each with its topic.
 *
 *     topics[] {name, partitions[] {…}}  ◄── kb_topics_write   items[] {topic, partition, …}
 *                                        ──► kb_topics_read
 *
 * Items of one topic that stand together become one topic; their order stays. Internal to broker/.
 */
#ifndef BROKER_BY_TOPIC_H
#define BROKER_BY_TOPIC_H

#include "broker/state.h"

struct kb_shape {
    const struct wire_layout *topic;
    const struct wire_layout *partition; /* NULL: numbers alone */
    uint32_t name, partitions;           /* offsets in a topic */
};

#define KB_SHAPE(head, topic_, name_, partitions_, partition_)                                     \
    ((struct kb_shape){&wire_layout_##head##_##topic_, &wire_layout_##head##_##partition_,         \
                       offsetof(struct wire_##head##_##topic_, name_),                             \
                       offsetof(struct wire_##head##_##topic_, partitions_)})
#define KB_NUMBERS(head, topic_, name_, partitions_)                                               \
    ((struct kb_shape){&wire_layout_##head##_##topic_, NULL,                                       \
                       offsetof(struct wire_##head##_##topic_, name_),                             \
                       offsetof(struct wire_##head##_##topic_, partitions_)})

/* How every item of broker/replicas.h begins. */
struct kb_item_head {
    const char *topic;
    int32_t partition;
};

struct kb_item_list {
    const void *items;
    size_t size; /* of one */
    uint32_t count;
};

/* Writes one partition; `to` holds the defaults of its table. */
typedef void kb_partition_write(struct kb_turn *t, struct wire_flat *f, void *to, const void *item);
void kb_topics_write(struct kb_turn *t, struct wire_flat *f, struct wire_array *topics,
                     const struct kb_shape *shape, struct kb_item_list list,
                     kb_partition_write *write);

/* Reads one partition of a topic into `item`, which is zero. */
typedef void kb_partition_read(struct kb_turn *t, const void *message, struct wire_string topic,
                               const void *partition, void *item);
/* Returns the items, in scratch; *count of them. */
void *kb_topics_read(struct kb_turn *t, const void *message, struct wire_array topics,
                     const struct kb_shape *shape, size_t item_size, kb_partition_read *read,
                     uint32_t *count);

/* Leaves each partition once: at the place where it first stands, with what is said of it last (as a
   map keyed by partition does). Returns how many are left. */
uint32_t kb_items_unique(struct kb_turn *t, void *items, size_t item_size, uint32_t count);

#endif
