"""What in one person's document is theirs, row by row, looked at here: whoever hands the document in could have written anything into it.

Theirs is what names them where its host, its owner or its person is named. Of such a row is let go what only this site could say: which record it
has (unless the person has proved here that the repository is theirs), which account or room speaks for it, and a group in which
they may make no events. What was in such a group is private then: nobody learns of it by its being taken in.
"""

import json
from collections.abc import Callable, Mapping
from typing import Any, Final

from groundwork.database.transaction import Reader
from groundwork.errors import InvalidInput, Refused
from openmeet.domain.data_export.tables import Part
from openmeet.domain.data_export.values import Value, camel
from openmeet.domain.events.model import Visibility
from openmeet.domain.groups import rules
from openmeet.domain.groups.model import GroupId
from openmeet.domain.groups.queries import role_in
from openmeet.domain.groups.rules import Action
from openmeet.domain.users.model import UserId

Row = dict[str, Value]

# The column that says whose a row is, where it is not ``user_id``.
_OWNER: Final[Mapping[str, str]] = {"users": "id", "groups": "owner_id", "events": "author_id"}

# What no document may say. Values stand instead; the key of an account, of a room or of a row elsewhere would open it here.
_SAID_HERE: Final[Mapping[str, Mapping[str, Value]]] = {
    "users": {"kind": "person", "claimed_at": None},
    "groups": {
        "account_id": None,
        "predecessor_uri": None,
        "record_avatar": None,
        "is_read_only": 0,
        "deleted_at": None,
    },
    "event_series": {"matrix_room_id": None, "external_cid": None, "is_read_only": 0},
    "events": {"matrix_room_id": None, "external_cid": None, "origin": "here", "is_read_only": 0},
}

_RECORDS: Final = {
    "events": ("record_uri", "record_cid", "record_did"),
    "event_series": ("record_uri",),
    "attendances": ("record_uri",),
}


async def must_be_the_same(reader: Reader, person: str, email: str, dids: list[str]) -> bool:
    """Whether the person is here already, by the id, and the address or the identity that the document names.

    Raises Refused (``PersonIsHere``): somebody else has the id, or the address.
    """
    known = await reader.fetch_one("select kind, email from users where id = :id", id=person)
    if known is None:
        other = await reader.fetch_one("select id from users where lower(email) = :email", email=email.lower())
        if email and other is not None:
            raise Refused("Somebody else has this e-mail address here.", name="PersonIsHere")
        return False
    if known["kind"] == "person":
        if email and (known["email"] or "").lower() == email.lower():
            return True
        theirs = await reader.fetch(
            "select did from identities where user_id = :id and kind <> 'shadow' order by did", id=person
        )
        if {row["did"] for row in theirs} & set(dids):
            return True
    raise Refused(
        "Somebody is here under the id in this document, with another e-mail address and other identities.",
        name="PersonIsHere",
    )


def must_be_theirs(part: Part, row: Mapping[str, Value], person: str) -> None:
    """Raises InvalidInput for a row that names somebody else where it says whose it is."""
    if row.get(_OWNER.get(part.table, "user_id")) != person:
        raise InvalidInput("file", f"{camel(part.table)} has a row of somebody else.")


async def let_go(reader: Reader, part: Part, row: Row, person: str) -> list[str]:
    """Take out of a row of theirs what is not theirs to say; the names of what is counted for the operator (``records``, ``groups``)."""
    for name in part.without:
        row.pop(name, None)
    row |= {name: value for name, value in _SAID_HERE.get(part.table, {}).items() if name in row}
    gone = []
    if await _lets_record_go(reader, part.table, row, person):
        gone.append("records")
    if part.table in _NARROWED and await _lets_group_go(reader, part.table, row, person):
        gone.append("groups of events")
    return gone


async def _lets_record_go(reader: Reader, table: str, row: Row, person: str) -> bool:
    columns = _RECORDS.get(table, ())
    if not columns or row.get("record_uri") is None:
        return False
    did = str(row["record_uri"]).removeprefix("at://").partition("/")[0]
    proved = await reader.fetch_one(
        "select 1 as found from identities where did = :did and user_id = :person and kind <> 'shadow'",
        did=did,
        person=person,
    )
    if proved is not None and row.get("record_did", did) == did:
        return False
    row |= {name: None for name in columns if name in row}
    return True


async def _lets_group_go(reader: Reader, table: str, row: Row, person: str) -> bool:
    group_id = row.get("group_id")
    if group_id is None or await _may_make_events(reader, str(group_id), person):
        return False
    row["group_id"] = None
    _NARROWED[table](row)
    return True


async def _may_make_events(reader: Reader, group_id: str, person: str) -> bool:
    group = await reader.fetch_one("select owner_id from groups where id = :id and deleted_at is null", id=group_id)
    # The owner's own membership is a row that comes later.
    if group is not None and group["owner_id"] == person:
        return True
    return rules.may(await role_in(reader, GroupId(group_id), UserId(person)), Action.CREATE_EVENT)


def _narrow_event(row: Row) -> None:
    row["visibility"] = Visibility.PRIVATE.value


def _narrow_series(row: Row) -> None:
    text = row.get("template")
    found: Any = json.loads(text) if isinstance(text, str) else {}
    row["template"] = json.dumps({**(found if isinstance(found, dict) else {}), "visibility": Visibility.PRIVATE.value})


_NARROWED: Final[Mapping[str, Callable[[Row], None]]] = {"events": _narrow_event, "event_series": _narrow_series}
