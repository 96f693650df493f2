/*
 * Each defect of Kafka 2.8.2 as a switch: the same story with it on and off.
 *
 * "On" is profile 2.8 with that defect alone, "off" is 2.8-fixed, so that no other switch helps.
 *
 * Source: the JIRA that each test names; kafka-… names are of this project's recordings
 * (tests/golden/controller/FINDINGS.md).
 */
#include "desk.h"

#include <stdlib.h>
#include <string.h>

static struct desk *with_defect(enum sm_defect defect, bool on, int32_t brokers)
{
    struct kc_config config = desk_config(SM_VERSION_2_8_FIXED, 100);

    config.profile.defects = on ? UINT64_C(1) << defect : 0;
    struct desk *d = desk_new_with(&config);
    for (int32_t id = 1; id <= brokers; id++) {
        desk_broker(d, id);
    }
    desk_start(d);
    desk_run(d);
    desk_story(d);
    return d;
}

/* Runs `play` with the defect on, then off. */
static void on_and_off(enum sm_defect defect, int32_t brokers,
                       void (*play)(struct desk *d, bool on))
{
    for (int on = 1; on >= 0; on--) {
        struct desk *d = with_defect(defect, on != 0, brokers);
        play(d, on != 0);
        desk_free(d);
    }
}

/* ---- KAFKA-2300: an error inside a state machine's call leaves its batch dirty ---- */

static void move_the_epoch(struct desk *d)
{
    desk_set(d, SM_PATH_CONTROLLER_EPOCH, "5");
}

/* The fence refuses the write that takes 3 out of the ISR; all that is in the batch by then is the
   StopReplica to the dead broker itself. */
static void stuck_batch(struct desk *d, bool on)
{
    desk_with_topic(d, "t", "0:1,3");
    desk_before_write(d, "/brokers/topics/t/partitions/0/state", 1, move_the_epoch);
    desk_kill(d, 3);
    desk_run(d);
    desk_delete(d, "/controller"); /* the same process wins again */
    desk_run(d);
    ck_assert(kc_controller_is_active(desk_controller(d)));
    ck_assert_int_eq(kc_controller_epoch(desk_controller(d)), 6);
    ck_assert(desk_logged(d, "batch is not empty while creating a new one") == on);
    ck_assert((strstr(desk_story(d), "LeaderAndIsr -> 1: t-0") == NULL) == on);
    desk_broker(d, 3); /* for ever: also the next event on that machine */
    desk_run(d);
    ck_assert(desk_logged(d, "batch is not empty while creating a new one") == on);
    ck_assert((strstr(desk_story(d), "LeaderAndIsr -> 3: t-0") == NULL) == on);
}

START_TEST(KAFKA_2300_a_batch_stays_dirty)
{
    on_and_off(SM_DEFECT_STUCK_BATCH, 3, stuck_batch);
}
END_TEST

/* ---- KAFKA-13225: nobody is told of a death while any partition has no live leader ---- */

static void metadata_skipped(struct desk *d, bool on)
{
    desk_with_topic(d, "t", "0:2");
    desk_kill(d, 2);
    desk_run(d);
    desk_story(d);
    desk_kill(d, 3);
    desk_run(d);
    ck_story(d, on ? "" : "UpdateMetadata -> 1: live 1\n");
    ck_assert_int_eq(kc_controller_metrics(desk_controller(d)).offline_partitions_count, 1);
}

START_TEST(KAFKA_13225_a_death_is_told_to_nobody)
{
    on_and_off(SM_DEFECT_METADATA_SKIPPED, 3, metadata_skipped);
}
END_TEST

/* ---- KAFKA-9672: removed replicas stay in the ISR until they are stopped ---- */

static void isr_outside(struct desk *d, bool on)
{
    desk_with_topic(d, "t", "0:1");
    desk_reassign(d, "t", 0, "2");
    desk_run(d);
    desk_story(d);
    desk_isr(d, "t", 0, "1,2", false);
    desk_run(d);
    const char *story = desk_story(d);
    ck_assert((strstr(story, "state leader=2 epoch=2 isr=1,2\n") != NULL) == on);
    ck_assert((strstr(story, "state leader=2 epoch=2 isr=2\n") != NULL) == !on);
}

START_TEST(KAFKA_9672_the_isr_is_larger_than_the_replicas)
{
    on_and_off(SM_DEFECT_ISR_OUTSIDE_REPLICAS, 2, isr_outside);
}
END_TEST

/* ---- KAFKA-13572: a topic queued again is subtracted again ---- */

static void imbalance_negative(struct desk *d, bool on)
{
    desk_with_topic(d, "t", "0:2,3");
    desk_with_topic(d, "u", "0:1");
    desk_kill(d, 2);
    desk_run(d);
    ck_assert_int_eq(kc_controller_metrics(desk_controller(d)).preferred_replica_imbalance_count,
                     1);
    desk_create(d, "/admin/delete_topics/t", NULL); /* halted: a replica is dead */
    desk_run(d);
    desk_create(d, "/admin/delete_topics/u", NULL); /* both are listed now */
    desk_run(d);
    ck_assert_int_eq(kc_controller_metrics(desk_controller(d)).preferred_replica_imbalance_count,
                     on ? -2 : 0); /* again when u's request is removed */
}

START_TEST(KAFKA_13572_the_imbalance_turns_negative)
{
    on_and_off(SM_DEFECT_IMBALANCE_NEGATIVE, 3, imbalance_negative);
}
END_TEST

/* ---- poison: a preferred election that names a partition without leadership info ---- */

static void poison(struct desk *d, bool on)
{
    desk_with_topic(d, "t", "0:9");
    desk_create(d, SM_PATH_PREFERRED,
                "{\"version\":1,\"partitions\":[{\"topic\":\"t\",\"partition\":0}]}");
    desk_run(d);
    ck_assert((strcmp(desk_znode(d, SM_PATH_PREFERRED), "(none)") != 0) == on);
    ck_assert(desk_logged(d, "NoSuchElementException: None.get") == on);
    desk_delete(d, "/controller");
    for (int i = 0; i < 20000 && desk_step(d); i++) {
    }
    /* on: the role is given up and won again, for ever; off: one failover */
    ck_assert((kc_controller_epoch(desk_controller(d)) == 2) == !on);
    if (on) {
        desk_delete(d, SM_PATH_PREFERRED); /* by hand */
        desk_run(d);
        ck_assert(kc_controller_is_active(desk_controller(d)));
        ck_assert_int_gt(kc_controller_epoch(desk_controller(d)), 10);
    }
}

START_TEST(poison_preferred_spins_the_role)
{
    on_and_off(SM_DEFECT_POISON_PREFERRED, 1, poison);
}
END_TEST

/* ---- KAFKA-14424: cancelling deletes the only copy ---- */

static void only_copy(struct desk *d, bool on)
{
    desk_with_topic(d, "t", "0:1,2");
    desk_call_reassign(d, "t", 0, "3,4");
    desk_run(d);
    desk_isr(d, "t", 0, "1,3", true);
    desk_run(d);
    desk_kill(d, 1);
    desk_kill(d, 2);
    desk_run(d);
    desk_story(d);
    desk_call_cancel(d, "t", 0);
    desk_run(d);
    const char *story = desk_story(d);
    ck_assert((strstr(story, "StopReplica -> 3: t-0 epoch=4 delete\n") != NULL) == on);
    ck_assert((strstr(story, "t-0=INVALID_REPLICA_ASSIGNMENT") != NULL) == !on);
    desk_broker(d, 1);
    desk_run(d);
    const char *state = desk_znode(d, "/brokers/topics/t/partitions/0/state");
    ck_assert((strstr(state, "\"leader\":-1") != NULL) == on);
}

START_TEST(KAFKA_14424_cancelling_deletes_the_only_copy)
{
    on_and_off(SM_DEFECT_CANCEL_DELETES_ONLY_COPY, 4, only_copy);
}
END_TEST

/* Goal: another reassignment in its place may not give it up either. */
static void only_copy_replaced(struct desk *d, bool on)
{
    desk_with_topic(d, "t", "0:1,2");
    desk_call_reassign(d, "t", 0, "3,2");
    desk_run(d);
    desk_isr(d, "t", 0, "1,3", true);
    desk_run(d);
    desk_kill(d, 1);
    desk_run(d);
    desk_story(d);
    desk_call_reassign(d, "t", 0, "4,2");
    desk_run(d);
    const char *story = desk_story(d);
    ck_assert((strstr(story, "StopReplica -> 3: t-0 epoch=3 delete\n") != NULL) == on);
    ck_assert((strstr(story, "t-0=INVALID_REPLICA_ASSIGNMENT") != NULL) == !on);
}

START_TEST(KAFKA_14424_replacing_deletes_the_only_copy)
{
    on_and_off(SM_DEFECT_CANCEL_DELETES_ONLY_COPY, 4, only_copy_replaced);
}
END_TEST

/* Goal: nor may it where the controller has not heard of the ISR's last change. */
static void only_copy_unheard(struct desk *d, bool on)
{
    desk_with_topic(d, "t", "0:1,2");
    desk_call_reassign(d, "t", 0, "3,2");
    desk_run(d);
    desk_isr(d, "t", 0, "1,3", true);
    desk_run(d);
    desk_call_elect(d, "t", 0, false);
    desk_run(d);
    desk_isr(d, "t", 0, "3", false);
    desk_run(d);
    desk_story(d);
    desk_call_reassign(d, "t", 0, "4,2");
    desk_run(d);
    const char *story = desk_story(d);
    ck_assert((strstr(story, "StopReplica -> 3: t-0 epoch=3 delete\n") != NULL) == on);
    ck_assert((strstr(story, "t-0=UNKNOWN_SERVER_ERROR") != NULL) == !on);
}

START_TEST(KAFKA_14424_the_only_copy_by_an_isr_that_was_not_told)
{
    on_and_off(SM_DEFECT_CANCEL_DELETES_ONLY_COPY, 4, only_copy_unheard);
}
END_TEST

/* ---- a reassignment that is replaced stops its leader ---- */

static void stopped_unled(struct desk *d, bool on)
{
    desk_with_topic(d, "t", "0:1,2");
    desk_call_reassign(d, "t", 0, "3,4");
    desk_run(d);
    desk_isr(d, "t", 0, "1,2,3", true);
    desk_run(d);
    desk_call_elect(d, "t", 0, false);
    desk_run(d);
    const char *state = desk_znode(d, "/brokers/topics/t/partitions/0/state");
    ck_assert(strstr(state, "\"leader\":3") != NULL);
    desk_call_reassign(d, "t", 0, "4,2");
    desk_run(d);
    state = desk_znode(d, "/brokers/topics/t/partitions/0/state");
    ck_assert((strstr(state, "\"leader\":-1") != NULL) == on);
    ck_assert((strstr(state, "\"leader\":2") != NULL) == !on); /* 4, the first, is not in sync */
}

START_TEST(the_leader_is_stopped_and_nobody_elected)
{
    on_and_off(SM_DEFECT_STOPPED_UNLED, 4, stopped_unled);
}
END_TEST

/* ---- a controller that has been replaced gives up, and does not resign ---- */

START_TEST(a_replaced_controller_gives_up_unresigned)
{
    for (int on = 1; on >= 0; on--) {
        struct kc_config config = desk_config(SM_VERSION_2_8_FIXED, 100);
        config.profile.defects = UINT64_C(1) << SM_DEFECT_POISON_PREFERRED; /* the error */
        config.profile.defects |= on ? UINT64_C(1) << SM_DEFECT_UNRESIGNED : 0;
        struct desk *d = desk_new_with(&config);
        desk_broker(d, 1);
        desk_start(d);
        desk_run(d);
        desk_with_topic(d, "t", "0:9");
        desk_create(d, SM_PATH_PREFERRED,
                    "{\"version\":1,\"partitions\":[{\"topic\":\"t\",\"partition\":0}]}");
        desk_run(d);
        desk_delete(d, "/controller");
        while (!desk_logged(d, "Error while electing or becoming controller")) {
            ck_assert(desk_step(d));
        }
        desk_story(d);
        desk_delete(d, "/controller");
        desk_create(d, "/controller", "{\"version\":1,\"brokerid\":7,\"timestamp\":\"1\"}");
        desk_run(d);
        ck_assert(desk_logged(d, "has already moved when trying to trigger"));
        ck_assert(desk_logged(d, "] Resigned") == !on);
        ck_assert(!kc_controller_is_active(desk_controller(d)));
        desk_free(d);
    }
}
END_TEST

/* ---- leaderless though unclean election is on ---- */

/* In sync is only 3, which lives and is not assigned; 1 and 2 are assigned, live, and not in sync.
 */
static void leaderless(struct desk *d, bool on)
{
    desk_broker(d, 4);
    desk_with_topic(d, "t", "0:1,2");
    desk_set(d, "/config/topics/t",
             "{\"version\":1,\"config\":{\"unclean.leader.election.enable\":\"true\"}}");
    desk_set(d, "/brokers/topics/t/partitions/0/state",
             "{\"controller_epoch\":1,\"leader\":-1,\"version\":1,\"leader_epoch\":4,\"isr\":[3]}");
    desk_delete(d, "/controller"); /* a failover finds it */
    desk_run(d);
    struct sm_leader_and_isr li;
    ck_assert(kc_leadership(desk_controller(d), "t", 0, &li));
    ck_assert_int_eq(li.leader, on ? -1 : 1);
    desk_kill(d, 3); /* only its death frees the partition */
    desk_run(d);
    ck_assert(kc_leadership(desk_controller(d), "t", 0, &li));
    ck_assert_int_eq(li.leader, 1);
}

START_TEST(leaderless_though_unclean_election_is_on)
{
    on_and_off(SM_DEFECT_UNCLEAN_CONSIDERS_UNASSIGNED, 3, leaderless);
}
END_TEST

/* ---- a deleted topic's reassignment strikes its namesake ---- */

static void delete_while_reassigning(struct desk *d, bool on)
{
    desk_with_topic(d, "t", "0:1,2");
    desk_reassign(d, "t", 0, "3");
    desk_run(d);
    desk_story(d);
    desk_create(d, "/admin/delete_topics/t", NULL);
    desk_run(d);
    ck_assert((strcmp(desk_znode(d, "/brokers/topics/t"), "(none)") == 0) == on);
    if (!on) { /* it waits for the end of the reassignment */
        ck_assert_uint_eq(kc_topic_deletion(desk_controller(d), "t"), 1 | 4);
        desk_isr(d, "t", 0, "1,2,3", true);
        desk_run(d);
        ck_assert_str_eq(desk_znode(d, "/brokers/topics/t"), "(none)");
    }
    ck_assert((strcmp(desk_znode(d, SM_PATH_REASSIGN), "(none)") != 0) == on);
    ck_assert(kc_is_being_reassigned(desk_controller(d), "t", 0) == on);

    desk_with_topic(d, "t", "0:1,2"); /* the namesake */
    desk_delete(d, "/controller");
    desk_run(d);
    ck_assert((strstr(desk_znode(d, "/brokers/topics/t"), "[3,1,2]") != NULL) == on);
}

START_TEST(a_deleted_topics_reassignment_strikes_its_namesake)
{
    on_and_off(SM_DEFECT_DELETE_WHILE_REASSIGNING, 3, delete_while_reassigning);
}
END_TEST

/* Goal: a broker that returns lets the deletion go on though the reassignment has not ended;
   without the defect the deletion waits for its end. */
static void broker_returns(struct desk *d, bool on)
{
    desk_with_topic(d, "t", "0:1,2");
    desk_reassign(d, "t", 0, "3");
    desk_run(d);
    desk_create(d, "/admin/delete_topics/t", NULL);
    desk_run(d);
    desk_bounce(d, 2);
    desk_run(d);
    ck_assert((strcmp(desk_znode(d, "/brokers/topics/t"), "(none)") == 0) == on);
    if (!on) {
        ck_assert_uint_eq(kc_topic_deletion(desk_controller(d), "t"), 1 | 4);
        desk_isr(d, "t", 0, "1,2,3", true);
        desk_run(d);
        ck_assert_str_eq(desk_znode(d, "/brokers/topics/t"), "(none)");
    }
    ck_assert((strcmp(desk_znode(d, SM_PATH_REASSIGN), "(none)") != 0) == on);
    ck_assert(kc_is_being_reassigned(desk_controller(d), "t", 0) == on);
}

START_TEST(a_broker_returns_to_a_topic_halted_by_its_reassignment)
{
    on_and_off(SM_DEFECT_DELETE_WHILE_REASSIGNING, 3, broker_returns);
}
END_TEST

/* ---- KAFKA-7165: an earlier session's registration is in the way ---- */

static int64_t registered_at(struct desk *d)
{
    struct wire_zk_stat stat;
    const uint8_t *data;
    uint32_t size;
    bool has;

    ck_assert(kz_server_get(desk_server(d), "/brokers/ids/1", &stat, &data, &size, &has));
    return stat.czxid;
}

START_TEST(KAFKA_7165_a_registration_is_left_behind)
{
    for (int on = 1; on >= 0; on--) {
        struct kc_config config = desk_config(SM_VERSION_2_8_FIXED, 1);
        config.register_broker = 1;
        config.profile.defects = on ? UINT64_C(1) << SM_DEFECT_REGISTERED_ONCE : 0;
        struct desk *d = desk_new_with(&config);
        desk_start(d);
        desk_run(d);
        int64_t before = registered_at(d);
        desk_expire_leaving(d);
        desk_run(d);
        ck_assert((registered_at(d) == before) == (on != 0)); /* by the session that is gone */
        desk_free(d);
    }
}
END_TEST

/* Goal: the profiles are what the switches are. */
START_TEST(profile_2_8_has_every_defect_of_its_controller_and_2_8_fixed_none)
{
    struct sm_profile kafka = sm_profile_of(SM_VERSION_2_8);
    struct sm_profile fixed = sm_profile_of(SM_VERSION_2_8_FIXED);

    for (enum sm_defect defect = 0; defect < SM_DEFECT_END; defect++) {
        ck_assert(defect >= SM_DEFECT_UNFENCED_WRITES || sm_defect_on(&kafka, defect));
        ck_assert(!sm_defect_on(&fixed, defect));
    }
}
END_TEST

int main(void)
{
    const TTest *const tests[] = {
        KAFKA_2300_a_batch_stays_dirty,
        KAFKA_13225_a_death_is_told_to_nobody,
        KAFKA_9672_the_isr_is_larger_than_the_replicas,
        KAFKA_13572_the_imbalance_turns_negative,
        poison_preferred_spins_the_role,
        KAFKA_14424_cancelling_deletes_the_only_copy,
        KAFKA_14424_replacing_deletes_the_only_copy,
        KAFKA_14424_the_only_copy_by_an_isr_that_was_not_told,
        the_leader_is_stopped_and_nobody_elected,
        a_replaced_controller_gives_up_unresigned,
        leaderless_though_unclean_election_is_on,
        a_deleted_topics_reassignment_strikes_its_namesake,
        a_broker_returns_to_a_topic_halted_by_its_reassignment,
        KAFKA_7165_a_registration_is_left_behind,
        profile_2_8_has_every_defect_of_its_controller_and_2_8_fixed_none,
    };

    return desk_suite("controller: defects", tests, sizeof tests / sizeof tests[0]);
}
