// Fibonacci numbers, by calls that call.  The argument says how many.

#include <stdio.h>
#include <stdlib.h>

static unsigned long fib(unsigned n) { return n < 2 ? n : fib(n - 1) + fib(n - 2); }

int main(int argc, char **argv) {
    unsigned count = argc > 1 ? (unsigned)atoi(argv[1]) : 16;
    for (unsigned n = 0; n < count; n++) printf("fib(%u) = %lu\n", n, fib(n));
    return 0;
}
