"""Traps and the way back, in both machines, as the privileged specification (3.1, 3.3) says."""

from __future__ import annotations

import pytest

from tests.cpu.twins import END, HANDLER, RAM, ROM, Twins
from vtbook.cpu.layout import BUDGET, UNHANDLED, WFI

MIE, MPIE, MPRV, FS = 1 << 3, 1 << 7, 1 << 17, 3 << 13


@pytest.fixture(scope="module")
def twins() -> Twins:
    return Twins()


CASES = [
    # code, mode, cause, tval; the second instruction traps
    ("ecall", 3, 11, 0),
    ("ecall", 0, 8, 0),
    ("ebreak", 3, 3, RAM + 4),
    (".word 0", 3, 2, 0),
    (".word 0xffffffff", 3, 2, 0xFFFFFFFF),
    ("mret", 0, 2, 0x30200073),
    ("wfi", 0, 2, 0x10500073),
    ("csrr a0, mhartid", 0, 2, 0xF1402573),
    ("lb a0, 0(a1)", 3, 5, END),
    ("ld a0, -4(a1)", 3, 5, END - 4),
    ("sd a0, -4(a1)", 3, 7, END - 4),
    ("sb a0, -8(a1)", 3, 7, END - 8),  # nobody writes there
    ("sd a0, -4(a2)", 3, 7, ROM - 4),  # half of it
    ("fld fa0, 0(zero)", 3, 5, 0),
    ("fsw fa0, -1(zero)", 3, 7, -1),
    ("lr.w a0, (a3)", 3, 4, RAM + 0x1002),
    ("lr.d a0, (a1)", 3, 5, END),
    ("sc.d a0, a1, (a3)", 3, 6, RAM + 0x1002),
    ("sc.w a0, a1, (a2)", 3, 7, ROM),
    ("amoadd.w a0, a1, (a3)", 3, 6, RAM + 0x1002),
    ("amoswap.d a0, a1, (a2)", 3, 7, ROM),
    ("jalr a0, (a1)", 3, 1, END),
    ("jr -2(zero)", 3, 1, -2),
]


@pytest.mark.parametrize(("code", "mode", "cause", "tval"), CASES, ids=[c[0] for c in CASES])
@pytest.mark.parametrize("enabled", [0, MIE])
def test_a_trap_says_what_where_and_from_which_mode(
    twins: Twins, code: str, mode: int, cause: int, tval: int, enabled: int
) -> None:
    twins.reset(
        f".option norvc\nnop\n{code}\n",
        mode=mode,
        mtvec=HANDLER,
        mstatus=FS | enabled,
        x10=5,
        x11=END,
        x12=ROM,
        x13=RAM + 0x1002,
    )
    jumps = code.startswith("j")
    stop = twins.run(3 if jumps else 2)
    h = twins.harts[1]
    if jumps:  # the jump retires, and the fetch at its target traps
        assert h.mepc == tval
    else:
        assert h.mepc == RAM + 4
        assert h.x[10] == 5
    assert (h.mcause, h.mtval) == (cause, tval)
    assert h.mode == 3
    assert h.mstatus == FS | mode << 11 | (MPIE if enabled else 0)
    # the handler's first instruction is 0: nothing more retires
    assert (stop.reason, h.pc) == (UNHANDLED, HANDLER)


@pytest.mark.parametrize("to", [0, 1, 3])
@pytest.mark.parametrize("mpie", [0, MPIE])
def test_mret_goes_back_to_the_mode_and_the_interrupts_of_before(
    twins: Twins, to: int, mpie: int
) -> None:
    """MPP becomes U, MPIE 1; MPRV is cleared where the new mode is not M (3.1.6.1, 3.1.6.3)."""
    twins.reset("mret\n", mstatus=FS | MPRV | to << 11 | mpie, mepc=RAM + 0x200)
    assert twins.run(1).reason == BUDGET
    h = twins.harts[1]
    keeps = MPRV if to == 3 else 0
    assert (h.mode, h.pc) == (to, RAM + 0x200)
    assert h.mstatus == FS | keeps | MPIE | (MIE if mpie else 0)


def test_exceptions_go_to_the_base_of_a_vectored_mtvec(twins: Twins) -> None:
    twins.reset("ecall\n", mtvec=HANDLER | 1)
    twins.write(HANDLER, b"\x01\x00")
    twins.run(1)
    assert twins.harts[1].pc == HANDLER + 2


def test_without_a_handler_the_trap_leaves_the_machine(twins: Twins) -> None:
    twins.reset("nop\necall\n", mtvec=0)
    stop = twins.run(10)
    assert (stop.reason, stop.executed, stop.trap.cause) == (UNHANDLED, 1, 11)
    assert (twins.harts[1].mode, twins.harts[1].mcause) == (3, 0)


@pytest.mark.parametrize("mtvec", [RAM, RAM + 4, END, 0xFFFF_FFFF_FFFF_FFFC - (1 << 64), 4, 1, ROM])
def test_a_trap_loop_ends(twins: Twins, mtvec: int) -> None:
    """The handler is the instruction that traps, or unmapped: nothing would ever retire again."""
    twins.reset(".option norvc\necall\n.word 0\n", mtvec=mtvec)
    for _ in range(3):
        stop = twins.run(1000)
        assert (stop.reason, stop.executed) == (UNHANDLED, 0)


def test_a_handler_that_traps_further_on_uses_up_the_budget(twins: Twins) -> None:
    twins.reset("ecall\n", mtvec=HANDLER)
    twins.write(HANDLER, "nop\necall\n")
    stop = twins.run(1001)
    assert (stop.reason, stop.executed) == (BUDGET, 1001)


def test_wfi_retires_and_leaves_the_machine(twins: Twins) -> None:
    twins.reset("nop\nwfi\nnop\n")
    stop = twins.run(10)
    assert (stop.reason, stop.executed) == (WFI, 2)
    assert twins.harts[1].pc == RAM + 8


def test_user_mode_calls_and_is_answered(twins: Twins) -> None:
    """M starts U by mret; U counts by calls; M's handler adds and returns, until it stops."""
    twins.reset(
        """
            la      t0, handler
            csrw    mtvec, t0
            la      t0, user
            csrw    mepc, t0
            li      t0, 0x1800
            csrc    mstatus, t0
            mret
        user:
            addi    a0, a0, 1
            ecall
            j       user
            .align  2
        handler:
            csrr    t1, mcause
            csrr    t2, mepc
            addi    t2, t2, 4
            csrw    mepc, t2
            add     a1, a1, t1
            li      t3, 800
            bge     a1, t3, done
            mret
        done:
            wfi
        """
    )
    stop = twins.run(10_000)
    assert stop.reason == WFI
    assert (twins.x[10], twins.x[11]) == (100, 800)


@pytest.mark.parametrize("trap_exits", [0, 1])
def test_a_trap_can_be_sent_out_instead(twins: Twins, trap_exits: int) -> None:
    twins.reset("nop\necall\n", mode=0, mtvec=HANDLER, trap_exits=trap_exits)
    twins.write(HANDLER, "nop\nnop\n")
    stop = twins.run(3)
    assert stop.reason == (UNHANDLED if trap_exits else BUDGET)
    assert twins.harts[1].pc == (RAM + 4 if trap_exits else HANDLER + 8)


@pytest.mark.parametrize("direct", [True, False])
def test_an_interrupt_is_taken_at_the_first_instruction_of_its_handler(
    twins: Twins, direct: bool
) -> None:
    """An exception there would come again and again; the interrupt is disabled by then."""
    vector = RAM + 0x100 + (0 if direct else 4)
    fields = {"mtvec": RAM + 0x100 + (not direct), "mie": 2, "mip": 2, "mstatus": MIE}
    twins.reset(at=RAM + 0x100, **fields)
    twins.write(RAM + 0x100, ".option norvc\n" + "addi a0, a0, 1\n" * 4)
    twins.set(pc=vector)
    stop = twins.run(2)
    assert (stop.reason, stop.executed, twins.x[10]) == (BUDGET, 2, 2)
    assert twins.harts[1].mcause == 1 - (1 << 63)
    assert twins.harts[1].mepc == vector


@pytest.mark.parametrize("spp", [0, 1])
@pytest.mark.parametrize("mode", [1, 3])
def test_sret_ends_what_mprv_lends(twins: Twins, spp: int, mode: int) -> None:
    """It never goes to M (3.1.6.3)."""
    twins.reset("sret\n", mstatus=MPRV | FS | spp << 8, sepc=RAM + 0x100, mode=mode)
    twins.run(1)
    assert not twins.harts[1].mstatus & MPRV
    assert twins.harts[1].mode == spp


@pytest.mark.parametrize("pending", range(1, 64))
@pytest.mark.parametrize("delegated", [0, 0x222])
def test_interrupts_come_in_the_order_of_the_specification(
    twins: Twins, pending: int, delegated: int
) -> None:
    """MEI, MSI, MTI, SEI, SSI, STI (3.1.9); those of M before those that S takes."""
    order = [11, 3, 7, 9, 1, 5]
    lines = sum(1 << cause for n, cause in enumerate(order) if pending >> n & 1)
    first = next(cause for n, cause in enumerate(order) if pending >> n & 1)
    fields = {"lines": lines, "mie": 0xAAA, "mideleg": delegated, "mstatus": 2}
    twins.reset("nop\n", mode=1, mtvec=HANDLER, stvec=HANDLER + 0x100, **fields)
    twins.write(HANDLER, "nop\n")
    twins.write(HANDLER + 0x100, "nop\n")
    twins.run(1)
    hart = twins.harts[1]
    by_s = bool(delegated >> first & 1)
    assert (hart.scause if by_s else hart.mcause) == first - (1 << 63)
    assert hart.mode == (1 if by_s else 3)
