/*
 * What the files of expectations share.
 *
 *     expect_values.c   what a subject has: looked up in ZooKeeper, controllers, brokers, clients
 *     expect_holds.c    whether a statement holds now: one subject, or all, any, a count of them
 *     expect.c          what becomes of it over time: always, never, sometimes, by, at, end
 *
 * Nothing here is kept between two calls; texts of values live until the world goes on.
 */
#ifndef SIM_EXPECT_PARTS_H
#define SIM_EXPECT_PARTS_H

#include "sim/expect.h"
#include "sim/text.h"
#include "statemachine/znode.h"

enum { SIM_EXPECT_TEXT = 240 }; /* as in struct sim_judgement */

/* UNKNOWN: there is nobody to ask. */
enum sim_answer { SIM_NO, SIM_YES, SIM_UNKNOWN };

/* What a subject has for one property: a number, a text, a list, or nothing to be said. */
struct sim_expect_have {
    enum { SIM_HAVE_UNKNOWN, SIM_HAVE_NUMBER, SIM_HAVE_TEXT, SIM_HAVE_LIST, SIM_HAVE_NOTHING } kind;
    int64_t number;
    const char *text;
    struct sm_list list;
};

struct sim_expect_partition {
    const struct sim_view *view;
    const struct kc_controller *controller; /* active, or NULL */
    const char *topic;
    int32_t number;
    bool has_state, has_assignment;
    struct sm_leader_and_isr li;
    struct sm_assignment assignment;
};

/* ---- expect_values.c ---- */

const char *sim_expect_op_text(enum sim_op op); /* "!= ", "" for equality; static */
/* Whether it is as wanted. */
enum sim_answer sim_expect_compare(const struct sim_property *want,
                                   const struct sim_expect_have *have);
/* What it has, where it is not as wanted; appended. */
void sim_expect_describe(const struct sim_property *want, const struct sim_expect_have *have,
                         char *out, size_t capacity);
/* What is wanted of it; appended. */
void sim_expect_describe_wanted(const struct sim_property *want, char *out, size_t capacity);
/* The active one, NULL: none. */
const struct kc_controller *sim_expect_controller(const struct sim_view *view);
/* A znode; false where it is not there. */
bool sim_expect_get(const struct sim_view *view, const char *path, struct wire_zk_stat *stat,
                    const uint8_t **data, uint32_t *size);
/* What a state znode holds; false where it cannot be read. */
bool sim_expect_state(const struct sim_view *view, const char *topic, int32_t partition,
                      struct sm_leader_and_isr *li);
bool sim_expect_open_topic(const struct sim_view *view, const char *topic,
                           struct sm_topic_reader *reader);
/* Each: what the subject has for the property of that name. */
struct sim_expect_have sim_expect_partition_has(const struct sim_expect_partition *p,
                                                const char *name);
struct sim_expect_have sim_expect_replica_has(const struct sim_expect_partition *p, int32_t broker,
                                              const char *name);
/* Reads the znodes of a partition. */
void sim_expect_look(struct sim_expect_partition *p, bool with_assignment);
/* Whether a statement on a partition needs its assignment. */
bool sim_expect_asks_assignment(const struct sim_expect *x);
struct sim_expect_have sim_expect_controller_has(const struct sim_view *view, int32_t node,
                                                 const char *name);
struct sim_expect_have sim_expect_broker_has(const struct sim_view *view, int32_t id,
                                             const char *name);
struct sim_expect_have sim_expect_topic_has(const struct sim_view *view, const char *topic,
                                            const char *name);
struct sim_expect_have sim_expect_znode_has(const struct sim_view *view, const char *path,
                                            const char *name, char *text, size_t capacity);
struct sim_expect_have sim_expect_clients_have(const struct sim_view *view,
                                               const struct sim_expect *x, const char *name);

/* ---- expect_holds.c ---- */

/* Of an expectation that wants a check violated: known when it is; that it is not, at the end. */
bool sim_expect_is_violation(const struct sim_expect *x);
/* Whether a statement holds now; `actual`: what there is instead, or is. */
enum sim_answer sim_expect_evaluate(const struct sim_expect *x, const struct sim_view *view,
                                    char *actual, size_t capacity);
/* What was wanted, in words. */
void sim_expect_write(const struct sim_expect *x, char *out, size_t capacity);

#endif
