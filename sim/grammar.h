/*
 * The grammar of scenario files as tables: which keys each mapping may have, what they hold, and
 * which verbs a step's arguments go with.
 *
 * The reader checks keys against these tables, docs/scenario.schema.json is printed from them, and
 * `kcsim explain` shows their texts: there is no second list of keys. Keys of the full grammar that
 * are not modelled yet are rows too, so that they are refused by name.
 */
#ifndef SIM_GRAMMAR_H
#define SIM_GRAMMAR_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "sim/scenario.h"

/* Mappings, by what they describe; name (in the schema), text. */
#define SIM_SHAPE_MAP(X)                                                                           \
    X(FILE, "file", "a scenario")                                                                  \
    X(CLUSTER, "cluster", "the cluster")                                                           \
    X(NODE, "node", "one process")                                                                 \
    X(ZOOKEEPER, "zookeeper", "the ZooKeeper ensemble")                                            \
    X(TOPIC, "topic", "one topic, or one pattern of topics")                                       \
    X(GIVEN, "given", "the state znode of a partition before the start")                           \
    X(CLIENT, "client", "a client")                                                                \
    X(STEP, "step", "a step")                                                                      \
    X(CHANNEL, "channel", "messages between processes")                                            \
    X(PATTERN, "pattern", "a pattern of trace records")                                            \
    X(RANDOM, "random", "faults that the seed draws")                                              \
    X(FAULTS, "drawn-faults", "how much of each class the seed draws")                             \
    X(HEAL, "heal", "a heal")                                                                      \
    X(EXPECT, "expectation", "an expectation")                                                     \
    X(STATEMENT, "statement", "a statement about a state")                                         \
    X(IS_PARTITION, "is-partition", "what is said of a partition")                                 \
    X(IS_REPLICA, "is-replica", "what is said of a replica")                                       \
    X(IS_CONTROLLER, "is-controller", "what is said of a controller")                              \
    X(IS_BROKER, "is-broker", "what is said of a broker")                                          \
    X(IS_TOPIC, "is-topic", "what is said of a topic")                                             \
    X(IS_CLIENT, "is-client", "what is said of a client")                                          \
    X(IS_ZNODE, "is-znode", "what is said of a znode")                                             \
    X(LESSON, "lesson", "a stop of a lesson")                                                      \
    X(CHOICE, "choice", "a choice")                                                                \
    X(READING, "reading", "what is read from the trace")                                           \
    X(JOB, "job", "a stream job")                                                                  \
    X(EXPLORE, "explore", "a search of all interleavings")

enum sim_shape {
#define X(name, text, what) SIM_SHAPE_##name,
    SIM_SHAPE_MAP(X)
#undef X
        SIM_SHAPE_END
};

enum sim_form {
    SIM_FORM_TEXT,
    SIM_FORM_INT,
    SIM_FORM_BOOL,
    SIM_FORM_TRUE,  /* true only */
    SIM_FORM_TIME,  /* 500ms, 6s, 1m30s */
    SIM_FORM_OFFSET, /* 500ms, -2s */
    SIM_FORM_FACTOR, /* 1.01 */
    SIM_FORM_UNTIL, /* a time, or quiet */
    SIM_FORM_PERCENT,
    SIM_FORM_AFTER, /* LABEL, or LABEL +T */
    SIM_FORM_TARGET,
    SIM_FORM_GROUPS,     /* list of targets */
    SIM_FORM_IDS,        /* list of ids */
    SIM_FORM_VALUE,      /* a scalar or list that is compared: 3, ">= 3", [1, 2] */
    SIM_FORM_PROPERTIES, /* mapping of properties, or a file name */
    SIM_FORM_CONFIG,     /* mapping of topic configuration */
    SIM_FORM_ASSIGNMENT, /* {0: [1, 2, 3], …} or [[1, 2, 3], …] */
    SIM_FORM_SWITCHES,   /* {KAFKA-13225: off} */
    SIM_FORM_NODES,
    SIM_FORM_TOPICS,
    SIM_FORM_GIVENS,
    SIM_FORM_LOGS,       /* {1: [a@0, b@1]} */
    SIM_FORM_PARTITIONS, /* a count, or a list of T-P */
    SIM_FORM_ISRS,       /* {T-P: ids} */
    SIM_FORM_KAFKA_JSON, /* Kafka's JSON, inline or a file name; for elections also T-P, a list, all
                          */
    SIM_FORM_NAMES,      /* a text or a list of them */
    SIM_FORM_RATE,       /* 100/s */
    SIM_FORM_CLIENT_PROPERTIES, /* mapping of librdkafka's properties */
    SIM_FORM_ENUM,              /* one of `words` */
    SIM_FORM_OBJECT,            /* mapping of `shape` */
    SIM_FORM_OBJECT_OR_ALL,     /* the same, or all */
    SIM_FORM_LIST,              /* list of `shape` */
    SIM_FORM_JSON_VALUE,        /* text, or a mapping compared with JSON */
    SIM_FORM_IS,                /* a mapping of the subject's shape, or absent */
    SIM_FORM_TEXTS,             /* mapping of texts */
    SIM_FORM_READINGS,          /* mapping of readings */
    SIM_FORM_CHOICES,           /* brokers, or a list of texts and choices */
};

#define SIM_VERB_BIT(verb) (UINT64_C(1) << (verb))
_Static_assert(SIM_VERB_END <= 64, "a verb is a bit");

struct sim_key {
    enum sim_shape shape;
    const char *name;
    enum sim_form form;
    enum sim_shape of;        /* OBJECT, LIST */
    const char *const *words; /* ENUM: NULL at the end */
    enum sim_verb verb;       /* STEP: the key is this verb */
    uint64_t verbs;           /* STEP: an argument of these verbs; 0: of every step */
    bool later; /* of the language, and in its schema; refused when read: not modelled yet */
    const char *text;
};

/* All keys, shape by shape; ends with a NULL name. */
extern const struct sim_key sim_keys[];

/* Returns the row, or NULL. */
const struct sim_key *sim_key_find(enum sim_shape shape, const char *name);
const char *sim_shape_name(enum sim_shape shape);
const char *sim_shape_text(enum sim_shape shape);

/* Prints the JSON Schema of scenario files. */
void sim_schema_print(FILE *out);

#endif
