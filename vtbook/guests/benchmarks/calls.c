// Takeuchi's function tak(18, 12, 6), SIZE times: nothing but calls, returns,
// compares and the stack.

#include "bench.h"

#ifndef SIZE
#define SIZE 800
#endif

__attribute__((noinline)) static long tak(long x, long y, long z) {
    if (y >= x) return z;
    return tak(tak(x - 1, y, z), tak(y - 1, z, x), tak(z - 1, x, y));
}

static volatile long first = 18;  // volatile: or one call would do for all rounds

int main(int argc, char **argv) {
    uint64_t rounds = bench_size(argc, argv, SIZE);
    uint64_t sum = 0;
    for (uint64_t i = 0; i < rounds; i++) sum = bench_mix(sum, (uint64_t)tak(first, 12, 6) + i);
    return bench_report("calls", sum);
}
