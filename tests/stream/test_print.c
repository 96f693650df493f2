/*
 * Numbers as Java prints them.
 */
#include <check.h>
#include <locale.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "stream/record.h"

typedef struct {
    float value;
} single;
ST_TYPE(single, value);

static const char *print(const st_type *type, const void *record)
{
    static char text[64];
    size_t size = record_print(type, record, text, sizeof text);
    ck_assert_uint_lt(size, sizeof text);
    text[size] = '\0';
    return text;
}

/* What OpenJDK 17 prints. */
START_TEST(a_double_is_printed_as_java_does)
{
    static const struct {
        double value;
        const char *text;
    } all[] = {{0.1, "0.1"},
               {0.2, "0.2"},
               {0.1 + 0.2, "0.30000000000000004"},
               {0, "0.0"},
               {-0.0, "-0.0"},
               {1, "1.0"},
               {-100, "-100.0"},
               {9999999, "9999999.0"},
               {1e7, "1.0E7"},
               {0.001, "0.001"},
               {9.99e-4, "9.99E-4"},
               {123456789.125, "1.23456789125E8"},
               {1234567.5, "1234567.5"},
               {4.9e-324, "4.9E-324"},
               {1.7976931348623157e308, "1.7976931348623157E308"},
               {2.0 / 3, "0.6666666666666666"},
               {1e21, "1.0E21"},
               {5e-5, "5.0E-5"},
               {NAN, "NaN"},
               {INFINITY, "Infinity"},
               {-INFINITY, "-Infinity"}};
    (void)setlocale(LC_ALL, _i == 0 ? "C" : "de_DE.UTF-8"); /* if there is one: a comma */
    for (size_t i = 0; i < sizeof all / sizeof *all; i++) {
        ck_assert_str_eq(print(&st_type_double, &all[i].value), all[i].text);
    }
}
END_TEST

START_TEST(a_float_has_fewer_digits)
{
    static const struct {
        float value;
        const char *text;
    } all[] = {{0.1F, "0.1"},
               {1e30F, "1.0E30"},
               {3.4028235e38F, "3.4028235E38"},
               {16777216, "1.6777216E7"},
               {1.5F, "1.5"},
               {1.0F / 3, "0.33333334"},
               {-1e-4F, "-1.0E-4"}};
    for (size_t i = 0; i < sizeof all / sizeof *all; i++) {
        single record = {all[i].value};
        ck_assert_str_eq(print(&st_type_single, &record), all[i].text);
    }
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("print");
    TCase *tcase = tcase_create("numbers");
    tcase_add_loop_test(tcase, a_double_is_printed_as_java_does, 0, 2);
    tcase_add_test(tcase, a_float_has_fewer_digits);
    suite_add_tcase(suite, tcase);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
