// The RISC-V Supervisor Binary Interface, version 0.2 and later: an ecall with
// the extension in a7, the function in a6 and arguments in a0..a2.  It comes
// back with an error in a0 (0: none) and a value in a1.

#include "sbi.h"

#include "riscv.h"

enum {
    SBI_PUTCHAR = 1,           // of version 0.1, still there everywhere
    SBI_TIME = 0x54494d45,     // "TIME"
    SBI_IPI = 0x735049,        // "sPI"
    SBI_FENCE = 0x52464e43,    // "RFNC": fences on other harts
    SBI_HSM = 0x48534d,        // "HSM": hart state management
    SBI_RESET = 0x53525354,    // "SRST"
    SBI_CONSOLE = 0x4442434e,  // "DBCN", since version 2.0
};

struct answer {
    long error, value;
};

static struct answer call(long extension, long function, uint64_t a, uint64_t b, uint64_t c) {
    register uint64_t a0 __asm__("a0") = a;
    register uint64_t a1 __asm__("a1") = b;
    register uint64_t a2 __asm__("a2") = c;
    register long a6 __asm__("a6") = function;
    register long a7 __asm__("a7") = extension;
    __asm__ volatile("ecall" : "+r"(a0), "+r"(a1) : "r"(a2), "r"(a6), "r"(a7) : "memory");
    return (struct answer){(long)a0, (long)a1};
}

// A timer interrupt comes when the clock reaches `time`; the call also takes
// back one that is pending.
void sbi_set_timer(uint64_t time) { call(SBI_TIME, 0, time, 0, 0); }

// The second argument moves the mask: bit 0 means the hart with that number.
void sbi_send_interrupt(uint64_t hart_id) { call(SBI_IPI, 0, 1, hart_id, 0); }

bool sbi_start_hart(uint64_t hart_id, uint64_t physical_entry, uint64_t argument) {
    return call(SBI_HSM, 0, hart_id, physical_entry, argument).error == 0;
}

// fence.i on all harts (mask base -1).
void sbi_flush_instructions(void) { call(SBI_FENCE, 0, 0, (uint64_t)-1, 0); }

void sbi_put(char c) {
    if (call(SBI_CONSOLE, 2, (uint8_t)c, 0, 0).error != 0) call(SBI_PUTCHAR, 0, (uint8_t)c, 0, 0);
}

// Type 0 is power-off; reason 1 is "system failure".
void sbi_shutdown(bool failed) {
    call(SBI_RESET, 0, 0, failed, 0);
    interrupts_off();
    for (;;) wait_for_interrupt();
}
