"""What a person is to the platform, and who is asking."""

from dataclasses import dataclass
from enum import StrEnum
from typing import NewType

from groundwork.clock import Instant

UserId = NewType("UserId", str)

MAX_NAME = 64
MAX_BIO = 2000

# Shown where somebody has not said what they want to be called; never stored.
UNNAMED = "Someone without a name"


class UserKind(StrEnum):
    """Whether anybody ever signed in as this person."""

    PERSON = "person"
    SHADOW = "shadow"


@dataclass(frozen=True, slots=True)
class User:
    """One person. ``email`` is None for people who came with a DID alone.

    ``shows_about`` and ``shows_groups``: whether everybody reads their ``bio``, and in which public groups they are.
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
    """The signed-in person behind a request."""

    user_id: UserId
    display_name: str
