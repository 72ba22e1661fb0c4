// Who runs when.  Each hart has a scheduler with a stack of its own.  It takes
// the process that has been ready longest, switches to it, and gets the hart
// back when that process sleeps, exits, or has had its slice of the clock.
//
// process_lock is held across each switch: the thread that is switched to gives
// it back.  So no other hart can take up a process that has not fully left here.

#include "hart.h"
#include "print.h"
#include "process.h"
#include "riscv.h"
#include "sbi.h"

struct spinlock process_lock;
uint64_t switches;

static struct process *first_ready, *last_ready;
static uint64_t tick_count;

// ---- the queue of ready processes; all under process_lock ----

static void wake_an_idle_hart(void) {
    for (int i = 0; i < hart_count; i++) {
        if (!harts[i].idle) continue;
        harts[i].idle = false;
        if (&harts[i] != this_hart()) sbi_send_interrupt(harts[i].id);
        return;
    }
}

void make_ready(struct process *process) {
    process->state = READY;
    process->next_ready = NULL;
    if (first_ready) last_ready->next_ready = process;
    else first_ready = process;
    last_ready = process;
    wake_an_idle_hart();
}

static struct process *take_ready(void) {
    struct process *process = first_ready;
    if (process) first_ready = process->next_ready;
    return process;
}

// ---- switching ----

// Run with this page table from here on.
static void use_page_table(struct hart *hart, uint64_t root) {
    if (hart->page_table == root) return;
    hart->page_table = root;
    load_page_table(root);
}

static void run(struct hart *hart, struct process *process) {
    process->state = RUNNING;
    process->hart = hart->index;
    hart->current = process;
    switches++;
    use_page_table(hart, to_physical(process->space.root));
    switch_context(&hart->scheduler, &process->context);
    hart->current = NULL;
    hart->interrupts = false;  // they are off in the scheduler
}

// Wait for a device or another hart.  The first hart keeps the time; no other needs
// the clock while it has nothing to do.
static void idle(struct hart *hart) {
    if (hart->index > 0) clock_off();
    wait_for_interrupt();
    interrupts_on();  // what came is handled here
    interrupts_off();
    if (hart->index > 0) clock_on();
}

// Never returns.  A hart with nothing to do drops the page table of the process
// that it ran last, which another hart may free, and waits.
void scheduler(void) {
    struct hart *hart = this_hart();
    interrupts_off();
    for (;;) {
        lock(&process_lock);
        hart->idle = false;
        struct process *process;
        while ((process = take_ready())) run(hart, process);
        use_page_table(hart, kernel_table_root());
        hart->idle = true;
        unlock(&process_lock);
        idle(hart);
    }
}

// Give the hart to its scheduler.  process_lock is held, and nothing else, or a
// lock would be held by a thread that does not run.
void leave_hart(void) {
    struct hart *hart = this_hart();
    struct process *process = hart->current;
    bool interrupts = hart->interrupts;
    if (!holds(&process_lock) || hart->locks != 1) panic("switching with the wrong locks");
    switch_context(&process->context, &hart->scheduler);
    this_hart()->interrupts = interrupts;  // this thread's, whichever hart it is now
}

void yield(void) {
    lock(&process_lock);
    make_ready(this_hart()->current);
    leave_hart();
    unlock(&process_lock);
}

// ---- sleeping ----

// Sleep until wake_up(channel).  `held` protects what is waited for; it is free
// while the process sleeps.  No wake-up is lost between the two: it needs
// process_lock, which is held before `held` is given back.
void sleep_on(void *channel, struct spinlock *held) {
    if (held != &process_lock) {
        lock(&process_lock);
        unlock(held);
    }
    struct process *process = this_hart()->current;
    process->channel = channel;
    process->state = SLEEPING;
    leave_hart();
    process->channel = NULL;
    if (held != &process_lock) {
        unlock(&process_lock);
        lock(held);
    }
}

void wake(struct process *process) {
    if (process->state == SLEEPING) make_ready(process);
}

void wake_sleepers(void *channel) {
    for (struct process *p = processes; p < &processes[MAX_PROCESSES]; p++)
        if (p->state == SLEEPING && p->channel == channel) make_ready(p);
}

void wake_up(void *channel) {
    lock(&process_lock);
    wake_sleepers(channel);
    unlock(&process_lock);
}

void mutex_lock(struct mutex *mutex) {
    lock(&process_lock);
    while (mutex->held) sleep_on(mutex, &process_lock);
    mutex->held = true;
    unlock(&process_lock);
}

void mutex_unlock(struct mutex *mutex) {
    lock(&process_lock);
    mutex->held = false;
    wake_sleepers(mutex);
    unlock(&process_lock);
}

// ---- the clock ----

// Called on the first hart, TICKS_PER_SECOND times a second.
void tick(void) {
    lock(&process_lock);
    tick_count++;
    wake_sleepers(&tick_count);
    unlock(&process_lock);
}

uint64_t ticks(void) { return __atomic_load_n(&tick_count, __ATOMIC_RELAXED); }

int sleep_ticks(uint64_t count) {
    int error = 0;
    lock(&process_lock);
    uint64_t start = tick_count;
    while (tick_count - start < count && !error) {
        if (this_hart()->current->killed) error = -EINTR;
        else sleep_on(&tick_count, &process_lock);
    }
    unlock(&process_lock);
    return error;
}
