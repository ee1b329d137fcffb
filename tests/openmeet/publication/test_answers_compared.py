"""A host has the answers compared with the repositories they are in: what vanished unheard is found, and nobody is written to."""

from at_protocol.syntax.at_uri import parse_at_uri
from openmeet.attendance.comparing import compare_answers
from openmeet.attendance.model import Reply
from openmeet.debts.publications import Kind, State
from openmeet.events.queries import by_slug
from openmeet.records.collections import RSVP
from tests.openmeet.ingestion.network import rsvp_value
from tests.openmeet.town import Town


async def test_a_record_that_vanished_unheard_is_found(town: Town):
    """Of somebody who answered here, and of somebody who answered elsewhere; who is still there stays."""
    ana, cleo = await town.person(), await town.connected()
    event = await town.event(ana)
    await town.pay()
    mine = await town.answer(cleo, event.slug, Reply.GOING)
    await town.pay()
    uri = (await town.standing(Kind.EVENT, event.id)).uri
    assert uri is not None
    for name in ("dora", "emil"):
        await town.account(name)
        app = await town.stranger(name)
        did = (await app.query("com.atproto.server.getSession"))["did"]
        cid = (await town.record(uri))["cid"]
        record = {**rsvp_value(uri), "subject": {"uri": uri, "cid": cid}, "createdAt": "2026-01-01T00:00:00Z"}
        await app.procedure(
            "com.atproto.repo.createRecord",
            {"repo": did, "collection": RSVP, "rkey": "3kaaaaaaaaa22", "record": record},
        )
        await town.follow_until(did, lambda state: state.known is not None)

    async def going() -> int:
        async with town.db.reader() as reader:
            rows = await reader.fetch(
                "select id from attendances where event_id = :id and status = 'attending'", id=event.id
            )
        return len(rows)

    assert await going() == 3
    ours = (await town.standing(Kind.RSVP, mine.id)).uri
    assert ours is not None
    for name, key in (("cleo", str(parse_at_uri(ours).rkey)), ("dora", "3kaaaaaaaaa22")):
        app = await town.stranger(name)
        did = (await app.query("com.atproto.server.getSession"))["did"]
        await app.procedure("com.atproto.repo.deleteRecord", {"repo": did, "collection": RSVP, "rkey": key})
    async with town.db.transaction() as tx:
        current = await by_slug(tx, event.slug)
        assert current is not None
        assert await compare_answers(tx, current) == 3
    await town.pay_debts()
    assert await going() == 1
    assert (await town.standing(Kind.RSVP, mine.id)).state is State.RETRACTED
    await town.pay()
    app = await town.stranger("cleo")
    did = (await app.query("com.atproto.server.getSession"))["did"]
    listed = await app.query("com.atproto.repo.listRecords", {"repo": did, "collection": RSVP})
    assert listed["records"] == [], "nothing is written again against her deletion"
