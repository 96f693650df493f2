/*
 * Clients in a storm: connections break, answers are lost, brokers are killed and come back,
 * leaders move; then the faults stop. Afterwards, for every seed:
 *
 * - every record given to a producer was reported once;
 * - what was acknowledged with acks=all and min.insync.replicas 2 is read;
 * - an idempotent producer's records are read once, and in the order in which they were sent to
 * their partition;
 * - of a transaction all records are read or none, and all where the commit was confirmed.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "client_desk.h"
#include "wire/errors.h"
#include "wire/messages.h"

#define MS     ((int64_t)1000)
#define SECOND ((int64_t)1000000)
enum { PARTITIONS = 3, SENT_MAX = 600, TXNS_MAX = 64 };

struct sent {
    int client, partition, number, txn; /* txn 0: none */
    uint64_t tag;
};

struct storm {
    struct kdesk *k;
    struct sent sent[SENT_MAX];
    int count, plain, idempotent, transactional, reader;
    int txn;                   /* of the transaction that is open, or was last */
    uint64_t end_tag;          /* of the command under way */
    enum kl_input_kind ending; /* COMMIT, ABORT; NONE: nothing under way */
    int outcome[TXNS_MAX];     /* 1 committed, -1 aborted, 0 unknown */
    int down;                  /* node that is dead; 0 none */
};

static int seeds(void)
{
    return getenv("KC_DEEP") != NULL ? 200 : 12;
}

static void send_one(struct storm *s, int client, int txn)
{
    struct sent *to = &s->sent[s->count];
    char value[32];
    if (s->count == SENT_MAX)
        return;
    *to = (struct sent){client, (int)kdesk_chance(s->k, PARTITIONS), s->count, txn, 0};
    snprintf(value, sizeof value, "%d", s->count++);
    to->tag = kdesk_send(s->k, client, "t", to->partition, value);
}

/* ---- a transactional application ---- */

static void command(struct storm *s, enum kl_input_kind kind)
{
    s->end_tag = kdesk_command(s->k, s->transactional, (struct kl_input){.kind = kind});
    s->ending = kind;
}

static void on_end(struct storm *s, int error)
{
    bool commit = s->ending == KL_IN_COMMIT;
    if (s->ending == KL_IN_INIT_TRANSACTIONS) {
        s->ending = KL_IN_NONE;
    } else if (error == 0) {
        s->outcome[s->txn] = commit ? 1 : -1;
        s->ending = KL_IN_NONE;
    } else {
        s->ending = KL_IN_NONE;
    }
}

static void go_on(struct storm *s, bool may_begin)
{
    const struct ending *e;
    if (s->ending != KL_IN_NONE) {
        e = kdesk_ending(s->k, s->transactional, s->end_tag);
        if (e == NULL)
            return;
        on_end(s, e->error);
    }
    switch (kl_client_txn_state(kdesk_of(s->k, s->transactional))) {
    case KL_TXN_READY:
        if (may_begin && s->txn + 1 < TXNS_MAX) {
            s->txn++;
            kdesk_command(s->k, s->transactional, (struct kl_input){.kind = KL_IN_BEGIN});
        }
        return;
    case KL_TXN_OPEN:
        if (may_begin && kdesk_chance(s->k, 4) != 0)
            send_one(s, s->transactional, s->txn);
        else
            command(s, kdesk_chance(s->k, 3) == 0 ? KL_IN_ABORT : KL_IN_COMMIT);
        return;
    case KL_TXN_ABORTABLE:
        command(s, KL_IN_ABORT);
        return;
    case KL_TXN_NONE:
    case KL_TXN_COMMITTING:
    case KL_TXN_ABORTING:
    case KL_TXN_FATAL:
        return;
    }
}

/* ---- the storm ---- */

static void fault(struct storm *s)
{
    static const int16_t apis[] = {WIRE_API_PRODUCE, WIRE_API_METADATA, WIRE_API_END_TXN,
                                   WIRE_API_ADD_PARTITIONS_TO_TXN, WIRE_API_FETCH};
    switch (kdesk_chance(s->k, 8)) {
    case 0:
    case 1:
        kdesk_break(s->k, (int)kdesk_chance(s->k, 4), 1 + (int)kdesk_chance(s->k, 3));
        return;
    case 2:
    case 3:
    case 4:
        kdesk_lose(s->k, apis[kdesk_chance(s->k, 5)], 1 + (int)kdesk_chance(s->k, 2));
        return;
    case 5:
        if (s->down == 0) {
            s->down = 1 + (int)kdesk_chance(s->k, 3);
            kdesk_kill(s->k, s->down);
        }
        return;
    default:
        if (s->down != 0 && kdesk_chance(s->k, 2) == 0) {
            kdesk_start(s->k, s->down);
            s->down = 0;
        }
        return;
    }
}

static void blow(struct storm *s)
{
    for (int i = 0; i < 150; i++) {
        send_one(s, s->plain, 0);
        if (kdesk_chance(s->k, 2) == 0)
            send_one(s, s->idempotent, 0);
        go_on(s, true);
        if (kdesk_chance(s->k, 6) == 0)
            fault(s);
        kdesk_run(s->k, (int64_t)kdesk_chance(s->k, 200) * MS);
    }
    for (int16_t api = 0; api < 64; api++)
        kdesk_lose(s->k, api, 0);
    if (s->down != 0)
        kdesk_start(s->k, s->down);
    for (int i = 0; i < 1000; i++) { /* longer than a transaction that nobody ends */
        go_on(s, false);
        kdesk_run(s->k, 100 * MS);
    }
}

/* ---- afterwards ---- */

/* How often, and where, the reader has been given the record. */
static int times_read(const struct storm *s, int number, size_t *at)
{
    size_t count;
    int times = 0;
    const struct reading *r = kdesk_readings(s->k, &count);
    for (size_t i = 0; i < count; i++)
        if (r[i].client == s->reader && atoi(r[i].value) == number) {
            *at = i;
            times++;
        }
    return times;
}

static void judge(const struct storm *s, uint64_t seed)
{
    size_t last[PARTITIONS] = {0};
    for (int i = 0; i < s->count; i++) {
        const struct sent *of = &s->sent[i];
        const struct delivery *d = kdesk_delivery(s->k, of->client, of->tag);
        size_t at = 0;
        int times = times_read(s, of->number, &at);
        ck_assert_msg(d != NULL, "seed %d: record %d of client %d was never reported", (int)seed, i,
                      of->client);
        if (of->txn == 0 && d->error == 0)
            ck_assert_msg(times >= 1, "seed %d: acknowledged record %d is lost", (int)seed, i);
        if (of->client != s->plain)
            ck_assert_msg(times <= 1, "seed %d: record %d is there %d times", (int)seed, i, times);
        if (of->client == s->idempotent && times == 1) {
            ck_assert_msg(at >= last[of->partition], "seed %d: record %d out of order", (int)seed,
                          i);
            last[of->partition] = at;
        }
        if (of->txn > 0 && s->outcome[of->txn] == 1)
            ck_assert_msg(times == 1, "seed %d: record %d of a commit is not there", (int)seed, i);
        if (of->txn > 0 && s->outcome[of->txn] == -1)
            ck_assert_msg(times == 0, "seed %d: record %d of an abort is there", (int)seed, i);
    }
}

START_TEST(a_storm_loses_nothing_and_doubles_nothing)
{
    uint64_t seed = (uint64_t)_i + 1;
    struct storm *s = calloc(1, sizeof *s);
    struct kl_config plain = kl_config_default(KL_PRODUCER), once = plain, txn = plain;
    struct kl_config reader = kl_config_default(KL_CONSUMER);
    once.enable_idempotence = 1;
    txn.transactional_id = "x";
    s->k = kdesk_new(3, seed);
    kdesk_topic(s->k, "t", PARTITIONS, 1, 3, "2");
    s->plain = kdesk_client(s->k, &plain);
    s->idempotent = kdesk_client(s->k, &once);
    s->transactional = kdesk_client(s->k, &txn);
    s->reader = kdesk_client(s->k, &reader);
    kdesk_assign(s->k, s->reader, "t", PARTITIONS, KL_OFFSET_BEGINNING);
    command(s, KL_IN_INIT_TRANSACTIONS);
    blow(s);
    judge(s, seed);
    ck_assert_int_gt(s->count, 100);
    kdesk_free(s->k);
    free(s);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("client random");
    TCase *c = tcase_create("random");
    tcase_add_loop_test(c, a_storm_loses_nothing_and_doubles_nothing, 0, seeds());
    tcase_set_timeout(c, 600);
    suite_add_tcase(s, c);
    SRunner *r = srunner_create(s);
    srunner_run_all(r, CK_NORMAL);
    int failed = srunner_ntests_failed(r);
    srunner_free(r);
    return failed == 0 ? 0 : 1;
}
