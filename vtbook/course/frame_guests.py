"""Two guests of chapter 02 that speak Ethernet: one asks for an address by ARP, one answers.

Each drives a virtio network card in slot 0 with a queue for receiving and one for sending, four
descriptors each (virtio 1.2, 4.2 and 5.1). They poll: there is no interrupt. A frame in memory
begins 12 bytes after `inbox` and `outbox`: before it is virtio's own header.
"""

_DRIVER = """
        .equ    NET, 0x10001000         # the first virtio slot
_start: li      s0, NET
        sw      zero, 0x70(s0)          # Status: reset
        li      t0, 3
        sw      t0, 0x70(s0)            # Status: I have seen you, I can drive you
        li      t0, 1
        sw      t0, 0x24(s0)            # of the upper 32 features
        sw      t0, 0x20(s0)            # VERSION_1 is wanted
        li      t0, 11
        sw      t0, 0x70(s0)            # Status: these are my features
        li      a0, 0
        la      a1, receive
        jal     set_up
        li      a0, 1
        la      a1, transmit
        jal     set_up
        li      t0, 15
        sw      t0, 0x70(s0)            # Status: go
        j       main

set_up: sw      a0, 0x30(s0)            # QueueSel
        li      t0, 4
        sw      t0, 0x38(s0)            # QueueNum
        sw      a1, 0x80(s0)            # where the descriptors are
        addi    t1, a1, 64
        sw      t1, 0x90(s0)            # the available ring
        addi    t1, a1, 80
        sw      t1, 0xa0(s0)            # the used ring
        li      t0, 1
        sw      t0, 0x44(s0)            # QueueReady
        ret

send:   la      t0, transmit
        li      t1, 1
        sh      t1, 66(t0)              # the available ring has one entry now
        fence
        sw      t1, 0x50(s0)            # QueueNotify: queue 1
        ret

wait:   la      t0, receive
1:      lhu     t1, 82(t0)              # index of the used ring
        beqz    t1, 1b
        ret

off:    li      t0, 0x100000
        li      t1, 0x5555
        sw      t1, 0(t0)

        .data
        .balign 16
receive: .dword inbox                   # descriptor 0: the device writes here
        .word   1526
        .half   2, 0
        .zero   48
        .half   0, 1, 0                 # available: descriptor 0
        .zero   10
        .zero   40
        .balign 16
transmit: .dword outbox                 # descriptor 0: the device reads here
        .word   54
        .half   0, 0
        .zero   48
        .half   0, 0, 0
        .zero   10
        .zero   40
        .balign 16
inbox:  .zero   1536
        .balign 16
outbox: .zero   12                      # virtio's header
        {frame}
        .text
"""

ASKING = (
    _DRIVER.format(
        frame="""
        .byte   0xff, 0xff, 0xff, 0xff, 0xff, 0xff      # to everybody
mac:    .byte   0x52, 0x54, 0x00, 0x12, 0x34, 0x56      # from me
        .byte   8, 6, 0, 1, 8, 0, 6, 4, 0, 1            # ARP, Ethernet and IPv4: a request
        .byte   0x52, 0x54, 0x00, 0x12, 0x34, 0x56, 10, 0, 2, 15
        .byte   0, 0, 0, 0, 0, 0
asked:  .byte   10, 0, 2, 2                             # who has this?
"""
    )
    + """
main:   jal     send
        jal     wait
        j       off
"""
)
"""Asks who has 10.0.2.2, waits for one frame, and switches off."""

ANSWERING = (
    _DRIVER.format(
        frame="""
        .zero   6
mac:    .byte   0x52, 0x54, 0x00, 0x12, 0x34, 0x99
        .byte   8, 6, 0, 1, 8, 0, 6, 4, 0, 2            # ARP: a reply
        .byte   0x52, 0x54, 0x00, 0x12, 0x34, 0x99
        .zero   14
"""
    )
    + """
main:   jal     wait
        la      s1, inbox + 12
        la      s2, outbox + 12
        addi    a0, s2, 0               # to whom? to the sender
        addi    a1, s1, 6
        li      a2, 6
        jal     copy
        addi    a0, s2, 28              # my address is the one that was asked for
        addi    a1, s1, 38
        li      a2, 4
        jal     copy
        addi    a0, s2, 32              # the asker's addresses
        addi    a1, s1, 22
        li      a2, 10
        jal     copy
        jal     send
        j       off

copy:   lbu     t0, 0(a1)
        sb      t0, 0(a0)
        addi    a0, a0, 1
        addi    a1, a1, 1
        addi    a2, a2, -1
        bnez    a2, copy
        ret
"""
)
"""Waits for one ARP request, whatever address it asks for, says "that is me", and switches off."""
