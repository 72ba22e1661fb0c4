"""A guest with a driver and a device that share a table of buffers and a ring of requests."""

from __future__ import annotations

from vtbook import Machine, assemble
from vtbook.machine.queues import Field, Layout, Pointer

SOURCE = """
# The driver takes the next of four buffers, fills its entry in the table, and puts its number
# into the ring. The device takes it out and answers in the table. Six requests, then the end.
    .text
_start:
        li   s0, 0              # requests made
    again:
        call submit
        andi t0, s0, 1
        bnez t0, skip           # the device comes after every second request
        call serve
        call serve
    skip:
        li   t0, 6
        bne  s0, t0, again
        call serve
        li   a0, 0x100000       # the test finisher
        li   a1, 0x5555
        sw   a1, 0(a0)

submit: andi t0, s0, 3          # buffer number
        la   t1, buffers
        slli t2, t0, 4
        add  t1, t1, t2
        li   t3, 512
        sw   t3, 0(t1)          # length asked for
        sw   zero, 4(t1)        # length answered
        la   t1, ring
        lw   t2, 0(t1)          # head
        andi t3, t2, 3
        slli t3, t3, 2
        add  t3, t3, t1
        sw   t0, 8(t3)          # the slot
        addi t2, t2, 1
        sw   t2, 0(t1)
        addi s0, s0, 1
        ret

serve:  la   t1, ring
        lw   t2, 4(t1)          # tail
        lw   t3, 0(t1)          # head
        beq  t2, t3, empty
        andi t3, t2, 3
        slli t3, t3, 2
        add  t3, t3, t1
        lw   t0, 8(t3)
        la   t4, buffers
        slli t5, t0, 4
        add  t4, t4, t5
        lw   t6, 0(t4)
        sw   t6, 4(t4)
        addi t2, t2, 1
        sw   t2, 4(t1)
    empty:
        ret

    .data
    .balign 16
buffers: .zero 64
ring:   .word 0, 0              # head, tail
        .word 0, 0, 0, 0        # the slots
"""

ACTORS = {"driver": "Driver", "device": "Device"}
WHO = {"submit": "driver", "serve": "device"}


def ring_machine() -> Machine:
    """The program, loaded."""
    machine = Machine(ram="1 MiB", engine="python")
    machine.load(assemble(SOURCE))
    return machine


def layouts(machine: Machine) -> list[Layout]:
    """Its table of buffers and its ring."""
    ring = machine.symbols["ring"]
    return [
        Layout(
            "buffers",
            "Buffers",
            "buffers",
            entries=4,
            stride=16,
            fields=[Field("asked", 0, 4), Field("answered", 4, 4)],
        ),
        Layout(
            "ring",
            "Request ring",
            ring + 8,
            entries=4,
            stride=4,
            fields=[Field("buffer", 0, 4)],
            pointers=[Pointer("tail", ring + 4, "device", 4), Pointer("head", ring, "driver", 4)],
            window=("tail", "head"),
            names=("buffer", "buffers"),
        ),
    ]
