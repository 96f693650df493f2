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
    "Each row is a mistake that some Kafka has made. A scenario switches it with `defects:\n"
    "{NAME: on}`; it then does what Kafka did before the repair, at the place of the repair,\n"
    "and nothing else. Profile `2.8` has those on that Kafka 2.8.2 has, `2.8-fixed` none of\n"
    "them, `0.9` and `0.8.2` those of their time whose code they share with 2.8 (the rest of\n"
    "their ways are rules: `kcsim explain versions`).\n"
    "\n"
    "Of each there are two scenarios, `scenarios/defects/NAME-on.yaml` and `NAME-off.yaml`:\n"
    "the same story with the defect and without it. \"Breaks\" is the check that sees it\n"
    "(`kcsim explain checks`); where there is none, an expectation of the scenario does. \"Id\"\n"
    "is the number in the project's catalogue: M of a mutant, S of a story, C of a curiosity\n"
    "that was first seen when 2.8.2 was recorded. Releases are first..last, both included;\n"
    "nothing behind the dots: still there; `-dev`: repaired before the release.\n"
    "\n"
    "| name | id | releases | in 2.8 | layer | what goes wrong | breaks |\n"
    "|---|---|---|:---:|---|---|---|\n";

static const char tail[] =
    "## What is not here\n"
    "\n"
    "* M20, KAFKA-6879 and KAFKA-4360: a deadlock between a session's callback and the\n"
    "  controller's lock. Steps have no locks.\n"
    "\n"
    "M21 to M24 are the four flawed truncation rules of the TLA+ models of Kafka's\n"
    "replication (Jason Gustafson, kafka-specification): high watermark, KIP-101, KIP-279,\n"
    "and the first try of KIP-320, which was a model and never a release. A fetch then says\n"
    "which epoch wrote the record before it (in the field of the current epoch), and\n"
    "FENCED_LEADER_EPOCH stands for the error that asks for truncation.\n";

void cli_print_defects_markdown(void)
{
    struct sm_profile kafka = sm_profile_of(SM_VERSION_2_8);
    fputs(head, stdout);
    for (enum sm_defect d = 0; d < SM_DEFECT_END; d++)
        printf("| %s | %s | %s | %s | %s | %s | %s |\n", sm_defect_jira(d), sm_defect_ids(d),
               sm_defect_versions(d), sm_defect_on(&kafka, d) ? "yes" : "", sm_defect_layer(d),
               sm_defect_text(d), sm_defect_check(d));
    puts("");
    fputs(tail, stdout);
}
