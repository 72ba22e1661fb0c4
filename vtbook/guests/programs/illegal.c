// Executes an instruction that no hart has.  The program has no handler of its
// own, so the runtime reports the trap, and the exit code is 128 + the cause.

#include <stdio.h>

int main(void) {
    puts("before");
    __asm__ volatile("unimp");
    puts("after: never reached");
    return 0;
}
