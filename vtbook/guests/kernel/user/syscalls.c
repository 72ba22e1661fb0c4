// syscalls [rounds]: system calls that do almost nothing, and a byte through a pipe.
// Prints a checksum.  (What a way into the kernel and back costs.)

#include "lib/user.h"

int main(int argc, char *argv[]) {
    long rounds = argc > 1 ? to_number(argv[1]) : 1000;
    int files[2], own = getpid();
    uint64_t sum = 0;
    program_name = "syscalls";
    int error = pipe(files);
    if (error) fail("pipe", error);
    for (long i = 0; i < rounds; i++) {
        unsigned char byte = (unsigned char)(i * 7);
        sum = mix_in(sum, getpid() == own);
        write(files[1], &byte, 1);
        byte = 0;
        read(files[0], &byte, 1);
        sum = mix_in(sum, byte);
        sum = mix_in(sum, (uint64_t)close(-1));
    }
    printf("syscalls: %016lx\n", sum);
    return 0;
}
