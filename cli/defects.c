/*
 * The defects, printed from their table (statemachine/defect.h): one as text, all as
 * docs/defects.md.
 *
 * Scenarios are found by name: scenarios/defects/NAME-on.yaml and -off.yaml. That they are there is
 * looked after by tests/cli/defects.sh, together with the document.
 */
#include "cli/defects.h"

#include <stdio.h>

void cli_print_defect(const struct sm_profile *profile, enum sm_defect defect)
{
    const char *check = sm_defect_check(defect);
    printf("%s (%s in %s; Kafka %s)\n    %s\n", sm_defect_jira(defect),
           sm_defect_on(profile, defect) ? "on" : "off", sm_version_name(profile->version),
           sm_defect_versions(defect), sm_defect_text(defect));
    if (check[0] != '\0')
        printf("    breaks %s\n", check);
}

void cli_print_defects(const struct sm_profile *profile)
{
    printf(
        "Defects that Kafka has had, each a switch (defects: {NAME: on|off} in a scenario).\n\n");
    for (enum sm_defect d = 0; d < SM_DEFECT_END; d++)
        cli_print_defect(profile, d);
}

static const char head[] =
    "# Defects of Kafka, as switches\n"
    "\n"
    "Printed by `kcsim explain defects --format markdown`; do not edit.\n"
    "\n"
    "Each row is a mistake that some Kafka has made. A scenario switches it with\n"
    "`defects: {NAME: on}`; it then does what Kafka did before the repair, at the place of the "
    "repair,\n"
    "and nothing else. Profile `2.8` has those on that Kafka 2.8.2 has, `2.8-fixed` none of them, "
    "`0.9`\n"
    "and `0.8.2` those of their time whose code they share with 2.8 (the rest of their ways are "
    "rules:\n"
    "`kcsim explain versions`).\n"
    "\n"
    "Of each there are two scenarios, `scenarios/defects/NAME-on.yaml` and `NAME-off.yaml`: the "
    "same\n"
    "story with the defect and without it. \"Breaks\" is the check that sees it (`kcsim explain "
    "checks`);\n"
    "where there is none, an expectation of the scenario does. \"Id\" is the number in the "
    "project's\n"
    "catalogue: M of a mutant, S of a story, C of a curiosity that was first seen when 2.8.2 was\n"
    "recorded. Releases are first..last, both included; nothing behind the dots: still there; "
    "`-dev`:\n"
    "repaired before the release.\n"
    "\n"
    "| name | id | releases | in 2.8 | layer | what goes wrong | breaks |\n"
    "|---|---|---|:---:|---|---|---|\n";

static const char tail[] = "\n"
                           "## What is not here\n"
                           "\n"
                           "* M5, KAFKA-5879: an ISR change notification handled from the list of "
                           "znodes that the watch brought,\n"
                           "  and not from a fresh one. Reading a list twice and a deleted znode "
                           "in vain is all that it did; the\n"
                           "  controller here has no list before its event is taken up.\n"
                           "* M20, KAFKA-6879 and KAFKA-4360: a deadlock between a session's "
                           "callback and the controller's lock.\n"
                           "  Steps have no locks.\n"
                           "* M24, the first try of KIP-320: it was a model and never a release.\n";

void cli_print_defects_markdown(void)
{
    struct sm_profile kafka = sm_profile_of(SM_VERSION_2_8);
    fputs(head, stdout);
    for (enum sm_defect d = 0; d < SM_DEFECT_END; d++)
        printf("| %s | %s | %s | %s | %s | %s | %s |\n", sm_defect_jira(d), sm_defect_ids(d),
               sm_defect_versions(d), sm_defect_on(&kafka, d) ? "yes" : "", sm_defect_layer(d),
               sm_defect_text(d), sm_defect_check(d));
    fputs(tail, stdout);
}
