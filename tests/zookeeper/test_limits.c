/*
 * Limits: each that is reached is named, nothing has changed (script.c checks the digest at every
 * LIMIT), and in a larger block the same input goes through.
 */
#include <check.h>
#include <stdlib.h>

#include "script.h"

static struct script *s;
static struct kz_limits limits;

static void start(struct kz_limits l)
{
    limits = l;
    s = script_new(&limits);
    script_run(s, "connect 1");
}

static void tear_down(void)
{
    script_free(s);
}

START_TEST(nodes)
{
    start((struct kz_limits){.nodes = 3, .bytes = 1024, .watches = 1, .sessions = 2});
    play(s, "1 create /a\n1 multi create /b; create /c\n1 create /b\n1 create /c\n1 exists /b",
         "  1 <- create OK /a @2\n"
         "  LIMIT nodes\n"
         "  1 <- create OK /b @3\n"
         "  LIMIT nodes\n"
         "  1 <- exists OK @3\n");
    ck_assert_str_eq(kz_server_put_short_of(s->server, "/x", 0), "nodes");
    ck_assert_int_eq(kz_server_put(s->server, "/x", NULL, 0, NULL), SM_ERR_LIMIT);
    limits.nodes = 4;
    script_grow(s, &limits);
    play(s, "1 create /c\n1 children /",
         "  1 <- create OK /c @4\n  1 <- getChildren OK a b c @4\n");
}
END_TEST

START_TEST(bytes)
{
    start((struct kz_limits){.nodes = 9, .bytes = 64, .watches = 1, .sessions = 2});
    play(s,
         "1 create /a 12345678901234567890123456\n1 create /b 12345678901234567\n"
         "1 set /a 1234567890123456\n1 create /b 1234567\n1 create /c\n1 get /a",
         "  1 <- create OK /a @2\n"
         "  LIMIT bytes\n"
         "  1 <- setData OK @3\n"
         "  1 <- create OK /b @4\n"
         "  1 <- create OK /c @5\n"
         "  1 <- getData OK =1234567890123456 @5\n");
    ck_assert_str_eq(kz_server_put_short_of(s->server, "/x", 100), "bytes");
    limits.bytes = 200;
    script_grow(s, &limits);
    play(s, "1 create /d 12345678901234567890\n1 get /a",
         "  1 <- create OK /d @6\n"
         "  1 <- getData OK =1234567890123456 @6\n");
}
END_TEST

/* Goal: data that comes and goes does not use the arena up, however small it is. */
START_TEST(bytes_given_back_are_used_again)
{
    start((struct kz_limits){.nodes = 9, .bytes = 160, .watches = 1, .sessions = 2});
    script_run(s, "1 create /a 0\n1 create /b/x\n1 create /b a-bit-of-data");
    for (int i = 0; i < 500; i++) {
        script_run(s, i % 3 ? "1 set /a 12345678901234567890123456789012345678901234567890"
                            : "1 set /a 1234567890");
        ck_assert_int_eq(s->err, SM_ERR_OK);
        script_run(
            s, "1 create /a-name-longer-than-sixteen data\n1 delete /a-name-longer-than-sixteen");
        ck_assert_int_eq(s->err, SM_ERR_OK);
    }
    play(s, "1 get /b", "  1 <- getData OK =a-bit-of-data @1504\n");
}
END_TEST

START_TEST(watches)
{
    start((struct kz_limits){.nodes = 9, .bytes = 1024, .watches = 2, .sessions = 2});
    play(s,
         "1 exists! /a\n1 exists! /a\n1 children! /\n1 exists! /b\n1 exists /b\n1 create /a\n1 "
         "exists! /b",
         "  1 <- exists NONODE @1\n"
         "  1 <- exists NONODE @1\n"
         "  1 <- getChildren OK @1\n"
         "  LIMIT watches\n"
         "  1 <- exists NONODE @1\n"
         "  1 !! NodeCreated /a\n"
         "  1 !! NodeChildrenChanged /\n"
         "  1 <- create OK /a @2\n"
         "  1 <- exists NONODE @2\n");
    limits.watches = 5;
    script_grow(s, &limits);
    play(s, "1 exists! /c\n1 exists! /d\n1 create /b\n1 create /d",
         "  1 <- exists NONODE @2\n"
         "  1 <- exists NONODE @2\n"
         "  1 !! NodeCreated /b\n"
         "  1 <- create OK /b @3\n"
         "  1 !! NodeCreated /d\n"
         "  1 <- create OK /d @4\n");
}
END_TEST

START_TEST(sessions)
{
    start((struct kz_limits){.nodes = 9, .bytes = 1024, .watches = 2, .sessions = 2});
    play(s, "connect 2\nconnect 3\nclose 1\nconnect 3\nconnect 4",
         "  2 is session 2, timeout 6000 ms\n"
         "  LIMIT sessions\n"
         "  1 closed\n"
         "  3 is session 3, timeout 6000 ms\n"
         "  LIMIT sessions\n");
    limits.sessions = 3;
    script_grow(s, &limits);
    play(s, "connect 4\n2 sync /\n3 sync /",
         "  4 is session 4, timeout 6000 ms\n"
         "  2 <- sync OK / @5\n"
         "  3 <- sync OK / @5\n");
}
END_TEST

START_TEST(history)
{
    start((struct kz_limits){.nodes = 9, .bytes = 1024, .watches = 2, .sessions = 2, .history = 2});
    script_run(s, "connect 2\n1 create /a 0\n2 sync /\nlag 2 3");
    play(s, "1 set /a 1\n1 set /a 2\n1 set /a 3\n2 get /a\nclose 1",
         "  1 <- setData OK @4\n"
         "  1 <- setData OK @5\n"
         "  LIMIT history\n"
         "  2 <- getData OK =0 @3\n"
         "  1 closed\n");
    limits.history = 3;
    script_grow(s, &limits);
    play(s, "connect 1\n1 set /a 3\n2 get /a\nlag 2 6\n2 get /a\n1 set /a 4\nlag 2 0\n2 get /a",
         "  1 is session 3, timeout 6000 ms\n"
         "  1 <- setData OK @8\n"
         "  2 <- getData OK =0 @3\n"
         "  2 <- getData OK =2 @6\n"
         "  1 <- setData OK @9\n"
         "  2 <- getData OK =4 @9\n");
}
END_TEST

START_TEST(without_history_nothing_lags)
{
    start((struct kz_limits){.nodes = 9, .bytes = 1024, .watches = 2, .sessions = 2});
    play(s, "1 create /a 0\nconnect 2\nlag 2 1\n1 set /a 1\n2 get /a",
         "  1 <- create OK /a @2\n"
         "  2 is session 2, timeout 6000 ms\n"
         "  1 <- setData OK @4\n"
         "  2 <- getData OK =1 @4\n");
}
END_TEST

START_TEST(scratch)
{
    start((struct kz_limits){.nodes = 9, .bytes = 2048, .watches = 2, .sessions = 2});
    script_run(s, "1 create /a 0123456789012345678901234567890123456789\n1 create /a/b");
    s->scratch_size = 128;
    play(s, "1 get! /a\n1 children /a\n1 exists /a\n1 multi set /a 1; set /a 2\n1 delete /a/b",
         "  LIMIT scratch\n"
         "  1 <- getChildren OK b @3\n"
         "  1 <- exists OK @3\n"
         "  LIMIT scratch\n"
         "  LIMIT scratch\n");
    s->scratch_size = 1024;
    play(s, "1 get /a\n1 multi set /a 1; set /a 2\n1 delete /a/b",
         "  1 <- getData OK =0123456789012345678901234567890123456789 @3\n"
         "  1 <- OK: setData OK setData OK @4\n"
         "  1 <- delete OK @5\n");
}
END_TEST

static Suite *suite(void)
{
    Suite *suite = suite_create("zookeeper limits");
    TCase *tc = tcase_create("limits");
    tcase_add_checked_fixture(tc, NULL, tear_down);
    tcase_add_test(tc, nodes);
    tcase_add_test(tc, bytes);
    tcase_add_test(tc, bytes_given_back_are_used_again);
    tcase_add_test(tc, watches);
    tcase_add_test(tc, sessions);
    tcase_add_test(tc, history);
    tcase_add_test(tc, without_history_nothing_lags);
    tcase_add_test(tc, scratch);
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
