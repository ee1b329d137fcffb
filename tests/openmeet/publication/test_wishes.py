"""What people decide about their records, against a real PDS: hosts about events, each about their own answers."""

from dataclasses import replace

import pytest

from groundwork.errors import NotFound, Refused
from openmeet.domain.attendance import actions as attendance
from openmeet.domain.attendance import host_decisions, invitations
from openmeet.domain.attendance.model import RsvpReply, RsvpRequest
from openmeet.domain.events.model import USUAL_RECORD, Detail, RecordSettings
from openmeet.domain.identities import publication_consent
from openmeet.domain.identities.publication_consent import USUAL, DeclinedAs, PublicationConsent, WaitingAs
from openmeet.domain.series import record_settings
from openmeet.domain.users.model import Caller
from openmeet.network.records.collections import RSVP, Result
from openmeet.outbox import publications
from openmeet.outbox.publications import PublicationKind, PublicationState
from tests.openmeet.site_under_test import api_session, site_on
from tests.openmeet.town import INSTANCE, Town


async def wish(town: Town, who: Caller, **wanted: object) -> None:
    async with town.db.transaction() as tx:
        before = await publication_consent.of_user(tx, who.user_id)
        await publication_consent.change(tx, who.user_id, replace(before, **wanted))


async def decide(town: Town, host: Caller, slug: str, record: RecordSettings) -> None:
    async with town.db.transaction() as tx:
        await record_settings.change_event(tx, host, slug, record)


async def pay_all(town: Town) -> None:
    while await town.pay():
        pass


async def is_absent(town: Town, uri: str) -> bool:
    try:
        await town.record(uri)
    except NotFound:
        return True
    return False


async def answered(town: Town, reply: RsvpReply = RsvpReply.GOING, **typed: str):
    """Ana's event, Ben's answer to it, all that is owed paid."""
    ana, ben = await town.person("Ana"), await town.person("Ben")
    event = await town.event(ana, **typed)
    await pay_all(town)
    answer = await town.answer(ben, event.slug, reply)
    await pay_all(town)
    return ana, ben, event, answer


@pytest.mark.parametrize(
    ("reply", "word"),
    [(RsvpReply.GOING, "going"), (RsvpReply.INTERESTED, "interested"), (RsvpReply.DECLINED, "notgoing")],
)
async def test_each_answer_has_its_word_and_names_the_very_version(town: Town, reply: RsvpReply, word: str):
    _, _, event, answer = await answered(town, reply)
    record = await town.record((await town.standing(PublicationKind.RSVP, answer.id)).uri)
    about = await town.record((await town.standing(PublicationKind.EVENT, event.id)).uri)
    assert record["status"] == f"{RSVP}#{word}"
    assert record["subject"] == {"uri": (await town.standing(PublicationKind.EVENT, event.id)).uri, "cid": about["cid"]}


async def test_a_no_takes_the_record_away_for_who_wants_it_so(town: Town):
    """And a yes afterwards stands under the same key: there is never a second record."""
    _, ben, event, answer = await answered(town)
    uri = (await town.standing(PublicationKind.RSVP, answer.id)).uri
    await wish(town, ben, declined_as=DeclinedAs.NOTHING)
    await town.answer(ben, event.slug, RsvpReply.DECLINED)
    await pay_all(town)
    assert await is_absent(town, uri)
    await town.answer(ben, event.slug, RsvpReply.GOING)
    await pay_all(town)
    assert (await town.standing(PublicationKind.RSVP, answer.id)).uri == uri
    assert (await town.record(uri))["status"] == f"{RSVP}#going"


async def test_changing_the_wish_changes_what_is_there_already(town: Town):
    _, ben, _, answer = await answered(town, RsvpReply.DECLINED)
    uri = (await town.standing(PublicationKind.RSVP, answer.id)).uri
    await wish(town, ben, declined_as=DeclinedAs.NOTHING)
    await pay_all(town)
    assert await is_absent(town, uri)
    await wish(town, ben, declined_as=DeclinedAs.NOT_GOING)
    await pay_all(town)
    assert (await town.record(uri))["status"] == f"{RSVP}#notgoing"


async def test_waiting_is_told_only_by_who_wants_it_so(town: Town):
    ana, ben = await town.person("Ana"), await town.person("Ben")
    event = await town.event(ana, capacity="1")
    await town.answer(ana, event.slug)
    await pay_all(town)
    answer = await town.answer(ben, event.slug)
    await pay_all(town)
    assert answer.status.value == "waitlisted"
    assert (await town.standing(PublicationKind.RSVP, answer.id)).uri is None
    await wish(town, ben, waiting_as=WaitingAs.INTERESTED)
    await pay_all(town)
    uri = (await town.standing(PublicationKind.RSVP, answer.id)).uri
    assert (await town.record(uri))["status"] == f"{RSVP}#interested"
    # The echo of that is no answer of its own: Ben waits as before.
    await town.listen(ben.user_id)
    async with town.db.reader() as reader:
        assert (await host_decisions.queries.by_id(reader, answer.id)).status.value == "waitlisted"


async def test_who_wants_no_answers_written_has_none_there(town: Town):
    _, ben, _, answer = await answered(town)
    uri = (await town.standing(PublicationKind.RSVP, answer.id)).uri
    await wish(town, ben, writes_answers=False)
    await pay_all(town)
    assert await is_absent(town, uri)
    await wish(town, ben, writes_answers=True)
    await pay_all(town)
    assert not await is_absent(town, uri)


async def test_who_wants_no_events_written_has_none_there(town: Town):
    ana, _, event, answer = await answered(town)
    uris = [
        (await town.standing(PublicationKind.EVENT, event.id)).uri,
        (await town.standing(PublicationKind.RSVP, answer.id)).uri,
    ]
    await wish(town, ana, writes_events=False)
    await pay_all(town)
    assert [await is_absent(town, uri) for uri in uris] == [True, True]


async def test_one_answer_can_stay_here(town: Town):
    """skipBlueskySync: what is there stays as it was, and the next answer goes out again."""
    _, ben, event, answer = await answered(town)
    uri = (await town.standing(PublicationKind.RSVP, answer.id)).uri
    async with town.db.transaction() as tx:
        await attendance.answer(tx, ben, event.slug, RsvpReply.DECLINED, RsvpRequest(skips_record=True))
    await pay_all(town)
    assert (await town.record(uri))["status"] == f"{RSVP}#going"
    await town.answer(ben, event.slug, RsvpReply.INTERESTED)
    await pay_all(town)
    assert (await town.record(uri))["status"] == f"{RSVP}#interested"


async def test_one_answer_can_stay_here_by_the_api(town: Town):
    """The same over HTTP: counted here at once, and not in the repository; without the word the next one goes out."""
    _, _, event, answer = await answered(town)
    uri = (await town.standing(PublicationKind.RSVP, answer.id)).uri
    site = site_on(town.db, town.clock)
    async with site.browser() as browser:
        ben = await api_session(browser, "ben@example.org", "Ben")
        path = f"/api/events/{event.slug}/answer"
        kept = await browser.put(path, json={"reply": "declined", "skipBlueskySync": True}, headers=ben)
        assert (kept.status_code, kept.json()["status"], kept.json()["id"]) == (200, "declined", answer.id), kept.text
        await pay_all(town)
        assert (await town.record(uri))["status"] == f"{RSVP}#going"
        await browser.put(path, json={"reply": "interested"}, headers=ben)
    await pay_all(town)
    assert (await town.record(uri))["status"] == f"{RSVP}#interested"


async def test_an_event_that_is_kept_off_the_network_takes_its_answers_along(town: Town):
    ana, _, event, answer = await answered(town)
    uris = [
        (await town.standing(PublicationKind.EVENT, event.id)).uri,
        (await town.standing(PublicationKind.RSVP, answer.id)).uri,
    ]
    await decide(town, ana, event.slug, replace(USUAL_RECORD, is_wanted=False))
    await pay_all(town)
    assert [await is_absent(town, uri) for uri in uris] == [True, True]


async def test_a_host_can_keep_answers_off_the_network(town: Town):
    ana, _, event, answer = await answered(town)
    uri = (await town.standing(PublicationKind.RSVP, answer.id)).uri
    await decide(town, ana, event.slug, replace(USUAL_RECORD, takes_answers=False))
    await pay_all(town)
    assert await is_absent(town, uri)
    assert not await is_absent(town, (await town.standing(PublicationKind.EVENT, event.id)).uri)


async def test_an_event_for_the_invited_is_announced_with_the_least(town: Town):
    """Only by its host's word, and its answers never (invariants 3 and 11)."""
    ana, ben = await town.person("Ana"), await town.person("Ben")
    event = await town.event(ana, visibility="private", description="zugzwang", street="Hauptstraße 1")
    await pay_all(town)
    assert (await town.standing(PublicationKind.EVENT, event.id)).state is PublicationState.WITHHELD
    await decide(town, ana, event.slug, replace(USUAL_RECORD, is_announced=True))
    await pay_all(town)
    record = await town.record((await town.standing(PublicationKind.EVENT, event.id)).uri)
    assert record["name"] == "Tea in the park"
    assert record["description"] == f"By invitation only. Who is invited sees more: {INSTANCE}/events/{event.slug}"
    assert "zugzwang" not in str(record)
    assert "Hauptstraße" not in str(record)
    async with town.db.transaction() as tx:
        await invitations.invite(tx, ana, event.slug, "ben@example.org")
    answer = await town.answer(ben, event.slug)
    await pay_all(town)
    assert (await town.standing(PublicationKind.RSVP, answer.id)).uri is None


async def test_becoming_private_takes_the_record_back_whatever_was_announced_before(town: Town):
    """A yes to announcing was given for what the event was then."""
    ana = await town.person()
    event = await town.event(ana, visibility="private")
    await decide(town, ana, event.slug, replace(USUAL_RECORD, is_announced=True))
    await town.revise(ana, event.slug, visibility="public")
    await pay_all(town)
    uri = (await town.standing(PublicationKind.EVENT, event.id)).uri
    await town.revise(ana, event.slug, visibility="private")
    await pay_all(town)
    assert await is_absent(town, uri)
    assert (await town.standing(PublicationKind.EVENT, event.id)).state is PublicationState.RETRACTED


async def test_only_what_is_for_the_invited_can_be_announced(town: Town):
    ana = await town.person()
    event = await town.event(ana)
    with pytest.raises(Refused):
        await decide(town, ana, event.slug, replace(USUAL_RECORD, is_announced=True))


async def test_a_public_event_can_be_cut_down_and_be_whole_again(town: Town):
    ana, _, event, answer = await answered(town, description="With scones")
    uri = (await town.standing(PublicationKind.EVENT, event.id)).uri
    answer_uri = (await town.standing(PublicationKind.RSVP, answer.id)).uri
    await decide(town, ana, event.slug, replace(USUAL_RECORD, detail=Detail.MINIMAL))
    await pay_all(town)
    assert (await town.record(uri))["description"].startswith("More about it")
    assert await is_absent(town, answer_uri)
    await decide(town, ana, event.slug, USUAL_RECORD)
    await pay_all(town)
    assert (await town.record(uri))["description"] == "With scones"
    assert not await is_absent(town, answer_uri)


async def test_every_write_of_an_answer_is_counted(town: Town):
    """And no look that finds it as it should be."""
    counted: list[tuple[str, str]] = []
    results: list[tuple[str, Result]] = []
    town.publisher = replace(
        town.publisher,
        count_rsvp=lambda operation, status: counted.append((operation, status)),
        count_result=lambda kind, result: results.append((kind, result)),
    )
    _, ben, event, answer = await answered(town)
    async with town.db.transaction() as tx:
        await publications.look_again(tx, kind=PublicationKind.RSVP, subject_ids=[answer.id])
    await pay_all(town)
    await town.answer(ben, event.slug, RsvpReply.INTERESTED)
    await pay_all(town)
    await wish(town, ben, declined_as=DeclinedAs.NOTHING)
    await town.answer(ben, event.slug, RsvpReply.DECLINED)
    await pay_all(town)
    assert counted == [("create", "going"), ("update", "interested"), ("delete", "")]
    assert results == [("event", Result.SUCCESS), *[("rsvp", Result.SUCCESS)] * len(counted)]


async def test_of_two_who_change_their_wishes_the_second_is_told(town: Town):
    ana = await town.person()
    async with town.db.transaction() as tx:
        first = await publication_consent.change(
            tx, ana.user_id, PublicationConsent(writes_events=False), expected_revision=0
        )
    assert first.revision == 1
    with pytest.raises(publication_consent.PreconditionFailed):
        async with town.db.transaction() as tx:
            await publication_consent.change(tx, ana.user_id, USUAL, expected_revision=0)
