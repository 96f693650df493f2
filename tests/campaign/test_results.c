/*
 * Results files: what a killed writer, a bad disk or a careless merge can do to them, and does not.
 */
#define _POSIX_C_SOURCE 200809L
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "sim/campaign.h"

enum { SEEDS = 40 };

static char folder[] = "/tmp/kcsim-campaign-XXXXXX";
static struct sim_campaign campaign;

static void set_up(void)
{
    ck_assert_ptr_nonnull(mkdtemp(folder));
    campaign = (struct sim_campaign){
        .version = "test", .build = 7, .until_us = -1, .swarm = -1, .first_seed = 1,
        .last_seed = SEEDS};
    sim_campaign_add_file(&campaign, "a.yaml", "title: a", 8);
    sim_campaign_add_file(&campaign, "b \"quoted\".yaml", "title: b", 8);
    sim_campaign_add_seen(&campaign, "unclean-election");
    sim_campaign_add_seen(&campaign, "é");
}

static void tear_down(void)
{
    char command[100];
    sim_campaign_free(&campaign);
    snprintf(command, sizeof(command), "rm -rf %s", folder);
    ck_assert_int_eq(system(command), 0);
}

/* What seed `seed` of scenario `file` came to: anything, but always the same. */
static struct sim_played outcome(uint32_t file, uint64_t seed)
{
    struct sim_played p = {.file = file,
                           .seed = seed,
                           .digest = seed * 0x9e3779b97f4a7c15u + file,
                           .records = seed * 10,
                           .end_us = (int64_t)seed};
    p.seen[seed % 2] = (uint32_t)seed;
    if (seed % 5 == 0) {
        p.exit = SIM_EXIT_VIOLATED;
        snprintf(p.what, sizeof(p.what), "S7 \"kept\" é %llu", (unsigned long long)(seed % 3));
        snprintf(p.detail, sizeof(p.detail), "orders-0\nlost %llu", (unsigned long long)seed);
    }
    if (seed % 15 == 0)
        snprintf(p.defect, sizeof(p.defect), "KAFKA-9672");
    return p;
}

static const char *path_of(const char *name)
{
    static char paths[8][100];
    static int next;
    char *path = paths[next++ % 8];
    snprintf(path, sizeof(paths[0]), "%s/%s", folder, name);
    return path;
}

static FILE *open_new(const char *name)
{
    FILE *out = fopen(path_of(name), "w");
    ck_assert_ptr_nonnull(out);
    return out;
}

/* Every `of`-th run from the `index`-th (1…) on, last one first. */
static void write_shard(const char *name, uint32_t index, uint32_t of)
{
    FILE *out = open_new(name);
    sim_campaign_write_header(&campaign, out);
    for (uint64_t seed = SEEDS; seed >= 1; seed--)
        for (uint32_t file = 0; file < 2; file++)
            if ((seed - 1) % of == index - 1) {
                struct sim_played p = outcome(file, seed);
                sim_campaign_write_outcome(&campaign, &p, out);
            }
    fclose(out);
}

static char *bytes_of(const char *name, size_t *size)
{
    FILE *in = fopen(path_of(name), "r");
    char *bytes = malloc(1 << 20);
    ck_assert_ptr_nonnull(in);
    *size = fread(bytes, 1, 1 << 20, in);
    fclose(in);
    return bytes;
}

static void put_bytes(const char *name, const char *bytes, size_t size)
{
    FILE *out = open_new(name);
    fwrite(bytes, 1, size, out);
    fclose(out);
}

static void write_settled(const char *name, const struct sim_results *r)
{
    FILE *out = open_new(name);
    sim_campaign_write_header(&r->campaign, out);
    for (size_t i = 0; i < r->count; i++)
        sim_campaign_write_outcome(&r->campaign, &r->outcomes[i], out);
    fclose(out);
}

static char why[1200];

static void read_one(struct sim_results *r, const char *name)
{
    ck_assert_msg(sim_results_read(r, path_of(name), NULL, why, sizeof(why)), "%s", why);
}

static void settle(struct sim_results *r)
{
    ck_assert_msg(sim_results_settle(r, why, sizeof(why)), "%s", why);
}

/* Every outcome that was read is the one that was written. */
static void assert_all_true(const struct sim_results *r)
{
    for (size_t i = 0; i < r->count; i++) {
        struct sim_played p = outcome(r->outcomes[i].file, r->outcomes[i].seed);
        ck_assert_mem_eq(&p, &r->outcomes[i], sizeof(p));
    }
}

START_TEST(outcomes_are_read_as_they_were_written)
{
    struct sim_results r = {0};
    write_shard("one", 1, 1);
    read_one(&r, "one");
    ck_assert_uint_eq(r.count, 2 * SEEDS);
    ck_assert_uint_eq(r.torn, 0);
    ck_assert_ptr_null(sim_campaign_differ(&campaign, &r.campaign));
    assert_all_true(&r);
    sim_results_free(&r);
}
END_TEST

/* Goal: shards merged in any order, some of them twice, are the whole, byte for byte. */
START_TEST(a_merge_does_not_depend_on_order)
{
    static const char *const orders[][5] = {{"whole"},
                                            {"s1", "s2", "s3"},
                                            {"s3", "s1", "s2"},
                                            {"s2", "s3", "s2", "s1", "whole"}};
    size_t size, first_size = 0;
    char *first = NULL;
    write_shard("whole", 1, 1);
    write_shard("s1", 1, 3);
    write_shard("s2", 2, 3);
    write_shard("s3", 3, 3);
    for (int i = 0; i < 4; i++) {
        struct sim_results r = {0};
        for (int k = 0; k < 5 && orders[i][k] != NULL; k++)
            read_one(&r, orders[i][k]);
        settle(&r);
        ck_assert_uint_eq(r.count, 2 * SEEDS);
        write_settled("merged", &r);
        sim_results_free(&r);
        char *bytes = bytes_of("merged", &size);
        if (first == NULL) {
            first = bytes;
            first_size = size;
            continue;
        }
        ck_assert_uint_eq(size, first_size);
        ck_assert_mem_eq(bytes, first, size);
        free(bytes);
    }
    free(first);
}
END_TEST

/* Goal: killed at any byte, a writer leaves all lines but the one it was at. */
START_TEST(a_cut_costs_the_last_line_only)
{
    size_t size, header;
    write_shard("whole", 1, 4);
    char *bytes = bytes_of("whole", &size);
    header = (size_t)((const char *)memchr(bytes, '\n', size) - bytes) + 1;
    for (size_t cut = header; cut <= size; cut++) {
        struct sim_results r = {0};
        size_t whole, lines = 0;
        put_bytes("cut", bytes, cut);
        ck_assert(sim_results_read(&r, path_of("cut"), &whole, why, sizeof(why)));
        for (size_t i = header; i < cut; i++)
            lines += bytes[i] == '\n';
        ck_assert_uint_ge(r.count, lines);
        ck_assert_uint_le(r.count, lines + 1); /* whole but for its newline */
        ck_assert(whole == cut || whole < cut);
        ck_assert(whole > 0 && bytes[whole - 1] == '\n');
        assert_all_true(&r);
        sim_results_free(&r);
    }
    free(bytes);
}
END_TEST

/* Goal: no changed byte is ever believed. */
START_TEST(a_changed_byte_is_found)
{
    size_t size;
    write_shard("whole", 1, 20);
    char *bytes = bytes_of("whole", &size);
    for (size_t at = 0; at < size; at++) {
        struct sim_results r = {0};
        bytes[at] ^= (char)(1 << at % 7);
        put_bytes("changed", bytes, size);
        bytes[at] ^= (char)(1 << at % 7);
        if (sim_results_read(&r, path_of("changed"), NULL, why, sizeof(why))) {
            ck_assert_ptr_null(sim_campaign_differ(&campaign, &r.campaign));
            ck_assert_uint_ge(r.torn, 1);
            assert_all_true(&r);
        }
        sim_results_free(&r);
    }
    free(bytes);
}
END_TEST

START_TEST(results_of_another_campaign_are_refused)
{
    struct sim_campaign changed = campaign;
    write_shard("whole", 1, 1);
    for (int i = 0; i < 6; i++) {
        struct sim_results r = {0};
        changed = campaign;
        changed.build += i == 0;
        changed.swarm += i == 1;
        changed.until_us += i == 2;
        changed.file_count -= i == 3;
        changed.seen_count -= i == 4;
        changed.wire = i == 5;
        FILE *out = open_new("other");
        sim_campaign_write_header(&changed, out);
        fclose(out);
        read_one(&r, "whole");
        ck_assert(!sim_results_read(&r, path_of("other"), NULL, why, sizeof(why)));
        ck_assert_ptr_nonnull(strstr(why, "does not belong to the others"));
        sim_results_free(&r);
    }
}
END_TEST

START_TEST(two_results_of_one_run_are_an_error)
{
    struct sim_results r = {0};
    struct sim_played p = outcome(0, 3);
    write_shard("whole", 1, 1);
    p.digest++;
    FILE *out = open_new("other");
    sim_campaign_write_header(&campaign, out);
    sim_campaign_write_outcome(&campaign, &p, out);
    fclose(out);
    read_one(&r, "whole");
    read_one(&r, "other");
    ck_assert(!sim_results_settle(&r, why, sizeof(why)));
    ck_assert_ptr_nonnull(strstr(why, "seed 3 of a.yaml"));
    sim_results_free(&r);
}
END_TEST

/* How far a run came before it was stopped is the machine's doing: what ended counts, in any order
   of the files; of two that were stopped either, but always the same. */
START_TEST(a_stopped_run_gives_way_to_one_that_ended)
{
    static const char *const names[] = {"whole", "short", "long"};
    struct sim_played expected = outcome(0, 3);
    for (int order = 0; order < 6; order++)
        for (int count = 2; count <= 3; count++) {
            struct sim_results r = {0};
            write_shard("whole", 1, 1);
            for (int i = 1; i <= 2; i++) {
                struct sim_played p = {.seed = 3, .exit = SIM_EXIT_UNDECIDED};
                snprintf(p.what, sizeof(p.what), "stopped");
                snprintf(p.detail, sizeof(p.detail), "after %d s", i);
                ck_assert(sim_played_is_stopped(&p));
                FILE *out = open_new(names[i]);
                sim_campaign_write_header(&campaign, out);
                sim_campaign_write_outcome(&campaign, &p, out);
                fclose(out);
            }
            const int first = order % 3, second = (first + 1 + order / 3) % 3;
            const int among[] = {first, second, 3 - first - second};
            for (int i = 0; i < 3; i++)
                if (count == 3 || among[i] != 0)
                    read_one(&r, names[among[i]]);
            ck_assert_msg(sim_results_settle(&r, why, sizeof(why)), "%s", why);
            if (count == 3)
                ck_assert_mem_eq(&r.outcomes[2], &expected, sizeof(expected));
            else
                ck_assert_str_eq(r.outcomes[0].detail, "after 1 s");
            ck_assert_uint_eq(r.duplicates, count == 3 ? 2 : 1);
            sim_results_free(&r);
        }
}
END_TEST

START_TEST(seeds_and_shards_are_read_or_refused)
{
    static const char *const bad_seeds[] = {"",   "0",    "-1",    "1..",  "..9", "9..1",
                                            "1x", "1...3", "1..2x", "a..b", " 1",
                                            "99999999999999999999"};
    static const char *const bad_shards[] = {"", "/", "1", "0/8", "9/8", "1/0", "1/8x", "/8", "-1/8"};
    uint64_t first, last;
    struct sim_shard s;
    ck_assert(sim_seeds_parse("10", &first, &last) && first == 1 && last == 10);
    ck_assert(sim_seeds_parse("5..7", &first, &last) && first == 5 && last == 7);
    ck_assert(sim_seeds_parse("0..0", &first, &last) && first == 0 && last == 0);
    for (size_t i = 0; i < sizeof(bad_seeds) / sizeof(bad_seeds[0]); i++)
        ck_assert_msg(!sim_seeds_parse(bad_seeds[i], &first, &last), "%s", bad_seeds[i]);
    ck_assert(sim_shard_parse("3/8", 0, &s) && s.index == 3 && s.count == 8);
    ck_assert(sim_shard_parse("/8", 2, &s) && s.index == 2 && s.count == 8);
    for (size_t i = 0; i < sizeof(bad_shards) / sizeof(bad_shards[0]); i++)
        ck_assert_msg(!sim_shard_parse(bad_shards[i], 0, &s), "%s", bad_shards[i]);
}
END_TEST

/* Goal: the tally is the same in any order: counts, first seeds, order of classes. */
START_TEST(a_tally_does_not_depend_on_order)
{
    struct sim_tally up = {0}, down = {0};
    for (uint64_t seed = 1; seed <= SEEDS; seed++) {
        struct sim_played a = outcome(0, seed), b = outcome(0, SEEDS + 1 - seed);
        sim_tally_add(&up, &a);
        sim_tally_add(&down, &b);
    }
    sim_tally_sort(&up);
    sim_tally_sort(&down);
    ck_assert_uint_eq(up.runs, SEEDS);
    ck_assert_uint_eq(up.met, SEEDS - SEEDS / 5);
    ck_assert_uint_eq(up.explained, SEEDS / 15);
    ck_assert_uint_eq(up.failures, SEEDS / 5 - SEEDS / 15);
    ck_assert_uint_eq(up.class_count, down.class_count);
    for (uint32_t i = 0; i < up.class_count; i++) {
        ck_assert_str_eq(up.classes[i].what, down.classes[i].what);
        ck_assert_uint_eq(up.classes[i].count, down.classes[i].count);
        ck_assert_uint_eq(up.classes[i].first.seed, down.classes[i].first.seed);
    }
    ck_assert_int_eq(sim_tally_exit(&up, 0, false), SIM_EXIT_VIOLATED);
    sim_tally_free(&up);
    sim_tally_free(&down);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("campaign results");
    TCase *tc = tcase_create("results");
    tcase_add_checked_fixture(tc, set_up, tear_down);
    tcase_set_timeout(tc, 60);
    tcase_add_test(tc, outcomes_are_read_as_they_were_written);
    tcase_add_test(tc, a_merge_does_not_depend_on_order);
    tcase_add_test(tc, a_cut_costs_the_last_line_only);
    tcase_add_test(tc, a_changed_byte_is_found);
    tcase_add_test(tc, results_of_another_campaign_are_refused);
    tcase_add_test(tc, two_results_of_one_run_are_an_error);
    tcase_add_test(tc, a_stopped_run_gives_way_to_one_that_ended);
    tcase_add_test(tc, seeds_and_shards_are_read_or_refused);
    tcase_add_test(tc, a_tally_does_not_depend_on_order);
    suite_add_tcase(suite, tc);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
