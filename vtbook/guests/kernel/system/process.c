// The lives of processes: fork, exit, wait, kill.

#include "process.h"

#include "fs.h"
#include "hart.h"
#include "print.h"
#include "riscv.h"
#include "../shared/bytes.h"

struct process processes[MAX_PROCESSES];

static struct process *first_process;
static int last_pid;

struct process *current_process(void) {
    bool were_on = interrupts_are_on();
    interrupts_off();
    struct process *process = this_hart()->current;
    if (were_on) interrupts_on();
    return process;
}

// Go to the program, with the registers of the process's frame.
static void enter_program(void) {
    interrupts_off();
    leave_trap(current_process()->frame);
}

// A new process first runs here.  The scheduler holds process_lock.
static void begin(void) {
    unlock(&process_lock);
    enter_program();
}

static struct process *take_free_place(void) {
    struct process *found = NULL;
    lock(&process_lock);
    for (struct process *p = processes; p < &processes[MAX_PROCESSES] && !found; p++)
        if (p->state == FREE) found = p;
    if (found) {
        *found = (struct process){.state = NEW, .pid = ++last_pid, .hart = -1};
    }
    unlock(&process_lock);
    return found;
}

static void give_back_place(struct process *process) {
    lock(&process_lock);
    process->state = FREE;
    unlock(&process_lock);
}

// A process with a kernel stack, and a frame at its top.
static struct process *process_new(void (*start)(void)) {
    struct process *process = take_free_place();
    if (!process) return NULL;
    process->stack_top = STACKS_BASE + (uint64_t)(process - processes + 1) * STACK_STRIDE;
    if (!map_kernel_stack(process->stack_top)) {
        give_back_place(process);
        return NULL;
    }
    process->frame = (struct frame *)process->stack_top - 1;
    process->context = (struct context){.ra = (uint64_t)start, .sp = (uint64_t)process->frame};
    return process;
}

// The first process has no parent; exec makes init of it.
static void begin_first(void) {
    unlock(&process_lock);
    interrupts_on();
    become_init();
    enter_program();
}

void start_first_process(void) {
    first_process = process_new(begin_first);
    if (!first_process || !space_new(&first_process->space)) panic("no memory for init");
    lock(&process_lock);
    make_ready(first_process);
    unlock(&process_lock);
}

// Make a copy of this process.  The copy returns from the same system call, with 0.
int process_fork(void) {
    struct process *parent = current_process();
    struct process *child = process_new(begin);
    if (!child) return -EAGAIN;
    if (!space_copy(&parent->space, &child->space)) {
        give_back_place(child);
        return -ENOMEM;
    }
    *child->frame = *parent->frame;
    child->frame->x[A0] = 0;
    for (int i = 0; i < MAX_FILES; i++)
        if (parent->files[i]) child->files[i] = file_share(parent->files[i]);
    child->directory = inode_share(parent->directory);
    memcpy(child->name, parent->name, sizeof child->name);
    child->group = parent->group;
    child->parent = parent;
    int pid = child->pid;
    lock(&process_lock);
    make_ready(child);
    unlock(&process_lock);
    return pid;
}

// End this process.  Its memory and files go at once; its place in the table stays
// until the parent asks for the status.  Children go to init.
void process_exit(int status) {
    struct process *process = current_process();
    if (process == first_process) panic("init ended with status %d", status);
    for (int i = 0; i < MAX_FILES; i++)
        if (process->files[i]) file_close(process->files[i]);
    fs_begin();
    inode_drop(process->directory);
    fs_end();
    lock(&process_lock);
    struct hart *hart = this_hart();
    hart->page_table = kernel_table_root();  // off the table that goes away now
    load_page_table(hart->page_table);
    space_free(&process->space);
    for (struct process *p = processes; p < &processes[MAX_PROCESSES]; p++)
        if (p->state != FREE && p->parent == process) p->parent = first_process;
    process->status = status;
    process->state = ZOMBIE;
    wake_sleepers(first_process);
    if (process->parent != first_process) wake_sleepers(process->parent);
    leave_hart();
    panic("a dead process runs");
}

// Wait for a child that has ended: its pid, or -ECHILD or -EINTR.
int process_wait(int *status) {
    struct process *process = current_process();
    int result = 0;
    lock(&process_lock);
    while (result == 0) {
        bool any = false;
        for (struct process *p = processes; p < &processes[MAX_PROCESSES] && !result; p++) {
            if (p->state == FREE || p->parent != process) continue;
            any = true;
            if (p->state != ZOMBIE) continue;
            *status = p->status;
            result = p->pid;
            p->state = FREE;
        }
        if (result) break;
        if (!any) result = -ECHILD;
        else if (process->killed) result = -EINTR;
        else sleep_on(process, &process_lock);
    }
    unlock(&process_lock);
    return result;
}

// ---- killing ----

// The victim ends itself on its way out of the kernel, where it holds nothing.
static void mark_killed(struct process *process) {
    if (process == first_process) return;
    process->killed = true;
    wake(process);
}

int process_kill(int pid) {
    int result = -ESRCH;
    lock(&process_lock);
    for (struct process *p = processes; p < &processes[MAX_PROCESSES]; p++) {
        if (p->state == FREE || p->state == NEW || p->pid != pid) continue;
        mark_killed(p);
        result = 0;
    }
    unlock(&process_lock);
    return result;
}

void kill_group(int group) {
    lock(&process_lock);
    for (struct process *p = processes; p < &processes[MAX_PROCESSES]; p++)
        if (p->state != FREE && p->state != NEW && p->group == group) mark_killed(p);
    unlock(&process_lock);
}

bool is_killed(struct process *process) {
    return __atomic_load_n(&process->killed, __ATOMIC_RELAXED);
}

// ---- for ps and free ----

static void describe(struct process *process, struct process_info *info) {
    *info = (struct process_info){
        .pid = process->pid,
        .parent = process->parent ? process->parent->pid : 0,
        .hart = process->state == RUNNING ? process->hart : -1,
        .state = "??rRSZ"[process->state],
        .ticks = process->ticks,
        .pages = process->space.pages,
    };
    memcpy(info->name, process->name, sizeof info->name);
}

int list_processes(struct process_info *list, int count) {
    int found = 0;
    lock(&process_lock);
    for (struct process *p = processes; p < &processes[MAX_PROCESSES] && found < count; p++)
        if (p->state != FREE && p->state != NEW) describe(p, &list[found++]);
    unlock(&process_lock);
    return found;
}

int count_processes(void) {
    int found = 0;
    lock(&process_lock);
    for (struct process *p = processes; p < &processes[MAX_PROCESSES]; p++)
        found += p->state != FREE;
    unlock(&process_lock);
    return found;
}
