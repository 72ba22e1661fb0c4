// pages [rounds] [pages]: page tables change all the time.  In each round the heap
// grows by some pages (16 if not told), each is written to, a child copies them by
// writing again and ends, and the heap shrinks.  Prints a checksum.

#include "lib/user.h"

static uint64_t write_all(char *memory, long pages, uint64_t seed) {
    uint64_t sum = 0;
    for (long page = 0; page < pages; page++) {
        uint64_t *word = (uint64_t *)(memory + page * 4096);
        *word = *word * 3 + seed + (uint64_t)page;
        sum = mix_in(sum, *word);
    }
    return sum;
}

// A child writes to the pages it shares with us; what it finds is its status.
static uint64_t in_a_child(char *memory, long pages, uint64_t seed) {
    int status = 0;
    int pid = fork();
    if (pid < 0) fail("fork", pid);
    if (pid == 0) exit((int)(write_all(memory, pages, seed) & 0xffff));
    wait(&status);
    return (uint64_t)status;
}

int main(int argc, char *argv[]) {
    long rounds = argc > 1 ? to_number(argv[1]) : 20;
    long pages = argc > 2 ? to_number(argv[2]) : 16;
    uint64_t sum = 0;
    program_name = "pages";
    for (long i = 0; i < rounds; i++) {
        char *memory = sbrk(pages * 4096);
        if (memory == SBRK_FAILED) fail("sbrk", -ENOMEM);
        sum = mix_in(sum, write_all(memory, pages, (uint64_t)i));
        sum = mix_in(sum, in_a_child(memory, pages, (uint64_t)i + 1));
        sum = mix_in(sum, write_all(memory, pages, (uint64_t)i + 2));
        sbrk(-pages * 4096);
    }
    printf("pages: %016lx\n", sum);
    return 0;
}
