"""Histories of series, groups and memberships in any order, with repetitions, in any batches and interleaved, give the
view of the plain model.
"""

import asyncio
import random

import pytest

from at_protocol.data.cid import Cid
from groundwork.clock import HandClock
from groundwork.database.transaction import Database
from openmeet.feature_flags.flags import MAX_AGE, Flag
from openmeet.network.flag_changes import switch
from tests.databases import MakeDatabase
from tests.openmeet.ingestion.network import did, event_value, rev
from tests.openmeet.ingestion.view import apply_shuffled, apply_shuffled_with_retries
from tests.simulation.belonging import (
    ACCEPTANCE,
    GROUP,
    GROUP_EVENT,
    GROUP_LINK,
    MEMBERSHIP,
    ROLES,
    SERIES,
    SERIES_LINK,
    Belonging,
    belonging,
)
from tests.simulation.oracle import EVENT, Change

CREATED = "2026-01-01T00:00:00Z"
CID = str(Cid.for_cbor(b"\xa0"))
PEOPLE = range(1, 5)
KEYS = ("one", "two")
RULES = ("FREQ=WEEKLY", "FREQ=MONTHLY", "FREQ=DAILY;INTERVAL=3")
DAYS = ("2026-03-07", "2026-03-14", "2026-03-21")
HOLDERS = (1, 2)  # authors whose repositories contain series and groups

IN_SERIES = """
    select s.record_uri as series_uri, e.original_date, e.record_uri
      from events e join event_series s on s.id = e.series_id
     where e.removed_at is null and s.deleted_at is null
"""
IN_GROUPS = """
    select g.external_id as group_uri, e.record_uri
      from events e join groups g on g.id = e.group_id
     where e.removed_at is null and g.deleted_at is null
"""
MEMBERS = """
    select g.external_id as group_uri, i.did, m.network_role
      from group_members m join groups g on g.id = m.group_id join identities i on i.user_id = m.user_id
     where g.deleted_at is null and m.network_role <> ''
"""


def history(chance: random.Random, length: int) -> list[Change]:
    """Changes by a few people (created, edited, deleted), ordered by rev."""
    return [_change(chance, number) for number in range(length)]


def _change(chance: random.Random, number: int) -> Change:
    kind = chance.choice(
        (SERIES, GROUP, EVENT, EVENT, EVENT, MEMBERSHIP, MEMBERSHIP, ACCEPTANCE, ACCEPTANCE, GROUP_EVENT)
    )
    author = chance.choice(HOLDERS) if kind in {SERIES, GROUP, ACCEPTANCE, GROUP_EVENT} else chance.choice(PEOPLE)
    key = chance.choice(KEYS)
    if kind == ACCEPTANCE:
        member = chance.choice(PEOPLE)
        # One or two keys for each member and group, because a person can be accepted twice.
        value, key = _acceptance(chance, author, member), f"{member}{key}"
    else:
        value = {SERIES: _series, GROUP: _group, EVENT: _event, MEMBERSHIP: _membership, GROUP_EVENT: _listing}[kind](
            chance, author, number
        )
    gone = chance.random() < 0.2
    return Change(did(author), kind, key, rev(number), None if gone else {"$type": kind, "createdAt": CREATED, **value})


def _series(chance: random.Random, _author: int, number: int) -> dict:
    rule = {"dtstart": "2026-03-07T18:00:00", "durationMinutes": 120, "rrule": [chance.choice(RULES)]}
    return {"name": f"Series {number}", "timezone": "Europe/Vienna", **rule}


def _group(_chance: random.Random, _author: int, number: int) -> dict:
    return {"name": f"Group {number}"}


def _event(chance: random.Random, author: int, number: int) -> dict:
    day = chance.choice(DAYS)
    value = event_value(f"Event {number}", startsAt=f"{day}T17:00:00Z", timezone="Europe/Vienna")
    if chance.random() < 0.7:
        holder = author if chance.random() < 0.8 else chance.choice(HOLDERS)
        link = {
            "series": {"uri": f"at://{did(holder)}/{SERIES}/{chance.choice(KEYS)}"},
            "recurrenceId": f"{day}T18:00:00",
        }
        value[SERIES_LINK] = {"$type": SERIES_LINK, **link}
    if chance.random() < 0.5:
        value[GROUP_LINK] = {"$type": GROUP_LINK, "group": _some_group(chance)}
    return value


def _membership(chance: random.Random, _author: int, _number: int) -> dict:
    return {"group": _some_group(chance)}


def _acceptance(chance: random.Random, author: int, member: int) -> dict:
    answered = {"uri": f"at://{did(member)}/{MEMBERSHIP}/{chance.choice(KEYS)}", "cid": CID}
    group = f"at://{did(author)}/{GROUP}/{chance.choice(KEYS)}"
    return {"group": group, "member": did(member), "membership": answered, "role": f"{GROUP}#{chance.choice(ROLES)}"}


def _listing(chance: random.Random, author: int, _number: int) -> dict:
    event = {"uri": f"at://{did(chance.choice(PEOPLE))}/{EVENT}/{chance.choice(KEYS)}", "cid": CID}
    return {"group": f"at://{did(author)}/{GROUP}/{chance.choice(KEYS)}", "event": event}


def _some_group(chance: random.Random) -> str:
    return f"at://{did(chance.choice(HOLDERS))}/{GROUP}/{chance.choice(KEYS)}"


async def view_of(db: Database) -> Belonging:
    async with db.reader() as reader:
        series = await reader.fetch(
            "select record_uri, name, recurrence_rule from event_series where deleted_at is null"
        )
        groups = await reader.fetch("select external_id as record_uri, name from groups where deleted_at is null")
        dates, members, events = [await reader.fetch(one) for one in (IN_SERIES, MEMBERS, IN_GROUPS)]
    return Belonging(
        {row["record_uri"]: (row["name"], row["recurrence_rule"]) for row in series},
        {(row["series_uri"], row["original_date"]): row["record_uri"] for row in dates},
        {row["record_uri"]: row["name"] for row in groups},
        {(row["group_uri"], row["did"]): row["network_role"] for row in members},
        {row["record_uri"]: row["group_uri"] for row in events},
    )


async def switched_on(make: MakeDatabase, clock: HandClock) -> Database:
    db = await make("openmeet", clock=clock)
    for flag in (Flag.SERIES_LEXICON, Flag.GROUPS, Flag.MEMBERSHIPS):
        async with db.transaction() as tx:
            await switch(tx, flag, is_on=True, changed_by="a test")
    clock.turn(MAX_AGE)
    return db


@pytest.mark.parametrize("seed", range(25))
async def test_any_order_ends_in_the_same_belonging(make_sqlite: MakeDatabase, clock: HandClock, seed: int):
    chance = random.Random(seed)
    db = await switched_on(make_sqlite, clock)
    changes = history(chance, 70)
    await apply_shuffled(db, changes, chance)
    assert await view_of(db) == belonging(changes), f"seed {seed}"


@pytest.mark.parametrize("seed", range(4))
async def test_parallel_processors_end_in_the_same_belonging(make_database: MakeDatabase, clock: HandClock, seed: int):
    """One to four processors apply the same messages, each in a different order."""
    db = await switched_on(make_database, clock)
    changes = history(random.Random(100 + seed), 50)
    await asyncio.gather(
        *(apply_shuffled_with_retries(db, changes, random.Random(seed * 10 + n)) for n in range(seed + 1))
    )
    assert await view_of(db) == belonging(changes), f"seed {seed}"


def test_the_histories_cover_all_cases():
    """Series with dates, members confirmed by both sides in every role, and events of groups, also with other hosts."""
    views = [belonging(history(random.Random(seed), 70)) for seed in range(25)]
    assert min(sum(map(len, (view.groups, view.series, view.members))) for view in views) > 0
    assert sum(len(view.dates) for view in views) > 25
    assert {role for view in views for role in view.members.values()} == set(ROLES)
    assert any(uri.split("/")[2] != group.split("/")[2] for view in views for uri, group in view.events.items())
