// What the benchmarks share.  Each is one file of ordinary C, the same for the
// bare guest, for Linux and for this computer, and prints one line:
//
//     name: 0123456789abcdef
//
// a checksum of all that it computed.  The argument says how much to do; SIZE
// is the default.

#ifndef BENCH_H
#define BENCH_H

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static inline uint64_t bench_size(int argc, char **argv, uint64_t usual) {
    return argc > 1 ? strtoull(argv[1], NULL, 0) : usual;
}

// Add a value to a checksum.
static inline uint64_t bench_mix(uint64_t sum, uint64_t value) {
    sum = (sum ^ value) * 0x9e3779b97f4a7c15;  // 2^64 / golden ratio: spreads the bits upwards
    return sum ^ sum >> 32;
}

static inline uint64_t bench_mix_double(uint64_t sum, double value) {
    uint64_t bits;
    memcpy(&bits, &value, sizeof bits);
    return bench_mix(sum, bits);
}

// Pseudo-random numbers (xorshift64*: Vigna 2016).  *state must not be 0.
static inline uint64_t bench_random(uint64_t *state) {
    *state ^= *state >> 12;
    *state ^= *state << 25;
    *state ^= *state >> 27;
    return *state * 0x2545f4914f6cdd1d;
}

static inline int bench_report(const char *name, uint64_t sum) {
    printf("%s: %016llx\n", name, (unsigned long long)sum);
    return 0;
}

#endif
