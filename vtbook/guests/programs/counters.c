// Asks the hart how many instructions it has retired before and after some
// work.  The answer is exact on a machine that counts exactly.

#include <machine.h>
#include <stdio.h>

static uint64_t nothing(void) {
    uint64_t before = instructions();
    return instructions() - before;
}

static uint64_t loop(long rounds) {
    uint64_t before = instructions();
    __asm__ volatile(
        "1: addi %0, %0, -1\n\t"
        "   bnez %0, 1b"
        : "+r"(rounds));
    return instructions() - before;
}

int main(void) {
    uint64_t reading = nothing();
    printf("reading the counter twice: %lu\n", reading);
    for (long rounds = 1; rounds <= 1000; rounds *= 10)
        printf("%4ld rounds of a loop of two: %lu\n", rounds, loop(rounds) - reading);
    return 0;
}
