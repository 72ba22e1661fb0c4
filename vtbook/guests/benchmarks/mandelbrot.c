// The Mandelbrot set on SIZE x SIZE points, in single precision: floating
// multiply and compare, short loops of unforeseeable length.

#include "bench.h"

#ifndef SIZE
#define SIZE 1800
#endif

#define MOST_STEPS 100

static int steps(float cx, float cy) {
    float x = 0, y = 0;
    for (int n = 0; n < MOST_STEPS; n++) {
        float xx = x * x, yy = y * y;
        if (xx + yy > 4.0f) return n;
        y = 2.0f * x * y + cy;
        x = xx - yy + cx;
    }
    return MOST_STEPS;
}

int main(int argc, char **argv) {
    int n = (int)bench_size(argc, argv, SIZE);
    uint64_t sum = 0;
    for (int row = 0; row < n; row++)
        for (int column = 0; column < n; column++) {
            float cx = 3.0f * (float)column / (float)n - 2.0f;
            float cy = 3.0f * (float)row / (float)n - 1.5f;
            sum = bench_mix(sum, (uint64_t)steps(cx, cy));
        }
    return bench_report("mandelbrot", sum);
}
