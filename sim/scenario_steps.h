/*
 * What the readers of steps share.
 *
 *     scenario_steps.c       triggers, which verb, and the step as a whole
 *     scenario_verbs.c       what stands behind a verb: partitions, Kafka's JSON, channels, groups
 *     scenario_arguments.c   the other keys of the step, and what must be there in the end
 *
 * All return false where an error was told.
 */
#ifndef SIM_SCENARIO_STEPS_H
#define SIM_SCENARIO_STEPS_H

#include "sim/scenario_read.h"

/* ---- scenario_verbs.c ---- */

/* "t-0", or a list of such. */
bool sim_step_read_partitions(struct sim_reader *r, const struct sim_yaml *node,
                              struct sim_step *out);
/* elect-leaders: all, partitions, or Kafka's JSON. */
bool sim_step_read_elections(struct sim_reader *r, const struct sim_yaml *node,
                             struct sim_step *out);
/* {t-0: [1, 2]}; what: in messages. */
bool sim_step_read_partition_map(struct sim_reader *r, const struct sim_yaml *node,
                                 const char *what, struct sim_step *out);
/* reassign: such a map, or Kafka's JSON. */
bool sim_step_read_reassignment(struct sim_reader *r, const struct sim_yaml *node,
                                struct sim_step *out);
/* A topic, or a list of topics. */
bool sim_step_read_topics(struct sim_reader *r, const struct sim_yaml *node, struct sim_step *out);
/* {from, to, api, nth}. */
bool sim_step_read_channel(struct sim_reader *r, const struct sim_yaml *node,
                           struct sim_channel *out);
/* partition: two groups or more. */
bool sim_step_read_groups(struct sim_reader *r, const struct sim_yaml *node, struct sim_step *out);
/* release: a label, or a channel. */
bool sim_step_read_release(struct sim_reader *r, const struct sim_yaml *node, struct sim_step *out);

/* ---- scenario_arguments.c ---- */

/* Reads the argument `key`, which the table of the grammar allows for the verb. */
bool sim_step_read_argument(struct sim_reader *r, const char *key, const struct sim_yaml *node,
                            struct sim_step *out);
/* Whether the arguments of a step are enough, and fit together. */
bool sim_step_check(struct sim_reader *r, struct sim_step *s);

#endif
