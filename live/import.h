/*
 * Reading a running ZooKeeper whole, as a dump.
 *
 * A connection of its own reads every znode, children before data, and never writes. The cluster
 * goes on meanwhile, so the picture is not of one instant: a znode that goes away between being
 * listed and being read is left out. What scenarios do not need and others should not see stays
 * behind: data under /config/users and /delegation_token (credentials) become null.
 *
 * Thread: the ZooKeeper client brings its own; callers see a plain blocking call.
 */
#ifndef LIVE_IMPORT_H
#define LIVE_IMPORT_H

#include "sim/diagnostics.h"
#include "sim/dump.h"

/* Connects to `hosts` ("127.0.0.1:2181", several with commas, a chroot behind a slash) within
   `timeout_ms`, reads all znodes and closes the session. Returns an owned dump, or NULL with an
   error in `d`. */
struct sim_dump *live_import(const char *hosts, int timeout_ms, struct sim_diagnostics *d);

#endif
