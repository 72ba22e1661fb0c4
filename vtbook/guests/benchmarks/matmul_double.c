// Product of two SIZE x SIZE matrices of doubles, by rows: floating multiply
// and add, loads and stores of neighbours.

#include "bench.h"

#ifndef SIZE
#define SIZE 500
#endif

static void multiply(double *restrict c, const double *a, const double *b, size_t n) {
    for (size_t i = 0; i < n * n; i++) c[i] = 0;
    for (size_t i = 0; i < n; i++)
        for (size_t k = 0; k < n; k++)
            for (size_t j = 0; j < n; j++) c[i * n + j] += a[i * n + k] * b[k * n + j];
}

int main(int argc, char **argv) {
    size_t n = bench_size(argc, argv, SIZE);
    double *a = malloc(3 * n * n * sizeof *a);
    if (!a) return 1;
    double *b = a + n * n, *c = b + n * n;
    uint64_t state = 1;
    for (size_t i = 0; i < 2 * n * n; i++)  // between -1 and 1
        a[i] = (double)(int64_t)bench_random(&state) * 0x1p-63;
    multiply(c, a, b, n);
    uint64_t sum = 0;
    for (size_t i = 0; i < n * n; i++) sum = bench_mix_double(sum, c[i]);
    free(a);
    return bench_report("matmul_double", sum);
}
