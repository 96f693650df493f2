/*
 * What a fuzzer provides: its entry, as libFuzzer calls it, and samples to start from.
 */
#ifndef TESTS_FUZZ_FUZZ_H
#define TESTS_FUZZ_FUZZ_H

#include <stddef.h>
#include <stdint.h>

/* Asserts what must hold of any bytes; returns 0. */
int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);

/* Good inputs, as strings; NULL at the end. */
extern const char *const fuzz_samples[];

#endif
