/*
 * What `kcsim explain` says of defects.
 */
#ifndef CLI_DEFECTS_H
#define CLI_DEFECTS_H

#include "statemachine/profile.h"

/* Prints one defect, as `profile` has it, to standard output. */
void cli_print_defect(const struct sm_profile *profile, enum sm_defect defect);

/* Prints all of them. */
void cli_print_defects(const struct sm_profile *profile);

/* Prints docs/defects.md. */
void cli_print_defects_markdown(void);

#endif
