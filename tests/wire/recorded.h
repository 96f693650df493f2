/*
 * Walks the lines of tests/wire/recorded/: the messages of all APIs, one file each.
 *
 *     request 3 HEX JSON        ("-" for no bytes)
 */
#ifndef TESTS_WIRE_RECORDED_H
#define TESTS_WIRE_RECORDED_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "wire/codec.h"

struct recorded {
    const char *name; /* of the API */
    int line;
    int16_t api, version;
    enum wire_direction direction;
    const uint8_t *bytes; /* exactly `size` bytes of heap; valid until the next call */
    size_t size;
    const char *json;
};

struct recorded_file;

/* Opens before the first line of the first API. Aborts where a file is missing. */
struct recorded_file *recorded_open(void);
/* Gives the next line; false behind the last of the last API. */
bool recorded_next(struct recorded_file *f, struct recorded *out);
void recorded_close(struct recorded_file *f);

/* Writes the bytes that `hex` spells and returns how many; "-" spells none. */
size_t recorded_unhex(const char *hex, uint8_t *out);

#endif
