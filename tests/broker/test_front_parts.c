/*
 * Parts of the serving half by themselves: assignment of replicas, values of settings, names, the
 * metadata cache against a naive one.
 */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "broker/assign.h"
#include "broker/groups.h"
#include "broker/state.h"
#include "front_batch.h"

/* ---- assignment ---- */

static const char *assigned(struct kb_candidate *c, uint32_t count, int32_t partitions,
                            int32_t replicas, int32_t first, uint32_t start, uint32_t shift)
{
    static char text[4096];
    struct kb_assign a;
    size_t at = 0;
    ck_assert_int_eq(kb_assign_begin(&a, c, count, partitions, replicas, first, start, shift),
                     KB_ASSIGN_OK);
    for (int32_t p = 0; p < partitions; p++) {
        struct sm_list l = kb_assign_next(&a);
        for (int32_t i = 0; i < l.count; i++)
            at += (size_t)sprintf(text + at, "%s%d", i > 0 ? "," : p > 0 ? " " : "", l.id[i]);
    }
    return text;
}

static const char *const none[] = {"", "", "", "", "", "", ""};
static const char *const six_racks[] = {"rack1", "rack3", "rack3", "rack2", "rack2", "rack1"};
static const char *const seven_racks[] = {"a", "a", "a", "b", "b", "c", "c"};
static const int32_t in_a_row[] = {0, 1, 2, 3, 4, 5, 6}, with_gaps[] = {3, 5, 9, 11};

/* Source: what kafka.admin.AdminUtils.assignReplicasToBrokers of 2.8.2 returned for (brokers,
   partitions, replicas, fixedStartIndex, startPartitionId). */
static const struct {
    const int32_t *id;
    const char *const *rack;
    uint32_t count;
    int32_t partitions, replicas;
    uint32_t fixed;
    int32_t first;
    const char *lists;
} assignments[] = {
    {in_a_row, none, 5, 10, 3, 0, 0, "0,1,2 1,2,3 2,3,4 3,4,0 4,0,1 0,2,3 1,3,4 2,4,0 3,0,1 4,1,2"},
    {in_a_row, none, 5, 3, 2, 1, 5, "1,4 2,0 3,1"},
    {in_a_row, none, 5, 7, 5, 3, 2,
     "0,4,1,2,3 1,0,2,3,4 2,1,3,4,0 3,4,0,1,2 4,0,1,2,3 0,1,2,3,4 1,2,3,4,0"},
    {with_gaps, none, 4, 9, 3, 2, 0, "9,5,11 11,9,3 3,11,5 5,3,9 9,11,3 11,3,5 3,5,9 5,9,11 9,3,5"},
    {with_gaps, none, 4, 4, 4, 1, 7, "3,9,11,5 5,3,9,11 9,5,11,3 11,9,3,5"},
    {in_a_row, six_racks, 6, 7, 3, 0, 0, "0,3,1 3,1,5 1,5,4 5,4,2 4,2,0 2,0,3 0,4,2"},
    {in_a_row, six_racks, 6, 13, 4, 2, 0,
     "1,4,0,3 5,2,3,1 4,0,1,5 2,3,5,4 0,1,4,2 3,5,2,0 1,3,5,4 5,1,4,2 4,5,2,0 2,4,0,3 0,2,3,1 "
     "3,0,1,5 1,0,3,5"},
    {in_a_row, six_racks, 6, 5, 2, 3, 6, "5,3 4,1 2,5 0,4 3,2"},
    {in_a_row, seven_racks, 7, 15, 3, 0, 0,
     "0,3,5 3,5,1 5,1,4 1,4,6 4,6,2 6,2,3 2,3,5 0,4,6 3,6,2 5,2,3 1,3,5 4,5,1 6,1,4 2,4,6 0,3,5"},
    {in_a_row, seven_racks, 7, 9, 5, 4, 3,
     "0,3,5,1,4 3,5,1,4,6 5,1,4,6,2 1,4,6,2,0 4,5,1,6,2 6,1,4,2,0 2,4,6,0,3 0,4,6,2,3 3,6,2,0,5"},
};

START_TEST(replicas_are_those_that_kafka_chooses)
{
    struct kb_candidate c[7];
    for (uint32_t i = 0; i < assignments[_i].count; i++)
        c[i] = (struct kb_candidate){.id = assignments[_i].id[i], .rack = assignments[_i].rack[i]};
    ck_assert_str_eq(assigned(c, assignments[_i].count, assignments[_i].partitions,
                              assignments[_i].replicas, assignments[_i].first,
                              assignments[_i].fixed, assignments[_i].fixed),
                     assignments[_i].lists);
}
END_TEST

START_TEST(what_cannot_be_assigned_is_told)
{
    struct kb_candidate two[] = {{.id = 1, .rack = "a"}, {.id = 2, .rack = ""}};
    struct kb_assign a;
    ck_assert_int_eq(kb_assign_begin(&a, two, 2, 0, 1, 0, 0, 0), KB_ASSIGN_NO_PARTITIONS);
    ck_assert_int_eq(kb_assign_begin(&a, two, 2, 1, 0, 0, 0, 0), KB_ASSIGN_NO_REPLICAS);
    ck_assert_int_eq(kb_assign_begin(&a, two, 2, 1, 3, 0, 0, 0), KB_ASSIGN_TOO_FEW_BROKERS);
    ck_assert_int_eq(kb_assign_begin(&a, two, 2, 1, 1, 0, 0, 0), KB_ASSIGN_SOME_WITHOUT_RACK);
}
END_TEST

/* Whatever the racks: distinct brokers, and as many racks as there can be. */
START_TEST(each_replica_has_a_rack_of_its_own_while_there_are_some)
{
    static const char *const names[] = {"a", "b", "c"};
    srand(1);
    for (int round = 0; round < 2000; round++) {
        struct kb_candidate c[12];
        uint32_t count = 1 + (uint32_t)rand() % 12, racks = 0;
        for (uint32_t i = 0; i < count; i++)
            c[i] = (struct kb_candidate){.id = (int32_t)i, .rack = names[rand() % 3]};
        int32_t replicas = 1 + rand() % (int32_t)count;
        struct kb_assign a;
        ck_assert_int_eq(kb_assign_begin(&a, c, count, 5, replicas, 0, (uint32_t)rand() % count,
                                         (uint32_t)rand() % count),
                         KB_ASSIGN_OK);
        racks = a.rack_count;
        for (int p = 0; p < 5; p++) {
            struct sm_list l = kb_assign_next(&a);
            uint32_t used = 0;
            ck_assert_int_eq(l.count, replicas);
            ck_assert(!sm_list_has_duplicates(&l));
            for (uint32_t i = 0; i < count; i++)
                if (sm_list_has(&l, c[i].id))
                    used |= 1u << c[i].rack_number;
            ck_assert_int_eq(__builtin_popcount(used),
                             (uint32_t)replicas < racks ? replicas : (int32_t)racks);
        }
    }
}
END_TEST

/* ---- values ---- */

static const struct {
    const char *name, *value, *parsed;
} values[] = {
    {"min.cleanable.dirty.ratio", "0.5", "0.5"},
    {"min.cleanable.dirty.ratio", " .25 ", "0.25"},
    {"min.cleanable.dirty.ratio", "1", "1.0"},
    {"min.cleanable.dirty.ratio", "0", "0.0"},
    {"min.cleanable.dirty.ratio", "1e-4", "1.0E-4"},
    {"min.cleanable.dirty.ratio", "0.001", "0.001"},
    {"min.cleanable.dirty.ratio", "12.5e-2", "0.125"},
    {"min.cleanable.dirty.ratio", "1.01", NULL},
    {"min.cleanable.dirty.ratio", "-0.1", NULL},
    {"min.cleanable.dirty.ratio", "x", NULL},
    {"cleanup.policy", "compact , delete", "compact,delete"},
    {"cleanup.policy", "", ""},
    {"cleanup.policy", "delete,", NULL},
    {"retention.ms", "-1", "-1"},
    {"retention.ms", "-2", NULL},
    {"retention.ms", "+5", "5"},
    {"retention.ms", "9223372036854775808", NULL},
    {"segment.bytes", "2147483648", NULL},
    {"unclean.leader.election.enable", "TRUE", "true"},
    {"message.format.version", "0.10.2.1", "0.10.2.1"},
    {"message.format.version", "2.9", NULL},
    {"leader.replication.throttled.replicas", "0:1,2:3", "0:1,2:3"},
    {"leader.replication.throttled.replicas", "*", "*"},
    {"leader.replication.throttled.replicas", "0:", NULL},
};

START_TEST(a_value_is_parsed_by_its_type)
{
    char out[256] = "", message[KB_TEXT_MAX];
    bool good = kb_setting_parse(kb_topic_setting(values[_i].name), values[_i].value, out,
                                 sizeof out, message);
    ck_assert_msg(good == (values[_i].parsed != NULL), "%s=%s: %s", values[_i].name,
                  values[_i].value, message);
    if (good)
        ck_assert_str_eq(out, values[_i].parsed);
}
END_TEST

START_TEST(every_default_is_valid)
{
    char out[1024], message[KB_TEXT_MAX];
    for (int which = 0; which < 2; which++) {
        uint32_t count;
        const struct kb_setting *s =
            which == 0 ? kb_topic_settings(&count) : kb_broker_settings(&count);
        for (uint32_t i = 0; i < count; i++) {
            ck_assert(i == 0 || strcmp(s[i - 1].name, s[i].name) < 0);
            if (s[i].def == NULL)
                continue;
            ck_assert_msg(kb_setting_parse(&s[i], s[i].def, out, sizeof out, message), "%s",
                          message);
            if (strcmp(s[i].name, "log.cleaner.io.max.bytes.per.second") != 0)
                ck_assert_str_eq(out, s[i].def);
        }
    }
}
END_TEST

START_TEST(settings_go_into_a_znode_and_back)
{
    char bytes[1024], again[1024], text[1024];
    struct kb_props p = kb_props_begin(bytes, sizeof bytes);
    struct kb_props q = kb_props_begin(again, sizeof again);
    kb_props_set(&p, "a", "1");
    kb_props_set(&p, "b", "\"quoted\" \\ \n");
    kb_props_set(&p, "a", "2");
    kb_props_remove(&p, "none");
    size_t size = kb_props_write_znode(&p, text, sizeof text);
    kb_props_read_znode(&q, text, size);
    ck_assert_str_eq(kb_props_get(&q, "a"), "2");
    ck_assert_str_eq(kb_props_get(&q, "b"), "\"quoted\" \\ \n");
    q = kb_props_begin(again, sizeof again);
    kb_props_read_znode(&q, "{\"config\":{\"a\":\"1\"", 18); /* cut off: no settings */
    ck_assert_uint_eq(q.size, 0);
    kb_props_read_znode(&q, "[]", 2);
    ck_assert_uint_eq(q.size, 0);
    p = kb_props_begin(bytes, 4);
    kb_props_set(&p, "long", "value");
    ck_assert(p.overflow);
}
END_TEST

/* ---- names ---- */

/* Source: java.lang.String.hashCode of these keys, by hand. */
START_TEST(keys_have_the_partition_that_java_gives_them)
{
    ck_assert_int_eq(kb_coordinator_partition("", 50), 0);
    ck_assert_int_eq(kb_coordinator_partition("g", 50), 3);         /* 103 */
    ck_assert_int_eq(kb_coordinator_partition("abc", 50), 4);       /* 96354 */
    ck_assert_int_eq(kb_coordinator_partition("\xc3\xa9", 50), 33); /* é: 233 */
    /* U+1F600 is D83D DE00: 55357 * 31 + 56832 = 1772899 */
    ck_assert_int_eq(kb_coordinator_partition("\xf0\x9f\x98\x80", 50), 49);
    /* "polygenelubricants" is Integer.MIN_VALUE, whose absolute value Kafka takes as 0 */
    ck_assert_int_eq(kb_coordinator_partition("polygenelubricants", 50), 0);
}
END_TEST

/* ---- the cache ---- */

enum { TOPICS = 12, PARTITIONS = 20 };

/* One UpdateMetadata with one partition and brokers 1, 2. */
static const struct wire_batch *batch_of(const char *topic, int32_t partition, int32_t leader,
                                         const int32_t *ids, uint8_t count)
{
    return front_batch_of(&(struct front_batch){.first_broker = 1,
                                                .broker_epoch = 7,
                                                .controller_epoch = 1,
                                                .topic = topic,
                                                .partition = partition,
                                                .leader = leader,
                                                .ids = ids,
                                                .count = count});
}

struct known {
    int32_t leader; /* -2: none */
    int32_t ids[6];
    uint8_t count;
};
static struct known naive[TOPICS][PARTITIONS];

static struct kb_cache *give(struct kb_cache *c, const struct wire_batch *b, int *grown)
{
    const char *short_of;
    while ((short_of = kb_cache_update(c, b)) != NULL) {
        struct kb_broker_limits all = {.cache = *kb_cache_limits_of(c)};
        struct kb_cache_limits l = kb_broker_limits_above(&all, short_of).cache;
        struct kb_cache *larger = aligned_alloc(8, kb_cache_size(&l));
        kb_cache_grow(c, larger, &l);
        free(c);
        c = larger;
        ++*grown;
    }
    return c;
}

static void compare(const struct kb_cache *c)
{
    char name[32];
    for (int t = 0; t < TOPICS; t++)
        for (int p = 0; p < PARTITIONS; p++) {
            snprintf(name, sizeof name, "topic-%d", t);
            const struct kb_partition *row =
                kb_cache_partition(c, kb_cache_topic(c, name, strlen(name)), p);
            uint32_t count;
            ck_assert((row == NULL) == (naive[t][p].leader == -2));
            if (row == NULL)
                continue;
            const int32_t *ids = kb_cache_list(c, row->isr, &count);
            ck_assert_int_eq(row->leader, naive[t][p].leader);
            ck_assert_uint_eq(count, naive[t][p].count);
            ck_assert_int_eq(memcmp(ids, naive[t][p].ids, count * 4), 0);
        }
}

START_TEST(the_cache_holds_what_a_naive_one_holds)
{
    struct kb_cache_limits l = {
        .brokers = 1, .topics = 1, .name_bytes = 32, .rows = 2, .words = 16};
    struct kb_cache *c = aligned_alloc(8, kb_cache_size(&l));
    char name[32];
    int grown = 0;
    kb_cache_init(c, &l);
    srand(7);
    for (int t = 0; t < TOPICS; t++)
        for (int p = 0; p < PARTITIONS; p++)
            naive[t][p].leader = -2;
    for (int round = 0; round < 20000; round++) {
        int t = rand() % TOPICS, p = rand() % PARTITIONS;
        struct known k = {.leader = rand() % 3 == 0 ? -2 : rand() % 4 - 1,
                          .count = (uint8_t)(rand() % 6)};
        for (int i = 0; i < k.count; i++)
            k.ids[i] = rand() % 5;
        snprintf(name, sizeof name, "topic-%d", t);
        c = give(c, batch_of(name, p, k.leader, k.ids, k.count), &grown);
        naive[t][p] = k;
        if (round % 100 == 0) { /* it fits into a block that is no larger, whatever came before */
            struct kb_cache_limits same = *kb_cache_limits_of(c);
            struct kb_cache *again = aligned_alloc(8, kb_cache_size(&same));
            kb_cache_grow(c, again, &same);
            free(c);
            c = again;
            kb_cache_check(c);
            compare(c);
        }
    }
    ck_assert_int_gt(grown, 5);
    ck_assert_int_lt(grown, 40); /* what is given back is used again */
    ck_assert_uint_eq(kb_cache_live_count(c), 2);
    free(c);
}
END_TEST

/*
 * Goal: a full block can be copied into one that has more of something else only. The copy used to
 * begin with the first partition: rows that its growing extents left behind were missing in the
 * end.
 */
START_TEST(a_full_cache_fits_into_a_block_with_as_many_rows)
{
    struct kb_cache_limits l = {
        .brokers = 4, .topics = 1, .name_bytes = 64, .rows = 8, .words = 16};
    struct kb_cache *c = aligned_alloc(8, kb_cache_size(&l));
    int32_t one = 1;
    kb_cache_init(c, &l);
    for (int32_t p = 7; p >= 0; p--)
        ck_assert_pstr_eq(kb_cache_update(c, batch_of("t", p, 1, &one, 1)), NULL);
    l.words = 32;
    struct kb_cache *larger = aligned_alloc(8, kb_cache_size(&l));
    kb_cache_grow(c, larger, &l);
    kb_cache_check(larger);
    ck_assert_uint_eq(kb_cache_partition_count(larger, kb_cache_topic(larger, "t", 1)), 8);
    free(c);
    free(larger);
}
END_TEST

/*
 * Goal: what a partition costs once 1M of them, in 10 000 topics over 200 brokers, have come one by
 * one into a cache that was small. Measured: 32 bytes each, of which 21 hold something: the row of
 * 20, and shares of a name and of lists; the rest is free, or hash tables and rows that extents of
 * 2^k leave.
 */
START_TEST(a_million_partitions_take_under_forty_bytes_each)
{
    enum { MANY_TOPICS = 10000, EACH = 100, IDS = 200 };
    struct kb_cache_limits l = kb_cache_limits_default();
    struct kb_cache *c = aligned_alloc(8, kb_cache_size(&l));
    char name[32];
    int grown = 0;
    kb_cache_init(c, &l);
    for (int t = 0; t < MANY_TOPICS; t++) {
        snprintf(name, sizeof name, "topic-%05d", t);
        for (int p = 0; p < EACH; p++) { /* as AdminUtils does: the shift grows with each round */
            int32_t first = (t * 7 + p) % IDS, shift = 1 + (t + p / IDS) % (IDS - 1);
            int32_t ids[3] = {first, (first + shift) % IDS, (first + 1 + shift % (IDS - 2)) % IDS};
            c = give(c, batch_of(name, p, first, ids, 3), &grown);
        }
    }
    kb_cache_check(c);
    struct kb_cache_totals sum = kb_cache_totals(c);
    ck_assert_uint_eq(sum.partitions, MANY_TOPICS * EACH);
    size_t size = kb_cache_size(kb_cache_limits_of(c)),
           held = sum.partitions * 20 + sum.name_bytes + sum.list_words * 4;
    printf("%.1f bytes a partition, %.1f of them in use, grown %d times\n",
           (double)size / sum.partitions, (double)held / sum.partitions, grown);
    ck_assert_uint_lt(size / sum.partitions, 40);
    free(c);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("front parts");
    TCase *c = tcase_create("parts");
    tcase_add_loop_test(c, replicas_are_those_that_kafka_chooses, 0,
                        (int)(sizeof assignments / sizeof assignments[0]));
    tcase_add_test(c, what_cannot_be_assigned_is_told);
    tcase_add_test(c, each_replica_has_a_rack_of_its_own_while_there_are_some);
    tcase_add_loop_test(c, a_value_is_parsed_by_its_type, 0,
                        (int)(sizeof values / sizeof values[0]));
    tcase_add_test(c, every_default_is_valid);
    tcase_add_test(c, settings_go_into_a_znode_and_back);
    tcase_add_test(c, keys_have_the_partition_that_java_gives_them);
    tcase_add_test(c, the_cache_holds_what_a_naive_one_holds);
    tcase_add_test(c, a_full_cache_fits_into_a_block_with_as_many_rows);
    tcase_add_test(c, a_million_partitions_take_under_forty_bytes_each);
    tcase_set_timeout(c, 120);
    suite_add_tcase(s, c);
    SRunner *r = srunner_create(s);
    srunner_run_all(r, CK_NORMAL);
    int failed = srunner_ntests_failed(r);
    srunner_free(r);
    return failed == 0 ? 0 : 1;
}
