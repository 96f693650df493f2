/*
 * An answer of the live page's server: made under its lock, sent without it (the library has locks
 * of its own, under which it asks for events). Internal to the live page.
 */
#ifndef CLI_LIVE_REPLY_H
#define CLI_LIVE_REPLY_H

#include <stddef.h>
#include <stdio.h>

#include <microhttpd.h>

struct cli_live_reply {
    unsigned status; /* of HTTP */
    const char *type;
    char *text; /* owned */
    size_t size;
};

/* 200 with `text`, which it owns from here (malloc; aborts on NULL). */
struct cli_live_reply cli_live_reply_text(const char *type, char *text);
/* {"error": why} */
struct cli_live_reply cli_live_reply_refusal(unsigned status, const char *why);
/* A stream into the text of `r`: whole once it is closed. */
FILE *cli_live_reply_write(struct cli_live_reply *r);
/* Sends it, and owns it. */
enum MHD_Result cli_live_reply_send(struct MHD_Connection *connection, struct cli_live_reply reply);

#endif
