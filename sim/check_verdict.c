/*
 * From violations to a verdict: expected, known, or unexplained.
 */
#include <stddef.h>

#include "sim/verdict.h"

static bool is_expected(const struct sim_scenario *s, enum sim_check check)
{
    for (uint32_t i = 0; i < s->expect_count; i++)
        if (s->expect[i].subject == SIM_SUBJECT_CHECK && s->expect[i].modality == SIM_NEVER &&
            s->expect[i].check == (int32_t)check)
            return true;
    return false;
}

bool sim_result_is_violated(const struct sim_result *r)
{
    for (int i = 0; r->checked != NULL && i < SIM_CHECK_END; i++)
        if (r->checked->violations[i].count != 0 && !is_expected(r->scenario, (enum sim_check)i))
            return true;
    return false;
}

void sim_result_explain(struct sim_result *r, bool names)
{
    struct sim_inquest *inquest = sim_inquest_new(r->scenario, r->seed, r->end_us);
    for (int i = 0; r->checked != NULL && i < SIM_CHECK_END; i++) {
        enum sim_check check = (enum sim_check)i;
        if (r->checked->violations[i].count == 0 || is_expected(r->scenario, check))
            continue;
        struct sim_blame blame = {0};
        if (names)
            blame = sim_inquest_blame(inquest, check);
        else if (sim_inquest_is_known(inquest, check))
            blame.defects = r->scenario->profile.defects;
        if (blame.defects != 0)
            r->known[r->known_count++] = (struct sim_known){.check = check, .blame = blame};
        else if (r->violated == NULL || check == r->checked->first)
            r->violated = sim_check_name(check);
    }
    sim_inquest_free(inquest);
}
