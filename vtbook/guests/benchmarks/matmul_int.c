// Product of two SIZE x SIZE matrices of 32-bit integers: multiply, add and
// loads with two different strides.

#include "bench.h"

#ifndef SIZE
#define SIZE 500
#endif

static void multiply(uint32_t *c, const uint32_t *a, const uint32_t *b, size_t n) {
    for (size_t i = 0; i < n; i++) {
        for (size_t j = 0; j < n; j++) {
            uint32_t sum = 0;
            for (size_t k = 0; k < n; k++) sum += a[i * n + k] * b[k * n + j];
            c[i * n + j] = sum;
        }
    }
}

int main(int argc, char **argv) {
    size_t n = bench_size(argc, argv, SIZE);
    uint32_t *a = malloc(3 * n * n * sizeof *a);
    if (!a) return 1;
    uint32_t *b = a + n * n, *c = b + n * n;
    uint64_t state = 1;
    for (size_t i = 0; i < 2 * n * n; i++) a[i] = (uint32_t)(bench_random(&state) >> 32);
    multiply(c, a, b, n);
    uint64_t sum = 0;
    for (size_t i = 0; i < n * n; i++) sum = bench_mix(sum, c[i]);
    free(a);
    return bench_report("matmul_int", sum);
}
