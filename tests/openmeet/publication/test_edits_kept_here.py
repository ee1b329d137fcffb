"""What is edited here and not written into the record that is there: nobody's edit elsewhere takes it away (invariant 6)."""

from typing import Any

from groundwork.clock import MINUTE
from openmeet.attendance import hosting
from openmeet.debts.publications import Kind
from openmeet.events import actions as events
from openmeet.events.model import Event
from openmeet.events.queries import by_id
from openmeet.ingestion import conflicts
from openmeet.ingestion.merge import Side
from openmeet.records.collections import EVENT
from openmeet.users.model import Caller
from tests.openmeet.publication.test_lent_accounts import edit as edit_together
from tests.openmeet.publication.test_lent_accounts import with_co_host
from tests.openmeet.publication.test_recalls import agree, delete, edit, records, settle, withdraw
from tests.openmeet.town import Town, details


async def shown(town: Town, event: Event) -> Event:
    async with town.db.reader() as reader:
        found = await by_id(reader, event.id)
    assert found is not None
    return found


async def revise(town: Town, who: Caller, event: Event, **typed: str) -> None:
    async with town.db.transaction() as tx:
        await hosting.revise(tx, who, event.slug, details(**typed))


async def decided(town: Town, uri: str) -> list[tuple[str, str, str, Side]]:
    async with town.db.reader() as reader:
        found = await conflicts.of_record(reader, uri)
    return [(one.decision.field, one.decision.ours, one.decision.theirs, one.decision.result) for one in found]


async def tea_of_another_app(town: Town, cleo: Caller) -> tuple[dict[str, Any], Event]:
    """The record that another app of hers wrote, and the event that it became here."""
    app = await town.stranger("cleo")
    did = (await app.query("com.atproto.server.getSession"))["did"]
    value = {"$type": EVENT, "name": "Tea", "createdAt": "2026-01-01T00:00:00.000Z", "startsAt": "2037-04-01T16:00:00Z"}
    await app.procedure("com.atproto.repo.createRecord", {"repo": did, "collection": EVENT, "record": value})
    await settle(town, cleo)
    (record,) = await records(town, EVENT)
    async with town.db.reader() as reader:
        row = await reader.fetch_one("select id from events")
        assert row is not None
        event = await by_id(reader, row["id"])
    assert event is not None
    return record, event


async def test_a_name_for_fewer_people_outlives_the_name_in_the_record(town: Town):
    """Her app's record is narrowed and renamed here, then renamed there: both names stand, and what gave way is on record."""
    cleo = await town.connected()
    record, event = await tea_of_another_app(town, cleo)
    await revise(town, cleo, event, title="Tea at ours", visibility="unlisted")
    await settle(town, cleo)
    assert (await town.record(record["uri"]))["name"] == "Tea"
    await edit(town, record, name="Tea for all", theme="blue")
    await settle(town, cleo)
    await edit(town, record, name="Tea for all", theme="green")
    await settle(town, cleo)
    assert (await shown(town, event)).title == "Tea at ours"
    assert (await town.record(record["uri"]))["name"] == "Tea for all"
    assert ("name", "Tea at ours", "Tea for all", Side.OURS) in await decided(town, record["uri"])
    await revise(town, cleo, event, title="Tea at ours", visibility="public")
    await settle(town, cleo)
    there = await town.record(record["uri"])
    assert (there["name"], there["theme"]) == ("Tea at ours", "green")


async def test_names_in_the_record_follow_each_other_where_only_other_words_were_given_here(town: Town):
    """Described here before any record was hers to write: each later name of the record is taken, the description stays."""
    cleo = await town.connected()
    record, event = await tea_of_another_app(town, cleo)
    await revise(town, cleo, event, title="Tea", description="In the garden.", visibility="unlisted")
    await settle(town, cleo)
    for name in ("Coffee", "Cocoa", "Milk"):
        await edit(town, record, name=name)
        await settle(town, cleo)
        now = await shown(town, event)
        assert (now.title, now.description) == (name, "In the garden.")


async def test_what_was_never_sent_outlives_the_record_and_is_there_when_it_comes_back(town: Town):
    """Her app deletes the record before it has heard how she describes the event now, and brings an older copy of it in later."""
    cleo = await town.connected()
    event = await town.event(cleo, title="Tea")
    await settle(town, cleo)
    (record,) = await records(town, EVENT)
    await revise(town, cleo, event, title="Tea", description="In the garden.")
    town.clock.turn(MINUTE)
    await delete(town, record)
    await town.listen(cleo.user_id)
    assert (await shown(town, event)).is_gone
    await settle(town, cleo)
    town.clock.turn(MINUTE)
    app = await town.stranger("cleo")
    _, _, did, _, rkey = record["uri"].split("/")
    again = {"repo": did, "collection": EVENT, "rkey": rkey, "record": {**record["value"], "name": "Green tea"}}
    await app.procedure("com.atproto.repo.putRecord", again)
    await settle(town, cleo)
    now = await shown(town, event)
    assert (now.is_gone, now.title, now.description) == (False, "Green tea", "In the garden.")
    there = await town.record(record["uri"])
    assert (there["name"], there["description"]) == ("Green tea", "In the garden.")


async def test_what_may_not_be_sent_outlives_a_record_of_another_app(town: Town):
    """Described here without a yes to publishing, then deleted in her app and brought back there under an older name: both stand."""
    cleo = await town.connected()
    record, event = await tea_of_another_app(town, cleo)
    await withdraw(town, cleo)
    await revise(town, cleo, event, title="Tea", description="In the garden.")
    await settle(town, cleo)
    await delete(town, record)
    await settle(town, cleo)
    assert (await shown(town, event)).is_gone
    _, _, did, _, rkey = record["uri"].split("/")
    app = await town.stranger("cleo")
    older = {"repo": did, "collection": EVENT, "rkey": rkey, "record": {**record["value"], "name": "Green tea"}}
    await app.procedure("com.atproto.repo.putRecord", older)
    await settle(town, cleo)
    now = await shown(town, event)
    assert (now.is_gone, now.title, now.description) == (False, "Green tea", "In the garden.")
    assert "description" not in await town.record(record["uri"])
    await agree(town, cleo)
    await settle(town, cleo)
    there = await town.record(record["uri"])
    assert (there["name"], there["description"]) == ("Green tea", "In the garden.")


async def test_a_yes_while_the_record_is_gone_gives_up_nothing(town: Town):
    """As above, but she agrees before the record is back: there is nothing to write by then, and what she typed still is hers."""
    cleo = await town.connected()
    app = await town.stranger("cleo")
    did = (await app.query("com.atproto.server.getSession"))["did"]
    value = {"$type": EVENT, "name": "Tea", "createdAt": "2026-01-01T00:00:00.000Z", "startsAt": "2037-04-01T16:00:00Z"}
    await app.procedure("com.atproto.repo.createRecord", {"repo": did, "collection": EVENT, "record": value})
    await settle(town, cleo)
    (record,) = await records(town, EVENT)
    async with town.db.reader() as reader:
        row = await reader.fetch_one("select id from events")
        assert row is not None
        event = await by_id(reader, row["id"])
    assert event is not None
    await withdraw(town, cleo)
    await revise(town, cleo, event, title="Tea at ours")
    await settle(town, cleo)
    await delete(town, record)
    await settle(town, cleo)
    await agree(town, cleo)
    await settle(town, cleo)
    _, _, _, _, rkey = record["uri"].split("/")
    app = await town.stranger("cleo")
    older = {"repo": did, "collection": EVENT, "rkey": rkey, "record": record["value"]}
    await app.procedure("com.atproto.repo.putRecord", older)
    await settle(town, cleo)
    assert (await shown(town, event)).title == "Tea at ours"
    assert (await town.record(record["uri"]))["name"] == "Tea at ours"


async def test_a_co_hosts_edit_that_waits_outlives_an_edit_of_the_record(town: Town):
    """The author's app renames what a co-host has renamed here: the co-host's name waits on, and goes out with the yes."""
    ana, ben, event, uri = await with_co_host(town)
    await town.listen(ana.user_id)
    await edit_together(town, ben, event, "Coffee")
    record = await town.record(uri)
    _, _, did, _, rkey = uri.split("/")
    renamed = {name: value for name, value in record.items() if name != "cid"} | {"name": "Tea, again"}
    own = await town.own_client(await town.identity(ana.user_id))
    await own.procedure(
        "com.atproto.repo.putRecord", {"repo": did, "collection": EVENT, "rkey": rkey, "record": renamed}
    )
    await town.listen(ana.user_id)
    assert (await shown(town, event)).title == "Coffee"
    assert await decided(town, uri) == [("name", "Coffee", "Tea, again", Side.OURS)]
    async with town.db.transaction() as tx:
        await events.agree_to_record(tx, ana, event.slug)
    await town.pay()
    assert (await town.record(uri))["name"] == "Coffee"
    assert (await town.standing(Kind.EVENT, event.id)).uri == uri
