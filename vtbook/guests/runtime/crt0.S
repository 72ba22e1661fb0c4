# The first instructions of every C guest, and the way into its trap handler.
#
# The hart arrives at _start in M mode, with its number in a0, all other
# registers unknown and RAM holding the loaded segments of the ELF file.
# C code needs four things before it can run: a stack (sp), the address around
# which small variables are found (gp), zeros in .bss, and somewhere for a trap
# to go.  run_main() in system.c does the rest.

        .section .text.start, "ax"
        .globl _start
_start:
        bnez    a0, park                # one hart runs the program, the others sleep

        .option push
        .option norelax                 # gp cannot be used to load gp
        la      gp, __global_pointer$
        .option pop
        la      sp, stack_top

        la      t0, bss_start
        la      t1, bss_end
1:      bgeu    t0, t1, 2f              # both are multiples of 8: see link.ld
        sd      zero, 0(t0)
        addi    t0, t0, 8
        j       1b
2:
        # Some harts lack the registers below and would trap.  Until the end of
        # this part a trap only goes on after it.

        la      t0, 3f
        csrw    mtvec, t0
        li      t0, -1                  # U mode may touch all of memory:
        csrw    pmpaddr0, t0            #   one region with every address in it,
        li      t0, 0x1f                #   NAPOT, executable, writable, readable
        csrw    pmpcfg0, t0
        .align  2
3:      la      t0, 4f
        csrw    mtvec, t0
        li      t0, -1                  # U mode may read cycle, time and instret
        csrw    mcounteren, t0
        .align  2
4:
        la      t0, trap_entry
        csrw    mtvec, t0
        la      t0, trap_stack_top
        csrw    mscratch, t0
#ifdef __riscv_flen
        li      t0, 1 << 13             # mstatus.FS = initial: f registers may be used
        csrs    mstatus, t0
        csrw    fcsr, zero              # round to nearest even, no flag set
#endif
        call    run_main                # never returns

        .globl park
        .align  2                       # mtvec may point here: see shut_down()
park:
        wfi
        j       park

# Every trap arrives here, from M mode and from U mode.
#
# mscratch holds the top of a stack that only traps use: the sp of whoever was
# interrupted may be that of a user program, or broken.  The registers go into
# a struct trap_frame (machine.h) on that stack; trap_handler(frame) may change
# it, and what it left there is loaded again.  While the handler runs, mscratch
# lies HANDLER_ROOM below the frame: a trap inside the handler finds room there,
# three deep.  The f registers are not saved: a handler that returns must not
# use floating point.

#define ALL_BUT_SP      1, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, \
                        18, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 29, 30, 31

#define FRAME_PC        256
#define FRAME_CAUSE     264
#define FRAME_VALUE     272
#define FRAME_STATUS    280
#define FRAME_SIZE      288
#define HANDLER_ROOM    4096            /* bytes of stack for a handler */

        .text
        .globl  trap_entry
        .align  2
trap_entry:
        csrrw   sp, mscratch, sp
        addi    sp, sp, -FRAME_SIZE
        .irp    n, ALL_BUT_SP
        sd      x\n, 8*\n(sp)
        .endr
        sd      zero, 0(sp)
        li      t1, HANDLER_ROOM
        sub     t1, sp, t1
        csrrw   t0, mscratch, t1        # t0 = sp of the interrupted code
        sd      t0, 8*2(sp)
        csrr    t0, mepc
        sd      t0, FRAME_PC(sp)
        csrr    t0, mcause
        sd      t0, FRAME_CAUSE(sp)
        csrr    t0, mtval
        sd      t0, FRAME_VALUE(sp)
        csrr    t0, mstatus
        sd      t0, FRAME_STATUS(sp)

        .option push
        .option norelax                 # U-mode code may have changed gp
        la      gp, __global_pointer$
        .option pop
        mv      a0, sp
        call    trap_handler

        ld      t0, FRAME_PC(sp)
        csrw    mepc, t0
        ld      t0, FRAME_STATUS(sp)
        csrw    mstatus, t0
        addi    t0, sp, FRAME_SIZE      # the stack is empty again
        csrw    mscratch, t0
        .irp    n, ALL_BUT_SP
        ld      x\n, 8*\n(sp)
        .endr
        ld      sp, 8*2(sp)
        mret

        .section .stacks, "aw", @nobits
        .align  4
stack:
        .skip   64 * 1024
stack_top:
        .skip   16 * 1024
trap_stack_top:
