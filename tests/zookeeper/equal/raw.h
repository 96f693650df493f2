/* A connection to the real server that speaks its protocol itself, for what the C client cannot
   send: a multi of reads, and one that mixes them with writes. */
#ifndef TESTS_ZOOKEEPER_EQUAL_RAW_H
#define TESTS_ZOOKEEPER_EQUAL_RAW_H

#include "history.h"
#include "plan.h"

struct raw;

/* Opens a session of its own; ends the program where that fails. */
struct raw *raw_open(int port);
void raw_close(struct raw *r);
/* Sends the multi `step`, as one of reads where its first operation is a read, and adds what is
   answered to `h`. */
void raw_multi(struct raw *r, const struct plan_step *step, int number, struct history *h,
               const struct naming *naming);

#endif
