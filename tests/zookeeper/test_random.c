/*
 * Random inputs of every kind, with kz_server_check after each (script.c).
 *
 * Two servers get the same: one in a block that is large from the start, one in a block of almost
 * no size that is grown each time a limit is named. They must say the same and have the same
 * digest, so that neither slots, nor capacities, nor slides of the arena, nor a refused step show.
 */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "script.h"

enum { STEPS = 3000, CONNS = 4, SEEDS = 25 };

static uint64_t state;

static int below(int n)
{
    uint64_t z = (state += 0x9e3779b97f4a7c15ull);
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ull;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebull;
    return (int)((z ^ (z >> 31)) % (uint64_t)n);
}

static const char *draw_path(void)
{
    static const char *const paths[] = {"/a/x",
                                        "/a",
                                        "/b",
                                        "/a/y",
                                        "/b/x",
                                        "/a/x/p",
                                        "/c",
                                        "/a/s-0000000002",
                                        "/a/s-0000000004",
                                        "/a/a-name-longer-than-sixteen",
                                        "/b/another-name-longer-than-sixteen",
                                        "/"};
    static const int widths[] = {2, 3, 5, 12};
    return paths[below(widths[below(4)])];
}

static const char *draw_data(void)
{
    static const char *const data[] = {"-", "\"\"", "x", "12345678", "a-longer-piece-of-data-0123"};
    return data[below(5)];
}

static void write_op(char *to)
{
    static const char *const creates[] = {"create", "create", "create:e", "create:s", "create:es"};
    int create = below(5);
    switch (below(6)) {
    case 0:
    case 1:
    case 2:
        sprintf(to, "%s %s %s", creates[create], create > 2 ? "/a/s-" : draw_path(), draw_data());
        return;
    case 3:
        sprintf(to, "delete %s%s", draw_path(), below(3) ? "" : " 1");
        return;
    default:
        sprintf(to, "set %s %s%s", draw_path(), draw_data(), below(3) ? "" : " 1");
        return;
    }
}

static void write_request(char *to)
{
    static const char *const reads[] = {"get", "exists", "children", "stat"};
    char op[256];
    to += sprintf(to, "%d ", 1 + below(CONNS));
    if (below(2)) {
        int read = below(4);
        sprintf(to, "%s%s %s", reads[read], read < 3 && below(3) ? "!" : "", draw_path());
        return;
    }
    if (below(4)) {
        write_op(to);
        return;
    }
    to += sprintf(to, "multi ");
    for (int n = below(4); n >= 0; n--) {
        write_op(op);
        to += sprintf(to, "%s; ", op);
    }
}

static void write_fault(char *to, int conn, int session)
{
    switch (below(16)) {
    case 0:
        sprintf(to, below(3) ? "disconnect %d" : "quorum lost", conn);
        return;
    case 1:
        sprintf(to, "expire %d", session);
        return;
    case 2:
        sprintf(to, "close %d", conn);
        return;
    case 3:
    case 4:
    case 5:
        sprintf(to, "disconnect %d", conn);
        return;
    case 6:
    case 7:
    case 8:
        sprintf(to, "lag %d", conn);
        return;
    case 9:
    case 10:
    case 11:
    case 12:
        sprintf(to, "lag %d 99999999999999", conn);
        return;
    default:
        sprintf(to, "lost %d %s %d %s", session, below(2) ? "event" : "reply", 1 << below(3),
                draw_path());
        return;
    }
}

/* Time goes on by itself. Sessions are numbered as they come; `newest` is the last so far. */
static void write_line(char *to, int *now_ms, int newest)
{
    int conn = 1 + below(CONNS), session = newest > 5 ? newest - below(5) : 1 + below(newest + 1);
    *now_ms += below(100);
    to += sprintf(to, "at %d\n", *now_ms);
    switch (below(24)) {
    case 0:
        sprintf(to, "connect %d %d", conn, 4000 + below(9000));
        return;
    case 1:
    case 2:
        sprintf(to, below(2) ? "reconnect %d %d" : "reconnect %d %d %d", conn, session, below(60));
        return;
    case 3:
    case 4:
        write_fault(to, conn, session);
        return;
    case 5:
        sprintf(to, "%s", below(3) ? "tick" : "quorum regained");
        return;
    case 6:
        sprintf(to, "ping %d", conn);
        return;
    default:
        write_request(to);
        return;
    }
}

static const char *const beginning[] = {"connect 1 9000", "connect 2 9000", "connect 3 9000",
                                        "connect 4 9000", "1 create /a x",  "2 create /a/x",
                                        "2 create:e /b",  "3 children! /a"};
enum { BEGINNING = sizeof beginning / sizeof beginning[0] };

static int newest_session(const char *said, int newest)
{
    const char *at = strstr(said, " is session ");
    int session = at == NULL ? 0 : atoi(at + 12);
    return session > newest ? session : newest;
}

static void grow_named(struct script *s, struct kz_limits *l)
{
    const struct {
        const char *name;
        uint32_t *limit;
        uint32_t by;
    } fields[] = {{"nodes", &l->nodes, 1},
                  {"bytes", &l->bytes, 40},
                  {"watches", &l->watches, 1},
                  {"sessions", &l->sessions, 1},
                  {"history", &l->history, 1}};
    for (int i = 0; i < 5; i++)
        if (strcmp(fields[i].name, s->short_of) == 0)
            *fields[i].limit += fields[i].by;
    script_grow(s, l);
}

START_TEST(neither_size_nor_growth_shows)
{
    struct kz_limits wide = {
        .nodes = 200, .bytes = 1 << 16, .watches = 200, .sessions = 60, .history = 9000};
    struct kz_limits narrow = {.nodes = 1, .bytes = 0, .watches = 0, .sessions = 0, .history = 1};
    struct script *a = script_new(&wide), *b = script_new(&narrow);
    char line[4096];
    int now_ms = 0, newest = 0, told = 0;
    state = (uint64_t)_i + 1;
    for (int i = 0; i < STEPS; i++) {
        if (i < BEGINNING)
            strcpy(line, beginning[i]);
        else
            write_line(line, &now_ms, newest);
        const char *said = script_run(a, line);
        const char *other = script_run(b, line);
        for (int tries = 0; b->err == SM_ERR_LIMIT; tries++) {
            ck_assert_int_lt(tries, 1000);
            grow_named(b, &narrow);
            other = script_run(b, line);
        }
        newest = newest_session(said, newest);
        told += strstr(said, "!!") != NULL;
        ck_assert_int_eq(a->err, SM_ERR_OK);
        ck_assert_msg(strcmp(said, other) == 0, "%s\nwide:\n%snarrow:\n%s", line, said, other);
        ck_assert_uint_eq(kz_server_digest(a->server), kz_server_digest(b->server));
    }
    ck_assert_int_gt(told, 20); /* or the inputs do nothing */
    script_free(a);
    script_free(b);
}
END_TEST

START_TEST(a_copy_of_the_bytes_is_the_server)
{
    struct script *s = script_default();
    script_run(s, "connect 1\n1 create /a x\n1 get! /a\n1 create:e /e");
    size_t size = kz_server_size(kz_server_limits(s->server));
    struct kz_server *copy = malloc(size), *original = s->server;
    memcpy(copy, original, size);
    script_run(s, "1 set /a y\nclose 1");
    memset(original, 0x5a, size);
    s->server = copy;
    play(s, "1 set /a y\nclose 1", "  1 !! NodeDataChanged /a\n  1 <- setData OK @4\n  1 closed\n");
    s->server = original;
    free(copy);
    script_free(s);
}
END_TEST

/* Goal: which slots are used depends on the order of operations inside a multi; what a client sees
   does not. */
START_TEST(the_digest_does_not_tell_slots)
{
    struct script *a = script_default(), *b = script_default();
    script_run(a, "connect 1\nconnect 2\n1 multi create /a x; create /b y; create /c z");
    script_run(b, "connect 1\nconnect 2\n1 multi create /c z; create /a x; create /b y");
    script_run(a,
               "1 multi delete /a; delete /b; create /d q; create /e r\n1 get! /d\n1 exists! /k");
    script_run(b,
               "1 multi delete /b; delete /a; create /e r; create /d q\n1 exists! /k\n1 get! /d");
    ck_assert_uint_eq(kz_server_digest(a->server), kz_server_digest(b->server));
    script_run(b, "1 set /d q");
    script_run(a, "1 set /d q2");
    ck_assert_uint_ne(kz_server_digest(a->server), kz_server_digest(b->server));
    script_free(a);
    script_free(b);
}
END_TEST

static Suite *suite(void)
{
    Suite *suite = suite_create("zookeeper random");
    TCase *tc = tcase_create("random");
    tcase_set_timeout(tc, 120);
    tcase_add_loop_test(tc, neither_size_nor_growth_shows, 0, SEEDS);
    tcase_add_test(tc, a_copy_of_the_bytes_is_the_server);
    tcase_add_test(tc, the_digest_does_not_tell_slots);
    suite_add_tcase(suite, tc);
    return suite;
}

int main(void)
{
    SRunner *runner = srunner_create(suite());
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
