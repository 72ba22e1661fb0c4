# The ways into the firmware, reset and trap, and the way out.

#include "firmware.h"

# Every hart comes here from the boot ROM, in machine mode, with
#   a0  its number, a1  the address of the device tree,
#   a2  the address of struct fw_dynamic_info, or anything.
# One hart, the first, sets up the board; the others sleep until it has.

        .section .text.start, "ax"
        .globl  _start
_start:
        csrw    mie, zero
        csrw    mscratch, zero
        la      t0, trap_entry
        csrw    mtvec, t0
        li      t0, MOST_HARTS
        bgeu    a0, t0, no_place
        la      sp, stacks
        addi    t0, a0, 1
        li      t1, STACK_SIZE
        mul     t0, t0, t1
        add     sp, sp, t0              # the end of this hart's stack

        la      t0, lottery
        li      t1, 1
        amoadd.w.aq t1, t1, (t0)
        bnez    t1, others

        la      t0, bss_start
        la      t1, bss_end
1:      bgeu    t0, t1, 2f
        sd      zero, 0(t0)
        addi    t0, t0, 8
        j       1b
2:      call    boot                    # never returns

others: li      t0, 1 << 3              # mie.MSIE: boot() wakes them by an interrupt
        csrw    mie, t0
        la      t0, board_is_ready
3:      lw      t1, 0(t0)
        bnez    t1, 4f
        wfi                             # not for ever, if it came since the lw
        j       3b
4:      fence   r, rw
        call    set_up_hart
        call    wait_to_be_started      # never returns

no_place:
        wfi
        j       no_place

        .data
        .balign 8
        .globl  lottery, board_is_ready
lottery:        .word 0                 # not in .bss: the winner clears that
board_is_ready: .word 0

# Every trap to machine mode comes here.  While a hart is in another mode, mscratch holds the end
# of its stack; while it is in the firmware, zero, so that a trap of the firmware itself is seen.
#
# handle_trap(frame, mcause, mtval) may change the frame, and what it left there is loaded again.

#define ALL_BUT_SP      1, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, \
                        18, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 29, 30, 31
#define FRAME_PC        256
#define FRAME_STATUS    264
#define FRAME_SIZE      272

        .text
        .balign 4
        .globl  trap_entry
trap_entry:
        csrrw   sp, mscratch, sp
        beqz    sp, trap_of_the_firmware
        addi    sp, sp, -FRAME_SIZE
        .irp    n, ALL_BUT_SP
        sd      x\n, 8*\n(sp)
        .endr
        csrrw   t0, mscratch, zero      # t0 = sp of who was interrupted
        sd      t0, 8*2(sp)
        csrr    t0, mepc
        sd      t0, FRAME_PC(sp)
        csrr    t0, mstatus
        sd      t0, FRAME_STATUS(sp)

        mv      a0, sp
        csrr    a1, mcause
        csrr    a2, mtval
        call    handle_trap

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

trap_of_the_firmware:
        csrrw   sp, mscratch, sp        # sp is the firmware's own again
        csrr    a0, mcause
        csrr    a1, mepc
        csrr    a2, mtval
        tail    firmware_trapped

# enter(hart, opaque, address, mode): leave the firmware.  a0 and a1 stay, all other registers
# become zero, so that nothing of ours can be seen.
        .globl  enter
enter:
        csrw    mepc, a2
        li      t0, 3 << 11             # mstatus.MPP, and MPIE in bit 7
        csrc    mstatus, t0
        li      t0, 1 << 7
        csrc    mstatus, t0
        slli    a3, a3, 11
        csrs    mstatus, a3

        la      t0, stacks              # the end of this hart's stack, as in _start
        addi    t1, a0, 1
        li      t2, STACK_SIZE
        mul     t1, t1, t2
        add     t0, t0, t1
        csrw    mscratch, t0
        .irp    n, 1, 2, 3, 4, 5, 6, 7, 8, 9, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21, 22, 23, \
                   24, 25, 26, 27, 28, 29, 30, 31
        li      x\n, 0
        .endr
        mret

        .section .stacks, "aw", @nobits
        .balign 16
stacks: .skip   MOST_HARTS * STACK_SIZE
