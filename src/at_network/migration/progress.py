"""Progress and result of a migration."""

from collections.abc import Callable
from dataclasses import dataclass, field
from enum import StrEnum

from at_protocol.data.cid import Cid


class MigrationStep(StrEnum):
    """The steps of a migration, in order."""

    ACCOUNT = "account"
    """Create a hidden account at the new server."""
    REPOSITORY = "repository"
    """Copy all records, as one file."""
    BLOBS = "blobs"
    """Copy the pictures and files that records refer to."""
    PREFERENCES = "preferences"
    """Copy the private preferences that apps store for the owner."""
    IDENTITY = "identity"
    """Point the identity to the new server and its key."""
    ACTIVATION = "activation"
    """Make the new server show the account."""
    DEACTIVATION = "deactivation"
    """Make the old server hide the account."""


@dataclass(frozen=True, slots=True)
class Progress:
    """Progress of a step: ``done`` out of ``total`` (bytes for the repository, or blobs; 0 of 0 if nothing is counted).

    ``is_complete`` is True when the step has ended. ``note`` is a sentence to show and can be empty.
    """

    step: MigrationStep
    done: int = 0
    total: int = 0
    is_complete: bool = False
    note: str = ""


OnProgress = Callable[[Progress], None]


def no_progress(_progress: Progress) -> None:
    """Ignore progress."""


@dataclass(slots=True)
class MigrationResult:
    """Result of a migration: copied and missing data. ``differences`` are sentences about counts that differ between
    the servers.
    """

    records: int = 0
    blobs_brought: int = 0
    missing_blobs: list[Cid] = field(default_factory=list)
    preferences: int = 0
    differences: list[str] = field(default_factory=list)
