/*
 * What a controller's lines say, told by kind. Internal to sim/import_{controller,states,topics,
 * moves,brokers}.c.
 *
 *     import_controller   which line is told by whom; events; what operators asked for
 *          │
 *          ├─ import_brokers   brokers, who controls ─┐ a new reign begins its machines anew
 *          ├─ import_moves     state machines  ◄──────┘
 *          ├─ import_topics    assignments, topics
 *          └─ import_states    leader, ISR, epochs of a partition: what a move or a line states
 *
 * All of these write records into the story's trace at the story's present time; `e` is the entry
 * that the line became and `h` its holes, both borrowed for the call. A line that is damaged or
 * says too little is told as far as it goes, down to nothing; there are no errors. One thread.
 */
#ifndef SIM_IMPORT_MACHINES_H
#define SIM_IMPORT_MACHINES_H

#include <string.h>

#include "sim/import_story.h"

/* The lane of the controller that wrote the line. */
static inline sim_lane sim_import_lane(const struct sim_entry *e)
{
    return SIM_LANE_CONTROLLER(e->node);
}

/* The record of the event that this controller is at; 0 none. */
static inline uint64_t sim_import_cause(struct sim_story *s, const struct sim_entry *e)
{
    return sim_import_node(s, e->node)->cause;
}

/* Copies a span as text, cut to the capacity. */
static inline void sim_import_copy(char *out, size_t capacity, struct sim_span s)
{
    size_t size = s.size < capacity - 1 ? s.size : capacity - 1;
    memcpy(out, s.at, size);
    out[size] = '\0';
}

/* Ids as a list of replicas; those beyond SM_REPLICAS_MAX are left out. */
static inline struct sm_list sim_import_list(const struct sim_ids *ids)
{
    size_t count = ids->count < SM_REPLICAS_MAX ? ids->count : SM_REPLICAS_MAX;
    return sm_list_of(ids->id, (int32_t)count);
}

/* ---- import_controller.c ---- */

/* The controller takes up `event` (Kafka's name, static), caused by `by` (0 none), under the
   election strategy `rule` (static, NULL none). Steps of one reassignment are one event. */
void sim_import_begin_event(struct sim_story *s, const struct sim_entry *e, const char *event,
                            const char *rule, uint64_t by);
/* The record that may have set off an event of that name; 0 none. */
uint64_t sim_import_trigger(struct sim_story *s, const struct sim_entry *e, const char *event);

/* ---- import_states.c ---- */

/* A line about the state of one partition. */
void sim_import_tell_li(struct sim_story *s, const struct sim_entry *e, const struct sim_holes *h);
/* Fills `li` with the state that a line states; what it lacks is as before. False, and `li` is
   unspecified, where neither line nor past tell leader and ISR. */
bool sim_import_new_li(struct sim_story *s, const struct sim_entry *e, const struct sim_tp *tp,
                       const struct sim_state_text *text, struct sm_leader_and_isr *li);
/* The election by strategy `rule` whose result is `next`. Returns its record, or the event's where
   records are not wanted. */
uint64_t sim_import_infer_election(struct sim_story *s, const struct sim_entry *e,
                                   const struct sim_tp *tp, const struct sm_leader_and_isr *next,
                                   const char *rule);
/* The write of the state znode, unless a transaction told of it. */
void sim_import_infer_state(struct sim_story *s, const struct sim_entry *e, const struct sim_tp *tp,
                            const struct sm_leader_and_isr *li, uint64_t by);
/* Takes `li` for what the controller believes. The fact goes on the record that is open. */
void sim_import_learn_li(struct sim_story *s, const struct sim_entry *e, const struct sim_tp *tp,
                         const struct sm_leader_and_isr *li);

/* ---- import_topics.c ---- */

/* Reads an assignment in either of Kafka's wordings: a list, or ReplicaAssignment(…). */
void sim_import_assignment(struct sim_span text, struct sm_assignment *ra);
void sim_import_tell_assigned(struct sim_story *s, const struct sim_entry *e,
                              const struct sim_holes *h);
void sim_import_tell_topics(struct sim_story *s, const struct sim_entry *e,
                            const struct sim_holes *h);
void sim_import_tell_topic_gone(struct sim_story *s, const struct sim_holes *h);

/* ---- import_moves.c ---- */

/* A move of a partition or a replica, made or refused; of a new partition; as a controller that
   begins finds them all. */
void sim_import_tell_move(struct sim_story *s, const struct sim_entry *e,
                          const struct sim_holes *h);
void sim_import_tell_new(struct sim_story *s, const struct sim_entry *e, const struct sim_holes *h);
void sim_import_tell_found(struct sim_story *s, const struct sim_entry *e,
                           const struct sim_holes *h);
/* A new reign of `node`: its machines begin anew. */
void sim_import_forget_machines(struct sim_story *s, int32_t node);

/* ---- import_brokers.c ---- */

/* Brokers that came, went and bounced; those that the controller has; `what` is the list that the
   text names: "live" or "shutting". */
void sim_import_tell_brokers(struct sim_story *s, const struct sim_entry *e,
                             const struct sim_holes *h);
void sim_import_tell_live(struct sim_story *s, const struct sim_entry *e,
                          const struct sim_holes *h);
void sim_import_set_live(struct sim_story *s, const struct sim_entry *e, const char *what,
                         struct sim_span text);
/* The node was elected; it is no controller, and `controller` is (-1 unknown). */
void sim_import_tell_elected(struct sim_story *s, const struct sim_entry *e,
                             const struct sim_holes *h);
void sim_import_tell_standby(struct sim_story *s, const struct sim_entry *e, int64_t controller);

#endif
