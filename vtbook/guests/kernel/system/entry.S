# The first instructions of each hart, at their physical addresses: the MMU is
# off, while everything is linked KERNEL_OFFSET higher.  "la" makes addresses
# relative to the pc, so it gives physical ones here.
#
# boot_table is a root page table that is good enough to get up: entries of
# 1 GiB each.  The first of RAM at its physical address, then the devices and
# 4 GiB of RAM at their kernel addresses.
#   PTE: 53..10 physical page, 7 D, 6 A, 5 G, 4 U, 3 X, 2 W, 1 R, 0 V

#define KERNEL_OFFSET   0xffffffc000000000
#define STACK_SIZE      0x2000
#define RAM_ENTRY(n)    ((2 + n) << 28 | 0xcf)  /* n GiB into RAM: D A X W R V */
#define DEVICE_ENTRY    0xc7                    /* D A W R V */

# The firmware comes here on one hart: a0 = its number, a1 = the device tree's
# physical address.
        .section .text.entry, "ax"
        .globl entry
entry:
        la      t0, bss_start
        la      t1, bss_end
1:      sd      zero, 0(t0)             # both are multiples of 8, and differ
        addi    t0, t0, 8
        bltu    t0, t1, 1b
        la      sp, hart_stacks + 2 * STACK_SIZE
        la      s1, kernel_main
        j       go_up

# Other harts come here when the first one starts them: a0 = number, a1 = the
# top of a stack, a kernel address.  hart_main(number, stack)
        .globl  entry_of_others
entry_of_others:
        li      t0, KERNEL_OFFSET
        sub     sp, a1, t0
        la      s1, hart_main

go_up:
        la      t0, boot_table
        srli    t0, t0, 12
        li      t1, 8 << 60             # satp: Sv39
        or      t0, t0, t1
        sfence.vma
        csrw    satp, t0                # this code is still here, by the first entry
        sfence.vma
        li      t0, KERNEL_OFFSET
        add     sp, sp, t0
        add     s1, s1, t0
        li      fp, 0                   # a debugger's walk up the stack ends
        jalr    s1                      # never returns

        .data
        .balign 4096
boot_table:
        .skip   8 * 2
        .quad   RAM_ENTRY(0)
        .skip   8 * (256 - 3)
        .quad   DEVICE_ENTRY
        .skip   8
        .quad   RAM_ENTRY(0), RAM_ENTRY(1), RAM_ENTRY(2), RAM_ENTRY(3)
        .skip   8 * (256 - 6)

# Of each hart: a stack for an emergency, then the stack of its scheduler.  An
# address in the latter has bit 13 set, as in the stacks of processes; see trap.S.
        .section .stacks, "aw", @nobits
        .balign 2 * STACK_SIZE
        .globl  hart_stacks
hart_stacks:
        .skip   2 * STACK_SIZE * 8
