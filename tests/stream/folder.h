/*
 * A folder of a test's own, for checkpoints and files.
 */
#ifndef TESTS_STREAM_FOLDER_H
#define TESTS_STREAM_FOLDER_H

#include <check.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

enum { FOLDER_SIZE = 32 };

/* A new one; its path into `folder`. */
static inline void folder_make(char folder[FOLDER_SIZE])
{
    snprintf(folder, FOLDER_SIZE, "/tmp/kcsim-test-XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(folder));
}

/* The same in memory, where there is such a place: databases wait for the disk at each file. */
static inline void folder_make_in_memory(char folder[FOLDER_SIZE])
{
    bool has_memory = access("/dev/shm", W_OK) == 0;
    snprintf(folder, FOLDER_SIZE, "%s/kcsim-test-XXXXXX", has_memory ? "/dev/shm" : "/tmp");
    ck_assert_ptr_nonnull(mkdtemp(folder));
}

/* With all that is in it. */
static inline void folder_remove(const char *folder)
{
    char command[FOLDER_SIZE + 16];
    snprintf(command, sizeof command, "rm -rf %s", folder);
    ck_assert_int_eq(system(command), 0);
}

#endif
