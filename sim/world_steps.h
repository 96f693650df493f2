/*
 * What the files of steps share: the verbs, by what they act on.
 *
 *     world_steps.c        when a step acts, on whom, what is recorded, how it is undone
 *     world_steps_net.c    rules on messages, and answers of scripted brokers
 *     world_steps_admin.c  what operators do, by znode or by a call
 *
 * `record` is that of the fault. What has to be undone later is noted in `u`.
 */
#ifndef SIM_WORLD_STEPS_H
#define SIM_WORLD_STEPS_H

#include "sim/world_state.h"

/* ---- world_steps.c ---- */

/* Records that something of the scenario acts, which no step says by itself; returns the record. */
uint64_t sim_step_record(struct sim_world *w, const struct sim_fault_note *note, enum sim_verb verb,
                         uint64_t by);

/* ---- world_steps_net.c ---- */

/* hold, drop, degrade: one rule on a channel. */
void sim_step_add_channel(struct sim_world *w, const struct sim_step *s, struct sim_undo *u);
/* partition: every two groups, or one way. */
void sim_step_cut_groups(struct sim_world *w, const struct sim_step *s, struct sim_undo *u);
/* Undoes the rules of a step; what they held goes on. */
void sim_step_remove_rules(struct sim_world *w, const struct sim_undo *u);
/* release: of a label, or of a channel. */
void sim_step_release(struct sim_world *w, const struct sim_step *s);
/* answer: what a scripted broker says from now on. */
void sim_step_tell(struct sim_world *w, const struct sim_step *s, int32_t id, struct sim_undo *u);
/* fail-log-dir, of a broker of either behaviour. */
void sim_step_fail_log_dir(struct sim_world *w, const struct sim_step *s, int32_t id,
                           struct sim_undo *u);

/* ---- world_steps_admin.c ---- */

/* create-topic, add-partitions. */
void sim_step_make_partitions(struct sim_world *w, const struct sim_step *s, uint64_t record);
/* elect-leaders, by znode or by a call. */
void sim_step_elect(struct sim_world *w, const struct sim_step *s, uint64_t record);
/* reassign, cancel-reassignment. */
void sim_step_reassign(struct sim_world *w, const struct sim_step *s, uint64_t record);
/* shutdown: the broker asks the controller, then leaves. */
void sim_step_shutdown(struct sim_world *w, const struct sim_step *s, int32_t id, uint64_t record);
/* restart: of a process that is down. */
void sim_step_restart(struct sim_world *w, const struct sim_step *s, int32_t id, uint64_t record);
/* znode: somebody outside writes it. */
void sim_step_znode(struct sim_world *w, const struct sim_step *s, uint64_t record);

#endif
