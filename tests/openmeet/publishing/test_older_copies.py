"""An older copy of the repository is restored, and this is noticed late: an answer given on this site since then is the
latest one.
"""

from datetime import UTC, datetime

import pytest

from at_network.xrpc_client import XrpcClient
from at_protocol.repo.car import MEDIA_TYPE
from groundwork.clock import MINUTE
from openmeet.domain.attendance.model import RsvpReply
from openmeet.domain.events.model import Event
from openmeet.domain.users.model import Caller
from openmeet.network.records.collections import RSVP
from tests.openmeet.deployment import Deployment
from tests.openmeet.publishing.answers import stored_answers
from tests.openmeet.publishing.deliveries import publish_and_listen_for_hours, read_repository
from tests.openmeet.publishing.other_app import (
    cleos_records,
    delete_cleos_record,
    edit_cleos_record,
    write_cleos_record,
)

NOTE = {"$type": "com.example.note", "text": "later"}


async def _did(app: XrpcClient) -> str:
    return str((await app.query("com.atproto.server.getSession"))["did"])


async def copy_of(deployment: Deployment) -> bytes:
    app = await deployment.stranger("cleo")
    return (await app.download("com.atproto.sync.getRepo", {"did": await _did(app)}, max_bytes=1_000_000)).body


async def turn_back(deployment: Deployment, copy: bytes) -> None:
    """Restore an older state of the repository, in a new commit whose operations are not announced."""
    deployment.clock.turn(MINUTE)
    await (await deployment.stranger("cleo")).upload("com.atproto.repo.importRepo", copy, MEDIA_TYPE)
    deployment.clock.turn(MINUTE)


async def answered(deployment: Deployment) -> tuple[Caller, Event, bytes]:
    """Cleo's answer is in her repository, but not in the copy."""
    ana, cleo = await deployment.person(), await deployment.connected()
    event = await deployment.event(ana)
    await publish_and_listen_for_hours(deployment, ana)
    await write_cleos_record(deployment, "com.example.note", NOTE)
    copy = await copy_of(deployment)
    await deployment.answer(cleo, event.slug, RsvpReply.DECLINED)
    await publish_and_listen_for_hours(deployment, cleo)
    assert len(await cleos_records(deployment, RSVP)) == 1
    return cleo, event, copy


async def read_later(deployment: Deployment, cleo: Caller) -> None:
    """Read the whole repository, as of a later commit."""
    deployment.clock.turn(MINUTE)
    await write_cleos_record(deployment, "com.example.note", NOTE)
    await read_repository(deployment, await deployment.identity(cleo.user_id))


async def statuses(deployment: Deployment) -> list[str]:
    return [status for status, _ in await stored_answers(deployment)]


async def test_a_restore_that_is_read_before_it_is_announced(deployment: Deployment):
    """The read finds Cleo's record missing as of a commit after her newer answer. The stream says later that the
    restore removed the record.
    """
    cleo, event, copy = await answered(deployment)
    await turn_back(deployment, copy)
    await deployment.answer(cleo, event.slug, RsvpReply.INTERESTED)
    await read_later(deployment, cleo)
    assert await stored_answers(deployment) == [("declined", None)], "a read decides at once"
    await deployment.listen(cleo.user_id)
    await publish_and_listen_for_hours(deployment, cleo)
    (again,) = await cleos_records(deployment, RSVP)
    assert await stored_answers(deployment) == [("interested", again["uri"])]
    assert again["value"]["status"] == f"{RSVP}#interested"


async def test_a_restore_that_is_announced_before_it_is_read(deployment: Deployment):
    cleo, event, copy = await answered(deployment)
    await turn_back(deployment, copy)
    await deployment.listen(cleo.user_id)
    await deployment.answer(cleo, event.slug, RsvpReply.INTERESTED)
    await read_later(deployment, cleo)
    await publish_and_listen_for_hours(deployment, cleo)
    (again,) = await cleos_records(deployment, RSVP)
    assert await stored_answers(deployment) == [("interested", again["uri"])]


async def test_a_restore_that_is_found_by_writing_before_reading(deployment: Deployment):
    """The publisher that wants to write Cleo's newer answer finds no record and reports this. The queued read comes
    later.
    """
    cleo, event, copy = await answered(deployment)
    await turn_back(deployment, copy)
    await deployment.listen(cleo.user_id)
    await deployment.answer(cleo, event.slug, RsvpReply.INTERESTED)
    deployment.clock.turn(MINUTE)
    await write_cleos_record(deployment, "com.example.note", NOTE)
    await deployment.deliver_publications()
    await deployment.ingest()
    assert await stored_answers(deployment) == [("interested", None)], (
        "an announced but unread version is known to be older"
    )
    deployment.clock.turn(MINUTE)
    await write_cleos_record(deployment, "com.example.note", NOTE)
    await deployment.deliver_jobs()
    await publish_and_listen_for_hours(deployment, cleo)
    (again,) = await cleos_records(deployment, RSVP)
    assert await stored_answers(deployment) == [("interested", again["uri"])]


async def test_with_two_restores_the_first_may_have_removed_the_record(deployment: Deployment):
    """Nothing proves that the second restore removed Cleo's record, and she has answered between the two."""
    cleo, event, copy = await answered(deployment)
    await turn_back(deployment, copy)
    await deployment.listen(cleo.user_id)
    await deployment.answer(cleo, event.slug, RsvpReply.INTERESTED)
    deployment.clock.turn(MINUTE)
    await write_cleos_record(deployment, "com.example.note", NOTE)
    await turn_back(deployment, copy)
    await deployment.listen(cleo.user_id)
    await read_later(deployment, cleo)
    await publish_and_listen_for_hours(deployment, cleo)
    (again,) = await cleos_records(deployment, RSVP)
    assert await stored_answers(deployment) == [("interested", again["uri"])]


async def test_an_answer_from_before_the_restore_yields_to_it(deployment: Deployment):
    cleo, event, copy = await answered(deployment)
    await deployment.answer(cleo, event.slug, RsvpReply.INTERESTED)
    await turn_back(deployment, copy)
    await read_later(deployment, cleo)
    await deployment.listen(cleo.user_id)
    await publish_and_listen_for_hours(deployment, cleo)
    assert await stored_answers(deployment) == [("declined", None)]
    assert await cleos_records(deployment, RSVP) == []


async def test_one_read_recognises_a_later_answer_of_another_app(deployment: Deployment):
    """A restore is announced, and Cleo answers on this site and then in another app. One read of everything recognises
    the last answer as the newest.
    """
    cleo, event, _ = await answered(deployment)
    (record,) = await cleos_records(deployment, RSVP)
    with_it = await copy_of(deployment)
    await write_cleos_record(deployment, "com.example.note", NOTE)
    await turn_back(deployment, with_it)
    await deployment.listen(cleo.user_id)
    await deployment.answer(cleo, event.slug, RsvpReply.INTERESTED)
    deployment.clock.turn(MINUTE)
    now = datetime.fromtimestamp(deployment.clock.now() / 1e6, UTC).strftime("%Y-%m-%dT%H:%M:%S.000Z")
    await edit_cleos_record(deployment, record, status=f"{RSVP}#going", createdAt=now)
    await read_later(deployment, cleo)
    await deployment.deliver_publications()
    await deployment.listen(cleo.user_id)
    await publish_and_listen_for_hours(deployment, cleo)
    assert await statuses(deployment) == ["attending"]
    (record,) = await cleos_records(deployment, RSVP)
    assert record["value"]["status"] == f"{RSVP}#going"


@pytest.mark.parametrize("is_deleted", [True, False])
@pytest.mark.parametrize("is_delivered_between", [True, False])
async def test_a_restore_does_not_make_another_apps_answer_older(
    deployment: Deployment, *, is_deleted: bool, is_delivered_between: bool
):
    """The restore left Cleo's record unchanged. The other app's answer is later than the one given on this site, and
    the stream finally brings both.
    """
    cleo, event, _ = await answered(deployment)
    copy = await copy_of(deployment)
    await write_cleos_record(deployment, "com.example.note", NOTE)
    await turn_back(deployment, copy)
    await deployment.answer(cleo, event.slug, RsvpReply.INTERESTED)
    deployment.clock.turn(MINUTE)
    (record,) = await cleos_records(deployment, RSVP)
    if is_deleted:
        await delete_cleos_record(deployment, record)
    else:
        await edit_cleos_record(deployment, record, status=f"{RSVP}#going")
    await read_later(deployment, cleo)
    expected = "declined" if is_deleted else "attending"
    assert await statuses(deployment) == [expected]
    if is_delivered_between:
        await deployment.deliver_publications()
    await deployment.listen(cleo.user_id)
    await publish_and_listen_for_hours(deployment, cleo)
    assert await statuses(deployment) == [expected]
    assert len(await cleos_records(deployment, RSVP)) == (0 if is_deleted else 1)
