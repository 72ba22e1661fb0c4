// Quicksort of 8,192 random integers, SIZE times (Hoare's partition, the
// median of three, insertion for short pieces): compares that cannot be
// foreseen, loads, stores, recursion.

#include "bench.h"

#ifndef SIZE
#define SIZE 950
#endif

#define COUNT 8192
#define SHORT 12

static uint32_t values[COUNT];

static void swap(uint32_t *a, uint32_t *b) {
    uint32_t t = *a;
    *a = *b;
    *b = t;
}

static void insertion_sort(uint32_t *v, long n) {
    for (long i = 1; i < n; i++) {
        uint32_t x = v[i];
        long j = i;
        for (; j > 0 && v[j - 1] > x; j--) v[j] = v[j - 1];
        v[j] = x;
    }
}

static void quicksort(uint32_t *v, long n) {
    while (n > SHORT) {
        long middle = n / 2;
        if (v[middle] < v[0]) swap(&v[middle], &v[0]);
        if (v[n - 1] < v[0]) swap(&v[n - 1], &v[0]);
        if (v[n - 1] < v[middle]) swap(&v[n - 1], &v[middle]);
        uint32_t pivot = v[middle];
        long i = 0, j = n - 1;
        while (i <= j) {
            while (v[i] < pivot) i++;
            while (v[j] > pivot) j--;
            if (i <= j) swap(&v[i++], &v[j--]);
        }
        quicksort(v, j + 1);
        v += i;
        n -= i;
    }
    insertion_sort(v, n);
}

int main(int argc, char **argv) {
    uint64_t rounds = bench_size(argc, argv, SIZE);
    uint64_t state = 1, sum = 0;
    for (uint64_t round = 0; round < rounds; round++) {
        for (int i = 0; i < COUNT; i++) values[i] = (uint32_t)(bench_random(&state) >> 32);
        quicksort(values, COUNT);
        for (int i = 1; i < COUNT; i++)
            if (values[i - 1] > values[i]) return 1;
        for (int i = 0; i < COUNT; i += 32) sum = bench_mix(sum, values[i]);
    }
    return bench_report("quicksort", sum);
}
