/*
 * Numbers and JSON strings as text. Jackson escapes what JSON obliges it to and nothing else: bytes
 * above 0x7f go out as they came.
 */
#include "statemachine/text.h"

enum { INT64_DIGITS_MAX = 20 };

void sm_text_int(struct sm_text *t, int64_t n)
{
    char digits[INT64_DIGITS_MAX];
    size_t at = sizeof digits;
    uint64_t rest = n < 0 ? -(uint64_t)n : (uint64_t)n;
    do {
        digits[--at] = (char)('0' + rest % 10);
        rest /= 10;
    } while (rest > 0);
    if (n < 0)
        digits[--at] = '-';
    sm_text_bytes(t, digits + at, sizeof digits - at);
}

static void json_control(struct sm_text *t, unsigned char c)
{
    static const char hex[] = "0123456789ABCDEF";
    char escaped[6] = {'\\', 'u', '0', '0', hex[c >> 4], hex[c & 15]};
    sm_text_bytes(t, escaped, sizeof escaped);
}

static void json_char(struct sm_text *t, char c)
{
    switch (c) {
    case '"':
        SM_TEXT(t, "\\\"");
        break;
    case '\\':
        SM_TEXT(t, "\\\\");
        break;
    case '\b':
        SM_TEXT(t, "\\b");
        break;
    case '\f':
        SM_TEXT(t, "\\f");
        break;
    case '\n':
        SM_TEXT(t, "\\n");
        break;
    case '\r':
        SM_TEXT(t, "\\r");
        break;
    case '\t':
        SM_TEXT(t, "\\t");
        break;
    default:
        if ((unsigned char)c < 0x20)
            json_control(t, (unsigned char)c);
        else
            sm_text_bytes(t, &c, 1);
    }
}

void sm_text_json_string(struct sm_text *t, const char *string)
{
    SM_TEXT(t, "\"");
    for (; *string != '\0'; string++)
        json_char(t, *string);
    SM_TEXT(t, "\"");
}
