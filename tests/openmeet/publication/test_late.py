"""Times that are known late: whose word was last is a matter of when commits were made, not of when they were heard of."""

from typing import Any

import pytest

from groundwork.clock import HOUR, SECOND
from openmeet.attendance.model import Reply
from openmeet.records.collections import EVENT, RSVP
from openmeet.users.model import Caller
from tests.openmeet.publication.test_recalls import delete, edit, records, settle
from tests.openmeet.town import Town


@pytest.fixture
async def cleo(town: Town) -> Caller:
    return await town.connected()


async def said(town: Town) -> tuple[list[str], list[str]]:
    """What her records say, and what counts here."""
    words = [str(record["value"]["status"]).rpartition("#")[2] for record in await records(town, RSVP)]
    async with town.db.reader() as reader:
        rows = await reader.fetch("select status from attendances order by id")
    return words, [row["status"] for row in rows]


async def her_app(town: Town, record: dict[str, Any], word: str | None) -> None:
    """Another app of hers changes an answer, or deletes it."""
    town.clock.turn(SECOND)
    if word is None:
        await delete(town, record)
    else:
        await edit(town, record, status=f"{RSVP}#{word}")
    town.clock.turn(SECOND)


async def elsewhere_in_her_repository(town: Town) -> None:
    """Something else is committed: what is read from now on is as of this commit."""
    town.clock.turn(SECOND)
    (event,) = await records(town, EVENT)
    await edit(town, event, theme="blue")
    town.clock.turn(SECOND)


@pytest.mark.parametrize("word", ["interested", None], ids=["changed", "deleted"])
async def test_the_last_word_is_hers_here_although_a_read_is_younger(town: Town, cleo: Caller, word: str | None):
    """Her app, then she here, then something else in her repository. The payer finds her app's word as of the last of them,
    and the stream says later when it was.
    """
    event = await town.event(cleo)
    await town.answer(cleo, event.slug, Reply.GOING)
    await settle(town, cleo)
    (record,) = await records(town, RSVP)
    await her_app(town, record, word)
    await town.answer(cleo, event.slug, Reply.DECLINED)
    await elsewhere_in_her_repository(town)
    await town.pay()
    town.clock.turn(HOUR)
    await town.ingest()
    await settle(town, cleo)
    assert await said(town) == (["notgoing"], ["declined"])


@pytest.mark.parametrize(
    ("word", "end"), [("interested", (["interested"], ["interested"])), (None, ([], ["declined"]))]
)
async def test_the_last_word_is_her_apps(town: Town, cleo: Caller, word: str | None, end: tuple[list[str], list[str]]):
    """The same with her answer here before that of her app."""
    event = await town.event(cleo)
    await town.answer(cleo, event.slug, Reply.DECLINED)
    await settle(town, cleo)
    (record,) = await records(town, RSVP)
    await town.answer(cleo, event.slug, Reply.GOING)
    await her_app(town, record, word)
    await elsewhere_in_her_repository(town)
    await town.pay()
    town.clock.turn(HOUR)
    await town.ingest()
    await settle(town, cleo)
    assert await said(town) == end


async def test_what_was_said_here_since_is_not_undone(town: Town, cleo: Caller):
    """She answers once more before the stream brings her app's commit."""
    event = await town.event(cleo)
    await town.answer(cleo, event.slug, Reply.GOING)
    await settle(town, cleo)
    (record,) = await records(town, RSVP)
    await her_app(town, record, "interested")
    await town.answer(cleo, event.slug, Reply.DECLINED)
    await elsewhere_in_her_repository(town)
    await town.pay()
    town.clock.turn(HOUR)
    await town.ingest()
    await town.answer(cleo, event.slug, Reply.GOING)
    await settle(town, cleo)
    assert await said(town) == (["going"], ["attending"])


async def test_deleting_another_record_uncovers_ours(town: Town, cleo: Caller):
    """Her app had written an answer of its own, which counted over the one from here; then it deletes it."""
    event = await town.event(cleo)
    await town.answer(cleo, event.slug, Reply.GOING)
    await settle(town, cleo)
    (ours,) = await records(town, RSVP)
    app = await town.stranger("cleo")
    town.clock.turn(SECOND)
    value = {**ours["value"], "status": f"{RSVP}#notgoing", "createdAt": "2026-12-01T00:00:00.000Z"}
    did = ours["uri"].split("/")[2]
    await app.procedure("com.atproto.repo.createRecord", {"repo": did, "collection": RSVP, "record": value})
    await settle(town, cleo)
    assert (await said(town))[1] == ["declined"]
    (theirs,) = [record for record in await records(town, RSVP) if record["uri"] != ours["uri"]]
    await delete(town, theirs)
    await settle(town, cleo)
    assert await said(town) == (["going"], ["attending"])


async def test_going_back_to_our_very_bytes_is_an_answer(town: Town, cleo: Caller):
    """Her app changes the answer from here and changes it back: that is no echo of ours."""
    event = await town.event(cleo)
    await town.answer(cleo, event.slug, Reply.GOING)
    await settle(town, cleo)
    (ours,) = await records(town, RSVP)
    await her_app(town, ours, "notgoing")
    await settle(town, cleo)
    assert await said(town) == (["notgoing"], ["declined"])
    await her_app(town, ours, "going")
    await settle(town, cleo)
    (again,) = await records(town, RSVP)
    assert again["cid"] == ours["cid"]
    assert await said(town) == (["going"], ["attending"])
