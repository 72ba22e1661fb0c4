// Compresses 8 KiB of text with LZ77, expands it again and compares, SIZE
// times: bytes, hash tables, string matching, copies.

#include "bench.h"

#ifndef SIZE
#define SIZE 950
#endif

#define LENGTH 8192
#define HASHES 1024
#define TRIES 8         // places looked at for a match
#define SHORTEST 4      // bytes worth a reference
#define LONGEST (SHORTEST + 127)

static uint8_t text[LENGTH];
static uint8_t packed[LENGTH + LENGTH / 64];
static uint8_t unpacked[LENGTH];

// Words made of syllables, frequent ones first, as in a language.
static void write_text(uint64_t seed) {
    static const char *const syllables[] = {"ma", "chi", "ne", "vir", "tu", "al", "trap", "to",
                                            "re", "gis", "ter", "page", "in", "ter", "rupt", "s"};
    uint64_t state = seed;
    size_t n = 0;
    while (n < LENGTH) {
        uint64_t word = bench_random(&state) >> 32;
        word &= word >> 16;  // small numbers are frequent
        word &= 0x3ff;
        for (int i = 0; i <= (int)(word % 3); i++)
            for (const char *s = syllables[word >> 3 * i & 15]; *s && n < LENGTH; s++)
                text[n++] = (uint8_t)*s;
        if (n < LENGTH) text[n++] = word % 13 ? ' ' : '\n';
    }
}

// ---- the packed form: a byte t, then
//   t < 128:  t + 1 bytes to copy as they are
//   t >= 128: two bytes of distance; t - 128 + SHORTEST bytes from there ----

static size_t put_literals(uint8_t *out, const uint8_t *from, size_t count) {
    size_t length = 0;
    while (count) {
        size_t n = count < 128 ? count : 128;
        out[length++] = (uint8_t)(n - 1);
        memcpy(out + length, from, n);
        length += n, from += n, count -= n;
    }
    return length;
}

static uint32_t hash(const uint8_t *p) {
    uint32_t low = (uint32_t)p[0] | (uint32_t)p[1] << 8;
    uint32_t high = (uint32_t)p[2] | (uint32_t)p[3] << 8;
    return (low | high << 16) * 2654435761U >> 22;
}

static size_t match_length(const uint8_t *a, const uint8_t *b, size_t most) {
    size_t n = 0;
    while (n < most && a[n] == b[n]) n++;
    return n;
}

static size_t compress(uint8_t *out, const uint8_t *in, size_t size) {
    static int32_t newest[HASHES];    // place with this hash, -1: none
    static int32_t before[LENGTH];    // place before with the same hash
    for (int i = 0; i < HASHES; i++) newest[i] = -1;
    size_t length = 0, literals = 0, i = 0;
    while (i + SHORTEST <= size) {
        size_t most = size - i < LONGEST ? size - i : LONGEST;
        size_t best = 0, distance = 0;
        int32_t place = newest[hash(in + i)];
        for (int tries = TRIES; place >= 0 && tries > 0; tries--, place = before[place]) {
            size_t n = match_length(in + place, in + i, most);
            if (n > best) best = n, distance = i - (size_t)place;
        }
        if (best < SHORTEST) {
            best = 1;
            literals++;
        } else {
            length += put_literals(out + length, in + i - literals, literals);
            literals = 0;
            out[length++] = (uint8_t)(128 + best - SHORTEST);
            out[length++] = (uint8_t)distance;
            out[length++] = (uint8_t)(distance >> 8);
        }
        for (; best; best--, i++) {
            if (i + SHORTEST > size) continue;
            uint32_t h = hash(in + i);
            before[i] = newest[h];
            newest[h] = (int32_t)i;
        }
    }
    literals += size - i;
    return length + put_literals(out + length, in + size - literals, literals);
}

static size_t expand(uint8_t *out, const uint8_t *in, size_t size) {
    size_t length = 0;
    for (size_t i = 0; i < size;) {
        uint8_t t = in[i++];
        if (t < 128) {
            memcpy(out + length, in + i, t + 1U);
            length += t + 1U, i += t + 1U;
        } else {
            size_t distance = (size_t)in[i] | (size_t)in[i + 1] << 8;
            i += 2;
            for (int n = t - 128 + SHORTEST; n > 0; n--, length++)
                out[length] = out[length - distance];
        }
    }
    return length;
}

int main(int argc, char **argv) {
    uint64_t rounds = bench_size(argc, argv, SIZE);
    uint64_t sum = 0;
    for (uint64_t round = 1; round <= rounds; round++) {
        write_text(round);
        size_t size = compress(packed, text, LENGTH);
        if (expand(unpacked, packed, size) != LENGTH || memcmp(text, unpacked, LENGTH)) return 1;
        sum = bench_mix(sum, size);
        for (size_t i = 0; i < size; i += 16) sum = bench_mix(sum, packed[i]);
    }
    return bench_report("lz77", sum);
}
