/*
 * Which subtask a record goes to by its key, for a batch at a time.
 *
 *     records ─► codes (Java's hashCode of the keys) ─► key groups ─► rings ─► picks of each ring
 *                                                                              0 3 4 9 …
 *
 * Each arrow is a loop without a branch that depends on the records, for half of those branches
 * would be guessed wrong. Where the processor has AVX2 the last three go eight records at a time,
 * with AVX-512 (route_wider.c) some sixteen; all ways give the same (tests/stream/test_route.c).
 *
 * Source: Flink KeyGroupStreamPartitioner, KeyGroupRangeAssignment.assignKeyToParallelOperator.
 */
#ifndef STREAM_ROUTE_H
#define STREAM_ROUTE_H

#include "stream/record.h"
#include "stream/table.h"

#define PICKS_MAX (BATCH_SIZE + 16) /* sixteen are written at a time */

struct router {
    struct key_reader reader;
    uint32_t ring_count, max_parallelism;
    uint32_t group_mask;  /* max_parallelism - 1 if that is a mask, else 0 */
    uint32_t group_shift; /* and then its logarithm */
    uint16_t *owner;      /* [max_parallelism] ring of a key group */
    bool wide;            /* the processor has what the fast way needs: AVX2 */
    bool wider;           /* and AVX-512 with VBMI2 */
    uint64_t bits[256]; /* the numbers of the bits that are set, a byte each, from the lowest on */
};

/* Keys of `spec` to ring_count subtasks, 1 … max_parallelism. `spec`'s type outlives the router. */
void router_init(struct router *r, const st_key_spec *spec, uint32_t ring_count,
                 uint32_t max_parallelism);
void router_free(struct router *r);
/* rings[k]: where record k goes, for count <= BATCH_SIZE records, `stride` bytes apart. Up to
 * sixteen values behind the last are written to as well. */
void router_choose(const struct router *r, const void *records, uint32_t stride, uint32_t count,
                   uint32_t rings[PICKS_MAX]);
/* The numbers of the records that go to `ring`, rising; returns how many. */
uint32_t router_pick(const struct router *r, const uint32_t rings[PICKS_MAX], uint32_t count,
                     uint32_t ring, uint16_t picks[PICKS_MAX]);
/* The timestamps of the same records, `picked` of them, behind each other to `to`, where seven more
 * may be written to. */
void router_pick_times(const struct router *r, const uint32_t rings[PICKS_MAX], uint32_t count,
                       uint32_t ring, const int64_t *times, const uint16_t *picks, uint32_t picked,
                       int64_t *to);
/* Copies the records of `picks`, in that order, behind each other to `to`. */
void router_gather(const struct router *r, void *to, const void *records, uint32_t size,
                   const uint16_t *picks, uint32_t count);
/* Can router_stream do it with records of this size? */
static inline bool router_streams(const struct router *r, uint32_t size)
{
    return r->wider && size == 24;
}
/* The same past the caches, to the beginning of a line, of as many eights of records as can be;
 * returns of how many records. */
uint32_t router_stream(const struct router *r, void *to, const void *records, const uint16_t *picks,
                       uint32_t count);

/* Are records three words, of which the key is one or begins one? */
static inline bool router_by_lines(size_t stride, size_t offset)
{
    return stride == 24 && offset % 8 == 0;
}

/* For route.c: the same with AVX-512, only where wider_is_usable. */
bool wider_is_usable(void);
uint32_t wider_pick(const uint32_t *rings, uint32_t count, uint32_t ring, uint16_t *picks);
void wider_pick_times(const uint32_t *rings, uint32_t count, uint32_t ring, const int64_t *times,
                      int64_t *to);
uint32_t wider_rings_of_numbers_24(const struct router *r, const char *records, uint32_t count,
                                   uint32_t *rings);
/* String.hashCode of as many eights of texts as there are, `stride` bytes apart; returns of how
 * many.
 */
uint32_t wider_codes_of_texts(const char *records, size_t stride, size_t offset, uint32_t count,
                              uint32_t *codes);
/* Records of 24 bytes. */
void wider_gather_24(char *to, const char *records, const uint16_t *picks, uint32_t count);
uint32_t wider_stream_24(char *to, const char *records, const uint16_t *picks, uint32_t count);

#endif
