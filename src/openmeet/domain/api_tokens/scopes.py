"""What an API token may be allowed to do, and what each operation needs: one table.

Reading needs ``read``. What an operation changes follows from the first word of its address; where that says too little,
the operation stands in ``EXCEPTIONS``. What hands out access itself is for sessions only: no token makes another.
An address that begins with a word of its own is open to no token before it has a line here; a test says so.

What stands in ``FOR_SERVICES`` is for programs of the installation, which have credentials of their own: no person's session
or token may do it, and no service may do anything else. What stands in ``FOR_OPERATORS`` as well may also be done by whom the
setting names as operators.
"""

from enum import StrEnum
from typing import Final


class TokenScope(StrEnum):
    """What a person allows a token; the values travel in requests and in the document."""

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


SCOPE_WORDS: Final = {
    TokenScope.READ: "See what you see: events and who comes to yours, answers, groups, your calendar, profile and news",
    TokenScope.EVENTS: "Make, change, cancel and delete your events; decide who comes and write to them; bring in lists of people",
    TokenScope.SERIES: "Make, change, cancel, delete and hand over your series",
    TokenScope.ANSWERS: "Answer to events and whole series, follow series and people",
    TokenScope.GROUPS: "Make, run and hand over groups, write to their members, join and leave groups",
    TokenScope.PROFILE: "Change your profile, what you hear of, searches that you keep and the calendars you subscribe to; report, block and mute for you",
    TokenScope.PUBLISHING: "Say yes or no for you to publishing what is public of yours, where anyone can read it and copies may remain",
    TokenScope.WEBHOOKS: "Register addresses that are told what happens",
    TokenScope.MODERATION: "Moderate this site, where you are a moderator",
    TokenScope.CALENDAR_ADDRESS: "See, renew and close the secret addresses of your calendar and of your groups’",
    TokenScope.OPERATING: "See how the synchronisation stands, where you run this site",
}


class ServiceScope(StrEnum):
    """What an operator allows a service."""

    PROCESS_EVENTS = "sync:events"
    PROCESS_RSVPS = "sync:rsvps"
    VOUCH = "sync:vouch"
    INTEGRATE = "integration:write"
    STATUS = "sync:status"
    FLAGS = "sync:flags"


SERVICE_WORDS: Final = {
    ServiceScope.PROCESS_EVENTS: "Apply records of events that it read from the network",
    ServiceScope.PROCESS_RSVPS: "Apply records of answers that it read from the network",
    ServiceScope.VOUCH: "Say of what it applies that it has checked the signatures",
    ServiceScope.INTEGRATE: "Hand in single records of other systems, and take them back",
    ServiceScope.STATUS: "See how the synchronisation stands, and what of it is switched on",
    ServiceScope.FLAGS: "Switch parts of the synchronisation on and off",
}

# By the names of operations.
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

# Of those, what operators may read with a session or token of their own.
FOR_OPERATORS: Final = frozenset({"showSyncStatus", "listFlags", "listFlagChanges"})

# By the first word of the address behind /api/.
AREAS: Final = {
    "events": TokenScope.EVENTS,
    "series": TokenScope.SERIES,
    "co-hosting": TokenScope.EVENTS,
    "groups": TokenScope.GROUPS,
    "group-invitations": TokenScope.GROUPS,
    "imports": TokenScope.EVENTS,
    "arrivals": TokenScope.ANSWERS,
    "me": TokenScope.PROFILE,
    "my": TokenScope.PROFILE,
    "notifications": TokenScope.PROFILE,
    "searches": TokenScope.PROFILE,
    "notification-preferences": TokenScope.PROFILE,
    "webhooks": TokenScope.WEBHOOKS,
    "moderation": TokenScope.MODERATION,
    "people": TokenScope.PROFILE,
    "calendar-feed": TokenScope.CALENDAR_ADDRESS,
}

# Operations for sessions alone, by the first word of their address.
FOR_SESSIONS: Final = frozenset({"auth", "session", "tokens", "takeout"})

EXCEPTIONS: Final = {
    "answerSeriesFound": TokenScope.SERIES,
    "putAnswer": TokenScope.ANSWERS,
    "answerSeries": TokenScope.ANSWERS,
    "stopGoingToSeries": TokenScope.ANSWERS,
    "askToConfirmAnswer": TokenScope.ANSWERS,
    "followSeries": TokenScope.ANSWERS,
    "followPerson": TokenScope.ANSWERS,
    "unfollowPerson": TokenScope.ANSWERS,
    "unfollowSeries": TokenScope.ANSWERS,
    # A yes makes things public for good: more than changing a profile.
    "answerPublishingConsent": TokenScope.PUBLISHING,
    # It changes nothing.
    "previewSeries": TokenScope.READ,
    # A date that is opened is stored; nobody but its reader notices.
    "openSeriesDate": TokenScope.READ,
    "checkConflicts": TokenScope.READ,
    # Whoever may speak for somebody may report for them.
    "reportEvent": TokenScope.PROFILE,
    "reportSeries": TokenScope.PROFILE,
    "reportGroup": TokenScope.PROFILE,
    # What moderators read names people who reported: reading alone is not enough.
    "listReportedThings": TokenScope.MODERATION,
    "listWithheld": TokenScope.MODERATION,
    "listModerationLog": TokenScope.MODERATION,
    "getModerationPolicy": TokenScope.MODERATION,
    # Who knows the address reads the calendar without any token: seeing it is more than reading.
    "showMyFeed": TokenScope.CALENDAR_ADDRESS,
    "showGroupFeed": TokenScope.CALENDAR_ADDRESS,
    "renewGroupFeed": TokenScope.CALENDAR_ADDRESS,
    "closeGroupFeed": TokenScope.CALENDAR_ADDRESS,
}


def area_of(path: str) -> str:
    """The first word of an operation's address behind ``/api/``."""
    return path.split("/")[2]


def scope_of(name: str, method: str, path: str) -> TokenScope | None:
    """What a token needs for the operation; None: no token may."""
    if name in FOR_OPERATORS:
        return TokenScope.OPERATING
    if name in FOR_SERVICES:
        return None
    if name in EXCEPTIONS:
        return EXCEPTIONS[name]
    area = area_of(path)
    if area in FOR_SESSIONS:
        return None
    if method == "GET":
        return TokenScope.READ if area in AREAS else None
    return AREAS.get(area)
