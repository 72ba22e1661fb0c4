// From crt0.S to main(), and the ways a program ends.

#include <assert.h>
#include <machine.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

// ---- beginning: the arguments ----

// A bare machine has no command line.  Who loads the program may write one
// here first, words separated by spaces (vtbook.guests.with_arguments does it
// in the ELF file).
#define ARGUMENTS_SIZE 256
#define MOST_ARGUMENTS 16
char program_arguments[ARGUMENTS_SIZE] __attribute__((section(".data.arguments"))) = {0};

// This word is not for main(): it asks for the counters at the end.
#define COUNTERS "+counters"

int main(int argc, char **argv);

__attribute__((noreturn)) void run_main(void) {
    static char *argv[MOST_ARGUMENTS + 1] = {"program"};
    int argc = 1;
    int counters = 0;
    char *next = program_arguments;
    while (argc < MOST_ARGUMENTS) {
        while (*next == ' ') *next++ = 0;
        if (*next == 0) break;
        char *word = next;
        while (*next != ' ' && *next != 0) next++;
        if (*next == ' ') *next++ = 0;
        if (strcmp(word, COUNTERS) == 0)
            counters = 1;
        else
            argv[argc++] = word;
    }

    uint64_t cycles_before = cycles();
    uint64_t instructions_before = instructions();
    int code = main(argc, argv);
    uint64_t instructions_used = instructions() - instructions_before;
    uint64_t cycles_used = cycles() - cycles_before;
    if (counters) printf("main: %lu instructions, %lu cycles\n", instructions_used, cycles_used);
    exit(code);
}

// ---- end ----

void park(void);

// HTIF, the way of Spike: the host looks at this variable.  1 means success,
// 2 * code + 1 an exit code.
volatile uint64_t tohost __attribute__((section(".tohost"), aligned(64))) = 0;
volatile uint64_t fromhost __attribute__((section(".tohost"), aligned(64))) = 0;

// One of the two ends every machine we know: tohost Spike, the finisher
// QEMU, both our board.  Where the finisher is missing the store traps: sleep.
void shut_down(int code) {
    csr_write(mtvec, (uint64_t)park);
    tohost = (uint64_t)(uint32_t)code << 1 | 1;
    if (code == 0)
        write32(FINISHER, FINISHER_PASS);
    else
        write32(FINISHER, (uint32_t)code << 16 | FINISHER_FAIL);
    for (;;) park();
}

void exit(int code) { shut_down(code); }

void abort(void) {
    puts("abort");
    exit(134);
}

void assertion_failed(const char *condition, const char *file, int line) {
    printf("%s:%d: assertion failed: %s\n", file, line, condition);
    exit(134);
}

// ---- traps ----

const char *cause_name(uint64_t cause) {
    static const char *const names[] = {
        [CAUSE_FETCH_MISALIGNED] = "instruction address misaligned",
        [CAUSE_FETCH_ACCESS] = "instruction access fault",
        [CAUSE_ILLEGAL_INSTRUCTION] = "illegal instruction",
        [CAUSE_BREAKPOINT] = "breakpoint",
        [CAUSE_LOAD_MISALIGNED] = "load address misaligned",
        [CAUSE_LOAD_ACCESS] = "load access fault",
        [CAUSE_STORE_MISALIGNED] = "store address misaligned",
        [CAUSE_STORE_ACCESS] = "store access fault",
        [CAUSE_ECALL_FROM_U] = "environment call from U mode",
        [CAUSE_ECALL_FROM_S] = "environment call from S mode",
        [CAUSE_ECALL_FROM_M] = "environment call from M mode",
        [CAUSE_FETCH_PAGE_FAULT] = "instruction page fault",
        [CAUSE_LOAD_PAGE_FAULT] = "load page fault",
        [CAUSE_STORE_PAGE_FAULT] = "store page fault",
    };
    if (cause >> 63) return "interrupt";
    if (cause < sizeof names / sizeof *names && names[cause]) return names[cause];
    return "unknown cause";
}

int instruction_length(uint64_t pc) {
    // 32-bit instructions end in 11 (unprivileged specification, 1.5)
    return (*(const volatile uint16_t *)pc & 3) == 3 ? 4 : 2;
}

__attribute__((weak)) void trap_handler(struct trap_frame *frame) {
    static int reporting;  // the report itself may trap, where there is no console
    if (!reporting++)
        printf("unexpected trap: %s (mcause %lu) at pc %#lx, mtval %#lx, from %c mode\n",
               cause_name(frame->cause), frame->cause & ~(1UL << 63), frame->pc, frame->value,
               "US?M"[frame->status >> 11 & 3]);
    exit(128 + (int)(frame->cause & 63));
}

void enter_user_mode(void (*entry)(void), void *stack_top) {
    csr_clear(mstatus, MSTATUS_MPP);  // mret goes to U mode
    csr_write(mepc, (uint64_t)entry);
    __asm__ volatile("mv sp, %0\n\tmret" ::"r"(stack_top) : "memory");
    __builtin_unreachable();
}
