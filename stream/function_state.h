/*
 * Keyed state of functions that windows call: of a key, over all of its windows.
 *
 *     window operator      table of windows            (or several, or sessions …)
 *       └─ op->states      row of a key: its states    an operator within the operator
 *
 * Windows lie by time and key, states by key alone; so they have rows of their own, which are those
 * of a process function without timers: written, restored and kept in a database as these are.
 *
 * Source: Flink ProcessWindowFunction.Context.globalState.
 */
#ifndef STREAM_FUNCTION_STATE_H
#define STREAM_FUNCTION_STATE_H

#include "stream/task.h"

/* What op->states is of an operator whose function has states; owned (free). It is opened, closed,
 * written and restored behind the operator. */
struct op *function_state_new(const struct op *op);
/* Before the function is called: op->key is then the key at hand. May put out what the operator
 * holds. */
void function_state_enter(struct op *op);
/* Behind it. */
void function_state_leave(struct op *op);
/* Before a batch of so many records: goes on with what is over. */
void function_state_sweep(struct op *op, uint32_t count);

#endif
