/*
 * The page as the C side writes it: every mark of the template is filled, text is escaped, and the
 * packed trace inflates to its header and as many blocks as it takes. What the page's script makes
 * of the blocks is tested with node (same.test.js).
 */
#define _GNU_SOURCE /* open_memstream */

#include <check.h>
#include <stdlib.h>
#include <string.h>

#include <jansson.h>
#include <zlib.h>

#include "ui/packed.h"
#include "ui/page.h"

static struct sim_trace *trace_new(int records, const char *title)
{
    struct sim_trace *trace = sim_trace_new(&(struct sim_trace_options){.mode = SIM_TRACE_KEEP});
    ck_assert(sim_trace_meta_begin(trace, 1, "2.8"));
    sim_trace_text(trace, SIM_F_TITLE, title);
    sim_trace_end(trace);
    for (int i = 1; i < records; i++)
        sim_trace_mark(trace, i, 0, "here", title);
    return trace;
}

static char *page_of(const struct sim_trace *trace)
{
    char *text = NULL;
    size_t size = 0;
    FILE *out = open_memstream(&text, &size);
    ck_assert_ptr_nonnull(out);
    ck_assert(ui_page_write(out, trace, &(struct ui_page_options){.name = "t", .remark = "a < b"}));
    fclose(out);
    return text;
}

static uint32_t u32(const uint8_t *at)
{
    return (uint32_t)at[0] | (uint32_t)at[1] << 8 | (uint32_t)at[2] << 16 | (uint32_t)at[3] << 24;
}

/* Inflates the frame at `at` into an owned, zero-ended body; returns what follows it. */
static const uint8_t *inflate_frame(const uint8_t *at, char **body, uLongf *size)
{
    *size = u32(at + 4);
    *body = calloc(1, *size + 1);
    ck_assert_ptr_nonnull(*body);
    ck_assert_int_eq(uncompress((Bytef *)*body, size, at + 8, u32(at)), Z_OK);
    return at + 8 + u32(at);
}

START_TEST(every_mark_is_filled_and_text_is_escaped)
{
    struct sim_trace *trace = trace_new(3, "<zz>\"&'</title>");
    char *page = page_of(trace);
    ck_assert_ptr_nonnull(
        strstr(page, "<title>&lt;zz&gt;&quot;&amp;&#39;&lt;/title&gt; - kcsim</title>"));
    ck_assert_ptr_nonnull(strstr(page, "content=\"default-src 'none';"));
    ck_assert_ptr_nonnull(strstr(page, "<p>a &lt; b</p>"));
    ck_assert_ptr_nonnull(strstr(page, "The run was cut off: its last record is 3."));
    ck_assert_ptr_null(strstr(page, "<zz>"));
    ck_assert_ptr_null(strstr(page, "src=\"main.js\""));
    ck_assert_ptr_null(strstr(page, "<noscript></noscript>"));
    free(page);
    sim_trace_free(trace);
}
END_TEST

/* Blocks are of 4,096 records; the header says how many there are. */
START_TEST(a_packed_trace_is_a_header_and_blocks)
{
    static const int counts[] = {1, 4095, 4096, 4097, 8192};
    for (size_t i = 0; i < sizeof(counts) / sizeof(counts[0]); i++) {
        struct sim_trace *trace = trace_new(counts[i], "t");
        struct ui_bytes packed = {0};
        char *body;
        uLongf size;
        ui_packed_write(trace, NULL, &packed);
        const uint8_t *at = packed.at + strlen(UI_PACKED_SCHEMA "\n");
        ck_assert_int_eq(memcmp(packed.at, UI_PACKED_SCHEMA "\n", strlen(UI_PACKED_SCHEMA "\n")),
                         0);
        at = inflate_frame(at, &body, &size);
        json_t *header = json_loadb(body, size, 0, NULL);
        ck_assert_ptr_nonnull(header);
        ck_assert_int_eq(json_integer_value(json_object_get(header, "records")), counts[i]);
        ck_assert_int_eq(json_integer_value(json_object_get(header, "finished")), 0);
        json_decref(header);
        free(body);
        int blocks = 0;
        for (; u32(at) != 0; blocks++) {
            at = inflate_frame(at, &body, &size);
            free(body);
        }
        ck_assert_int_eq(blocks, (counts[i] + 4095) / 4096);
        ck_assert_ptr_eq(at + 4, packed.at + packed.size);
        free(packed.at);
        sim_trace_free(trace);
    }
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("page");
    TCase *tests = tcase_create("page");
    tcase_add_test(tests, every_mark_is_filled_and_text_is_escaped);
    tcase_add_test(tests, a_packed_trace_is_a_header_and_blocks);
    suite_add_tcase(suite, tests);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed != 0;
}
