// Everything privileged that S mode does by an instruction of its own: control
// registers, fences, waiting.  No other file has such an instruction, but for
// entry.S and trap.S.  A port to a hypervisor that offers calls instead starts
// here, in sbi.c and in pagetable.c.
#pragma once

#include <stdbool.h>
#include <stdint.h>

#define csr_read(name)                                               \
    ({                                                               \
        uint64_t value_;                                             \
        __asm__ volatile("csrr %0, " #name : "=r"(value_)::"memory"); \
        value_;                                                      \
    })
#define csr_write(name, value) \
    __asm__ volatile("csrw " #name ", %0" ::"r"((uint64_t)(value)) : "memory")
#define csr_set(name, bits) \
    __asm__ volatile("csrs " #name ", %0" ::"r"((uint64_t)(bits)) : "memory")
#define csr_clear(name, bits) \
    __asm__ volatile("csrc " #name ", %0" ::"r"((uint64_t)(bits)) : "memory")

// sstatus
#define STATUS_SIE (1UL << 1)   // interrupts are taken in S mode
#define STATUS_SPIE (1UL << 5)  // SIE before the trap
#define STATUS_SPP (1UL << 8)   // the trap came from S mode

// sie and sip: software, timer and external interrupt
#define INTERRUPT_SOFTWARE (1UL << 1)
#define INTERRUPT_TIMER (1UL << 5)
#define INTERRUPT_EXTERNAL (1UL << 9)

// scause: bit 63 tells interrupts from exceptions
#define CAUSE_INTERRUPT (1UL << 63)
enum {
    CAUSE_FETCH_ACCESS = 1,
    CAUSE_ILLEGAL = 2,
    CAUSE_BREAKPOINT = 3,
    CAUSE_LOAD_ACCESS = 5,
    CAUSE_STORE_ACCESS = 7,
    CAUSE_CALL_FROM_U = 8,
    CAUSE_FETCH_PAGE = 12,
    CAUSE_LOAD_PAGE = 13,
    CAUSE_STORE_PAGE = 15,
};

static inline void interrupts_on(void) { csr_set(sstatus, STATUS_SIE); }
static inline void interrupts_off(void) { csr_clear(sstatus, STATUS_SIE); }
static inline bool interrupts_are_on(void) { return csr_read(sstatus) & STATUS_SIE; }

// Which kinds of interrupts this hart takes.
static inline void interrupts_enable(uint64_t kinds) { csr_write(sie, kinds); }

// Sleep until an interrupt is pending, even one that is not taken now.
static inline void wait_for_interrupt(void) { __asm__ volatile("wfi" ::: "memory"); }

// Another hart's IPI has been seen.
static inline void clear_software_interrupt(void) { csr_clear(sip, INTERRUPT_SOFTWARE); }

// Counters that programs may read: cycle, time, instret.
static inline void allow_user_counters(void) { csr_write(scounteren, 7); }

// Where traps go, always through one entry ("direct").  sscratch is 0 while the
// kernel runs, see trap.S.
static inline void set_trap_entry(void (*entry)(void)) {
    csr_write(sscratch, 0);
    csr_write(stvec, entry);
}

// Where the last trap on this hart came from, and the address or instruction it is about.
static inline uint64_t trap_pc(void) { return csr_read(sepc); }
static inline uint64_t trap_value(void) { return csr_read(stval); }

// Ticks of the platform's clock since it was started.
static inline uint64_t read_time(void) { return csr_read(time); }

// satp: 63..60 mode (8 = Sv39), 59..44 address space number (0), 43..0 page of
// the root table.  The fence drops every translation this hart remembers.
static inline void load_page_table(uint64_t physical_root) {
    csr_write(satp, 8UL << 60 | physical_root >> 12);
    __asm__ volatile("sfence.vma" ::: "memory");
}

// Forget the translations of one page on this hart.
static inline void flush_page(uint64_t address) {
    __asm__ volatile("sfence.vma %0, zero" ::"r"(address) : "memory");
}

// Forget all translations on this hart.
static inline void flush_all_pages(void) { __asm__ volatile("sfence.vma" ::: "memory"); }

// New code is in memory: fetch it from there.
static inline void flush_instructions(void) { __asm__ volatile("fence.i" ::: "memory"); }

// What the other side of a device's ring must see first, it sees first.
static inline void device_fence(void) { __asm__ volatile("fence iorw, iorw" ::: "memory"); }

// tp holds this hart's structure while it runs in the kernel.
static inline void *thread_pointer(void) {
    void *value;
    __asm__ volatile("mv %0, tp" : "=r"(value));
    return value;
}
static inline void set_thread_pointer(void *value) { __asm__ volatile("mv tp, %0" ::"r"(value)); }
