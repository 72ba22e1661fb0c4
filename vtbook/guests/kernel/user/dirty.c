// dirty [pages] [writes] [pause]: write to memory at a chosen rate.  The heap has
// `pages` pages (256 if not told); each of `writes` writes (4096) goes to the next word
// of a page that a fixed sequence of random numbers chooses; after each 64 writes the
// program sleeps for `pause` ticks (0: not at all).  Prints a checksum of the memory.
// (For live migration: how fast memory changes while it is copied.)

#include "lib/user.h"

int main(int argc, char *argv[]) {
    long pages = argc > 1 ? to_number(argv[1]) : 256;
    long writes = argc > 2 ? to_number(argv[2]) : 4096;
    long pause = argc > 3 ? to_number(argv[3]) : 0;
    uint64_t state = 1, sum = 0;
    program_name = "dirty";
    if (pages < 1) pages = 1;
    char *memory = sbrk(pages * 4096);
    if (memory == SBRK_FAILED) fail("sbrk", -ENOMEM);
    for (long i = 0; i < writes; i++) {
        uint64_t random = next_random(&state);
        uint64_t *page = (uint64_t *)(memory + random % (uint64_t)pages * 4096);
        page[1 + page[0]++ % 511] += random;
        if (pause > 0 && i % 64 == 63) sleep(pause);
    }
    for (long i = 0; i < pages * 512; i++) sum = mix_in(sum, ((uint64_t *)memory)[i]);
    printf("dirty: %016lx\n", sum);
    return 0;
}
