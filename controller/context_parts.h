/*
 * What the three files of the context share: context_rows.c makes and frees rows, context.c fills
 * them, context_states.c has the states of both machines.
 */
#ifndef CONTROLLER_CONTEXT_PARTS_H
#define CONTROLLER_CONTEXT_PARTS_H

#include "controller/state.h"

/* Takes a topic that has no rows out of the table. */
void kc_free_topic(struct kc_controller *c, uint32_t index);
/* Frees the rows of a topic on which nothing hangs any more; the others stay. */
void kc_free_bare_rows(struct kc_controller *c, uint32_t topic);

#endif
