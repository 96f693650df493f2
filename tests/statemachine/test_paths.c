/*
 * Paths, topic names and the list of errors.
 */
#include <check.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>

#include "statemachine/znode.h"

/* Goal: paths are built as Kafka builds them, and their length is returned. */
START_TEST(paths_are_kafkas)
{
    char path[SM_PATH_MAX];
    ck_assert_int_eq(sm_path_topic(path, "t"), 17);
    ck_assert_str_eq(path, "/brokers/topics/t");
    sm_path_topic_partitions(path, "t");
    ck_assert_str_eq(path, "/brokers/topics/t/partitions");
    sm_path_partition(path, "t", 12);
    ck_assert_str_eq(path, "/brokers/topics/t/partitions/12");
    ck_assert_int_eq(sm_path_partition_state(path, "t", 0), (int)strlen(path));
    ck_assert_str_eq(path, "/brokers/topics/t/partitions/0/state");
    sm_path_broker(path, 1001);
    ck_assert_str_eq(path, "/brokers/ids/1001");
    sm_path_config_topic(path, "t");
    ck_assert_str_eq(path, "/config/topics/t");
    sm_path_delete_topic(path, "t");
    ck_assert_str_eq(path, "/admin/delete_topics/t");
    sm_path_child(path, SM_PATH_ISR_NOTIFICATION, "isr_change_0000000003");
    ck_assert_str_eq(path, "/isr_change_notification/isr_change_0000000003");
}
END_TEST

/* Goal: the longest path fits, and comes back as it went in. */
START_TEST(the_longest_path_fits)
{
    char path[SM_PATH_MAX], name[SM_TOPIC_NAME_MAX + 1], topic[SM_TOPIC_NAME_MAX + 1];
    int32_t partition = 0;
    memset(name, 'x', SM_TOPIC_NAME_MAX);
    name[SM_TOPIC_NAME_MAX] = '\0';
    sm_path_partition_state(path, name, INT32_MAX);
    ck_assert(sm_path_is_partition_state(path, topic, &partition));
    ck_assert_str_eq(topic, name);
    ck_assert_int_eq(partition, INT32_MAX);
}
END_TEST

/* Goal: only the form that Kafka writes is recognised. */
START_TEST(only_exact_paths_are_recognised)
{
    static const char *const wrong[] = {"",
                                        "/",
                                        "/brokers/topics",
                                        "/brokers/topics/",
                                        "/brokers/topics//partitions/0/state",
                                        "/brokers/topics/t/partitions/0",
                                        "/brokers/topics/t/partitions/0/states",
                                        "/brokers/topics/t/partitions/00/state",
                                        "/brokers/topics/t/partitions/+1/state",
                                        "/brokers/topics/t/partitions/-1/state",
                                        "/brokers/topics/t/partitions//state",
                                        "/brokers/topics/t/partitions/2147483648/state",
                                        "/brokers/topics/t/partitions/99999999999999999999/state",
                                        "/brokers/topics/t/u/partitions/0/state",
                                        "brokers/topics/t/partitions/0/state"};
    char topic[SM_TOPIC_NAME_MAX + 1];
    int32_t n = 0;
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++)
        ck_assert_msg(!sm_path_is_partition_state(wrong[i], topic, &n), "%s", wrong[i]);
    ck_assert(sm_path_is_partition_state("/brokers/topics/a.b/partitions/7/state", topic, &n));
    ck_assert_str_eq(topic, "a.b");
    ck_assert_int_eq(n, 7);
    ck_assert(sm_path_is_topic("/brokers/topics/t", topic));
    ck_assert(!sm_path_is_topic("/brokers/topics/t/partitions", topic));
    ck_assert(sm_path_is_broker("/brokers/ids/0", &n));
    ck_assert_int_eq(n, 0);
    ck_assert(!sm_path_is_broker("/brokers/ids/007", &n));
    ck_assert(!sm_path_is_broker("/brokers/ids/1/x", &n));
    ck_assert(!sm_path_is_broker("/brokers/ids/", &n));
}
END_TEST

/* Goal: Kafka's rule for topic names. */
START_TEST(topic_names_are_checked)
{
    char longest[SM_TOPIC_NAME_MAX + 1];
    memset(longest, 'a', sizeof longest);
    ck_assert(sm_topic_name_is_legal("a.b_c-D9", 8));
    ck_assert(sm_topic_name_is_legal("...", 3));
    ck_assert(sm_topic_name_is_legal(longest, SM_TOPIC_NAME_MAX));
    ck_assert(!sm_topic_name_is_legal(longest, SM_TOPIC_NAME_MAX + 1));
    ck_assert(!sm_topic_name_is_legal("", 0));
    ck_assert(!sm_topic_name_is_legal(".", 1));
    ck_assert(!sm_topic_name_is_legal("..", 2));
    ck_assert(!sm_topic_name_is_legal("a/b", 3));
    ck_assert(!sm_topic_name_is_legal("a b", 3));
    ck_assert(!sm_topic_name_is_legal("\xc3\xa9", 2));
}
END_TEST

/* Goal: the paths that a broker makes sure of come parents first, and none twice. */
START_TEST(persistent_paths_come_parents_first)
{
    for (int i = 0; sm_persistent_paths[i] != NULL; i++) {
        const char *path = sm_persistent_paths[i], *slash = strrchr(path, '/');
        bool parent_seen = slash == path;
        for (int j = 0; j < i; j++) {
            const char *other = sm_persistent_paths[j];
            ck_assert_str_ne(other, path);
            size_t size = strlen(other);
            if (size == (size_t)(slash - path) && memcmp(other, path, size) == 0)
                parent_seen = true;
        }
        ck_assert_msg(parent_seen, "%s", path);
    }
}
END_TEST

START_TEST(a_path_that_does_not_fit_is_a_mistake)
{
    char path[SM_PATH_MAX], name[SM_PATH_MAX];
    memset(name, 'x', sizeof name - 1);
    name[sizeof name - 1] = '\0';
    sm_path_topic(path, name);
}
END_TEST

/* Goal: every error says something, and who acts. */
START_TEST(errors_have_a_text_and_an_actor)
{
    ck_assert_str_eq(sm_err_text(SM_ERR_OK), "success");
    ck_assert_int_eq(sm_err_actor(SM_ERR_CONTROLLER_MOVED), SM_ACTOR_RESIGN);
    ck_assert_int_eq(sm_err_actor(SM_ERR_LIMIT), SM_ACTOR_OPERATOR);
    ck_assert_int_eq(sm_err_actor(SM_ERR_NO_ELEMENT), SM_ACTOR_CALLER);
    for (int err = 0; err >= SM_ERR_ZOOKEEPER; err--)
        ck_assert_uint_gt(strlen(sm_err_text((enum sm_err)err)), 5);
}
END_TEST

static Suite *suite(void)
{
    Suite *s = suite_create("paths");
    TCase *tc = tcase_create("paths");
    tcase_add_test(tc, paths_are_kafkas);
    tcase_add_test(tc, the_longest_path_fits);
    tcase_add_test(tc, only_exact_paths_are_recognised);
    tcase_add_test(tc, topic_names_are_checked);
    tcase_add_test(tc, persistent_paths_come_parents_first);
    tcase_add_test_raise_signal(tc, a_path_that_does_not_fit_is_a_mistake, SIGABRT);
    tcase_add_test(tc, errors_have_a_text_and_an_actor);
    suite_add_tcase(s, tc);
    return s;
}

int main(void)
{
    SRunner *runner = srunner_create(suite());
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
