/*
 * YAML, the part of it that a scenario may use, as a tree with marks.
 *
 * One document of mappings, lists and scalars. Refused, each with its place: aliases, anchors,
 * tags, merge keys, directives, a second document, keys that are no scalars, keys that stand twice,
 * bytes that are not UTF-8, more than SIM_YAML_SIZE_MAX bytes or SIM_YAML_DEPTH_MAX levels. A
 * syntax error ends the reading: there is one such error, and no tree.
 *
 * What a scalar means (a number, a time) is for the reader of the tree to say; the tree only tells
 * whether it was quoted. Memory: the tree lives in the struct sim_memory that is passed in.
 */
#ifndef SIM_YAML_H
#define SIM_YAML_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "sim/diagnostics.h"
#include "sim/memory.h"

enum { SIM_YAML_SIZE_MAX = 1024 * 1024, SIM_YAML_DEPTH_MAX = 32 };

enum sim_yaml_kind { SIM_YAML_SCALAR, SIM_YAML_LIST, SIM_YAML_MAP };

struct sim_yaml {
    enum sim_yaml_kind kind;
    bool quoted;             /* SCALAR: '…', "…", | or > */
    uint32_t count;          /* LIST: elements; MAP: members */
    size_t size;             /* SCALAR: bytes of text */
    char *text;              /* SCALAR, NUL-terminated (a NUL inside is refused) */
    struct sim_yaml **keys;  /* MAP: scalars */
    struct sim_yaml **items; /* LIST: elements; MAP: values */
    struct sim_place place;  /* start; length up to the end of the line or of the node */
    size_t begin, end;       /* byte offsets in the text */
};

/* Returns the root, or NULL with an error in `d` (whose source must be the text). */
struct sim_yaml *sim_yaml_parse(struct sim_memory *memory, const char *text, size_t size,
                                struct sim_diagnostics *d);

/* Returns the value of `key`, or NULL (also where `map` is no map). */
const struct sim_yaml *sim_yaml_get(const struct sim_yaml *map, const char *key);

/* Returns "a mapping", "a list", "text"; static. */
const char *sim_yaml_kind_text(const struct sim_yaml *node);

/* Checks that the bytes are UTF-8; false with an error at the first that is not. */
bool sim_check_utf8(const char *text, size_t size, struct sim_diagnostics *d);

#endif
