// sqrt: one instruction, or long division where the hart has no D extension.

#include <math.h>
#include <stdint.h>
#include <string.h>

#if __riscv_flen >= 64

double sqrt(double x) {
    double root;
    __asm__("fsqrt.d %0, %1" : "=f"(root) : "f"(x));
    return root;
}

#else

// x = m * 2^e with e even and 2^52 <= m < 2^54.  The root of m * 2^54, found
// one bit at a time, has 54 bits: one more than a double, enough to round.
double sqrt(double x) {
    uint64_t bits;
    memcpy(&bits, &x, 8);
    if (x != x || x == 0 || bits == 0x7ffUL << 52) return x + x;
    if (bits >> 63) return (x - x) / (x - x);  // no root of a negative number

    int exponent = (int)(bits >> 52);
    uint64_t m = bits & ((1UL << 52) - 1);
    if (exponent == 0)  // subnormal
        for (exponent = 1; m >> 52 == 0; exponent--) m <<= 1;
    else
        m |= 1UL << 52;
    int e = exponent - 1075;
    if (e & 1) {
        m <<= 1;
        e--;
    }

    uint64_t root = 0, rest = 0;
    for (int i = 53; i >= 0; i--) {  // two bits of m * 2^54 a step
        uint64_t pair = i >= 27 ? m >> (2 * (i - 27)) & 3 : 0;
        rest = rest << 2 | pair;
        root <<= 1;
        if (rest >= 2 * root + 1) {
            rest -= 2 * root + 1;
            root++;
        }
    }
    // root * 2^(e/2 - 27); the root of a double never lies half way between two
    root = (root + 1) >> 1;
    bits = ((uint64_t)(e / 2 - 26 + 1075) << 52) + (root - (1UL << 52));
    memcpy(&x, &bits, 8);
    return x;
}

#endif
