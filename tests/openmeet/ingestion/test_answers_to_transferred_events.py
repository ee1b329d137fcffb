"""An event of this site is handed over to another owner. Answers to either of its records, in any order, become one
answer per person to one event.
"""

import random

import pytest

from at_protocol.data import cbor
from groundwork.database.transaction import Database
from openmeet.domain.attendance import actions as attendance
from openmeet.domain.attendance.model import RsvpReply
from openmeet.domain.attendance.queries import find as find_attendance
from openmeet.domain.events import actions, event_records, ownership
from openmeet.domain.events.queries import by_id
from openmeet.domain.identities import queries as identities
from openmeet.domain.identities.model import IdentityKind
from openmeet.domain.users.model import Caller
from openmeet.network.records.message import RecordMessage
from openmeet.network.records.rsvp import read_rsvp
from openmeet.network.records.versions import version_of
from openmeet.outbox import ingested_changes
from openmeet.outbox.publications import PublicationKind
from tests.databases import MakeDatabase
from tests.openmeet.ingestion.network import deletion_of, did, event, rsvp
from tests.openmeet.ingestion.succession import CREATION_DATES, NEW_URI, OLD_URI, WITH_PREDECESSOR, WITH_SUCCESSOR
from tests.openmeet.ingestion.view import WORDS, apply_messages
from tests.openmeet.site_under_test import details, person
from tests.simulation.oracle import RSVP

ROUNDS = 6


def written(chance: random.Random, author: int, number: int, about: str) -> tuple[RecordMessage, tuple[str, str], str]:
    """A message with an answer, its precedence, and its status."""
    day, word = chance.choice(CREATION_DATES), chance.choice(("going", "interested", "notgoing"))
    said = rsvp(author, f"a{number}", 10 * number + author, about, word, createdAt=day)
    read = read_rsvp(RSVP, cbor.decode(said.body or b""), rkey=said.rkey)
    return said, (read.precedence, said.uri), word


async def deliver(db: Database, messages: list[RecordMessage], chance: random.Random) -> None:
    queue = messages + chance.choices(messages, k=len(messages) // 3)
    chance.shuffle(queue)
    while queue:
        size = chance.randint(1, 6)
        await apply_messages(db, *queue[:size])
        del queue[:size]


async def begin(db: Database) -> tuple[Caller, Caller, str]:
    """Ana's event with its record. Ben has a repository too."""
    async with db.transaction() as tx:
        ana, ben = await person(tx, "Ana"), await person(tx, "Ben")
        for number, who in enumerate((ana, ben)):
            await identities.insert(
                tx, did(number), who.user_id, IdentityKind.CONNECTED, handle="", pds_url="", is_default=True
            )
        made = await actions.create(tx, ana, details())
    said = event(0, "tea", 1)
    async with db.transaction() as tx:
        await attach(tx, made.id, said)
    await apply_messages(db, said)
    return ana, ben, made.id


async def attach(tx, event_id: str, said: RecordMessage) -> None:
    """Attach a record that the publisher wrote and that has not arrived from the network yet."""
    assert await ingested_changes.attach_foreign_record(
        tx, version_of(said), kind=PublicationKind.EVENT, subject_id=event_id
    )


async def walk(db: Database, seed: int) -> None:
    chance = random.Random(seed)
    _, ben, event_id = await begin(db)
    early: list[RecordMessage] = []
    late = [event(0, "tea", 60, **WITH_SUCCESSOR), event(0, "tea", 61, "Not Ana's any more", **WITH_SUCCESSOR)]
    counting: dict[str, dict[tuple[str, str], str]] = {}
    for author in range(2, 2 + ROUNDS):
        for number in range(chance.randint(1, 3)):
            is_early = chance.random() < 0.5
            said, weight, word = written(
                chance, author, number, OLD_URI if is_early else chance.choice((OLD_URI, NEW_URI))
            )
            (early if is_early else late).append(said)
            if chance.random() < 0.2:
                late.append(deletion_of(said, 90 + number))
            else:
                counting.setdefault(did(author), {})[weight] = word
    await deliver(db, early, chance) if early else None
    new = event(1, "walk", 50, "Board games", **WITH_PREDECESSOR)
    async with db.transaction() as tx:
        cleo = await person(tx, "Cleo")
        before = await by_id(tx, event_id)
        await attendance.answer(tx, cleo, before.slug, RsvpReply.GOING)
        await ownership.change(tx, [before], ben.user_id)
        await attach(tx, event_id, new)
    await deliver(db, [*late, new], chance)
    async with db.reader() as reader:
        rows = await reader.fetch("select id, title, record_uri, author_id, removed_at from events")
        answers = await reader.fetch(
            "select i.did, a.status, a.record_uri, a.event_id from attendances a "
            "join identities i on i.user_id = a.user_id"
        )
        found = {(await event_records.find(reader, uri)).id for uri in (OLD_URI, NEW_URI)}
        mine = await find_attendance(reader, event_id, cleo.user_id)
    assert [(row["id"], row["record_uri"], row["author_id"], row["removed_at"]) for row in rows] == [
        (event_id, NEW_URI, ben.user_id, None)
    ], f"seed {seed}"
    assert found == {event_id}
    assert mine is not None
    assert len(answers) == len({row["did"] for row in answers}), f"seed {seed}"
    in_rows = {row["did"]: WORDS[row["status"]] for row in answers if row["record_uri"] is not None}
    assert in_rows == {one: left[max(left)] for one, left in counting.items()}, f"seed {seed}"


@pytest.mark.parametrize("seed", range(12))
async def test_in_any_order_one_event_and_one_answer_each(make_sqlite: MakeDatabase, seed: int):
    await walk(await make_sqlite("openmeet"), seed)


@pytest.mark.parametrize("seed", range(2))
async def test_any_order_gives_the_same_result_on_both_engines(make_database: MakeDatabase, seed: int):
    await walk(await make_database("openmeet"), 100 + seed)
