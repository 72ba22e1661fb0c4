// printf: the format, and integers.  Doubles are in decimal.c.

#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "printf.h"

// ---- where the text goes ----

// To the console if buffer is NULL, else to buffer[0 .. size-1].
struct output {
    char *buffer;
    size_t size;
    size_t length;  // bytes wanted so far, whether or not they fitted
};

static void put(struct output *out, char c) {
    if (!out->buffer)
        putchar(c);
    else if (out->length < out->size)
        out->buffer[out->length] = c;
    out->length++;
}

static void put_many(struct output *out, char c, int count) {
    while (count-- > 0) put(out, c);
}

// One field: sign or 0x, then the body, filled up to the width.
static void put_field(struct output *out, const struct spec *spec, const char *prefix,
                      const char *body, int length) {
    int fill = spec->width - (int)strlen(prefix) - length;
    if (!spec->left && !spec->zeros) put_many(out, ' ', fill);
    while (*prefix) put(out, *prefix++);
    if (!spec->left && spec->zeros) put_many(out, '0', fill);
    while (length-- > 0) put(out, *body++);
    if (spec->left) put_many(out, ' ', fill);
}

static const char *sign_prefix(const struct spec *spec, int negative) {
    return negative ? "-" : spec->plus ? "+" : spec->blank ? " " : "";
}

// ---- the conversions ----

#define LONGEST_INTEGER 22  // 64 bits in octal

static void put_integer(struct output *out, struct spec *spec, uint64_t value,
                        const char *prefix) {
    int base = spec->conversion == 'o' ? 8 : (spec->conversion | 0x20) == 'x' ? 16 : 10;
    const char *digits = spec->conversion == 'X' ? "0123456789ABCDEF" : "0123456789abcdef";
    char text[LONGEST_INTEGER];
    int start = LONGEST_INTEGER;
    for (uint64_t rest = value; rest; rest /= (unsigned)base)
        text[--start] = digits[rest % (unsigned)base];

    int length = LONGEST_INTEGER - start;
    int least = spec->precision < 0 ? 1 : spec->precision;  // digits at least
    if (spec->precision >= 0) spec->zeros = 0;
    if (spec->alternate && base == 8 && least <= length) least = length + 1;
    if (spec->alternate && base == 16 && value) prefix = spec->conversion == 'X' ? "0X" : "0x";

    int zeros = least > length ? least - length : 0;
    int fill = spec->width - (int)strlen(prefix) - zeros - length;
    if (spec->zeros && !spec->left && fill > 0) {
        zeros += fill;
        fill = 0;
    }
    if (!spec->left) put_many(out, ' ', fill);
    while (*prefix) put(out, *prefix++);
    put_many(out, '0', zeros);
    for (; start < LONGEST_INTEGER; start++) put(out, text[start]);
    if (spec->left) put_many(out, ' ', fill);
}

static void put_double(struct output *out, struct spec *spec, double value) {
    static char text[LONGEST_DOUBLE];  // too large for a stack
    uint64_t bits;
    memcpy(&bits, &value, 8);
    if ((bits >> 52 & 0x7ff) == 0x7ff) spec->zeros = 0;  // inf and nan
    int length = format_double(text, value, spec);
    put_field(out, spec, sign_prefix(spec, (int)(bits >> 63)), text, length);
}

static void put_text(struct output *out, struct spec *spec, const char *text) {
    if (!text) text = "(null)";
    spec->zeros = 0;
    put_field(out, spec, "", text,
              (int)(spec->precision < 0 ? strlen(text) : strnlen(text, (size_t)spec->precision)));
}

static int64_t next_signed(va_list *args, int length) {
    int64_t value = length > 0 ? va_arg(*args, int64_t) : va_arg(*args, int);
    return length == -1 ? (short)value : length == -2 ? (signed char)value : value;
}

static uint64_t next_unsigned(va_list *args, int length) {
    uint64_t value = length > 0 ? va_arg(*args, uint64_t) : va_arg(*args, unsigned);
    return length == -1 ? (uint16_t)value : length == -2 ? (uint8_t)value : value;
}

// ---- the format ----

static int number(const char **format, va_list *args) {
    if (**format == '*') {
        (*format)++;
        return va_arg(*args, int);
    }
    int value = 0;
    while (**format >= '0' && **format <= '9') value = 10 * value + *(*format)++ - '0';
    return value;
}

// Read what stands between % and the conversion; return the place after it.
static const char *read_spec(struct spec *spec, const char *format, va_list *args) {
    *spec = (struct spec){.precision = -1};
    for (;; format++) {
        if (*format == '-') spec->left = 1;
        else if (*format == '+') spec->plus = 1;
        else if (*format == ' ') spec->blank = 1;
        else if (*format == '0') spec->zeros = 1;
        else if (*format == '#') spec->alternate = 1;
        else break;
    }
    spec->width = number(&format, args);
    if (spec->width < 0) {  // from *
        spec->left = 1;
        spec->width = -spec->width;
    }
    if (*format == '.') {
        format++;
        spec->precision = number(&format, args);
    }
    for (;; format++) {
        if (*format == 'h') spec->length--;
        else if (*format == 'l') spec->length++;
        else if (*format == 'z' || *format == 'j' || *format == 't') spec->length = 1;
        else break;
    }
    spec->conversion = *format;
    return *format ? format + 1 : format;
}

static void put_conversion(struct output *out, struct spec *spec, va_list *args) {
    switch (spec->conversion) {
    case 'd':
    case 'i': {
        int64_t value = next_signed(args, spec->length);
        uint64_t size = value < 0 ? -(uint64_t)value : (uint64_t)value;
        put_integer(out, spec, size, sign_prefix(spec, value < 0));
        break;
    }
    case 'u':
    case 'o':
    case 'x':
    case 'X':
        put_integer(out, spec, next_unsigned(args, spec->length), "");
        break;
    case 'p':
        spec->conversion = 'x';
        spec->alternate = 1;
        put_integer(out, spec, (uint64_t)va_arg(*args, void *), "");
        break;
    case 'c': {
        char c = (char)va_arg(*args, int);
        spec->zeros = 0;
        put_field(out, spec, "", &c, 1);
        break;
    }
    case 's':
        put_text(out, spec, va_arg(*args, const char *));
        break;
    case 'f':
    case 'F':
    case 'e':
    case 'E':
    case 'g':
    case 'G':
        put_double(out, spec, va_arg(*args, double));
        break;
    case '%':
        put(out, '%');
        break;
    default:  // unknown: show it, so that it is noticed
        put(out, '%');
        if (spec->conversion) put(out, spec->conversion);
    }
}

static int format_to(struct output *out, const char *format, va_list original) {
    va_list args;
    va_copy(args, original);
    struct spec spec;
    while (*format) {
        if (*format != '%') {
            put(out, *format++);
            continue;
        }
        format = read_spec(&spec, format + 1, &args);
        put_conversion(out, &spec, &args);
    }
    va_end(args);
    return (int)out->length;
}

// ---- the public functions ----

int vprintf(const char *format, va_list args) {
    struct output out = {0};
    return format_to(&out, format, args);
}

int vsnprintf(char *buffer, size_t size, const char *format, va_list args) {
    char nothing;
    struct output out = {size ? buffer : &nothing, size, 0};
    int length = format_to(&out, format, args);
    if (size) buffer[out.length < size ? out.length : size - 1] = 0;
    return length;
}

int printf(const char *format, ...) {
    va_list args;
    va_start(args, format);
    int length = vprintf(format, args);
    va_end(args);
    return length;
}

int snprintf(char *buffer, size_t size, const char *format, ...) {
    va_list args;
    va_start(args, format);
    int length = vsnprintf(buffer, size, format, args);
    va_end(args);
    return length;
}
