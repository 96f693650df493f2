/*
 * Both walks go once over what there is, by the offsets of a shape.
 */
#include "broker/by_topic.h"

#include <string.h>

static const struct kb_item_head *item_at(const struct kb_item_list *l, uint32_t i)
{
    return (const void *)((const uint8_t *)l->items + i * l->size);
}

/* How many items from `at` on are of one topic. */
static uint32_t run(const struct kb_item_list *l, uint32_t at)
{
    const char *topic = item_at(l, at)->topic;
    uint32_t end = at + 1;
    while (end < l->count &&
           (item_at(l, end)->topic == topic || strcmp(item_at(l, end)->topic, topic) == 0))
        end++;
    return end - at;
}

static struct wire_array write_run(struct kb_turn *t, struct wire_flat *f,
                                   const struct kb_shape *shape, const struct kb_item_list *l,
                                   uint32_t at, kb_partition_write *write_one)
{
    uint32_t count = run(l, at);
    size_t stride = shape->partition == NULL ? sizeof(int32_t) : shape->partition->size;
    struct wire_array a = wire_flat_array(f, (int32_t)count, stride);
    uint8_t *to = a.count <= 0 ? NULL : wire_flat_at(f, a.at);
    for (uint32_t i = 0; to != NULL && i < count; i++, to += stride) {
        if (shape->partition != NULL)
            wire_defaults_of(shape->partition, to);
        if (write_one != NULL)
            write_one(t, f, to, item_at(l, at + i));
        else
            memcpy(to, &item_at(l, at + i)->partition, sizeof(int32_t));
    }
    return a;
}

void kb_topics_write(struct kb_turn *t, struct wire_flat *f, struct wire_array *topics,
                     const struct kb_shape *shape, struct kb_item_list list,
                     kb_partition_write *write_one)
{
    int32_t count = 0;
    for (uint32_t at = 0; at < list.count; at += run(&list, at))
        count++;
    uint8_t *topic = kb_items(f, topics, count, shape->topic);
    uint32_t at = 0;
    for (int32_t i = 0; i < topics->count; i++, topic += shape->topic->size) {
        struct wire_string name = wire_flat_string(f, item_at(&list, at)->topic);
        struct wire_array partitions = write_run(t, f, shape, &list, at, write_one);
        memcpy(topic + shape->name, &name, sizeof name);
        memcpy(topic + shape->partitions, &partitions, sizeof partitions);
        at += run(&list, at);
    }
}

static const uint8_t *topic_of(const void *message, struct wire_array topics,
                               const struct kb_shape *shape, int32_t i, struct wire_string *name,
                               struct wire_array *partitions)
{
    const uint8_t *topic = (const uint8_t *)message + topics.at + (size_t)i * shape->topic->size;
    memcpy(name, topic + shape->name, sizeof *name);
    memcpy(partitions, topic + shape->partitions, sizeof *partitions);
    return (const uint8_t *)message + partitions->at;
}

void *kb_topics_read(struct kb_turn *t, const void *message, struct wire_array topics,
                     const struct kb_shape *shape, size_t item_size, kb_partition_read *read_one,
                     uint32_t *count)
{
    size_t stride = shape->partition == NULL ? sizeof(int32_t) : shape->partition->size;
    struct wire_string name;
    struct wire_array partitions;
    *count = 0;
    for (int32_t i = 0; i < topics.count; i++) {
        topic_of(message, topics, shape, i, &name, &partitions);
        *count += partitions.count < 0 ? 0 : (uint32_t)partitions.count;
    }
    uint8_t *items = kb_turn_scratch(t, *count * item_size), *item = items;
    for (int32_t i = 0; i < topics.count; i++) {
        const uint8_t *from = topic_of(message, topics, shape, i, &name, &partitions);
        for (int32_t k = 0; k < partitions.count; k++, item += item_size, from += stride)
            read_one(t, message, name, from, item);
    }
    return items;
}

static uint32_t hash_of(const struct kb_item_head *item)
{
    uint32_t h = 2166136261u ^ (uint32_t)item->partition;
    for (const char *c = item->topic; *c != '\0'; c++)
        h = (h ^ (uint8_t)*c) * 16777619u;
    return h ^ h >> 15;
}

static bool is_same(const struct kb_item_head *a, const struct kb_item_head *b)
{
    return a->partition == b->partition && strcmp(a->topic, b->topic) == 0;
}

uint32_t kb_items_unique(struct kb_turn *t, void *items, size_t item_size, uint32_t count)
{
    uint32_t kept = 0, size = 4;
    size_t before = t->scratch_used;
    if (count < 2)
        return count;
    while (size < 2 * count)
        size *= 2;
    uint32_t *places = kb_turn_scratch(t, size * sizeof *places); /* in `items`, + 1 */
    for (uint32_t i = 0; i < count; i++) {
        uint8_t *item = (uint8_t *)items + i * item_size;
        uint32_t at = hash_of((void *)item) & (size - 1);
        const uint8_t *found;
        while (places[at] != 0) {
            found = (const uint8_t *)items + (places[at] - 1) * item_size;
            if (is_same((const void *)found, (void *)item))
                break;
            at = (at + 1) & (size - 1);
        }
        if (places[at] == 0)
            places[at] = ++kept;
        memmove((uint8_t *)items + (places[at] - 1) * item_size, item, item_size);
    }
    t->scratch_used = before;
    return kept;
}
