"""Commits that are ingested late, and requests that arrive late.

Which answer is the latest depends on the times of the commits, not on the times when they were ingested. No waiting
time is long enough to be sure that a request without a response will not still be executed.
"""

import pytest

from groundwork.clock import HOUR, MINUTE, SECOND
from groundwork.outbox.jobs import enqueue_again
from openmeet.domain.attendance.model import RsvpReply
from openmeet.domain.identities import actions as identities
from openmeet.domain.users.model import Caller
from openmeet.network.records.collections import EVENT, RSVP
from openmeet.network.repositories.agents import agent_for
from openmeet.outbox.kinds import JobKind
from openmeet.outbox.publication_withdrawals import withdraw
from openmeet.outbox.publications import PublicationKind, retry_now
from tests.openmeet.deployment import Deployment
from tests.openmeet.publishing.answers import answer_words_and_statuses, change_answer_in_app
from tests.openmeet.publishing.deliveries import publish_and_listen_for_hours, publish_for_minutes
from tests.openmeet.publishing.late_requests import is_delete, refresh_cleos_session, send_into_the_void
from tests.openmeet.publishing.other_app import cleos_records, delete_cleos_record, edit_cleos_record
from tests.simulation.proxy import never


@pytest.fixture
async def cleo(deployment: Deployment) -> Caller:
    return await deployment.connected()


async def elsewhere_in_her_repository(deployment: Deployment) -> None:
    """Make an unrelated commit, so that later reads are as of that commit."""
    deployment.clock.turn(SECOND)
    (event,) = await cleos_records(deployment, EVENT)
    await edit_cleos_record(deployment, event, theme="blue")
    deployment.clock.turn(SECOND)


@pytest.mark.parametrize("word", ["interested", None], ids=["changed", "deleted"])
async def test_a_later_answer_here_counts_although_a_read_is_newer(
    deployment: Deployment, cleo: Caller, word: str | None
):
    """Cleo answers in another app, then on this site, and then her repository gets another commit. The publisher reads
    the other app's answer as of the last commit, and the stream says later when it was written.
    """
    event = await deployment.event(cleo)
    await deployment.answer(cleo, event.slug, RsvpReply.GOING)
    await publish_and_listen_for_hours(deployment, cleo)
    (record,) = await cleos_records(deployment, RSVP)
    await change_answer_in_app(deployment, record, word)
    await deployment.answer(cleo, event.slug, RsvpReply.DECLINED)
    await elsewhere_in_her_repository(deployment)
    await deployment.deliver_publications()
    deployment.clock.turn(HOUR)
    await deployment.ingest()
    await publish_and_listen_for_hours(deployment, cleo)
    assert await answer_words_and_statuses(deployment) == (["notgoing"], ["declined"])


@pytest.mark.parametrize(
    ("word", "end"), [("interested", (["interested"], ["interested"])), (None, ([], ["declined"]))]
)
async def test_a_later_answer_in_another_app_counts(
    deployment: Deployment, cleo: Caller, word: str | None, end: tuple[list[str], list[str]]
):
    """The same, but Cleo answered on this site first and then in the other app."""
    event = await deployment.event(cleo)
    await deployment.answer(cleo, event.slug, RsvpReply.DECLINED)
    await publish_and_listen_for_hours(deployment, cleo)
    (record,) = await cleos_records(deployment, RSVP)
    await deployment.answer(cleo, event.slug, RsvpReply.GOING)
    await change_answer_in_app(deployment, record, word)
    await elsewhere_in_her_repository(deployment)
    await deployment.deliver_publications()
    deployment.clock.turn(HOUR)
    await deployment.ingest()
    await publish_and_listen_for_hours(deployment, cleo)
    assert await answer_words_and_statuses(deployment) == end


async def test_a_later_answer_here_is_not_undone(deployment: Deployment, cleo: Caller):
    """Cleo answers on this site once more before the stream brings the other app's commit."""
    event = await deployment.event(cleo)
    await deployment.answer(cleo, event.slug, RsvpReply.GOING)
    await publish_and_listen_for_hours(deployment, cleo)
    (record,) = await cleos_records(deployment, RSVP)
    await change_answer_in_app(deployment, record, "interested")
    await deployment.answer(cleo, event.slug, RsvpReply.DECLINED)
    await elsewhere_in_her_repository(deployment)
    await deployment.deliver_publications()
    deployment.clock.turn(HOUR)
    await deployment.ingest()
    await deployment.answer(cleo, event.slug, RsvpReply.GOING)
    await publish_and_listen_for_hours(deployment, cleo)
    assert await answer_words_and_statuses(deployment) == (["going"], ["attending"])


@pytest.mark.parametrize("is_read_first", [True, False], ids=["read", "heard"])
@pytest.mark.parametrize("is_later_here", [True, False])
async def test_an_answer_after_a_delete_elsewhere_counts_even_if_unpublished(
    deployment: Deployment, cleo: Caller, is_read_first: bool, is_later_here: bool
):
    """Cleo has not agreed to publishing, so no publication names the record. The time of the delete still decides."""
    event = await deployment.event(cleo)
    await deployment.answer(cleo, event.slug, RsvpReply.DECLINED)
    await publish_and_listen_for_hours(deployment, cleo)
    (record,) = await cleos_records(deployment, RSVP)
    async with deployment.db.transaction() as tx:
        await tx.execute("delete from publications where kind = 'rsvp'")
        await identities.withdraw(tx, cleo.user_id)
    if is_later_here:
        await change_answer_in_app(deployment, record, None)
    await deployment.answer(cleo, event.slug, RsvpReply.GOING)
    if not is_later_here:
        await change_answer_in_app(deployment, record, None)
    await elsewhere_in_her_repository(deployment)
    if is_read_first:
        async with deployment.db.transaction() as tx:
            await enqueue_again(tx, JobKind.BACKFILL, [record["uri"].split("/")[2]])
        await deployment.deliver_jobs()
    await deployment.listen(cleo.user_id)
    assert await answer_words_and_statuses(deployment) == ([], ["attending" if is_later_here else "declined"])


@pytest.mark.parametrize(("is_later_here", "end"), [(True, "waitlisted"), (False, "interested")])
async def test_a_waitlist_request_counts_although_it_is_not_published(
    deployment: Deployment, cleo: Caller, is_later_here: bool, end: str
):
    """No job is queued for a waitlist request. An earlier answer in another app that is ingested after it does not undo
    it.
    """
    event = await deployment.event(cleo, capacity="1")
    await deployment.answer(cleo, event.slug, RsvpReply.DECLINED)
    await publish_and_listen_for_hours(deployment, cleo)
    await deployment.answer(await deployment.person("Ben"), event.slug, RsvpReply.GOING)
    (record,) = await cleos_records(deployment, RSVP)
    if is_later_here:
        await change_answer_in_app(deployment, record, "interested")
    await deployment.answer(cleo, event.slug, RsvpReply.GOING)
    if not is_later_here:
        await change_answer_in_app(deployment, record, "interested")
    await deployment.deliver_publications()
    await deployment.ingest()
    await publish_and_listen_for_hours(deployment, cleo)
    assert await answer_words_and_statuses(deployment) == (["interested"], [end, "attending"])


async def test_deleting_another_record_makes_ours_count_again(deployment: Deployment, cleo: Caller):
    """Another app has written an answer that replaced the one from this site, and then deletes it."""
    event = await deployment.event(cleo)
    await deployment.answer(cleo, event.slug, RsvpReply.GOING)
    await publish_and_listen_for_hours(deployment, cleo)
    (ours,) = await cleos_records(deployment, RSVP)
    app = await deployment.stranger("cleo")
    deployment.clock.turn(SECOND)
    value = {**ours["value"], "status": f"{RSVP}#notgoing", "createdAt": "2026-12-01T00:00:00.000Z"}
    did = ours["uri"].split("/")[2]
    await app.procedure("com.atproto.repo.createRecord", {"repo": did, "collection": RSVP, "record": value})
    await publish_and_listen_for_hours(deployment, cleo)
    assert (await answer_words_and_statuses(deployment))[1] == ["declined"]
    (theirs,) = [record for record in await cleos_records(deployment, RSVP) if record["uri"] != ours["uri"]]
    await delete_cleos_record(deployment, theirs)
    await publish_and_listen_for_hours(deployment, cleo)
    assert await answer_words_and_statuses(deployment) == (["going"], ["attending"])


async def test_changing_back_to_our_exact_bytes_is_a_new_answer(deployment: Deployment, cleo: Caller):
    """Another app changes this site's answer and changes it back. The result is a new answer and not a write of this
    site's write.
    """
    event = await deployment.event(cleo)
    await deployment.answer(cleo, event.slug, RsvpReply.GOING)
    await publish_and_listen_for_hours(deployment, cleo)
    (ours,) = await cleos_records(deployment, RSVP)
    await change_answer_in_app(deployment, ours, "notgoing")
    await publish_and_listen_for_hours(deployment, cleo)
    assert await answer_words_and_statuses(deployment) == (["notgoing"], ["declined"])
    await change_answer_in_app(deployment, ours, "going")
    await publish_and_listen_for_hours(deployment, cleo)
    (again,) = await cleos_records(deployment, RSVP)
    assert again["cid"] == ours["cid"]
    assert await answer_words_and_statuses(deployment) == (["going"], ["attending"])


async def renew_session(deployment: Deployment, who: Caller) -> None:
    """Get a new access token, so that a request sent with it is still valid when it arrives late."""
    client = await agent_for(deployment.db, deployment.network, await deployment.identity(who.user_id))
    await client.query("com.atproto.server.getSession")


@pytest.fixture
async def slow_pds(deployment: Deployment, cleo: Caller) -> None:
    """The PDS is reached through a proxy that can hold requests for a long time."""
    async with deployment.db.transaction() as tx:
        await tx.execute("update repository_sessions set pds_url = :url", url=deployment.proxy.url)


@pytest.mark.usefixtures("slow_pds")
@pytest.mark.parametrize("times", [2, 3])
async def test_a_late_earlier_answer_of_ours_is_not_another_apps(deployment: Deployment, cleo: Caller, times: int):
    """The first of several requests is executed after the next was tried, so on the PDS it is later than Cleo's last
    answer in the other app.
    """
    event = await deployment.event(cleo)
    await publish_and_listen_for_hours(deployment, cleo)
    await renew_session(deployment, cleo)
    for reply in (RsvpReply.GOING, RsvpReply.INTERESTED, RsvpReply.DECLINED)[-times:]:
        await deployment.answer(cleo, event.slug, reply)
        await send_into_the_void(deployment)
    assert await deployment.proxy.deliver() == [200] + [400] * (times - 1)
    await publish_and_listen_for_hours(deployment, cleo)
    assert await answer_words_and_statuses(deployment) == (["notgoing"], ["declined"])


@pytest.mark.usefixtures("slow_pds")
async def test_a_late_earlier_title_of_ours_is_not_another_apps_edit(deployment: Deployment, cleo: Caller):
    """Cleo renamed the event and changed her mind. When the write of the earlier name arrives late, its name is not
    merged as another app's edit.
    """
    event = await deployment.event(cleo, title="Tea")
    await publish_and_listen_for_hours(deployment, cleo)
    await renew_session(deployment, cleo)
    for typed in ({"title": "Coffee"}, {"title": "Tea", "description": "With biscuits"}):
        await deployment.revise(cleo, event.slug, **typed)
        await send_into_the_void(deployment)
    assert await deployment.proxy.deliver() == [200, 400]
    await publish_and_listen_for_hours(deployment, cleo)
    async with deployment.db.reader() as reader:
        rows = await reader.fetch("select title from events")
        merged = await reader.fetch("select field from merge_decisions")
    (record,) = await cleos_records(deployment, EVENT)
    assert ([row["title"] for row in rows], record["value"]["name"], merged) == (["Tea"], "Tea", [])


async def take_back_into_the_void(deployment: Deployment) -> None:
    deployment.proxy.delays = is_delete
    await deployment.deliver_publications()
    deployment.proxy.delays = never
    assert deployment.proxy.on_their_way
    deployment.clock.turn(2 * MINUTE)


@pytest.mark.usefixtures("slow_pds")
async def test_a_late_delete_does_not_remove_an_event_that_is_public_again(deployment: Deployment, cleo: Caller):
    """The event is unlisted and public again before the delete is executed. The delete is this site's, so the event
    does not count as deleted by somebody.
    """
    event = await deployment.event(cleo)
    await publish_and_listen_for_hours(deployment, cleo)
    await refresh_cleos_session(deployment, cleo)
    await deployment.revise(cleo, event.slug, visibility="unlisted")
    await take_back_into_the_void(deployment)
    await deployment.revise(cleo, event.slug, visibility="public")
    await publish_for_minutes(deployment)
    assert await deployment.proxy.deliver() == [400], "the record that it names was deleted"
    await publish_and_listen_for_hours(deployment, cleo)
    async with deployment.db.reader() as reader:
        rows = await reader.fetch("select removed_at, record_uri from events")
    assert {row["record_uri"] for row in rows} == {record["uri"] for record in await cleos_records(deployment, EVENT)}
    assert [row["removed_at"] for row in rows] == [None, None]


@pytest.mark.usefixtures("slow_pds")
async def test_a_late_delete_spares_the_answer_written_since(deployment: Deployment, cleo: Caller):
    """The answer is retracted and published again under the same record key, but with another CID."""
    ana = await deployment.person()
    event = await deployment.event(ana)
    answer = await deployment.answer(cleo, event.slug)
    await publish_and_listen_for_hours(deployment, cleo)
    await publish_and_listen_for_hours(deployment, ana)
    await publish_and_listen_for_hours(deployment, cleo)
    (before,) = await cleos_records(deployment, RSVP)
    await refresh_cleos_session(deployment, cleo)
    async with deployment.db.transaction() as tx:
        await withdraw(tx, kind=PublicationKind.RSVP, subject_id=answer.id)
    await take_back_into_the_void(deployment)
    async with deployment.db.transaction() as tx:
        await retry_now(tx, kind=PublicationKind.RSVP, subject_id=answer.id)
    await publish_for_minutes(deployment)
    assert await deployment.proxy.deliver() == [400]
    await publish_and_listen_for_hours(deployment, cleo)
    (after,) = await cleos_records(deployment, RSVP)
    assert (after["uri"], after["cid"] != before["cid"]) == (before["uri"], True)
    assert await answer_words_and_statuses(deployment) == (["going"], ["attending"])


@pytest.mark.usefixtures("slow_pds")
async def test_late_deletes_of_several_answers_spare_those_written_since(deployment: Deployment, cleo: Caller):
    """A batch of writes names no CIDs, so answers, whose record keys are reused, are deleted one by one."""
    ana = await deployment.person()
    answers = [
        await deployment.answer(cleo, (await deployment.event(ana, title=title)).slug) for title in ("Tea", "Coffee")
    ]
    await publish_and_listen_for_hours(deployment, cleo)
    await publish_and_listen_for_hours(deployment, ana)
    await publish_and_listen_for_hours(deployment, cleo)
    before = {one["uri"] for one in await cleos_records(deployment, RSVP)}
    assert len(before) == 2
    await refresh_cleos_session(deployment, cleo)
    async with deployment.db.transaction() as tx:
        for answer in answers:
            await withdraw(tx, kind=PublicationKind.RSVP, subject_id=answer.id)
    await take_back_into_the_void(deployment)
    async with deployment.db.transaction() as tx:
        for answer in answers:
            await retry_now(tx, kind=PublicationKind.RSVP, subject_id=answer.id)
    await publish_for_minutes(deployment)
    assert set(await deployment.proxy.deliver()) == {400}
    await publish_and_listen_for_hours(deployment, cleo)
    assert {one["uri"] for one in await cleos_records(deployment, RSVP)} == before
    assert await answer_words_and_statuses(deployment) == (["going", "going"], ["attending", "attending"])
