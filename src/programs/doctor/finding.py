"""What a check found, and how to mend it."""

from dataclasses import dataclass
from enum import StrEnum


class Verdict(StrEnum):
    """``NOTE`` is right as it is, but somebody may want to know."""

    GOOD = "good"
    NOTE = "note"
    WRONG = "wrong"
    SKIPPED = "skipped"


@dataclass(frozen=True, slots=True)
class Finding:
    """One sentence about one thing; ``mend`` says what to do where it is wrong."""

    about: str
    verdict: Verdict
    found: str
    mend: str | None = None


def good(about: str, found: str) -> Finding:
    return Finding(about, Verdict.GOOD, found)


def note(about: str, found: str) -> Finding:
    return Finding(about, Verdict.NOTE, found)


def wrong(about: str, found: str, mend: str) -> Finding:
    return Finding(about, Verdict.WRONG, found, mend)


def skipped(about: str, why: str) -> Finding:
    return Finding(about, Verdict.SKIPPED, why)
