/*
 * SIGINT and SIGTERM while a job runs: the first one cancels it, a second one ends the process.
 *
 *     handler ──► pipe ──► thread ──► cancel(context)
 *
 * A signal is taken only if nobody in the process has said what is to happen at it: neither a
 * handler nor that it is ignored (a shell's background command ignores SIGINT). Of jobs that run at
 * once in a process the first has the signals. The pipe stays when the job has ended: a handler
 * that is still at work on another thread writes into nothing else.
 *
 * Thread: one of its own calls `cancel`. Source: Flink's client, whose JVM runs shutdown hooks at
 * either signal (CliFrontend, ShutdownHookUtil).
 */
#ifndef STREAM_SIGNALS_H
#define STREAM_SIGNALS_H

struct signals;

/* Returns owned; NULL: no signal is to be had, or no thread. `context` is borrowed. */
struct signals *signals_take(void (*cancel)(void *context), void *context);
/* What happens at the signals is again what happened before. Returns the one that has come; 0:
 * none. NULL: nothing, 0. */
int signals_give_back(struct signals *s);

#endif
