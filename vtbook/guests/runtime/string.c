// Blocks of bytes and strings.  Plain loops; the three that move much memory
// go by eight bytes where they can.

#include <stdint.h>
#include <string.h>

typedef uint64_t __attribute__((may_alias)) word;

static int aligned(const void *p) { return ((uintptr_t)p & 7) == 0; }

void *memcpy(void *restrict to, const void *restrict from, size_t size) {
    return memmove(to, from, size);
}

void *memmove(void *to, const void *from, size_t size) {
    unsigned char *t = to;
    const unsigned char *f = from;
    if ((uintptr_t)t - (uintptr_t)f >= size) {  // forwards does not overwrite what is to come
        if ((((uintptr_t)t ^ (uintptr_t)f) & 7) == 0) {
            for (; size && !aligned(t); size--) *t++ = *f++;
            for (; size >= 8; size -= 8, t += 8, f += 8) *(word *)t = *(const word *)f;
        }
        while (size--) *t++ = *f++;
    } else {
        while (size--) t[size] = f[size];
    }
    return to;
}

void *memset(void *to, int byte, size_t size) {
    unsigned char *t = to;
    word eight = (unsigned char)byte * 0x0101010101010101UL;
    for (; size && !aligned(t); size--) *t++ = (unsigned char)byte;
    for (; size >= 8; size -= 8, t += 8) *(word *)t = eight;
    while (size--) *t++ = (unsigned char)byte;
    return to;
}

int memcmp(const void *a, const void *b, size_t size) {
    const unsigned char *x = a, *y = b;
    for (; size; size--, x++, y++)
        if (*x != *y) return *x - *y;
    return 0;
}

// Compilers call it for memcmp(...) == 0.
int bcmp(const void *a, const void *b, size_t size) { return memcmp(a, b, size); }

void *memchr(const void *block, int byte, size_t size) {
    const unsigned char *p = block;
    for (; size; size--, p++)
        if (*p == (unsigned char)byte) return (void *)p;
    return NULL;
}

size_t strlen(const char *text) {
    const char *end = text;
    while (*end) end++;
    return (size_t)(end - text);
}

size_t strnlen(const char *text, size_t limit) {
    size_t length = 0;
    while (length < limit && text[length]) length++;
    return length;
}

int strcmp(const char *a, const char *b) {
    while (*a && *a == *b) a++, b++;
    return (unsigned char)*a - (unsigned char)*b;
}

int strncmp(const char *a, const char *b, size_t limit) {
    for (; limit; limit--, a++, b++)
        if (*a != *b || *a == 0) return (unsigned char)*a - (unsigned char)*b;
    return 0;
}

char *stpcpy(char *restrict to, const char *restrict from) {
    while ((*to = *from)) to++, from++;
    return to;
}

char *strcpy(char *restrict to, const char *restrict from) {
    stpcpy(to, from);
    return to;
}

char *strncpy(char *restrict to, const char *restrict from, size_t size) {
    size_t length = strnlen(from, size);
    memcpy(to, from, length);
    memset(to + length, 0, size - length);
    return to;
}

char *strcat(char *restrict to, const char *restrict from) {
    stpcpy(to + strlen(to), from);
    return to;
}

char *strchr(const char *text, int c) {
    for (; *text != (char)c; text++)
        if (*text == 0) return NULL;
    return (char *)text;
}

char *strrchr(const char *text, int c) {
    const char *last = NULL;
    do
        if (*text == (char)c) last = text;
    while (*text++);
    return (char *)last;
}

char *strstr(const char *text, const char *part) {
    size_t length = strlen(part);
    for (;; text++) {
        if (strncmp(text, part, length) == 0) return (char *)text;
        if (*text == 0) return NULL;
    }
}
