// Traps to machine mode: the calls of supervisor mode, interrupts of the CLINT, and `time` on harts
// that do not have it.

#include "firmware.h"

#define INTERRUPT BIT(63)
enum { ILLEGAL_INSTRUCTION = 2, CALL_FROM_SUPERVISOR = 9 };

// The instruction at an address, as the mode that trapped sees it (mstatus.MPRV; MXR, so that code
// need not be readable).  Zero if it cannot be read.
static uint32_t fetch(uint64_t address) {
#define LOAD_HALF "li %[trapped], 0xa0000\n csrs mstatus, %[trapped]\n lhu %[x], 0(%[x])"
    uint64_t low = address, high = address + 2;
    if (!TRY(LOAD_HALF, low)) return 0;
    if ((low & 3) != 3) return low; // compressed
    if (!TRY(LOAD_HALF, high)) return 0;
    return high << 16 | low;
}

// csrrs rd, time, x0: the specification lets machine mode do what the hart cannot.
static bool emulate(struct frame *frame, uint32_t instruction) {
    uint64_t mode = (frame->status & MSTATUS_MPP) >> MSTATUS_MPP_SHIFT;
    if ((instruction & ~(31u << 7)) != 0xc0102073 || has_time) return false;
    if (mode == USER && !(read_csr(CSR_SCOUNTEREN) & 2)) return false;
    frame->x[instruction >> 7 & 31] = read_time();
    frame->pc += 4;
    return true;
}

// Give a trap to supervisor mode, doing what a delegated one would (privileged specification 3.1.6).
static void redirect(struct frame *frame, uint64_t cause, uint64_t value) {
    uint64_t status = frame->status, mode = (status & MSTATUS_MPP) >> MSTATUS_MPP_SHIFT;
    if (mode == MACHINE) panic("machine mode trapped with cause %d", cause);
    if (has_letter('H')) { // from a guest: hstatus.SPV, and SPVP its mode
        clear_csr(CSR_HSTATUS, BIT(7));
        if (status & MSTATUS_MPV) set_csr(CSR_HSTATUS, BIT(7) | (mode ? BIT(8) : 0));
        status &= ~MSTATUS_MPV;
    }
    write_csr(CSR_SEPC, frame->pc);
    write_csr(CSR_SCAUSE, cause);
    write_csr(CSR_STVAL, value);
    bool enabled = status & MSTATUS_SIE;
    status &= ~(MSTATUS_SPP | MSTATUS_SPIE | MSTATUS_SIE | MSTATUS_MPP);
    status |= mode == SUPERVISOR ? MSTATUS_SPP : 0;
    status |= enabled ? MSTATUS_SPIE : 0;
    frame->status = status | (uint64_t)SUPERVISOR << MSTATUS_MPP_SHIFT;
    frame->pc = read_csr(CSR_STVEC) & ~3ul;
}

void handle_trap(struct frame *frame, uint64_t cause, uint64_t value) {
    switch (cause) {
    case INTERRUPT | M_SOFT:
        handle_ipi();
        break;
    case INTERRUPT | M_TIMER:
        handle_timer();
        break;
    case CALL_FROM_SUPERVISOR:
        frame->pc += 4;
        handle_call(frame);
        break;
    case ILLEGAL_INSTRUCTION:
        if (emulate(frame, value ? value : fetch(frame->pc))) break;
        // fall through
    default:
        redirect(frame, cause, value);
    }
}

__attribute__((noreturn)) void firmware_trapped(uint64_t cause, uint64_t pc, uint64_t value) {
    panic("trap in the firmware itself: cause %x at %x, value %x", cause, pc, value);
}
