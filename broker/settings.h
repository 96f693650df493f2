/*
 * Kafka's settings of topics and of brokers: names, types, defaults, what is valid; as tables. And
 * a bag of settings (struct kb_props) as it stands in a znode or a request.
 *
 * Values are text everywhere. A value is *parsed* by its type when it is checked or shown: blanks
 * around it go, a number is written as Java writes it ("007" is "7", "1" of a double is "1.0").
 *
 * Source: Kafka kafka.log.LogConfig, kafka.server.KafkaConfig, DynamicBrokerConfig,
 * org.apache.kafka.common.config.ConfigDef.
 */
#ifndef BROKER_SETTINGS_H
#define BROKER_SETTINGS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "statemachine/error.h"

/* The numbers of DescribeConfigsResponse.ConfigType. */
enum kb_type {
    KB_UNKNOWN,
    KB_BOOLEAN,
    KB_STRING,
    KB_INT,
    KB_SHORT,
    KB_LONG,
    KB_DOUBLE,
    KB_LIST,
    KB_CLASS,
    KB_PASSWORD,
};

struct kb_setting {
    const char *name;
    enum kb_type type;
    const char *def;    /* NULL: null */
    bool dynamic;       /* brokers: may be changed while they run */
    const char *valid;  /* "[1,...]", "[0,...,1]", "[a, b]", or NULL */
    const char *server; /* topics: the broker's setting that is its default; else NULL */
    const char *doc;    /* topics, our own words; else NULL */
};

/* Tables in ascending order of names; *count entries. Static. */
const struct kb_setting *kb_topic_settings(uint32_t *count);
const struct kb_setting *kb_broker_settings(uint32_t *count);
/* Return the setting of that name, or NULL. */
const struct kb_setting *kb_topic_setting(const char *name);
const struct kb_setting *kb_broker_setting(const char *name);

enum {
    KB_VALUE_MAX = 256 * 1024, /* bytes of a value, NUL included; a longer one is refused */
    KB_TEXT_MAX = 1024         /* bytes of an error message, NUL included; a longer one is cut */
};

/* Parses `value` by the type and checks it against what is valid. True and the parsed text in `out`
   (capacity bytes, at least 64); else false and Kafka's message in `message` (KB_TEXT_MAX bytes):
   "Invalid value 0 for configuration min.insync.replicas: Value must be at least 1". A value that
   does not fit is invalid, too. */
bool kb_setting_parse(const struct kb_setting *s, const char *value, char *out, size_t capacity,
                      char *message);

/* What compression.type asks of a leader. UNSET: nothing is said, what is behind it counts. */
enum kb_compression {
    KB_COMPRESSION_UNSET,
    KB_COMPRESSION_PRODUCER, /* a batch stays as its producer made it */
    KB_COMPRESSION_NONE,     /* from here on: enum wire_codec, in its order */
    KB_COMPRESSION_GZIP,
    KB_COMPRESSION_SNAPPY,
    KB_COMPRESSION_LZ4,
    KB_COMPRESSION_ZSTD,
    KB_COMPRESSION_END,
};
/* Reads "producer", "uncompressed", "gzip", …; UNSET for NULL and for what is none. */
enum kb_compression kb_compression_of(const char *value);
const char *kb_compression_name(enum kb_compression c); /* NULL for UNSET; static */

/* Turns a release ("2.6", "2.6.1") into the version it stands for ("2.6-IV0"), in place; `text` has
   64 bytes. Source: ApiVersion.apply. */
void kb_version_in_full(char *text);

/* ---- bags ---- */

/* Entries "name NUL value NUL" one behind the other, in the order in which they came, each name
   once. `bytes` is the caller's. */
struct kb_props {
    char *bytes;
    size_t capacity, size;
    bool overflow; /* something did not fit, and is not in it */
};

struct kb_props kb_props_begin(char *bytes, size_t capacity);
/* Walks: start with NULL; NULL at the end. */
const char *kb_props_next(const struct kb_props *p, const char *previous);
const char *kb_props_value(const char *name); /* of an entry that next has given */
const char *kb_props_get(const struct kb_props *p, const char *name); /* value, or NULL */
void kb_props_set(struct kb_props *p, const char *name, const char *value);
void kb_props_remove(struct kb_props *p, const char *name);

/* /config/topics/T, /config/brokers/N: adds what stands in the text; malformed text, no object, no
   "config" are no settings, as for Kafka. Entries whose value is no string are left out. */
void kb_props_read_znode(struct kb_props *p, const void *data, size_t size);
/* Writes {"version":1,"config":{…}} and returns its size; 0 where it does not fit.
   Differs: Kafka's order is that of a hash table, here it is that of the bag. */
size_t kb_props_write_znode(const struct kb_props *p, char *out, size_t capacity);

/* Checks a topic's settings as a whole: names, values in the order of Kafka's table, the two
   compaction lags against each other. True; else false, Kafka's message, and *is_value where it was
   a value that does not parse (ConfigException), not a name or a conflict. `room`: KB_VALUE_MAX
   bytes to work in. */
bool kb_topic_props_check(const struct kb_props *p, char *room, char *message, bool *is_value);

/* Checks settings given to a broker that runs (`per_broker`) or to all of them. True; else false
   and Kafka's message (a ConfigException). `room`: KB_VALUE_MAX bytes. */
bool kb_broker_props_check(const struct kb_props *p, bool per_broker, char *room, char *message);
/* Returns whether a number of threads may become what `p` says of it (or it says nothing): between
   half and twice of `now`, and not 0. Else Kafka's words are in `message`. Source:
   DynamicThreadPool.validateReconfiguration. */
bool kb_threads_check(const struct kb_props *p, const char *name, int64_t now, char *message);
/* Walks the names of those settings: NULL after the last, from 0. */
const char *kb_thread_setting(uint32_t i);

/* Names under which a broker's setting may stand, the strongest first: "log.retention.ms",
   "log.retention.minutes", "log.retention.hours". Returns the n-th, or NULL. Static, or `name`. */
const char *kb_broker_synonym(const char *name, uint32_t n);

#endif
