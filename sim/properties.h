/*
 * Kafka's own configuration: which keys exist, which of them mean something here.
 *
 * Three kinds of key: modelled (sets a field of struct sim_settings), real but not modelled (warned
 * about, otherwise without effect), unknown (an error with a suggestion). The table is the only
 * truth: documentation and schema are printed from it.
 *
 * Source: Kafka 2.8 kafka.server.KafkaConfig, kafka.log.LogConfig, kafka.server.DynamicConfig.
 */
#ifndef SIM_PROPERTIES_H
#define SIM_PROPERTIES_H

#include <stdbool.h>
#include <stddef.h>

#include "sim/diagnostics.h"
#include "sim/scenario.h"

enum sim_property_type {
    SIM_P_IGNORED,
    SIM_P_BOOL,
    SIM_P_INT,
    SIM_P_MS,
    SIM_P_SECONDS,
    SIM_P_NAMES, /* between commas; their number is the value */
    SIM_P_CODEC, /* a compression.type; enum kb_compression is the value */
    SIM_P_LONG,
    SIM_P_CLEANUP, /* a cleanup.policy; bits of enum kb_cleanup are the value */
    SIM_P_STAMP,   /* a message.timestamp.type; 1 LogAppendTime */
};

struct sim_property_row {
    const char *name;
    enum sim_property_type type; /* IGNORED: real, not modelled */
    size_t offset;               /* into struct sim_settings */
    long long least, most;       /* INT, NAMES: of the number; MS, SECONDS: in that unit */
};

/* Broker properties, and topic configuration; ends with a NULL name. */
extern const struct sim_property_row sim_broker_properties[];
extern const struct sim_property_row sim_topic_properties[];

/* Names for suggestions; NULL at the end. */
extern const char *const sim_broker_property_names[];
extern const char *const sim_topic_property_names[];

/* Sets a broker property; false with an error at `key` or `value`. */
bool sim_settings_set(struct sim_settings *settings, const char *name, struct sim_place name_place,
                      const char *value, struct sim_place value_place, struct sim_diagnostics *d);

/* Checks a topic configuration entry likewise. */
bool sim_topic_config_check(const char *name, struct sim_place name_place, const char *value,
                            struct sim_place value_place, struct sim_diagnostics *d);

/* Reads a Java .properties text: calls `entry` for each pair. Keys and values are NUL-terminated,
   borrowed for the call. The source of `d` must be the text. False where an error was found. */
bool sim_properties_read(const char *text, size_t size, struct sim_diagnostics *d,
                         bool (*entry)(void *context, const char *key, struct sim_place key_place,
                                       const char *value, struct sim_place value_place),
                         void *context);

#endif
