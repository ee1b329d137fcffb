"""Users and callers, and how they are addressed."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Final, NewType

from groundwork.clock import Instant
from groundwork.errors import Reason
from openmeet.i18n.catalogue import gettext

UserId = NewType("UserId", str)

MAX_NAME = 64
MAX_BIO = 2000


class UserReason(Reason):
    """Why an action on a user account or its settings is refused. The messages are in ``i18n/reasons/accounts.py``."""

    UNKNOWN_ZONE = "user.unknown_zone"
    UNKNOWN_LANGUAGE = "user.unknown_language"
    CHANGED_SINCE_OPENED = "user.changed_since_opened"
    CHANGED_WHILE_OPEN = "user.changed_while_open"
    NAME_NEEDED = "user.name_needed"
    HOST_NEEDS_NAME = "user.host_needs_name"
    AUTHOR_NEEDS_NAME = "user.author_needs_name"
    NAME_IS_HANDLE = "user.name_is_handle"
    EMAIL_IN_USE = "user.email_in_use"
    NAMES_NOBODY = "user.names_nobody"
    GUEST_EMAIL_IN_USE = "user.guest_email_in_use"
    NOTICE_NEEDED = "user.notice_needed"
    VERSION_NEEDED = "user.version_needed"
    CHOICE_CHANGED_SINCE_READ = "user.choice_changed_since_read"
    PUBLISHES_NOTHING = "user.publishes_nothing"
    NO_RECOVERY_KEY = "user.no_recovery_key"
    NOT_YOUR_ACCOUNT = "user.not_your_account"
    ACCOUNT_NEEDED = "user.account_needed"
    NO_ACCOUNT_KEPT = "user.no_account_kept"
    NOTHING_LOST = "user.nothing_lost"
    NO_SUCH_ACCOUNT = "user.no_such_account"
    BEING_DELETED = "user.being_deleted"
    WRONG_CONFIRMATION = "user.wrong_confirmation"
    PROOF_EXPIRED = "user.proof_expired"
    SIGN_IN_TO_DELETE = "user.sign_in_to_delete"
    APP_PASSWORD_IS_NO_PROOF = "user.app_password_is_no_proof"  # noqa: S105 - a code, not a password
    SILENT_SIGN_IN_IS_NO_PROOF = "user.silent_sign_in_is_no_proof"
    APP_PASSWORD_ADDS_NOTHING = "user.app_password_adds_nothing"  # noqa: S105 - a code, not a password


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
    """The signed-in user of a request, and the language and time zone they chose."""

    user_id: UserId
    display_name: str
    language: str | None = None
    time_zone: str | None = None


def unnamed() -> str:
    """The text shown for a person without a name. Never stored."""
    return gettext("Somebody without a name")


def leaving() -> str:
    """The text shown instead of the name of a person who has asked for the deletion of their account. Never stored."""
    return gettext("Somebody who is leaving")


# A name that begins with one of these is used as a whole, because a family name follows, or the name is not a person's.
_IN_FRONT: Final = frozenset({"The", "Die", "Der", "Das", "Dr", "Prof", "Mr", "Mrs", "Ms", "Herr", "Frau", "Team"})
# Particles of family names, which are written in lower case.
_PARTICLES: Final = frozenset(
    {"de", "del", "della", "der", "den", "di", "da", "dos", "la", "le", "van", "von", "zu", "bin", "ibn"}
)
# Words that are not family names and often end the name of a group.
_GROUPS: Final = frozenset(
    {
        "Bar",
        "Café",
        "Chor",
        "Choir",
        "Club",
        "Collective",
        "Community",
        "Crew",
        "Events",
        "Group",
        "Gruppe",
        "Kollektiv",
    }
    | {
        "Lab",
        "Library",
        "Network",
        "Netzwerk",
        "Orchestra",
        "Orchester",
        "Society",
        "Studio",
        "Team",
        "Union",
        "Verein",
    }
)
_MAX_WORDS: Final = 4


def first_name(display_name: str) -> str:
    """Return the first word of a name that clearly has a first name, otherwise the whole name.

    It clearly has one if it consists of two to four capitalized words (apart from particles such as "von"), does not
    begin with a title or an article, and does not end with a word for a group. Names in scripts without capitals,
    handles and single words are returned whole.
    """
    words = display_name.split()
    first = words[0] if words else ""
    is_clear = (
        1 < len(words) <= _MAX_WORDS
        and _is_name(first)
        and first not in _IN_FRONT
        and _is_name(words[-1])
        and words[-1] not in _GROUPS
        and all(word in _PARTICLES or _is_name(word) for word in words[1:-1])
    )
    return first if is_clear else display_name


def _is_name(word: str) -> bool:
    """Whether a word looks like part of a name: Eva, O’Brien, Anna-Lena, Yıldız."""
    letters = word.replace("’", "").replace("'", "").replace("-", "")
    return len(letters) > 1 and letters.isalpha() and word[0].isupper() and any(one.islower() for one in letters)
