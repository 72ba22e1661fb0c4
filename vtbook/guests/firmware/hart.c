// One hart: what it must have set before other software may run on it, and how it starts and waits.

#include "firmware.h"

struct hart harts[MOST_HARTS];
bool has_stimecmp, has_time, has_protection;

// Causes of exceptions that supervisor mode handles by itself (privileged specification 3.1.15):
// all but its own calls (9), those of a hypervisor's guest being its own (10), and illegal
// instructions (2) where one of them, reading `time`, is for us.
#define ILLEGAL_INSTRUCTION BIT(2)
#define EXCEPTIONS (BIT(0) | BIT(1) | 0x1f8ul | BIT(12) | BIT(13) | BIT(15))
#define EXCEPTIONS_OF_GUESTS (BIT(10) | BIT(20) | BIT(21) | BIT(22) | BIT(23))

static void delegate(void) {
    uint64_t exceptions = EXCEPTIONS;
    if (has_time) exceptions |= ILLEGAL_INSTRUCTION;
    if (has_letter('H')) exceptions |= EXCEPTIONS_OF_GUESTS;
    write_csr(CSR_MEDELEG, exceptions);
    write_csr(CSR_MIDELEG, S_INTERRUPTS);
}

// Let lower modes read the counters, use stimecmp and cache instructions.
static void allow_counters_and_environment(void) {
    uint64_t value = 0, never = -1, counters = 7; // cycle, time, instret
    write_csr(CSR_SCOUNTEREN, counters);
#ifdef EMULATE_TIME // for a test, on harts that have it
    counters = 5;
#else
    has_time = try_read(CSR_TIME, value);
#endif
    try_write(CSR_MCOUNTEREN, counters);

    value = MENVCFG_STCE | MENVCFG_PBMTE | MENVCFG_CACHES;
    if (board.hardware_updates) value |= MENVCFG_ADUE;
    if (!try_write(CSR_MENVCFG, value)) return;
    has_stimecmp = has_time && read_csr(CSR_MENVCFG) & MENVCFG_STCE && try_write(CSR_STIMECMP, never);
    if (!has_stimecmp) clear_csr(CSR_MENVCFG, MENVCFG_STCE); // else STIP would not be ours to set
}

// Physical memory protection, two regions (privileged specification 3.7): the firmware's memory,
// which only machine mode may touch, and below it in priority all addresses.  A region of 2^n bytes
// (NAPOT) is written as its base / 4 with n - 3 ones at the end.
static void protect(void) {
    enum { NAPOT = 3 << 3, READ_WRITE_EXECUTE = 7 };
    uint64_t own = ((uint64_t)firmware_start >> 2) + (FIRMWARE_SIZE >> 3) - 1, all = -1;
    uint64_t permissions = NAPOT | (NAPOT | READ_WRITE_EXECUTE) << 8;
    has_protection = try_write(CSR_PMPADDR0, own) && try_write(CSR_PMPADDR1, all) &&
                     try_write(CSR_PMPCFG0, permissions);
    asm volatile("sfence.vma" ::: "memory");
}

void set_up_hart(void) {
    if (!has_letter('S')) panic("hart %d has no supervisor mode", (uint64_t)this_hart());
    bool floats = has_letter('F') || has_letter('D');
    write_csr(CSR_MSTATUS, floats ? MSTATUS_FS_INITIAL : 0);
    allow_counters_and_environment();
    delegate();
    protect();
}

// Returns 0, or -1 if the hart is not stopped.
int start_hart(uint64_t number, uint64_t address, uint64_t opaque, uint64_t mode) {
    static lock starting;
    struct hart *hart = &harts[number];
    take(&starting);
    bool stopped = __atomic_load_n(&hart->state, __ATOMIC_ACQUIRE) == STOPPED;
    if (stopped) {
        hart->start_address = address;
        hart->opaque = opaque;
        hart->mode = mode;
        __atomic_store_n(&hart->state, START_PENDING, __ATOMIC_RELEASE);
    }
    release(&starting);
    if (!stopped) return -1;
    send_ipi(number, 0);
    return 0;
}

// Go to where self->start_address says, with what the specification of SBI promises: no address
// translation and no interrupts.
void go(struct hart *self) {
    write_csr(CSR_SIE, 0);
    write_csr(CSR_SATP, 0);
    clear_csr(CSR_SSTATUS, MSTATUS_SIE);
    asm volatile("sfence.vma\n fence.i" ::: "memory");
    __atomic_store_n(&self->state, STARTED, __ATOMIC_RELEASE);
    enter(this_hart(), self->opaque, self->start_address, self->mode);
}

// A stopped hart sleeps in machine mode.  It may have been asked to start before it came here.
void wait_to_be_started(void) {
    struct hart *self = &harts[this_hart()];
    write_csr(CSR_MIE, BIT(M_SOFT));
    while (__atomic_load_n(&self->state, __ATOMIC_ACQUIRE) != START_PENDING) {
        asm volatile("wfi");
        handle_ipi();
    }
    clear_csr(CSR_MIP, S_INTERRUPTS);
    if (has_stimecmp) write_csr(CSR_STIMECMP, -1);
    go(self);
}

// A suspended hart sleeps in machine mode, too, until there is an interrupt for supervisor mode.
void sleep_until_interrupt(void) {
    uint64_t ours = BIT(M_SOFT) | BIT(M_TIMER);
    while (!(read_csr(CSR_MIP) & read_csr(CSR_MIE) & ~ours)) {
        asm volatile("wfi");
        uint64_t now = read_csr(CSR_MIP) & read_csr(CSR_MIE);
        if (now & BIT(M_SOFT)) handle_ipi();
        if (now & BIT(M_TIMER)) handle_timer();
    }
}
