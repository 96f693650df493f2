/*
 * The image of a world: all of its state at one moment, put aside, to be compared and put back.
 *
 *     world ──copy──► image ──restore──► the same world, as it was
 *       │ runs on       │ stays as it is
 *
 * What an explorer and `branch` stand on: go one way, put the moment back, go another way. The
 * world runs at its own place in memory only (its state has pointers), so an image is given back to
 * the world of which it was made, as often as one likes; two futures of one moment are played one
 * after the other, not side by side. A restored world does byte for byte what it did after the
 * copy, its trace included. sim/README.md ("Copies") says why it is built so.
 *
 * Cost: a digest hashes what is small (messages, links, processes, the heads of everything) and the
 * blocks that were stepped since the last look; a copy takes the pieces of 2 KiB that this image
 * does not have yet, and restoring puts back those that differ. So an image that is used again is
 * cheaper than a new one, and copy and digest of one moment share the looking. bench/README.md has
 * numbers.
 */
#ifndef SIM_IMAGE_H
#define SIM_IMAGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct sim_image; /* opaque */
struct sim_world;

struct sim_image *sim_image_new(void);        /* returns owned, empty */
void sim_image_free(struct sim_image *image); /* NULL is fine */
/* Returns the bytes that it holds of its world. */
size_t sim_image_size(const struct sim_image *image);

/* Makes `image` one of the world now; whatever it held goes. The world must have been made with
   sim_world_options.copies, and not be within a step. */
void sim_world_copy(struct sim_world *w, struct sim_image *image);
/* Makes the world what it was when the image was made of it. Pointers that the world has handed out
   since then (views, replies, results of checks) are no good any more. */
void sim_world_restore(struct sim_world *w, const struct sim_image *image);

/*
 * Returns a hash of the whole state: blocks, queues, messages under way, books of clients and
 * checks, the trace where the world has one. The world must have been made with
 * sim_world_options.copies.
 *
 * Equal digests of two moments of one world: the states are the same bytes (but for a chance of
 * 2^-64), and so are their futures. Different ones may still mean the same to a cluster: the
 * numbers of events, records and zxids, counts of what has happened, and the order in which memory
 * was handed out and came back are part of it. A digest says nothing about another world or another
 * run of the program, for addresses are part of it, too.
 */
uint64_t sim_world_digest(struct sim_world *w);
/* Returns whether each block that has changed was told to have; a mistake in the world if not.
   Reads all of it: for tests. */
bool sim_world_is_told(const struct sim_world *w);

#endif
