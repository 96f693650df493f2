/*
 * Nodes: what a write does, what it is refused for, and the numbers that follow from it. What is
 * said here of results and stats, tests/zookeeper/equal proves against a real server.
 */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "script.h"

static struct script *s;

static void set_up(void)
{
    s = script_default();
    script_run(s, "connect 1\nconnect 2");
}

static void tear_down(void)
{
    script_free(s);
}

START_TEST(making_a_session_uses_up_a_zxid)
{
    play(s, "1 create /a x", "  1 <- create OK /a @3\n");
}
END_TEST

START_TEST(a_refused_write_uses_up_a_zxid)
{
    play(s,
         "1 delete /a\n"
         "1 set /a x\n"
         "1 multi check /a 1\n"
         "1 create /a x\n"
         "1 stat /a\n",
         "  1 <- delete NONODE @3\n"
         "  1 <- setData NONODE @4\n"
         "  1 <- NONODE: check NONODE @5\n"
         "  1 <- create OK /a @6\n"
         "  1 <- exists OK c6 m6 p6 v0 cv0 n0 len1 @6\n");
}
END_TEST

START_TEST(a_read_uses_up_none)
{
    play(s,
         "1 get /a\n"
         "1 sync /\n"
         "1 create /a x\n",
         "  1 <- getData NONODE @2\n"
         "  1 <- sync OK / @2\n"
         "  1 <- create OK /a @3\n");
}
END_TEST

START_TEST(cversion_and_pzxid_follow_the_children)
{
    play(s,
         "1 create /a\n1 create /a/x\n1 stat /a\n1 set /a/x data\n1 stat /a\n1 delete /a/x\n1 stat "
         "/a",
         "  1 <- create OK /a @3\n"
         "  1 <- create OK /a/x @4\n"
         "  1 <- exists OK c3 m3 p4 v0 cv1 n1 len0 @4\n"
         "  1 <- setData OK @5\n"
         "  1 <- exists OK c3 m3 p4 v0 cv1 n1 len0 @5\n"
         "  1 <- delete OK @6\n"
         "  1 <- exists OK c3 m3 p6 v0 cv2 n0 len0 @6\n");
}
END_TEST

START_TEST(a_recreated_node_starts_at_version_0)
{
    play(s, "1 create /a x\n1 set /a y\n1 set /a z 1\n1 delete /a 2\n1 create /a x\n1 stat /a",
         "  1 <- create OK /a @3\n"
         "  1 <- setData OK @4\n"
         "  1 <- setData OK @5\n"
         "  1 <- delete OK @6\n"
         "  1 <- create OK /a @7\n"
         "  1 <- exists OK c7 m7 p7 v0 cv0 n0 len1 @7\n");
}
END_TEST

START_TEST(a_wrong_version_is_refused)
{
    play(s, "1 create /a x\n1 set /a y 1\n1 delete /a 1\n1 set /a y 0\n1 set /a y 0\n1 delete /a 1",
         "  1 <- create OK /a @3\n"
         "  1 <- setData BADVERSION @4\n"
         "  1 <- delete BADVERSION @5\n"
         "  1 <- setData OK @6\n"
         "  1 <- setData BADVERSION @7\n"
         "  1 <- delete OK @8\n");
}
END_TEST

START_TEST(the_suffix_counts_creations_not_children)
{
    play(s,
         "1 create /q\n1 create /q/x\n1 delete /q/x\n1 create:s /q/n-\n1 create:s /q/\n"
         "1 multi create:s /q/m-; create:es /q/m-",
         "  1 <- create OK /q @3\n"
         "  1 <- create OK /q/x @4\n"
         "  1 <- delete OK @5\n"
         "  1 <- create OK /q/n-0000000001 @6\n"
         "  1 <- create OK /q/0000000002 @7\n"
         "  1 <- OK: create OK /q/m-0000000003 create OK /q/m-0000000004 @8\n");
}
END_TEST

START_TEST(a_failed_multi_gives_its_suffixes_back)
{
    play(s, "1 create /q\n1 multi create:s /q/n-; check /q 5\n1 create:s /q/n-\n1 stat /q",
         "  1 <- create OK /q @3\n"
         "  1 <- BADVERSION: create OK check BADVERSION @4\n"
         "  1 <- create OK /q/n-0000000000 @5\n"
         "  1 <- exists OK c3 m3 p5 v0 cv1 n1 len0 @5\n");
}
END_TEST

START_TEST(an_ephemeral_has_no_children)
{
    play(s, "1 create:e /e\n1 create /e/x\n1 create:e /e/y\n1 stat /e",
         "  1 <- create OK /e @3\n"
         "  1 <- create NOCHILDRENFOREPHEMERALS @4\n"
         "  1 <- create NOCHILDRENFOREPHEMERALS @5\n"
         "  1 <- exists OK c3 m3 p3 v0 cv0 n0 len0 owner 1 @5\n");
}
END_TEST

START_TEST(a_node_with_children_stays)
{
    play(s, "1 create /a\n1 create /a/x\n1 delete /a 7\n1 delete /a 0\n1 delete /",
         "  1 <- create OK /a @3\n"
         "  1 <- create OK /a/x @4\n"
         "  1 <- delete BADVERSION @5\n"
         "  1 <- delete NOTEMPTY @6\n"
         "  1 <- delete BADARGUMENTS @7\n");
}
END_TEST

START_TEST(null_and_empty_data_differ)
{
    play(s,
         "1 create /n -\n1 create /e \"\"\n1 get /n\n1 get /e\n1 set /e -\n1 get /e\n1 set /e x\n1 "
         "get /e",
         "  1 <- create OK /n @3\n"
         "  1 <- create OK /e @4\n"
         "  1 <- getData OK null @4\n"
         "  1 <- getData OK = @4\n"
         "  1 <- setData OK @5\n"
         "  1 <- getData OK null @5\n"
         "  1 <- setData OK @6\n"
         "  1 <- getData OK =x @6\n");
}
END_TEST

START_TEST(a_parent_must_be_there)
{
    play(s, "1 create /a/b\n1 create /\n1 create a\n1 exists /a",
         "  1 <- create NONODE @3\n"
         "  1 <- create NODEEXISTS @4\n"
         "  1 <- create BADARGUMENTS @5\n"
         "  1 <- exists NONODE @5\n");
}
END_TEST

START_TEST(a_bad_name_is_refused)
{
    static const char *const bad[] = {
        "/.",           "/..",   "/a/",   "//",        "/a//b",
        "/\x7f",        "/\x01", "/\xff", "/\xc0\x80", "/\xf0\x9f\x98\x80",
        "/\xef\xbf\xbf"};
    static const char *const good[] = {"/...", "/.a", "/a.", "/ä", "/a..b"};
    char text[64];
    script_run(s, "1 create /a");
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        snprintf(text, sizeof text, "1 create %s", bad[i]);
        const char *trace = script_run(s, text);
        ck_assert_msg(strstr(trace, "BADARGUMENTS") || strstr(trace, "NONODE"), "%s: %s", bad[i],
                      trace);
    }
    for (size_t i = 0; i < sizeof good / sizeof good[0]; i++) {
        snprintf(text, sizeof text, "1 create %s", good[i]);
        ck_assert_msg(strstr(script_run(s, text), "OK"), "%s", good[i]);
    }
}
END_TEST

START_TEST(a_path_may_be_long_but_not_longer)
{
    char text[1200] = "1 create /";
    memset(text + 10, 'a', KZ_PATH_MAX - 14);
    ck_assert(strstr(script_run(s, text), "create OK"));
    memset(text + 10, 'b', KZ_PATH_MAX);
    play(s, text, "  1 <- create BADARGUMENTS @4\n");
}
END_TEST

START_TEST(a_multi_sees_its_own_earlier_operations)
{
    play(s,
         "1 multi create /a x; create /a/b y; set /a z 0; check /a 1; delete /a/b; create /a/b q\n"
         "1 stat /a\n1 get /a/b",
         "  1 <- OK: create OK /a create OK /a/b setData OK check OK delete OK create OK /a/b @3\n"
         "  1 <- exists OK c3 m3 p3 v1 cv3 n1 len1 @3\n"
         "  1 <- getData OK =q @3\n");
}
END_TEST

START_TEST(a_failed_multi_changes_nothing_and_says_which_failed)
{
    script_run(s, "1 create /a x\n1 create:e /a/e x\n1 create /a/keep a-name-longer-than-16");
    script_run(s, "1 create /same x\n");
    play(
        s,
        "1 multi set /a y; delete /a/e; create:e /a/f; delete /a/keep; create /a/keep/x; set /a q\n"
        "1 stat /a\n1 get /a\n1 children /a\n1 stat /a/e",
        "  1 <- NONODE: setData OK delete OK create OK delete OK create NONODE setData "
        "RUNTIMEINCONSISTENCY @7\n"
        "  1 <- exists OK c3 m3 p5 v0 cv2 n2 len1 @7\n"
        "  1 <- getData OK =x @7\n"
        "  1 <- getChildren OK e keep @7\n"
        "  1 <- exists OK c4 m4 p4 v0 cv0 n0 len1 owner 1 @7\n");
}
END_TEST

START_TEST(an_empty_multi_succeeds)
{
    play(s, "1 multi", "  1 <- OK: @3\n");
}
END_TEST

/* Goal: each read of a multi has a result of its own, whatever became of the others. */
START_TEST(a_multi_of_reads_fails_one_by_one)
{
    play(s,
         "1 create /a x\n1 create /a/b\n1 create /a/c z\n"
         "1 multi get /a; get /none; children /a; get /a/b; children /none; children /a/c; get "
         "bad; get /a",
         "  1 <- create OK /a @3\n"
         "  1 <- create OK /a/b @4\n"
         "  1 <- create OK /a/c @5\n"
         "  1 <- OK: getData OK =x getData NONODE getChildren OK b c getData OK null "
         "getChildren NONODE getChildren OK getData NONODE getData OK =x @5\n");
}
END_TEST

START_TEST(a_multi_of_reads_arms_no_watch)
{
    play(s, "1 create /a x\n1 multi get! /a; children! /a\n1 set /a y\n1 create /a/b",
         "  1 <- create OK /a @3\n"
         "  1 <- OK: getData OK =x getChildren OK @3\n"
         "  1 <- setData OK @4\n"
         "  1 <- create OK /a/b @5\n");
}
END_TEST

START_TEST(a_multi_does_not_mix_reads_and_writes)
{
    play(s,
         "1 create /a x\n1 multi get /a; set /a y\n1 multi set /a y; get /a\n"
         "1 multi check /a 0; children /a\n1 multi get /a; exists /a\n1 check /\n1 nop /\n1 get /a",
         "  1 <- create OK /a @3\n"
         "  1 <- MARSHALLINGERROR: @3\n"
         "  1 <- MARSHALLINGERROR: @4\n"
         "  1 <- MARSHALLINGERROR: @5\n"
         "  1 <- MARSHALLINGERROR: @5\n"
         "  1 <- UNIMPLEMENTED: @5\n"
         "  1 <- UNIMPLEMENTED: @5\n"
         "  1 <- getData OK =x @5\n");
}
END_TEST

static int32_t last_err;

static void keep_err(void *context, const struct kz_output *o)
{
    (void)context;
    if (o->kind == KZ_OUT_REPLY)
        last_err = o->reply->err;
}

/* Goal: a record whose lengths lie is answered with an error, and is not read beyond its end. */
START_TEST(a_malformed_request_is_refused)
{
    struct {
        struct wire_zk_request head;
        struct wire_zk_op op;
        char path[8];
    } r = {{.size = sizeof r, .count = 1}, {.opcode = WIRE_ZK_CREATE, .path_size = 100}, "/a"};
    uint64_t scratch[64];
    struct kz_outputs out = {.put = keep_err, .scratch = scratch, .scratch_size = sizeof scratch};
    struct kz_input in = {.kind = KZ_IN_REQUEST, .conn = 1, .request = &r.head};
    ck_assert_int_eq(kz_server_step(s->server, 0, &in, &out), SM_ERR_OK);
    ck_assert_int_eq(last_err, WIRE_ZK_MARSHALLING);
    ck_assert_int_eq(kz_server_zxid(s->server), 2);
}
END_TEST

static int by_bytes(const void *a, const void *b)
{
    return strcmp(a, b);
}

/* Goal: listings and walks are in ascending byte order, whatever the order of creation. */
START_TEST(children_come_in_ascending_byte_order)
{
    enum { COUNT = 90 };
    char names[COUNT][8], line[800], expected[2048] = "  1 <- getChildren OK";
    script_run(s, "1 create /p");
    for (int i = 0; i < COUNT; i++) {
        snprintf(names[i], sizeof names[i], "%d", i * 7919 % 1000);
        snprintf(line, sizeof line, "1 create /p/%s", names[i]);
        script_run(s, line);
    }
    qsort(names, COUNT, sizeof names[0], by_bytes);
    for (int i = 0; i < COUNT; i++)
        strcat(strcat(expected, " "), names[i]);
    strcat(expected, " @93\n");
    play(s, "1 children /p", expected);
    char buffer[KZ_PATH_MAX];
    const char *path = kz_server_next_path(s->server, "/p", buffer, sizeof buffer);
    for (int i = 0; i < COUNT;
         i++, path = kz_server_next_path(s->server, path, buffer, KZ_PATH_MAX))
        ck_assert_str_eq(path + 3, names[i]);
    ck_assert_ptr_null(path);
}
END_TEST

START_TEST(a_walk_goes_on_from_a_path_that_has_gone)
{
    char buffer[KZ_PATH_MAX];
    script_run(s, "1 create /a\n1 create /a/x\n1 create /b\n1 create /b/y");
    ck_assert_str_eq(kz_server_next_path(s->server, NULL, buffer, sizeof buffer), "/");
    ck_assert_str_eq(kz_server_next_path(s->server, "/a/k/l", buffer, sizeof buffer), "/a/x");
    ck_assert_str_eq(kz_server_next_path(s->server, "/a/x/l", buffer, sizeof buffer), "/b");
    ck_assert_str_eq(kz_server_next_child(s->server, "/b", NULL, buffer, sizeof buffer), "/b/y");
    ck_assert_ptr_null(kz_server_next_child(s->server, "/b", "/b/y", buffer, sizeof buffer));
    ck_assert_ptr_null(kz_server_next_child(s->server, "/none", NULL, buffer, sizeof buffer));
}
END_TEST

START_TEST(every_change_is_noted_with_the_node_it_leaves)
{
    s->shows_applied = true;
    play(s, "1 create /a x\n1 multi set /a yy; create /a/b z; delete /a/b\n1 delete /a",
         "  applied create /a @3 c3 m3 p3 v0 cv0 n0 len1\n"
         "  1 <- create OK /a @3\n"
         "  applied setData /a @4 c3 m4 p3 v1 cv0 n0 len2\n"
         "  applied create /a/b @4 c4 m4 p4 v0 cv0 n0 len1\n"
         "  applied delete /a/b @4 c4 m4 p4 v0 cv0 n0 len1\n"
         "  1 <- OK: setData OK create OK /a/b delete OK @4\n"
         "  applied delete /a @5 c3 m4 p4 v1 cv2 n0 len2\n"
         "  1 <- delete OK @5\n");
}
END_TEST

/* ---- importing ---- */

START_TEST(a_put_node_has_the_given_stat)
{
    struct wire_zk_stat stat = {.czxid = 70,
                                .mzxid = 80,
                                .pzxid = 75,
                                .ctime = 5,
                                .mtime = 6,
                                .version = 4,
                                .cversion = 3,
                                .num_children = 1};
    struct wire_zk_stat child = {.czxid = 75, .mzxid = 75, .pzxid = 75, .ephemeral_owner = 900};
    ck_assert_int_eq(kz_server_put(s->server, "/a", "xy", 2, &stat), SM_ERR_OK);
    ck_assert_int_eq(kz_server_put(s->server, "/a/e", NULL, 0, &child), SM_ERR_OK);
    kz_server_check(s->server);
    play(s, "1 stat /a\n1 stat /a/e\n1 get /a/e\n1 create:s /a/n-\n1 create /a/e/x\nconnect 3",
         "  1 <- exists OK c70 m80 p75 v4 cv3 n1 len2 @80\n"
         "  1 <- exists OK c75 m75 p75 v0 cv0 n0 len0 owner 900 @80\n"
         "  1 <- getData OK null @80\n"
         "  1 <- create OK /a/n-0000000002 @81\n"
         "  1 <- create NOCHILDRENFOREPHEMERALS @82\n"
         "  3 is session 901, timeout 6000 ms\n");
}
END_TEST

START_TEST(a_put_node_brings_its_parents)
{
    ck_assert_int_eq(kz_server_put(s->server, "/p/q/r", "x", 1, NULL), SM_ERR_OK);
    ck_assert_int_eq(kz_server_put(s->server, "/p/q/s", "x", 1, NULL), SM_ERR_OK);
    ck_assert_int_eq(kz_server_put(s->server, "/p/q/s", "yy", 2, NULL), SM_ERR_OK);
    kz_server_check(s->server);
    play(s, "1 stat /p\n1 stat /p/q\n1 get /p/q/s",
         "  1 <- exists OK c3 m3 p3 v0 cv1 n1 len0 @5\n"
         "  1 <- exists OK c3 m3 p4 v0 cv2 n2 len0 @5\n"
         "  1 <- getData OK =yy @5\n");
}
END_TEST

START_TEST(a_put_node_of_a_session_goes_with_it)
{
    struct wire_zk_stat stat = {.czxid = 9, .mzxid = 9, .pzxid = 9, .ephemeral_owner = 2};
    ck_assert_int_eq(kz_server_put(s->server, "/e", NULL, 0, &stat), SM_ERR_OK);
    ck_assert_int_eq(kz_server_put(s->server, "/e", NULL, 0, &stat), SM_ERR_OK);
    ck_assert_int_eq(kz_server_put(s->server, "/e/x", NULL, 0, NULL), SM_ERR_ILLEGAL_STATE);
    ck_assert_int_eq(kz_server_put(s->server, "e", NULL, 0, NULL), SM_ERR_SYNTAX);
    kz_server_check(s->server);
    play(s, "expire 2\n1 exists /e",
         "  session 2 expired @10\n"
         "  2 closed\n"
         "  1 <- exists NONODE @10\n");
}
END_TEST

static Suite *suite(void)
{
    Suite *suite = suite_create("zookeeper nodes");
    TCase *tc = tcase_create("nodes");
    tcase_add_checked_fixture(tc, set_up, tear_down);
    tcase_add_test(tc, making_a_session_uses_up_a_zxid);
    tcase_add_test(tc, a_refused_write_uses_up_a_zxid);
    tcase_add_test(tc, a_read_uses_up_none);
    tcase_add_test(tc, cversion_and_pzxid_follow_the_children);
    tcase_add_test(tc, a_recreated_node_starts_at_version_0);
    tcase_add_test(tc, a_wrong_version_is_refused);
    tcase_add_test(tc, the_suffix_counts_creations_not_children);
    tcase_add_test(tc, a_failed_multi_gives_its_suffixes_back);
    tcase_add_test(tc, an_ephemeral_has_no_children);
    tcase_add_test(tc, a_node_with_children_stays);
    tcase_add_test(tc, null_and_empty_data_differ);
    tcase_add_test(tc, a_parent_must_be_there);
    tcase_add_test(tc, a_bad_name_is_refused);
    tcase_add_test(tc, a_path_may_be_long_but_not_longer);
    tcase_add_test(tc, a_multi_sees_its_own_earlier_operations);
    tcase_add_test(tc, a_failed_multi_changes_nothing_and_says_which_failed);
    tcase_add_test(tc, an_empty_multi_succeeds);
    tcase_add_test(tc, a_multi_of_reads_fails_one_by_one);
    tcase_add_test(tc, a_multi_of_reads_arms_no_watch);
    tcase_add_test(tc, a_multi_does_not_mix_reads_and_writes);
    tcase_add_test(tc, a_malformed_request_is_refused);
    tcase_add_test(tc, children_come_in_ascending_byte_order);
    tcase_add_test(tc, a_walk_goes_on_from_a_path_that_has_gone);
    tcase_add_test(tc, every_change_is_noted_with_the_node_it_leaves);
    tcase_add_test(tc, a_put_node_has_the_given_stat);
    tcase_add_test(tc, a_put_node_brings_its_parents);
    tcase_add_test(tc, a_put_node_of_a_session_goes_with_it);
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
