/*
 * Paths: which are allowed, and their hashes.
 *
 * Source: org.apache.zookeeper.common.PathUtils.validatePath, java.lang.String.hashCode.
 */
#include "zookeeper/block.h"

/* ---- hashes ---- */

static uint64_t mix(uint64_t h, uint64_t word)
{
    h = (h ^ word) * 0x9fb21c651e98df25ull;
    return h ^ (h >> 29);
}

/* Eight bytes at a time; the last word carries the rest. Not for untrusted input. */
uint64_t kz_hash_bytes(uint64_t seed, const void *bytes, size_t size)
{
    const uint8_t *p = bytes;
    uint64_t h = mix(seed, size), word;
    for (; size >= 8; p += 8, size -= 8) {
        memcpy(&word, p, 8);
        h = mix(h, word);
    }
    word = 0;
    if (size != 0)
        memcpy(&word, p, size);
    h = mix(h, word) * 0xd6e8feb86659fd93ull;
    return h ^ (h >> 32);
}

uint32_t kz_path_hash(const char *path, size_t size)
{
    return (uint32_t)kz_hash_bytes(0x243f6a8885a308d3ull, path, size);
}

/* ---- characters ---- */

/* Decodes one UTF-8 character from p[0..size) and returns its length; 0 where it is malformed. */
static size_t decode(const uint8_t *p, size_t size, uint32_t *code)
{
    static const uint32_t least[5] = {0, 0, 0x80, 0x800, 0x10000};
    size_t length = p[0] < 0x80   ? 1
                    : p[0] < 0xc0 ? 0
                    : p[0] < 0xe0 ? 2
                    : p[0] < 0xf0 ? 3
                    : p[0] < 0xf8 ? 4
                                  : 0;
    if (length == 0 || length > size)
        return 0;
    *code = length == 1 ? p[0] : p[0] & (0x7fu >> length);
    for (size_t i = 1; i < length; i++) {
        if ((p[i] & 0xc0) != 0x80)
            return 0;
        *code = *code << 6 | (p[i] & 0x3f);
    }
    return *code < least[length] || *code > 0x10ffff ? 0 : length;
}

/* Java sees UTF-16: a character above U+FFFF is two surrogates, which are refused. */
static bool is_allowed(uint32_t c)
{
    return c > 0x1f && !(c >= 0x7f && c <= 0x9f) && !(c >= 0xd800 && c <= 0xf8ff) && c < 0xfff0;
}

bool kz_name_valid(const char *name, size_t size)
{
    if (size == 0 || (size == 1 && name[0] == '.') ||
        (size == 2 && name[0] == '.' && name[1] == '.'))
        return false;
    for (size_t i = 0, step; i < size; i += step) {
        uint32_t c;
        step = decode((const uint8_t *)name + i, size - i, &c);
        if (step == 0 || !is_allowed(c))
            return false;
    }
    return true;
}

bool kz_path_valid(const char *path, size_t size)
{
    if (size == 0 || size >= KZ_PATH_MAX || path[0] != '/')
        return false;
    if (size == 1)
        return true;
    for (size_t at = 1; at <= size;) {
        const char *slash = memchr(path + at, '/', size - at);
        size_t end = slash == NULL ? size : (size_t)(slash - path);
        if (!kz_name_valid(path + at, end - at))
            return false;
        at = end + 1;
        if (end + 1 == size)
            return false; /* a slash at the end */
    }
    return true;
}

size_t kz_path_parent(const char *path, size_t size)
{
    while (size > 0 && path[size - 1] != '/')
        size--;
    return size > 0 ? size - 1 : 0;
}

uint32_t kz_path_java_hash(const char *path, size_t size)
{
    uint32_t h = 0;
    for (size_t i = 0, step; i < size; i += step) {
        uint32_t c;
        step = decode((const uint8_t *)path + i, size - i, &c);
        if (step == 0) {
            c = 0xfffd;
            step = 1;
        }
        h = h * 31 + c;
    }
    return h;
}
