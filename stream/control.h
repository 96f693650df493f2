/*
 * What a running job is asked from outside.
 *
 *     kcsim stream savepoint ──► socket ──► question ──► coordinator (the thread that runs the job)
 *                            ◄──        ◄── answer   ◄──
 *
 * The socket, RUNTIME/kcsim/stream-PID.sock, is for its owner alone (0600 in a folder of 0700). A
 * client sends one line and gets lines: a first one that begins with "ok" or "error", then the end.
 * The coordinator has one question at a time; others wait. It is answered when what it asks for has
 * been done, or the job has ended. What the job does (status, metrics) is told at once. To cancel
 * is not for the coordinator: the job is made to stop at once, also while it waits to begin again;
 * SIGINT and SIGTERM do the same (signals.h).
 *
 * Threads: one of its own listens, one serves each client, one looks at the job (monitor.h), one
 * waits for signals, and one serves metrics if they are to be had over HTTP (prom_http.h);
 * questions and answers are guarded by its lock. Locks are taken in the order control, job or
 * monitor.
 */
#ifndef STREAM_CONTROL_H
#define STREAM_CONTROL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "stream/checkpoint.h"

struct job;
struct control;
struct st_env;

enum question {
    ASK_NOTHING = 0,
    ASK_CHECKPOINT,
    ASK_SAVEPOINT,
    ASK_STOP, /* a savepoint, and no record behind it */
    ASK_DRAIN /* as if the input had ended; what is left goes into a savepoint */
};

#define CONTROL_LINE 2048 /* bytes of a question or of an answer's line */

/* The folder of the user's sockets, made if need be; false, with its path and errno, if there is
 * none that is safe. */
bool control_folder(char *path, size_t size);
/* Listens, serves metrics and shows progress, as the env has it; NULL with `why` (256 bytes) if
 * that cannot be. The name is borrowed. */
struct control *control_new(const struct st_env *env, const char *job_name, char *why);
/* Returns the signal that came to cancel the job (signals.h); 0: none. NULL: nothing, 0. */
int control_free(struct control *c);
/* Has somebody cancelled the job, by a question or a signal? */
bool control_is_cancelled(struct control *c);
/* Waits so long before the job begins again; not if it is cancelled. */
void control_await_restart(struct control *c, int64_t delay_ms);

/* The job that runs now: questions go to it. */
void control_attach(struct control *c, struct job *job);
/* It runs no longer, which `text` tells of: to those who cancel, who have got it if that is why
 * (`is_cancelled`), and to a question that is still open, which has been met if `is_done`. */
void control_detach(struct control *c, bool is_cancelled, bool is_done, const char *text);
/* The question that waits, once; its target ("": none) is copied. By the coordinator. */
enum question control_next(struct control *c, char target[CONTROL_LINE]);
/* Answers it. */
void control_answer(struct control *c, bool ok, const char *text);
/* The last completed checkpoint, how long it took, its size; one more that failed: for the status
 * and the metrics. */
void control_completed(struct control *c, int64_t id, int64_t duration_ms,
                       struct checkpoint_size size);
void control_failed(struct control *c);

#endif
