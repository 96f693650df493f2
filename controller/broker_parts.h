/*
 * What brokers.c and broker_events.c share.
 */
#ifndef CONTROLLER_BROKER_PARTS_H
#define CONTROLLER_BROKER_PARTS_H

#include "controller/state.h"

/* Makes the brokers with `flag` the group that the next flow is about; returns whether there is
   one. */
bool kc_make_group(struct kc_controller *c, uint32_t flag);
/* Writes the ids of the group, "1,2"; returns `out`. */
const char *kc_group_text(struct kc_controller *c, char *out, size_t size);
/* Marks the topics of the replica machine's work: what FAIL_DELETION is about. */
void kc_mark_topics_of_work(struct kc_controller *c);

#endif
