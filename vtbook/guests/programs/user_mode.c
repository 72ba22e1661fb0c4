// A kernel of one page.  main() runs in M mode and goes down to U mode; user()
// gets back only by traps.  Some of them it wants (ecall asks for a service),
// some show what U mode may not do.

#include <machine.h>
#include <stdio.h>
#include <stdlib.h>

// ---- U mode ----

enum service { WRITE = 1, EXIT = 2 };  // in a7, as on Linux

static long ecall(enum service number, const void *argument) {
    register const void *a0 __asm__("a0") = argument;
    register long a7 __asm__("a7") = number;
    __asm__ volatile("ecall" : "+r"(a0) : "r"(a7) : "memory");
    return (long)a0;
}

static void user(void) {
    ecall(WRITE, "hello from U mode");

    ecall(WRITE, "reading mstatus, a register of M mode");
    csr_read(mstatus);

    ecall(WRITE, "executing mret, an instruction of M mode");
    __asm__ volatile("mret");

    ecall(WRITE, "loading from address 8, where nothing is");
    __asm__ volatile("ld t0, 8(zero)" ::: "t0");

    ecall(WRITE, "stopping at a breakpoint");
    __asm__ volatile("ebreak");

    ecall(EXIT, 0);
}

// ---- M mode ----

static int counts[16];

static void serve(struct trap_frame *frame) {
    switch (frame->x[17]) {
    case WRITE:
        printf("user: %s\n", (const char *)frame->x[10]);
        frame->x[10] = 0;
        break;
    case EXIT:
        for (int cause = 0; cause < 16; cause++)
            if (counts[cause]) printf("%2d x %s\n", counts[cause], cause_name((uint64_t)cause));
        exit((int)frame->x[10]);
    default:
        frame->x[10] = (uint64_t)-1;
    }
}

void trap_handler(struct trap_frame *frame) {
    if ((frame->status & MSTATUS_MPP) != 0 || frame->cause >= 16) {
        printf("trap in M mode: %s\n", cause_name(frame->cause));
        exit(1);
    }
    counts[frame->cause]++;
    if (frame->cause == CAUSE_ECALL_FROM_U)
        serve(frame);
    else
        printf("  trap: %s (mcause %lu)\n", cause_name(frame->cause), frame->cause);
    frame->pc += (uint64_t)instruction_length(frame->pc);
}

int main(void) {
    static char stack[4096] __attribute__((aligned(16)));
    puts("M mode: going down");
    enter_user_mode(user, stack + sizeof stack);
}
