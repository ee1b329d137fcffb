"""Timestamp identifiers: 13 characters that sort by creation time (TID specification).

Layout of the 64 bits: a zero, 53 bits of microseconds since 1970, 10 bits of clock id. A TID does not prove when it was
created, because authors choose their record keys.
"""

import re
from typing import NewType

from at_protocol.failures import Malformed, Misuse

Tid = NewType("Tid", str)

ALPHABET = "234567abcdefghijklmnopqrstuvwxyz"
MAX_CLOCK_ID = 1023
MAX_MICROSECONDS = (1 << 53) - 1
# Thirteen base32 characters hold 65 bits and a TID has 64, so only the first half of the alphabet can come first.
_SYNTAX = re.compile(r"[234567abcdefghij][234567abcdefghijklmnopqrstuvwxyz]{12}")
# Two characters for every ten bits, and a map between our digits and Python's. Speed matters because each commit makes
# two TIDs and reads one.
_PAIRS = [first + second for first in ALPHABET for second in ALPHABET]
_DIGITS = str.maketrans(ALPHABET, "0123456789abcdefghijklmnopqrstuv")


def parse_tid(text: str) -> Tid:
    """Parse a TID. Raises Malformed. First characters ``c`` to ``j`` are well-formed, although no generator produces
    them.
    """
    if _SYNTAX.fullmatch(text) is None:
        raise Malformed("tid", text, "not 13 characters of the sortable base32 alphabet")
    return Tid(text)


def from_microseconds(microseconds: int, clock_id: int) -> Tid:
    """Return the TID of an instant (microseconds since 1970, UTC) and a clock id (0 to 1023). Raises Misuse if out of
    range.
    """
    if not 0 <= microseconds <= MAX_MICROSECONDS:
        raise Misuse(f"{microseconds} microseconds do not fit a TID")
    if not 0 <= clock_id <= MAX_CLOCK_ID:
        raise Misuse(f"clock id {clock_id} is not within 0 to {MAX_CLOCK_ID}")
    number = microseconds << 10 | clock_id
    return Tid(
        f"{ALPHABET[number >> 60]}{_PAIRS[number >> 50 & 1023]}{_PAIRS[number >> 40 & 1023]}{_PAIRS[number >> 30 & 1023]}"
        f"{_PAIRS[number >> 20 & 1023]}{_PAIRS[number >> 10 & 1023]}{_PAIRS[number & 1023]}"
    )


def to_integer(tid: Tid) -> int:
    """Return all 64 bits of a TID as a number."""
    return int(tid.translate(_DIGITS), 32)


def to_microseconds(tid: Tid) -> int:
    """Return the microseconds since 1970 that the TID claims. At least 2**53 if its reserved top bit is set."""
    return to_integer(tid) >> 10


def to_clock_id(tid: Tid) -> int:
    """Return the clock identifier of a TID: its lowest ten bits."""
    return to_integer(tid) & MAX_CLOCK_ID


class TidClock:
    """Generates strictly increasing TIDs, even if the wall clock goes backwards.

    Use one per process. Two processes that share a repository need different clock ids.
    """

    __slots__ = ("_clock_id", "_last")

    def __init__(self, clock_id: int) -> None:
        if not 0 <= clock_id <= MAX_CLOCK_ID:
            raise Misuse(f"clock id {clock_id} is not within 0 to {MAX_CLOCK_ID}")
        self._clock_id = clock_id
        self._last = -1

    def next(self, now_us: int, *, after: Tid | None = None) -> Tid:
        """Return a TID later than all earlier ones and, if given, later than ``after``.

        ``after`` is a repository's previous rev, which another host with a faster clock might have created. Its
        microsecond is skipped, whatever its clock id.
        """
        time_us = max(now_us, self._last + 1)
        if after is not None:
            time_us = max(time_us, to_microseconds(after) + 1)
        self._last = time_us
        return from_microseconds(time_us, self._clock_id)
