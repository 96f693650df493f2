/*
 * Configuration of clients in librdkafka's names.
 *
 * Three kinds of key, as with brokers (properties.h): modelled (sets a field of struct kl_config),
 * real but not modelled (warned about, otherwise without effect), unknown (an error with a
 * suggestion). The table is the only truth: documentation and schema are printed from it.
 *
 * Source: librdkafka 2.0.2, CONFIGURATION.md (names, ranges, for whom).
 */
#ifndef SIM_CLIENT_PROPERTIES_H
#define SIM_CLIENT_PROPERTIES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "client/client.h"
#include "sim/diagnostics.h"

enum sim_client_property_type {
    SIM_CP_IGNORED, /* real, not modelled */
    SIM_CP_BOOL,
    SIM_CP_INT,
    SIM_CP_MS,
    SIM_CP_TEXT,
    SIM_CP_ACKS,
    SIM_CP_WORD, /* one of `words`: its number is the value */
};
enum sim_client_property_owner { SIM_CP_ANY, SIM_CP_PRODUCER, SIM_CP_CONSUMER };

struct sim_client_property {
    const char *name;
    enum sim_client_property_type type;
    enum sim_client_property_owner owner;
    size_t offset;       /* into struct kl_config */
    int64_t least, most; /* INT, MS */
    const char *const *words;
    const char *instead; /* key of a client that says it; NULL: none */
};
/* Ends with a NULL name. */
extern const struct sim_client_property sim_client_properties[];
/* Names for suggestions; NULL at the end. */
extern const char *const sim_client_property_names[];

/* Words as the property takes them: NULL at the end; their numbers are those of the enums. */
extern const char *const sim_isolation_words[];
extern const char *const sim_reset_words[];
extern const char *const sim_assignor_words[];
/* Returns what a word of sim_reset_words means; `index` is its place there. */
enum kl_reset sim_reset_of_word(uint32_t index);

/* Sets a property of a producer or a consumer (config->kind); texts are borrowed by the config.
   False with an error at `name_place` or `value_place`. */
bool sim_client_property_set(struct kl_config *config, const char *name,
                             struct sim_place name_place, const char *value,
                             struct sim_place value_place, struct sim_diagnostics *d);

#endif
