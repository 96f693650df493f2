/*
 * Tests as scripts: lines of inputs go in, a trace of outputs comes out and is compared as text.
 *
 *   connect 1          a new session over connection 1       reconnect 2 1 [zxid]   session 1 over
 * 2 disconnect 1   close 1   ping 1   lag 1 ZXID             expire 1   quorum lost|regained at MS
 * time moves on, nobody is told         tick       KZ_IN_TICK lost 1 event|reply WATCHES PATH of
 * session 1 1 create[:es] PATH [DATA]    DATA: word, - for null, "" for empty 1 delete PATH
 * [VERSION]      1 set PATH DATA [VERSION] 1 get[!] PATH   1 exists[!] PATH   1 children[!] PATH !
 * watches 1 stat PATH                  an exists whose stat is shown 1 sync PATH                  1
 * multi create /a x; check /b 3; ...
 *
 * Every step is followed by kz_server_check.
 */
#ifndef TESTS_ZOOKEEPER_SCRIPT_H
#define TESTS_ZOOKEEPER_SCRIPT_H

#include "zookeeper/server.h"

struct script {
    struct kz_server *server;
    int64_t now_us;
    uint64_t passwords[64]; /* by session */
    bool shows_applied;
    bool shows_stat; /* of the request being run */
    size_t scratch_size;
    enum sm_err err; /* of the last step, and what was short */
    const char *short_of;
    char out[1 << 16];
    size_t out_size;
};

struct script *script_new(const struct kz_limits *limits);
struct script *script_default(void);
void script_free(struct script *s);
/* Runs the lines; returns the trace since the last call. */
const char *script_run(struct script *s, const char *lines);
/* Gives the server a larger block. */
void script_grow(struct script *s, const struct kz_limits *limits);

/* Runs the lines and compares the trace, which every line of `expected` ends with a newline. */
#define play(s, lines, expected) ck_assert_str_eq(script_run(s, lines), expected)

#endif
