/*
 * A live run as a page, on loopback: the report that grows, and what the page asks to be done.
 *
 *     GET  /                the page (ui/page.h); it reads the rest by itself
 *     GET  /events          state, whenever it has changed (server-sent events)
 *     GET  /growth?version=V&records=N&strings=S
 *                           what a page lacks that has so much (cli/live_trace.h)
 *     GET  /trace           all records so far, packed (ui/packed.h)
 *     GET  /trace.ndjson    the same, as `kcsim run --trace` writes them
 *     GET  /scenario.yaml   the scenario with what was done
 *     POST /do              {"do": "play" | "pause" | "step" | "undo"}, {"do": "speed", "value":
 * 10},
 *                           {"do": "act", "step": "kill: 3"}: answers with the state, or with
 *                           {"error": …} where it cannot be done
 *
 * The state is {run, news, records, version, now, playing, speed, over, stuck, seed, acts}:
 * `version` counts the times that the records became others (an act, an undo), `run` is another one
 * at each start of a server; of two states that with the higher `news` is the newer one.
 *
 * Only loopback is listened on, and only requests for it are answered: the Host header must name
 * it, an Origin header, where there is one, too; so no page of somebody else's, and no name that
 * was bent to 127.0.0.1, gets at it. Connections, the size of a request and of an answer are
 * limited.
 *
 * Threads: the server's own, one a connection, and the caller's, which passes the time; a lock
 * keeps them apart.
 */
#ifndef CLI_LIVE_PAGE_H
#define CLI_LIVE_PAGE_H

#include <stdbool.h>
#include <stdint.h>

#include "cli/live_run.h"

struct cli_live_page; /* opaque */

/* Serves `run` (borrowed until closed) on 127.0.0.1; port 0: any that is free. Returns NULL where
   that cannot be, errno says why. */
struct cli_live_page *cli_live_page_open(struct cli_live_run *run, uint16_t port);
uint16_t cli_live_page_port(const struct cli_live_page *page);
/* Lets `elapsed_us` of real time pass: while it plays, virtual time goes on by that much times the
   speed. Tells the pages that watch. */
void cli_live_page_pass(struct cli_live_page *page, int64_t elapsed_us);
/* Ends all connections and the server's threads. */
void cli_live_page_close(struct cli_live_page *page);

#endif
