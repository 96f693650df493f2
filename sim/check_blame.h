/*
 * Which known defect is it? A run that violated a check is played again with some of its defects
 * switched off; a defect whose absence heals the check is named.
 *
 *     run with all defects   r1 r2 r3 r4 r5 … violation
 *     the same, D off        r1 r2 r3 x4 x5 … none            D explains it, and first acts at r4
 *
 * Both runs have the same records up to the first step in which the defect acts, for nothing else
 * differs between them; where they never differ the defect did nothing and explains nothing. The
 * search begins with the two that explain most of what campaigns of 2.8.2 find. Then all defects are
 * off, and what is off is halved for as long as the check stays healed; where neither half alone
 * heals it, they are switched on again one by one: what is left off are the defects that only
 * together explain it.
 *
 * The answer depends on nothing but the run. What makes it cheap does not change it: a replay ends as
 * soon as it is known to be ill, and the searches for the checks of one run, which begin with the same
 * halves, share their replays (struct sim_inquest).
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

/* The searches of one run: of `scenario` with `seed`, which ended at `end_us`. Borrows `scenario`;
   owned by the caller; one thread. Nothing is played before it is asked for. */
struct sim_inquest; /* opaque */
struct sim_inquest *sim_inquest_new(const struct sim_scenario *scenario, uint64_t seed,
                                    int64_t end_us);
void sim_inquest_free(struct sim_inquest *inquest);
/* Returns what explains that `check` was violated. Plays with fewer defects what no earlier question
   has played: a dozen times, twice as often as it has defects at worst. */
struct sim_blame sim_inquest_blame(struct sim_inquest *inquest, enum sim_check check);
/* Returns whether anything does, which one replay tells. */
bool sim_inquest_is_known(struct sim_inquest *inquest, enum sim_check check);

/* The same for one check alone. */
struct sim_blame sim_check_blame(const struct sim_scenario *scenario, uint64_t seed, int64_t end_us,
                                 enum sim_check check);

/* Writes "KAFKA-9672" or "KAFKA-9672 and KAFKA-2300"; returns `out`. */
const char *sim_blame_text(char *out, size_t capacity, const struct sim_blame *blame);

#endif
