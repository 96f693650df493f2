/*
 * The built parts of the page, in the program: CMakeLists.txt says how they are made, and gives the
 * folder that they are in (UI_BUILT).
 */
#include "ui/page.h"

/* The assembler takes the file in; name and name_end are the addresses of its first byte and of the
   one behind its last. */
#define EMBED(name, file)                                                                          \
    __asm__(".pushsection .rodata\n" #name ":\n"                                                   \
            ".incbin \"" UI_BUILT "/" file "\"\n" #name "_end:\n"                                  \
            ".byte 0\n"                                                                            \
            ".popsection\n");                                                                      \
    extern const char name[] __attribute__((visibility("hidden")));                                \
    extern const char name##_end[] __attribute__((visibility("hidden")))

EMBED(ui_embedded_page, "page.html");
EMBED(ui_embedded_style, "style.css");
EMBED(ui_embedded_script, "script.js");
EMBED(ui_embedded_style_hash, "style.css.sha256");
EMBED(ui_embedded_script_hash, "script.js.sha256");
EMBED(ui_embedded_pair, "pair.html");
EMBED(ui_embedded_pair_style, "pair.css");
EMBED(ui_embedded_pair_script, "pair.js");
EMBED(ui_embedded_pair_style_hash, "pair.css.sha256");
EMBED(ui_embedded_pair_script_hash, "pair.js.sha256");

static struct ui_part part(const char *begin, const char *end)
{
    return (struct ui_part){.at = begin, .size = (size_t)(end - begin)};
}

struct ui_part ui_part_page(void)
{
    return part(ui_embedded_page, ui_embedded_page_end);
}

struct ui_part ui_part_style(void)
{
    return part(ui_embedded_style, ui_embedded_style_end);
}

struct ui_part ui_part_script(void)
{
    return part(ui_embedded_script, ui_embedded_script_end);
}

struct ui_part ui_part_style_hash(void)
{
    return part(ui_embedded_style_hash, ui_embedded_style_hash_end);
}

struct ui_part ui_part_script_hash(void)
{
    return part(ui_embedded_script_hash, ui_embedded_script_hash_end);
}

struct ui_part ui_part_pair(void)
{
    return part(ui_embedded_pair, ui_embedded_pair_end);
}

struct ui_part ui_part_pair_style(void)
{
    return part(ui_embedded_pair_style, ui_embedded_pair_style_end);
}

struct ui_part ui_part_pair_script(void)
{
    return part(ui_embedded_pair_script, ui_embedded_pair_script_end);
}

struct ui_part ui_part_pair_style_hash(void)
{
    return part(ui_embedded_pair_style_hash, ui_embedded_pair_style_hash_end);
}

struct ui_part ui_part_pair_script_hash(void)
{
    return part(ui_embedded_pair_script_hash, ui_embedded_pair_script_hash_end);
}
