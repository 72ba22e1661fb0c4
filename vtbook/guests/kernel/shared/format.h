// printf's format, for the kernel and for programs.
#pragma once

#include <stdarg.h>

// %d %u %x %o %c %s %%, with - and 0, a width (or *) and l.
void format(void (*put)(char c, void *to), void *to, const char *text, va_list arguments);
