"""A person with two accounts moves their published records: the new account gets new records, the old ones link to
them, and each event stays one event.
"""

from datetime import timedelta

import pytest

from at_protocol.syntax.did import Did
from groundwork.errors import NotFound, Refused
from groundwork.outbox.delivery import one_job_per_call
from groundwork.outbox.dispatcher import run_once
from openmeet.domain.attendance.model import RsvpReply
from openmeet.domain.events import event_records
from openmeet.domain.events.queries import by_id
from openmeet.domain.identities import actions as identities
from openmeet.domain.identities import session_queries
from openmeet.domain.series import actions, move_records
from openmeet.domain.series.model import Timing
from openmeet.domain.sign_in.actions import open_session
from openmeet.domain.sign_in.model import SessionTransport
from openmeet.domain.users.model import Caller
from openmeet.feature_flags.flags import Flag
from openmeet.network.records.collections import EVENT, SERIES, SERIES_LINK_KEY, SUCCESSION_KEY
from openmeet.outbox.kinds import JobKind
from openmeet.outbox.publications import PublicationKind, PublicationState
from openmeet.recurrence.pattern import parse_date, pattern
from openmeet.recurrence.rule import parse_rule
from openmeet.web.atproto.repositories_pages import PATH
from tests.databases import MakeDatabase
from tests.openmeet.deployment import Deployment, deliver_all_publications, details, records_in_repository, switch_flag
from tests.openmeet.ingestion.network import did
from tests.openmeet.publishing.accounts import connect_second_account, move_records_from
from tests.openmeet.site_under_test import signed_in, site_on


async def held(deployment: Deployment, who: Caller) -> dict[Did, tuple[int, int]]:
    async with deployment.db.reader() as reader:
        return {
            one.identity.did: (one.events, one.series)
            for one in await move_records.counts_by_repository(reader, who.user_id)
        }


async def test_old_records_stay_until_they_are_moved_and_then_link_to_new_ones(
    deployment: Deployment, monkeypatch: pytest.MonkeyPatch
):
    """Before the move, old records are updated in their repository. Afterwards answers stay and name the new record,
    moving again changes nothing, and each event exists once.
    """
    monkeypatch.setattr(move_records, "AT_A_TIME", 2)
    ana, dan = await deployment.person("Ana"), await deployment.connected("dan")
    first = (await deployment.identity(ana.user_id)).did
    made = [await deployment.event(ana, title=f"Tea {number}") for number in range(3)]
    await deliver_all_publications(deployment)
    answer = await deployment.answer(dan, made[0].slug, RsvpReply.GOING)
    await deliver_all_publications(deployment)
    old = [(await deployment.status_of(PublicationKind.EVENT, one.id)).uri or "" for one in made]
    second = await connect_second_account(deployment, ana)
    await deployment.revise(ana, made[1].slug, title="Tea, edited")
    later = await deployment.event(ana, title="Later")
    await deliver_all_publications(deployment)
    assert (await deployment.record(old[1]))["name"] == "Tea, edited"
    assert (await deployment.status_of(PublicationKind.EVENT, later.id)).uri.split("/")[2] == second
    assert await held(deployment, ana) == {second: (1, 0), first: (3, 0)}
    assert await move_records_from(deployment, ana, first) == 3
    assert await held(deployment, ana) == {second: (4, 0), first: (0, 0)}
    for event, uri in zip(made, old, strict=True):
        publication = await deployment.status_of(PublicationKind.EVENT, event.id)
        assert (publication.state, (publication.uri or "").split("/")[2]) == (PublicationState.PUBLISHED, second)
        assert (await deployment.record(uri))[SUCCESSION_KEY]["successor"] == publication.uri
        assert (await deployment.record(publication.uri or ""))[SUCCESSION_KEY]["predecessors"] == [uri]
        async with deployment.db.reader() as reader:
            assert (await event_records.find(reader, uri)).id == event.id
    answered = (await deployment.status_of(PublicationKind.RSVP, answer.id)).uri or ""
    assert (await deployment.record(answered))["subject"]["uri"] == (
        await deployment.status_of(PublicationKind.EVENT, made[0].id)
    ).uri
    assert await move_records_from(deployment, ana, first) == 0
    await deployment.listen(dan.user_id)
    await deliver_all_publications(deployment)
    async with deployment.db.reader() as reader:
        assert len(await reader.fetch("select id from events")) == 4
        assert len(await reader.fetch("select id from attendances")) == 1
    assert len(await records_in_repository(deployment, second, EVENT)) == 4


async def test_after_moving_back_the_first_record_continues(deployment: Deployment):
    ana = await deployment.person("Ana")
    first = (await deployment.identity(ana.user_id)).did
    event = await deployment.event(ana)
    await deliver_all_publications(deployment)
    old = (await deployment.status_of(PublicationKind.EVENT, event.id)).uri or ""
    second = await connect_second_account(deployment, ana)
    await move_records_from(deployment, ana, first)
    new = (await deployment.status_of(PublicationKind.EVENT, event.id)).uri or ""
    async with deployment.db.transaction() as tx:
        await identities.make_default(tx, ana.user_id, first)
    assert await move_records_from(deployment, ana, second) == 1
    assert (await deployment.status_of(PublicationKind.EVENT, event.id)).uri == old
    assert (await deployment.record(new))[SUCCESSION_KEY]["successor"] == old
    assert "successor" not in (await deployment.record(old)).get(SUCCESSION_KEY, {})
    async with deployment.db.reader() as reader:
        after = await by_id(reader, event.id)
    assert after is not None
    assert after.record_uri == old


async def test_a_series_moves_with_its_dates(deployment: Deployment):
    await switch_flag(deployment, Flag.SERIES_LEXICON)
    ana = await deployment.person("Ana")
    first = (await deployment.identity(ana.user_id)).did
    start = parse_date("2026-03-07T18:00", "Europe/Vienna")
    timing = Timing(pattern(start, "Europe/Vienna", parse_rule("FREQ=WEEKLY;COUNT=10")), timedelta(hours=2))
    async with deployment.db.transaction() as tx:
        await actions.create(tx, ana, details(description="Bring a cup.").content, timing)
    await deliver_all_publications(deployment)
    ((old, _),) = (await records_in_repository(deployment, first, SERIES)).items()
    second = await connect_second_account(deployment, ana)
    assert await held(deployment, ana) == {second: (0, 0), first: (1, 1)}
    assert await move_records_from(deployment, ana, first) == 2
    await deliver_all_publications(deployment)
    ((new, record),) = (await records_in_repository(deployment, second, SERIES)).items()
    assert record[SUCCESSION_KEY]["predecessors"] == [old]
    assert (await deployment.record(old))[SUCCESSION_KEY]["successor"] == new
    (date,) = (await records_in_repository(deployment, second, EVENT)).values()
    assert date[SERIES_LINK_KEY]["series"]["uri"] == new


async def test_only_ones_own_records_are_moved_and_not_to_the_same_account(deployment: Deployment):
    """These are refused: somebody else's account, the account that already gets new records, and a co-host's event."""
    ana, ben = await deployment.person("Ana"), await deployment.person("Ben")
    first = (await deployment.identity(ana.user_id)).did
    event = await deployment.event(ana)
    await deliver_all_publications(deployment)
    for who, failure in ((ana, Refused), (ben, NotFound)):
        with pytest.raises(failure):
            await move_records_from(deployment, who, first)
    await connect_second_account(deployment, ben, "bens")
    with pytest.raises(NotFound):
        await move_records_from(deployment, ben, first)
    assert (await deployment.status_of(PublicationKind.EVENT, event.id)).uri.split("/")[2] == first


async def test_moving_does_not_publish_retracted_or_deleted_things(deployment: Deployment):
    """Invariant 11: moving is not consent to publish content that its owner has retracted."""
    ana = await deployment.person("Ana")
    first = (await deployment.identity(ana.user_id)).did
    event = await deployment.event(ana)
    await deliver_all_publications(deployment)
    second = await connect_second_account(deployment, ana)
    await deployment.revise(ana, event.slug, visibility="private")
    assert await move_records_from(deployment, ana, first) <= 1
    await deliver_all_publications(deployment)
    assert (
        await records_in_repository(deployment, first, EVENT)
        == await records_in_repository(deployment, second, EVENT)
        == {}
    )


async def test_records_written_by_another_app_are_not_moved(deployment: Deployment):
    """Edits made on this site are written to the original record. A move neither counts nor changes it."""
    cleo = await deployment.connected("cleo")
    first = (await deployment.identity(cleo.user_id)).did
    app = await deployment.stranger("cleo")
    record = {
        "$type": EVENT,
        "name": "Sailing",
        "createdAt": "2026-01-01T00:00:00Z",
        "startsAt": "2026-05-01T10:00:00Z",
    }
    made = await app.procedure("com.atproto.repo.createRecord", {"repo": first, "collection": EVENT, "record": record})
    await deployment.listen(cleo.user_id)
    async with deployment.db.reader() as reader:
        event = await event_records.find(reader, str(made["uri"]))
    assert event is not None
    await deployment.revise(cleo, event.slug, title="Sailing far")
    await deliver_all_publications(deployment)
    assert (await deployment.record(str(made["uri"])))["name"] == "Sailing far"
    await connect_second_account(deployment, cleo)
    assert await held(deployment, cleo) != {}
    assert await move_records_from(deployment, cleo, first) == 0
    await deployment.revise(cleo, event.slug, title="Sailing farther")
    await deliver_all_publications(deployment)
    assert (await deployment.record(str(made["uri"])))["name"] == "Sailing farther"


async def test_without_a_session_the_old_record_stays_unchanged(deployment: Deployment):
    """The event has its new record. This site may not write the old one, so it stays unchanged."""
    ana = await deployment.person("Ana")
    first = (await deployment.identity(ana.user_id)).did
    event = await deployment.event(ana)
    await deliver_all_publications(deployment)
    old = (await deployment.status_of(PublicationKind.EVENT, event.id)).uri or ""
    second = await connect_second_account(deployment, ana)
    async with deployment.db.transaction() as tx:
        await tx.execute("update identities set kind = 'connected' where did = :did", did=first)
        await session_queries.delete(tx, first)
    await move_records_from(deployment, ana, first)
    assert (await deployment.status_of(PublicationKind.EVENT, event.id)).uri.split("/")[2] == second
    assert SUCCESSION_KEY not in await deployment.record(old)


async def test_by_page_and_by_api(deployment: Deployment):
    """The page shows which account the records are in, with one button. Invalid input and other people's records are
    refused with an explanation.
    """
    ana = await deployment.person("Ana")
    first = (await deployment.identity(ana.user_id)).did
    events = [await deployment.event(ana, title=f"Tea {number}") for number in range(2)]
    await deliver_all_publications(deployment)
    site = site_on(deployment.db, deployment.clock)
    async with signed_in(site, ana.user_id) as browser:
        assert "Nothing to move" in (await browser.get(PATH)).text
        second = await connect_second_account(deployment, ana)
        shown = (await browser.get(PATH)).text
        assert ("@office.town.test" in shown, "2 events" in shown) == (True, True)
        for typed, status in (("nonsense", 422), (second, 422), ("did:plc:" + "a" * 24, 404)):
            assert (await browser.post(PATH, data={"from": typed})).status_code == status
        assert await held(deployment, ana) == {second: (0, 0), first: (2, 0)}
        done = await browser.post(PATH, data={"from": first})
        assert (done.status_code, done.headers["location"]) == (303, PATH)
        await deliver_all_publications(deployment)
        assert "They’re on their way." in (await browser.get(PATH)).text
    assert {(await deployment.status_of(PublicationKind.EVENT, one.id)).uri.split("/")[2] for one in events} == {second}
    async with deployment.db.transaction() as tx:
        await identities.make_default(tx, ana.user_id, first)
        token = (await open_session(tx, ana.user_id, SessionTransport.API)).token
    async with site.browser() as browser:
        headers = {"authorization": f"Bearer {token}"}
        before = (await browser.get("/api/me/records", headers=headers)).json()["accounts"]
        assert [(one["did"], one["isDefault"], one["events"]) for one in before] == [
            (first, True, 0),
            (second, False, 2),
        ]
        moved = await browser.post("/api/me/records/move", json={"did": second}, headers=headers)
        assert (moved.status_code, moved.json()) == (200, {"events": 2, "series": 0, "left": 0})
        again = await browser.post("/api/me/records/move", json={"did": second}, headers=headers)
        assert again.json() == {"events": 0, "series": 0, "left": 0}
        refused = await browser.post("/api/me/records/move", json={"did": first}, headers=headers)
        assert refused.status_code == 422


async def test_a_large_move_continues_as_a_job(deployment: Deployment, monkeypatch: pytest.MonkeyPatch):
    """The page and the API show how many are left, and the button is hidden until the job has finished. Two requests
    make one job.
    """
    monkeypatch.setattr(move_records, "AT_A_TIME", 2)
    ana = await deployment.person("Ana")
    first = (await deployment.identity(ana.user_id)).did
    events = [await deployment.event(ana, title=f"Tea {number}") for number in range(7)]
    await deliver_all_publications(deployment)
    second = await connect_second_account(deployment, ana)
    handlers = {JobKind.MOVE_RECORDS: one_job_per_call(move_records.moving_handler(deployment.db))}
    site = site_on(deployment.db, deployment.clock)
    async with signed_in(site, ana.user_id) as browser:
        assert (await browser.post(PATH, data={"from": first})).status_code == 303
        assert (await held(deployment, ana))[first] == (5, 0)
        shown = (await browser.get(PATH)).text
        assert ("5 events" in shown, "still on their way" in shown, "Move them" in shown) == (True, True, False)
        async with deployment.db.transaction() as tx:
            token = (await open_session(tx, ana.user_id, SessionTransport.API)).token
        async with site.browser() as other:
            headers = {"authorization": f"Bearer {token}"}
            again = await other.post("/api/me/records/move", json={"did": first}, headers=headers)
            assert again.json() == {"events": 2, "series": 0, "left": 3}
            accounts = (await other.get("/api/me/records", headers=headers)).json()["accounts"]
            assert [(one["events"], one["isMoving"]) for one in accounts if one["did"] == first] == [(3, True)]
        assert await run_once(deployment.db, handlers) == 1
        assert (await held(deployment, ana))[first] == (0, 0)
        assert "still on their way" not in (await browser.get(PATH)).text
    await deliver_all_publications(deployment)
    assert {(await deployment.status_of(PublicationKind.EVENT, one.id)).uri.split("/")[2] for one in events} == {second}


async def test_pending_moves_stop_when_the_new_account_changes_back(
    deployment: Deployment, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(move_records, "AT_A_TIME", 1)
    ana = await deployment.person("Ana")
    first = (await deployment.identity(ana.user_id)).did
    for number in range(3):
        await deployment.event(ana, title=f"Tea {number}")
    await deliver_all_publications(deployment)
    await connect_second_account(deployment, ana)
    async with deployment.db.transaction() as tx:
        begun = await move_records.start_move(tx, ana.user_id, first)
        assert (begun.events, begun.left) == (1, 2)
        await identities.make_default(tx, ana.user_id, first)
    assert (
        await run_once(
            deployment.db, {JobKind.MOVE_RECORDS: one_job_per_call(move_records.moving_handler(deployment.db))}
        )
        == 1
    )
    assert (await held(deployment, ana))[first] == (2, 0)


async def test_on_both_engines(make_database: MakeDatabase):
    """A person with two accounts and no further data."""
    db = await make_database("openmeet")
    async with db.transaction() as tx:
        user_id = await identities.connect(tx, did(1), handle="ana.example", pds_url="https://pds.example")
        await identities.link(tx, did(2), user_id, handle="work.example", pds_url="https://pds.example")
        assert [(one.identity.did, one.events) for one in await move_records.counts_by_repository(tx, user_id)] == [
            (did(1), 0),
            (did(2), 0),
        ]
        for kind in (PublicationKind.SERIES, PublicationKind.EVENT):
            assert await move_records.move_some(tx, user_id, did(2), kind) == move_records.MovedRecords(0, None)
        assert await move_records.start_move(tx, user_id, did(2)) == move_records.StartedMove(0, 0, 0)
