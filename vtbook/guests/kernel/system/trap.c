// Traps, after trap.S has saved the registers: interrupts, system calls, faults.

#include "trap.h"

#include "devices.h"
#include "fs.h"
#include "hart.h"
#include "print.h"
#include "process.h"
#include "riscv.h"
#include "sbi.h"
#include "syscall.h"

static const char *const causes[16] = {
    "misaligned instruction", "no instruction there", "illegal instruction", "breakpoint",
    "misaligned load", "no memory to load from", "misaligned store", "no memory to store to",
    "system call", "system call of S mode", "?", "?",
    "page fault: fetch", "page fault: load", "?", "page fault: store",
};

static const char *cause_name(uint64_t cause) { return cause < 16 ? causes[cause] : "?"; }

// ---- interrupts ----

static void set_next_tick(void) {
    sbi_set_timer(read_time() + board.clock_frequency / TICKS_PER_SECOND);
}

// From here on a whole slice of time, and then the next.
void clock_on(void) {
    set_next_tick();
    interrupts_enable(INTERRUPT_SOFTWARE | INTERRUPT_TIMER | INTERRUPT_EXTERNAL);
}

// The clock does not interrupt this hart; other harts and devices do.
void clock_off(void) { interrupts_enable(INTERRUPT_SOFTWARE | INTERRUPT_EXTERNAL); }

// Make this hart ready for traps of all kinds.
void traps_on(void) {
    set_trap_entry(trap_entry);
    allow_user_counters();
    plic_init_hart();
    clock_on();
}

// The slice of the process that runs here has ended.
static void clock_interrupt(void) {
    struct hart *hart = this_hart();
    set_next_tick();
    if (hart->index == 0) tick();
    if (!hart->current) return;
    hart->current->ticks++;
    yield();
}

static void device_interrupt(void) {
    uint64_t source = plic_claim();
    if (source == 0) return;  // another hart was faster
    if (source == board.uart_interrupt) uart_interrupt();
    else if (source == virtio_disk_source) virtio_disk_interrupt();
    else print("interrupt %lu, of a device without a driver\n", source);
    plic_complete(source);
}

static void interrupt(uint64_t cause) {
    uint64_t kind = 1UL << (cause & 63);
    if (kind == INTERRUPT_TIMER) clock_interrupt();
    else if (kind == INTERRUPT_EXTERNAL) device_interrupt();
    else if (kind == INTERRUPT_SOFTWARE) clear_software_interrupt();
    else panic("interrupt of an unknown kind, %lx", cause);
}

// ---- exceptions ----

// True if the program can go on: memory that comes on demand, or is copied on demand.
static bool page_fault_is_fine(struct process *process, struct frame *frame) {
    enum access access = frame->cause == CAUSE_FETCH_PAGE  ? FETCH
                         : frame->cause == CAUSE_LOAD_PAGE ? LOAD
                                                           : STORE;
    int error = space_fault(&process->space, frame->value, access);
    if (error == -ENOMEM) print("no memory left for ");
    return error == 0;
}

static void exception_of_program(struct process *process, struct frame *frame) {
    if (frame->cause == CAUSE_CALL_FROM_U) {
        frame->pc += 4;
        interrupts_on();
        syscall(frame);
        interrupts_off();
        return;
    }
    bool page = frame->cause == CAUSE_FETCH_PAGE || frame->cause == CAUSE_LOAD_PAGE ||
                frame->cause == CAUSE_STORE_PAGE;
    if (page && page_fault_is_fine(process, frame)) return;
    print("process %d (%s): %s, address %lx, at pc %lx: killed\n", process->pid, process->name,
          cause_name(frame->cause), frame->value, frame->pc);
    interrupts_on();
    process_exit(-1);
}

static void exception_of_kernel(struct frame *frame) {
    panic("%s in the kernel, address %lx, at pc %lx, ra %lx, hart %d", cause_name(frame->cause),
          frame->value, frame->pc, frame->x[RA], this_hart()->index);
}

// Called by trap_entry on the emergency stack.
void stack_overflow(void) {
    panic("a kernel stack is full, at pc %lx, address %lx", trap_pc(), trap_value());
}

// Called by trap_entry, with interrupts off; returns with interrupts off.
void trap(struct frame *frame) {
    bool from_program = !(frame->status & STATUS_SPP);
    if (frame->cause & CAUSE_INTERRUPT) interrupt(frame->cause);
    else if (from_program) exception_of_program(this_hart()->current, frame);
    else exception_of_kernel(frame);
    if (from_program && is_killed(this_hart()->current)) {
        interrupts_on();
        process_exit(-1);
    }
    interrupts_off();
}
