"""Users and callers."""

from dataclasses import dataclass
from enum import StrEnum
from typing import NewType

from groundwork.clock import Instant
from openmeet.i18n.catalogue import gettext

UserId = NewType("UserId", str)

MAX_NAME = 64
MAX_BIO = 2000


def unnamed() -> str:
    """The text shown for a person without a name. Never stored."""
    return gettext("Someone without a name")


def leaving() -> str:
    """The text shown instead of the name of a person who has asked for the deletion of their account. Never stored."""
    return gettext("Someone who is leaving")


class UserKind(StrEnum):
    """Whether anybody has ever signed in as this user."""

    PERSON = "person"
    SHADOW = "shadow"


@dataclass(frozen=True, slots=True)
class User:
    """A user.

    ``email`` is None for users who only sign in with a DID. ``language``: the tag (BCP 47) that they chose.
    ``week_start``: the weekday with which their week begins (0 is Monday); None if they did not choose one.
    ``shows_about`` and ``shows_groups``: whether their profile shows their ``bio`` and their public groups.
    ``wants_suggestions``: whether Home suggests events to them. ``enter_sends``: whether Enter sends a chat message.
    ``portrait``: the key of their portrait.
    """

    id: UserId
    kind: UserKind
    display_name: str
    email: str | None
    bio: str
    time_zone: str | None
    language: str | None
    revision: int
    created_at: Instant
    shows_about: bool = False
    shows_groups: bool = False
    week_start: int | None = None
    wants_suggestions: bool = True
    enter_sends: bool = False
    portrait: str | None = None


@dataclass(frozen=True, slots=True)
class Profile:
    """A validated profile. ``language``: None to use the browser's language, and the site's language in e-mails."""

    display_name: str
    bio: str
    time_zone: str | None
    shows_about: bool = False
    shows_groups: bool = False
    language: str | None = None


@dataclass(frozen=True, slots=True)
class Caller:
    """The signed-in user of a request, and the language they chose."""

    user_id: UserId
    display_name: str
    language: str | None = None
