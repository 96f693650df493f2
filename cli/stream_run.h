/*
 * kcsim stream run, info: a job is loaded from a shared object and run, or its graph is shown.
 *
 *     kcsim stream run PATH -p 2 --input f      PATH, PATH.so, or that under the built or installed
 *          │                                    examples; `st_job` of it builds the graph
 *          └─ -D -p -s -n are the runtime's, the rest goes to the job
 *
 * The job's code finds the interface in this program, which therefore exports it.
 */
#ifndef CLI_STREAM_RUN_H
#define CLI_STREAM_RUN_H

/* argv[0] is the word. Return an enum sim_exit; of a run that SIGTERM has cancelled 143. */
int stream_run(int argc, char **argv);
int stream_info(int argc, char **argv);

#endif
