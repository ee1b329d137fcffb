"""Limits of a job, and reasons for stopping one."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from groundwork.errors import TooLarge

MEBIBYTE: Final = 1024 * 1024


@dataclass(frozen=True, slots=True)
class JobLimits:
    """Limits of one job. ``memory_bytes`` limits the address space of its process (Linux; macOS accepts the limit and
    ignores it).

    ``result_bytes`` limits the size of its result.
    """

    cpu_seconds: float = 10.0
    wall_seconds: float = 40.0
    memory_bytes: int = 1024 * MEBIBYTE
    result_bytes: int = 64 * MEBIBYTE


class StopReason(StrEnum):
    """Why a job was stopped."""

    CPU = "cpu"
    WALL_CLOCK = "wall_clock"
    MEMORY = "memory"
    NESTING = "nesting"
    RESULT_SIZE = "result_size"
    CRASH = "crash"


_SENTENCES: Final = {
    StopReason.CPU: (
        "Reading this takes more computing time than we give to one file. Send a smaller file, or send it in parts."
    ),
    StopReason.WALL_CLOCK: "Reading this took too long and was stopped. Try again later, or send a smaller file.",
    StopReason.MEMORY: (
        "Reading this takes more memory than we give to one file. Send a smaller file, or send it in parts."
    ),
    StopReason.NESTING: "This is nested too deeply to be read. Export it again with another program.",
    StopReason.RESULT_SIZE: "This contains more than we can take at once. Send it in parts.",
    StopReason.CRASH: "This cannot be read: it is damaged, or in an unusual form. Export it again with another program.",
}


class JobStopped(TooLarge):
    """A job exceeded a limit, or its process ended unexpectedly."""

    def __init__(self, reason: StopReason) -> None:
        super().__init__(_SENTENCES[reason], name="TooMuchWork")
        self.reason = reason
