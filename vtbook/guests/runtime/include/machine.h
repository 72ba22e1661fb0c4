// What C code must know of the machine under it: the board's addresses, the
// control and status registers, and the frame that a trap leaves.

#ifndef MACHINE_H
#define MACHINE_H

#include <stdint.h>

// ---- the board, laid out as QEMU's "virt" ----

#define UART0 0x10000000UL     // 16550 serial port: the console
#define FINISHER 0x00100000UL  // writing here ends the machine

#define UART_DATA 0    // read: byte received; write: byte to send
#define UART_STATUS 5  // line status register:
#define UART_RECEIVED 0x01  //   bit 0: UART_DATA holds a byte
#define UART_CAN_SEND 0x20  //   bit 5: UART_DATA takes a byte

#define FINISHER_PASS 0x5555   // power off
#define FINISHER_FAIL 0x3333   // power off; exit code in the upper 16 bits
#define FINISHER_RESET 0x7777

static inline uint8_t read8(uint64_t address) { return *(volatile uint8_t *)address; }
static inline void write8(uint64_t address, uint8_t value) {
    *(volatile uint8_t *)address = value;
}
static inline void write32(uint64_t address, uint32_t value) {
    *(volatile uint32_t *)address = value;
}

void uart_put(char c);  // waits until the byte is taken
int uart_get(void);     // -1 if no byte has come

// ---- control and status registers (privileged specification, chapter 2) ----

#define csr_read(name)                                        \
    ({                                                        \
        uint64_t value_;                                      \
        __asm__ volatile("csrr %0, " #name : "=r"(value_));   \
        value_;                                               \
    })
#define csr_write(name, value) __asm__ volatile("csrw " #name ", %0" ::"r"((uint64_t)(value)))
#define csr_set(name, bits) __asm__ volatile("csrs " #name ", %0" ::"r"((uint64_t)(bits)))
#define csr_clear(name, bits) __asm__ volatile("csrc " #name ", %0" ::"r"((uint64_t)(bits)))

static inline uint64_t cycles(void) { return csr_read(cycle); }
static inline uint64_t instructions(void) { return csr_read(instret); }

#define MSTATUS_MPP (3UL << 11)  // the mode that mret returns to: 0 = U, 1 = S, 3 = M
#define MSTATUS_MPIE (1UL << 7)
#define MSTATUS_FS (3UL << 13)

enum cause {  // mcause of exceptions
    CAUSE_FETCH_MISALIGNED = 0,
    CAUSE_FETCH_ACCESS = 1,
    CAUSE_ILLEGAL_INSTRUCTION = 2,
    CAUSE_BREAKPOINT = 3,
    CAUSE_LOAD_MISALIGNED = 4,
    CAUSE_LOAD_ACCESS = 5,
    CAUSE_STORE_MISALIGNED = 6,
    CAUSE_STORE_ACCESS = 7,
    CAUSE_ECALL_FROM_U = 8,
    CAUSE_ECALL_FROM_S = 9,
    CAUSE_ECALL_FROM_M = 11,
    CAUSE_FETCH_PAGE_FAULT = 12,
    CAUSE_LOAD_PAGE_FAULT = 13,
    CAUSE_STORE_PAGE_FAULT = 15,
};

// ---- traps ----

// The interrupted code's state, saved by trap_entry in crt0.S.
struct trap_frame {
    uint64_t x[32];   // x[0] is always 0
    uint64_t pc;      // mepc: the instruction that trapped; where to go on
    uint64_t cause;   // mcause
    uint64_t value;   // mtval: bad address, or bits of the bad instruction, or 0
    uint64_t status;  // mstatus: MPP is the mode the trap came from
};

// Called at every trap.  The runtime's own version reports the trap and ends
// the program with exit code 128 + cause; a program may define another one.
// When it returns, the hart goes on from *frame.
void trap_handler(struct trap_frame *frame);

const char *cause_name(uint64_t cause);
int instruction_length(uint64_t pc);  // in bytes: 2 or 4

// Go to U mode at entry, with an empty stack that ends at stack_top.  The way
// back is a trap.
__attribute__((noreturn)) void enter_user_mode(void (*entry)(void), void *stack_top);

// End the machine: 0 is success, as in exit(), which calls this.
__attribute__((noreturn)) void shut_down(int code);

#endif
