/*
 * Golden traces: the same run gives the same text, another gives another; a comparison is equal
 * exactly where the bytes are, names the object that differs, and survives any bytes.
 */
#define _POSIX_C_SOURCE 200809L
#include <check.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "sim/diagnostics.h"
#include "sim/golden.h"
#include "sim/random.h"
#include "sim/scenario.h"
#include "sim/world.h"

enum { ROUNDS = 400 };

static struct sim_golden golden_of_seed(uint64_t seed)
{
    struct sim_diagnostics diagnostics;
    sim_diagnostics_init(&diagnostics);
    struct sim_scenario *scenario =
        sim_scenario_load(KC_SOURCE_DIR "/tests/determinism/random-faults.yaml", &diagnostics);
    ck_assert_ptr_nonnull(scenario);
    sim_diagnostics_free(&diagnostics);
    struct sim_trace *trace = sim_trace_new(&(struct sim_trace_options){.mode = SIM_TRACE_KEEP});
    struct sim_world_options options = sim_world_options_default();
    options.seed = seed;
    options.trace = trace;
    struct sim_world *world = sim_world_new(&options);
    sim_world_load(world, scenario);
    ck_assert(sim_world_run(world, scenario->until_us));
    struct sim_golden g = sim_golden_of(trace);
    sim_world_free(world);
    sim_trace_free(trace);
    sim_scenario_free(scenario);
    return g;
}

/* Compares; *text, owned: what was printed. */
static bool compare(const struct sim_golden *was, const struct sim_golden *is, char **text)
{
    size_t size;
    FILE *out = open_memstream(text, &size);
    const bool equal = sim_golden_compare(out, was, is, 5, 3);
    fclose(out);
    return equal;
}

static struct sim_golden copy(const struct sim_golden *g)
{
    struct sim_golden other = {.size = g->size, .text = malloc(g->size + 1)};
    memcpy(other.text, g->text, g->size + 1);
    return other;
}

START_TEST(same_seed_same_text)
{
    struct sim_golden a = golden_of_seed(3), b = golden_of_seed(3), c = golden_of_seed(4);
    char *text;
    ck_assert_uint_gt(a.lines, 20);
    ck_assert(compare(&a, &b, &text));
    ck_assert_str_eq(text, "");
    free(text);
    ck_assert(!compare(&a, &c, &text));
    ck_assert_ptr_nonnull(strstr(text, "record "));
    free(text);
    sim_golden_free(&a);
    sim_golden_free(&b);
    sim_golden_free(&c);
}
END_TEST

START_TEST(the_object_is_named)
{
    struct sim_golden is = golden_of_seed(3), was = copy(&is);
    char *text, *state = strstr(was.text, "/state\"");
    ck_assert_ptr_nonnull(state);
    char *digit = strstr(state, "\"leader\":") + strlen("\"leader\":");
    *digit = '8';
    ck_assert(!compare(&was, &is, &text));
    ck_assert_msg(strstr(text, "in ZooKeeper: leader was 8, is ") != NULL, "%s", text);
    free(text);
    sim_golden_free(&was);
    sim_golden_free(&is);
}
END_TEST

START_TEST(files_are_whole_or_as_they_were)
{
    struct sim_golden is = golden_of_seed(5), read;
    char folder[] = "/tmp/kcsim-golden-XXXXXX", file[64], name[64];
    ck_assert_ptr_nonnull(mkdtemp(folder));
    snprintf(file, sizeof(file), "%s/a.yaml", folder);
    ck_assert_ptr_nonnull(sim_golden_name(name, sizeof(name), file));
    ck_assert_ptr_nonnull(strstr(name, "/a.golden.ndjson"));
    ck_assert(!sim_golden_read(&read, name));
    ck_assert(sim_golden_write(&is, name));
    ck_assert(sim_golden_read(&read, name));
    ck_assert_uint_eq(read.size, is.size);
    ck_assert_mem_eq(read.text, is.text, is.size);
    ck_assert(!sim_golden_write(&is, "/nowhere/a.golden.ndjson"));
    ck_assert_ptr_null(sim_golden_name(name, 8, file));
    unlink(name);
    rmdir(folder);
    sim_golden_free(&read);
    sim_golden_free(&is);
}
END_TEST

/* Cuts, doubles and changes bytes. */
static void damage(struct sim_golden *g, struct sim_random_state *random)
{
    const uint64_t at = sim_random_below(random, g->size);
    switch (sim_random_below(random, 3)) {
    case 0:
        g->size = at;
        break;
    case 1:
        g->text[at] = (char)sim_random_below(random, 256);
        break;
    case 2:
        memmove(g->text + at / 2, g->text + at, g->size - at);
        break;
    }
}

START_TEST(any_bytes_can_be_compared)
{
    struct sim_golden is = golden_of_seed(6);
    struct sim_random_state random;
    sim_random_seed(&random, 1);
    for (int i = 0; i < ROUNDS; i++) {
        struct sim_golden was = copy(&is);
        const uint64_t times = 1 + sim_random_below(&random, 3);
        char *text;
        for (uint64_t k = 0; k < times && was.size > 1; k++)
            damage(&was, &random);
        const bool same = was.size == is.size && memcmp(was.text, is.text, is.size) == 0;
        ck_assert_int_eq(compare(&was, &is, &text), same);
        ck_assert(same || strlen(text) > 0);
        free(text);
        ck_assert_int_eq(compare(&is, &was, &text), same);
        free(text);
        sim_golden_free(&was);
    }
    sim_golden_free(&is);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("golden traces");
    TCase *tests = tcase_create("golden traces");
    tcase_set_timeout(tests, 300);
    tcase_add_test(tests, same_seed_same_text);
    tcase_add_test(tests, the_object_is_named);
    tcase_add_test(tests, files_are_whole_or_as_they_were);
    tcase_add_test(tests, any_bytes_can_be_compared);
    suite_add_tcase(suite, tests);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    const int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? 0 : 1;
}
