/*
 * kcsim import FILE…, where the files are logs: reads them (gzip too), makes the trace, tells what
 * came of it.
 */
#ifndef CLI_IMPORT_LOGS_H
#define CLI_IMPORT_LOGS_H

#include <stdbool.h>
#include <stddef.h>

#include "sim/import.h"
#include "sim/verdict.h"

struct cli_import_logs {
    char **files;
    size_t count;
    const char *trace, *report; /* where to; NULL: not */
    bool unknown;               /* list the unknown lines */
    struct sim_import_options options;
};

/* Returns whether the file is a log, a transaction log, or one of these packed. false where it
   cannot be read, too: whoever opens it next says so. */
bool cli_import_is_log(const char *file);
/* Imports; messages go to stderr, what came of it to stdout. */
enum sim_exit cli_import_logs(const struct cli_import_logs *a);

/* Parses "UTC", "Z", "+02:00", "-0530"; false where it is no zone. */
bool cli_zone_parse(const char *text, int32_t *zone_s);

#endif
