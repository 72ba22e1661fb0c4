// A text with fields filled in.  put() gets each character.

#include "format.h"

#include <stdbool.h>
#include <stdint.h>

struct field {
    bool left, zeros;
    int width;
};

static void fill(void (*put)(char, void *), void *to, char c, int count) {
    while (count-- > 0) put(c, to);
}

static void put_field(void (*put)(char, void *), void *to, struct field *field, const char *text,
                      int length) {
    int rest = field->width - length;
    if (!field->left && !field->zeros) fill(put, to, ' ', rest);
    if (!field->left && field->zeros) {
        if (*text == '-') {
            put(*text++, to);
            length--;
        }
        fill(put, to, '0', rest);
    }
    while (length-- > 0) put(*text++, to);
    if (field->left) fill(put, to, ' ', rest);
}

static void put_number(void (*put)(char, void *), void *to, struct field *field, uint64_t value,
                       unsigned base, bool negative) {
    char text[24];
    int start = sizeof text;
    do text[--start] = "0123456789abcdef"[value % base];
    while (value /= base);
    if (negative) text[--start] = '-';
    put_field(put, to, field, text + start, (int)sizeof text - start);
}

// Read flags and width; return the place after them.
static const char *read_field(struct field *field, const char *text, va_list *arguments) {
    *field = (struct field){0};
    for (; *text == '-' || *text == '0'; text++) {
        if (*text == '-') field->left = true;
        else field->zeros = true;
    }
    if (*text == '*') {
        field->width = va_arg(*arguments, int);
        return text + 1;
    }
    while (*text >= '0' && *text <= '9') field->width = field->width * 10 + *text++ - '0';
    return text;
}

void format(void (*put)(char, void *), void *to, const char *text, va_list original) {
    va_list arguments;
    va_copy(arguments, original);
    for (; *text; text++) {
        if (*text != '%') {
            put(*text, to);
            continue;
        }
        struct field field;
        text = read_field(&field, text + 1, &arguments);
        bool is_long = *text == 'l';
        if (is_long) text++;
        if (*text == 'd') {
            int64_t value = is_long ? va_arg(arguments, int64_t) : va_arg(arguments, int);
            uint64_t size = value < 0 ? -(uint64_t)value : (uint64_t)value;
            put_number(put, to, &field, size, 10, value < 0);
        } else if (*text == 'u' || *text == 'x' || *text == 'o') {
            uint64_t value = is_long ? va_arg(arguments, uint64_t) : va_arg(arguments, unsigned);
            unsigned base = *text == 'u' ? 10 : *text == 'x' ? 16 : 8;
            put_number(put, to, &field, value, base, false);
        } else if (*text == 's') {
            const char *string = va_arg(arguments, const char *);
            int length = 0;
            if (!string) string = "(null)";
            while (string[length]) length++;
            field.zeros = false;
            put_field(put, to, &field, string, length);
        } else if (*text == 'c') {
            char c = (char)va_arg(arguments, int);
            put_field(put, to, &field, &c, 1);
        } else if (*text == '%') {
            put('%', to);
        } else {
            break;  // a format this does not know: what follows cannot be trusted
        }
    }
    va_end(arguments);
}
