// Harts (hardware threads) and the locks between them.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "process.h"
#include "riscv.h"

enum { MAX_HARTS = 8 };

struct hart {
    uint64_t emergency_stack;  // its top; trap.S expects it here
    int index;                 // 0 is the one that booted
    uint64_t id;               // the machine's number for it
    struct process *current;   // what runs here, or NULL
    struct context scheduler;
    uint64_t page_table;  // root in satp, physical
    int locks;            // spinlocks held here
    bool interrupts;      // were they on before the first of these
    bool idle;            // waits for an interrupt, an IPI wakes it
    bool started;
};

_Static_assert(sizeof(struct hart) == 160, "inside.py: HART_SIZE");
_Static_assert(offsetof(struct hart, current) == 24, "inside.py: CURRENT");

extern struct hart harts[MAX_HARTS];
extern int hart_count;

// The hart this runs on.  Only with interrupts off, or the answer may be old.
static inline struct hart *this_hart(void) { return thread_pointer(); }

// A lock that is waited for in a loop, with interrupts off.
struct spinlock {
    int held;
    struct hart *owner;
};

void lock(struct spinlock *lock);
void unlock(struct spinlock *lock);
bool holds(struct spinlock *lock);

struct process *current_process(void);
