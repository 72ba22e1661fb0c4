// disk [KiB] [rounds]: write a file, bring it to the disk, read it back, delete it.
// Prints a checksum of what was read.

#include "lib/user.h"

enum { PART = 4096 };

static const char name[] = "disk.tmp";
static uint64_t part[PART / 8];

static void write_file(long parts, uint64_t *state) {
    int file = open(name, O_WRITE | O_CREATE | O_TRUNCATE);
    if (file < 0) fail(name, file);
    for (long i = 0; i < parts; i++) {
        for (int word = 0; word < PART / 8; word++) part[word] = next_random(state);
        long count = write(file, part, PART);
        if (count != PART) fail(name, count < 0 ? count : -ENOSPC);
    }
    close(file);
    sync();
}

static uint64_t read_file(uint64_t sum) {
    int file = open(name, O_READ);
    if (file < 0) fail(name, file);
    while (read(file, part, PART) == PART)
        for (int word = 0; word < PART / 8; word++) sum = mix_in(sum, part[word]);
    close(file);
    return sum;
}

int main(int argc, char *argv[]) {
    long parts = (argc > 1 ? to_number(argv[1]) : 256) * 1024 / PART;
    long rounds = argc > 2 ? to_number(argv[2]) : 1;
    uint64_t state = 1, sum = 0;
    program_name = "disk";
    while (rounds-- > 0) {
        write_file(parts, &state);
        sum = read_file(sum);
        int error = unlink(name);
        if (error) fail(name, error);
    }
    printf("disk: %016lx\n", sum);
    return 0;
}
