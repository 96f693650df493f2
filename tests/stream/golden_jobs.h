/*
 * The recorded jobs (golden/NAME/job.md says each in words) written in our API, as a user would.
 */
#ifndef GOLDEN_JOBS_H
#define GOLDEN_JOBS_H

#include "stream/stream.h"

struct golden_job {
    const char *name; /* of the folder in golden/ */
    /* Reads the files of `in`, writes files named as the recorded ones into `out`. */
    void (*build)(st_env *env, const char *in, const char *out);
    bool ordered; /* the order of the output is defined */
    const char *outputs[4];
};

/* How the jobs read a file and write one: st_read_text and st_write_text, if not set otherwise. */
extern st_stream *(*golden_read)(st_env *env, const char *path);
extern void (*golden_write)(st_stream *s, const char *path);

extern const struct golden_job golden_jobs[];
extern const unsigned golden_job_count;

#endif
