/*
 * The blocks of a node: made, grown by copy, freed.
 *
 * Source: none; see controller/controller.h, node/session.h on limits.
 */
#ifndef LIVE_BLOCKS_H
#define LIVE_BLOCKS_H

#include <stdbool.h>

#include "live/settings.h"
#include "node/node.h"

/* Makes the blocks and initialises the node over them. notes: bits of enum kc_notes. seed: of what
   the broker part draws by chance. */
void live_blocks_make(struct kn_node *n, struct live_settings *settings,
                      const struct sm_broker *registration, uint32_t notes, uint64_t seed);
/* Doubles the limit, or makes the scratch memory hold scratch_needed bytes; false where it may not
   grow further. */
bool live_block_grow(struct kn_node *n, enum kn_block block, const char *short_of,
                     size_t scratch_needed);
void live_blocks_free(struct kn_node *n);

#endif
