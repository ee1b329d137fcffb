"""What a check found, and how to mend it."""

from dataclasses import dataclass
from enum import StrEnum


class CheckVerdict(StrEnum):
    """``NOTE`` is right as it is, but somebody may want to know."""

    GOOD = "good"
    NOTE = "note"
    WRONG = "wrong"
    SKIPPED = "skipped"


@dataclass(frozen=True, slots=True)
class CheckFinding:
    """One sentence about one thing; ``mend`` says what to do where it is wrong."""

    about: str
    verdict: CheckVerdict
    found: str
    mend: str | None = None


def good(about: str, found: str) -> CheckFinding:
    return CheckFinding(about, CheckVerdict.GOOD, found)


def note(about: str, found: str) -> CheckFinding:
    return CheckFinding(about, CheckVerdict.NOTE, found)


def wrong(about: str, found: str, mend: str) -> CheckFinding:
    return CheckFinding(about, CheckVerdict.WRONG, found, mend)


def skipped(about: str, why: str) -> CheckFinding:
    return CheckFinding(about, CheckVerdict.SKIPPED, why)
