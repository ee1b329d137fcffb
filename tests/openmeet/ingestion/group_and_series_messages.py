"""Firehose messages about groups, memberships and series that other apps wrote."""

import pytest

from at_protocol.data.cid import Cid
from groundwork.clock import HandClock
from groundwork.database.transaction import Database
from openmeet.domain.groups.model import GroupRole
from openmeet.feature_flags.flags import MAX_AGE, Flag
from openmeet.network.flag_changes import switch
from openmeet.network.records.collections import ACCEPTANCE, GROUP, MEMBERSHIP, SERIES, SERIES_LINK_KEY
from openmeet.network.records.group import ROLE_TOKENS
from openmeet.network.records.message import RecordMessage
from tests.openmeet.ingestion.network import did, event, message, rev
from tests.simulation.oracle import Change

CID = str(Cid.for_cbor(b"\xa0"))
CHESS_URI = f"at://{did(1)}/{GROUP}/chess"
WEEKLY_URI = f"at://{did(1)}/{SERIES}/weekly"


def group_message(at: int, author: int = 1, rkey: str = "chess", **fields: object) -> RecordMessage:
    value = {"$type": GROUP, "name": "Chess", "createdAt": "2026-01-01T00:00:00Z", **fields}
    return message(Change(did(author), GROUP, rkey, rev(at), value))


def membership_message(
    at: int, author: int = 2, uri: str = CHESS_URI, rkey: str = "m", **fields: object
) -> RecordMessage:
    value = {"$type": MEMBERSHIP, "group": uri, "createdAt": "2026-01-01T00:00:00Z", **fields}
    return message(Change(did(author), MEMBERSHIP, rkey, rev(at), value))


def acceptance_message(
    at: int,
    member: int = 2,
    author: int = 1,
    uri: str = CHESS_URI,
    role: GroupRole = GroupRole.MEMBER,
    **fields: object,
) -> RecordMessage:
    """The group's acceptance of the membership that ``membership_message`` states."""
    value = {
        "$type": ACCEPTANCE,
        "group": uri,
        "member": did(member),
        "membership": {"uri": f"at://{did(member)}/{MEMBERSHIP}/m", "cid": CID},
        "role": ROLE_TOKENS[role],
        "createdAt": "2026-01-01T00:00:00Z",
        **fields,
    }
    return message(Change(did(author), ACCEPTANCE, f"a{member}", rev(at), value))


@pytest.fixture
async def flags_on(db: Database, clock: HandClock) -> None:
    await _switch_on(db, clock, Flag.SERIES_LEXICON, Flag.NATIVE_RECURRENCE)


@pytest.fixture
async def group_flags_on(db: Database, clock: HandClock) -> None:
    await _switch_on(db, clock, Flag.GROUPS, Flag.MEMBERSHIPS)


async def _switch_on(db: Database, clock: HandClock, *flags: Flag) -> None:
    for flag in flags:
        async with db.transaction() as tx:
            await switch(tx, flag, is_on=True, changed_by="a test")
    clock.turn(MAX_AGE)


def series_message(at: int, author: int = 1, collection: str = SERIES, **fields: object) -> RecordMessage:
    value = {
        "$type": collection,
        "name": "Games",
        "timezone": "Europe/Vienna",
        "dtstart": "2026-03-07T18:00:00",
        "durationMinutes": 120,
        "rrule": ["FREQ=WEEKLY"],
        "exdate": ["2026-03-14T18:00:00"],
        "createdAt": "2026-01-01T00:00:00Z",
        **fields,
    }
    return message(Change(did(author), collection, "weekly", rev(at), value))


def date_message(rkey: str, at: int, day: str, author: int = 1, uri: str = WEEKLY_URI) -> RecordMessage:
    link = {"$type": SERIES_LINK_KEY, "series": {"uri": uri}, "recurrenceId": f"{day}T18:00:00"}
    return event(
        author, rkey, at, "Games", startsAt=f"{day}T17:00:00Z", timezone="Europe/Vienna", **{SERIES_LINK_KEY: link}
    )
