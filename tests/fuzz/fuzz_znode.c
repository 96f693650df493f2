/*
 * Any bytes as the content of any znode: nothing is overrun, nothing hangs, and what is accepted
 * survives being written and read again (exercise.h).
 */
#include "fuzz.h"

#include "../statemachine/exercise.h"

const char *const fuzz_samples[] = {
    EXERCISE_SAMPLE_LIST,
    NULL,
};

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    exercise((const char *)bytes, size);
    return 0;
}
