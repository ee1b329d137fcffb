"""Sequence numbers far beyond the last one: whether they are believed. Pure.

One bad number would make every later frame look old, so a jump is not believed when it comes first. A server whose memory does
not reach back to our cursor begins behind a gap at every connection, near the same place: then it is.
"""

from groundwork.clock import MINUTE, Instant

# Three hours of the whole network, and more than any of its servers writes in a day.
MAX_JUMP = 10_000_000
# Some servers number by their clock, in microseconds: gaps of theirs are as long as nothing was written. 2020-01-01.
_NUMBERED_BY_CLOCK_FROM = 1_577_836_800_000_000


def is_far(last: int, seq: int, now: Instant) -> bool:
    """Whether a number is further beyond the last one than a server numbers in a day; 0 for no last one."""
    if not last or seq - last <= MAX_JUMP:
        return False
    return last < _NUMBERED_BY_CLOCK_FROM or seq > now + MINUTE


def is_jump(last: int, seq: int, now: Instant, *, refused: int | None) -> bool:
    """Whether a number is not to be believed yet. ``refused``: one that ended the connection before."""
    return is_far(last, seq, now) and (refused is None or abs(seq - refused) > MAX_JUMP)
