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

/* One word of each of eight records of 24 bytes, which are three lines. */
struct thirds {
    __m512i of_two, of_third; /* numbers of words: of lines 0 and 1, then of those and line 2 */
};

WIDER static inline struct thirds thirds_at(size_t offset)
{
    const __m512i lanes = _mm512_setr_epi64(0, 1, 2, 3, 4, 5, 6, 7);
    const __m512i steps = _mm512_setr_epi64(0, 3, 6, 9, 12, 15, 18, 21);
    __m512i words = _mm512_add_epi64(steps, _mm512_set1_epi64((long long)offset / 8));
    __mmask8 late = _mm512_cmpge_epi64_mask(words, _mm512_set1_epi64(16));
    return (struct thirds){words, _mm512_mask_sub_epi64(lanes, late, words, _mm512_set1_epi64(8))};
}

WIDER static inline __m512i every_third(const struct thirds *t, const char *records)
{
    __m512i a = _mm512_loadu_si512(records), b = _mm512_loadu_si512(records + 64);
    __m512i c = _mm512_loadu_si512(records + 128);
    __m512i words = _mm512_permutex2var_epi64(a, t->of_two, b);
    return _mm512_permutex2var_epi64(words, t->of_third, c);
}

WIDER static inline __m512i mixed(__m512i h, unsigned by, uint32_t factor)
{
    return _mm512_mullo_epi32(_mm512_xor_si512(h, _mm512_srli_epi32(h, by)),
                              _mm512_set1_epi32((int)factor));
}

/* Of sixteen codes: murmur_of, a key group, and its ring. */
WIDER static inline __m512i rings_of(const struct router *r, __m512i h)
{
    h = _mm512_mullo_epi32(h, _mm512_set1_epi32((int)0xcc9e2d51u));
    h = _mm512_mullo_epi32(_mm512_rol_epi32(h, 15), _mm512_set1_epi32((int)0x1b873593u));
    h = _mm512_rol_epi32(h, 13);
    h = _mm512_add_epi32(h, _mm512_slli_epi32(h, 2));
    h = _mm512_add_epi32(h, _mm512_set1_epi32((int)0xe6546b64u));
    h = _mm512_xor_si512(h, _mm512_set1_epi32(4));
    h = mixed(h, 16, 0x85ebca6bu);
    h = mixed(h, 13, 0xc2b2ae35u);
    h = _mm512_abs_epi32(_mm512_xor_si512(h, _mm512_srli_epi32(h, 16)));
    h = _mm512_and_si512(h, _mm512_set1_epi32((int)r->group_mask));
    h = _mm512_mullo_epi32(h, _mm512_set1_epi32((int)r->ring_count));
    return _mm512_srl_epi32(h, _mm_cvtsi32_si128((int)r->group_shift));
}

WIDER uint32_t wider_rings_of_numbers_24(const struct router *r, const char *records,
                                         uint32_t count, uint32_t *rings)
{
    const __m512i low =
        _mm512_setr_epi32(0, 2, 4, 6, 8, 10, 12, 14, 16, 18, 20, 22, 24, 26, 28, 30);
    const __m512i high = _mm512_add_epi32(low, _mm512_set1_epi32(1));
    const struct thirds keys = thirds_at(r->reader.from[0]);
    uint32_t k = 0;
    for (; k + 16 <= count; k += 16, records += (size_t)16 * 24) {
        __m512i a = every_third(&keys, records), b = every_third(&keys, records + (size_t)8 * 24);
        __m512i codes = _mm512_xor_si512(_mm512_permutex2var_epi32(a, low, b),
                                         _mm512_permutex2var_epi32(a, high, b));
        _mm512_storeu_si512(rings + k, rings_of(r, codes));
    }
    return k;
}

#define LOOSE WIDER READS_BEYOND

LOOSE static inline __m512i in_lanes(const uint64_t w[8])
{
    return _mm512_set_epi64((int64_t)w[7], (int64_t)w[6], (int64_t)w[5], (int64_t)w[4],
                            (int64_t)w[3], (int64_t)w[2], (int64_t)w[1], (int64_t)w[0]);
}

/* Where eight texts are, and their sizes. */
struct eight_texts {
    __m512i data, sizes;
};

WIDER static inline struct eight_texts texts_apart(const char *key, size_t stride)
{
    uint64_t data[8], sizes[8];
    for (int i = 0; i < 8; i++, key += stride) {
        st_str text;
        memcpy(&text, key, sizeof text);
        data[i] = (uintptr_t)text.data;
        sizes[i] = text.size;
    }
    return (struct eight_texts){_mm512_loadu_si512(data), _mm512_loadu_si512(sizes)};
}

/* Of eight short texts of ASCII at once, or false: sums of neighbours, of pairs, of halves, as
 * java_hash_of_word has them. What is not of a text is shifted out. */
LOOSE static inline bool codes_of_eight(struct eight_texts texts, uint32_t *codes)
{
    const __m512i neighbours = _mm512_set1_epi16(0x011F), pairs = _mm512_set1_epi32(0x000103C1);
    const __m512i eight = _mm512_set1_epi64(8), one = _mm512_set1_epi64(1);
    __m512i in_page = _mm512_and_si512(texts.data, _mm512_set1_epi64(4095));
    __mmask8 others = _mm512_cmpge_epu64_mask(_mm512_sub_epi64(texts.sizes, one), eight) |
                      _mm512_cmpgt_epu64_mask(in_page, _mm512_set1_epi64(4096 - 8));
    if (others != 0) {
        return false;
    }
    uint64_t words[8];
    _mm512_storeu_si512(words, texts.data);
    for (int i = 0; i < 8; i++) {
        words[i] = *(const loose_word *)words[i];
    }
    __m512i bits = _mm512_slli_epi64(_mm512_sub_epi64(eight, texts.sizes), 3);
    __m512i word = _mm512_sllv_epi64(in_lanes(words), bits);
    if (_mm512_test_epi64_mask(word, _mm512_set1_epi8((char)0x80)) != 0) {
        return false;
    }
    __m512i sums = _mm512_madd_epi16(_mm512_maddubs_epi16(word, neighbours), pairs);
    sums = _mm512_add_epi64(_mm512_mul_epu32(sums, _mm512_set1_epi64(31 * 31 * 31 * 31)),
                            _mm512_srli_epi64(sums, 32));
    _mm256_storeu_si256((__m256i *)(void *)codes, _mm512_cvtepi64_epi32(sums));
    return true;
}

LOOSE uint32_t wider_codes_of_texts(const char *records, size_t stride, size_t offset,
                                    uint32_t count, uint32_t *codes)
{
    const struct thirds data = thirds_at(offset), sizes = thirds_at(offset + 8);
    const __m512i low = _mm512_set1_epi64(UINT32_MAX);
    const bool by_lines = router_by_lines(stride, offset);
    uint32_t k = 0;
    for (; k + 8 <= count; k += 8, records += 8 * stride) {
        struct eight_texts texts =
            by_lines ? (struct eight_texts){every_third(&data, records),
                                            _mm512_and_si512(every_third(&sizes, records), low)}
                     : texts_apart(records + offset, stride);
        bool done = codes_of_eight(texts, codes + k);
        for (uint32_t i = 0; !done && i < 8; i++) {
            st_str text;
            memcpy(&text, records + i * stride + offset, sizeof text);
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
