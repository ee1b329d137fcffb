"""The ring of the newest frames."""

from aurora_locus.sequencer.ring import Ring


def filled(*numbers: int, max_frames: int = 100, max_bytes: int = 10_000, head: int = 0) -> Ring:
    ring = Ring(head, max_frames=max_frames, max_bytes=max_bytes)
    for number in numbers:
        ring.append(number, b"frame %d" % number)
    return ring


def numbers_after(ring: Ring, position: int, limit: int = 1000) -> list[int] | None:
    found = ring.after(position, limit)
    return None if found is None else [number for number, _ in found]


def test_gives_what_lies_above_a_position():
    ring = filled(1, 2, 5, 6)
    assert numbers_after(ring, 0) == [1, 2, 5, 6]
    assert numbers_after(ring, 3) == [5, 6]
    assert numbers_after(ring, 6) == []
    assert numbers_after(ring, 2, limit=1) == [5]


def test_empty_ring_begins_at_the_head_of_the_log():
    ring = filled(head=41)
    assert numbers_after(ring, 41) == []
    assert numbers_after(ring, 40) is None


def test_drops_the_oldest_beyond_its_count():
    ring = filled(*range(1, 2001), max_frames=10)
    assert ring.floor == 1990
    assert numbers_after(ring, 1989) is None
    assert numbers_after(ring, 1990) == list(range(1991, 2001))


def test_drops_the_oldest_beyond_its_bytes_but_never_the_newest():
    ring = Ring(0, max_frames=100, max_bytes=10)
    ring.append(1, b"12345678")
    ring.append(2, b"12345678901234567890")
    assert numbers_after(ring, 1) == [2]
    assert numbers_after(ring, 0) is None


def test_memory_is_given_back():
    ring = filled(*range(1, 100_001), max_frames=10)
    assert len(ring._frames) < 1000


def test_purged_frames_are_gone():
    ring = filled(1, 2, 3, 4)
    ring.forget(frozenset({2, 3}))
    assert numbers_after(ring, 0) == [1, 4]
    assert ring.head == 4
