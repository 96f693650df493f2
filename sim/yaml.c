/*
 * YAML: the events of libyaml, made a tree.
 *
 * Recursion follows the depth of the document, which is limited before it grows. libyaml counts
 * columns in code points, as the diagnostics do. libyaml takes a lone CR, NEL, LS and PS for ends
 * of lines, which editors do not: they are refused, so that lines mean the same to everybody.
 */
#include "sim/yaml.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>
#include <yaml.h>

struct reader {
    yaml_parser_t parser;
    yaml_event_t event;
    bool has_event;
    struct sim_memory *memory;
    struct sim_diagnostics *d;
    const char *text;
    size_t size;
    size_t cursor_index, cursor_byte; /* the same place, counted in code points and in bytes */
};

/* ---- UTF-8 ---- */

/* Returns the size of the code point at `at`, 0 where it is none (overlong, surrogate, beyond). */
static size_t utf8_size(const unsigned char *at, const unsigned char *end)
{
    static const uint32_t smallest[5] = {0, 0, 0x80, 0x800, 0x10000};
    if (*at < 0x80) {
        return 1;
    }
    const size_t size = (*at & 0xe0) == 0xc0   ? 2
                        : (*at & 0xf0) == 0xe0 ? 3
                        : (*at & 0xf8) == 0xf0 ? 4
                                               : 0;
    if (size == 0 || (size_t)(end - at) < size) {
        return 0;
    }
    uint32_t value = *at & (0xffu >> (size + 1));
    for (size_t i = 1; i < size; i++) {
        if ((at[i] & 0xc0) != 0x80) {
            return 0;
        }
        value = value << 6 | (at[i] & 0x3f);
    }
    const bool legal =
        value >= smallest[size] && value <= 0x10ffff && !(value >= 0xd800 && value <= 0xdfff);
    return legal ? size : 0;
}

bool sim_check_utf8(const char *text, size_t size, struct sim_diagnostics *d)
{
    const unsigned char *at = (const unsigned char *)text, *end = at + size;
    struct sim_place place = {.line = 1, .column = 1};
    while (at < end) {
        const size_t bytes = utf8_size(at, end);
        if (bytes == 0) {
            return sim_error(d, place, "byte 0x%02x is not UTF-8", *at);
        }
        place.column++;
        if (*at == '\n') {
            place = (struct sim_place){.line = place.line + 1, .column = 1};
        }
        at += bytes;
    }
    return true;
}

static bool check_line_ends(const char *text, size_t size, struct sim_diagnostics *d)
{
    struct sim_place place = {.line = 1, .column = 0};
    for (size_t i = 0; i < size; i++) {
        const char *at = text + i;
        place.column += ((unsigned char)*at & 0xc0) != 0x80;
        const bool lone_cr = *at == '\r' && (i + 1 == size || at[1] != '\n');
        const bool nel = i + 1 < size && memcmp(at, "\xc2\x85", 2) == 0;
        const bool separator = i + 2 < size && (memcmp(at, "\xe2\x80\xa8", 3) == 0 ||
                                                memcmp(at, "\xe2\x80\xa9", 3) == 0);
        if (lone_cr || nel || separator) {
            sim_error(d, place, "a line ends with %s; use LF or CR LF",
                      lone_cr ? "a lone CR"
                      : nel   ? "U+0085"
                              : "U+2028 or U+2029");
            return false;
        }
        if (*at == '\n') {
            place = (struct sim_place){.line = place.line + 1, .column = 0};
        }
    }
    return true;
}

/* ---- marks ---- */

/* Marks of successive events lie close to each other, so walking from the last one is linear over
   the document, also where all of it is one line. */
static size_t offset_of(struct reader *r, const yaml_mark_t *mark)
{
    while (r->cursor_index < mark->index && r->cursor_byte < r->size) {
        do {
            r->cursor_byte++;
        } while (r->cursor_byte < r->size &&
                 ((unsigned char)r->text[r->cursor_byte] & 0xc0) == 0x80);
        r->cursor_index++;
    }
    while (r->cursor_index > mark->index && r->cursor_byte > 0) {
        do {
            r->cursor_byte--;
        } while (r->cursor_byte > 0 && ((unsigned char)r->text[r->cursor_byte] & 0xc0) == 0x80);
        r->cursor_index--;
    }
    return r->cursor_byte;
}

static struct sim_place place_of(const yaml_mark_t *start, const yaml_mark_t *end)
{
    return (struct sim_place){
        .line = (uint32_t)start->line + 1,
        .column = (uint32_t)start->column + 1,
        .length = end->line == start->line && end->column > start->column
                      ? (uint32_t)(end->column - start->column)
                      : 1,
    };
}

static struct sim_place event_place(const struct reader *r)
{
    return place_of(&r->event.start_mark, &r->event.end_mark);
}

/* ---- events ---- */

static bool syntax_error(struct reader *r)
{
    const yaml_parser_t *p = &r->parser;
    const bool has_mark = p->error == YAML_SCANNER_ERROR || p->error == YAML_PARSER_ERROR;
    const struct sim_place place = has_mark ? place_of(&p->problem_mark, &p->problem_mark)
                                            : (struct sim_place){.line = 1, .column = 1};
    sim_error(r->d, place, "syntax error: %s", p->problem == NULL ? "unreadable" : p->problem);
    const size_t at = has_mark ? offset_of(r, &p->problem_mark) : r->size;
    if (at < r->size && r->text[at] == '\t') {
        sim_note(r->d, "a tab stands here; YAML indents with blanks");
    }
    if (p->context != NULL && has_mark) {
        sim_note(r->d, "%s that began at line %zu, column %zu", p->context,
                 p->context_mark.line + 1, p->context_mark.column + 1);
    }
    return false;
}

static bool next_event(struct reader *r)
{
    if (r->has_event) {
        yaml_event_delete(&r->event);
        r->has_event = false;
    }
    if (!yaml_parser_parse(&r->parser, &r->event)) {
        return syntax_error(r);
    }
    r->has_event = true;
    return true;
}

static bool refuse_anchor(struct reader *r, const yaml_char_t *anchor, const yaml_char_t *tag)
{
    if (anchor != NULL) {
        return sim_error(r->d, event_place(r), "anchors (&%s) are not allowed in a scenario",
                         (const char *)anchor);
    }
    if (tag != NULL) {
        return sim_error(r->d, event_place(r), "tags (%s) are not allowed in a scenario",
                         (const char *)tag);
    }
    return true;
}

static struct sim_yaml *read_node(struct reader *r, unsigned depth);

static struct sim_yaml *new_node(struct reader *r, enum sim_yaml_kind kind)
{
    struct sim_yaml *node = sim_memory_take(r->memory, sizeof(*node));
    node->kind = kind;
    node->place = event_place(r);
    node->begin = offset_of(r, &r->event.start_mark);
    node->end = offset_of(r, &r->event.end_mark);
    return node;
}

/* A collection's own mark is that of its first byte; now that its end is known, so is its length.
 */
static void close_node(struct reader *r, struct sim_yaml *node)
{
    node->end = offset_of(r, &r->event.end_mark);
    if (r->event.end_mark.line + 1 == node->place.line) {
        node->place.length = (uint32_t)r->event.end_mark.column + 1 - node->place.column;
    }
    if (node->place.length == 0) {
        node->place.length = 1;
    }
}

static struct sim_yaml *read_scalar(struct reader *r)
{
    const char *text = (const char *)r->event.data.scalar.value;
    const size_t size = r->event.data.scalar.length;
    if (!refuse_anchor(r, r->event.data.scalar.anchor, r->event.data.scalar.tag)) {
        return NULL;
    }
    if (memchr(text, '\0', size) != NULL) {
        sim_error(r->d, event_place(r), "a text must not hold the NUL character");
        return NULL;
    }
    struct sim_yaml *node = new_node(r, SIM_YAML_SCALAR);
    node->text = sim_memory_copy(r->memory, text, size);
    node->size = size;
    node->quoted = r->event.data.scalar.style != YAML_PLAIN_SCALAR_STYLE;
    return node;
}

static struct sim_yaml *read_list(struct reader *r, unsigned depth)
{
    if (!refuse_anchor(r, r->event.data.sequence_start.anchor, r->event.data.sequence_start.tag)) {
        return NULL;
    }
    struct sim_yaml *node = new_node(r, SIM_YAML_LIST);
    while (next_event(r)) {
        if (r->event.type == YAML_SEQUENCE_END_EVENT) {
            close_node(r, node);
            return node;
        }
        struct sim_yaml *item = read_node(r, depth + 1);
        if (item == NULL) {
            return NULL;
        }
        node->items = sim_memory_grow(r->memory, node->items, sizeof(*node->items), node->count);
        node->items[node->count++] = item;
    }
    return NULL;
}

static int compare_keys(const void *a, const void *b)
{
    const struct sim_yaml *x = *(struct sim_yaml *const *)a, *y = *(struct sim_yaml *const *)b;
    const int order = strcmp(x->text, y->text);
    return order != 0 ? order : x->begin < y->begin ? -1 : x->begin > y->begin;
}

static bool check_duplicates(struct reader *r, const struct sim_yaml *node)
{
    if (node->count < 2) {
        return true;
    }
    struct sim_yaml **sorted = malloc(node->count * sizeof(*sorted));
    if (sorted == NULL) {
        abort();
    }
    memcpy(sorted, node->keys, node->count * sizeof(*sorted));
    qsort(sorted, node->count, sizeof(*sorted), compare_keys);
    bool good = true;
    for (uint32_t i = 1; i < node->count; i++) {
        if (strcmp(sorted[i - 1]->text, sorted[i]->text) == 0) {
            good = sim_error(r->d, sorted[i]->place, "key '%s' stands twice", sorted[i]->text);
            sim_note(r->d, "first at line %u, column %u", sorted[i - 1]->place.line,
                     sorted[i - 1]->place.column);
        }
    }
    free(sorted);
    return good;
}

static struct sim_yaml *read_key(struct reader *r)
{
    if (r->event.type == YAML_ALIAS_EVENT || r->event.type != YAML_SCALAR_EVENT) {
        sim_error(r->d, event_place(r), "a key must be a plain text");
        return NULL;
    }
    struct sim_yaml *key = read_scalar(r);
    if (key != NULL && !key->quoted && strcmp(key->text, "<<") == 0) {
        sim_error(r->d, key->place, "merge keys (<<) are not allowed in a scenario");
        return NULL;
    }
    return key;
}

static struct sim_yaml *read_map(struct reader *r, unsigned depth)
{
    if (!refuse_anchor(r, r->event.data.mapping_start.anchor, r->event.data.mapping_start.tag)) {
        return NULL;
    }
    struct sim_yaml *node = new_node(r, SIM_YAML_MAP);
    while (next_event(r)) {
        if (r->event.type == YAML_MAPPING_END_EVENT) {
            close_node(r, node);
            return check_duplicates(r, node) ? node : NULL;
        }
        struct sim_yaml *key = read_key(r);
        struct sim_yaml *value = key == NULL || !next_event(r) ? NULL : read_node(r, depth + 1);
        if (value == NULL) {
            return NULL;
        }
        node->keys = sim_memory_grow(r->memory, node->keys, sizeof(*node->keys), node->count);
        node->items = sim_memory_grow(r->memory, node->items, sizeof(*node->items), node->count);
        node->keys[node->count] = key;
        node->items[node->count++] = value;
    }
    return NULL;
}

static struct sim_yaml *read_node(struct reader *r, unsigned depth)
{
    if (depth > SIM_YAML_DEPTH_MAX) {
        sim_error(r->d, event_place(r), "nested deeper than %d levels, the limit of a scenario",
                  SIM_YAML_DEPTH_MAX);
        return NULL;
    }
    switch ((int)r->event.type) {
    case YAML_SCALAR_EVENT:
        return read_scalar(r);
    case YAML_SEQUENCE_START_EVENT:
        return read_list(r, depth);
    case YAML_MAPPING_START_EVENT:
        return read_map(r, depth);
    case YAML_ALIAS_EVENT:
        sim_error(r->d, event_place(r), "aliases (*%s) are not allowed in a scenario",
                  (const char *)r->event.data.alias.anchor);
        sim_note(r->d, "a target that begins with * is quoted: '*%s'",
                 (const char *)r->event.data.alias.anchor);
        return NULL;
    default: /* the parser gives nothing else where a node may stand */
        sim_error(r->d, event_place(r), "a value is missing");
        return NULL;
    }
}

/* ---- the document ---- */

static struct sim_yaml *read_document(struct reader *r)
{
    if (!next_event(r) || !next_event(r)) { /* stream start, then document start */
        return NULL;
    }
    if (r->event.type == YAML_STREAM_END_EVENT) {
        sim_error(r->d, (struct sim_place){0}, "the file is empty");
        return NULL;
    }
    if (r->event.data.document_start.version_directive != NULL ||
        r->event.data.document_start.tag_directives.start !=
            r->event.data.document_start.tag_directives.end) {
        sim_error(r->d, event_place(r), "directives (%%YAML, %%TAG) are not allowed in a scenario");
        return NULL;
    }
    if (!next_event(r)) {
        return NULL;
    }
    struct sim_yaml *root = read_node(r, 1);
    if (root == NULL || !next_event(r) || !next_event(r)) { /* document end, then stream end */
        return NULL;
    }
    if (r->event.type != YAML_STREAM_END_EVENT) {
        sim_error(r->d, event_place(r),
                  "a second document begins here; a scenario is one document");
        return NULL;
    }
    return root;
}

struct sim_yaml *sim_yaml_parse(struct sim_memory *memory, const char *text, size_t size,
                                struct sim_diagnostics *d)
{
    if (size > SIM_YAML_SIZE_MAX) {
        sim_error(d, (struct sim_place){0}, "%zu bytes; a scenario has at most %d (1 MiB)", size,
                  SIM_YAML_SIZE_MAX);
        sim_note(d,
                 "many topics are written as a pattern: \"t-{1..1000}\"; large states as a dump");
        return NULL;
    }
    if (!sim_check_utf8(text, size, d) || !check_line_ends(text, size, d)) {
        return NULL;
    }
    struct reader r = {.memory = memory, .d = d, .text = text, .size = size};
    if (!yaml_parser_initialize(&r.parser)) {
        abort(); /* it fails for want of memory only */
    }
    yaml_parser_set_encoding(&r.parser, YAML_UTF8_ENCODING);
    yaml_parser_set_input_string(&r.parser, (const unsigned char *)text, size);
    struct sim_yaml *root = read_document(&r);
    if (r.has_event) {
        yaml_event_delete(&r.event);
    }
    yaml_parser_delete(&r.parser);
    return root;
}

const struct sim_yaml *sim_yaml_get(const struct sim_yaml *map, const char *key)
{
    for (uint32_t i = 0; map != NULL && map->kind == SIM_YAML_MAP && i < map->count; i++) {
        if (strcmp(map->keys[i]->text, key) == 0) {
            return map->items[i];
        }
    }
    return NULL;
}

const char *sim_yaml_kind_text(const struct sim_yaml *node)
{
    switch (node->kind) {
    case SIM_YAML_SCALAR:
        return "text";
    case SIM_YAML_LIST:
        return "a list";
    case SIM_YAML_MAP:
        return "a mapping";
    }
    assert(false);
    return "";
}
