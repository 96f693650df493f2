/*
 * Waiting until scenario files change: for `kcsim run --watch` and `kcsim test --watch`.
 *
 *     cli_watch_new ──► run once ──► cli_watch_wait ──► run again ──► …
 *
 * Folders are watched, not files: editors write a new file and rename it. A change between a run
 * and the wait for the next is not missed. Thread: one.
 */
#ifndef CLI_WATCH_H
#define CLI_WATCH_H

#include <stdbool.h>

struct cli_watch;

/* Begins to watch the files and folders of `names` (NULL-ended), folders with all below them.
   Returns owned, NULL after a message. Source: inotify(7). */
struct cli_watch *cli_watch_new(char *const *names);
void cli_watch_free(struct cli_watch *watch);

/* Waits for the next change and until none has come for 50 ms (an editor makes several). Returns
   false where the user has interrupted it. */
bool cli_watch_wait(struct cli_watch *watch);

#endif
