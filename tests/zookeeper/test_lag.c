/*
 * Lagging reads: a connection to a server that is behind. Session 2 lags.
 */
#include <check.h>
#include <stdlib.h>

#include "script.h"

static struct script *s;

static void set_up(void)
{
    s = script_default();
    script_run(s, "connect 1\nconnect 2\n1 create /a x\n1 create /a/b y\n1 create /a/c z");
}

static void tear_down(void)
{
    script_free(s);
}

START_TEST(reads_are_answered_from_the_older_state)
{
    play(s,
         "2 sync /\nlag 2 5\n"
         "1 set /a new\n1 delete /a/b\n1 create /a/d\n1 set /a/c one\n1 set /a/c two\n"
         "2 get /a\n2 stat /a\n2 children /a\n2 stat /a/b\n2 stat /a/c\n2 get /a/c\n2 stat /a/d",
         "  2 <- sync OK / @5\n"
         "  1 <- setData OK @6\n"
         "  1 <- delete OK @7\n"
         "  1 <- create OK /a/d @8\n"
         "  1 <- setData OK @9\n"
         "  1 <- setData OK @10\n"
         "  2 <- getData OK =x @5\n"
         "  2 <- exists OK c3 m3 p5 v0 cv2 n2 len1 @5\n"
         "  2 <- getChildren OK b c @5\n"
         "  2 <- exists OK c4 m4 p4 v0 cv0 n0 len1 @5\n"
         "  2 <- exists OK c5 m5 p5 v0 cv0 n0 len1 @5\n"
         "  2 <- getData OK =z @5\n"
         "  2 <- exists NONODE @5\n");
}
END_TEST

START_TEST(a_view_may_move_up_in_part)
{
    play(s,
         "lag 2 5\n1 set /a p\n1 set /a q\n1 delete /a/b\n1 create /a/b other\n"
         "lag 2 6\n2 get /a\nlag 2 8\n2 get /a\n2 stat /a/b\nlag 2 3\n2 get /a/b\nlag 2 0\n2 get "
         "/a/b",
         "  1 <- setData OK @6\n"
         "  1 <- setData OK @7\n"
         "  1 <- delete OK @8\n"
         "  1 <- create OK /a/b @9\n"
         "  2 <- getData OK =p @6\n"
         "  2 <- getData OK =q @8\n"
         "  2 <- exists NONODE @8\n"
         "  2 <- getData NONODE @8\n"
         "  2 <- getData OK =other @9\n");
}
END_TEST

START_TEST(a_view_is_never_older_than_what_was_seen)
{
    play(s, "1 set /a y\n2 get /a\nlag 2 3\n1 set /a z\n2 get /a",
         "  1 <- setData OK @6\n"
         "  2 <- getData OK =y @6\n"
         "  1 <- setData OK @7\n"
         "  2 <- getData OK =y @6\n");
}
END_TEST

START_TEST(an_idle_connection_may_fall_behind_what_it_has_not_seen)
{
    play(s, "lag 2 3\n2 children /a\n2 get /a/b",
         "  2 <- getChildren OK @3\n"
         "  2 <- getData NONODE @3\n");
}
END_TEST

START_TEST(own_writes_are_visible)
{
    play(
        s,
        "lag 2 5\n1 set /a y\n1 set /a/b y\n2 get /a\n2 set /a/c w\n2 get /a\n1 set /a q\n2 get /a",
        "  1 <- setData OK @6\n"
        "  1 <- setData OK @7\n"
        "  2 <- getData OK =x @5\n"
        "  2 <- setData OK @8\n"
        "  2 <- getData OK =y @8\n"
        "  1 <- setData OK @9\n"
        "  2 <- getData OK =y @8\n");
}
END_TEST

START_TEST(a_refused_write_catches_up_too)
{
    play(s, "lag 2 5\n1 set /a y\n2 set /a w 0\n2 get /a",
         "  1 <- setData OK @6\n"
         "  2 <- setData BADVERSION @7\n"
         "  2 <- getData OK =y @7\n");
}
END_TEST

START_TEST(sync_catches_up)
{
    play(s, "lag 2 5\n1 set /a y\n2 get /a\n2 sync /a\n2 get /a",
         "  1 <- setData OK @6\n"
         "  2 <- getData OK =x @5\n"
         "  2 <- sync OK /a @6\n"
         "  2 <- getData OK =y @6\n");
}
END_TEST

START_TEST(an_event_waits_until_the_view_passes_it)
{
    play(s,
         "2 get! /a\n2 children! /a\nlag 2 5\n1 set /a y\n1 delete /a/b\n1 set /a z\n"
         "lag 2 6\n2 get! /a\n2 sync /",
         "  2 <- getData OK =x @5\n"
         "  2 <- getChildren OK b c @5\n"
         "  1 <- setData OK @6\n"
         "  1 <- delete OK @7\n"
         "  1 <- setData OK @8\n"
         "  2 !! NodeDataChanged /a\n"
         "  2 <- getData OK =y @6\n"
         "  2 !! NodeChildrenChanged /a\n"
         "  2 !! NodeDataChanged /a\n"
         "  2 <- sync OK / @8\n");
}
END_TEST

/* Goal: a watch armed on an old state fires for what has happened since, when that is reached. */
START_TEST(a_watch_armed_in_the_past_sees_what_came_after)
{
    play(s,
         "lag 2 5\n1 delete /a/b\n1 create /n\n2 get! /a/b\n2 exists! /n\n2 children! /a/b\n2 set "
         "/a w",
         "  1 <- delete OK @6\n"
         "  1 <- create OK /n @7\n"
         "  2 <- getData OK =y @5\n"
         "  2 <- exists NONODE @5\n"
         "  2 <- getChildren OK @5\n"
         "  2 !! NodeDeleted /a/b\n"
         "  2 !! NodeCreated /n\n"
         "  2 <- setData OK @8\n");
}
END_TEST

START_TEST(own_events_come_after_those_caught_up_with)
{
    play(s, "2 get! /a/b\n2 get! /a\nlag 2 5\n1 set /a/b q\n2 set /a w",
         "  2 <- getData OK =y @5\n"
         "  2 <- getData OK =x @5\n"
         "  1 <- setData OK @6\n"
         "  2 !! NodeDataChanged /a/b\n"
         "  2 !! NodeDataChanged /a\n"
         "  2 <- setData OK @7\n");
}
END_TEST

START_TEST(expiry_of_others_is_seen_late)
{
    play(s,
         "1 create:e /e\n2 get! /e\nlag 2 6\nexpire 1\n2 exists /e\n2 children /\nlag 2 0\n2 "
         "exists /e",
         "  1 <- create OK /e @6\n"
         "  2 <- getData OK null @6\n"
         "  session 1 expired @7\n"
         "  1 closed\n"
         "  2 <- exists OK @6\n"
         "  2 <- getChildren OK a e @6\n"
         "  2 !! NodeDeleted /e\n"
         "  2 <- exists NONODE @7\n");
}
END_TEST

START_TEST(a_new_connection_does_not_lag)
{
    play(s, "lag 2 5\n1 set /a y\ndisconnect 2\nreconnect 3 2 5\n3 get /a",
         "  1 <- setData OK @6\n"
         "  3 is session 2, timeout 6000 ms\n"
         "  3 <- getData OK =y @6\n");
}
END_TEST

static Suite *suite(void)
{
    Suite *suite = suite_create("zookeeper lag");
    TCase *tc = tcase_create("lag");
    tcase_add_checked_fixture(tc, set_up, tear_down);
    tcase_add_test(tc, reads_are_answered_from_the_older_state);
    tcase_add_test(tc, a_view_may_move_up_in_part);
    tcase_add_test(tc, a_view_is_never_older_than_what_was_seen);
    tcase_add_test(tc, an_idle_connection_may_fall_behind_what_it_has_not_seen);
    tcase_add_test(tc, own_writes_are_visible);
    tcase_add_test(tc, a_refused_write_catches_up_too);
    tcase_add_test(tc, sync_catches_up);
    tcase_add_test(tc, an_event_waits_until_the_view_passes_it);
    tcase_add_test(tc, a_watch_armed_in_the_past_sees_what_came_after);
    tcase_add_test(tc, own_events_come_after_those_caught_up_with);
    tcase_add_test(tc, expiry_of_others_is_seen_late);
    tcase_add_test(tc, a_new_connection_does_not_lag);
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
