/*
 * The scanner. Each token is checked where it is consumed, so a text is read once; what a decoder
 * does not want is checked all the same, by sm_json_skip.
 */
#include "statemachine/json.h"

#include <assert.h>
#include <string.h>

_Static_assert(SM_JSON_DEPTH_MAX <= 32, "sm_json_skip keeps one bit per level");

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

bool sm_json_fail(struct sm_json *j, enum sm_err err)
{
    if (j->err == SM_ERR_OK)
        j->err = err;
    return false;
}

static bool syntax_error(struct sm_json *j)
{
    return sm_json_fail(j, SM_ERR_SYNTAX);
}

char sm_json_peek(struct sm_json *j)
{
    while (j->at < j->end && (*j->at == ' ' || *j->at == '\t' || *j->at == '\n' || *j->at == '\r'))
        j->at++;
    return j->at < j->end ? *j->at : '\0';
}

/* Consumes `c` where it comes next. A NUL byte of the text is never asked for. */
static bool take(struct sm_json *j, char c)
{
    if (j->err != SM_ERR_OK || sm_json_peek(j) != c)
        return false;
    j->at++;
    return true;
}

static bool enter(struct sm_json *j, char opening)
{
    if (!take(j, opening))
        return syntax_error(j);
    if (j->depth == SM_JSON_DEPTH_MAX)
        return sm_json_fail(j, SM_ERR_LIMIT);
    j->depth++;
    j->first = true;
    return true;
}

bool sm_json_object(struct sm_json *j)
{
    return enter(j, '{');
}

bool sm_json_array(struct sm_json *j)
{
    return enter(j, '[');
}

/* Returns true where another member or element follows; leaves at `closing`. */
static bool another(struct sm_json *j, char closing)
{
    if (j->err != SM_ERR_OK)
        return false;
    if (take(j, closing)) {
        assert(j->depth > 0);
        j->depth--;
        j->first = false;
        return false;
    }
    if (!j->first && !take(j, ','))
        return syntax_error(j);
    j->first = false;
    return true;
}

bool sm_json_member(struct sm_json *j, struct sm_span *key)
{
    if (!another(j, '}') || !sm_json_string(j, key))
        return false;
    return take(j, ':') || syntax_error(j);
}

bool sm_json_element(struct sm_json *j)
{
    return another(j, ']');
}

/* ---- strings ---- */

static int hex_digit(char c)
{
    if (is_digit(c))
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    if (c >= 'A' && c <= 'F')
        return c - 'A' + 10;
    return -1;
}

/* Reads the four digits of \uXXXX at `at`; -1 where they are not there. */
static int32_t hex4(const char *at, const char *end)
{
    if (end - at < 4)
        return -1;
    int32_t unit = 0;
    for (int i = 0; i < 4; i++) {
        int digit = hex_digit(at[i]);
        if (digit < 0)
            return -1;
        unit = unit << 4 | digit;
    }
    return unit;
}

enum { HIGH_SURROGATES = 0xd800, LOW_SURROGATES = 0xdc00, SURROGATES_END = 0xe000 };

/* Reads a \uXXXX, or two that pair, from the 'u' on. Stores the code point; returns the bytes read,
   0 where they are not well formed. */
static size_t unicode_escape(const char *at, const char *end, int32_t *code_point)
{
    int32_t high = hex4(at + 1, end);
    *code_point = high;
    if (high < 0)
        return 0;
    if (high < HIGH_SURROGATES || high >= SURROGATES_END)
        return 5;
    bool escape_follows = end - at >= 11 && at[5] == '\\' && at[6] == 'u';
    int32_t low = escape_follows ? hex4(at + 7, end) : -1;
    if (high >= LOW_SURROGATES || low < LOW_SURROGATES || low >= SURROGATES_END)
        return 0;
    *code_point = 0x10000 + ((high - HIGH_SURROGATES) << 10) + (low - LOW_SURROGATES);
    return 11;
}

/* Returns the character that a one-letter escape stands for, or -1. */
static int simple_escape(char letter)
{
    switch (letter) {
    case '"':
    case '\\':
    case '/':
        return letter;
    case 'b':
        return '\b';
    case 'f':
        return '\f';
    case 'n':
        return '\n';
    case 'r':
        return '\r';
    case 't':
        return '\t';
    default:
        return -1;
    }
}

/* Reads what follows a backslash. As unicode_escape. */
static size_t escape(const char *at, const char *end, int32_t *code_point)
{
    if (at == end)
        return 0;
    if (*at == 'u')
        return unicode_escape(at, end, code_point);
    *code_point = simple_escape(*at);
    return *code_point < 0 ? 0 : 1;
}

/* Returns the length of the UTF-8 character that begins with a byte above 0x7f, 0 where it is not
   well formed. The second byte's range shuts out overlong forms, surrogates and the beyond. */
static size_t utf8_length(const char *at, const char *end)
{
    unsigned char lead = (unsigned char)*at, low = 0x80, high = 0xbf;
    size_t length = lead >= 0xc2 && lead <= 0xdf   ? 2
                    : lead >= 0xe0 && lead <= 0xef ? 3
                    : lead >= 0xf0 && lead <= 0xf4 ? 4
                                                   : 0;
    if (length == 0 || (size_t)(end - at) < length)
        return 0;
    if (lead == 0xe0)
        low = 0xa0;
    if (lead == 0xed)
        high = 0x9f;
    if (lead == 0xf0)
        low = 0x90;
    if (lead == 0xf4)
        high = 0x8f;
    unsigned char second = (unsigned char)at[1];
    if (second < low || second > high)
        return 0;
    for (size_t i = 2; i < length; i++)
        if (((unsigned char)at[i] & 0xc0) != 0x80)
            return 0;
    return length;
}

/* Returns the bytes of the character (or escape) at `at`, 0 where it is not well formed. */
static size_t string_char(const char *at, const char *end)
{
    int32_t ignored;
    unsigned char c = (unsigned char)*at;
    if (c == '\\') {
        size_t size = escape(at + 1, end, &ignored);
        return size == 0 ? 0 : size + 1;
    }
    if (c < 0x20)
        return 0;
    return c < 0x80 ? 1 : utf8_length(at, end);
}

/* A character that stands for itself: nearly all do. */
static bool is_plain(char c)
{
    unsigned char u = (unsigned char)c;
    return u >= 0x20 && u < 0x80 && u != '"' && u != '\\';
}

bool sm_json_string(struct sm_json *j, struct sm_span *value)
{
    if (!take(j, '"'))
        return syntax_error(j);
    const char *start = j->at;
    bool escaped = false;
    for (;;) {
        while (j->at < j->end && is_plain(*j->at))
            j->at++;
        if (j->at == j->end || *j->at == '"')
            break;
        size_t size = string_char(j->at, j->end);
        if (size == 0)
            return syntax_error(j);
        escaped |= *j->at == '\\';
        j->at += size;
    }
    if (j->at == j->end)
        return syntax_error(j);
    *value = (struct sm_span){.at = start, .size = (size_t)(j->at - start), .escaped = escaped};
    j->at++;
    return true;
}

static size_t encode_utf8(int32_t c, char out[4])
{
    if (c < 0x80) {
        out[0] = (char)c;
        return 1;
    }
    size_t size = c < 0x800 ? 2 : c < 0x10000 ? 3 : 4;
    for (size_t i = size - 1; i > 0; i--, c >>= 6)
        out[i] = (char)(0x80 | (c & 0x3f));
    out[0] = (char)((0xf00 >> size & 0xff) | c);
    return size;
}

/* Gives the next character of a checked span as UTF-8: its size, and in *at the place behind it. */
static size_t unescape(const char **at, const char *end, char out[4])
{
    if (**at != '\\') {
        out[0] = *(*at)++;
        return 1;
    }
    int32_t code_point = 0;
    size_t size = escape(*at + 1, end, &code_point);
    assert(size > 0);
    *at += 1 + size;
    return encode_utf8(code_point, out);
}

bool sm_span_is(const struct sm_span *span, const char *literal)
{
    size_t left = strlen(literal);
    if (!span->escaped)
        return span->size == left && memcmp(span->at, literal, left) == 0;
    const char *end = span->at + span->size;
    for (const char *at = span->at; at < end;) {
        char bytes[4];
        size_t size = unescape(&at, end, bytes);
        if (size > left || memcmp(bytes, literal, size) != 0)
            return false;
        literal += size;
        left -= size;
    }
    return left == 0;
}

enum sm_err sm_span_copy(const struct sm_span *span, char *out, size_t capacity, size_t *size)
{
    size_t used = 0;
    const char *end = span->at + span->size;
    for (const char *at = span->at; at < end;) {
        char bytes[4];
        size_t count = unescape(&at, end, bytes);
        if (bytes[0] == '\0')
            return SM_ERR_SYNTAX;
        if (used + count >= capacity)
            return SM_ERR_LIMIT;
        memcpy(out + used, bytes, count);
        used += count;
    }
    if (capacity == 0)
        return SM_ERR_LIMIT;
    out[used] = '\0';
    *size = used;
    return SM_ERR_OK;
}

/* ---- numbers and words ---- */

static void skip_digits(struct sm_json *j)
{
    while (j->at < j->end && is_digit(*j->at))
        j->at++;
}

/* Consumes one digit or more. */
static bool digits(struct sm_json *j)
{
    const char *start = j->at;
    skip_digits(j);
    return j->at > start || syntax_error(j);
}

static bool next_is(const struct sm_json *j, char a, char b)
{
    return j->at < j->end && (*j->at == a || *j->at == b);
}

/* Consumes a fraction and an exponent, where there are any; *integral tells that there are none. */
static bool fraction_and_exponent(struct sm_json *j, bool *integral)
{
    const char *start = j->at;
    if (next_is(j, '.', '.')) {
        j->at++;
        if (!digits(j))
            return false;
    }
    if (next_is(j, 'e', 'E')) {
        j->at++;
        if (next_is(j, '+', '-'))
            j->at++;
        if (!digits(j))
            return false;
    }
    *integral = j->at == start;
    return true;
}

/* Consumes a number. Its integer part is stored, negative or not, and stops growing far outside the
   range of an int32. */
static bool number(struct sm_json *j, int64_t *value, bool *integral)
{
    if (j->err != SM_ERR_OK)
        return false;
    sm_json_peek(j);
    bool negative = next_is(j, '-', '-');
    if (negative)
        j->at++;
    const char *start = j->at;
    if (!digits(j))
        return false;
    if (*start == '0' && j->at - start > 1)
        return syntax_error(j);
    int64_t n = 0;
    for (const char *digit = start; digit < j->at && n < INT64_C(1) << 40; digit++)
        n = n * 10 + (*digit - '0');
    *value = negative ? -n : n;
    return fraction_and_exponent(j, integral);
}

bool sm_json_int32(struct sm_json *j, int32_t *value)
{
    int64_t n = 0;
    bool integral = false;
    if (!number(j, &n, &integral))
        return false;
    if (!integral || n < INT32_MIN || n > INT32_MAX)
        return sm_json_fail(j, SM_ERR_RANGE);
    *value = (int32_t)n;
    return true;
}

static bool word(struct sm_json *j, const char *literal)
{
    size_t size = strlen(literal);
    if (j->err != SM_ERR_OK)
        return false;
    sm_json_peek(j);
    if ((size_t)(j->end - j->at) < size || memcmp(j->at, literal, size) != 0)
        return syntax_error(j);
    j->at += size;
    return true;
}

bool sm_json_null(struct sm_json *j)
{
    return word(j, "null");
}

bool sm_json_plain_int32(const char **at, const char *end, int32_t *value)
{
    const char *c = *at;
    bool negative = c < end && *c == '-';
    c += negative;
    const char *start = c;
    int64_t n = 0;
    while (c < end && is_digit(*c) && c - start < 11)
        n = n * 10 + (*c++ - '0');
    if (c == start || (*start == '0' && c - start > 1))
        return false;
    n = negative ? -n : n;
    if (n < INT32_MIN || n > INT32_MAX)
        return false;
    *at = c;
    *value = (int32_t)n;
    return true;
}

bool sm_json_plain_list(const char **at, const char *end, struct sm_list *list)
{
    const char *c = *at;
    struct sm_list read = {0};
    if (c == end || *c++ != '[')
        return false;
    if (c < end && *c == ']') {
        c++;
    } else {
        do {
            int32_t id;
            if (!sm_json_plain_int32(&c, end, &id) || c == end || !sm_list_append(&read, id))
                return false;
        } while (*c++ == ',');
        if (c[-1] != ']')
            return false;
    }
    *at = c;
    *list = read;
    return true;
}

bool sm_json_list(struct sm_json *j, struct sm_list *list)
{
    struct sm_list read = {0};
    if (j->err == SM_ERR_OK && j->depth < SM_JSON_DEPTH_MAX &&
        sm_json_plain_list(&j->at, j->end, list)) {
        j->first = false;
        return true;
    }
    for (sm_json_array(j); sm_json_element(j);) {
        int32_t id = 0;
        if (sm_json_int32(j, &id) && !sm_list_append(&read, id))
            return sm_json_fail(j, SM_ERR_LIMIT);
    }
    if (j->err != SM_ERR_OK)
        return false;
    *list = read;
    return true;
}

/* Consumes a value that holds no others, or opens one that does. */
static bool skip_token(struct sm_json *j, uint32_t *arrays)
{
    struct sm_span text;
    int64_t value;
    bool integral;
    switch (sm_json_peek(j)) {
    case '{':
        *arrays <<= 1;
        return sm_json_object(j);
    case '[':
        *arrays = *arrays << 1 | 1;
        return sm_json_array(j);
    case '"':
        return sm_json_string(j, &text);
    case 't':
        return word(j, "true");
    case 'f':
        return word(j, "false");
    case 'n':
        return word(j, "null");
    default:
        return number(j, &value, &integral);
    }
}

/* Open brackets are kept as bits, 1 for an array, the innermost lowest. */
bool sm_json_skip(struct sm_json *j)
{
    uint32_t arrays = 0;
    struct sm_span key;
    int32_t outside = j->depth;
    if (j->err != SM_ERR_OK)
        return false;
    skip_token(j, &arrays);
    while (j->err == SM_ERR_OK && j->depth > outside) {
        bool more = (arrays & 1) != 0 ? sm_json_element(j) : sm_json_member(j, &key);
        if (more)
            skip_token(j, &arrays);
        else
            arrays >>= 1;
    }
    return j->err == SM_ERR_OK;
}

enum sm_err sm_json_end(struct sm_json *j)
{
    if (j->err == SM_ERR_OK && (sm_json_peek(j) != '\0' || j->at < j->end))
        syntax_error(j);
    return j->err;
}

enum sm_err sm_parse_int32(const char *digits, size_t size, int32_t *value)
{
    size_t at = size > 0 && (digits[0] == '-' || digits[0] == '+');
    int64_t n = 0;
    if (at == size)
        return SM_ERR_SYNTAX;
    for (; at < size; at++) {
        if (!is_digit(digits[at]))
            return SM_ERR_SYNTAX;
        if (n < INT64_C(1) << 40)
            n = n * 10 + (digits[at] - '0');
    }
    if (digits[0] == '-')
        n = -n;
    if (n < INT32_MIN || n > INT32_MAX)
        return SM_ERR_RANGE;
    *value = (int32_t)n;
    return SM_ERR_OK;
}
