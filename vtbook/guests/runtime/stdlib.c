// Numbers from text.

#include <limits.h>
#include <stdlib.h>

int abs(int value) { return value < 0 ? -value : value; }

int atoi(const char *text) { return (int)strtoul(text, NULL, 10); }

static int digit_value(char c) {
    if (c >= '0' && c <= '9') return c - '0';
    if (c >= 'a' && c <= 'z') return c - 'a' + 10;
    if (c >= 'A' && c <= 'Z') return c - 'A' + 10;
    return INT_MAX;
}

// As in C: blanks, a sign, 0x or 0 where the base allows it, digits.  A number
// past 64 bits gives ULONG_MAX.
unsigned long strtoul(const char *text, char **end, int base) {
    const char *p = text;
    while (*p == ' ' || (*p >= '\t' && *p <= '\r')) p++;
    int negative = *p == '-';
    if (*p == '-' || *p == '+') p++;
    if ((base == 0 || base == 16) && p[0] == '0' && (p[1] | 0x20) == 'x' &&
        digit_value(p[2]) < 16) {
        p += 2;
        base = 16;
    }
    if (base == 0) base = *p == '0' ? 8 : 10;

    unsigned long value = 0;
    int overflow = 0;
    const char *digits = p;
    for (int d; (d = digit_value(*p)) < base; p++) {
        overflow |= __builtin_mul_overflow(value, (unsigned long)base, &value);
        overflow |= __builtin_add_overflow(value, (unsigned long)d, &value);
    }
    if (end) *end = (char *)(p == digits ? text : p);
    if (overflow) return ULONG_MAX;
    return negative ? -value : value;
}

unsigned long long strtoull(const char *text, char **end, int base) {
    return strtoul(text, end, base);
}
