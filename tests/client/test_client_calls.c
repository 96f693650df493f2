/*
 * The calls of a transaction in time: what each says when its time is over, what goes on, and what
 * the same call finds when it is made again. Each test names the rule of client/README.md that it
 * shows. Requests are swallowed on the way, so that nobody answers while the call lasts.
 */
#include <stdlib.h>
#include <string.h>

#include "client_desk.h"
#include "wire/errors.h"
#include "wire/messages.h"

#define MS     ((int64_t)1000)
#define SECOND ((int64_t)1000000)

static struct kdesk *three(void)
{
    struct kdesk *k = kdesk_new(3, 0);
    kdesk_topic(k, "t", 1, 1, 3, "2");
    return k;
}

/* A request that nobody answers is given up after 3 s: what goes on is tried again soon. */
static int transactional(struct kdesk *k)
{
    struct kl_config c = kl_config_default(KL_PRODUCER);
    c.transactional_id = "x";
    c.socket_timeout_ms = 3000;
    c.transaction_timeout_ms = 20000;
    return kdesk_client(k, &c);
}

static void swallow(struct kdesk *k, int16_t api, bool on)
{
    for (int node = 1; node <= 3; node++)
        kdesk_swallow(k, api, node, on);
}

static uint64_t give(struct kdesk *k, int client, enum kl_input_kind kind, int32_t timeout_ms)
{
    static const struct kl_offset offsets[] = {
        {.topic = "t", .partition = 0, .leader_epoch = -1, .offset = 7}};
    bool sends = kind == KL_IN_SEND_OFFSETS;
    return kdesk_command(k, client,
                         (struct kl_input){.kind = kind,
                                           .timeout_ms = timeout_ms,
                                           .group = sends ? "g" : NULL,
                                           .offsets = sends ? offsets : NULL,
                                           .count = sends});
}

/* Waits for the end of a command; the world stands still at that moment, within 10 ms. */
static struct ending wait_for(struct kdesk *k, int client, uint64_t tag)
{
    for (int i = 0; i < 12000 && kdesk_ending(k, client, tag) == NULL; i++)
        kdesk_run(k, 10 * MS);
    ck_assert_ptr_nonnull(kdesk_ending(k, client, tag));
    return *kdesk_ending(k, client, tag);
}

static struct ending call(struct kdesk *k, int client, enum kl_input_kind kind, int32_t timeout_ms)
{
    return wait_for(k, client, give(k, client, kind, timeout_ms));
}

#define ENDS(call_, what, how)                                                                     \
    do {                                                                                           \
        struct ending ends_ = (call_);                                                             \
        ck_assert_int_eq(ends_.error, what);                                                       \
        ck_assert_int_eq(ends_.remedy, how);                                                       \
    } while (0)

/* Initialised, and one record of a transaction is delivered. */
static int open_transaction(struct kdesk *k)
{
    int p = transactional(k);
    ENDS(call(k, p, KL_IN_INIT_TRANSACTIONS, 0), 0, KL_REMEDY_NONE);
    ENDS(call(k, p, KL_IN_BEGIN, 0), 0, KL_REMEDY_NONE);
    uint64_t a = kdesk_send(k, p, "t", 0, "a");
    kdesk_run(k, 2 * SECOND);
    ck_assert_int_eq(kdesk_delivery(k, p, a)->error, 0);
    return p;
}

static enum kl_txn_state state(struct kdesk *k, int p)
{
    return kl_client_txn_state(kdesk_of(k, p));
}

/* Rules call-timeout, call-conflict, call-over, call-resume of init_transactions. */
START_TEST(an_init_goes_on_when_its_time_is_over)
{
    struct kdesk *k = three();
    int p = transactional(k);
    swallow(k, WIRE_API_INIT_PRODUCER_ID, true);
    int64_t began = kdesk_now(k);
    ENDS(call(k, p, KL_IN_INIT_TRANSACTIONS, 2000), KL_ERR_TIMED_OUT, KL_REMEDY_RETRY);
    ck_assert_int_ge(kdesk_now(k), began + 2 * SECOND);
    ck_assert_int_lt(kdesk_now(k), began + 2 * SECOND + 50 * MS);
    ENDS(call(k, p, KL_IN_BEGIN, 0), KL_ERR_CONFLICT, KL_REMEDY_RETRY);
    swallow(k, WIRE_API_INIT_PRODUCER_ID, false);
    kdesk_run(k, 10 * SECOND);
    ck_assert_uint_eq(kdesk_count(k, p, KL_OUT_FACT, KL_FACT_PRODUCER_ID), 1);
    ck_assert_int_eq(state(k, p), KL_TXN_NONE); /* it has an id, but nobody has been told */
    ENDS(call(k, p, KL_IN_BEGIN, 0), KL_ERR_CONFLICT, KL_REMEDY_RETRY);
    uint32_t asked = kdesk_requests(k, p, WIRE_API_INIT_PRODUCER_ID);
    ENDS(call(k, p, KL_IN_INIT_TRANSACTIONS, 2000), 0, KL_REMEDY_NONE);
    ck_assert_uint_eq(kdesk_requests(k, p, WIRE_API_INIT_PRODUCER_ID), asked);
    ck_assert_int_eq(state(k, p), KL_TXN_READY);
    kdesk_free(k);
}
END_TEST

static void refuse_id(void *context, int client, int16_t api, void *message)
{
    (void)context;
    (void)client;
    if (api == WIRE_API_INIT_PRODUCER_ID)
        ((struct wire_init_producer_id_response *)message)->error_code =
            WIRE_ERROR_COORDINATOR_LOAD_IN_PROGRESS;
}

/* Rule call-timeout: an init says why there is no id. */
START_TEST(an_init_says_what_the_coordinator_said)
{
    struct kdesk *k = three();
    int p = transactional(k);
    kdesk_on_response(k, refuse_id, NULL);
    ENDS(call(k, p, KL_IN_INIT_TRANSACTIONS, 4000), WIRE_ERROR_COORDINATOR_LOAD_IN_PROGRESS,
         KL_REMEDY_RETRY);
    kdesk_on_response(k, NULL, NULL);
    ENDS(call(k, p, KL_IN_INIT_TRANSACTIONS, 4000), 0, KL_REMEDY_NONE);
    kdesk_free(k);
}
END_TEST

/* Rule init-timeout */
START_TEST(an_init_without_an_end_has_one)
{
    struct kdesk *k = three();
    int p = transactional(k);
    swallow(k, WIRE_API_INIT_PRODUCER_ID, true);
    int64_t began = kdesk_now(k);
    struct ending e = call(k, p, KL_IN_INIT_TRANSACTIONS, 0);
    ck_assert_int_eq(e.remedy, KL_REMEDY_RETRY);
    ck_assert_int_ge(kdesk_now(k), began + 40 * SECOND); /* twice transaction.timeout.ms */
    ck_assert_int_lt(kdesk_now(k), began + 40 * SECOND + 50 * MS);
    kdesk_free(k);
}
END_TEST

/* Rules call-timeout, call-conflict, call-over, call-resume of commit_transaction and
   abort_transaction. */
START_TEST(an_end_goes_on_when_its_time_is_over)
{
    static const enum kl_input_kind ends[] = {KL_IN_COMMIT, KL_IN_ABORT};
    for (int i = 0; i < 2; i++) {
        struct kdesk *k = three();
        int p = open_transaction(k);
        swallow(k, WIRE_API_END_TXN, true);
        ENDS(call(k, p, ends[i], 1000), KL_ERR_TIMED_OUT, KL_REMEDY_RETRY);
        ENDS(call(k, p, ends[1 - i], 1000), KL_ERR_CONFLICT, KL_REMEDY_RETRY);
        swallow(k, WIRE_API_END_TXN, false);
        kdesk_run(k, 10 * SECOND);
        ck_assert_int_eq(state(k, p), i == 0 ? KL_TXN_COMMITTING : KL_TXN_ABORTING);
        ENDS(call(k, p, KL_IN_BEGIN, 0), KL_ERR_CONFLICT, KL_REMEDY_RETRY);
        uint32_t asked = kdesk_requests(k, p, WIRE_API_END_TXN);
        ENDS(call(k, p, ends[i], 1000), 0, KL_REMEDY_NONE);
        ck_assert_uint_eq(kdesk_requests(k, p, WIRE_API_END_TXN), asked);
        ck_assert_int_eq(state(k, p), KL_TXN_READY);
        ENDS(call(k, p, KL_IN_BEGIN, 0), 0, KL_REMEDY_NONE);
        ENDS(call(k, p, KL_IN_COMMIT, 0), 0, KL_REMEDY_NONE);
        kdesk_free(k);
    }
}
END_TEST

/* Rule flush-timeout */
START_TEST(a_commit_that_waits_for_records_rests_until_it_is_called_again)
{
    struct kdesk *k = three();
    int p = open_transaction(k);
    swallow(k, WIRE_API_PRODUCE, true);
    uint64_t b = kdesk_send(k, p, "t", 0, "b");
    ENDS(call(k, p, KL_IN_COMMIT, 1000), KL_ERR_TIMED_OUT, KL_REMEDY_RETRY);
    swallow(k, WIRE_API_PRODUCE, false);
    kdesk_run(k, 10 * SECOND);
    ck_assert_int_eq(kdesk_delivery(k, p, b)->error, 0);
    ck_assert_uint_eq(kdesk_requests(k, p, WIRE_API_END_TXN), 0);
    ENDS(call(k, p, KL_IN_COMMIT, 1000), 0, KL_REMEDY_NONE);
    ck_assert_uint_eq(kdesk_requests(k, p, WIRE_API_END_TXN), 1);
    kdesk_free(k);
}
END_TEST

/* Rule call-conflict: the same call, while the first one waits. */
START_TEST(a_call_is_not_made_twice_at_once)
{
    struct kdesk *k = three();
    int p = open_transaction(k);
    uint64_t first = give(k, p, KL_IN_COMMIT, 0);
    ENDS(call(k, p, KL_IN_COMMIT, 0), KL_ERR_PREV_IN_PROGRESS, KL_REMEDY_RETRY);
    ENDS(wait_for(k, p, first), 0, KL_REMEDY_NONE);
    ENDS(call(k, p, KL_IN_COMMIT, 0), KL_ERR_STATE, KL_REMEDY_NONE);
    kdesk_free(k);
}
END_TEST

/* Rule offsets-timeout: of the transaction's coordinator, whom nobody has heard. */
START_TEST(offsets_that_were_not_added_may_be_sent_again)
{
    struct kdesk *k = three();
    int p = open_transaction(k);
    swallow(k, WIRE_API_ADD_OFFSETS_TO_TXN, true);
    ENDS(call(k, p, KL_IN_SEND_OFFSETS, 1000), KL_ERR_TIMED_OUT, KL_REMEDY_RETRY);
    ck_assert_int_eq(state(k, p), KL_TXN_OPEN);
    swallow(k, WIRE_API_ADD_OFFSETS_TO_TXN, false);
    ENDS(call(k, p, KL_IN_SEND_OFFSETS, 1000), 0, KL_REMEDY_NONE);
    ENDS(call(k, p, KL_IN_COMMIT, 0), 0, KL_REMEDY_NONE);
    kdesk_free(k);
}
END_TEST

/* Rule offsets-timeout: of the group's, who may have them; no longer than the transaction lives. */
START_TEST(offsets_that_may_be_committed_have_to_be_aborted)
{
    struct kdesk *k = three();
    int p = open_transaction(k);
    swallow(k, WIRE_API_TXN_OFFSET_COMMIT, true);
    int64_t began = kdesk_now(k);
    ENDS(call(k, p, KL_IN_SEND_OFFSETS, 0), KL_ERR_TIMED_OUT, KL_REMEDY_ABORT);
    ck_assert_int_ge(kdesk_now(k), began + 20 * SECOND); /* transaction.timeout.ms */
    ck_assert_int_lt(kdesk_now(k), began + 25 * SECOND);
    ck_assert_int_eq(state(k, p), KL_TXN_ABORTABLE);
    kdesk_free(k);
}
END_TEST

static void fence(void *context, int client, int16_t api, void *message)
{
    (void)context;
    (void)client;
    if (api == WIRE_API_END_TXN)
        ((struct wire_end_txn_response *)message)->error_code = WIRE_ERROR_INVALID_PRODUCER_EPOCH;
}

/* Rules call-over and transaction-error: what was refused meanwhile is told to the one who asks. */
START_TEST(a_fenced_commit_is_told_when_it_is_called_again)
{
    struct kdesk *k = three();
    int p = open_transaction(k);
    swallow(k, WIRE_API_END_TXN, true);
    ENDS(call(k, p, KL_IN_COMMIT, 1000), KL_ERR_TIMED_OUT, KL_REMEDY_RETRY);
    kdesk_on_response(k, fence, NULL);
    swallow(k, WIRE_API_END_TXN, false);
    kdesk_run(k, 10 * SECOND);
    ck_assert_int_eq(state(k, p), KL_TXN_FATAL);
    ENDS(call(k, p, KL_IN_COMMIT, 1000), KL_ERR_FENCED, KL_REMEDY_NONE_LEFT);
    ENDS(call(k, p, KL_IN_BEGIN, 0), KL_ERR_FENCED, KL_REMEDY_NONE_LEFT);
    kdesk_free(k);
}
END_TEST

/* A call that nobody waits for is not ended twice. */
START_TEST(a_close_forgets_what_was_left)
{
    struct kdesk *k = three();
    int p = open_transaction(k);
    swallow(k, WIRE_API_END_TXN, true);
    uint64_t commit = give(k, p, KL_IN_COMMIT, 1000);
    ENDS(wait_for(k, p, commit), KL_ERR_TIMED_OUT, KL_REMEDY_RETRY);
    call(k, p, KL_IN_CLOSE, 0);
    ENDS(wait_for(k, p, commit), KL_ERR_TIMED_OUT, KL_REMEDY_RETRY); /* once: kdesk_ending looks */
    kl_client_check(kdesk_of(k, p));
    kdesk_free(k);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("client calls");
    TCase *c = tcase_create("calls");
    tcase_add_test(c, an_init_goes_on_when_its_time_is_over);
    tcase_add_test(c, an_init_says_what_the_coordinator_said);
    tcase_add_test(c, an_init_without_an_end_has_one);
    tcase_add_test(c, an_end_goes_on_when_its_time_is_over);
    tcase_add_test(c, a_commit_that_waits_for_records_rests_until_it_is_called_again);
    tcase_add_test(c, a_call_is_not_made_twice_at_once);
    tcase_add_test(c, offsets_that_were_not_added_may_be_sent_again);
    tcase_add_test(c, offsets_that_may_be_committed_have_to_be_aborted);
    tcase_add_test(c, a_fenced_commit_is_told_when_it_is_called_again);
    tcase_add_test(c, a_close_forgets_what_was_left);
    tcase_set_timeout(c, 120);
    suite_add_tcase(s, c);
    SRunner *r = srunner_create(s);
    srunner_run_all(r, CK_NORMAL);
    int failed = srunner_ntests_failed(r);
    srunner_free(r);
    return failed == 0 ? 0 : 1;
}
