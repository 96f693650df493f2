/*
 * Idempotent and transactional producers, and consumers that read what was committed. Each test
 * names the rule of client/README.md that it shows.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "client_desk.h"
#include "wire/errors.h"
#include "wire/messages.h"

#define MS     ((int64_t)1000)
#define SECOND ((int64_t)1000000)

static int idempotent(struct kdesk *k)
{
    struct kl_config c = kl_config_default(KL_PRODUCER);
    c.enable_idempotence = 1;
    return kdesk_client(k, &c);
}

static int transactional(struct kdesk *k, const char *id)
{
    struct kl_config c = kl_config_default(KL_PRODUCER);
    c.transactional_id = id;
    return kdesk_client(k, &c);
}

static int reader(struct kdesk *k, enum kl_isolation isolation, int partitions)
{
    struct kl_config c = kl_config_default(KL_CONSUMER);
    c.isolation = isolation;
    int client = kdesk_client(k, &c);
    kdesk_assign(k, client, "t", partitions, KL_OFFSET_BEGINNING);
    return client;
}

static struct kdesk *three(void)
{
    struct kdesk *k = kdesk_new(3, 0);
    kdesk_topic(k, "t", 3, 1, 3, "2");
    return k;
}

/* Gives a command without arguments and waits for its end; returns its error. */
static int call(struct kdesk *k, int client, enum kl_input_kind kind)
{
    uint64_t tag = kdesk_command(k, client, (struct kl_input){.kind = kind});
    for (int i = 0; i < 400 && kdesk_ending(k, client, tag) == NULL; i++)
        kdesk_run(k, 100 * MS);
    ck_assert_ptr_nonnull(kdesk_ending(k, client, tag));
    return kdesk_ending(k, client, tag)->error;
}

/* Changes the error of the next `left` answers of an API (Produce, EndTxn, AddPartitionsToTxn). */
struct forge {
    int16_t api;
    int error, left;
};

static void forge(void *context, int client, int16_t api, void *message)
{
    struct forge *f = context;
    (void)client;
    if (api != f->api || f->left == 0)
        return;
    f->left--;
    if (api == WIRE_API_PRODUCE) {
        struct wire_produce_response *r = message;
        struct wire_produce_response_response *t = (void *)((uint8_t *)message + r->responses.at);
        struct wire_produce_response_partition_response *p =
            (void *)((uint8_t *)message + t->partition_responses.at);
        p->error_code = (int16_t)f->error;
    } else if (api == WIRE_API_END_TXN) {
        ((struct wire_end_txn_response *)message)->error_code = (int16_t)f->error;
    } else if (api == WIRE_API_INIT_PRODUCER_ID) {
        ((struct wire_init_producer_id_response *)message)->error_code = (int16_t)f->error;
    }
}

/* ---- idempotence ---- */

/* Rule producer-id, duplicate-sequence */
START_TEST(a_lost_answer_makes_no_duplicate)
{
    struct kdesk *k = three();
    int p = idempotent(k), c = reader(k, KL_READ_COMMITTED, 1);
    kdesk_lose(k, WIRE_API_PRODUCE, 3);
    uint64_t a = kdesk_send(k, p, "t", 0, "a");
    kdesk_run(k, 5 * SECOND);
    ck_assert_int_eq(kdesk_delivery(k, p, a)->error, 0);
    ck_assert_int_eq(kdesk_delivery(k, p, a)->persisted, KL_PERSISTED);
    ck_assert_str_eq(kdesk_read(k, c, "t", 0), "a@0");
    ck_assert_uint_ge(kdesk_requests(k, p, WIRE_API_PRODUCE), 4);
    kdesk_free(k);
}
END_TEST

/* Rule idempotent-in-flight */
START_TEST(no_more_than_five_records_are_under_way)
{
    struct kdesk *k = three();
    struct kl_config config = kl_config_default(KL_PRODUCER);
    config.enable_idempotence = 1;
    config.batch_num_messages = 1;
    int p = kdesk_client(k, &config);
    kdesk_send(k, p, "t", 0, "warm");
    kdesk_run(k, SECOND);
    kdesk_swallow(k, WIRE_API_PRODUCE, 1, true);
    for (int i = 0; i < 9; i++)
        kdesk_send(k, p, "t", 0, "x");
    kdesk_run(k, SECOND);
    ck_assert_uint_eq(kdesk_requests(k, p, WIRE_API_PRODUCE), 1 + 5);
    kdesk_free(k);
}
END_TEST

/* Rule implicit-ack, produce-retry, leader-change: several batches, their answers lost one by one.
 */
START_TEST(many_batches_and_lost_answers_keep_order)
{
    struct kdesk *k = three();
    struct kl_config config = kl_config_default(KL_PRODUCER);
    config.enable_idempotence = 1;
    config.batch_num_messages = 1;
    int p = kdesk_client(k, &config), c = reader(k, KL_READ_COMMITTED, 1);
    kdesk_send(k, p, "t", 0, "0");
    kdesk_run(k, SECOND);
    for (int i = 1; i < 8; i++) {
        char value[2] = {(char)('0' + i), 0};
        kdesk_lose(k, WIRE_API_PRODUCE, i % 3);
        kdesk_send(k, p, "t", 0, value);
        kdesk_run(k, i % 2 == 0 ? 3 * MS : 200 * MS);
    }
    kdesk_kill(k, 1);
    kdesk_run(k, 20 * SECOND);
    ck_assert_str_eq(kdesk_read(k, c, "t", 0), "0@0 1@1 2@2 3@3 4@4 5@5 6@6 7@7");
    size_t count;
    const struct delivery *d = kdesk_deliveries(k, &count);
    ck_assert_uint_eq(count, 8);
    for (size_t i = 0; i < count; i++)
        ck_assert_int_eq(d[i].error, 0);
    kdesk_free(k);
}
END_TEST

/* Rule out-of-order-sequence: of the first under way it is fatal. */
START_TEST(a_lost_sequence_is_fatal)
{
    struct kdesk *k = three();
    struct forge f = {WIRE_API_PRODUCE, WIRE_ERROR_OUT_OF_ORDER_SEQUENCE_NUMBER, 1};
    int p = idempotent(k);
    kdesk_on_response(k, forge, &f);
    uint64_t a = kdesk_send(k, p, "t", 0, "a");
    kdesk_run(k, 5 * SECOND);
    ck_assert_int_eq(kdesk_delivery(k, p, a)->error, WIRE_ERROR_OUT_OF_ORDER_SEQUENCE_NUMBER);
    ck_assert_int_eq(kdesk_delivery(k, p, a)->persisted, KL_POSSIBLY_PERSISTED);
    ck_assert_uint_eq(kdesk_count(k, p, KL_OUT_ERROR, 0), 1);
    uint64_t b = kdesk_send(k, p, "t", 0, "b");
    ck_assert_int_eq(kdesk_delivery(k, p, b)->error, KL_ERR_FATAL);
    kdesk_free(k);
}
END_TEST

/* Rule unknown-producer-id, epoch-bump: nothing can be there twice, so the epoch is raised. */
START_TEST(an_unknown_id_raises_the_epoch)
{
    struct kdesk *k = three();
    struct forge f = {WIRE_API_PRODUCE, WIRE_ERROR_UNKNOWN_PRODUCER_ID, 1};
    int p = idempotent(k);
    kdesk_on_response(k, forge, &f);
    uint64_t a = kdesk_send(k, p, "t", 0, "a");
    kdesk_run(k, 5 * SECOND);
    ck_assert_int_eq(kdesk_delivery(k, p, a)->error, 0);
    ck_assert_uint_eq(kdesk_count(k, p, KL_OUT_FACT, KL_FACT_PRODUCER_ID), 2);
    ck_assert_uint_eq(kdesk_count(k, p, KL_OUT_ERROR, 0), 0);
    kdesk_free(k);
}
END_TEST

/* Rule permanent-error: what is refused for good fails, the epoch is raised, the rest goes on. */
START_TEST(a_refused_batch_raises_the_epoch)
{
    struct kdesk *k = three();
    struct forge f = {WIRE_API_PRODUCE, WIRE_ERROR_MESSAGE_TOO_LARGE, 1};
    int p = idempotent(k);
    kdesk_on_response(k, forge, &f);
    uint64_t a = kdesk_send(k, p, "t", 0, "a");
    kdesk_run(k, SECOND);
    uint64_t b = kdesk_send(k, p, "t", 0, "b");
    kdesk_run(k, 5 * SECOND);
    ck_assert_int_eq(kdesk_delivery(k, p, a)->error, WIRE_ERROR_MESSAGE_TOO_LARGE);
    ck_assert_int_eq(kdesk_delivery(k, p, b)->error, 0);
    ck_assert_uint_eq(kdesk_count(k, p, KL_OUT_FACT, KL_FACT_PRODUCER_ID), 2);
    kdesk_free(k);
}
END_TEST

/* Rule producer-id-errors */
START_TEST(an_id_that_cannot_be_had_is_asked_for_again)
{
    struct kdesk *k = three();
    struct forge f = {WIRE_API_INIT_PRODUCER_ID, WIRE_ERROR_COORDINATOR_LOAD_IN_PROGRESS, 2};
    kdesk_on_response(k, forge, &f);
    int p = idempotent(k);
    uint64_t a = kdesk_send(k, p, "t", 0, "a");
    kdesk_run(k, 5 * SECOND);
    ck_assert_int_eq(kdesk_delivery(k, p, a)->error, 0);
    ck_assert_uint_eq(kdesk_requests(k, p, WIRE_API_INIT_PRODUCER_ID), 3);
    f = (struct forge){WIRE_API_INIT_PRODUCER_ID, WIRE_ERROR_CLUSTER_AUTHORIZATION_FAILED, 1};
    int q = idempotent(k);
    kdesk_run(k, 5 * SECOND);
    ck_assert_uint_eq(kdesk_count(k, q, KL_OUT_ERROR, 0), 1);
    kdesk_free(k);
}
END_TEST

/* ---- transactions ---- */

/* Rule read-committed */
START_TEST(what_is_committed_is_read_and_what_is_aborted_is_not)
{
    struct kdesk *k = three();
    int p = transactional(k, "x"), c = reader(k, KL_READ_COMMITTED, 2),
        dirty = reader(k, KL_READ_UNCOMMITTED, 2);
    ck_assert_int_eq(call(k, p, KL_IN_INIT_TRANSACTIONS), 0);
    ck_assert_int_eq(kl_client_txn_state(kdesk_of(k, p)), KL_TXN_READY);
    ck_assert_int_eq(kdesk_delivery(k, p, kdesk_send(k, p, "t", 0, "no"))->error, KL_ERR_STATE);
    ck_assert_int_eq(call(k, p, KL_IN_BEGIN), 0);
    kdesk_send(k, p, "t", 0, "a");
    kdesk_send(k, p, "t", 1, "x");
    kdesk_run(k, 2 * SECOND);
    ck_assert_str_eq(kdesk_read(k, dirty, "t", 0), "a@0");
    ck_assert_str_eq(kdesk_read(k, c, "t", 0), "");
    ck_assert_int_eq(call(k, p, KL_IN_COMMIT), 0);
    ck_assert_int_eq(call(k, p, KL_IN_BEGIN), 0);
    kdesk_send(k, p, "t", 0, "b");
    kdesk_run(k, 2 * SECOND);
    ck_assert_int_eq(call(k, p, KL_IN_ABORT), 0);
    ck_assert_int_eq(call(k, p, KL_IN_BEGIN), 0);
    kdesk_send(k, p, "t", 0, "c");
    ck_assert_int_eq(call(k, p, KL_IN_COMMIT), 0);
    kdesk_run(k, 2 * SECOND);
    ck_assert_str_eq(kdesk_read(k, dirty, "t", 0), "a@0 b@2 c@4");
    ck_assert_str_eq(kdesk_read(k, c, "t", 0), "a@0 c@4");
    ck_assert_str_eq(kdesk_read(k, c, "t", 1), "x@0");
    ck_assert_int_eq(kl_client_position(kdesk_of(k, c), "t", 0), 6);
    kdesk_free(k);
}
END_TEST

/* Rule empty-transaction */
START_TEST(an_empty_transaction_says_nothing)
{
    struct kdesk *k = three();
    int p = transactional(k, "x");
    ck_assert_int_eq(call(k, p, KL_IN_BEGIN), KL_ERR_STATE);
    ck_assert_int_eq(call(k, p, KL_IN_INIT_TRANSACTIONS), 0);
    ck_assert_int_eq(call(k, p, KL_IN_BEGIN), 0);
    ck_assert_int_eq(call(k, p, KL_IN_COMMIT), 0);
    ck_assert_int_eq(call(k, p, KL_IN_BEGIN), 0);
    ck_assert_int_eq(call(k, p, KL_IN_ABORT), 0);
    ck_assert_uint_eq(kdesk_requests(k, p, WIRE_API_END_TXN), 0);
    kdesk_free(k);
}
END_TEST

/* Rule transaction-fatal: another producer of the same id has come. */
START_TEST(an_older_producer_is_fenced)
{
    struct kdesk *k = three();
    int old = transactional(k, "x"), c = reader(k, KL_READ_COMMITTED, 1);
    ck_assert_int_eq(call(k, old, KL_IN_INIT_TRANSACTIONS), 0);
    ck_assert_int_eq(call(k, old, KL_IN_BEGIN), 0);
    kdesk_send(k, old, "t", 0, "zombie");
    kdesk_run(k, 2 * SECOND);
    int young = transactional(k, "x");
    ck_assert_int_eq(call(k, young, KL_IN_INIT_TRANSACTIONS), 0);
    ck_assert_int_eq(call(k, old, KL_IN_COMMIT), KL_ERR_FENCED);
    ck_assert_int_eq(kl_client_txn_state(kdesk_of(k, old)), KL_TXN_FATAL);
    ck_assert_int_eq(call(k, young, KL_IN_BEGIN), 0);
    kdesk_send(k, young, "t", 0, "a");
    ck_assert_int_eq(call(k, young, KL_IN_COMMIT), 0);
    kdesk_run(k, 2 * SECOND);
    ck_assert_ptr_null(strstr(kdesk_read(k, c, "t", 0), "zombie"));
    ck_assert_ptr_nonnull(strstr(kdesk_read(k, c, "t", 0), "a@"));
    kdesk_free(k);
}
END_TEST

/* Rule commit-needs-all, transaction-abortable, epoch-bump (KIP-360): after a refused batch only an
   abort is left. */
START_TEST(after_a_refused_batch_only_an_abort_is_left)
{
    struct kdesk *k = three();
    struct forge f = {WIRE_API_PRODUCE, WIRE_ERROR_MESSAGE_TOO_LARGE, 1};
    int p = transactional(k, "x");
    ck_assert_int_eq(call(k, p, KL_IN_INIT_TRANSACTIONS), 0);
    ck_assert_int_eq(call(k, p, KL_IN_BEGIN), 0);
    kdesk_on_response(k, forge, &f);
    kdesk_send(k, p, "t", 0, "a");
    kdesk_run(k, 2 * SECOND);
    ck_assert_int_eq(kl_client_txn_state(kdesk_of(k, p)), KL_TXN_ABORTABLE);
    ck_assert_int_eq(call(k, p, KL_IN_COMMIT), WIRE_ERROR_MESSAGE_TOO_LARGE);
    ck_assert_int_eq(call(k, p, KL_IN_ABORT), 0);
    f = (struct forge){WIRE_API_PRODUCE, WIRE_ERROR_UNKNOWN_PRODUCER_ID, 1};
    ck_assert_int_eq(call(k, p, KL_IN_BEGIN), 0);
    kdesk_send(k, p, "t", 0, "b");
    kdesk_run(k, 2 * SECOND);
    ck_assert_int_eq(kl_client_txn_state(kdesk_of(k, p)), KL_TXN_ABORTABLE);
    size_t ids = kdesk_count(k, p, KL_OUT_FACT, KL_FACT_PRODUCER_ID);
    ck_assert_int_eq(call(k, p, KL_IN_ABORT), 0);
    ck_assert_uint_eq(kdesk_count(k, p, KL_OUT_FACT, KL_FACT_PRODUCER_ID), ids + 1);
    ck_assert_int_eq(call(k, p, KL_IN_BEGIN), 0);
    kdesk_send(k, p, "t", 0, "c");
    ck_assert_int_eq(call(k, p, KL_IN_COMMIT), 0);
    kdesk_free(k);
}
END_TEST

/* Rule end-txn-errors, coordinator-down */
START_TEST(a_commit_survives_its_coordinator)
{
    struct kdesk *k = three();
    int p = transactional(k, "x"), c = reader(k, KL_READ_COMMITTED, 1);
    ck_assert_int_eq(call(k, p, KL_IN_INIT_TRANSACTIONS), 0);
    ck_assert_int_eq(call(k, p, KL_IN_BEGIN), 0);
    kdesk_send(k, p, "t", 0, "a");
    kdesk_run(k, 2 * SECOND);
    int coordinator = 0;
    size_t count;
    const struct said *s = kdesk_said(k, &count);
    for (size_t i = 0; i < count; i++)
        if (s[i].kind == KL_OUT_FACT && s[i].what == KL_FACT_COORDINATOR)
            coordinator = s[i].broker;
    ck_assert_int_gt(coordinator, 0);
    kdesk_lose(k, WIRE_API_END_TXN, 1);
    uint64_t commit = kdesk_command(k, p, (struct kl_input){.kind = KL_IN_COMMIT});
    kdesk_run(k, MS);
    kdesk_kill(k, coordinator);
    kdesk_run(k, 30 * SECOND);
    ck_assert_ptr_nonnull(kdesk_ending(k, p, commit));
    ck_assert_int_eq(kdesk_ending(k, p, commit)->error, 0);
    ck_assert_str_eq(kdesk_read(k, c, "t", 0), "a@0");
    kdesk_free(k);
}
END_TEST

/* Rule add-offsets-errors, txn-offset-commit-errors (KIP-447) */
START_TEST(offsets_are_sent_with_the_transaction)
{
    struct kdesk *k = three();
    int p = transactional(k, "x");
    struct kl_offset offsets[] = {{.topic = "t", .partition = 0, .leader_epoch = -1, .offset = 7}};
    struct kl_member stale = {.id = "nobody", .generation = 3};
    ck_assert_int_eq(call(k, p, KL_IN_INIT_TRANSACTIONS), 0);
    ck_assert_int_eq(call(k, p, KL_IN_BEGIN), 0);
    uint64_t sent = kdesk_command(
        k, p,
        (struct kl_input){
            .kind = KL_IN_SEND_OFFSETS, .group = "g", .offsets = offsets, .count = 1});
    kdesk_run(k, 10 * SECOND);
    ck_assert_ptr_nonnull(kdesk_ending(k, p, sent));
    ck_assert_int_eq(kdesk_ending(k, p, sent)->error, 0);
    ck_assert_int_eq(call(k, p, KL_IN_COMMIT), 0);
    ck_assert_int_eq(call(k, p, KL_IN_BEGIN), 0);
    sent = kdesk_command(k, p,
                         (struct kl_input){.kind = KL_IN_SEND_OFFSETS,
                                           .group = "g",
                                           .member = &stale,
                                           .offsets = offsets,
                                           .count = 1});
    kdesk_run(k, 10 * SECOND);
    ck_assert_ptr_nonnull(kdesk_ending(k, p, sent));
    ck_assert_int_ne(kdesk_ending(k, p, sent)->error, 0);
    ck_assert_int_eq(kl_client_txn_state(kdesk_of(k, p)), KL_TXN_ABORTABLE);
    ck_assert_int_eq(call(k, p, KL_IN_ABORT), 0);
    kdesk_free(k);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("client exactly once");
    TCase *c = tcase_create("exactly once");
    tcase_add_test(c, a_lost_answer_makes_no_duplicate);
    tcase_add_test(c, no_more_than_five_records_are_under_way);
    tcase_add_test(c, many_batches_and_lost_answers_keep_order);
    tcase_add_test(c, a_lost_sequence_is_fatal);
    tcase_add_test(c, an_unknown_id_raises_the_epoch);
    tcase_add_test(c, a_refused_batch_raises_the_epoch);
    tcase_add_test(c, an_id_that_cannot_be_had_is_asked_for_again);
    tcase_add_test(c, what_is_committed_is_read_and_what_is_aborted_is_not);
    tcase_add_test(c, an_empty_transaction_says_nothing);
    tcase_add_test(c, an_older_producer_is_fenced);
    tcase_add_test(c, after_a_refused_batch_only_an_abort_is_left);
    tcase_add_test(c, a_commit_survives_its_coordinator);
    tcase_add_test(c, offsets_are_sent_with_the_transaction);
    tcase_set_timeout(c, 120);
    suite_add_tcase(s, c);
    SRunner *r = srunner_create(s);
    srunner_run_all(r, CK_NORMAL);
    int failed = srunner_ntests_failed(r);
    srunner_free(r);
    return failed == 0 ? 0 : 1;
}
