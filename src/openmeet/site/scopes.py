"""What an API token may be allowed to do, and what each operation needs: one table.

Reading needs ``read``. What an operation changes follows from the first word of its address; where that says too little,
the operation stands in ``EXCEPTIONS``. What hands out access itself is for sessions only: no token makes another.
An address that begins with a word of its own is open to no token before it has a line here; a test says so.
"""

from enum import StrEnum
from typing import Final

from openmeet.site.operations import Operation


class Scope(StrEnum):
    """What a person allows a token; the values travel in requests and in the document."""

    READ = "read"
    EVENTS = "events:write"
    SERIES = "series:write"
    ANSWERS = "answers:write"
    GROUPS = "groups:write"
    PROFILE = "profile:write"
    WEBHOOKS = "webhooks:write"


SCOPE_WORDS: Final = {
    Scope.READ: "See what you see: events, answers, groups, your profile and news",
    Scope.EVENTS: "Make, change, cancel and delete your events",
    Scope.SERIES: "Make, change, cancel and delete your series",
    Scope.ANSWERS: "Answer to events, follow series",
    Scope.GROUPS: "Make and run groups, join and leave them",
    Scope.PROFILE: "Change your profile and what you hear of",
    Scope.WEBHOOKS: "Register addresses that are told what happens",
}

# By the first word of the address behind /api/.
AREAS: Final = {
    "events": Scope.EVENTS,
    "series": Scope.SERIES,
    "co-hosting": Scope.EVENTS,
    "groups": Scope.GROUPS,
    "group-invitations": Scope.GROUPS,
    "imports": Scope.EVENTS,
    "me": Scope.PROFILE,
    "my": Scope.PROFILE,
    "notifications": Scope.PROFILE,
    "notification-preferences": Scope.PROFILE,
    "webhooks": Scope.WEBHOOKS,
}

# Operations for sessions alone, by the first word of their address.
FOR_SESSIONS: Final = frozenset({"session", "tokens", "calendar-feed", "takeout"})

EXCEPTIONS: Final = {
    "putAnswer": Scope.ANSWERS,
    "answerSeries": Scope.ANSWERS,
    "askToConfirmAnswer": Scope.ANSWERS,
    "followSeries": Scope.ANSWERS,
    "unfollowSeries": Scope.ANSWERS,
    # It changes nothing.
    "previewSeries": Scope.READ,
    # A date that is opened is stored; nobody but its reader notices.
    "openSeriesDate": Scope.READ,
    "checkConflicts": Scope.READ,
}


def area_of(operation: Operation) -> str:
    """The first word of its address behind ``/api/``."""
    return operation.path.split("/")[2]


def scope_of(operation: Operation) -> Scope | None:
    """What a token needs for this operation; None: no token may."""
    if operation.name in EXCEPTIONS:
        return EXCEPTIONS[operation.name]
    if area_of(operation) in FOR_SESSIONS:
        return None
    if operation.method == "GET":
        return Scope.READ if area_of(operation) in AREAS else None
    return AREAS.get(area_of(operation))
