// What the parts of the firmware share.  README.md says in which order to read them.

#ifndef FIRMWARE_H
#define FIRMWARE_H

#define MOST_HARTS 32
#define STACK_SIZE 4096 // bytes for each hart
#define FIRMWARE_SIZE 0x40000 // what PMP keeps for machine mode: a power of two; link.ld checks it
#define PAYLOAD_OFFSET 0x200000 // where the payload is, if nobody says

#ifndef __ASSEMBLER__

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

// ---- control and status registers (privileged specification, chapter 2) ----

// By number: assemblers of some age do not know all the names.
#define CSR_SSTATUS 0x100
#define CSR_SIE 0x104
#define CSR_STVEC 0x105
#define CSR_SCOUNTEREN 0x106
#define CSR_SSCRATCH 0x140
#define CSR_SEPC 0x141
#define CSR_SCAUSE 0x142
#define CSR_STVAL 0x143
#define CSR_STIMECMP 0x14d
#define CSR_SATP 0x180
#define CSR_MSTATUS 0x300
#define CSR_MISA 0x301
#define CSR_MEDELEG 0x302
#define CSR_MIDELEG 0x303
#define CSR_MIE 0x304
#define CSR_MTVEC 0x305
#define CSR_MCOUNTEREN 0x306
#define CSR_MENVCFG 0x30a
#define CSR_MSCRATCH 0x340
#define CSR_MEPC 0x341
#define CSR_MCAUSE 0x342
#define CSR_MTVAL 0x343
#define CSR_MIP 0x344
#define CSR_PMPCFG0 0x3a0
#define CSR_PMPADDR0 0x3b0
#define CSR_PMPADDR1 0x3b1
#define CSR_HSTATUS 0x600
#define CSR_HGATP 0x680
#define CSR_TIME 0xc01
#define CSR_MVENDORID 0xf11
#define CSR_MARCHID 0xf12
#define CSR_MIMPID 0xf13
#define CSR_MHARTID 0xf14

#define read_csr(csr)                                          \
    ({                                                         \
        uint64_t _value;                                       \
        asm volatile("csrr %0, %1" : "=r"(_value) : "i"(csr)); \
        _value;                                                \
    })
#define write_csr(csr, value) asm volatile("csrw %0, %1" ::"i"(csr), "r"((uint64_t)(value)))
#define set_csr(csr, bits) asm volatile("csrs %0, %1" ::"i"(csr), "r"((uint64_t)(bits)))
#define clear_csr(csr, bits) asm volatile("csrc %0, %1" ::"i"(csr), "r"((uint64_t)(bits)))

#define BIT(n) (1ul << (n))
#define MSTATUS_SPP BIT(8)
#define MSTATUS_SIE BIT(1)
#define MSTATUS_SPIE BIT(5)
#define MSTATUS_MPP_SHIFT 11
#define MSTATUS_MPP (3ul << MSTATUS_MPP_SHIFT)
#define MSTATUS_FS_INITIAL BIT(13)
#define MSTATUS_MPRV BIT(17)
#define MSTATUS_MXR BIT(19)
#define MSTATUS_MPV BIT(39)
#define MENVCFG_ADUE BIT(61) // hardware sets A and D in page tables
#define MENVCFG_PBMTE BIT(62)
#define MENVCFG_STCE BIT(63) // stimecmp (Sstc)
#define MENVCFG_CACHES (BIT(4) | BIT(5) | BIT(6) | BIT(7)) // cbo instructions below M mode

enum { USER, SUPERVISOR, MACHINE = 3 };

// Bits of mip and mie, numbers of interrupts in mcause.
enum { S_SOFT = 1, M_SOFT = 3, S_TIMER = 5, M_TIMER = 7, S_EXTERNAL = 9 };
#define S_INTERRUPTS (BIT(S_SOFT) | BIT(S_TIMER) | BIT(S_EXTERNAL))

static inline bool has_letter(char letter) { return read_csr(CSR_MISA) >> (letter - 'A') & 1; }

// Do one instruction that some harts lack, or that may fault; say whether it did not trap.
// `variable` has 64 bits; the instruction may read and write it as %[x].
// A trap goes on at label 1, with mepc, mcause and mstatus changed, but mstatus.MPRV as it was.
#define TRY(instruction, variable)                                    \
    ({                                                                \
        uint64_t _vector, _trapped;                                   \
        asm volatile("   la    %[vector], 1f\n"                       \
                     "   csrrw %[vector], mtvec, %[vector]\n"         \
                     "   li    %[trapped], 1\n"                       \
                     "   " instruction "\n"                           \
                     "   li    %[trapped], 0\n"                       \
                     "   .balign 4\n"                                 \
                     "1: csrw  mtvec, %[vector]\n"                    \
                     "   li    %[vector], 1 << 17\n"                  \
                     "   csrc  mstatus, %[vector]\n"                  \
                     : [x] "+r"(variable), [vector] "=&r"(_vector),   \
                       [trapped] "=&r"(_trapped)                      \
                     :                                                \
                     : "memory");                                     \
        !_trapped;                                                    \
    })
#define TEXT(name) #name
#define try_read(csr, variable) TRY("csrr %[x], " TEXT(csr), variable)
#define try_write(csr, variable) TRY("csrw " TEXT(csr) ", %[x]", variable)

// ---- the board, as the device tree tells (devicetree.c) ----

struct board {
    char model[64];
    uint64_t ram_base, ram_size;
    uint64_t uart, clint, finisher; // addresses; 0 if there is none
    uint64_t harts;                 // bit n: there is a hart n
    bool hardware_updates;          // the harts shall set A and D in page tables (Svadu)
    bool is_reserved;               // the tree says already that our memory is taken
};
extern struct board board;

bool read_device_tree(void *tree);
bool reserve_firmware(void *tree);

// ---- harts (hart.c) ----

// The states of the HSM extension.
enum { STARTED, STOPPED, START_PENDING, STOP_PENDING, SUSPENDED };

struct hart {
    int state;
    uint64_t start_address, opaque, mode; // where to go on, with what in a1, in which mode
    uint32_t pending;                     // what other harts ask for, see ipi.c
};
extern struct hart harts[MOST_HARTS];
extern bool has_stimecmp, has_time, has_protection; // the same for all harts

static inline int this_hart(void) { return read_csr(CSR_MHARTID); }
void set_up_hart(void);
int start_hart(uint64_t hart, uint64_t address, uint64_t opaque, uint64_t mode);
__attribute__((noreturn)) void wait_to_be_started(void);
__attribute__((noreturn)) void go(struct hart *self);
void sleep_until_interrupt(void);

// ---- reset and traps (entry.S, trap.c) ----

// What a trap leaves on the stack.
struct frame {
    uint64_t x[32]; // x[0] is not used
    uint64_t pc, status;
};
enum { A0 = 10, A1, A2, A3, A4, A5, A6, A7 };
void handle_trap(struct frame *frame, uint64_t cause, uint64_t value);
__attribute__((noreturn)) void enter(uint64_t hart, uint64_t opaque, uint64_t address,
                                     uint64_t mode);
extern char firmware_start[];
extern volatile uint32_t lottery, board_is_ready;

// ---- one hart to another (ipi.c) ----

enum { IPI_SOFT = 1, IPI_FENCE = 2 }; // bits of hart.pending
enum fence { FENCE_I, SFENCE_VMA, HFENCE_GVMA, HFENCE_VVMA };

void send_ipi(int hart, uint32_t what);
void handle_ipi(void);
void remote_fence(uint64_t targets, enum fence fence);
uint64_t read_time(void);
void set_timer(uint64_t when);
void handle_timer(void);

// In loops that wait for another hart: a hint that this one has nothing to do (Zihintpause; on
// harts without it, a fence).
static inline void pause(void) { asm volatile(".word 0x0100000f" ::: "memory"); }

typedef int lock;
void take(lock *lock);
void release(lock *lock);

// ---- console (console.c) ----

void console_start(void);
void put(const char *data, size_t size);
int get(void); // -1: nothing was typed
void print(const char *format, ...);
__attribute__((noreturn)) void panic(const char *format, ...);

// ---- the calls of supervisor mode (sbi.c) ----

void handle_call(struct frame *frame);
__attribute__((noreturn)) void power_off(bool failed);

// ---- strings (string.c) ----

void *memset(void *to, int byte, size_t size);
void *memmove(void *to, const void *from, size_t size);
void *memcpy(void *to, const void *from, size_t size);
int memcmp(const void *a, const void *b, size_t size);
size_t strlen(const char *text);
bool same(const char *a, const char *b);

#endif
#endif
