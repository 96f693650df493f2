/*
 * Sessions: made, found again, expired; and a lost quorum. The tick is 2 s.
 */
#include <check.h>
#include <stdlib.h>

#include "script.h"

static struct script *s;

static void set_up(void)
{
    s = script_default();
}

static void tear_down(void)
{
    script_free(s);
}

START_TEST(a_timeout_is_clamped_to_2_and_20_ticks)
{
    play(s, "connect 1 1\nconnect 2 9000\nconnect 3 100000",
         "  1 is session 1, timeout 4000 ms\n"
         "  2 is session 2, timeout 9000 ms\n"
         "  3 is session 3, timeout 40000 ms\n");
}
END_TEST

/* Goal: (now + timeout) / tick + 1 ticks, as ExpiryQueue.roundToNextInterval: 6 s at 0 are due at 8
 * s. */
START_TEST(an_expiry_is_rounded_up_to_the_tick)
{
    script_run(s, "connect 1 6000");
    ck_assert_int_eq(kz_server_next_tick(s->server), 8000000);
    play(s, "at 7999\ntick\nat 8000\ntick",
         "  session 1 expired @2\n"
         "  1 closed\n");
    ck_assert_int_eq(kz_server_next_tick(s->server), INT64_MAX);
}
END_TEST

START_TEST(a_ping_or_a_request_keeps_a_session_alive)
{
    script_run(s, "connect 1 6000\nconnect 2 6000\nconnect 3 6000\nat 3000\nping 1\n2 sync /");
    play(s, "at 8000\ntick\nat 9999\ntick\nat 10000\ntick",
         "  session 3 expired @4\n"
         "  3 closed\n"
         "  session 1 expired @5\n"
         "  1 closed\n"
         "  session 2 expired @6\n"
         "  2 closed\n");
}
END_TEST

START_TEST(an_expiry_takes_all_ephemerals_in_one_change)
{
    s->shows_applied = true;
    script_run(s,
               "connect 1\nconnect 2\n1 create:e /x\n1 create:e /y\n2 create:e /z\n2 children! /");
    play(s, "expire 1\n2 children /",
         "  session 1 expired @6\n"
         "  applied delete /x @6 c3 m3 p3 v0 cv0 n0 len0 owner 1\n"
         "  2 !! NodeChildrenChanged /\n"
         "  applied delete /y @6 c4 m4 p4 v0 cv0 n0 len0 owner 1\n"
         "  1 closed\n"
         "  2 <- getChildren OK z @6\n");
}
END_TEST

/* Goal: a connected client still hears of its own ephemerals before it is cut off. */
START_TEST(the_expired_hears_of_its_own_nodes)
{
    script_run(s, "connect 1\n1 create:e /x\n1 get! /x");
    play(s, "expire 1\nreconnect 2 1",
         "  session 1 expired @3\n"
         "  1 !! NodeDeleted /x\n"
         "  1 closed\n"
         "  2 refused\n"
         "  2 closed\n");
}
END_TEST

/* Goal: neither the order of names nor that of creation, but that of java.util.HashSet. */
START_TEST(ephemerals_go_in_the_order_of_javas_set)
{
    s->shows_applied = true;
    script_run(s, "connect 1\n1 create:e /b\n1 create:e /controller\n1 create:e /a");
    play(s, "close 1",
         "  applied delete /controller @5 c3 m3 p3 v0 cv0 n0 len0 owner 1\n"
         "  applied delete /a @5 c4 m4 p4 v0 cv0 n0 len0 owner 1\n"
         "  applied delete /b @5 c2 m2 p2 v0 cv0 n0 len0 owner 1\n"
         "  1 closed\n");
}
END_TEST

START_TEST(a_session_outlives_its_connection)
{
    play(s, "connect 1\n1 create:e /x\ndisconnect 1\nreconnect 2 1\n2 stat /x\n1 stat /x",
         "  1 is session 1, timeout 6000 ms\n"
         "  1 <- create OK /x @2\n"
         "  2 is session 1, timeout 6000 ms\n"
         "  2 <- exists OK c2 m2 p2 v0 cv0 n0 len0 owner 1 @2\n");
}
END_TEST

START_TEST(a_new_connection_takes_the_session_over)
{
    play(s, "connect 1\nreconnect 2 1\n1 sync /\n2 sync /",
         "  1 is session 1, timeout 6000 ms\n"
         "  1 closed\n"
         "  2 is session 1, timeout 6000 ms\n"
         "  2 <- sync OK / @1\n");
}
END_TEST

/* Goal: as on the real server, even a wrong password ends the older connection. */
START_TEST(a_wrong_password_is_refused)
{
    script_run(s, "connect 1\n1 create:e /x");
    s->passwords[1]++;
    play(s, "reconnect 2 1", "  1 closed\n  2 refused\n  2 closed\n");
    s->passwords[1]--;
    play(s, "reconnect 3 1\n3 exists /x",
         "  3 is session 1, timeout 6000 ms\n  3 <- exists OK @2\n");
}
END_TEST

START_TEST(a_client_that_has_seen_more_is_sent_away)
{
    play(s, "connect 1\ndisconnect 1\nreconnect 2 1 2\nreconnect 3 1 1",
         "  1 is session 1, timeout 6000 ms\n"
         "  2 closed\n"
         "  3 is session 1, timeout 6000 ms\n");
}
END_TEST

START_TEST(closing_removes_ephemerals_at_once)
{
    play(s, "connect 1\nconnect 2\n1 create:e /x\n2 exists! /x\nclose 1\nreconnect 3 1",
         "  1 is session 1, timeout 6000 ms\n"
         "  2 is session 2, timeout 6000 ms\n"
         "  1 <- create OK /x @3\n"
         "  2 <- exists OK @3\n"
         "  2 !! NodeDeleted /x\n"
         "  1 closed\n"
         "  3 refused\n"
         "  3 closed\n");
}
END_TEST

/* ---- quorum ---- */

START_TEST(a_lost_quorum_closes_connections_and_refuses_new_ones)
{
    play(s, "connect 1\nconnect 2\n1 create:e /x\nquorum lost\n1 get /x\nreconnect 3 1\nconnect 4",
         "  1 is session 1, timeout 6000 ms\n"
         "  2 is session 2, timeout 6000 ms\n"
         "  1 <- create OK /x @3\n"
         "  1 closed\n"
         "  2 closed\n"
         "  3 closed\n"
         "  4 closed\n");
}
END_TEST

START_TEST(nobody_expires_without_a_quorum)
{
    script_run(s, "connect 1\n1 create:e /x\nquorum lost");
    ck_assert_int_eq(kz_server_next_tick(s->server), INT64_MAX);
    play(s, "at 100000\ntick\nexpire 1\nquorum regained\ntick\nreconnect 2 1\n2 exists /x",
         "  2 is session 1, timeout 6000 ms\n"
         "  2 <- exists OK @4294967296\n");
}
END_TEST

START_TEST(a_regained_quorum_gives_everybody_a_whole_timeout)
{
    script_run(s, "connect 1 6000\nat 7000\nquorum lost\nat 50000\nquorum regained");
    ck_assert_int_eq(kz_server_next_tick(s->server), 58000000);
    play(s, "at 58000\ntick\nconnect 2\n2 create /a",
         "  session 1 expired @4294967297\n"
         "  2 is session 2, timeout 6000 ms\n"
         "  2 <- create OK /a @4294967299\n");
}
END_TEST

static Suite *suite(void)
{
    Suite *suite = suite_create("zookeeper sessions");
    TCase *tc = tcase_create("sessions");
    tcase_add_checked_fixture(tc, set_up, tear_down);
    tcase_add_test(tc, a_timeout_is_clamped_to_2_and_20_ticks);
    tcase_add_test(tc, an_expiry_is_rounded_up_to_the_tick);
    tcase_add_test(tc, a_ping_or_a_request_keeps_a_session_alive);
    tcase_add_test(tc, an_expiry_takes_all_ephemerals_in_one_change);
    tcase_add_test(tc, the_expired_hears_of_its_own_nodes);
    tcase_add_test(tc, ephemerals_go_in_the_order_of_javas_set);
    tcase_add_test(tc, a_session_outlives_its_connection);
    tcase_add_test(tc, a_new_connection_takes_the_session_over);
    tcase_add_test(tc, a_wrong_password_is_refused);
    tcase_add_test(tc, a_client_that_has_seen_more_is_sent_away);
    tcase_add_test(tc, closing_removes_ephemerals_at_once);
    tcase_add_test(tc, a_lost_quorum_closes_connections_and_refuses_new_ones);
    tcase_add_test(tc, nobody_expires_without_a_quorum);
    tcase_add_test(tc, a_regained_quorum_gives_everybody_a_whole_timeout);
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
