// cpu [rounds]: arithmetic in registers and in a little memory, and no system call
// before the end.  Prints a checksum.  (A hypervisor has almost nothing to do.)

#include "lib/user.h"

enum { WORDS = 512 };

static uint64_t table[WORDS];

// A round: one pass over the table, each word from itself and another.
static uint64_t round_of(uint64_t sum) {
    for (int i = 0; i < WORDS; i++) {
        uint64_t other = table[(sum ^ (uint64_t)i) % WORDS];
        table[i] = table[i] * 6364136223846793005UL + (other >> 7 ^ other << 11);
        sum = mix_in(sum, table[i]);
    }
    return sum;
}

int main(int argc, char *argv[]) {
    long rounds = argc > 1 ? to_number(argv[1]) : 1000;
    uint64_t state = 1, sum = 0;
    for (int i = 0; i < WORDS; i++) table[i] = next_random(&state);
    while (rounds-- > 0) sum = round_of(sum);
    printf("cpu: %016lx\n", sum);
    return 0;
}
