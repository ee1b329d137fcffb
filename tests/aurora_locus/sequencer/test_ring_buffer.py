"""The ring buffer of the newest frames."""

from aurora_locus.sequencer.live_events import RingBuffer


def filled(*numbers: int, max_frames: int = 100, max_bytes: int = 10_000, head: int = 0) -> RingBuffer:
    buffer = RingBuffer(head, max_frames=max_frames, max_bytes=max_bytes)
    for number in numbers:
        buffer.append(number, b"frame %d" % number)
    return buffer


def numbers_after(buffer: RingBuffer, position: int, limit: int = 1000, max_bytes: int = 1_000_000) -> list[int] | None:
    found = buffer.after(position, limit, max_bytes)
    return None if found is None else [number for number, _ in found]


def test_returns_frames_above_a_position():
    buffer = filled(1, 2, 5, 6)
    assert numbers_after(buffer, 0) == [1, 2, 5, 6]
    assert numbers_after(buffer, 3) == [5, 6]
    assert numbers_after(buffer, 6) == []
    assert numbers_after(buffer, 2, limit=1) == [5]


def test_returns_at_most_so_many_bytes_but_at_least_one_frame():
    buffer = filled(1, 2, 5, 6)
    assert numbers_after(buffer, 0, max_bytes=len(b"frame 1frame 2")) == [1, 2]
    assert numbers_after(buffer, 0, max_bytes=len(b"frame 1frame 2") - 1) == [1]
    assert numbers_after(buffer, 2, max_bytes=1) == [5]


def test_empty_ring_begins_at_the_head_of_the_log():
    buffer = filled(head=41)
    assert numbers_after(buffer, 41) == []
    assert numbers_after(buffer, 40) is None


def test_drops_the_oldest_beyond_its_count():
    buffer = filled(*range(1, 2001), max_frames=10)
    assert buffer.floor == 1990
    assert numbers_after(buffer, 1989) is None
    assert numbers_after(buffer, 1990) == list(range(1991, 2001))


def test_drops_the_oldest_beyond_its_bytes_but_never_the_newest():
    buffer = RingBuffer(0, max_frames=100, max_bytes=10)
    buffer.append(1, b"12345678")
    buffer.append(2, b"12345678901234567890")
    assert numbers_after(buffer, 1) == [2]
    assert numbers_after(buffer, 0) is None


def test_dropped_frames_free_their_memory():
    buffer = filled(*range(1, 100_001), max_frames=10)
    assert len(buffer._frames) < 1000


def test_purged_frames_are_gone():
    buffer = filled(1, 2, 3, 4)
    buffer.forget(frozenset({2, 3}))
    assert numbers_after(buffer, 0) == [1, 4]
    assert buffer.head == 4
