"""The result of a check, and how to fix what is wrong."""

from dataclasses import dataclass
from enum import StrEnum


class CheckVerdict(StrEnum):
    """Result of a check. ``NOTE`` is not an error, but may be worth knowing."""

    GOOD = "good"
    NOTE = "note"
    WRONG = "wrong"
    SKIPPED = "skipped"


@dataclass(frozen=True, slots=True)
class CheckFinding:
    """One sentence about one check. ``mend``: how to fix the problem, if there is one."""

    about: str
    verdict: CheckVerdict
    found: str
    mend: str | None = None


def good(about: str, found: str) -> CheckFinding:
    return CheckFinding(about, CheckVerdict.GOOD, found)


def note(about: str, found: str) -> CheckFinding:
    return CheckFinding(about, CheckVerdict.NOTE, found)


def failed(about: str, found: str, mend: str) -> CheckFinding:
    return CheckFinding(about, CheckVerdict.WRONG, found, mend)


def skipped(about: str, why: str) -> CheckFinding:
    return CheckFinding(about, CheckVerdict.SKIPPED, why)
