/*
 * Questions to running stream jobs: list, status, metrics, checkpoint, savepoint, stop, cancel.
 *
 * A job is found by its socket in the user's runtime folder, and named by its process number or its
 * name, where one job alone has that.
 */
#ifndef CLI_STREAM_ASK_H
#define CLI_STREAM_ASK_H

/* argv[0] is one of these words. Prints what the job answered; returns an enum sim_exit. */
int stream_ask(int argc, char **argv);

#endif
