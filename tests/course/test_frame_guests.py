"""The guests of chapter 02 that speak Ethernet: to a user network, and to each other."""

from __future__ import annotations

import io

from vtbook import Board, Machine, Nic, assemble
from vtbook.course.frame_guests import ANSWERING, ASKING
from vtbook.devices.network import Capture, Switch, describe


def loaded(source: str, **card: object) -> Machine:
    machine = Machine(Board(ram="1 MiB", nics=[Nic(**card)]))  # type: ignore[arg-type]
    machine.load(assemble(source))
    return machine


def test_the_router_of_a_user_network_answers_who_it_is():
    machine = loaded(ASKING)
    seen: list[str] = []
    machine.board.ports["net0"].taps.append(lambda way, frame: seen.append(describe(frame)))
    assert machine.run(10_000).ok
    assert seen == [
        "ARP, Request who-has 10.0.2.2 tell 10.0.2.15, length 28",
        "ARP, Reply 10.0.2.2 is-at 52:55:0a:00:02:02, length 28",
    ]
    assert describe(machine.read("inbox", 54)[12:]) == seen[1]


def test_two_machines_at_a_switch_find_each_other():
    switch, file = Switch(), io.BytesIO()
    capture = Capture(file, switch)
    asker = loaded(ASKING, switch=switch)
    answerer = loaded(ANSWERING, switch=switch, mac="52:54:00:12:34:99")
    for machine in (answerer, asker, answerer, asker):
        ended = machine.run(1_000)
    assert ended.ok
    said = describe(asker.read("inbox", 54)[12:])
    assert said == "ARP, Reply 10.0.2.2 is-at 52:54:00:12:34:99, length 28"
    assert capture.count == 2
