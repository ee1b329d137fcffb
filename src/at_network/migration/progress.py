"""What a move tells while it runs, and what remains to be told at its end."""

from collections.abc import Callable
from dataclasses import dataclass, field
from enum import StrEnum

from at_protocol.data.cid import Cid


class MigrationStep(StrEnum):
    """The steps, in their order."""

    ACCOUNT = "account"
    """A hidden account at the new server."""
    REPOSITORY = "repository"
    """All records, as one file."""
    BLOBS = "blobs"
    """Pictures and files that records refer to."""
    PREFERENCES = "preferences"
    """What apps keep privately for the owner."""
    IDENTITY = "identity"
    """The identity names the new server and its key."""
    ACTIVATION = "activation"
    """The new server shows the account."""
    DEACTIVATION = "deactivation"
    """The old server hides it."""


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a step is: ``done`` of ``total`` (bytes of the repository, blobs; 0 of 0 where there is nothing to count).

    ``is_complete``: the step has ended. ``note`` is a sentence for people, perhaps empty.
    """

    step: MigrationStep
    done: int = 0
    total: int = 0
    is_complete: bool = False
    note: str = ""


Tell = Callable[[Progress], None]


def tell_nobody(_progress: Progress) -> None:
    """For who does not watch."""


@dataclass(slots=True)
class MigrationResult:
    """What came along, and what did not. ``differences`` are sentences about what the two servers count differently."""

    records: int = 0
    blobs_brought: int = 0
    missing_blobs: list[Cid] = field(default_factory=list)
    preferences: int = 0
    differences: list[str] = field(default_factory=list)
