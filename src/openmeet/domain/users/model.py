"""Users and callers."""

from dataclasses import dataclass
from enum import StrEnum
from typing import NewType

from groundwork.clock import Instant

UserId = NewType("UserId", str)

MAX_NAME = 64
MAX_BIO = 2000

# Shown if somebody has no display name; never stored.
UNNAMED = "Someone without a name"


class UserKind(StrEnum):
    """Whether anybody ever signed in as this user."""

    PERSON = "person"
    SHADOW = "shadow"


@dataclass(frozen=True, slots=True)
class User:
    """One user. ``email`` is None for users who signed in with a DID alone.

    ``shows_about`` and ``shows_groups``: whether their ``bio``, and their public groups, are on their profile.
    """

    id: UserId
    kind: UserKind
    display_name: str
    email: str | None
    bio: str
    time_zone: str | None
    revision: int
    created_at: Instant
    shows_about: bool = False
    shows_groups: bool = False


@dataclass(frozen=True, slots=True)
class Caller:
    """The signed-in user of a request."""

    user_id: UserId
    display_name: str
