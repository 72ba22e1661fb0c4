# The way into the kernel and out again, and from one thread to another.
#
# sscratch says where a trap comes from: 0 while this hart runs the kernel; the
# top of the process's kernel stack while it runs a program.  All registers go
# into a struct frame (trap.h) on the kernel stack.  Interrupts are off from the
# trap until trap() turns them on.
#
# Kernel stacks are so placed that bit 13 of each address in them is set, and not
# set in the 8 KiB below.  So a stack that has no room left is noticed here.

#define FRAME_SP        (8 * 2)
#define FRAME_TP        (8 * 4)
#define FRAME_PC        256
#define FRAME_STATUS    264
#define FRAME_CAUSE     272
#define FRAME_VALUE     280
#define FRAME_HART      288     /* tp of the kernel, while a program runs */
#define FRAME_SIZE      304

#define STATUS_SPP      0x100

#define ALL_BUT_SP_AND_TP \
        1, 3, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, \
        18, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 29, 30, 31

        .text
        .globl  trap_entry
        .balign 4
trap_entry:
        csrrw   sp, sscratch, sp
        bnez    sp, 1f                  # from a program: sp = its kernel stack
        csrr    sp, sscratch            # from the kernel: on with the same stack,
        addi    sp, sp, -FRAME_SIZE
        srli    sp, sp, 13
        andi    sp, sp, 1
        beqz    sp, no_room             # if there is room on it
        csrr    sp, sscratch
1:      addi    sp, sp, -FRAME_SIZE
        .irp    n, ALL_BUT_SP_AND_TP
        sd      x\n, 8*\n(sp)
        .endr
        sd      tp, FRAME_TP(sp)
        csrrw   t0, sscratch, zero      # the sp that was interrupted
        sd      t0, FRAME_SP(sp)
        csrr    t0, sepc
        sd      t0, FRAME_PC(sp)
        csrr    t1, sstatus
        sd      t1, FRAME_STATUS(sp)
        csrr    t0, scause
        sd      t0, FRAME_CAUSE(sp)
        csrr    t0, stval
        sd      t0, FRAME_VALUE(sp)
        andi    t1, t1, STATUS_SPP
        bnez    t1, 2f
        ld      tp, FRAME_HART(sp)
2:      mv      a0, sp
        call    trap
        mv      a0, sp

# leave_trap(frame): go back to where the frame says; interrupts are off.  A new
# process begins here, too.
        .globl  leave_trap
leave_trap:
        mv      sp, a0
        ld      t0, FRAME_STATUS(sp)
        andi    t1, t0, STATUS_SPP
        bnez    t1, 3f                  # the kernel keeps its tp: it may have changed harts
        sd      tp, FRAME_HART(sp)
        ld      tp, FRAME_TP(sp)
        addi    t1, sp, FRAME_SIZE
        csrw    sscratch, t1
3:      csrw    sstatus, t0
        ld      t0, FRAME_PC(sp)
        csrw    sepc, t0
        .irp    n, ALL_BUT_SP_AND_TP
        ld      x\n, 8*\n(sp)
        .endr
        ld      sp, FRAME_SP(sp)
        sret

no_room:
        ld      sp, 0(tp)               # the first field of struct hart
        call    stack_overflow

# switch_context(from, to): keep what a C function must not lose in *from, take
# the same from *to, and return there.  struct context (process.h).
        .globl  switch_context
switch_context:
        sd      ra, 0(a0)
        sd      sp, 8(a0)
        sd      s0, 16(a0)
        sd      s1, 24(a0)
        sd      s2, 32(a0)
        sd      s3, 40(a0)
        sd      s4, 48(a0)
        sd      s5, 56(a0)
        sd      s6, 64(a0)
        sd      s7, 72(a0)
        sd      s8, 80(a0)
        sd      s9, 88(a0)
        sd      s10, 96(a0)
        sd      s11, 104(a0)
        ld      ra, 0(a1)
        ld      sp, 8(a1)
        ld      s0, 16(a1)
        ld      s1, 24(a1)
        ld      s2, 32(a1)
        ld      s3, 40(a1)
        ld      s4, 48(a1)
        ld      s5, 56(a1)
        ld      s6, 64(a1)
        ld      s7, 72(a1)
        ld      s8, 80(a1)
        ld      s9, 88(a1)
        ld      s10, 96(a1)
        ld      s11, 104(a1)
        ret
