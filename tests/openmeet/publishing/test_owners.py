"""An event gets a new owner: the old record stays and links to the new one, and both URIs identify the same event."""

from dataclasses import replace
from pathlib import Path

import pytest

from groundwork.clock import SECOND
from groundwork.errors import NotFound
from openmeet.domain.attendance.model import AttendanceStatus, RsvpReply
from openmeet.domain.attendance.queries import find as find_attendance
from openmeet.domain.erasure import actions as erasure
from openmeet.domain.events import actions as events
from openmeet.domain.events import co_host_queries, event_records
from openmeet.domain.events.co_host_invitations import CoHostState
from openmeet.domain.events.queries import by_id
from openmeet.domain.events.values import Visibility
from openmeet.domain.identities import actions as identities
from openmeet.domain.series import actions as series_actions
from openmeet.domain.series import queries as series_queries
from openmeet.domain.series import record_settings
from openmeet.domain.series.model import PublishPolicy
from openmeet.feature_flags.flags import Flag
from openmeet.network.ingestion.person_erasure import take_due
from openmeet.network.records.collections import EVENT, RSVP, SERIES, SUCCESSION_KEY
from openmeet.outbox import publication_withdrawals
from openmeet.outbox.publications import PublicationKind, PublicationState, retry_now
from openmeet.outbox.reasons import PublicationReason
from tests.openmeet.deployment import Deployment, deliver_all_publications, details, records_of, switch_flag
from tests.openmeet.erasure.erasure_context import erasing_in
from tests.openmeet.publishing.event_hosts import (
    add_co_host,
    current_event,
    event_ids,
    hand_over_event,
    hosted_elsewhere,
    publish_event_with_co_host,
)
from tests.openmeet.publishing.groups_and_series import hand_over_subject
from tests.openmeet.publishing.weekly_series import publish_series


def record_key(uri: str) -> dict[str, str]:
    """Repository, collection and key, as the methods of a PDS expect them."""
    _, _, did, collection, rkey = uri.split("/")
    return {"repo": did, "collection": collection, "rkey": rkey}


@pytest.mark.parametrize(("owner_is", "heir_is"), [("ours", "elsewhere"), ("elsewhere", "ours")])
async def test_both_records_lead_to_the_event_after_it_changed_hands(
    deployment: Deployment, owner_is: str, heir_is: str
):
    """In both repositories and through the firehose it remains one event. Answers stay, to whichever record they refer."""
    ana = await (deployment.person("Ana") if owner_is == "ours" else deployment.connected("ana"))
    ben = await (deployment.person("Ben") if heir_is == "ours" else deployment.connected("ben"))
    dan = await deployment.connected("dan")
    event, old = await publish_event_with_co_host(deployment, ana, ben)
    mine = await deployment.answer(dan, event.slug, RsvpReply.GOING)
    await deliver_all_publications(deployment)
    answered = (await deployment.status_of(PublicationKind.RSVP, mine.id)).uri
    before = await deployment.record(old)
    await hand_over_event(deployment, event, ana, ben)
    new = (await deployment.status_of(PublicationKind.EVENT, event.id)).uri or ""
    assert new.split("/")[2] == (await deployment.identity(ben.user_id)).did
    assert (await deployment.record(new))[SUCCESSION_KEY]["predecessors"] == [old]
    kept = await deployment.record(old)
    assert kept[SUCCESSION_KEY]["successor"] == new
    assert {k: v for k, v in kept.items() if k not in {SUCCESSION_KEY, "cid"}} == {
        k: v for k, v in before.items() if k != "cid"
    }
    assert (await deployment.record(answered))["subject"]["uri"] == new
    for who in (ana, ben, dan):
        await deployment.listen(who.user_id)
    await deliver_all_publications(deployment)
    assert await event_ids(deployment) == [event.id]
    after = await current_event(deployment, event)
    assert (after.author_id, after.record_uri, after.is_gone) == (ben.user_id, new, False)
    async with deployment.db.reader() as reader:
        assert [(await event_records.find(reader, uri)).id for uri in (old, new)] == [event.id] * 2
        assert (await find_attendance(reader, event.id, dan.user_id)).status is AttendanceStatus.ATTENDING
        assert (await co_host_queries.of_person(reader, event.id, ana.user_id)).state is CoHostState.ACCEPTED


async def test_answers_name_either_record_and_count_once(deployment: Deployment):
    """Answers in other apps to the old and to the new URI: each person has one effective answer."""
    ana, ben = await deployment.person("Ana"), await deployment.person("Ben")
    event, old = await publish_event_with_co_host(deployment, ana, ben)
    await hand_over_event(deployment, event, ana, ben)
    new = (await current_event(deployment, event)).record_uri
    await deployment.account("zoe")
    app = await deployment.stranger("zoe")
    did = (await app.query("com.atproto.server.getSession", {}))["did"]
    for number, (about, word) in enumerate([(old, "interested"), (new, "going"), (old, "notgoing")]):
        subject = {"uri": about, "cid": (await deployment.record(about))["cid"]}
        value = {
            "$type": RSVP,
            "subject": subject,
            "status": f"{RSVP}#{word}",
            "createdAt": f"2026-02-0{number + 1}T00:00:00.000Z",
        }
        await app.procedure(
            "com.atproto.repo.createRecord", {"repo": did, "collection": RSVP, "rkey": f"a{number}", "record": value}
        )
    newest = (await app.query("com.atproto.sync.getLatestCommit", {"did": did}))["rev"]
    await deployment.follow_until(did, lambda state: state.last_head is not None and state.last_head.rev == newest)
    async with deployment.db.reader() as reader:
        rows = await reader.fetch(
            "select a.event_id, a.status from attendances a join identities i on i.user_id = a.user_id where i.did = :did",
            did=did,
        )
    assert [(row["event_id"], row["status"]) for row in rows] == [(event.id, "declined")]
    assert await event_ids(deployment) == [event.id]


async def test_what_the_old_owner_does_to_the_old_record_has_no_effect(deployment: Deployment):
    """An edit of the old record changes nothing on this site and is not overwritten. If the old record is deleted, the
    event stays and no longer refers to it.
    """
    ana, ben = await deployment.person("Ana"), await deployment.person("Ben")
    event, old = await publish_event_with_co_host(deployment, ana, ben)
    await hand_over_event(deployment, event, ana, ben)
    await deployment.listen(ana.user_id)
    new = (await current_event(deployment, event)).record_uri
    app = await deployment.own_client(await deployment.identity(ana.user_id))
    _, _, did, collection, rkey = old.split("/")
    record = await deployment.record(old)
    record.pop("cid")
    record.pop(SUCCESSION_KEY)
    await app.procedure(
        "com.atproto.repo.putRecord",
        {"repo": did, "collection": collection, "rkey": rkey, "record": record | {"name": "Mine again"}},
    )
    await deployment.listen(ana.user_id)
    await deliver_all_publications(deployment)
    assert ((await current_event(deployment, event)).title, (await deployment.record(old))["name"]) == (
        "Tea in the park",
        "Mine again",
    )
    await app.procedure("com.atproto.repo.deleteRecord", {"repo": did, "collection": collection, "rkey": rkey})
    await deployment.listen(ana.user_id)
    await deliver_all_publications(deployment)
    assert not (await current_event(deployment, event)).is_gone
    assert SUCCESSION_KEY not in await deployment.record(new)
    async with deployment.db.reader() as reader:
        assert (await event_records.find(reader, old)).id == event.id


async def test_a_late_edit_from_before_the_handover_keeps_the_private_address(deployment: Deployment):
    """Ana changed only the title in another app before Ben took over. The records contain only the town."""
    ana, ben = await deployment.person("Ana"), await deployment.person("Ben")
    event = await deployment.event(ana, street="Main street 1", locality="Graz", place_audience="attendees")
    await deliver_all_publications(deployment)
    await deployment.listen(ana.user_id)
    old = (await deployment.status_of(PublicationKind.EVENT, event.id)).uri or ""
    record = await deployment.record(old)
    assert "Main street" not in str(record)
    del record["cid"]
    app = await deployment.own_client(await deployment.identity(ana.user_id))
    await app.procedure("com.atproto.repo.putRecord", record_key(old) | {"record": record | {"name": "Coffee"}})
    deployment.clock.turn(SECOND)
    async with deployment.db.transaction() as tx:
        await add_co_host(tx, event, ana, ben)
    await hand_over_event(deployment, event, ana, ben)
    await deployment.listen(ana.user_id)
    await deliver_all_publications(deployment)
    after = await current_event(deployment, event)
    assert (after.author_id, after.title) == (ben.user_id, "Coffee")
    assert after.content.venue == event.content.venue
    new = await deployment.record(after.record_uri or "")
    assert new["name"] == "Coffee"
    assert "Main street" not in str(new)


@pytest.mark.parametrize("act", ["private", "deleted", "kept off", "withdrawn", "cancelled"])
async def test_later_changes_of_the_new_owner_affect_the_old_record(deployment: Deployment, act: str):
    """An event that is no longer public is deleted from both repositories. Withdrawn consent deletes only the person's
    own record.
    """
    ana, ben = await deployment.person("Ana"), await deployment.person("Ben")
    event, old = await publish_event_with_co_host(deployment, ana, ben)
    await hand_over_event(deployment, event, ana, ben)
    new = (await current_event(deployment, event)).record_uri
    async with deployment.db.transaction() as tx:
        match act:
            case "private":
                await events.revise(tx, ben, event.slug, details(visibility="private"))
            case "deleted":
                await events.delete(tx, ben, event.slug)
            case "kept off":
                await tx.execute("update events set record_wanted = 0 where id = :id", id=event.id)
                found = await by_id(tx, event.id)
                assert found is not None
                await events.save_edit(tx, ben, found, found)
            case "withdrawn":
                await identities.withdraw(tx, ana.user_id)
            case "cancelled":
                await events.cancel(tx, ben, event.slug, "Rain")
    await deliver_all_publications(deployment)
    there = []
    for uri in (old, new):
        try:
            there.append((await deployment.record(uri)).get("status"))
        except NotFound:
            there.append(None)
    assert (
        there
        == {
            "private": [None, None],
            "deleted": [None, None],
            "kept off": [None, None],
            "withdrawn": [None, f"{EVENT}#scheduled"],
            "cancelled": [f"{EVENT}#scheduled", f"{EVENT}#cancelled"],
        }[act]
    )
    if act == "withdrawn":
        assert SUCCESSION_KEY not in await deployment.record(new)


async def test_without_the_new_owners_consent_the_old_record_stays(deployment: Deployment):
    """The old record is the event's record until the new owner agrees. Then it links to the new one. If the event is
    made private meanwhile, it is deleted.
    """
    ana, ben = await deployment.person("Ana"), await deployment.person("Ben", agrees=False)
    event, old = await publish_event_with_co_host(deployment, ana, ben)
    before = await deployment.record(old)
    await hand_over_event(deployment, event, ana, ben)
    assert await deployment.record(old) == before
    assert (
        (await current_event(deployment, event)).record_uri,
        (await deployment.status_of(PublicationKind.EVENT, event.id)).state,
    ) == (
        old,
        PublicationState.WITHHELD,
    )
    async with deployment.db.transaction() as tx:
        await identities.grant_consent(tx, ben.user_id, handle="ben.town.test")
    await deployment.deliver_jobs()
    await deliver_all_publications(deployment)
    new = (await current_event(deployment, event)).record_uri
    assert new != old
    assert (await deployment.record(old))[SUCCESSION_KEY]["successor"] == new


async def test_made_private_before_the_new_owner_agrees_the_old_record_is_deleted(deployment: Deployment):
    ana, ben = await deployment.person("Ana"), await deployment.person("Ben", agrees=False)
    event, old = await publish_event_with_co_host(deployment, ana, ben)
    await hand_over_event(deployment, event, ana, ben)
    async with deployment.db.transaction() as tx:
        await events.revise(tx, ben, event.slug, details(visibility="private"))
    await deliver_all_publications(deployment)
    with pytest.raises(NotFound):
        await deployment.record(old)


@pytest.mark.parametrize("heir_agrees", [True, False])
async def test_handed_back_the_first_record_is_the_events_again(deployment: Deployment, heir_agrees: bool):
    """The new owner's record then links back to the first one, so both records have a target."""
    ana, ben = await deployment.person("Ana"), await deployment.person("Ben", agrees=heir_agrees)
    event, old = await publish_event_with_co_host(deployment, ana, ben)
    await hand_over_event(deployment, event, ana, ben)
    other = (await current_event(deployment, event)).record_uri
    await hand_over_event(deployment, event, ben, ana)
    await deployment.listen(ana.user_id)
    assert (
        (await current_event(deployment, event)).record_uri,
        (await current_event(deployment, event)).author_id,
    ) == (old, ana.user_id)
    assert "successor" not in (await deployment.record(old)).get(SUCCESSION_KEY, {})
    assert list(await records_of(deployment, ana, EVENT)) == [old]
    if heir_agrees:
        assert (await deployment.record(other))[SUCCESSION_KEY]["successor"] == old
    await deployment.revise(ana, event.slug, title="Tea again")
    await deliver_all_publications(deployment)
    assert (await deployment.record(old))["name"] == "Tea again"
    await hand_over_event(deployment, event, ana, ben)
    assert (await current_event(deployment, event)).record_uri == other
    assert await event_ids(deployment) == [event.id]


async def test_a_restored_record_of_another_app_is_the_events_again(deployment: Deployment, tmp_path: Path):
    """Ana wrote the event in another app and handed it to Ben. Her record was deleted and restored, and he withdrew
    his and deleted his account, so that the event is hers again. No mark in the record says that it belongs to this event.
    """
    ana, ben = await deployment.connected("ana"), await deployment.connected("ben")
    event = await hosted_elsewhere(deployment, ana)
    async with deployment.db.transaction() as tx:
        await add_co_host(tx, event, ana, ben)
    await hand_over_event(deployment, event, ana, ben)
    app, uri = await deployment.stranger("ana"), event.record_uri or ""
    where, record = record_key(uri), await deployment.record(uri)
    del record["cid"]
    await app.procedure("com.atproto.repo.deleteRecord", where)
    await deployment.listen(ana.user_id)
    async with deployment.db.transaction() as tx:
        for one in (ana, ben):
            await identities.withdraw(tx, one.user_id)
    await deliver_all_publications(deployment)
    await erasure.begin(deployment.db, ben.user_id, 0)
    await take_due(deployment.db, erasing_in(tmp_path))
    await deliver_all_publications(deployment)
    assert (
        (await current_event(deployment, event)).author_id,
        (await current_event(deployment, event)).record_uri,
    ) == (ana.user_id, None)
    await app.procedure("com.atproto.repo.putRecord", where | {"record": record})
    await deployment.listen(ana.user_id)
    async with deployment.db.transaction() as tx:
        await identities.grant_consent(tx, ana.user_id, handle="ana.town.test")
    await deployment.deliver_jobs()
    await deployment.revise(ana, event.slug, title="Tea again")
    await deliver_all_publications(deployment)
    assert (await deployment.status_of(PublicationKind.EVENT, event.id)).state is PublicationState.PUBLISHED
    assert (await current_event(deployment, event)).record_uri == uri
    assert (await deployment.record(uri))["name"] == "Tea again"
    assert await event_ids(deployment) == [event.id]


@pytest.mark.parametrize("withdraws", ["everything", "this event"])
async def test_only_the_former_owners_consent_ends_with_the_handover(deployment: Deployment, withdraws: str):
    """The former owner withdrew their consent, so nothing of theirs is published. The new owner has consented all along.
    But if the former owner consents and took only this event off the network, it stays off.
    """
    ana, ben = await deployment.person("Ana"), await deployment.person("Ben")
    event, _ = await publish_event_with_co_host(deployment, ana, ben)
    async with deployment.db.transaction() as tx:
        if withdraws == "everything":
            await identities.withdraw(tx, ana.user_id)
        else:
            await publication_withdrawals.withdraw(tx, kind=PublicationKind.EVENT, subject_id=event.id)
    await deliver_all_publications(deployment)
    await hand_over_event(deployment, event, ana, ben)
    assert await records_of(deployment, ana, EVENT) == {}
    publication = await deployment.status_of(PublicationKind.EVENT, event.id)
    if withdraws == "everything":
        assert (publication.state, len(await records_of(deployment, ben, EVENT))) == (PublicationState.PUBLISHED, 1)
        return
    assert (publication.reason, await records_of(deployment, ben, EVENT)) == (PublicationReason.WITHDRAWN(), {})
    async with deployment.db.transaction() as tx:
        await retry_now(tx, kind=PublicationKind.EVENT, subject_id=event.id)
    await deliver_all_publications(deployment)
    assert len(await records_of(deployment, ben, EVENT)) == 1


async def test_the_new_owner_of_a_series_publishes_although_the_former_one_withdrew_consent(deployment: Deployment):
    await switch_flag(deployment, Flag.SERIES_LEXICON)
    ana, series = await publish_series(deployment)
    ben = await deployment.person("Ben")
    async with deployment.db.transaction() as tx:
        await series_actions.follow(tx, ben, series.slug)
        await identities.withdraw(tx, ana.user_id)
    await deliver_all_publications(deployment)
    await hand_over_subject(deployment, series, ana, ben)
    await deliver_all_publications(deployment)
    for collection in (SERIES, EVENT):
        assert await records_of(deployment, ana, collection) == {}
        assert len(await records_of(deployment, ben, collection)) > 0, collection


@pytest.mark.parametrize("act", ["private", "kept off"])
async def test_both_records_of_a_series_that_is_no_longer_public_are_deleted(deployment: Deployment, act: str):
    await switch_flag(deployment, Flag.SERIES_LEXICON)
    ana, series = await publish_series(deployment)
    ben = await deployment.person("Ben")
    async with deployment.db.transaction() as tx:
        await series_actions.follow(tx, ben, series.slug)
    await hand_over_subject(deployment, series, ana, ben)
    await deliver_all_publications(deployment)
    (new,), (old,) = [await records_of(deployment, who, SERIES) for who in (ben, ana)]
    assert (await deployment.record(old))[SUCCESSION_KEY]["successor"] == new
    async with deployment.db.transaction() as tx:
        if act == "private":
            locked = await series_queries.lock(tx, series.id)
            assert locked is not None
            content = replace(locked.content, visibility=Visibility.PRIVATE)
            await series_queries.save(tx, replace(locked, content=content))
        else:
            await record_settings.change_series(tx, ben, series.slug, None, PublishPolicy.NONE)
    await deliver_all_publications(deployment)
    assert [await records_of(deployment, who, SERIES) for who in (ana, ben)] == [{}, {}]


async def test_without_tokens_the_old_record_stays_unchanged(deployment: Deployment):
    ana, ben = await deployment.connected("ana"), await deployment.person("Ben")
    event, old = await publish_event_with_co_host(deployment, ana, ben)
    before = await deployment.record(old)
    async with deployment.db.transaction() as tx:
        await tx.execute("update identities set kind = 'shadow' where user_id = :id", id=ana.user_id)
    await hand_over_event(deployment, event, ana, ben)
    assert await deployment.record(old) == before
    new = (await current_event(deployment, event)).record_uri
    assert (await deployment.record(new))[SUCCESSION_KEY]["predecessors"] == [old]
    async with deployment.db.reader() as reader:
        assert (await event_records.find(reader, old)).id == event.id


async def test_answers_to_an_unlisted_event_of_another_app_are_retracted(deployment: Deployment):
    """Ana wrote the event in another app, where it is public, and restricts it here. Dan's answer is public like the
    event's record. When Ben takes over, the event is hosted here, and unlisted events of this site have no public
    answers.
    """
    ana, ben = await deployment.connected("ana"), await deployment.person("Ben", agrees=False)
    dan = await deployment.connected("dan")
    event = await hosted_elsewhere(deployment, ana)
    await deployment.revise(ana, event.slug, title="Tea", visibility="unlisted")
    await deployment.answer(dan, event.slug, RsvpReply.GOING)
    await deliver_all_publications(deployment)
    assert len(await records_of(deployment, dan, RSVP)) == 1
    async with deployment.db.transaction() as tx:
        await add_co_host(tx, event, ana, ben)
    await hand_over_event(deployment, event, ana, ben)
    assert await records_of(deployment, dan, RSVP) == {}
