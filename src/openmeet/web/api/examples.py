"""Examples for the JSON API, generated from the types. The example of a text field is looked up by the name of the
field.

A new text field needs a line in ``TEXTS``, unless the table already has its name; an input of events has its example in
``domain.events.content``. Without an example, the document cannot be generated. A type whose fields exclude each other
defines ``EXAMPLE: ClassVar`` itself.
"""

from typing import Any, Final

from msgspec import inspect

from openmeet.domain.data_export.tables import camel
from openmeet.domain.events.content import INPUTS

_PERSON: Final = "0198a3c2-7b1e-7c40-9d5e-2f6a1b8c4d01"
_THING: Final = "0198a3c5-11f0-7a9b-8c33-5e7d9f0a2b46"
_AT: Final = "2027-03-02T17:00:00Z"
_LATER: Final = "2027-03-09T17:00:00Z"
_LOCAL: Final = "2027-03-02T18:00:00"
_SLUG: Final = "board-games-k7x2p"


TEXTS: Final = {
    **{camel(one.name): one.example for one in INPUTS if one.example},
    # Chat.
    **dict.fromkeys(("eventId", "seriesId", "withUserId", "with", "person", "mentions"), _PERSON),
    **dict.fromkeys(("room", "roomId", "messageId", "replyTo"), _THING),
    **dict.fromkeys(("saidAt", "editedAt", "closedAt"), _AT),
    "mutedUntil": _LATER,
    "date": _LOCAL,
    "clientId": "5f0c6a1e-3",
    "closedBy": "host",
    "matrix": "off",
    "matrixSender": "@ana:matrix.example",
    **dict.fromkeys(("proofId", "replaces"), _THING),
    "photoId": "2f6a1b8c4d0198a3c27b1e7c409d5e2f",
    "madeAt": _AT,
    "shownName": "@ben.example",
    "emoji": "👍",
    "because": "attendance",
    "role": "moderate",
    "series": "choir-practice-m4q8z",
    "has": "link",
    "key": "2f6a1b8c4d0198a3c27b1e7c409d5e2f",
    "size": "large",
    **dict.fromkeys(("pinned", "archived"), "true"),
    "flag": "events-in",
    # Places.
    "label": "Neukölln (near Berlin, Germany)",
    "countryName": "Germany",
    "credit": "GeoNames, CC BY 4.0",
    "number": "2950159",
    # Moderation.
    **dict.fromkeys(("subject", "subjectId", "undoes"), _THING),
    "reporterId": _PERSON,
    **dict.fromkeys(("at", "since", "thereSince"), _AT),
    "after": "hidden",
    "removedText": "See https://spam.example",
    "removalReason": "Advertising",
    "objection": "That was my own event.",
    # People.
    **dict.fromkeys(("personId", "actorId", "userId", "userIds", "ownerId", "hostId", "decidedBy"), _PERSON),
    **dict.fromkeys(("displayName", "hostName"), "Ana"),
    "answerLabels": "I’m going",
    **dict.fromkeys(("email", "whom"), "ana@example.org"),
    "handle": "ana.example",
    "password": "correct horse battery",
    **dict.fromkeys(("bio", "about"), "I bring the games."),
    **dict.fromkeys(
        ("authorId", "actedBy", "offeredTo", "successorId", "backupAdminId", "invitedBy"),
        _PERSON,
    ),
    **dict.fromkeys(("authorName", "actedByName", "userName", "invitedByName"), "Ana"),
    **dict.fromkeys(("did", "dids", "backupAdminDid"), "did:plc:ewvi7nxzyoun6zhxrhs64oiz"),
    **dict.fromkeys(("emails", "fresh"), "ben@example.org"),
    "known": "cleo@example.org",
    "wrong": "dan@",
    "unread": "Emil Berg",
    # Names assigned by this site.
    **dict.fromkeys(
        (
            "id",
            "attendanceId",
            "attendanceIds",
            "groupId",
            "challengeId",
            "cursor",
            "nextCursor",
            "invitation",
            "announcement",
        ),
        _THING,
    ),
    **dict.fromkeys(("slug", "event", "continues", "continuedBy"), _SLUG),
    **dict.fromkeys(("group", "groups"), "board-gamers"),
    "url": f"https://meet.example/events/{_SLUG}",
    **dict.fromkeys(
        ("uri", "recordUri", "sourceId", "recordsOutOfReach"),
        "at://did:plc:ewvi7nxzyoun6zhxrhs64oiz/community.lexicon.calendar.event/3lqw2jz5u7k2a",
    ),
    "nextTryAt": _AT,
    "theirsRev": "3lqw2jz5u7k2b",
    "requestId": "9f2c41d07b3e-17",
    "path": f"/events/{_SLUG}",
    "looksLike": f"/events/{_SLUG}",
    "looksLikeUid": "choir-practice@other.example",
    "address": "board-gamers",
    "roleBefore": "member",
    "roleAfter": "moderator",
    "ticketCode": "7KQM-4T2P-9XAB",
    "pictureUrl": "https://meet.example/portraits/9f86d081884c7d659a2feaa0c55ad015/256",
    "scanUrl": f"https://meet.example/events/{_SLUG}/check-in?code=7KQM-4T2P-9XAB",
    "questionId": "q2f6a1b8c4d01",
    "question": "What do you eat?",
    "choices": "Everything",
    "guestNames": "Ben",
    "checkedInAt": _LATER,
    "offeredUntil": _LATER,
    "secret": "whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD",
    "deliveryId": _THING,
    "offWhy": "",
    "token": "pVx3lT0u0nV1m8Jw2Zb7",
    "code": "7KQM 2PXA",
    **dict.fromkeys(("If-Match", "If-None-Match"), '"3-9f2c41d07b3e55a1"'),
    "Last-Event-ID": "0195a1c2-7b3d-7e4f-8a90-1b2c3d4e5f60:12",
    "Idempotency-Key": "6f1d0c5e-8e0a-4c53-9f43-0a2b9c1d7e55",
    # Dates and times.
    **dict.fromkeys(
        [
            "startsAt",
            "createdAt",
            "updatedAt",
            "answeredAt",
            "decidedAt",
            "changedAt",
            "deletedElsewhereAt",
            "failingSince",
            "settledAt",
            "lastUsedAt",
            "requestedAt",
            "joinedAt",
            "lastStartsAt",
            "publishAt",
            "sendAt",
            "sentAt",
            "invitedAt",
            "publishesAt",
            "removesAt",
            "from",
            "fromDate",
        ],
        _AT,
    ),
    **dict.fromkeys(
        ("endsAt", "expiresAt", "dueAt", "until", "revokedAt", "passesOnAt", "newStartsAt", "next", "to", "toDate"),
        _LATER,
    ),
    **dict.fromkeys(
        ("startsLocal", "originalDate", "newOriginalDate", "betterStart", "dates", "exdatesWithoutDate"), _LOCAL
    ),
    **dict.fromkeys(("endsLocal", "exdates", "rdates", "insteadOf"), "2027-03-02T20:00:00"),
    "timeZone": "Europe/Berlin",
    "heir": "Ben",
    "silentMonths": "2027-02",
    "quietFrom": "22:00",
    "quietUntil": "07:00",
    # Locations.
    "street": "Breite Str. 30",
    "postalCode": "10178",
    "locality": "Berlin",
    "region": "Berlin",
    "country": "DE",
    "latitude": "52.517",
    "tag": "board games",
    "language": "en",
    "near": "52.52,13.40",
    "longitude": "13.402",
    **dict.fromkeys(("startsOn", "endsOn"), "2027-03-02"),
    "smallUrl": "https://meet.example/pictures/board-games/small",
    # Texts that people write.
    "tags": "cooperative games",
    "languages": "de",
    "alt": "Six people around a table full of cards.",
    "title": "Board games",
    "query": "q=jazz&near=52.52%2C13.40&within=25",
    "name": "Town library",
    "groupName": "Board gamers",
    "groupDescription": "We play on Tuesdays.",
    "text": "The library is closed next week: we meet at the café.",
    "decision": "It was a quote.",
    "held": "0195a1c2-7b3d-7e4f-8a90-1b2c3d4e5f60",
    "note": "did:plc:ewvi7nxzyoun6zhxrhs64oiz",
    "description": "Bring a game, or play one of ours.",
    **dict.fromkeys(("q", "searchedFor"), "games"),
    **dict.fromkeys(("sentence", "sentenceBefore", "sentenceAfter"), "Every Tuesday at 18:00"),
    **dict.fromkeys(("statusReason", "reason"), "The library is closed that day."),
    **dict.fromkeys(("field", "fields", "differsIn", "keepsOwn"), "title"),
    **dict.fromkeys(("before", "yours", "theirs"), "Board games"),
    # Data from other systems.
    "csv": "name,email\r\nAna,ana@example.org\r\n",
    "uid": "choir-practice@calendar.example",
    "when": "Every Tuesday at 18:00",
    **dict.fromkeys(
        ("warnings", "leftOut"), "Its time zone ‘Custom’ is unknown, so its times are read as Europe/Berlin time."
    ),
    "events": "choir-practice@calendar.example",
    "made": "/events/board-games-k7x2p",
    "updated": "/events/chess-night-p3m9a",
    "updates": "tea@calendar.example",
    "service": "Luma",
    "status": "approved",
    "header": "email",
    "message": "We have moved here. Come along!",
    # Calendars.
    "place": "Town library, Berlin",
    "calendar": "Choir",
    "host": "calendar.example",
    "problem": "calendar.example did not answer in time.",
    "notice": "Anyone can read this and copies may remain.",
    "handleDomain": ".town.example",
    "accountServer": "https://pds.example",
    "syncedAt": "2027-02-01T09:00:00.000Z",
    "recordCid": "bafyreidfayvfuwqa7qlnopdjiqrxzs6blmoeu4rujcjtnci5beludirz2a",
    "fetchedAt": _AT,
    "nextFetchAt": _LATER,
    "ics": "BEGIN:VCALENDAR\r\nVERSION:2.0\r\nEND:VCALENDAR\r\n",
    "kind": "event_changed",
    "state": "published",
    "words": "Synced",
    "joinQuestion": "Which game do you like best?",
    "answer": "Carcassonne",
    "refused": "EventOver",
    "why": "This event is over.",
    "which": "going",
    "act": "the edit",
}

VALUES: Final[dict[str, Any]] = {
    "rule": "FREQ=WEEKLY;BYDAY=TU",
    "recurrence": "FREQ=WEEKLY;BYDAY=TU",
    "structured": {"frequency": "weekly", "byDay": [{"day": "tu"}]},
    "record": {"$type": "community.lexicon.calendar.event", "name": "Board games", "createdAt": _AT},
    "audience": {"anybody": "read"},
    "columns": {"name": "Full name", "email": "E-mail"},
}

NUMBERS: Final = {
    "recipients": 12,
    "unreached": 1,
    "capacity": 12,
    "onlineUrlFrom": 60,
    "width": 1600,
    "height": 900,
    "status": 404,
    "durationSeconds": 7200,
    "revision": 3,
    "expiresInDays": 90,
    "absenceDays": 90,
    "waitDays": 14,
    "digestHour": 18,
    "dates": 12,
    **dict.fromkeys(("changes", "known", "newPeople", "knownPeople", "people", "expectedPeople"), 12),
    "line": 2,
    "within": 25,
    "limit": 30,
}


class NoExample(Exception):
    """A text field has no example. This is a programming error that no client can cause."""


def example_of(shape: Any, name: str = "") -> Any:
    """An example value of this type, as JSON. ``name`` is the field or parameter that holds the value."""
    return _example_of(inspect.type_info(shape), name)


def _example_of(kind: inspect.Type, name: str) -> Any:
    if name in VALUES:
        return VALUES[name]
    match kind:
        case inspect.StructType():
            declared_example = getattr(kind.cls, "EXAMPLE", None)
            return declared_example or {
                field.encode_name: _example_of(field.type, field.encode_name) for field in kind.fields
            }
        case inspect.UnionType():
            return next(_example_of(one, name) for one in kind.types if not isinstance(one, inspect.NoneType))
        case inspect.LiteralType():
            return kind.values[0]
        case inspect.EnumType():
            return next(iter(kind.cls)).value
        case inspect.BoolType():
            return False
        case inspect.IntType():
            return NUMBERS.get(name, 1)
        case inspect.ListType() | inspect.VarTupleType():
            return [_example_of(kind.item_type, name)]
        case inspect.DictType() if not name:
            # The only body of this type is the export of all data.
            return {"openmeetExport": 1, "kind": "person", "exportedAt": _AT}
        case inspect.StrType() if name in TEXTS:
            return TEXTS[name]
        case _:
            raise NoExample(
                f"Give {name!r} ({type(kind).__name__}) an example in openmeet/web/api/examples.py, or in"
                " openmeet/domain/events/content.py if it is an input of events."
            )
