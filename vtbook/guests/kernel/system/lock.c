// Spinlocks.  An interrupt handler may want a lock that the code it interrupted
// holds, and would wait for ever: so a hart takes no interrupts while it holds
// any.

#include "hart.h"
#include "print.h"
#include "riscv.h"

bool holds(struct spinlock *lock) { return lock->held && lock->owner == this_hart(); }

void lock(struct spinlock *lock) {
    bool were_on = interrupts_are_on();
    interrupts_off();
    struct hart *hart = this_hart();
    if (holds(lock)) panic("a lock is taken twice");
    if (hart->locks++ == 0) hart->interrupts = were_on;
    while (__atomic_exchange_n(&lock->held, 1, __ATOMIC_ACQUIRE)) {
        while (__atomic_load_n(&lock->held, __ATOMIC_RELAXED)) {
        }
    }
    lock->owner = hart;
}

void unlock(struct spinlock *lock) {
    if (!holds(lock)) panic("a lock is given back that is not held");
    struct hart *hart = this_hart();
    lock->owner = 0;
    __atomic_store_n(&lock->held, 0, __ATOMIC_RELEASE);
    if (--hart->locks == 0 && hart->interrupts) interrupts_on();
}
