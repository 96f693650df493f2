/*
 * The job of the stress test: sources of three kinds of input, every kind of keyed operator, and
 * stages that dawdle at random, in slots of their own, so that channels fill up.
 *
 *     events --> time --> [dawdle] -+-> tumbling, sliding, sessions --------------+
 *                                   +-> [dawdle] --> process: map state, timers --+
 *     orders --> time --------------+-> co_process: value state, timers ----------+-> [dawdle] ->
 * files events --> count: list of the subtask, told at the end --> window_all ------+
 *
 * Nothing is late and all sums are of whole numbers, so the lines, sorted, do not depend on
 * parallelism, speed or backend: a run without failures says what they must be.
 */
#ifndef TESTS_STREAM_STORM_JOB_H
#define TESTS_STREAM_STORM_JOB_H

#include <stdbool.h>
#include <stdint.h>

/* How an attempt ends before its time. STORM_KILL is the parent's to do. */
enum storm_failure {
    STORM_NONE = 0,
    STORM_KILL,            /* SIGKILL after so many milliseconds */
    STORM_FAIL_RECORD,     /* a function fails at its record of that number */
    STORM_FAIL_SNAPSHOT,   /* while a snapshot is made, at the one of that number */
    STORM_FAIL_NOTIFY,     /* when it is told that a checkpoint is complete, likewise */
    STORM_FAIL_INITIALIZE, /* while state is restored */
    STORM_FAILURE_END
};

/* One attempt at the job. */
struct storm_attempt {
    uint64_t seed; /* of the round: decides the events */
    uint64_t draw; /* of the attempt: decides who dawdles when */
    uint32_t parallelism, source_parallelism;
    const char *backend; /* hashmap or rocksdb */
    const char *folder;  /* ck and out lie in it */
    bool dawdles;
    bool checkpoints; /* the run that says what must come out has none */
    enum storm_failure failure;
    uint64_t failure_at;
};

/* What storm_run says, as the status of a process. */
enum { STORM_DONE = 0, STORM_WRONG = 1, STORM_NO_CHECKPOINT = 2, STORM_FAILED = 3 };

/* Runs it, from the newest checkpoint in FOLDER/ck if there is one. */
int storm_run(const struct storm_attempt *attempt);

#endif
