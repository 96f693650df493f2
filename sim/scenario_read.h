/*
 * Reading a scenario: what the parts of the reader share. Internal to sim/scenario_*.c.
 *
 * Every function that reads a value returns whether it was good; where it was not, it has told so,
 * and the caller goes on with the next value, so that one pass finds all errors. `node` may be NULL
 * nowhere; absent keys are the caller's business.
 */
#ifndef SIM_SCENARIO_READ_H
#define SIM_SCENARIO_READ_H

#include "sim/diagnostics.h"
#include "sim/grammar.h"
#include "sim/memory.h"
#include "sim/scenario.h"
#include "sim/yaml.h"

enum {
    SIM_PARTITIONS_MAX = 1000000, /* of one topic, and of all: what `bench` is measured for */
    SIM_NODES_MAX = 1000,
    SIM_STEPS_MAX = 10000,
    SIM_EXPECT_MAX = 10000,
    SIM_CLIENTS_MAX = 1000,
    SIM_GIVEN_RECORDS_MAX = 10000,
};
#define SIM_TIME_MAX (INT64_C(3650) * 24 * 3600 * 1000000) /* ten years */

/* A topic that some part of the file may name. */
struct sim_known_topic {
    const char *name;
    int32_t partitions; /* the most it can come to have; INT32_MAX: unknown */
};

struct sim_known_label {
    const char *name;
    uint32_t step;
    struct sim_place place;
};

struct sim_reader {
    struct sim_scenario *s;
    struct sim_memory *memory;
    struct sim_diagnostics *d;
    const struct sim_scenario_file *beside; /* borrowed: files that are not read from the disk */
    uint32_t beside_count;
    struct sim_known_topic *topics; /* sorted by name once `topics_sorted` */
    uint32_t topic_count;
    struct sim_known_label *labels;
    uint32_t label_count;
    int64_t latest_us; /* the latest time that the file names */
};

/* ---- scenario_value.c ---- */

/* Checks that `node` is a mapping with keys of `shape` only (or of `other`, if not SIM_SHAPE_END).
 */
bool sim_read_keys(struct sim_reader *r, const struct sim_yaml *node, enum sim_shape shape,
                   enum sim_shape other);
bool sim_read_is_scalar(struct sim_reader *r, const struct sim_yaml *node, const char *what);
bool sim_read_text(struct sim_reader *r, const struct sim_yaml *node, const char *what, char **out);
bool sim_read_int(struct sim_reader *r, const struct sim_yaml *node, const char *what,
                  int64_t least, int64_t most, int64_t *out);
bool sim_read_int32(struct sim_reader *r, const struct sim_yaml *node, const char *what,
                    int32_t least, int32_t most, int32_t *out);
bool sim_read_bool(struct sim_reader *r, const struct sim_yaml *node, const char *what, bool *out);
bool sim_read_time(struct sim_reader *r, const struct sim_yaml *node, const char *what,
                   int64_t *out_us);
/* One of `words`; *out is its index. */
bool sim_read_word(struct sim_reader *r, const struct sim_yaml *node, const char *what,
                   const char *const *words, uint32_t *out);
/* Adds a note with all words that `what` may be. */
void sim_note_words(struct sim_reader *r, const char *what, const char *const *words);
/* A list of distinct broker ids that are nodes (`known`) or any. */
bool sim_read_ids(struct sim_reader *r, const struct sim_yaml *node, const char *what,
                  struct sm_list *out);
bool sim_read_node_id(struct sim_reader *r, const struct sim_yaml *node, const char *what,
                      int32_t *out);
/* "orders-0": the topic must be known, the partition too. */
bool sim_read_partition(struct sim_reader *r, const struct sim_yaml *node, const char *text,
                        char **topic, int32_t *partition);
bool sim_read_topic(struct sim_reader *r, const struct sim_yaml *node, char **topic);
/* A whole number and nothing else. */
bool sim_parse_int(const char *text, int64_t *out);
bool sim_read_api(struct sim_reader *r, const struct sim_yaml *node, enum wire_api *out);
/* {0: [1, 2], …} or [[1, 2], …], from partition `first` on, without gaps: *lists has *count lists.
 */
bool sim_read_assignment(struct sim_reader *r, const struct sim_yaml *node, int32_t first,
                         struct sm_list **lists, int32_t *count);
bool sim_read_config(struct sim_reader *r, const struct sim_yaml *node,
                     struct sim_config_entry **entries, uint32_t *count);
/* The node's text on one line, for reports. */
char *sim_read_source(struct sim_reader *r, const struct sim_yaml *node);
void sim_read_note_time(struct sim_reader *r, int64_t time_us);

void sim_know_topic(struct sim_reader *r, const char *name, int32_t partitions);
struct sim_known_topic *sim_known_topic(struct sim_reader *r, const char *name);
/* Node ids for messages: "1, 2, 3"; names of topics and labels for suggestions. */
const char *sim_known_ids(struct sim_reader *r);

/* ---- scenario_target.c, scenario_pattern.c ---- */

bool sim_read_target(struct sim_reader *r, const struct sim_yaml *node, bool zookeeper_too,
                     struct sim_target *out);
bool sim_read_pattern(struct sim_reader *r, const struct sim_yaml *node, enum sim_shape other,
                      struct sim_pattern *out);
/* A value to compare with: 3, "> 3", none, [1, 2], On*. */
struct sim_comparison {
    enum sim_op op;
    bool is_number, is_list, is_glob;
    int64_t number;
    char *text;
    struct sm_list list;
};
bool sim_read_comparison(struct sim_reader *r, const struct sim_yaml *node,
                         struct sim_comparison *out);
/* The comparison as a condition on `field` (NULL: on no field), which stands at `place`. */
struct sim_condition sim_condition_of(const struct sim_comparison *c, const char *field,
                                      struct sim_place place);

/* ---- scenario_files.c ---- */

/* The bytes of the file `name` ("-": standard input), malloc'ed and ended by a zero; NULL with an
   error at `place`, also where there are more than `limit`. */
char *sim_load_bytes(const char *name, size_t limit, struct sim_place place, size_t *size,
                     struct sim_diagnostics *d);
/* The bytes of a file next to the scenario, NULL with an error at `place`. *name is its name. */
char *sim_read_file(struct sim_reader *r, const char *path, struct sim_place place, size_t limit,
                    char **name, size_t *size);

/* ---- scenario_cluster.c, scenario_topics.c ---- */

void sim_read_cluster(struct sim_reader *r, const struct sim_yaml *root);
/* `topics`; then all names of topics are known, those of the dump and of steps too. */
void sim_read_topics(struct sim_reader *r, const struct sim_yaml *root);

/* ---- scenario_steps.c, scenario_expect.c, scenario_lesson.c ---- */
void sim_read_given(struct sim_reader *r, const struct sim_yaml *node); /* scenario_given.c */
void sim_read_steps(struct sim_reader *r, const struct sim_yaml *node);
void sim_read_random(struct sim_reader *r, const struct sim_yaml *node);
void sim_read_heal(struct sim_reader *r, const struct sim_yaml *node); /* scenario_heal.c */
void sim_read_expect(struct sim_reader *r, const struct sim_yaml *node);
void sim_read_lesson(struct sim_reader *r, const struct sim_yaml *node);
void sim_read_clients(struct sim_reader *r, const struct sim_yaml *node); /* scenario_clients.c */
/* Adds the ids of the clients of that name (a row of several: all of them) to `ids`, which has room
   for all clients; returns how many. */
uint32_t sim_named_clients(const struct sim_reader *r, const char *name, int32_t *ids);
/* A client has no session, no controller, no log: false where the verb needs one of them. */
bool sim_check_client_verb(struct sim_reader *r, const struct sim_yaml *node,
                           const struct sim_key *verb, const struct sim_target *target);
/* Labels and names of topics that steps make; before any target is read. */
void sim_read_step_names(struct sim_reader *r, const struct sim_yaml *node);

#endif
