/*
 * Goal: a properties file of Kafka is understood as Kafka does, and what is wrong is told.
 * Method: files in a temporary folder, read over the defaults.
 */
#define _GNU_SOURCE
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "live/settings.h"

static struct live_settings settings;
static struct sim_diagnostics diagnostics;

static bool read_text(const char *text)
{
    char file[] = "/tmp/kcsim-settings-XXXXXX";
    int fd = mkstemp(file);
    ck_assert_int_ge(fd, 0);
    ck_assert_int_eq(write(fd, text, strlen(text)), (ssize_t)strlen(text));
    close(fd);
    settings = live_settings_default();
    sim_diagnostics_init(&diagnostics);
    bool good = live_settings_read(&settings, file, &diagnostics);
    unlink(file);
    return good;
}

/* What was said, as one text; owned. */
static char *told(void)
{
    char *text = NULL;
    size_t size = 0;
    FILE *out = open_memstream(&text, &size);
    sim_diagnostics_print(&diagnostics, out, false);
    fclose(out);
    sim_diagnostics_free(&diagnostics);
    return text;
}

static void refused(const char *text, const char *why)
{
    ck_assert(!read_text(text));
    char *said = told();
    ck_assert_msg(strstr(said, why) != NULL, "expected '%s' in:\n%s", why, said);
    free(said);
}

START_TEST(keys_of_a_broker_are_read)
{
    ck_assert(read_text("# a broker\n"
                        "broker.id=7\n"
                        "zookeeper.connect = zk1:2181,zk2:2181/kafka\n"
                        "listeners=PLAINTEXT://:9093\n"
                        "advertised.listeners=PLAINTEXT://broker7.example:9094\n"
                        "inter.broker.protocol.version=2.6-IV0\n"
                        "zookeeper.session.timeout.ms=6000\n"
                        "connections.max.idle.ms=-1\n"
                        "auto.leader.rebalance.enable=false\n"
                        "kcsim.zookeeper.write.group=1\n"));
    ck_assert_int_eq(settings.id, 7);
    ck_assert_str_eq(settings.zookeeper, "zk1:2181,zk2:2181/kafka");
    ck_assert_str_eq(settings.listen.host, "0.0.0.0");
    ck_assert_int_eq(settings.listen.port, 9093);
    ck_assert_str_eq(settings.advertised.host, "broker7.example");
    ck_assert_int_eq(settings.kafka.session_timeout_us, 6000000);
    ck_assert_int_eq(settings.idle_us, -1);
    ck_assert(!settings.kafka.auto_leader_rebalance);
    ck_assert_int_eq(settings.kafka.zk_write_group, 1);
    ck_assert_uint_eq(diagnostics.warnings, 0);
    sim_diagnostics_free(&diagnostics);
}
END_TEST

START_TEST(a_key_without_effect_warns)
{
    ck_assert(read_text("log.flush.interval.ms=1000\n"));
    ck_assert_uint_eq(diagnostics.warnings, 1);
    sim_diagnostics_free(&diagnostics);
}
END_TEST

START_TEST(what_is_wrong_is_told)
{
    refused("zookeeper.session.timeout=6000\n", "did you mean 'zookeeper.session.timeout.ms'");
    refused("broker.id=-3\n", "it may be 0 to");
    refused("\n\ninter.broker.protocol.version=2.8\n", ":3:");
    refused("inter.broker.protocol.version=2.8\n", "2.4, 2.5 or 2.6");
    refused("inter.broker.protocol.version=2.61\n", "2.61 is not spoken");
    refused("listeners=SSL://:9093\n", "PLAINTEXT://HOST:PORT");
    refused("listeners=PLAINTEXT://a:1,PLAINTEXT://b:2\n", "one listener");
    refused("security.inter.broker.protocol=SASL_SSL\n", "only PLAINTEXT");
    refused("socket.request.max.bytes=lots\n", "a whole number");
    refused("kcsim.zookeeper.write.group=100000\n", "it may be 1 to");
}
END_TEST

START_TEST(a_missing_file_is_told)
{
    settings = live_settings_default();
    sim_diagnostics_init(&diagnostics);
    ck_assert(!live_settings_read(&settings, "/nonexistent/server.properties", &diagnostics));
    char *said = told();
    ck_assert_ptr_nonnull(strstr(said, "cannot be read"));
    free(said);
}
END_TEST

START_TEST(addresses_are_split)
{
    struct live_address a;
    ck_assert(live_address_parse("127.0.0.1:0", &a));
    ck_assert_int_eq(a.port, 0);
    ck_assert(live_address_parse("[::1]:65535", &a));
    ck_assert_str_eq(a.host, "::1");
    ck_assert(!live_address_parse("localhost", &a));
    ck_assert(!live_address_parse("localhost:", &a));
    ck_assert(!live_address_parse(":9092", &a));
    ck_assert(!live_address_parse("localhost:65536", &a));
    ck_assert(!live_address_parse("localhost:1x", &a));
}
END_TEST

int main(void)
{
    Suite *s = suite_create("live settings");
    TCase *t = tcase_create("settings");
    tcase_add_test(t, keys_of_a_broker_are_read);
    tcase_add_test(t, a_key_without_effect_warns);
    tcase_add_test(t, what_is_wrong_is_told);
    tcase_add_test(t, a_missing_file_is_told);
    tcase_add_test(t, addresses_are_split);
    suite_add_tcase(s, t);
    SRunner *r = srunner_create(s);
    srunner_run_all(r, CK_NORMAL);
    int failed = srunner_ntests_failed(r);
    srunner_free(r);
    return failed == 0 ? 0 : 1;
}
