/*
 * docs/trace.md says what the tables say: every kind with its fields, every field with its meaning.
 */
#define _POSIX_C_SOURCE 200809L

#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "sim/trace.h"

static char *read_doc(void)
{
    FILE *in = fopen(KC_SOURCE_DIR "/docs/trace.md", "r");
    ck_assert_ptr_nonnull(in);
    char *text = calloc(1, 1 << 20);
    ck_assert_uint_gt(fread(text, 1, (1 << 20) - 1, in), 0);
    fclose(in);
    return text;
}

/* Fields that every kind has; the document names them once. `learn` has few of its own. */
static bool is_common(enum sim_field field)
{
    return sim_kind_has(SIM_K_LEARN, field) && field != SIM_F_WHAT;
}

/* The row that the document must have: | `kind` | what | `field` `field` … | */
static void kind_row(enum sim_kind kind, char *out, size_t capacity)
{
    size_t size =
        (size_t)snprintf(out, capacity, "| `%s` | %s |", sim_kind_name(kind), sim_kind_text(kind));
    for (int field = 1; field < SIM_F_END; field++)
        if (sim_kind_has(kind, (enum sim_field)field) && !is_common((enum sim_field)field))
            size += (size_t)snprintf(out + size, capacity - size, " `%s`",
                                     sim_field_name((enum sim_field)field));
    snprintf(out + size, capacity - size, " |\n");
}

START_TEST(every_kind_is_described)
{
    char *doc = read_doc();
    char row[1024];
    for (int kind = 1; kind < SIM_K_END; kind++) {
        kind_row((enum sim_kind)kind, row, sizeof(row));
        ck_assert_msg(strstr(doc, row) != NULL, "docs/trace.md lacks the row:\n%s", row);
    }
    free(doc);
}
END_TEST

START_TEST(every_field_is_described)
{
    char *doc = read_doc();
    char row[512];
    for (int field = 1; field < SIM_F_END; field++) {
        snprintf(row, sizeof(row), "| `%s` | %s |\n", sim_field_name((enum sim_field)field),
                 sim_field_text((enum sim_field)field));
        ck_assert_msg(strstr(doc, row) != NULL, "docs/trace.md lacks the row:\n%s", row);
    }
    free(doc);
}
END_TEST

int main(int argc, char **argv)
{
    if (argc > 1 && strcmp(argv[1], "--print") == 0) { /* the two tables, to paste */
        char row[1024];
        for (int kind = 1; kind < SIM_K_END; kind++) {
            kind_row((enum sim_kind)kind, row, sizeof(row));
            fputs(row, stdout);
        }
        for (int field = 1; field < SIM_F_END; field++)
            printf("| `%s` | %s |\n", sim_field_name((enum sim_field)field),
                   sim_field_text((enum sim_field)field));
        return 0;
    }
    Suite *suite = suite_create("trace_doc");
    TCase *tc = tcase_create("trace_doc");
    tcase_add_test(tc, every_kind_is_described);
    tcase_add_test(tc, every_field_is_described);
    suite_add_tcase(suite, tc);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? 0 : 1;
}
