/*
 * Rows by key against an array of what is there: inserts, lookups one by one and by batch, and
 * removals while the index grows, which a large one does in steps.
 */
#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "stream/graph.h"
#include "stream/stream.h"
#include "stream/table.h"

#define KEYS  60000
#define STEPS 500000

typedef struct {
    int64_t key, value;
} pair;
ST_TYPE(pair, key, value);

static bool is_there[KEYS];
static struct memory_pool pool;
static struct table table;
static struct key_reader reader;

static uint64_t drawn(uint64_t *seed)
{
    *seed = *seed * UINT64_C(6364136223846793005) + 1442695040888963407;
    return *seed >> 33;
}

static void open_table(void)
{
    const st_key_spec spec = {&st_type_pair, 1, {offsetof(pair, key)}};
    const struct layout payload = {.size = sizeof(int64_t)};
    memset(is_there, 0, sizeof is_there);
    pool = (struct memory_pool){0};
    reader = key_reader_of(&spec);
    table_init(&table, &reader, &pool, &payload, false);
}

static void put_value(char *row, int64_t key)
{
    int64_t value = key * 3;
    memcpy(row + sizeof key, &value, sizeof value);
}

static void check_row(const char *row, int64_t key)
{
    int64_t found[2];
    memcpy(found, row, sizeof found);
    ck_assert_int_eq(found[0], key);
    ck_assert_int_eq(found[1], key * 3);
}

static void insert_one(int64_t key)
{
    bool is_new;
    uint32_t row = table_find_or_insert(&table, &reader, &(pair){key, 0}, &is_new);
    ck_assert_int_eq(is_new, !is_there[key]);
    is_there[key] = true;
    put_value(table_row(&table, row), key);
}

static void remove_one(int64_t key)
{
    uint32_t row = table_find(&table, &(pair){key, 0});
    ck_assert_int_eq(row != ROW_NONE, is_there[key]);
    if (row != ROW_NONE) {
        check_row(table_row(&table, row), key);
        table_remove(&table, row);
        is_there[key] = false;
    }
}

static void insert_batch(uint64_t *seed, uint64_t range)
{
    pair pairs[BATCH_SIZE];
    char *rows[BATCH_SIZE];
    uint8_t fresh[BATCH_SIZE];
    for (uint32_t k = 0; k < BATCH_SIZE; k++) {
        pairs[k] = (pair){(int64_t)(drawn(seed) % range), 0};
    }
    table_find_many(&table, NULL, pairs, sizeof *pairs, BATCH_SIZE, rows, fresh);
    for (uint32_t k = 0; k < BATCH_SIZE; k++) {
        int64_t key = pairs[k].key;
        ck_assert_int_eq(fresh[k] != 0, !is_there[key]);
        is_there[key] = true;
        put_value(rows[k], key);
    }
}

/* In the index, and in what of the one before has not been moved. */
static uint32_t count_entries(void)
{
    uint32_t count = 0;
    for (uint32_t i = 0; i <= table.index_mask; i++) {
        count += table.index[i] != 0 ? 1 : 0;
    }
    for (uint32_t i = table.moved; table.old_index != NULL && i <= table.old_mask; i++) {
        uint32_t entry = table.old_index[i];
        count += entry != 0 && (entry & table.old_mask) != table.old_mask ? 1 : 0;
    }
    return count;
}

/* Grows from nothing to all keys, emptied between; some go again on the way. */
START_TEST(is_what_was_put_in)
{
    uint64_t seed = (uint64_t)_i + 1;
    open_table();
    for (uint32_t round = 0; round < 2; round++) {
        for (uint64_t step = 0; step < STEPS; step++) {
            uint64_t range = step / 8 + 1 < KEYS ? step / 8 + 1 : KEYS;
            uint64_t what = drawn(&seed) % 8;
            if (what == 0) {
                remove_one((int64_t)(drawn(&seed) % range));
            } else if (what < 7 || _i == 0) {
                insert_one((int64_t)(drawn(&seed) % range));
            } else {
                insert_batch(&seed, range);
                step += BATCH_SIZE;
            }
        }
        uint32_t count = 0;
        for (int64_t key = 0; key < KEYS; key++) {
            uint32_t row = table_find(&table, &(pair){key, 0});
            ck_assert_int_eq(row != ROW_NONE, is_there[key]);
            count += is_there[key] ? 1 : 0;
        }
        ck_assert_uint_eq(table.live, count);
        ck_assert_uint_gt(count, KEYS / 2);
        ck_assert_uint_eq(count_entries(), count);
        table_clear(&table);
        memset(is_there, 0, sizeof is_there);
    }
    table_free(&table);
    memory_pool_free(&pool);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("table");
    TCase *model = tcase_create("model");
    tcase_set_timeout(model, 120);
    tcase_add_loop_test(model, is_what_was_put_in, 0, 2);
    suite_add_tcase(suite, model);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? 0 : 1;
}
