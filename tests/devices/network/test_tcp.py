"""An end of a TCP connection against a peer played by hand, and against itself over a bad link."""

from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vtbook.devices.network.receive_window import ReceiveWindow
from vtbook.devices.network.tcp import ATTEMPTS, BUFFER, MSS, QUIET, Endpoint, State
from vtbook.devices.network.tcp_segment import (
    ACK,
    FIN,
    MASK,
    PSH,
    RST,
    SYN,
    Segment,
    after,
    syn_options,
)

HERE, THERE = 80, 40000
FIRST = 0xFFFF_FFF0
"""Our first number: the numbers wrap around soon."""


class Peer:
    """The guest, played by hand: what it sends, and what the endpoint has sent."""

    def __init__(self, *, scale=None, window=0xFFFF, mss=1460):
        self.now = 0.0
        self.sent = []
        self.end = Endpoint(HERE, THERE, self.sent.append, lambda: self.now, FIRST)
        self.seq, self.window = 1000, window
        options = syn_options(mss, scale)
        self.end.accept(Segment(THERE, HERE, 999, 0, SYN, window, b"", options))

    def say(self, data=b"", *, flags=ACK, seq=None, ack=None, window=None, flush=True):
        """Send a segment; return what the endpoint sends after it."""
        del self.sent[:]
        seq = self.seq if seq is None else seq
        ack = self.end.snd_max if ack is None else ack
        window = self.window if window is None else window
        segment = Segment(THERE, HERE, seq & MASK, ack & MASK, flags, window, data)
        self.end.on_segment(segment)
        if flush:
            self.end.flush()
        return list(self.sent)

    def flush(self):
        del self.sent[:]
        self.end.flush()
        return list(self.sent)

    def wait(self, seconds):
        del self.sent[:]
        self.now += seconds
        self.end.tick()
        return list(self.sent)


def connected(**options):
    peer = Peer(**options)
    (syn,) = peer.sent
    assert (syn.flags, syn.seq, syn.ack) == (SYN | ACK, FIRST, 1000)
    assert syn.mss == MSS
    assert peer.say() == []
    assert peer.end.state is State.ESTABLISHED
    return peer


def test_a_connection_is_accepted():
    connected()


def test_a_connection_is_opened():
    sent = []
    end = Endpoint(HERE, THERE, sent.append, lambda: 0.0, FIRST)
    end.open()
    assert (sent[0].flags, sent[0].seq) == (SYN, FIRST)
    options = syn_options(1000, 2)
    end.on_segment(Segment(THERE, HERE, 5, FIRST + 1, SYN | ACK, 10, b"", options))
    end.flush()
    assert end.state is State.ESTABLISHED
    assert (sent[1].flags, sent[1].seq, sent[1].ack) == (ACK, FIRST + 1, 6)
    assert end.mss == 1000


def test_a_refused_opening_is_told():
    end = Endpoint(HERE, THERE, lambda s: None, lambda: 0.0, FIRST)
    end.open()
    end.on_segment(Segment(THERE, HERE, 0, FIRST, RST | ACK, 0))
    assert end.state is State.SYN_SENT  # the number is not ours: forged or old
    end.on_segment(Segment(THERE, HERE, 0, FIRST + 1, RST | ACK, 0))
    assert (end.state, end.error) == (State.CLOSED, "refused")


def test_both_may_open_at_once():
    peer = Peer()
    peer.end = Endpoint(HERE, THERE, peer.sent.append, lambda: peer.now, FIRST)
    peer.end.open()
    (answer,) = peer.say(seq=999, flags=SYN)
    assert (answer.flags, answer.ack) == (SYN | ACK, 1000)
    peer.say()
    assert peer.end.state is State.ESTABLISHED


def test_a_lost_answer_to_a_syn_is_sent_again():
    peer = Peer()
    assert [x.flags for x in peer.say(seq=999, flags=SYN)] == [SYN | ACK]
    assert [x.flags for x in peer.wait(2)] == [SYN | ACK]


def test_data_is_received_and_acknowledged_once_for_all():
    peer = connected()
    peer.say(b"one ", flush=False)
    peer.seq += 4
    (ack,) = peer.say(b"two", flags=ACK | PSH)
    assert (ack.flags, ack.ack) == (ACK, 1007)
    assert peer.end.received == b"one two"


def test_a_duplicate_is_acknowledged_and_dropped():
    peer = connected()
    peer.say(b"hello")
    (ack,) = peer.say(b"hello")
    assert ack.ack == 1005
    (ack,) = peer.say(b"hello, and more")
    assert ack.ack == 1015
    assert peer.end.received == b"hello, and more"


def test_segments_out_of_order_are_put_in_order_and_each_is_answered_at_once():
    peer = connected()
    answers = peer.say(b"cc", seq=1004) + peer.say(b"dd", seq=1006) + peer.say(b"bb", seq=1002)
    assert [x.ack for x in answers] == [1000] * 3
    (ack,) = peer.say(b"aa")
    assert ack.ack == 1008
    assert peer.end.received == b"aabbccdd"


def test_a_fin_that_comes_early_waits_its_turn():
    peer = connected()
    peer.say(b"b", seq=1001, flags=ACK | FIN)
    assert not peer.end.peer_closed
    (ack,) = peer.say(b"a")
    assert ack.ack == 1003
    assert peer.end.peer_closed
    assert peer.end.received == b"ab"


def fill(peer):
    """Send until the window is closed."""
    for _ in range(BUFFER // 1000 + 1):
        peer.say(bytes(1000))
        peer.seq += 1000
    peer.seq = 1000 + BUFFER


def test_what_is_beyond_the_window_is_cut_off():
    peer = connected()
    fill(peer)
    assert len(peer.end.received) == BUFFER
    (ack,) = peer.say(b"x")
    assert (ack.ack, ack.window) == (1000 + BUFFER, 0)
    peer.end.consume(BUFFER)
    (update,) = peer.flush()
    assert (update.ack, update.window) == (1000 + BUFFER, 0xFFFF)


def test_an_acknowledgement_counts_even_if_our_window_is_closed():
    peer = connected()
    fill(peer)
    peer.end.write(b"hello")
    peer.flush()
    peer.say(b"x")
    assert peer.end.deadline is None


def test_a_window_that_opens_a_little_is_not_told():
    peer = connected()
    fill(peer)
    peer.end.consume(1000)
    assert peer.flush() == []
    peer.end.consume(2000)
    assert [x.window for x in peer.flush()] == [3000]


def test_windows_are_scaled_where_both_can():
    peer = connected(scale=7)
    (ack,) = peer.say(b"x")
    assert ack.window << 3 == BUFFER - 8  # counted in units of 8 bytes
    peer.say(b"", seq=1001, window=10)
    assert peer.end.snd_wnd == 1280


def test_data_is_cut_into_segments_that_the_guest_can_take():
    peer = connected(mss=500)
    peer.end.write(bytes(1200))
    sent = peer.flush()
    assert [len(x.payload) for x in sent] == [500, 500, 200]
    assert [x.flags for x in sent] == [ACK, ACK, ACK | PSH]
    assert peer.say(ack=sent[0].seq + 1200) == []
    assert peer.end.deadline is None


def test_the_guests_window_is_kept_and_small_pieces_wait():
    peer = connected(window=2000)
    peer.end.write(bytes(5000))
    assert [len(x.payload) for x in peer.flush()] == [1460]
    assert peer.say(window=1000)[0].payload == bytes(1000)  # nothing is on its way: what fits


def test_a_closed_window_is_probed_until_it_opens():
    peer = connected(window=0)
    peer.end.write(b"hello")
    assert peer.flush() == []
    for _ in range(2 * ATTEMPTS):  # for as long as it takes
        (probe,) = peer.wait(61)
        assert (probe.payload, after(probe.seq, peer.end.snd_una)) == (b"", -1)
    (data,) = peer.say(window=100)
    assert data.payload == b"hello"


def test_a_fin_waits_for_the_window_too():
    peer = connected(window=5)
    peer.end.write(b"hello")
    peer.end.close()
    (data,) = peer.flush()
    assert data.payload == b"hello"
    assert peer.say(window=0) == []
    assert len(peer.wait(1)) == 1  # a probe
    assert [x.flags for x in peer.say(window=5)] == [FIN | ACK]


def test_what_is_not_acknowledged_is_sent_again_and_later_each_time():
    peer = connected()
    peer.end.write(b"hello")
    peer.flush()
    waits = []
    while peer.end.state is State.ESTABLISHED:
        waits.append(peer.end.deadline - peer.now)
        sent = peer.wait(waits[-1])
    assert waits == [1, 2, 4, 8, 16, 32, 60, 60]
    assert [x.flags & RST for x in sent] == [RST]
    assert peer.end.error == "timeout"


def test_three_duplicate_acknowledgements_bring_the_lost_segment_again():
    peer = connected()
    peer.end.write(bytes(8 * MSS))
    sent = peer.flush()
    lost = sent[1].seq
    assert [peer.say(ack=lost) for _ in range(3)] == [[], [], []]
    (again,) = peer.say(ack=lost)
    assert (again.seq, len(again.payload)) == (lost, MSS)
    assert peer.end.retransmissions == 1
    peer.say(ack=sent[-1].seq + MSS)
    assert peer.end.congestion.recover is None


def test_a_second_loss_in_the_same_flight_is_repaired_without_waiting():
    peer = connected()
    peer.end.write(bytes(8 * MSS))
    sent = peer.flush()
    for _ in range(4):
        peer.say(ack=sent[1].seq)
    (again,) = peer.say(ack=sent[4].seq)
    assert again.seq == sent[4].seq


def test_after_a_timeout_it_goes_slowly():
    peer = connected()
    peer.end.write(bytes(8 * MSS))
    first = peer.flush()[0].seq
    assert [x.seq for x in peer.wait(1)] == [first]
    assert [after(x.seq, first) for x in peer.say(ack=first + MSS)] == [MSS, 2 * MSS]


def test_the_guest_closes_first_and_we_go_on():
    peer = connected()
    peer.say(b"bye", flags=ACK | FIN)
    peer.seq += 4
    assert (peer.end.state, peer.end.peer_closed) == (State.CLOSE_WAIT, True)
    peer.end.write(b"still here")
    assert peer.flush()[0].payload == b"still here"
    peer.end.close()
    (fin,) = peer.flush()
    assert fin.flags == FIN | ACK
    assert peer.end.state is State.LAST_ACK
    peer.say()
    assert peer.end.state is State.CLOSED
    assert peer.end.received == b"bye"


def test_we_close_first_and_the_guest_goes_on():
    peer = connected()
    peer.end.write(b"last")
    peer.end.close()
    assert [x.flags for x in peer.flush()] == [ACK | PSH, FIN | ACK]
    assert peer.end.state is State.FIN_WAIT_1
    peer.say(b"more")
    peer.seq += 4
    assert peer.end.state is State.FIN_WAIT_2
    (ack,) = peer.say(flags=ACK | FIN)
    assert (ack.ack, peer.end.state) == (1005, State.TIME_WAIT)
    (ack,) = peer.say(flags=ACK | FIN)  # our answer was lost
    assert ack.ack == 1005
    peer.wait(QUIET)
    assert peer.end.state is State.CLOSED


def test_both_close_at_once():
    peer = connected()
    peer.end.close()
    (fin,) = peer.flush()
    peer.say(flags=ACK | FIN, ack=fin.seq)
    peer.seq += 1
    assert peer.end.state is State.CLOSING
    peer.say()
    assert peer.end.state is State.TIME_WAIT


def test_a_lost_fin_is_sent_again():
    peer = connected()
    peer.end.write(b"x")
    peer.end.close()
    data, fin = peer.flush()
    assert [x.seq for x in peer.wait(1)] == [data.seq, fin.seq]
    peer.say(ack=fin.seq)
    assert [x.flags for x in peer.wait(2)] == [FIN | ACK]
    peer.say(ack=fin.seq + 1)
    assert peer.end.state is State.FIN_WAIT_2


def test_a_reset_counts_only_with_the_next_number():
    peer = connected()
    assert [x.flags for x in peer.say(seq=1001, flags=RST)] == [ACK]  # a challenge
    assert peer.say(seq=999, flags=RST) == []
    assert peer.end.state is State.ESTABLISHED
    peer.say(flags=RST)
    assert (peer.end.state, peer.end.error) == (State.CLOSED, "reset")


def test_a_syn_within_a_connection_is_challenged():
    peer = connected()
    assert [x.flags for x in peer.say(flags=SYN)] == [ACK]
    assert peer.end.state is State.ESTABLISHED


def test_an_acknowledgement_of_what_was_never_sent_is_answered_and_ignored():
    peer = connected()
    (answer,) = peer.say(b"data", ack=peer.end.snd_max + 1)
    assert answer.ack == 1000
    assert peer.end.received == b""


def test_a_wrong_acknowledgement_of_the_handshake_is_reset():
    peer = Peer()
    (answer,) = peer.say(ack=FIRST + 7)
    assert (answer.flags, answer.seq) == (RST, FIRST + 7)
    assert peer.end.state is State.SYN_RECEIVED


def test_abort_sends_a_reset():
    peer = connected()
    del peer.sent[:]
    peer.end.abort()
    assert [x.flags for x in peer.sent] == [RST | ACK]
    assert peer.say(b"x") == []


def test_early_data_is_bounded():
    window = ReceiveWindow(BUFFER)
    window.start(0)
    for n in range(2000):
        window.take(Segment(1, 2, 3 + 2 * n, 0, ACK, 0, b"x"))
    assert len(window._early) == 512


# -- two ends over a bad link -------------------------------------------------------------------


class BadLink:
    """Two endpoints; frames between them may be lost, doubled or exchanged."""

    def __init__(self, random, loss):
        self.random, self.loss = random, loss
        self.now = 0.0
        self.ways = {"a": [], "b": []}
        clock = lambda: self.now  # noqa: E731
        self.a = Endpoint(1, 2, self.ways["a"].append, clock, random.getrandbits(32))
        self.b = Endpoint(2, 1, self.ways["b"].append, clock, random.getrandbits(32))
        self.a.open()
        self.syn = None

    def carry(self):
        """Deliver what is on its way; let time pass if nothing is."""
        moved = False
        for name, to in (("a", self.b), ("b", self.a)):
            way, self.ways[name][:] = list(self.ways[name]), []
            if self.random.random() < self.loss:
                self.random.shuffle(way)
            for segment in way:
                if self.random.random() < self.loss:
                    continue
                moved = True
                for _ in range(1 + (self.random.random() < self.loss)):
                    self._give(to, segment)
            to.flush()
        if not moved:
            times = [x.deadline for x in (self.a, self.b) if x.deadline is not None]
            self.now = max(self.now, min(times, default=self.now))
            self.a.tick()
            self.b.tick()

    def _give(self, to, segment):
        if to is self.b and self.syn is None:
            if segment.flags & SYN:
                self.syn = segment
                to.accept(segment)
            return
        to.on_segment(segment)


@pytest.mark.parametrize("loss", [0.0, 0.02, 0.2])
@settings(max_examples=25, deadline=None)
@given(st.integers(0), *[st.sampled_from([0, 1, 5000, 120_000])] * 2)
def test_all_bytes_arrive_in_order_whatever_the_link_does(loss, seed, size_a, size_b):
    random = Random(seed)
    link = BadLink(random, loss)
    data = {link.a: random.randbytes(size_a), link.b: random.randbytes(size_b)}
    got = {link.a: bytearray(), link.b: bytearray()}
    left = dict(data)
    for _ in range(20_000):
        for end in (link.a, link.b):
            if end is link.b and link.syn is None:
                continue
            piece = left[end][: min(end.room, random.randint(1, 50_000))]
            if piece and end.is_open:
                end.write(piece)
                left[end] = left[end][len(piece) :]
            if not left[end]:
                end.close()
            count = random.randint(0, len(end.received))
            got[end] += end.received[:count]
            end.consume(count)
            end.flush()
        link.carry()
        done = all(len(got[x]) == len(data[y]) for x, y in ((link.a, link.b), (link.b, link.a)))
        if done and link.a.peer_closed and link.b.peer_closed:
            break
    assert got[link.a] == data[link.b]
    assert got[link.b] == data[link.a]
    for _ in range(200):
        link.carry()
    assert {link.a.state, link.b.state} == {State.CLOSED}
    assert {link.a.error, link.b.error} <= {None, "timeout"}


@settings(max_examples=150, deadline=None)
@given(st.data())
def test_no_guest_makes_an_endpoint_raise_or_grow(data):
    """Segments with any numbers, near the right ones and far from them."""
    peer = Peer(scale=data.draw(st.sampled_from([None, 0, 14])))
    if data.draw(st.booleans()):
        peer.say()
    near = st.integers(-3000, 3000)
    for _ in range(data.draw(st.integers(1, 12))):
        if peer.end.room and data.draw(st.booleans()):
            peer.end.write(bytes(min(peer.end.room, data.draw(st.integers(0, 5000)))))
        if data.draw(st.integers(0, 9)) == 0:
            peer.end.close()
        seq = peer.end.window.nxt + data.draw(near)
        peer.say(
            bytes(data.draw(st.integers(0, 3000))),
            seq=data.draw(st.one_of(st.just(seq), st.just(peer.end.window.nxt), st.integers(0))),
            ack=peer.end.snd_una + data.draw(near),
            flags=data.draw(st.one_of(st.just(ACK), st.just(ACK | FIN), st.integers(0, 63))),
            window=data.draw(st.integers(0, 0xFFFF)),
        )
        peer.wait(data.draw(st.floats(0, 70)))
        peer.flush()
        assert len(peer.end.received) <= BUFFER
        assert 0 <= after(peer.end.snd_max, peer.end.snd_una) <= BUFFER + 1
        assert after(peer.end.snd_nxt, peer.end.snd_una) >= 0
