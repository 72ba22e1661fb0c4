// Harts that interrupt each other, fences on other harts, and the timer: what the CLINT is for.

#include "firmware.h"

// Its registers: a word for each hart that interrupts it, a time for each at which the timer
// does, and the time.
#define MSIP 0x0
#define MTIMECMP 0x4000
#define MTIME 0xbff8

static volatile uint32_t *msip(int hart) {
    return (volatile uint32_t *)(board.clint + MSIP) + hart;
}

// ---- locks ----

static bool try_to_take(lock *lock) { return !__atomic_exchange_n(lock, 1, __ATOMIC_ACQUIRE); }

void take(lock *lock) {
    while (!try_to_take(lock)) pause();
}

void release(lock *lock) { __atomic_store_n(lock, 0, __ATOMIC_RELEASE); }

// ---- the timer ----

uint64_t read_time(void) {
    return has_time ? read_csr(CSR_TIME) : *(volatile uint64_t *)(board.clint + MTIME);
}

// With Sstc the hart compares `time` with stimecmp itself.  Without, the CLINT interrupts machine
// mode, which passes it on (handle_timer).
void set_timer(uint64_t when) {
    if (has_stimecmp) {
        write_csr(CSR_STIMECMP, when);
    } else if (board.clint) {
        ((volatile uint64_t *)(board.clint + MTIMECMP))[this_hart()] = when;
        clear_csr(CSR_MIP, BIT(S_TIMER));
        set_csr(CSR_MIE, BIT(M_TIMER));
    }
}

void handle_timer(void) {
    clear_csr(CSR_MIE, BIT(M_TIMER));
    set_csr(CSR_MIP, BIT(S_TIMER));
}

// ---- one hart to another ----

// The fence that is under way; one at a time.
static struct {
    lock lock;
    enum fence fence;
    uint64_t hgatp;      // the asking hart's, for HFENCE_VVMA
    uint32_t outstanding; // harts that have not done it yet
} remote;

void send_ipi(int hart, uint32_t what) {
    __atomic_fetch_or(&harts[hart].pending, what, __ATOMIC_RELEASE);
    asm volatile("fence" ::: "memory"); // the word before the interrupt
    if (board.clint) *msip(hart) = 1;
}

// Everything is dropped, not only the addresses that were asked for; that is always allowed.
static void do_fence(void) {
    if (remote.fence == FENCE_I) asm volatile("fence.i" ::: "memory");
    if (remote.fence == SFENCE_VMA) asm volatile("sfence.vma" ::: "memory");
    if (remote.fence == HFENCE_GVMA) asm volatile(".word 0x62000073 # hfence.gvma" ::: "memory");
    if (remote.fence == HFENCE_VVMA) { // works on the guest that hgatp names
        uint64_t own = read_csr(CSR_HGATP);
        write_csr(CSR_HGATP, remote.hgatp);
        asm volatile(".word 0x22000073 # hfence.vvma" ::: "memory");
        write_csr(CSR_HGATP, own);
    }
}

void handle_ipi(void) {
    int self = this_hart();
    if (board.clint) *msip(self) = 0;
    asm volatile("fence" ::: "memory");
    uint32_t asked = __atomic_exchange_n(&harts[self].pending, 0, __ATOMIC_ACQ_REL);
    if (asked & IPI_SOFT) set_csr(CSR_MIP, BIT(S_SOFT));
    if (asked & IPI_FENCE) {
        do_fence();
        __atomic_fetch_sub(&remote.outstanding, 1, __ATOMIC_RELEASE);
    }
}

static bool runs(int hart) {
    int state = __atomic_load_n(&harts[hart].state, __ATOMIC_ACQUIRE);
    return state == STARTED || state == SUSPENDED;
}

// Do a fence on all these harts, and return when it is done.  While a hart waits, it does what
// others ask of it: else two harts could wait for each other.
void remote_fence(uint64_t targets, enum fence fence) {
    int self = this_hart();
    uint64_t others = 0;
    while (!try_to_take(&remote.lock)) handle_ipi(), pause();
    for (int hart = 0; hart < MOST_HARTS; hart++)
        if (targets >> hart & 1 && hart != self && runs(hart)) others |= BIT(hart);
    remote.fence = fence;
    if (fence == HFENCE_VVMA) remote.hgatp = read_csr(CSR_HGATP);
    for (int hart = 0; hart < MOST_HARTS; hart++) {
        if (!(others >> hart & 1)) continue;
        __atomic_fetch_add(&remote.outstanding, 1, __ATOMIC_RELAXED);
        send_ipi(hart, IPI_FENCE);
    }
    if (targets >> self & 1) do_fence();
    while (__atomic_load_n(&remote.outstanding, __ATOMIC_ACQUIRE)) handle_ipi(), pause();
    release(&remote.lock);
}
