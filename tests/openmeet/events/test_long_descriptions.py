"""Descriptions that were stored before there was a limit end up as those that are read now."""

import importlib

from groundwork.clock import HandClock
from openmeet.domain.events import actions as events
from openmeet.domain.events import queries
from openmeet.domain.events.model import MAX_DESCRIPTION
from openmeet.network.records.reader import shortened
from tests.databases import MakeDatabase
from tests.openmeet.ingestion.network import did
from tests.openmeet.ingestion.network import event as message
from tests.openmeet.ingestion.view import take
from tests.openmeet.site_under_test import details, person
from tests.world.oracle import EVENT

LONG = "x" * (MAX_DESCRIPTION - 3) + " \n\té" + "ü" * 5000
AS_LONG_AS_IT_MAY_BE = "y" * MAX_DESCRIPTION


async def test_long_ones_are_cut_and_nothing_else_is_touched(make_database: MakeDatabase, clock: HandClock):
    db = await make_database("openmeet", clock=clock)
    cut = importlib.import_module("openmeet.migrations.versions.0061_long_descriptions")
    await take(db, message(1, "tea", 1), message(1, "coffee", 2))
    uris = [f"at://{did(1)}/{EVENT}/{rkey}" for rkey in ("tea", "coffee")]
    async with db.transaction() as tx:
        mine = await made_here(tx)
        for text, key, value in ((LONG, "record_uri", uris[0]), (AS_LONG_AS_IT_MAY_BE, "record_uri", uris[1])):
            await tx.execute(f"update events set description = :text where {key} = :value", text=text, value=value)
        await tx.execute("update events set description = :text where id = :id", text=LONG, id=mine)
    async with db.transaction() as tx:
        for statement in filter(str.strip, cut.SQL.split(";\n")):
            await tx.execute(statement)
    async with db.reader() as reader:
        tea, coffee = [await queries.by_record_uri(reader, uri) for uri in uris]
        own = await queries.by_id(reader, mine)
    assert tea is not None
    assert coffee is not None
    assert own is not None
    assert tea.description == shortened(LONG, MAX_DESCRIPTION)
    assert len(tea.description) <= MAX_DESCRIPTION
    assert (coffee.description, own.description) == (AS_LONG_AS_IT_MAY_BE, LONG)


async def made_here(tx):
    """An event that was made here: what its host typed is theirs."""
    host = await person(tx, "Ana")
    return (await events.create(tx, host, details())).id
