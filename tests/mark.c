/*
 * Check's notes of where a test is, thinned.
 *
 * Check writes the place of each assertion that holds to a file and reads them all when the test
 * ends, moving what is left of its buffer for each: a test that asserts a million times does little
 * else. The last of them is told when a test dies without a word ("after this point"), so the first
 * thousands go through, for most tests that is all, and then one of many: whoever reads it looks a
 * little further. Linked with --wrap.
 */
#include <stdatomic.h>

enum { TOLD = 4096, ONE_OF = 1024 };

void __real__mark_point(const char *file, int line);
void __wrap__mark_point(const char *file, int line);

void __wrap__mark_point(const char *file, int line)
{
    static _Atomic unsigned held; /* assertions; those of any thread */
    unsigned n = atomic_fetch_add_explicit(&held, 1, memory_order_relaxed);
    if (n < TOLD || n % ONE_OF == 0) {
        __real__mark_point(file, line);
    }
}
