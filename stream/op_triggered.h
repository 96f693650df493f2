/*
 * Windows with a trigger: what a trigger's functions reach through st_set_event_timer and its kin.
 */
#ifndef STREAM_OP_TRIGGERED_H
#define STREAM_OP_TRIGGERED_H

#include "stream/task.h"

/* Sets (or deletes) a timer of the window at hand. */
void triggered_timer(struct op *op, int64_t time_ms, bool event_time, bool set);

#endif
