/*
 * Which known defect is it? A run that violated a check is played again with some of its defects
 * switched off; a defect whose absence heals the check is named.
 *
 *     run with all defects   r1 r2 r3 r4 r5 … violation
 *     the same, D off        r1 r2 r3 x4 x5 … none            D explains it, and first acts at r4
 *
 * Both runs have the same records up to the first step in which the defect acts, for nothing else
 * differs between them; where they never differ the defect did nothing and explains nothing. The
 * search begins with all defects off and halves what is off for as long as the check stays healed;
 * where neither half alone heals it, they are switched on again one by one: what is left off are
 * the defects that only together explain it.
 */
#ifndef SIM_CHECK_BLAME_H
#define SIM_CHECK_BLAME_H

#include <stdbool.h>
#include <stdint.h>

#include "sim/check.h"
#include "sim/scenario.h"

struct sim_blame {
    uint64_t defects; /* bits of enum sm_defect, 0: nothing explains it */
    uint64_t record;  /* first that differs where they are off, 0: without a trace */
};

/* Whether a run with just those defects on is healed; *record is where it begins to differ from the
   run with all of them, 0 where nothing is known of that. */
typedef bool sim_heals(void *context, uint64_t defects, uint64_t *record);

/* Looks for what explains that the run with the defects `on` is ill: first within `suspects` (0:
   there are none), then for one defect, then for several that only together explain it. */
struct sim_blame sim_blame_search(uint64_t on, uint64_t suspects, sim_heals *heals, void *context);

/* Plays `scenario` with `seed` to `end_us` (the time at which the violated run ended), with fewer
   defects: a dozen times, twice as often as it has defects at worst. */
struct sim_blame sim_check_blame(const struct sim_scenario *scenario, uint64_t seed, int64_t end_us,
                                 enum sim_check check);

/* Writes "KAFKA-9672" or "KAFKA-9672 and KAFKA-2300"; returns `out`. */
const char *sim_blame_text(char *out, size_t capacity, const struct sim_blame *blame);

#endif
