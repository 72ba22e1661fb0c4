// The sieve of Eratosthenes up to 100,000, SIZE times: byte stores with a
// growing stride.

#include "bench.h"

#ifndef SIZE
#define SIZE 600
#endif

#define LIMIT 100000

static uint8_t crossed[LIMIT];

static uint64_t sieve(uint64_t sum) {
    memset(crossed, 0, sizeof crossed);
    for (uint32_t i = 2; i < LIMIT; i++) {
        if (crossed[i]) continue;
        sum = bench_mix(sum, i);
        for (uint32_t j = 2 * i; j < LIMIT; j += i) crossed[j] = 1;
    }
    return sum;
}

int main(int argc, char **argv) {
    uint64_t rounds = bench_size(argc, argv, SIZE);
    uint64_t sum = 0;
    for (uint64_t i = 0; i < rounds; i++) sum = sieve(sum);
    return bench_report("sieve", sum);
}
