/*
 * Text views: what a job needs to take lines apart without copying them.
 */
#include "stream/stream.h"

st_str st_str_of(const char *text)
{
    return (st_str){text, (uint32_t)strlen(text), 0};
}

bool st_str_equal(st_str a, st_str b)
{
    return a.size == b.size && (a.size == 0 || memcmp(a.data, b.data, a.size) == 0);
}

int st_str_compare(st_str a, st_str b)
{
    uint32_t both = a.size < b.size ? a.size : b.size;
    int order = both == 0 ? 0 : memcmp(a.data, b.data, both);
    return order != 0 ? order : a.size < b.size ? -1 : a.size > b.size;
}

/* strchr, but for the terminator, which separates nothing. */
static bool is_in(const char *set, char c)
{
    for (; *set != '\0'; set++) {
        if (*set == c) {
            return true;
        }
    }
    return false;
}

/* The place of the first `c`, or `size`. Eight bytes at a time, for words are short and their
 * lengths hard to foretell: a byte of x is zero where the text has c, and the lowest such byte is
 * marked. */
static uint32_t find_byte(const char *data, uint32_t size, char c)
{
    const uint64_t ones = UINT64_C(0x0101010101010101), high = UINT64_C(0x8080808080808080);
    uint32_t at = 0;
    for (; at + 8 <= size; at += 8) {
        uint64_t x;
        memcpy(&x, data + at, sizeof x);
        x ^= ones * (unsigned char)c;
        x = (x - ones) & ~x & high;
        if (x != 0) {
            return at + (uint32_t)__builtin_ctzll(x) / 8;
        }
    }
    while (at < size && data[at] != c) {
        at++;
    }
    return at;
}

bool st_next_token(st_str *rest, const char *separators, st_str *piece)
{
    bool one = separators[0] != '\0' && separators[1] == '\0';
    uint32_t from = 0, to;
    while (from < rest->size &&
           (one ? rest->data[from] == separators[0] : is_in(separators, rest->data[from]))) {
        from++;
    }
    if (from == rest->size) {
        return false;
    }
    if (one) {
        to = from + find_byte(rest->data + from, rest->size - from, separators[0]);
    } else {
        for (to = from; to < rest->size && !is_in(separators, rest->data[to]); to++) {
        }
    }
    *piece = (st_str){rest->data + from, to - from, 0};
    *rest = (st_str){rest->data + to, rest->size - to, 0};
    return true;
}

uint32_t st_split(st_str text, char separator, st_str *parts, uint32_t parts_max)
{
    uint32_t count = 0, from = 0;
    for (uint32_t i = 0; i < text.size && count + 1 < parts_max; i++) {
        if (text.data[i] == separator) {
            parts[count++] = (st_str){text.data + from, i - from, 0};
            from = i + 1;
        }
    }
    if (count < parts_max) {
        parts[count++] = (st_str){text.data + from, text.size - from, 0};
    }
    return count;
}

bool st_parse_int64(st_str text, int64_t *value)
{
    bool negative = text.size > 0 && text.data[0] == '-';
    uint32_t at = text.size > 0 && (negative || text.data[0] == '+') ? 1 : 0;
    uint64_t limit = negative ? (uint64_t)INT64_MAX + 1 : INT64_MAX;
    uint64_t number = 0;
    if (at == text.size) {
        return false;
    }
    for (; at < text.size; at++) {
        unsigned digit = (unsigned)(text.data[at] - '0');
        if (digit > 9 || number > (limit - digit) / 10) {
            return false;
        }
        number = number * 10 + digit;
    }
    *value = negative ? (int64_t)(0 - number) : (int64_t)number;
    return true;
}
