# The ways into the payload: from the firmware, by hart_start, by resuming, and by traps.

#define STACK 4096

        .section .text.start, "ax"
        .globl  _start
_start:                                 # a0 = hart, a1 = device tree
        la      t0, main
        j       with_stack

        .text
        .globl  started
        .balign 4
started:                                # a0 = hart, a1 = opaque
        la      t0, secondary
        j       with_stack

        .globl  resumed
        .balign 4
resumed:
        la      t0, after_resume
        j       with_stack

with_stack:
        la      t1, trap_entry
        csrw    stvec, t1
        la      sp, stacks
        addi    t1, a0, 1
        li      t2, STACK
        mul     t1, t1, t2
        add     sp, sp, t1
        mv      tp, a0                  # tp = number of the hart, everywhere
        jr      t0

# Traps save what C may change, on the stack that was in use.
        .balign 4
trap_entry:
        addi    sp, sp, -256
        .irp    n, 1, 5, 6, 7, 10, 11, 12, 13, 14, 15, 16, 17, 28, 29, 30, 31
        sd      x\n, 8*\n(sp)
        .endr
        call    trapped
        bnez    a0, leave_user
        .irp    n, 1, 5, 6, 7, 10, 11, 12, 13, 14, 15, 16, 17, 28, 29, 30, 31
        ld      x\n, 8*\n(sp)
        .endr
        addi    sp, sp, 256
        sret

# in_user(code): go on in user mode at `code` until it traps; returns the cause.
        .globl  in_user
in_user:
        addi    sp, sp, -256
        sd      ra, 0(sp)
        .irp    n, 8, 9, 18, 19, 20, 21, 22, 23, 24, 25, 26, 27
        sd      x\n, 8*\n(sp)
        .endr
        la      t0, user_stack
        sd      sp, 0(t0)
        csrw    sepc, a0
        li      t0, 1 << 8              # sstatus.SPP
        csrc    sstatus, t0
        addi    sp, sp, -512
        sret
leave_user:                             # a0 = the cause
        la      t0, user_stack
        ld      sp, 0(t0)
        sd      zero, 0(t0)
        ld      ra, 0(sp)
        .irp    n, 8, 9, 18, 19, 20, 21, 22, 23, 24, 25, 26, 27
        ld      x\n, 8*\n(sp)
        .endr
        addi    sp, sp, 256
        ret

        .globl  user_call, user_time, user_illegal
        .balign 4
user_call:      ecall
user_time:      rdtime a0
                ecall
user_illegal:   csrr a0, mstatus

        .bss
        .balign 16
stacks: .skip   STACK * 32
        .globl  user_stack
user_stack: .skip 8
