/*
 * What the flows that ask the controller share: answers come as a list of partitions, responses
 * group them by topic. Internal to broker/.
 */
#ifndef BROKER_CONTROLLER_CALLS_H
#define BROKER_CONTROLLER_CALLS_H

#include "broker/state.h"

/* Walks the items of an answer, topic by topic: consecutive items of one topic are one group. Start
   with {.call = answer}; false at the end. Then `first` is the group's first item, `count` how many
   of its items `keep` accepts. */
struct kb_call_group {
    const struct wire_call *call;
    struct wire_call_view at; /* last item taken */
    struct wire_call_view first;
    int32_t count;
};
typedef bool kb_keep(const struct wire_call_view *v, const void *context);
bool kb_call_group_next(struct kb_call_group *g, kb_keep *keep, const void *context);
/* Counts groups with an item that is kept. */
int32_t kb_group_count(const struct wire_call *call, kb_keep *keep, const void *context);

#endif
