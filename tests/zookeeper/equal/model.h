/*
 * Our side: the embedded server with three connections, whose outputs become the same lines.
 *
 * A wrong variant of it can be asked for, to see that the comparison notices.
 */
#ifndef TESTS_ZOOKEEPER_EQUAL_MODEL_H
#define TESTS_ZOOKEEPER_EQUAL_MODEL_H

#include "history.h"
#include "plan.h"

enum model_wrong {
    MODEL_RIGHT,
    MODEL_DROPS_EVENTS,      /* every 5th of a sequence */
    MODEL_FORGETS_CVERSION,  /* stats show it as 0 */
    MODEL_SPARES_ZXIDS,      /* a refused write uses none up */
    MODEL_EVENT_AFTER_REPLY, /* in the writer's own history */
    MODEL_FORGETS_LOSSES,    /* lost events and replies are not reported to the server */
    MODEL_WRONG_END
};

struct model;

struct model *model_new(enum model_wrong wrong, struct history histories[SESSIONS]);
void model_free(struct model *m);
/* An independent copy that writes to nobody's history. */
struct model *model_copy(const struct model *m);
/* Begins a sequence below `prefix` on an empty server. */
void model_begin(struct model *m, const char *prefix);
void model_send(struct model *m, const struct plan_step *step, int number);
/* As real_probe, relative to the sequence's root. */
int64_t model_probe(struct model *m);
void model_expire(struct model *m, int session);
/* Sends the first `done` of `count` steps over a connection that then breaks: of the lines that
   come of it the client gets the first `heard`; the other requests end in CONNECTIONLOSS, the
   first of them `answered`. */
void model_cut(struct model *m, const struct plan_step *steps, int first, int count, int done,
               int heard, int answered);
void model_reconnect(struct model *m, int session);
/* Walks the nodes of the sequence: next path below the root after `previous` ("" is the root). */
const char *model_next(struct model *m, const char *previous, char *buffer);

#endif
