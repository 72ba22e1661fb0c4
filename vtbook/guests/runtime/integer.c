// Multiplication and division where the hart has no M extension: what
// compilers call for a * b, a / b and a % b.

#ifndef __riscv_mul

#include <stdint.h>

// As on paper, in base 2.
uint64_t __muldi3(uint64_t a, uint64_t b) {
    uint64_t product = 0;
    for (; b; a <<= 1, b >>= 1)
        if (b & 1) product += a;
    return product;
}

// As on paper, in base 2: from the top, one bit of the quotient at a time.  By
// zero as the M extension does it: the quotient is all ones, the rest is a.
static uint64_t divide(uint64_t a, uint64_t b, uint64_t *rest) {
    uint64_t quotient = 0, r = 0;
    for (int i = 63; i >= 0; i--) {
        uint64_t carry = r >> 63;
        r = r << 1 | (a >> i & 1);
        quotient <<= 1;
        if (carry || r >= b) {
            r -= b;
            quotient |= 1;
        }
    }
    *rest = r;
    return quotient;
}

uint64_t __udivdi3(uint64_t a, uint64_t b) {
    uint64_t rest;
    return divide(a, b, &rest);
}

uint64_t __umoddi3(uint64_t a, uint64_t b) {
    uint64_t rest;
    divide(a, b, &rest);
    return rest;
}

static uint64_t size(int64_t a) { return a < 0 ? -(uint64_t)a : (uint64_t)a; }

int64_t __divdi3(int64_t a, int64_t b) {
    uint64_t quotient = __udivdi3(size(a), size(b));
    return (int64_t)((a < 0) != (b < 0) && b ? -quotient : quotient);
}

int64_t __moddi3(int64_t a, int64_t b) {
    uint64_t rest = __umoddi3(size(a), size(b));  // has the sign of a
    return (int64_t)(a < 0 ? -rest : rest);
}

#endif
