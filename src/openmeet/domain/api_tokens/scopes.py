"""Scopes of API tokens and the scope that each operation requires, in one table.

Reading requires ``read``, or ``chat:read`` for chats and ``moderation`` for what moderators read. For writes, the first
segment of the path decides which scope is required; where that is too coarse, the operation is listed in
``EXCEPTIONS``. Operations that grant access require a session, so no token can create another token. No token may call
a path with a new first segment until that segment has an entry in this table; a test checks that every segment has one.

Operations in ``FOR_SERVICES`` are for programs of the installation, which have service tokens. No session or user token
may call them, and a service may not call anything else. Operations that are also in ``FOR_OPERATORS`` can be called by
the operators named in the settings, too.
"""

from enum import StrEnum
from typing import Final

from openmeet.i18n.catalogue import lazy


class TokenScope(StrEnum):
    """A permission that a user grants to a token. The values appear in requests and in the OpenAPI document."""

    READ = "read"
    EVENTS = "events:write"
    SERIES = "series:write"
    ANSWERS = "answers:write"
    GROUPS = "groups:write"
    PROFILE = "profile:write"
    PUBLISHING = "publishing:consent"
    WEBHOOKS = "webhooks:write"
    MODERATION = "moderation"
    CALENDAR_ADDRESS = "calendar:address"
    OPERATING = "operating:read"
    CHAT_READ = "chat:read"
    CHAT_WRITE = "chat:write"


SCOPE_DESCRIPTIONS: Final = {
    TokenScope.READ: lazy(
        "See everything you can see: events and who’s coming to yours, answers, groups, your calendar, "
        "profile and notifications"
    ),
    TokenScope.EVENTS: lazy(
        "Create, change, cancel and delete your events, decide who comes, write to guests and import guest lists"
    ),
    TokenScope.SERIES: lazy("Create, change, cancel, delete and hand over your series"),
    TokenScope.ANSWERS: lazy(
        "Answer events and whole series, add and remove photos, make proofs of attendance, follow series and people"
    ),
    TokenScope.GROUPS: lazy("Create, run and hand over groups, write to their members, join and leave groups"),
    TokenScope.PROFILE: lazy(
        "Change your profile, notifications, saved searches and calendar subscriptions, and report, block "
        "and mute on your behalf"
    ),
    TokenScope.PUBLISHING: lazy(
        "Decide for you whether to sync your public events and answers, which anyone can then read and copy"
    ),
    TokenScope.WEBHOOKS: lazy("Register webhook addresses"),
    TokenScope.MODERATION: lazy("Moderate this site, if you’re a moderator"),
    TokenScope.CALENDAR_ADDRESS: lazy(
        "View, renew and turn off the secret addresses of your calendar and your groups’ calendars"
    ),
    TokenScope.CHAT_READ: lazy("Read your chats"),
    TokenScope.CHAT_WRITE: lazy("Write in chats for you, and moderate the ones you host"),
    TokenScope.OPERATING: lazy("See how sync is doing, if you operate this site"),
}


class ServiceScope(StrEnum):
    """A permission that an operator grants to a service."""

    PROCESS_EVENTS = "sync:events"
    PROCESS_RSVPS = "sync:rsvps"
    VOUCH = "sync:vouch"
    INTEGRATE = "integration:write"
    STATUS = "sync:status"
    FLAGS = "sync:flags"


SERVICE_DESCRIPTIONS: Final = {
    ServiceScope.PROCESS_EVENTS: "Apply event records that it read from the network",
    ServiceScope.PROCESS_RSVPS: "Apply RSVP records that it read from the network",
    ServiceScope.VOUCH: "Vouch for the signatures of the records that it applies",
    ServiceScope.INTEGRATE: "Submit and withdraw single records of other systems",
    ServiceScope.STATUS: "See the status of the synchronisation and which parts are switched on",
    ServiceScope.FLAGS: "Switch parts of the synchronisation on and off",
}

# By operation name.
FOR_SERVICES: Final = {
    "processEvents": ServiceScope.PROCESS_EVENTS,
    "processRsvps": ServiceScope.PROCESS_RSVPS,
    "integrateEvent": ServiceScope.INTEGRATE,
    "integrateRsvp": ServiceScope.INTEGRATE,
    "takeBackEvent": ServiceScope.INTEGRATE,
    "takeBackRsvp": ServiceScope.INTEGRATE,
    "showSyncStatus": ServiceScope.STATUS,
    "listFlags": ServiceScope.STATUS,
    "listFlagChanges": ServiceScope.STATUS,
    "switchFlag": ServiceScope.FLAGS,
}

# The service operations that operators may also call, read-only, with a session or token of their own.
FOR_OPERATORS: Final = frozenset({"showSyncStatus", "listFlags", "listFlagChanges"})

# By the first path segment after /api/.
AREAS: Final = {
    "events": TokenScope.EVENTS,
    "series": TokenScope.SERIES,
    "co-hosting": TokenScope.EVENTS,
    "groups": TokenScope.GROUPS,
    "group-invitations": TokenScope.GROUPS,
    "imports": TokenScope.EVENTS,
    "arrivals": TokenScope.ANSWERS,
    "attendance-proofs": TokenScope.ANSWERS,
    "me": TokenScope.PROFILE,
    "my": TokenScope.PROFILE,
    "notifications": TokenScope.PROFILE,
    "searches": TokenScope.PROFILE,
    # These operations change nothing.
    "places": TokenScope.PROFILE,
    "notification-preferences": TokenScope.PROFILE,
    "webhooks": TokenScope.WEBHOOKS,
    "moderation": TokenScope.MODERATION,
    "people": TokenScope.PROFILE,
    "calendar-feed": TokenScope.CALENDAR_ADDRESS,
    "chat": TokenScope.CHAT_WRITE,
    "photos": TokenScope.ANSWERS,
}

# Areas whose data requires a different scope to read. What moderators read contains the names of people who reported
# something, and reported chat messages.
_READING: Final = {"chat": TokenScope.CHAT_READ, "moderation": TokenScope.MODERATION}

# Operations that require a session, by the first segment of their path.
FOR_SESSIONS: Final = frozenset({"auth", "session", "tokens", "takeout"})

EXCEPTIONS: Final = {
    "answerSeriesFound": TokenScope.SERIES,
    "putAnswer": TokenScope.ANSWERS,
    "addPhoto": TokenScope.ANSWERS,
    "answerSeries": TokenScope.ANSWERS,
    "stopGoingToSeries": TokenScope.ANSWERS,
    "confirmNewTimesOfSeries": TokenScope.ANSWERS,
    "askToConfirmAnswer": TokenScope.ANSWERS,
    "makeAttendanceProof": TokenScope.ANSWERS,
    "withdrawAttendanceProof": TokenScope.ANSWERS,
    "followSeries": TokenScope.ANSWERS,
    "followPerson": TokenScope.ANSWERS,
    "unfollowPerson": TokenScope.ANSWERS,
    "unfollowSeries": TokenScope.ANSWERS,
    # Consent makes data permanently public, so it requires more than the scope for editing a profile.
    "answerPublishingConsent": TokenScope.PUBLISHING,
    "answerMatrixConsent": TokenScope.PUBLISHING,
    # A preview changes nothing.
    "previewSeries": TokenScope.READ,
    # Opening a date of a series materializes it. Nobody else is affected, so it counts as a read.
    "openSeriesDate": TokenScope.READ,
    "checkConflicts": TokenScope.READ,
    # Anyone who may act for a user may report for them.
    "reportEvent": TokenScope.PROFILE,
    "reportSeries": TokenScope.PROFILE,
    "reportGroup": TokenScope.PROFILE,
    "reportPhoto": TokenScope.PROFILE,
    # Anyone who knows the secret address can read the calendar without a token, so showing it requires more than
    # ``read``.
    "showMyFeed": TokenScope.CALENDAR_ADDRESS,
    "showGroupFeed": TokenScope.CALENDAR_ADDRESS,
    "renewGroupFeed": TokenScope.CALENDAR_ADDRESS,
    "closeGroupFeed": TokenScope.CALENDAR_ADDRESS,
    # The same holds for the secret address of a proof, which anyone may then show.
    "showOwnAttendanceProof": TokenScope.ANSWERS,
    "listOwnAttendanceProofs": TokenScope.ANSWERS,
    # Reading a chat requires its own scope, whatever the path of the operation.
    "showEventChat": TokenScope.CHAT_READ,
    "showSeriesChat": TokenScope.CHAT_READ,
    "showGroupChat": TokenScope.CHAT_READ,
}


# These operations require recent proof of identity, which a token does not provide.
BY_PEOPLE_ONLY: Final = frozenset({"deleteMe"})


def area_of(path: str) -> str:
    """The resource that an API path belongs to: its first segment after ``/api/``."""
    return path.split("/")[2]


def scope_of(name: str, method: str, path: str) -> TokenScope | None:
    """Return the scope that a token needs for the operation, or None if no token may call it."""
    if name in FOR_OPERATORS:
        return TokenScope.OPERATING
    if name in FOR_SERVICES or name in BY_PEOPLE_ONLY:
        return None
    if name in EXCEPTIONS:
        return EXCEPTIONS[name]
    area = area_of(path)
    if area in FOR_SESSIONS:
        return None
    if method == "GET":
        return _READING.get(area, TokenScope.READ) if area in AREAS else None
    return AREAS.get(area)
