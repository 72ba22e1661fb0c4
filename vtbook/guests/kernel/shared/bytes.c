// Words are moved eight bytes at a time where both sides allow: pages and disk
// blocks always do.

#include "bytes.h"

#include <stdint.h>

typedef uint64_t __attribute__((may_alias)) word;

static int aligned(const void *a, const void *b) {
    return (((uintptr_t)a | (uintptr_t)b) & 7) == 0;
}

void *memset(void *to, int value, size_t size) {
    unsigned char *d = to;
    if (aligned(d, d)) {
        word all = 0x0101010101010101UL * (unsigned char)value;
        for (; size >= 8; size -= 8, d += 8) *(word *)d = all;
    }
    while (size-- > 0) *d++ = (unsigned char)value;
    return to;
}

void *memcpy(void *to, const void *from, size_t size) {
    unsigned char *d = to;
    const unsigned char *s = from;
    if (aligned(d, s))
        for (; size >= 8; size -= 8, d += 8, s += 8) *(word *)d = *(const word *)s;
    while (size-- > 0) *d++ = *s++;
    return to;
}

void *memmove(void *to, const void *from, size_t size) {
    unsigned char *d = to;
    const unsigned char *s = from;
    if (d <= s || d >= s + size) return memcpy(to, from, size);
    while (size-- > 0) d[size] = s[size];
    return to;
}

int memcmp(const void *a, const void *b, size_t size) {
    const unsigned char *x = a, *y = b;
    for (; size > 0; size--, x++, y++)
        if (*x != *y) return *x - *y;
    return 0;
}

size_t strlen(const char *text) {
    size_t length = 0;
    while (text[length]) length++;
    return length;
}

int strcmp(const char *a, const char *b) {
    while (*a && *a == *b) a++, b++;
    return (unsigned char)*a - (unsigned char)*b;
}

int strncmp(const char *a, const char *b, size_t size) {
    for (; size > 0; size--, a++, b++)
        if (*a != *b || !*a) return (unsigned char)*a - (unsigned char)*b;
    return 0;
}

char *strchr(const char *text, int c) {
    for (;; text++) {
        if (*text == (char)c) return (char *)text;
        if (!*text) return NULL;
    }
}
