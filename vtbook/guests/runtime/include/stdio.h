// The part of <stdio.h> that C guests have: the console.

#ifndef STDIO_H
#define STDIO_H

#include <stdarg.h>
#include <stddef.h>

#define EOF (-1)

int putchar(int c);
int puts(const char *text);
int getchar(void);  // waits for a byte; as on a terminal, Ctrl-D is EOF and Enter \n

// %d %i %u %o %x %X %c %s %p %f %e %g %%, with the flags "-+ 0#", width,
// precision, * and the lengths hh h l ll j z t.  Not %a, %n and long double.
int printf(const char *format, ...) __attribute__((format(printf, 1, 2)));
int vprintf(const char *format, va_list args);
int snprintf(char *buffer, size_t size, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
int vsnprintf(char *buffer, size_t size, const char *format, va_list args);

#endif
