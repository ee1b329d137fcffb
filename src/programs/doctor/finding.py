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
    """One sentence about one check. ``remedy``: how to fix the problem, if there is one."""

    about: str
    verdict: CheckVerdict
    found: str
    remedy: str | None = None


def good(about: str, result: str) -> CheckFinding:
    return CheckFinding(about, CheckVerdict.GOOD, result)


def note(about: str, result: str) -> CheckFinding:
    return CheckFinding(about, CheckVerdict.NOTE, result)


def failed(about: str, result: str, remedy: str) -> CheckFinding:
    return CheckFinding(about, CheckVerdict.WRONG, result, remedy)


def skipped(about: str, why: str) -> CheckFinding:
    return CheckFinding(about, CheckVerdict.SKIPPED, why)
