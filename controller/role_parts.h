/*
 * What the files of the role share: role.c (events, resigning), role_election.c (winning it),
 * registration.c (the broker's own znode).
 */
#ifndef CONTROLLER_ROLE_PARTS_H
#define CONTROLLER_ROLE_PARTS_H

#include "controller/state.h"

/* Wall clock of znodes, ms. */
int64_t kc_now_ms(const struct kc_controller *c);
/* Who is the controller: c->read_value, -1 for nobody. */
extern const struct kc_bulk kc_read_controller;
bool kc_ask_controller(struct kc_controller *c, struct kc_frame *f, struct kc_slot *s,
                       struct kc_ask *ask);
enum kc_slot_next kc_answer_controller(struct kc_controller *c, struct kc_frame *f,
                                       struct kc_slot *s, int32_t err,
                                       const struct wire_zk_result_view *r);
/* The epoch: c->reply_found, c->read_value, and c->read_version of its znode. */
extern const struct kc_bulk kc_read_epoch;
enum kc_slot_next kc_answer_epoch(struct kc_controller *c, struct kc_frame *f, struct kc_slot *s,
                                  int32_t err, const struct wire_zk_result_view *r);

#endif
