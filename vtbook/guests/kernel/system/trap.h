// Traps: interrupts, system calls and faults.
#pragma once

#include <stdint.h>

// What trap_entry in trap.S leaves on the kernel stack.
struct frame {
    uint64_t x[32];
    uint64_t pc;
    uint64_t status;
    uint64_t cause;
    uint64_t value;  // stval
    uint64_t hart;
    uint64_t padding;  // the stack stays a multiple of 16
};

enum { RA = 1, SP = 2, A0 = 10, A1 = 11, A7 = 17 };  // in x[]

void trap_entry(void);
void trap(struct frame *frame);
void stack_overflow(void);
void traps_on(void);
void clock_on(void);
void clock_off(void);
