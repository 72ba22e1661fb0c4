"""The program that chapter 05 measures: the sieve of Eratosthenes, in C and in assembly."""

#: Entry: rounds in a0, the limit (at most 10,000) in a1; the count of primes is in a0 at `done`.
#: From `primes` on it is the output of gcc 12.2 -O2 for RV64I, without loop distribution.
PRIMES = """
_start: mv   s1, a0             # rounds, put into a0 before the start
        mv   s2, a1             # limit, in a1
again:  la   a0, crossed
        mv   a1, s2
        jal  primes
        addi s1, s1, -1
        bnez s1, again
done:   j    done
primes: mv   a2, a0
        beq  a1, zero, .L2
        mv   a5, a0
        add  a4, a0, a1
.L3:    sb   zero, 0(a5)
        addi a5, a5, 1
        bne  a4, a5, .L3
        li   a5, 2
        bleu a1, a5, .L2
        li   a7, 4
        li   a4, 2
        li   a0, 0
        li   a6, 1
        j    .L7
.L4:    addi a4, a4, 1
        addi a7, a7, 2
        beq  a1, a4, .L16
.L7:    add  a5, a2, a4
        lbu  a5, 0(a5)
        bne  a5, zero, .L4
        addi a0, a0, 1
        bgeu a7, a1, .L4
        mv   a5, a7
.L6:    add  a3, a2, a5
        sb   a6, 0(a3)
        add  a5, a5, a4
        bgtu a1, a5, .L6
        addi a4, a4, 1
        addi a7, a7, 2
        bne  a1, a4, .L7
.L16:   ret
.L2:    li   a0, 0
        ret
.bss
crossed: .skip 10000
"""

#: The same as a whole program; its argument is the number of rounds.
PRIMES_C = """
#include <stdio.h>
#include <stdlib.h>

static unsigned char crossed_out[10000];

__attribute__((noinline)) unsigned long primes(unsigned char *crossed, unsigned long limit) {
    unsigned long count = 0;
    for (unsigned long i = 0; i < limit; i++) crossed[i] = 0;
    for (unsigned long i = 2; i < limit; i++) {
        if (crossed[i]) continue;
        count++;
        for (unsigned long j = i + i; j < limit; j += i) crossed[j] = 1;
    }
    return count;
}

int main(int argc, char **argv) {
    unsigned long count = 0;
    for (int rounds = atoi(argv[1]); rounds; rounds--) count = primes(crossed_out, 10000);
    printf("%lu\\n", count);
}
"""
