// Between printf.c and decimal.c.

#ifndef PRINTF_H
#define PRINTF_H

// What stands between % and the conversion.
struct spec {
    int left;       // -
    int plus;       // +
    int blank;      // a blank
    int zeros;      // 0
    int alternate;  // #
    int width;
    int precision;  // -1: not given
    int length;     // -2 hh, -1 h, 0, 1 and more: 64 bits
    char conversion;
};

// The precision of a double is cut to this many digits.
#define MOST_PRECISION 400
#define LONGEST_DOUBLE (310 + MOST_PRECISION + 8)

// Write |value| as the specification says, without sign and width; return the
// number of characters, at most LONGEST_DOUBLE.
int format_double(char *text, double value, const struct spec *spec);

#endif
