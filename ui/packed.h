/*
 * A trace, packed for a page: schema kcsim.report/1.
 *
 *   file    = "kcsim.report/1\n" | frame of the header | a frame a block | a u32 0
 *   frame   = u32 size in the file | u32 size of the body | body, deflated with its Adler-32 (zlib)
 *   header  = one JSON object: {version, records, finished, remark, kinds, fields, lanes, tables}
 *   block   = records, strings, facts (varints)
 *           | the strings that are new here: size, bytes
 *           | columns, one behind the other, a varint (kind, lane: a byte, u16) a record:
 *               t - t before | lane | kind | n - by, 0: none | n - mute, 0: none
 *               | size of the fields | size of the facts
 *           | a record after the other: fields, facts
 *   fields  = (field u8, value)*
 *   facts   = (key: string, size, value)*
 *   value   = varint (x << 3 | type):  0 null | 1 integer, x zigzag | 2 string x | 3 list of x
 * values | 4 object of x (field u8, value) | 5 x bytes, no text | 6 integer, 8 bytes follow | 7 x
 * bytes, text
 *
 * Numbers are little endian. Names of kinds, fields and lanes stand in the header, in the order of
 * their numbers, so that a page reads what another version wrote as far as it goes. The header also
 * has what the page must not repeat: the sentences of narrate.c.
 *
 * A block is deflated by itself and says which strings are new in it, so whatever begins the file
 * up to the end of a block can be read, and a block is either whole or refused. Blocks are of 4,096
 * records: that is what a torn file loses at most. Why columns: alike stands beside alike, which
 * compresses to half of what rows do. Thread: any, one at a time for one trace (and one packing).
 * Memory: the caller owns what is returned.
 *
 * A trace that grows (kcsim play) is told to a page bit by bit; schema kcsim.growth/1:
 *
 *   file    = "kcsim.growth/1\n" | frame of the header | a frame a block | a u32 0
 *   header  = {version, from, records, finished, meta, lanes}: keep the records up to `from`, what
 *             follows is behind them; meta 1: the first block is record 1 alone, in place of the
 * one that the page has
 *
 * Names keep their numbers from one growth to the next, and from one trace to the one that takes
 * its place (an act, an undo): a page says how many records and how many names it has, and is told
 * the rest. So any number of pages may be anywhere, and nothing is kept about them. A block ends
 * where a whole file has one end, too; but many small ones may stand in the place of a large one.
 */
#ifndef UI_PACKED_H
#define UI_PACKED_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "sim/trace.h"

#define UI_PACKED_SCHEMA "kcsim.report/1"
#define UI_GROWTH_SCHEMA "kcsim.growth/1"

struct ui_bytes {
    uint8_t *at;
    size_t size, capacity;
};

/* Appends; ends the process where memory is short. */
void ui_bytes_put(struct ui_bytes *bytes, const void *data, size_t size);

/* Appends a varint; a frame, which is `body` deflated, with its sizes. */
void ui_bytes_varint(struct ui_bytes *bytes, uint64_t value);
void ui_bytes_frame(struct ui_bytes *bytes, const struct ui_bytes *body);
/* Appends the u32 0 that ends the frames. */
void ui_bytes_end(struct ui_bytes *bytes);
/* Prints a text as JSON. */
void ui_print_json(FILE *out, const char *text);

/* Packs all records of `trace` (borrowed, SIM_TRACE_KEEP) behind what `out` has. remark: a sentence
   on what is missing or inferred, shown with the trace; NULL: none. */
void ui_packed_write(const struct sim_trace *trace, const char *remark, struct ui_bytes *out);

/* ---- a trace that grows ---- */

/* The numbers that names have been given. */
struct ui_packing; /* opaque */

/* Owned; free with ui_packing_free (NULL is fine). */
struct ui_packing *ui_packing_new(void);
void ui_packing_free(struct ui_packing *packing);
/* Returns how many names have numbers: no page has more. */
uint32_t ui_packing_strings(const struct ui_packing *packing);

/* What a page has: the first `records` of the trace, and the first `strings` names; at most what
   there is (asserted). meta: it lacks record 1 as it is now. */
struct ui_packed_from {
    uint64_t records;
    uint32_t strings;
    bool meta;
};

/* As ui_packed_write, with names that keep their numbers. */
void ui_packing_write(struct ui_packing *packing, const struct sim_trace *trace,
                      struct ui_bytes *out);
/* Packs what the page lacks, behind what `out` has. version: is told to the page. Costs what is
   packed, however long the trace is. */
void ui_packing_write_since(struct ui_packing *packing, const struct sim_trace *trace,
                            const struct ui_packed_from *from, uint64_t version,
                            struct ui_bytes *out);

#endif
