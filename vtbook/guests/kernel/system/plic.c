// The platform-level interrupt controller: which device wants attention, and which
// hart gives it.  (RISC-V PLIC specification 1.0.)
//
//   4 * source                     priority, 0 = never
//   0x2000 + 0x80 * context        one bit a source: this context takes it
//   0x20_0000 + 0x1000 * context   threshold; at + 4: claim (read), complete (write)
//
// A context is a hart in a mode.  Every hart may take every interrupt: who claims
// first has it.

#include "devices.h"

static uint64_t context_of_this_hart(void) {
    return (uint64_t)board.plic_contexts[this_hart()->index];
}

static uint64_t enables(int context) { return board.plic + 0x2000 + 0x80 * (uint64_t)context; }

static uint64_t control(void) { return board.plic + 0x200000 + 0x1000 * context_of_this_hart(); }

void plic_init_hart(void) { write32(control(), 0); }

// Called on the first hart while the others sleep.
void plic_enable(uint64_t source) {
    write32(board.plic + 4 * source, 1);
    for (int i = 0; i < hart_count; i++) {
        uint64_t word = enables(board.plic_contexts[i]) + source / 32 * 4;
        write32(word, read32(word) | 1U << source % 32);
    }
}

uint64_t plic_claim(void) { return read32(control() + 4); }

void plic_complete(uint64_t source) { write32(control() + 4, (uint32_t)source); }
