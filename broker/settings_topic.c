/*
 * The settings of a topic of Kafka 2.8.2, each a row: name, type, default, what is valid, the
 * broker's setting behind it, and what it does in our own words.
 *
 * The order in which Kafka checks them decides which of two mistakes is told; it is not that of the
 * names and stands apart.
 *
 * Source: Kafka kafka.log.LogConfig.configDef, org.apache.kafka.common.config.TopicConfig.
 */
#include "broker/settings.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* clang-format off */
static const struct kb_setting rows[] = {
    {"cleanup.policy", KB_LIST, "delete", true, "[compact, delete]", "log.cleanup.policy",
     "What becomes of old segments: delete drops them by age and size, compact keeps the last record of each key; both may be given."},
    {"compression.type", KB_STRING, "producer", true, "[uncompressed, zstd, lz4, snappy, gzip, producer]", "compression.type",
     "How batches are compressed in the log; producer keeps what the producer chose."},
    {"delete.retention.ms", KB_LONG, "86400000", true, "[0,...]", "log.cleaner.delete.retention.ms",
     "How long a compacted log keeps the markers of deleted keys."},
    {"file.delete.delay.ms", KB_LONG, "60000", true, "[0,...]", "log.segment.delete.delay.ms",
     "Time between dropping a file from the log and removing it from the disk."},
    {"flush.messages", KB_LONG, "9223372036854775807", true, "[0,...]", "log.flush.interval.messages",
     "Records between two forced flushes to disk."},
    {"flush.ms", KB_LONG, "9223372036854775807", true, "[0,...]", "log.flush.interval.ms",
     "Longest time between two forced flushes to disk."},
    {"follower.replication.throttled.replicas", KB_LIST, "", true, "@throttled", NULL,
     "Replicas that are throttled while they follow: partition:broker pairs, or * for all."},
    {"index.interval.bytes", KB_INT, "4096", true, "[0,...]", "log.index.interval.bytes",
     "Bytes of log between two entries of the offset index."},
    {"leader.replication.throttled.replicas", KB_LIST, "", true, "@throttled", NULL,
     "Replicas that are throttled while they lead: partition:broker pairs, or * for all."},
    {"max.compaction.lag.ms", KB_LONG, "9223372036854775807", true, "[1,...]", "log.cleaner.max.compaction.lag.ms",
     "Longest time that a record may stay out of reach of compaction."},
    {"max.message.bytes", KB_INT, "1048588", true, "[0,...]", "message.max.bytes",
     "Largest batch of records that is accepted."},
    {"message.downconversion.enable", KB_BOOLEAN, "true", true, NULL, "log.message.downconversion.enable",
     "Whether batches are converted for consumers that know older formats only."},
    {"message.format.version", KB_STRING, "2.8-IV1", true, "@version", "log.message.format.version",
     "The format, named after a release, in which batches are stored."},
    {"message.timestamp.difference.max.ms", KB_LONG, "9223372036854775807", true, "[0,...]", "log.message.timestamp.difference.max.ms",
     "Largest difference between the clock of the broker and the time in a record, where the producer sets it."},
    {"message.timestamp.type", KB_STRING, "CreateTime", true, "[CreateTime, LogAppendTime]", "log.message.timestamp.type",
     "Whose time a record carries: that of its making or of its append."},
    {"min.cleanable.dirty.ratio", KB_DOUBLE, "0.5", true, "[0,...,1]", "log.cleaner.min.cleanable.ratio",
     "Share of not yet compacted bytes from which on a log is compacted."},
    {"min.compaction.lag.ms", KB_LONG, "0", true, "[0,...]", "log.cleaner.min.compaction.lag.ms",
     "Time that a record stays as it is before compaction may take it."},
    {"min.insync.replicas", KB_INT, "1", true, "[1,...]", "min.insync.replicas",
     "Members that the ISR must have for a write with acks=all to be accepted."},
    {"preallocate", KB_BOOLEAN, "false", true, NULL, "log.preallocate",
     "Whether a new segment gets its room on the disk at once."},
    {"retention.bytes", KB_LONG, "-1", true, NULL, "log.retention.bytes",
     "Size of a partition beyond which old segments are deleted; -1 for no bound."},
    {"retention.ms", KB_LONG, "604800000", true, "[-1,...]", "log.retention.ms",
     "Age beyond which segments are deleted; -1 for no bound."},
    {"segment.bytes", KB_INT, "1073741824", true, "[14,...]", "log.segment.bytes",
     "Size at which a new segment is begun."},
    {"segment.index.bytes", KB_INT, "10485760", true, "[0,...]", "log.index.size.max.bytes",
     "Size of the offset index of a segment."},
    {"segment.jitter.ms", KB_LONG, "0", true, "[0,...]", "log.roll.jitter.ms",
     "Chance taken off segment.ms, so that not all segments roll at once."},
    {"segment.ms", KB_LONG, "604800000", true, "[1,...]", "log.roll.ms",
     "Age at which a new segment is begun even if the old one is not full."},
    {"unclean.leader.election.enable", KB_BOOLEAN, "false", true, NULL, "unclean.leader.election.enable",
     "Whether a replica outside the ISR may lead where no other can, at the cost of records."},
};
/* clang-format on */

static const char *const checked[] = {
    "segment.bytes",
    "segment.ms",
    "segment.jitter.ms",
    "segment.index.bytes",
    "flush.messages",
    "flush.ms",
    "retention.bytes",
    "retention.ms",
    "max.message.bytes",
    "index.interval.bytes",
    "delete.retention.ms",
    "min.compaction.lag.ms",
    "max.compaction.lag.ms",
    "file.delete.delay.ms",
    "min.cleanable.dirty.ratio",
    "cleanup.policy",
    "unclean.leader.election.enable",
    "min.insync.replicas",
    "compression.type",
    "preallocate",
    "message.format.version",
    "message.timestamp.type",
    "message.timestamp.difference.max.ms",
    "leader.replication.throttled.replicas",
    "follower.replication.throttled.replicas",
    "message.downconversion.enable",
};

static const char *const compressions[KB_COMPRESSION_END] = {
    [KB_COMPRESSION_PRODUCER] = "producer", [KB_COMPRESSION_NONE] = "uncompressed",
    [KB_COMPRESSION_GZIP] = "gzip",         [KB_COMPRESSION_SNAPPY] = "snappy",
    [KB_COMPRESSION_LZ4] = "lz4",           [KB_COMPRESSION_ZSTD] = "zstd",
};

const char *kb_compression_name(enum kb_compression c)
{
    return compressions[c];
}

enum kb_compression kb_compression_of(const char *value)
{
    char parsed[64], message[KB_TEXT_MAX];
    if (value == NULL || !kb_setting_parse(kb_topic_setting("compression.type"), value, parsed,
                                           sizeof parsed, message))
        return KB_COMPRESSION_UNSET;
    for (int c = KB_COMPRESSION_PRODUCER; c < KB_COMPRESSION_END; c++)
        if (strcmp(parsed, compressions[c]) == 0)
            return (enum kb_compression)c;
    return KB_COMPRESSION_UNSET;
}

const struct kb_setting *kb_topic_settings(uint32_t *count)
{
    *count = sizeof rows / sizeof rows[0];
    return rows;
}

static bool names_are_known(const struct kb_props *p, char *message)
{
    for (const char *name = NULL; (name = kb_props_next(p, name)) != NULL;)
        if (kb_topic_setting(name) == NULL) {
            snprintf(message, KB_TEXT_MAX, "Unknown topic config name: %s", name);
            return false;
        }
    return true;
}

static long long lag_of(const struct kb_props *p, const char *name)
{
    char parsed[64], message[KB_TEXT_MAX];
    const struct kb_setting *s = kb_topic_setting(name);
    const char *value = kb_props_get(p, name);
    if (value == NULL || !kb_setting_parse(s, value, parsed, sizeof parsed, message))
        return strtoll(s->def, NULL, 10);
    return strtoll(parsed, NULL, 10);
}

bool kb_topic_props_check(const struct kb_props *p, char *room, char *message, bool *is_value)
{
    *is_value = false;
    if (!names_are_known(p, message))
        return false;
    for (size_t i = 0; i < sizeof checked / sizeof checked[0]; i++) {
        const char *value = kb_props_get(p, checked[i]);
        if (value != NULL &&
            !kb_setting_parse(kb_topic_setting(checked[i]), value, room, KB_VALUE_MAX, message)) {
            *is_value = true;
            return false;
        }
    }
    long long low = lag_of(p, "min.compaction.lag.ms"), high = lag_of(p, "max.compaction.lag.ms");
    if (low <= high)
        return true;
    snprintf(message, KB_TEXT_MAX,
             "conflict topic config setting min.compaction.lag.ms (%lld) > max.compaction.lag.ms "
             "(%lld)",
             low, high);
    return false;
}
