/*
 * Watches: what fires, once, for whom and in which order. The README of zookeeper/ has the table.
 */
#include <check.h>
#include <stdlib.h>

#include "script.h"

static struct script *s;

static void set_up(void)
{
    s = script_default();
    script_run(s, "connect 1\nconnect 2\n1 create /a x");
}

static void tear_down(void)
{
    script_free(s);
}

START_TEST(an_event_comes_before_the_reply_that_reveals_it)
{
    play(s, "1 get! /a\n1 set /a y",
         "  1 <- getData OK =x @3\n"
         "  1 !! NodeDataChanged /a\n"
         "  1 <- setData OK @4\n");
}
END_TEST

START_TEST(a_watch_fires_once)
{
    play(s, "2 get! /a\n2 get! /a\n1 set /a y\n1 set /a z",
         "  2 <- getData OK =x @3\n"
         "  2 <- getData OK =x @3\n"
         "  2 !! NodeDataChanged /a\n"
         "  1 <- setData OK @4\n"
         "  1 <- setData OK @5\n");
}
END_TEST

START_TEST(exists_and_get_are_one_watch)
{
    play(s, "2 get! /a\n2 exists! /a\n1 set /a y",
         "  2 <- getData OK =x @3\n"
         "  2 <- exists OK @3\n"
         "  2 !! NodeDataChanged /a\n"
         "  1 <- setData OK @4\n");
}
END_TEST

START_TEST(only_exists_watches_what_is_not_there)
{
    play(s, "2 exists! /b\n2 get! /c\n2 children! /d\n1 create /b\n1 create /c\n1 create /d",
         "  2 <- exists NONODE @3\n"
         "  2 <- getData NONODE @3\n"
         "  2 <- getChildren NONODE @3\n"
         "  2 !! NodeCreated /b\n"
         "  1 <- create OK /b @4\n"
         "  1 <- create OK /c @5\n"
         "  1 <- create OK /d @6\n");
}
END_TEST

START_TEST(a_removal_tells_a_session_once_and_then_the_parent)
{
    play(s,
         "1 create /a/b\n2 get! /a/b\n2 children! /a/b\n2 children! /a\n1 children! /a/b\n1 delete "
         "/a/b",
         "  1 <- create OK /a/b @4\n"
         "  2 <- getData OK null @4\n"
         "  2 <- getChildren OK @4\n"
         "  2 <- getChildren OK b @4\n"
         "  1 <- getChildren OK @4\n"
         "  2 !! NodeDeleted /a/b\n"
         "  1 !! NodeDeleted /a/b\n"
         "  2 !! NodeChildrenChanged /a\n"
         "  1 <- delete OK @5\n");
}
END_TEST

START_TEST(a_child_watch_ignores_data)
{
    play(s, "2 children! /\n2 children! /a\n1 set /a y\n1 create /a/b\n1 set /a/b y\n1 create /c",
         "  2 <- getChildren OK a @3\n"
         "  2 <- getChildren OK @3\n"
         "  1 <- setData OK @4\n"
         "  2 !! NodeChildrenChanged /a\n"
         "  1 <- create OK /a/b @5\n"
         "  1 <- setData OK @6\n"
         "  2 !! NodeChildrenChanged /\n"
         "  1 <- create OK /c @7\n");
}
END_TEST

START_TEST(a_multi_fires_in_the_order_of_its_operations)
{
    play(s,
         "2 exists! /b\n2 children! /a\n2 get! /a\n"
         "1 multi set /a y; create /a/z; create /b; delete /b\n",
         "  2 <- exists NONODE @3\n"
         "  2 <- getChildren OK @3\n"
         "  2 <- getData OK =x @3\n"
         "  2 !! NodeDataChanged /a\n"
         "  2 !! NodeChildrenChanged /a\n"
         "  2 !! NodeCreated /b\n"
         "  1 <- OK: setData OK create OK /a/z create OK /b delete OK @4\n");
}
END_TEST

START_TEST(a_failed_multi_fires_nothing)
{
    play(s, "2 get! /a\n1 multi set /a y; check /a 0\n1 set /a z",
         "  2 <- getData OK =x @3\n"
         "  1 <- BADVERSION: setData OK check BADVERSION @4\n"
         "  2 !! NodeDataChanged /a\n"
         "  1 <- setData OK @5\n");
}
END_TEST

START_TEST(sessions_are_told_in_the_order_of_their_ids)
{
    play(s, "connect 3\n3 get! /a\n1 get! /a\n2 get! /a\n1 set /a y",
         "  3 is session 3, timeout 6000 ms\n"
         "  3 <- getData OK =x @4\n"
         "  1 <- getData OK =x @4\n"
         "  2 <- getData OK =x @4\n"
         "  1 !! NodeDataChanged /a\n"
         "  2 !! NodeDataChanged /a\n"
         "  3 !! NodeDataChanged /a\n"
         "  1 <- setData OK @5\n");
}
END_TEST

/* ---- while nobody is connected ---- */

START_TEST(what_was_missed_is_told_after_the_reconnection)
{
    play(s,
         "1 create /b\n1 create /c\n"
         "2 get! /a\n2 get! /b\n2 children! /b\n2 exists! /n\n2 children! /\n2 children! /c\n"
         "disconnect 2\n1 set /a y\n1 delete /b\n1 create /n\nreconnect 3 2 5",
         "  1 <- create OK /b @4\n"
         "  1 <- create OK /c @5\n"
         "  2 <- getData OK =x @5\n"
         "  2 <- getData OK null @5\n"
         "  2 <- getChildren OK @5\n"
         "  2 <- exists NONODE @5\n"
         "  2 <- getChildren OK a b c @5\n"
         "  2 <- getChildren OK @5\n"
         "  1 <- setData OK @6\n"
         "  1 <- delete OK @7\n"
         "  1 <- create OK /n @8\n"
         "  3 is session 2, timeout 6000 ms\n"
         "  3 !! NodeDataChanged /a\n"
         "  3 !! NodeDeleted /b\n"
         "  3 !! NodeCreated /n\n"
         "  3 !! NodeChildrenChanged /\n");
}
END_TEST

START_TEST(a_watch_that_missed_nothing_stays)
{
    play(s, "2 get! /a\ndisconnect 2\nreconnect 3 2\n1 set /a y",
         "  2 <- getData OK =x @3\n"
         "  3 is session 2, timeout 6000 ms\n"
         "  3 !! NodeDataChanged /a\n"
         "  1 <- setData OK @4\n");
}
END_TEST

START_TEST(a_node_made_and_removed_meanwhile_is_not_told)
{
    play(s, "2 exists! /n\ndisconnect 2\n1 create /n\n1 delete /n\nreconnect 3 2 3\n1 create /n",
         "  2 <- exists NONODE @3\n"
         "  1 <- create OK /n @4\n"
         "  1 <- delete OK @5\n"
         "  3 is session 2, timeout 6000 ms\n"
         "  3 !! NodeCreated /n\n"
         "  1 <- create OK /n @6\n");
}
END_TEST

START_TEST(a_node_removed_and_made_meanwhile_has_changed)
{
    play(s, "2 get! /a\ndisconnect 2\n1 delete /a\n1 create /a\nreconnect 3 2 3",
         "  2 <- getData OK =x @3\n"
         "  1 <- delete OK @4\n"
         "  1 <- create OK /a @5\n"
         "  3 is session 2, timeout 6000 ms\n"
         "  3 !! NodeDataChanged /a\n");
}
END_TEST

START_TEST(a_lost_event_is_told_again)
{
    play(s,
         "2 get! /a\n2 children! /a\n1 delete /a\ndisconnect 2\nlost 2 event 5 /a\nreconnect 3 2 3",
         "  2 <- getData OK =x @3\n"
         "  2 <- getChildren OK @3\n"
         "  2 !! NodeDeleted /a\n"
         "  1 <- delete OK @4\n"
         "  3 is session 2, timeout 6000 ms\n"
         "  3 !! NodeDeleted /a\n");
}
END_TEST

START_TEST(a_lost_event_is_judged_at_once_where_the_session_is_back)
{
    play(s, "2 get! /a\n1 set /a y\ndisconnect 2\nreconnect 3 2 4\nlost 2 event 1 /a\n",
         "  2 <- getData OK =x @3\n"
         "  2 !! NodeDataChanged /a\n"
         "  1 <- setData OK @4\n"
         "  3 is session 2, timeout 6000 ms\n"
         "  3 !! NodeDataChanged /a\n");
}
END_TEST

START_TEST(a_watch_whose_reply_was_lost_is_not_held)
{
    play(s, "2 get! /a\ndisconnect 2\nlost 2 reply 1 /a\n1 set /a y\nreconnect 3 2 3",
         "  2 <- getData OK =x @3\n"
         "  1 <- setData OK @4\n"
         "  3 is session 2, timeout 6000 ms\n");
}
END_TEST

static Suite *suite(void)
{
    Suite *suite = suite_create("zookeeper watches");
    TCase *tc = tcase_create("watches");
    tcase_add_checked_fixture(tc, set_up, tear_down);
    tcase_add_test(tc, an_event_comes_before_the_reply_that_reveals_it);
    tcase_add_test(tc, a_watch_fires_once);
    tcase_add_test(tc, exists_and_get_are_one_watch);
    tcase_add_test(tc, only_exists_watches_what_is_not_there);
    tcase_add_test(tc, a_removal_tells_a_session_once_and_then_the_parent);
    tcase_add_test(tc, a_child_watch_ignores_data);
    tcase_add_test(tc, a_multi_fires_in_the_order_of_its_operations);
    tcase_add_test(tc, a_failed_multi_fires_nothing);
    tcase_add_test(tc, sessions_are_told_in_the_order_of_their_ids);
    tcase_add_test(tc, what_was_missed_is_told_after_the_reconnection);
    tcase_add_test(tc, a_watch_that_missed_nothing_stays);
    tcase_add_test(tc, a_node_made_and_removed_meanwhile_is_not_told);
    tcase_add_test(tc, a_node_removed_and_made_meanwhile_has_changed);
    tcase_add_test(tc, a_lost_event_is_told_again);
    tcase_add_test(tc, a_lost_event_is_judged_at_once_where_the_session_is_back);
    tcase_add_test(tc, a_watch_whose_reply_was_lost_is_not_held);
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
