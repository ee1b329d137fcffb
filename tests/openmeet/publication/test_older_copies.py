"""An older copy of her repository is brought in, and heard of late: what she answered here since then is the latest word."""

from datetime import UTC, datetime

import pytest

from at_network.xrpc_client import XrpcClient
from at_protocol.repo.car import MEDIA_TYPE
from groundwork.clock import MINUTE
from openmeet.domain.attendance.model import RsvpReply
from openmeet.domain.events.model import Event
from openmeet.domain.users.model import Caller
from openmeet.network.records.collections import RSVP
from tests.openmeet.publication.test_recalls import delete, edit, records, settle
from tests.openmeet.publication.test_repositories_read_whole import answers, read_whole, write
from tests.openmeet.town import Town

NOTE = {"$type": "com.example.note", "text": "later"}


async def _did(app: XrpcClient) -> str:
    return str((await app.query("com.atproto.server.getSession"))["did"])


async def copy_of(town: Town) -> bytes:
    app = await town.stranger("cleo")
    return (await app.download("com.atproto.sync.getRepo", {"did": await _did(app)}, max_bytes=1_000_000)).body


async def turn_back(town: Town, copy: bytes) -> None:
    """Her repository is what it was, under a new commit whose operations nobody announces."""
    town.clock.turn(MINUTE)
    await (await town.stranger("cleo")).upload("com.atproto.repo.importRepo", copy, MEDIA_TYPE)
    town.clock.turn(MINUTE)


async def answered(town: Town) -> tuple[Caller, Event, bytes]:
    """Her answer stands in her repository, and in no copy of it that she has."""
    ana, cleo = await town.person(), await town.connected()
    event = await town.event(ana)
    await settle(town, ana)
    await write(town, "com.example.note", NOTE)
    copy = await copy_of(town)
    await town.answer(cleo, event.slug, RsvpReply.DECLINED)
    await settle(town, cleo)
    assert len(await records(town, RSVP)) == 1
    return cleo, event, copy


async def read_later(town: Town, cleo: Caller) -> None:
    """A reading, as of a commit behind all of it."""
    town.clock.turn(MINUTE)
    await write(town, "com.example.note", NOTE)
    await read_whole(town, await town.identity(cleo.user_id))


async def statuses(town: Town) -> list[str]:
    return [status for status, _ in await answers(town)]


async def test_a_copy_that_is_read_before_it_is_announced(town: Town):
    """The reading finds her record gone, as of after her newer answer; that it went with the copy is told by the stream."""
    cleo, event, copy = await answered(town)
    await turn_back(town, copy)
    await town.answer(cleo, event.slug, RsvpReply.INTERESTED)
    await read_later(town, cleo)
    assert await answers(town) == [("declined", None)], "a reading decides at once"
    await town.listen(cleo.user_id)
    await settle(town, cleo)
    (again,) = await records(town, RSVP)
    assert await answers(town) == [("interested", again["uri"])]
    assert again["value"]["status"] == f"{RSVP}#interested"


async def test_a_copy_that_is_announced_before_it_is_read(town: Town):
    cleo, event, copy = await answered(town)
    await turn_back(town, copy)
    await town.listen(cleo.user_id)
    await town.answer(cleo, event.slug, RsvpReply.INTERESTED)
    await read_later(town, cleo)
    await settle(town, cleo)
    (again,) = await records(town, RSVP)
    assert await answers(town) == [("interested", again["uri"])]


async def test_a_copy_that_is_found_by_writing_before_the_repository_is_read(town: Town):
    """Who wants to write her newer answer finds nothing there, and tells; the reading that is owed comes later."""
    cleo, event, copy = await answered(town)
    await turn_back(town, copy)
    await town.listen(cleo.user_id)
    await town.answer(cleo, event.slug, RsvpReply.INTERESTED)
    town.clock.turn(MINUTE)
    await write(town, "com.example.note", NOTE)
    await town.pay()
    await town.ingest()
    assert await answers(town) == [("interested", None)], "what was announced and not read is known to be older"
    town.clock.turn(MINUTE)
    await write(town, "com.example.note", NOTE)
    await town.pay_debts()
    await settle(town, cleo)
    (again,) = await records(town, RSVP)
    assert await answers(town) == [("interested", again["uri"])]


async def test_of_two_copies_the_first_may_have_changed_it(town: Town):
    """Nothing says that her record went with the second one, and between them she has answered."""
    cleo, event, copy = await answered(town)
    await turn_back(town, copy)
    await town.listen(cleo.user_id)
    await town.answer(cleo, event.slug, RsvpReply.INTERESTED)
    town.clock.turn(MINUTE)
    await write(town, "com.example.note", NOTE)
    await turn_back(town, copy)
    await town.listen(cleo.user_id)
    await read_later(town, cleo)
    await settle(town, cleo)
    (again,) = await records(town, RSVP)
    assert await answers(town) == [("interested", again["uri"])]


async def test_an_answer_of_before_the_copy_gives_way_to_it(town: Town):
    cleo, event, copy = await answered(town)
    await town.answer(cleo, event.slug, RsvpReply.INTERESTED)
    await turn_back(town, copy)
    await read_later(town, cleo)
    await town.listen(cleo.user_id)
    await settle(town, cleo)
    assert await answers(town) == [("declined", None)]
    assert await records(town, RSVP) == []


async def test_what_her_app_wrote_after_what_was_missed_was_not_missed(town: Town):
    """A copy is announced; then she answers here, and last in her app. Who reads all of it at once sees that this is the newest."""
    cleo, event, _ = await answered(town)
    (record,) = await records(town, RSVP)
    with_it = await copy_of(town)
    await write(town, "com.example.note", NOTE)
    await turn_back(town, with_it)
    await town.listen(cleo.user_id)
    await town.answer(cleo, event.slug, RsvpReply.INTERESTED)
    town.clock.turn(MINUTE)
    now = datetime.fromtimestamp(town.clock.now() / 1e6, UTC).strftime("%Y-%m-%dT%H:%M:%S.000Z")
    await edit(town, record, status=f"{RSVP}#going", createdAt=now)
    await read_later(town, cleo)
    await town.pay()
    await town.listen(cleo.user_id)
    await settle(town, cleo)
    assert await statuses(town) == ["attending"]
    (record,) = await records(town, RSVP)
    assert record["value"]["status"] == f"{RSVP}#going"


@pytest.mark.parametrize("is_deleted", [True, False])
@pytest.mark.parametrize("is_paid_between", [True, False])
async def test_what_her_app_said_after_the_copy_is_no_older_for_it(
    town: Town, *, is_deleted: bool, is_paid_between: bool
):
    """The copy left her record as it was. Her app's word is later than her answer here, and the stream tells of both at last."""
    cleo, event, _ = await answered(town)
    copy = await copy_of(town)
    await write(town, "com.example.note", NOTE)
    await turn_back(town, copy)
    await town.answer(cleo, event.slug, RsvpReply.INTERESTED)
    town.clock.turn(MINUTE)
    (record,) = await records(town, RSVP)
    if is_deleted:
        await delete(town, record)
    else:
        await edit(town, record, status=f"{RSVP}#going")
    await read_later(town, cleo)
    expected = "declined" if is_deleted else "attending"
    assert await statuses(town) == [expected]
    if is_paid_between:
        await town.pay()
    await town.listen(cleo.user_id)
    await settle(town, cleo)
    assert await statuses(town) == [expected]
    assert len(await records(town, RSVP)) == (0 if is_deleted else 1)
