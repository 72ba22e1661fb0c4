// The part of <stdlib.h> that C guests have.

#ifndef STDLIB_H
#define STDLIB_H

#include <stddef.h>

#define EXIT_SUCCESS 0
#define EXIT_FAILURE 1

void *malloc(size_t size);
void *calloc(size_t count, size_t size);
void *realloc(void *old, size_t size);
void free(void *block);

__attribute__((noreturn)) void exit(int code);
__attribute__((noreturn)) void abort(void);  // exit code 134, as on Linux

int abs(int value);
int atoi(const char *text);
unsigned long strtoul(const char *text, char **end, int base);
unsigned long long strtoull(const char *text, char **end, int base);

#endif
