/*
 * What the drawing of faults is made of: small draws, targets, moments, steps.
 *
 *     world_random.c         the plan: which classes, how many
 *     world_draw.c           whom, when: this header
 *     world_draw_faults.c    processes, network, ZooKeeper, disks, clocks, clients
 *     world_draw_admin.c     what administrators do
 *
 * A drawer draws for one class at a time, from a generator of that class. What all classes share is
 * drawn from the seed alone: a few busy times, around which half of the timed faults gather. Faults
 * that come one behind the other do more than the same faults spread evenly, and no class has to
 * know of another for that.
 *
 * All of it is internal to the world; steps and texts live in the plan's memory as long as the
 * world.
 */
#ifndef SIM_WORLD_DRAW_H
#define SIM_WORLD_DRAW_H

#include "sim/memory.h"
#include "sim/world_state.h"

enum { SIM_STEPS_PER_FAULT = 6, SIM_BUSY_TIMES = 3 };

struct sim_plan {
    struct sim_scenario scenario; /* the given one, with more steps */
    struct sim_memory memory;
};

struct sim_drawer {
    struct sim_plan *plan;
    const struct sim_scenario *s; /* the given one */
    struct sim_random_state random;
    int64_t busy_us[SIM_BUSY_TIMES];
    uint32_t capacity;
    uint32_t created; /* topics so far */
};

/* ---- small draws ---- */

/* Returns 0 … n-1; true once in n draws; a duration of 1 ms to most_us, any order of magnitude as
   likely as another. */
uint64_t sim_draw_below(struct sim_drawer *d, uint64_t n);
bool sim_draw_one_in(struct sim_drawer *d, uint64_t n);
int64_t sim_draw_duration(struct sim_drawer *d, int64_t most_us);
/* A time between the beginning and the end of the faults, drawn evenly. */
int64_t sim_draw_time(struct sim_drawer *d);
int64_t sim_draw_session_us(const struct sim_drawer *d); /* zookeeper.session.timeout.ms */

/* ---- whom ---- */

int32_t sim_draw_id(struct sim_drawer *d);
const struct sim_topic *sim_draw_topic(struct sim_drawer *d); /* of those given; there is one */
int32_t sim_draw_partition_of(struct sim_drawer *d, const struct sim_topic *topic);
struct sim_target sim_draw_named(struct sim_drawer *d, enum sim_target_kind kind, const char *text);
struct sim_target sim_draw_ids(struct sim_drawer *d, const int32_t *ids, uint32_t count);
/* A node, or the leader, the followers, the ISR of a partition; those who matter more often than by
   their number. */
struct sim_target sim_draw_node(struct sim_drawer *d);
/* The leader or the followers of a drawn partition: `kind` is LEADER, FOLLOWERS or ISR, and `role`
   the word for it. There must be a topic. */
struct sim_target sim_draw_role(struct sim_drawer *d, enum sim_target_kind kind, const char *role);

/* ---- steps ---- */

/* Return a step of the plan, empty but for its verb and when it acts: at a time or at a moment of
   the protocol; at a time, drawn evenly; some time after the last one. The address lives until the
   next call. */
struct sim_step *sim_draw_step(struct sim_drawer *d, enum sim_verb verb);
struct sim_step *sim_draw_timed(struct sim_drawer *d, enum sim_verb verb);
struct sim_step *sim_draw_follow(struct sim_drawer *d, enum sim_verb verb, int64_t later_us);
/* Returns the index of the last step, of which there is one. */
uint32_t sim_draw_last(const struct sim_drawer *d);
/* Whom that step took down is started at the end. */
void sim_draw_start_at_end(struct sim_drawer *d, uint32_t step);
/* Adds T-P to what a step names, and returns it to be filled. */
struct sim_partition_arg *sim_draw_arg(struct sim_drawer *d, struct sim_step *step,
                                       const char *topic, int32_t partition);
char *sim_draw_text(struct sim_drawer *d, const char *text); /* a copy */

/* ---- classes: each draws one fault, at most SIM_STEPS_PER_FAULT steps ---- */

typedef void sim_draw_class(struct sim_drawer *d, enum sim_verb verb);

/* world_draw_faults.c */
sim_draw_class sim_draw_down, sim_draw_lost_machine, sim_draw_bounce, sim_draw_on_node,
    sim_draw_while, sim_draw_skew, sim_draw_fail_log_dir, sim_draw_client, sim_draw_channel,
    sim_draw_stall, sim_draw_partition, sim_draw_lost_quorum, sim_draw_delay, sim_draw_fail;

/* world_draw_admin.c; all but the first two need a topic */
sim_draw_class sim_draw_move_controller, sim_draw_create, sim_draw_grow, sim_draw_delete,
    sim_draw_reassign, sim_draw_reassign_and_cancel, sim_draw_elect, sim_draw_flip, sim_draw_config;

#endif
