/*
 * Records to subtasks by key with AVX-512, see route.h.
 *
 * Picking is compressing: a mask says which of eight or sixteen lanes belong to a ring, and one
 * instruction puts those behind each other. What is written too much is the place of the next.
 */
#include "stream/route.h"

#if defined(__x86_64__)
#include <immintrin.h>

#define WIDER __attribute__((target("avx512f,avx512bw,avx512vl,avx512vbmi2,popcnt")))

bool wider_is_usable(void)
{
    return __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
           __builtin_cpu_supports("avx512vl") && __builtin_cpu_supports("avx512vbmi2") &&
           __builtin_cpu_supports("popcnt");
}

WIDER uint32_t wider_pick(const uint32_t *rings, uint32_t count, uint32_t ring, uint16_t *picks)
{
    const __m512i wanted = _mm512_set1_epi32((int)ring);
    const __m256i step = _mm256_set1_epi16(16);
    __m256i numbers = _mm256_setr_epi16(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15);
    uint32_t picked = 0;
    for (uint32_t k = 0; k < count; k += 16) {
        __mmask16 set = _mm512_cmpeq_epi32_mask(_mm512_loadu_si512(rings + k), wanted);
        __m256i some = _mm256_maskz_compress_epi16(set, numbers);
        _mm256_storeu_si256((__m256i *)(void *)(picks + picked), some);
        picked += (uint32_t)__builtin_popcount(set);
        numbers = _mm256_add_epi16(numbers, step);
    }
    return picked;
}

WIDER void wider_pick_times(const uint32_t *rings, uint32_t count, uint32_t ring,
                            const int64_t *times, int64_t *to)
{
    const __m256i wanted = _mm256_set1_epi32((int)ring);
    for (uint32_t k = 0; k < count; k += 8) {
        __m256i eight = _mm256_loadu_si256((const __m256i *)(const void *)(rings + k));
        __mmask8 set = _mm256_cmpeq_epi32_mask(eight, wanted);
        __m512i some = _mm512_maskz_loadu_epi64(set, times + k);
        _mm512_storeu_si512(to, _mm512_maskz_compress_epi64(set, some));
        to += __builtin_popcount(set);
    }
}

#define LOOSE WIDER READS_BEYOND

LOOSE static inline __m512i eight(const uint64_t w[8])
{
    return _mm512_set_epi64((int64_t)w[7], (int64_t)w[6], (int64_t)w[5], (int64_t)w[4],
                            (int64_t)w[3], (int64_t)w[2], (int64_t)w[1], (int64_t)w[0]);
}

/* Of eight short texts of ASCII at once, or false: sums of neighbours, of pairs, of halves, as
 * java_hash_of_word has them. What is not of a text is shifted out. */
LOOSE static inline bool codes_of_eight(const char *key, size_t stride, uint32_t *codes)
{
    const __m512i neighbours = _mm512_set1_epi16(0x011F), pairs = _mm512_set1_epi32(0x000103C1);
    uint64_t sizes[8], words[8];
    bool short_ones = true;
    for (int i = 0; i < 8; i++, key += stride) {
        st_str text;
        memcpy(&text, key, sizeof text);
        short_ones &= text.size - 1 < 8 && ((uintptr_t)text.data & 4095) <= 4096 - 8;
        sizes[i] = text.size;
        words[i] = (uintptr_t)text.data;
    }
    if (!short_ones) {
        return false;
    }
    for (int i = 0; i < 8; i++) {
        words[i] = *(const loose_word *)words[i];
    }
    __m512i bits = _mm512_slli_epi64(_mm512_sub_epi64(_mm512_set1_epi64(8), eight(sizes)), 3);
    __m512i word = _mm512_sllv_epi64(eight(words), bits);
    if (_mm512_test_epi64_mask(word, _mm512_set1_epi8((char)0x80)) != 0) {
        return false;
    }
    __m512i sums = _mm512_madd_epi16(_mm512_maddubs_epi16(word, neighbours), pairs);
    sums = _mm512_add_epi64(_mm512_mul_epu32(sums, _mm512_set1_epi64(31 * 31 * 31 * 31)),
                            _mm512_srli_epi64(sums, 32));
    _mm256_storeu_si256((__m256i *)(void *)codes, _mm512_cvtepi64_epi32(sums));
    return true;
}

LOOSE uint32_t wider_codes_of_texts(const char *key, size_t stride, uint32_t count, uint32_t *codes)
{
    uint32_t k = 0;
    for (; k + 8 <= count; k += 8, key += 8 * stride) {
        bool done = codes_of_eight(key, stride, codes + k);
        for (uint32_t i = 0; !done && i < 8; i++) {
            st_str text;
            memcpy(&text, key + i * stride, sizeof text);
            codes[k + i] = (uint32_t)java_hash_of_text(text.data, text.size);
        }
    }
    return k;
}

WIDER static inline __m256i load_32(const char *records, uint32_t pick)
{
    return _mm256_loadu_si256((const __m256i *)(const void *)(records + (size_t)pick * 24));
}

WIDER static inline __m512i load_two(const char *records, const uint16_t *picks)
{
    __m512i first = _mm512_castsi256_si512(load_32(records, picks[0]));
    return _mm512_inserti64x4(first, load_32(records, picks[1]), 1);
}

/* Eight records of 24 bytes are three lines: each is read as 32 bytes, and the lines are put
 * together of pairs of pairs. So the last of all must not be among them: what is behind it may not
 * be there. */
WIDER static inline void three_lines(__m512i lines[3], const char *records, const uint16_t *picks)
{
    const __m512i first = _mm512_setr_epi64(0, 1, 2, 4, 5, 6, 8, 9);
    const __m512i second = _mm512_setr_epi64(2, 4, 5, 6, 8, 9, 10, 12);
    const __m512i third = _mm512_setr_epi64(5, 6, 8, 9, 10, 12, 13, 14);
    __m512i a = load_two(records, picks), b = load_two(records, picks + 2);
    __m512i c = load_two(records, picks + 4), d = load_two(records, picks + 6);
    lines[0] = _mm512_permutex2var_epi64(a, first, b);
    lines[1] = _mm512_permutex2var_epi64(b, second, c);
    lines[2] = _mm512_permutex2var_epi64(c, third, d);
}

WIDER void wider_gather_24(char *to, const char *records, const uint16_t *picks, uint32_t count)
{
    uint32_t k = 0;
    for (__m512i lines[3]; k + 8 < count; k += 8, to += (size_t)8 * 24) {
        three_lines(lines, records, picks + k);
        _mm512_storeu_si512(to, lines[0]);
        _mm512_storeu_si512(to + 64, lines[1]);
        _mm512_storeu_si512(to + 128, lines[2]);
    }
    for (; k < count; k++, to += 24) {
        memcpy(to, records + (size_t)picks[k] * 24, 24);
    }
}

WIDER uint32_t wider_stream_24(char *to, const char *records, const uint16_t *picks, uint32_t count)
{
    uint32_t k = 0;
    for (__m512i lines[3]; k + 8 < count; k += 8, to += (size_t)8 * 24) {
        three_lines(lines, records, picks + k);
        _mm512_stream_si512((void *)to, lines[0]);
        _mm512_stream_si512((void *)(to + 64), lines[1]);
        _mm512_stream_si512((void *)(to + 128), lines[2]);
    }
    return k;
}

#endif
