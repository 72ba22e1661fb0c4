// Reads and changes eight bytes at an address that is not a multiple of eight.
//
// An ordinary load may go either way (unprivileged specification, 2.6): the
// hart does it, or it traps and the handler below puts the value together from
// bytes.  An atomic instruction has no choice: it traps.

#include <machine.h>
#include <stdio.h>
#include <stdlib.h>

#define ATOMIC 0x2f  // opcode of lr, sc and amo...

static int traps;

// Both load() and atomic_add() expect their result in a0.
void trap_handler(struct trap_frame *frame) {
    traps++;
    printf("trap: the address ends in %lu\n", frame->value & 7);
    int opcode = *(const uint16_t *)frame->pc & 0x7f;
    if (opcode == ATOMIC) {
        frame->x[10] = 0;
    } else if (frame->cause == CAUSE_LOAD_MISALIGNED) {
        const volatile uint8_t *bytes = (const volatile uint8_t *)frame->value;
        frame->x[10] = 0;
        for (int i = 7; i >= 0; i--) frame->x[10] = frame->x[10] << 8 | bytes[i];
    } else {
        exit(1);
    }
    frame->pc += (uint64_t)instruction_length(frame->pc);
}

static uint64_t load(const void *address) {
    register uint64_t a0 __asm__("a0") = (uint64_t)address;
    __asm__ volatile("ld a0, (a0)" : "+r"(a0)::"memory");
    return a0;
}

static uint64_t atomic_add(void *address, uint64_t value) {
    register uint64_t a0 __asm__("a0") = (uint64_t)address;
    __asm__ volatile("amoadd.d a0, %1, (a0)" : "+r"(a0) : "r"(value) : "memory");
    return a0;
}

int main(void) {
    static uint8_t bytes[16] __attribute__((aligned(8)));
    for (int i = 0; i < 16; i++) bytes[i] = (uint8_t)i;

    printf("load: %016lx\n", load(bytes + 3));
    printf("%s\n", traps ? "the handler did it" : "the hart did it by itself");

    int before = traps;
    atomic_add(bytes + 3, 1);
    printf("atomic add: %s\n", traps > before ? "not done" : "done");
    return bytes[3] == 3 ? 0 : 1;
}
