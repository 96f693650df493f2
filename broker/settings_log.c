/*
 * What a topic's settings say of its log (struct kb_log_config): each name with its bit, and where
 * its number goes. Values are checked by the rows of settings_topic.c, as Kafka's LogConfig does.
 *
 * Source: Kafka kafka.log.LogConfig.
 */
#include <stdlib.h>
#include <string.h>

#include "broker/replicas.h"
#include "broker/settings.h"

static const struct {
    const char *name;
    enum kb_log_setting bit;
} names[] = {
    {"retention.ms", KB_LOG_RETENTION_MS},
    {"retention.bytes", KB_LOG_RETENTION_BYTES},
    {"segment.ms", KB_LOG_SEGMENT_MS},
    {"segment.bytes", KB_LOG_SEGMENT_BYTES},
    {"cleanup.policy", KB_LOG_CLEANUP},
    {"message.timestamp.difference.max.ms", KB_LOG_TIMESTAMP_DIFFERENCE},
    {"message.timestamp.type", KB_LOG_TIMESTAMP_TYPE},
};

const char *kb_log_setting_name(uint32_t i)
{
    return i < sizeof names / sizeof names[0] ? names[i].name : NULL;
}

int32_t kb_cleanup_of(const char *value)
{
    char text[64], message[KB_TEXT_MAX];

    if (!kb_setting_parse(kb_topic_setting("cleanup.policy"), value, text, sizeof text, message)) {
        return 0;
    }
    return (strstr(text, "delete") != NULL ? KB_CLEANUP_DELETE : 0) |
           (strstr(text, "compact") != NULL ? KB_CLEANUP_COMPACT : 0);
}

static void put(struct kb_log_config *c, enum kb_log_setting bit, const char *value)
{
    int64_t number = strtoll(value, NULL, 10);

    switch (bit) {
    case KB_LOG_RETENTION_MS:
        c->retention_ms = number;
        break;
    case KB_LOG_RETENTION_BYTES:
        c->retention_bytes = number;
        break;
    case KB_LOG_SEGMENT_MS:
        c->segment_ms = number;
        break;
    case KB_LOG_SEGMENT_BYTES:
        c->segment_bytes = (int32_t)number;
        break;
    case KB_LOG_CLEANUP:
        c->cleanup = kb_cleanup_of(value);
        break;
    case KB_LOG_TIMESTAMP_DIFFERENCE:
        c->timestamp_difference_ms = number;
        break;
    case KB_LOG_TIMESTAMP_TYPE:
        c->log_append_time = strcmp(value, "LogAppendTime") == 0;
        break;
    }
    c->set |= (uint32_t)bit;
}

void kb_log_config_set(struct kb_log_config *c, uint32_t i, const char *value)
{
    char text[64], message[KB_TEXT_MAX];

    if (kb_setting_parse(kb_topic_setting(names[i].name), value, text, sizeof text, message)) {
        put(c, names[i].bit, text);
    }
}
