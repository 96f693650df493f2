/*
 * Znodes of Kafka: paths, and the JSON inside, both ways.
 *
 * Decoding is total: any bytes give a value or an error, never more reading than `size` bytes, no
 * allocation, no recursion deeper than SM_JSON_DEPTH_MAX. Unknown fields are skipped, `version` is
 * ignored where Kafka's readers ignore it, missing maps are empty. Encoding writes what Kafka 2.8
 * writes (inter.broker.protocol.version 2.6): fields in Kafka's order, no blanks.
 *
 * Numbers: ids, epochs and partitions are int32; a number with a fraction, an exponent or outside
 * the range is SM_ERR_RANGE. Strings are compared as bytes after unescaping.
 *
 * Source: Kafka kafka.zk.ZkData.
 */
#ifndef STATEMACHINE_ZNODE_H
#define STATEMACHINE_ZNODE_H

#include <stddef.h>
#include <stdint.h>

#include "statemachine/assignment.h"
#include "statemachine/error.h"
#include "statemachine/leader_and_isr.h"

#define SM_PATH_CONTROLLER       "/controller"
#define SM_PATH_CONTROLLER_EPOCH "/controller_epoch"
#define SM_PATH_BROKER_IDS       "/brokers/ids"
#define SM_PATH_TOPICS           "/brokers/topics"
#define SM_PATH_BROKER_SEQID     "/brokers/seqid"
#define SM_PATH_DELETE_TOPICS    "/admin/delete_topics"
#define SM_PATH_REASSIGN         "/admin/reassign_partitions"
#define SM_PATH_PREFERRED        "/admin/preferred_replica_election"
#define SM_PATH_ISR_NOTIFICATION "/isr_change_notification"
#define SM_PATH_LOG_DIR_EVENT    "/log_dir_event_notification"
#define SM_PATH_CONFIG_CHANGES   "/config/changes"
#define SM_PATH_CONFIG_TOPICS    "/config/topics"
#define SM_PATH_FEATURE          "/feature"

/* Paths that Kafka makes at broker start where they are missing (ZkData.PersistentZkPaths), parents
   included and parents first; NULL at the end. */
extern const char *const sm_persistent_paths[];

/* Each writes the path, NUL-terminated, and returns its length; `out` has SM_PATH_MAX bytes. */
int sm_path_topic(char *out, const char *topic);
int sm_path_topic_partitions(char *out, const char *topic);
int sm_path_partition(char *out, const char *topic, int32_t partition);
int sm_path_partition_state(char *out, const char *topic, int32_t partition);
int sm_path_broker(char *out, int32_t broker_id);
int sm_path_config_topic(char *out, const char *topic);
int sm_path_delete_topic(char *out, const char *topic);
int sm_path_child(char *out, const char *parent, const char *name);

/* Parse "/brokers/topics/T/partitions/P/state"; true and the parts where `path` is one. `topic` has
   SM_TOPIC_NAME_MAX + 1 bytes. */
bool sm_path_is_partition_state(const char *path, char *topic, int32_t *partition);
/* Parse "/brokers/topics/T", "/brokers/ids/N" likewise. */
bool sm_path_is_topic(const char *path, char *topic);
bool sm_path_is_broker(const char *path, int32_t *broker_id);

/* Returns whether `topic` is a legal name (Kafka Topic.validate: 1..249 of [a-zA-Z0-9._-], not "."
   or ".."). */
bool sm_topic_name_is_legal(const char *topic, size_t size);

/* ---- state: {"controller_epoch":c,"leader":l,"version":1,"leader_epoch":e,"isr":[..]} ---- */

/* Decodes; every field but `version` must be there (else SYNTAX), the last of a name counts.
   zk_version comes from the stat and is passed in. Errors: SYNTAX, RANGE, LIMIT (ISR longer
   than SM_REPLICAS_MAX). *out is untouched on error. */
enum sm_err sm_znode_decode_state(const char *bytes, size_t size, int32_t zk_version,
                                  struct sm_leader_and_isr *out);
/* Returns the size written; `out` has SM_STATE_BYTES_MAX bytes. Order of fields as Kafka's encoder:
   controller_epoch, leader, version, leader_epoch, isr (ZkData.TopicPartitionStateZNode.encode). */
size_t sm_znode_encode_state(char *out, const struct sm_leader_and_isr *li);

/* ---- topic ----

   {"partitions":{"0":[1,2]},"adding_replicas":{},"removing_replicas":{},"version":3}

   Versions 1, 2, 3; optional "topic_id" (22 characters of URL-safe base64), which Kafka 2.8.2
   writes behind the partitions. A reader over borrowed bytes.

   A partition that the text names twice is given twice: the last counts, as in Kafka, if the caller
   stores each over the one before. Differs: Kafka reads "-1" as a partition, here it is RANGE. */
struct sm_topic_reader {
    const char *bytes;
    size_t size;
    size_t at;               /* position inside the partitions map, 0 where absent */
    size_t adding, removing; /* positions inside these maps, 0 where absent */
    bool ordered;            /* every map ascends: lookups in the two small ones only advance */
    bool has_topic_id;
    uint8_t topic_id[16];
};

/* Checks the whole text, so that sm_topic_next cannot fail later. Errors: SYNTAX, RANGE, LIMIT. */
enum sm_err sm_topic_open(struct sm_topic_reader *r, const char *bytes, size_t size);
/* Gives the next partition in the order of the text; false at the end. Linear overall where the
   maps ascend, as those of our writer do; else each partition costs a walk through the adding and
   removing maps (they hold only partitions under reassignment). */
bool sm_topic_next(struct sm_topic_reader *r, int32_t *partition, struct sm_assignment *out);

/* Writer: begin, then partitions (any order; the caller passes them ascending), then end. Returns
   sizes; where the buffer would overflow nothing more is written and end returns 0.
   Differs: the maps of 12 partitions and more are in the order of Scala's mutable.HashMap of
   strings in Kafka ("11" before "0"); here they ascend. No reader sees the difference. */
struct sm_topic_writer {
    char *out;
    size_t capacity, size;
    bool overflow;
    int32_t section;    /* 0 partitions, 1 adding, 2 removing */
    int32_t count;      /* in this section */
    size_t topic_id_at; /* where Kafka puts the topic id: behind the partitions */
};
void sm_topic_writer_begin(struct sm_topic_writer *w, char *out, size_t capacity);
/* Call three passes over the same partitions: section 0 (open after begin), 1, 2. Partitions with
   an empty adding or removing list are left out of these sections, as Kafka does. */
void sm_topic_writer_section(struct sm_topic_writer *w, int32_t section);
void sm_topic_writer_partition(struct sm_topic_writer *w, int32_t partition,
                               const struct sm_assignment *a);
/* Closes the text ("topic_id" added where not NULL) and returns its size, or 0 on overflow. */
size_t sm_topic_writer_end(struct sm_topic_writer *w, const uint8_t *topic_id);

/* ---- broker registration, versions 1..5 ---- */

enum { SM_ENDPOINTS_MAX = 8, SM_HOST_MAX = 64, SM_LISTENER_MAX = 32, SM_RACK_MAX = 64 };
struct sm_endpoint {
    char listener[SM_LISTENER_MAX]; /* "PLAINTEXT" */
    char protocol[SM_LISTENER_MAX]; /* security protocol */
    char host[SM_HOST_MAX];
    int32_t port;
};
struct sm_broker {
    int32_t id;
    int32_t endpoint_count;
    struct sm_endpoint endpoint[SM_ENDPOINTS_MAX];
    char rack[SM_RACK_MAX]; /* "" for none */
    int32_t without_data;   /* 1: a node of ours that hosts no replicas */
};
/* Errors: SYNTAX, RANGE, LIMIT (too many endpoints, host too long). */
enum sm_err sm_znode_decode_broker(const char *bytes, size_t size, int32_t broker_id,
                                   struct sm_broker *out);
/* Writes version 4 (protocol level 2.6). Returns the size, 0 where it does not fit. A node without
   data adds "kcsim.data":false at the end, which Kafka's reader (BrokerIdZNode.decode) passes
   over. */
size_t sm_znode_encode_broker(char *out, size_t capacity, const struct sm_broker *b,
                              int64_t timestamp_ms);

/* ---- small ones ---- */

/* /controller: {"version":1,"brokerid":N,"timestamp":"…"} */
enum sm_err sm_znode_decode_controller(const char *bytes, size_t size, int32_t *broker_id);
size_t sm_znode_encode_controller(char *out, size_t capacity, int32_t broker_id,
                                  int64_t timestamp_ms);

/* /controller_epoch: decimal text. */
enum sm_err sm_znode_decode_epoch(const char *bytes, size_t size, int32_t *epoch);
size_t sm_znode_encode_epoch(char *out, size_t capacity, int32_t epoch);

/* /log_dir_event_notification/…: {"version":1,"broker":N,"event":1} */
enum sm_err sm_znode_decode_log_dir_event(const char *bytes, size_t size, int32_t *broker_id);
size_t sm_znode_encode_log_dir_event(char *out, size_t capacity, int32_t broker_id);

/* /isr_change_notification/…, /admin/preferred_replica_election, /admin/reassign_partitions:
   {"version":1,"partitions":[{"topic":T,"partition":p,"replicas":[..]},…]}. A reader over borrowed
   bytes; validates on open. `replicas` is empty and has_replicas false where it is absent. */
struct sm_partitions_reader {
    const char *bytes;
    size_t size, at;
};
struct sm_partition_item {
    char topic[SM_TOPIC_NAME_MAX + 1];
    int32_t partition;
    bool has_replicas;
    struct sm_list replicas;
};
enum sm_err sm_partitions_open(struct sm_partitions_reader *r, const char *bytes, size_t size);
bool sm_partitions_next(struct sm_partitions_reader *r, struct sm_partition_item *item);
/* Writer: begin, items, end (returns size, 0 on overflow). item->has_replicas decides the field. */
struct sm_partitions_writer {
    char *out;
    size_t capacity, size;
    bool overflow;
    int32_t count;
};
void sm_partitions_writer_begin(struct sm_partitions_writer *w, char *out, size_t capacity);
void sm_partitions_writer_item(struct sm_partitions_writer *w, const char *topic, int32_t partition,
                               const struct sm_list *replicas); /* NULL: no field */
size_t sm_partitions_writer_end(struct sm_partitions_writer *w);

/* /config/topics/T: {"version":1,"config":{k:v}}. Empty bytes, no object and no "config" are no
   settings, as in Kafka; malformed text is SYNTAX (Kafka reads that too as no settings). Looks one
   key up; *found false where it is absent.
   `value` (capacity bytes) is NUL-terminated, cut never: LIMIT instead. */
enum sm_err sm_znode_config_get(const char *bytes, size_t size, const char *key, char *value,
                                size_t capacity, bool *found);
/* /config/changes/…: entity path "topics/T" of version 2, or type and name of version 1; writes
   "topics/T" form into `entity` (capacity bytes). */
enum sm_err sm_znode_decode_config_change(const char *bytes, size_t size, char *entity,
                                          size_t capacity);
/* /feature at inter.broker.protocol.version 2.6: {"features":{},"version":1,"status":0}. */
size_t sm_znode_encode_feature(char *out, size_t capacity, int32_t status);
enum sm_err sm_znode_decode_feature(const char *bytes, size_t size, int32_t *status);

#endif
