// Processes: the table, their lives, and who runs when.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "memory.h"
#include "trap.h"
#include "../shared/abi.h"

enum { MAX_PROCESSES = 64 };

// What switch_context in trap.S keeps.
struct context {
    uint64_t ra, sp, s[12];
};

//   FREE -> NEW -> READY <-> RUNNING -> ZOMBIE -> FREE
//                    ^-- SLEEPING <--'
enum state { FREE, NEW, READY, RUNNING, SLEEPING, ZOMBIE };

struct spinlock;
struct file;
struct inode;

struct process {
    // Under process_lock:
    enum state state;
    void *channel;  // what it sleeps for
    bool killed;    // it will exit when it next comes back from the kernel
    int status;     // of exit(), for wait()
    int pid;
    int group;  // what ctrl-C reaches together
    int hart;   // where it runs
    struct process *parent;
    struct process *next_ready;
    uint64_t ticks;
    char name[19];

    // Its own:
    uint64_t stack_top;
    struct frame *frame;  // of the trap that it is in
    struct context context;
    struct space space;
    struct file *files[MAX_FILES];
    struct inode *directory;
};

// vtbook/guests/kernel/inside.py reads the table from outside.
_Static_assert(sizeof(struct process) == 384, "inside.py: PROCESS_SIZE");
_Static_assert(offsetof(struct process, pid) == 24, "inside.py: PID");
_Static_assert(offsetof(struct process, ticks) == 56, "inside.py: TICKS");
_Static_assert(offsetof(struct process, name) == 64, "inside.py: NAME");
_Static_assert(offsetof(struct process, space) == 216, "inside.py: ROOT");

extern struct spinlock process_lock;
extern struct process processes[MAX_PROCESSES];

// ---- process.c ----
void start_first_process(void);
int process_fork(void);
void process_exit(int status) __attribute__((noreturn));
int process_wait(int *status);
int process_kill(int pid);
void kill_group(int group);
bool is_killed(struct process *process);
int list_processes(struct process_info *list, int count);
int count_processes(void);

// ---- schedule.c ----
void scheduler(void) __attribute__((noreturn));
void make_ready(struct process *process);
void leave_hart(void);
void yield(void);
void sleep_on(void *channel, struct spinlock *held);
void wake_up(void *channel);
void wake_sleepers(void *channel);  // the same with process_lock held
void wake(struct process *process);
void tick(void);
uint64_t ticks(void);
int sleep_ticks(uint64_t count);
extern uint64_t switches;

// A lock that is waited for asleep.  Its holder may sleep, too.
struct mutex {
    bool held;
};
void mutex_lock(struct mutex *mutex);
void mutex_unlock(struct mutex *mutex);

// ---- trap.S ----
void switch_context(struct context *from, struct context *to);
void leave_trap(struct frame *frame) __attribute__((noreturn));
