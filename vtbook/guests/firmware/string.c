// The few functions on bytes and texts that the firmware needs; compilers call the first four.

#include "firmware.h"

void *memset(void *to, int byte, size_t size) {
    for (char *p = to; size > 0; size--) *p++ = byte;
    return to;
}

void *memmove(void *to, const void *from, size_t size) {
    char *p = to;
    const char *q = from;
    if (p < q)
        while (size-- > 0) *p++ = *q++;
    else
        while (size-- > 0) p[size] = q[size];
    return to;
}

void *memcpy(void *to, const void *from, size_t size) { return memmove(to, from, size); }

int memcmp(const void *a, const void *b, size_t size) {
    const unsigned char *p = a, *q = b;
    for (; size > 0; size--, p++, q++)
        if (*p != *q) return *p - *q;
    return 0;
}

size_t strlen(const char *text) {
    size_t size = 0;
    while (text[size]) size++;
    return size;
}

bool same(const char *a, const char *b) { return memcmp(a, b, strlen(a) + 1) == 0; }
