// Doubles in decimal, exactly.
//
// A double is m * 2^e with a whole m of 53 bits.  Where e < 0, m * 2^e is
// m * 5^-e / 10^-e: a whole number with the decimal point moved.  So every
// double has a finite decimal expansion, of at most 767 digits, and a large
// whole number holds it.  Rounding it to the digits asked for is then exact.

#include <stdint.h>
#include <string.h>

#include "printf.h"

// ---- a large whole number ----

#define LIMB 1000000000  // nine decimal digits a limb
#define MOST_LIMBS 86
#define MOST_DIGITS (9 * MOST_LIMBS)

struct large {
    int count;
    uint32_t limbs[MOST_LIMBS];  // the lowest first
};

static void multiply(struct large *n, uint32_t factor) {
    uint64_t carry = 0;
    for (int i = 0; i < n->count; i++) {
        carry += (uint64_t)n->limbs[i] * factor;
        n->limbs[i] = (uint32_t)(carry % LIMB);
        carry /= LIMB;
    }
    for (; carry; carry /= LIMB) n->limbs[n->count++] = (uint32_t)(carry % LIMB);
}

static void multiply_power(struct large *n, uint32_t base, int power) {
    for (; power >= 8; power -= 8) {
        uint32_t b4 = base * base * base * base;
        multiply(n, b4 * b4);  // 5^8 and 2^8 fit in 32 bits
    }
    for (; power > 0; power--) multiply(n, base);
}

// ---- the digits ----

// |value| = 0.d1 d2 d3 ... * 10^point, d1 not 0; zero has no digits.
struct decimal {
    int count;
    int point;
    char digits[MOST_DIGITS];  // 0 .. 9, not characters
};

static void expand(struct decimal *d, uint64_t m, int e) {
    static struct large n;  // these two are too large for a stack
    n.count = 0;
    for (; m; m /= LIMB) n.limbs[n.count++] = (uint32_t)(m % LIMB);
    if (e >= 0)
        multiply_power(&n, 2, e);
    else
        multiply_power(&n, 5, -e);

    d->count = 9 * n.count;
    for (int i = 0; i < d->count; i++) {
        uint32_t *limb = &n.limbs[i / 9];
        d->digits[d->count - 1 - i] = (char)(*limb % 10);
        *limb /= 10;
    }
    d->point = d->count + (e < 0 ? e : 0);
    int zeros = 0;
    while (zeros < d->count && d->digits[zeros] == 0) zeros++;
    d->count -= zeros;
    d->point -= zeros;
    memmove(d->digits, d->digits + zeros, (size_t)d->count);
}

static int digit(const struct decimal *d, int i) {
    return i >= 0 && i < d->count ? d->digits[i] : 0;
}

// Keep the first `keep` digits, rounded to nearest, a tie to the even digit.
static void round_to(struct decimal *d, int keep) {
    if (keep >= d->count) return;
    if (keep < 0) {
        d->count = 0;
        return;
    }
    int next = d->digits[keep];
    int more = 0;  // anything after it?
    for (int i = keep + 1; i < d->count; i++) more |= d->digits[i];
    int up = next > 5 || (next == 5 && (more || (digit(d, keep - 1) & 1)));
    d->count = keep;
    if (!up) return;
    int i = keep - 1;
    while (i >= 0 && d->digits[i] == 9) d->digits[i--] = 0;
    if (i >= 0) {
        d->digits[i]++;
        return;
    }
    d->digits[0] = 1;  // 999 became 1000
    for (i = 1; i < keep; i++) d->digits[i] = 0;
    d->count = keep ? keep : 1;
    d->point++;
}

// ---- the three forms ----

static int write_point(char *text, const struct decimal *d, int first, int places, int alternate) {
    int length = 0;
    if (places > 0 || alternate) text[length++] = '.';
    for (int i = 0; i < places; i++) text[length++] = (char)('0' + digit(d, first + i));
    return length;
}

static int write_fixed(char *text, const struct decimal *d, int places, int alternate) {
    int length = 0;
    int point = d->count ? d->point : 0;
    if (point <= 0) text[length++] = '0';
    for (int i = 0; i < point; i++) text[length++] = (char)('0' + digit(d, i));
    return length + write_point(text + length, d, point, places, alternate);
}

static int write_scientific(char *text, const struct decimal *d, int places, int alternate,
                            char letter) {
    int length = 0;
    text[length++] = (char)('0' + digit(d, 0));
    length += write_point(text + length, d, 1, places, alternate);
    int exponent = d->count ? d->point - 1 : 0;
    text[length++] = letter;
    text[length++] = exponent < 0 ? '-' : '+';
    if (exponent < 0) exponent = -exponent;
    if (exponent >= 100) text[length++] = (char)('0' + exponent / 100);
    text[length++] = (char)('0' + exponent / 10 % 10);
    text[length++] = (char)('0' + exponent % 10);
    return length;
}

// %g: the shorter of the two, and no zeros at the end unless # asks for them.
static int write_general(char *text, struct decimal *d, int precision, int alternate, char letter) {
    if (precision == 0) precision = 1;
    round_to(d, precision);
    int exponent = d->count ? d->point - 1 : 0;
    int digits = precision;
    if (!alternate) {
        digits = d->count;
        while (digits > 0 && d->digits[digits - 1] == 0) digits--;
        if (digits == 0) digits = 1;
    }
    if (exponent < -4 || exponent >= precision)
        return write_scientific(text, d, digits - 1, alternate, letter);
    int places = digits - 1 - exponent;
    return write_fixed(text, d, places > 0 ? places : 0, alternate);
}

int format_double(char *text, double value, const struct spec *spec) {
    static struct decimal d;
    uint64_t bits;
    memcpy(&bits, &value, 8);
    int exponent = bits >> 52 & 0x7ff;
    uint64_t m = bits & ((1UL << 52) - 1);
    int capitals = spec->conversion < 'a';
    if (exponent == 0x7ff) {
        memcpy(text, m ? (capitals ? "NAN" : "nan") : (capitals ? "INF" : "inf"), 3);
        return 3;
    }
    if (exponent == 0)
        exponent = 1;  // subnormal: no hidden bit
    else
        m |= 1UL << 52;
    expand(&d, m, exponent - 1075);

    int precision = spec->precision < 0 ? 6 : spec->precision;
    if (precision > MOST_PRECISION) precision = MOST_PRECISION;
    switch (spec->conversion | 0x20) {
    case 'f':
        round_to(&d, d.point + precision);
        return write_fixed(text, &d, precision, spec->alternate);
    case 'e':
        round_to(&d, precision + 1);
        return write_scientific(text, &d, precision, spec->alternate, capitals ? 'E' : 'e');
    default:
        return write_general(text, &d, precision, spec->alternate, capitals ? 'E' : 'e');
    }
}
