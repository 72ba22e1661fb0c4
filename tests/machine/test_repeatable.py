"""Runs of whole computers repeat: in other slices, after going back, from a file, on plain Python.

Schedules are random; ``VTBOOK_FUZZ=20`` tries twenty times as many.
"""

from __future__ import annotations

import functools
import os
from typing import NamedTuple

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from vtbook import Board, Disk, Machine, Nic
from vtbook.devices.network import Switch
from vtbook.guests.kernel import disk_image, kernel_image
from vtbook.machine import Snapshot

FUZZ = int(os.environ.get("VTBOOK_FUZZ", "1"))
LINES = ["ls\n", "echo words > f; cat f\n", "ps\n", "x", "\x7f", "cat README | wc\n", "sleep 1\n"]
FRAME = bytes.fromhex("ffffffffffff 020000000001 0806") + bytes(46)
ARP = bytes.fromhex(
    "ffffffffffff 52550a000202 0806 0001 0800 06 04 000152550a000202 0a000202 000000000000 0a00020f"
).ljust(60, b"\0")


class Action(NamedTuple):
    """What is done to the machine, and with what."""

    what: str
    value: int = 0
    data: bytes = b""


ACTIONS = st.one_of(
    st.builds(Action, st.just("run"), st.integers(1, 60_000)),
    st.builds(Action, st.just("run"), st.integers(1, 40)),
    st.builds(Action, st.just("until"), st.integers(1, 200_000), st.sampled_from([b"$ ", b"w"])),
    st.builds(Action, st.just("type"), st.just(0), st.sampled_from(LINES).map(str.encode)),
    st.builds(Action, st.just("frame"), st.just(0), st.sampled_from([FRAME, ARP])),
    st.builds(Action, st.just("step"), st.integers(1, 4)),
)
SCHEDULES = st.lists(ACTIONS, min_size=2, max_size=12)
HARTS = st.integers(1, 4)
many = functools.partial(
    settings, deadline=None, suppress_health_check=list(HealthCheck), derandomize=FUZZ == 1
)


def computer(harts: int, engine: str = "interpreter") -> Machine:
    """A computer of the teaching kernel, with a disk and a network of its own."""
    return Machine(
        Board(harts=harts, ram="16 MiB", disks=[Disk(size=disk_image())], nics=[Nic()]), engine
    )


@functools.cache
def at_shell(harts: int) -> Snapshot:
    """The kernel's shell has written its first prompt."""
    made = computer(harts)
    made.boot(kernel_image())
    assert made.run(500_000_000, until_output="$ ").reason == "output"
    return made.snapshot()


def at_prompt(harts: int, engine: str = "interpreter") -> Machine:
    made = computer(harts, engine)
    made.restore(at_shell(harts))
    return made


def act(made: Machine, action: Action, slice: int | None = None) -> None:
    """Do it; a run of so many instructions in pieces of `slice`, if one is given."""
    if action.what == "type":
        made.console.feed(action.data)
    elif action.what == "frame":
        made.board.ports["net0"].receive(action.data)
    elif action.what == "step":
        if slice is None:
            made.step(action.value)
        else:
            for _ in range(action.value):
                made.step()
    elif action.what == "until":
        made.run(action.value, until_output=action.data)
    elif slice is None:
        made.run(action.value)
    else:
        left = action.value
        while left > 0:
            left -= (exit := made.run(min(slice, left))).instructions
            assert exit.reason == "budget"


@many(max_examples=8 * FUZZ)
@given(HARTS, SCHEDULES, st.sampled_from([1, 7, 1000, 9999]))
def test_other_slices_give_the_same(harts: int, schedule: list[Action], slice: int) -> None:
    one, other = at_prompt(harts), at_prompt(harts)
    other.slice = slice
    for action in schedule:
        small = action.what == "run" and action.value > 2000 and slice < 100
        act(one, action)
        act(other, action, 2000 if small else slice)
        assert one.instructions == other.instructions
        assert one.snapshot().digest == other.snapshot().digest, action
    one.close()
    other.close()


@many(max_examples=8 * FUZZ)
@given(HARTS, SCHEDULES, st.data())
def test_going_back_and_on_again_gives_the_same(
    harts: int, schedule: list[Action], data: st.DataObject
) -> None:
    made = at_prompt(harts)
    states = []
    for action in schedule:
        act(made, action)
        states.append((made.instructions, made.snapshot().digest))
        if data.draw(st.booleans(), "checkpoint here"):
            made.history._add(fixed=False)
    number = data.draw(st.integers(0, len(schedule) - 1), "back to after action")
    place = states[number][0]
    made.go_to(place)
    # what was typed at this count is part of it: the state is that after the last such action
    same = [n for n, (count, _) in enumerate(states) if count == place]
    assert made.snapshot().digest in {states[n][1] for n in same}
    if made.snapshot().digest == states[same[-1]][1]:
        for n, action in enumerate(schedule[same[-1] + 1 :], same[-1] + 1):
            act(made, action)
            assert made.snapshot().digest == states[n][1], action
    made.close()


@many(max_examples=6 * FUZZ)
@given(HARTS, SCHEDULES, st.integers(0, 11))
def test_a_file_goes_on_as_the_machine_did(
    tmp_path_factory: pytest.TempPathFactory, harts: int, schedule: list[Action], at: int
) -> None:
    made = at_prompt(harts)
    path = tmp_path_factory.getbasetemp() / "state"
    at %= len(schedule)
    for action in schedule[:at]:
        act(made, action)
    made.snapshot().save(path)
    other = computer(harts)
    other.restore(Snapshot.load(path))
    for action in schedule[at:]:
        act(made, action)
        act(other, action)
        assert made.snapshot().digest == other.snapshot().digest, action
    made.close()
    other.close()


@pytest.mark.parametrize("harts", [1, 3])
def test_plain_python_goes_on_as_compiled_code_does(harts: int) -> None:
    digests = []
    for engine in ("interpreter", "python"):
        made = at_prompt(harts, engine)
        made.console.feed("echo words > f; cat f\n")
        made.run(9_000)
        made.board.ports["net0"].receive(ARP)
        made.run(9_000)
        digests.append(made.snapshot().digest)
        made.close()
    assert digests[0] == digests[1]


def test_two_machines_on_one_switch_repeat() -> None:
    digests = set()
    for _ in range(2):
        switch = Switch()
        both = []
        for number in range(2):
            made = Machine(
                Board(
                    harts=1 + number,
                    ram="16 MiB",
                    disks=[Disk(size=disk_image())],
                    nics=[Nic(switch=switch, mac=f"52:54:00:00:00:0{number}")],
                )
            )
            made.boot(kernel_image())
            both.append(made)
        for made in both:
            assert made.run(5_000_000, until_output="$ ").reason == "output"
        for _ in range(3):
            for made in both:
                made.run(3_000)  # more would wait for timers: a switch makes time real
        digests.add(tuple(made.snapshot().digest for made in both))
        for made in both:
            made.close()
            made.close()
    assert len(digests) == 1
