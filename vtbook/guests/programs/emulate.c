// Uses an instruction that no hart has, and brings it: the trap handler reads
// the instruction, does its work in software and goes on after it.  The program
// does not notice.  This is trap and emulate in its smallest form.
//
// The instruction counts one bits.  It has the opcode custom-0, which no
// standard extension will ever use:
//
//    31     25 24   20 19   15 14    12 11   7 6       0
//   | 0000000 | 00000 |  rs1  |  000   |  rd  | 0001011 |   popcount rd, rs1

#include <machine.h>
#include <stdio.h>
#include <stdlib.h>

#define CUSTOM_0 0x0b

static int emulated;

static uint64_t popcount(uint64_t value) {
    uint64_t result;
    __asm__ volatile(".insn r CUSTOM_0, 0, 0, %0, %1, x0" : "=r"(result) : "r"(value));
    return result;
}

void trap_handler(struct trap_frame *frame) {
    uint32_t instruction = *(const uint16_t *)frame->pc;  // pc may be 2 past a multiple of 4
    instruction |= (uint32_t)*(const uint16_t *)(frame->pc + 2) << 16;
    if (frame->cause != CAUSE_ILLEGAL_INSTRUCTION || (instruction & 0x7f) != CUSTOM_0) {
        printf("trap: %s\n", cause_name(frame->cause));
        exit(1);
    }
    uint64_t value = frame->x[instruction >> 15 & 31];
    uint64_t ones = 0;
    for (; value; value &= value - 1) ones++;
    if (instruction >> 7 & 31) frame->x[instruction >> 7 & 31] = ones;
    frame->pc += 4;
    emulated++;
}

int main(void) {
    static const uint64_t values[] = {0, 1, 0xff, 0x8000000000000001, UINT64_MAX};
    for (unsigned i = 0; i < sizeof values / sizeof *values; i++)
        printf("popcount(%#lx) = %lu\n", values[i], popcount(values[i]));
    printf("%d instructions emulated\n", emulated);
    return 0;
}
