/*
 * Names: which ones a topic may have, which are Kafka's own, where a group's or a transactional
 * id's partition is.
 *
 * Source: Kafka org.apache.kafka.common.internals.Topic, org.apache.kafka.common.utils.Utils.abs,
 * java.lang.String.hashCode.
 */
#include <stdio.h>
#include <string.h>

#include "broker/groups.h"
#include "broker/state.h"

static bool has_illegal_char(const char *name, size_t size)
{
    for (size_t i = 0; i < size; i++) {
        char c = name[i];
        bool letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
        if (!letter && !(c >= '0' && c <= '9') && c != '.' && c != '_' && c != '-')
            return true;
    }
    return false;
}

/* Characters of UTF-8, as far as they matter here: Java counts those above U+FFFF as two. */
static size_t java_length(const char *name, size_t size)
{
    size_t length = 0;
    for (size_t i = 0; i < size; i++)
        length +=
            ((unsigned char)name[i] & 0xc0) != 0x80 ? 1u + ((unsigned char)name[i] >= 0xf0) : 0u;
    return length;
}

const char *kb_topic_name_fault(const char *name, size_t size, char *message)
{
    if (sm_topic_name_is_legal(name, size))
        return NULL;
    if (size == 0)
        snprintf(message, KB_TEXT_MAX, "Topic name is illegal, it can't be empty");
    else if (strcmp(name, ".") == 0 || strcmp(name, "..") == 0)
        snprintf(message, KB_TEXT_MAX, "Topic name cannot be \".\" or \"..\"");
    else if (java_length(name, size) > SM_TOPIC_NAME_MAX || !has_illegal_char(name, size))
        snprintf(message, KB_TEXT_MAX,
                 "Topic name is illegal, it can't be longer than 249 characters, topic name: %s",
                 name);
    else
        snprintf(message, KB_TEXT_MAX,
                 "Topic name \"%s\" is illegal, it contains a character other than ASCII "
                 "alphanumerics, '.', '_' and '-'",
                 name);
    return message;
}

bool kb_topic_is_internal(const char *name)
{
    return strcmp(name, "__consumer_offsets") == 0 || strcmp(name, "__transaction_state") == 0;
}

/* One character of UTF-8; a byte that begins none counts as U+FFFD, as Java decodes it. */
static uint32_t next_char(const uint8_t **at, const uint8_t *end)
{
    uint8_t lead = *(*at)++;
    int more = lead < 0x80 ? 0 : lead >= 0xf0 ? 3 : lead >= 0xe0 ? 2 : lead >= 0xc2 ? 1 : -1;
    if (more < 0 || lead > 0xf4 || end - *at < more)
        return 0xfffd;
    uint32_t c = more == 0 ? lead : lead & (0x3fu >> more);
    for (int i = 0; i < more; i++) {
        if (((*at)[i] & 0xc0) != 0x80)
            return 0xfffd;
        c = c << 6 | ((*at)[i] & 0x3fu);
    }
    *at += more;
    return c;
}

int32_t kb_coordinator_partition(const char *key, uint32_t partitions)
{
    const uint8_t *at = (const uint8_t *)key, *end = at + strlen(key);
    uint32_t h = 0;
    while (at < end) {
        uint32_t c = next_char(&at, end);
        if (c > 0xffff) {
            h = h * 31 + (0xd800u | (c - 0x10000) >> 10);
            c = 0xdc00u | ((c - 0x10000) & 0x3ff);
        }
        h = h * 31 + c;
    }
    uint32_t absolute = h == 0x80000000u ? 0 : h > 0x80000000u ? 0u - h : h;
    return partitions == 0 ? 0 : (int32_t)(absolute % partitions);
}
static uint32_t hash(const uint8_t *b, size_t size)
{
    uint32_t h = 2166136261u;
    for (size_t i = 0; i < size; i++)
        h = (h ^ b[i]) * 16777619u;
    return h ^ h >> 15;
}

static const struct wire_string *name_at(const struct wire_string *names, size_t stride, uint32_t i)
{
    return (const struct wire_string *)(const void *)((const uint8_t *)names + i * stride);
}

/* An open table of places + 1. */
uint32_t *kb_first_of(struct kb_turn *t, const void *message, const struct wire_string *names,
                      size_t stride, uint32_t count)
{
    uint32_t slots = 8;
    while (slots < 2 * count)
        slots *= 2;
    uint32_t *first = kb_turn_scratch(t, (size_t)count * sizeof *first);
    uint32_t *table = kb_turn_scratch(t, (size_t)slots * sizeof *table);
    for (uint32_t i = 0; i < count; i++) {
        const struct wire_string *n = name_at(names, stride, i);
        size_t size = n->size < 0 ? 0 : (size_t)n->size;
        const uint8_t *text = (const uint8_t *)message + n->at;
        uint32_t at = hash(text, size) & (slots - 1);
        for (; table[at] != 0; at = (at + 1) & (slots - 1)) {
            const struct wire_string *other = name_at(names, stride, table[at] - 1);
            if (other->size == n->size &&
                memcmp((const uint8_t *)message + other->at, text, size) == 0)
                break;
        }
        if (table[at] == 0)
            table[at] = i + 1;
        first[i] = table[at] - 1;
    }
    return first;
}
