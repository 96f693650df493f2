/*
 * The ZooKeeper client session, step by step: what it says is compared as text.
 */
#include <check.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "node/session.h"

#define SECOND ((int64_t)1000000)

static struct kn_session *session;
static char said[4096];

static void say(const char *format, ...) __attribute__((format(printf, 1, 2)));
static void say(const char *format, ...)
{
    size_t n = strlen(said);
    va_list args;
    va_start(args, format);
    vsnprintf(said + n, sizeof(said) - n, format, args);
    va_end(args);
}

static void put(void *context, const struct kn_session_output *o)
{
    (void)context;
    switch ((enum kn_session_output_kind)o->kind) {
    case KN_SESSION_OUT_NONE:
        break;
    case KN_SESSION_OUT_CONNECT:
        say("connect %lld\n", (long long)o->session);
        break;
    case KN_SESSION_OUT_HANG_UP:
        say("hang up\n");
        break;
    case KN_SESSION_OUT_SEND:
        say("send %u%s\n", o->request->xid, o->again ? " again" : "");
        break;
    case KN_SESSION_OUT_PING:
        say("ping\n");
        break;
    case KN_SESSION_OUT_CLOSE:
        say("close\n");
        break;
    case KN_SESSION_OUT_TIMER:
        say("timer %lld\n", (long long)(o->due_us < 0 ? -1 : o->due_us / 1000));
        break;
    case KN_SESSION_OUT_REPLY:
        say("reply %u to %u: %s\n", o->reply->xid, o->owner, wire_zk_err_name(o->reply->err));
        break;
    case KN_SESSION_OUT_CREATED:
        say("created %lld\n", (long long)o->session);
        break;
    case KN_SESSION_OUT_CONNECTED:
        say("connected %lld\n", (long long)o->session);
        break;
    case KN_SESSION_OUT_DISCONNECTED:
        say("disconnected\n");
        break;
    case KN_SESSION_OUT_EXPIRED:
        say("expired %lld\n", (long long)o->session);
        break;
    case KN_SESSION_OUT_CLOSED:
        say("closed %lld\n", (long long)o->session);
        break;
    }
}

static enum sm_err step(int64_t now_us, struct kn_session_input in)
{
    struct kn_session_outputs out = {.put = put};
    enum sm_err err = kn_session_step(session, now_us, &in, &out);
    kn_session_check(session);
    return err;
}

/* Consumes what was said since the last time. */
static void ck_said(const char *expected)
{
    ck_assert_str_eq(said, expected);
    said[0] = '\0';
}

static enum sm_err ask(uint32_t xid)
{
    _Alignas(8) uint8_t bytes[128];
    struct wire_zk_builder b;
    wire_zk_begin(&b, bytes, sizeof(bytes), xid, false);
    wire_zk_add(&b, (struct wire_zk_op){.opcode = WIRE_ZK_GET_DATA, .path_size = 2}, "/a", NULL);
    return step(0, (struct kn_session_input){
                       .kind = KN_SESSION_IN_REQUEST, .owner = 7, .request = wire_zk_end(&b)});
}

static enum sm_err answer(uint32_t xid)
{
    struct wire_zk_reply reply = {.size = sizeof(reply), .xid = xid, .zxid = 5};
    return step(0, (struct kn_session_input){.kind = KN_SESSION_IN_REPLY, .reply = &reply});
}

static void connected(int64_t now_us, int64_t id)
{
    step(now_us, (struct kn_session_input){.kind = KN_SESSION_IN_CONNECTED,
                                           .session = id,
                                           .password = 9,
                                           .timeout_us = 6 * SECOND});
}

static void setup(void)
{
    struct kn_session_limits limits = kn_session_limits_default();
    struct kn_session_config config = kn_session_config_default();
    config.timeout_us = 6 * SECOND;
    limits.request_bytes = 1024;
    session = malloc(kn_session_size(&limits));
    kn_session_init(session, &limits, &config);
    said[0] = '\0';
}

static void setup_connected(void)
{
    setup();
    step(0, (struct kn_session_input){.kind = KN_SESSION_IN_OPEN});
    connected(0, 1);
    said[0] = '\0';
}

static void teardown(void)
{
    free(session);
}

START_TEST(a_new_session_is_asked_for_and_made)
{
    ck_assert_int_eq(step(0, (struct kn_session_input){.kind = KN_SESSION_IN_OPEN}), SM_ERR_OK);
    ck_said("connect 0\ntimer 6000\n");
    ask(1);
    ck_said("");
    connected(0, 42);
    ck_said("created 42\nsend 1\ntimer 2000\n");
    ck_assert_int_eq(answer(1), SM_ERR_OK);
    ck_said("reply 1 to 7: OK\n");
    ck_assert_int_eq(answer(2), SM_ERR_ILLEGAL_STATE);
}
END_TEST

/* Goal: nobody is told of a lost connection; what has no reply is sent again, in order. */
START_TEST(requests_without_a_reply_are_sent_again_in_order)
{
    ask(1);
    ask(2);
    ask(3);
    answer(1);
    ck_said("send 1\nsend 2\nsend 3\nreply 1 to 7: OK\n");
    step(SECOND, (struct kn_session_input){.kind = KN_SESSION_IN_DISCONNECTED});
    ck_said("disconnected\ntimer 1500\n");
    ask(4);
    ck_said("");
    step(SECOND * 3 / 2, (struct kn_session_input){.kind = KN_SESSION_IN_TIMER});
    ck_said("connect 1\ntimer 7500\n");
    connected(SECOND * 3 / 2, 1);
    ck_said("connected 1\nsend 2 again\nsend 3 again\nsend 4\ntimer 3500\n");
}
END_TEST

/* Goal: a session learns of its end on reconnecting; all that waits is denied, also what is new. */
START_TEST(an_expired_session_denies_until_it_is_opened_again)
{
    ask(1);
    ask(2);
    step(SECOND, (struct kn_session_input){.kind = KN_SESSION_IN_DISCONNECTED});
    step(SECOND * 3 / 2, (struct kn_session_input){.kind = KN_SESSION_IN_TIMER});
    said[0] = '\0';
    step(2 * SECOND, (struct kn_session_input){.kind = KN_SESSION_IN_CONNECTED});
    ck_said("timer -1\nexpired 1\n");
    ck_assert_int_eq(kn_session_state(session), KN_SESSION_EXPIRED);
    ask(3);
    while (step(2 * SECOND, (struct kn_session_input){.kind = KN_SESSION_IN_DENY}) == SM_ERR_OK)
        ;
    ck_said("reply 1 to 7: SESSIONEXPIRED\nreply 2 to 7: SESSIONEXPIRED\n"
            "reply 3 to 7: SESSIONEXPIRED\n");
    step(2 * SECOND, (struct kn_session_input){.kind = KN_SESSION_IN_OPEN});
    connected(2 * SECOND, 2);
    ck_said("connect 0\ntimer 8000\ncreated 2\ntimer 4000\n");
}
END_TEST

START_TEST(it_pings_every_third_and_gives_up_after_two_thirds_of_silence)
{
    step(2 * SECOND, (struct kn_session_input){.kind = KN_SESSION_IN_TIMER});
    ck_said("ping\ntimer 4000\n");
    step(2 * SECOND, (struct kn_session_input){.kind = KN_SESSION_IN_HEARD});
    step(4 * SECOND, (struct kn_session_input){.kind = KN_SESSION_IN_TIMER});
    ck_said("ping\ntimer 6000\n");
    step(6 * SECOND, (struct kn_session_input){.kind = KN_SESSION_IN_TIMER});
    ck_said("hang up\ndisconnected\ntimer 6500\n");
}
END_TEST

START_TEST(a_connection_that_cannot_be_made_is_given_up_and_tried_again)
{
    step(0, (struct kn_session_input){.kind = KN_SESSION_IN_OPEN});
    said[0] = '\0';
    step(6 * SECOND, (struct kn_session_input){.kind = KN_SESSION_IN_TIMER});
    ck_said("hang up\ntimer 6500\n");
    step(SECOND * 13 / 2, (struct kn_session_input){.kind = KN_SESSION_IN_TIMER});
    ck_said("connect 0\ntimer 12500\n");
}
END_TEST

START_TEST(a_closed_session_takes_nothing_more)
{
    ask(1);
    step(0, (struct kn_session_input){.kind = KN_SESSION_IN_CLOSE});
    ck_said("send 1\nclose\ntimer -1\nclosed 1\n");
    ck_assert_int_eq(ask(2), SM_ERR_ILLEGAL_STATE);
    ck_assert_int_eq(step(0, (struct kn_session_input){.kind = KN_SESSION_IN_CLOSE}),
                     SM_ERR_ILLEGAL_STATE);
}
END_TEST

/* Goal: a full FIFO refuses and stays as it was; grown by copy it goes on, in order. */
START_TEST(a_full_session_grows_by_copy)
{
    uint32_t taken = 0;
    while (ask(taken + 1) == SM_ERR_OK)
        taken++;
    ck_assert_uint_gt(taken, 2);
    ck_assert_uint_eq(kn_session_outstanding(session), taken);
    for (uint32_t i = 0; i < 2; i++) {
        answer(i + 1);
        ck_assert_int_eq(ask(taken + 1 + i), SM_ERR_OK);
    }
    struct kn_session_limits limits = *kn_session_limits_of(session);
    limits.request_bytes *= 2;
    struct kn_session *larger = malloc(kn_session_size(&limits));
    kn_session_grow(session, larger, &limits);
    free(session);
    session = larger;
    ck_assert_int_eq(ask(taken + 3), SM_ERR_OK);
    for (uint32_t i = 3; i <= taken + 3; i++)
        ck_assert_int_eq(answer(i), SM_ERR_OK);
    ck_assert_uint_eq(kn_session_outstanding(session), 0);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("session");
    TCase *fresh = tcase_create("fresh"), *up = tcase_create("connected");
    tcase_add_checked_fixture(fresh, setup, teardown);
    tcase_add_test(fresh, a_new_session_is_asked_for_and_made);
    tcase_add_test(fresh, a_connection_that_cannot_be_made_is_given_up_and_tried_again);
    tcase_add_checked_fixture(up, setup_connected, teardown);
    tcase_add_test(up, requests_without_a_reply_are_sent_again_in_order);
    tcase_add_test(up, an_expired_session_denies_until_it_is_opened_again);
    tcase_add_test(up, it_pings_every_third_and_gives_up_after_two_thirds_of_silence);
    tcase_add_test(up, a_closed_session_takes_nothing_more);
    tcase_add_test(up, a_full_session_grows_by_copy);
    suite_add_tcase(suite, fresh);
    suite_add_tcase(suite, up);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? 0 : 1;
}
