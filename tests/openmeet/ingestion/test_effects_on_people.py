"""Effects of remote changes on people of this site: notifications, removal, visibility, deletion; on both engines."""

import pytest

from groundwork.clock import DAY, HandClock
from groundwork.database.transaction import Database, Engine
from openmeet.domain.attendance import actions as attendance
from openmeet.domain.attendance.model import RsvpReply
from openmeet.domain.events import actions as events
from openmeet.domain.events.event_records import by_record_uri
from openmeet.domain.events.queries import by_id as event_by_id
from openmeet.domain.events.values import Visibility
from openmeet.domain.identities import actions as identities
from openmeet.domain.moderation import visibility
from openmeet.domain.moderation.model import SubjectVisibility
from openmeet.domain.users.model import Caller
from openmeet.network.ingestion.account_deletion import erase_here
from openmeet.network.ingestion.apply import apply
from openmeet.network.records.message import RecordMessage
from openmeet.outbox import publication_status
from openmeet.outbox.publications import PublicationKind, PublicationState
from tests.databases import MakeDatabase
from tests.openmeet.database_snapshot import columns_containing, rows_of_all_tables
from tests.openmeet.deployment import Deployment, deliver_all_publications
from tests.openmeet.erasure.erasure_context import ERASURE_KEYS
from tests.openmeet.ingestion.network import HERE, deletion_of, did, event, event_value, key_of
from tests.openmeet.series.detection import detect_series_of, weekly_events
from tests.openmeet.site_under_test import details, person, signed_in, site_on
from tests.simulation.oracle import EVENT

TEA = f"at://{did(2)}/{EVENT}/tea"
SOON = "2026-04-01T18:00:00Z"


async def take(db: Database, *messages: RecordMessage) -> None:
    async with db.transaction() as tx:
        await apply(tx, HERE, messages)


async def take_known(db: Database, *messages: RecordMessage) -> None:
    """Apply messages, and end the waiting period of their authors."""
    await take(db, *messages)
    async with db.transaction() as tx:
        await visibility.release(tx, [one.did for one in messages], SubjectVisibility.ARRIVAL)


async def news_of(db: Database, who: Caller) -> list[str]:
    async with db.reader() as reader:
        rows = await reader.fetch(
            "select kind from notifications where user_id = :id order by created_at, id", id=who.user_id
        )
    return [row["kind"] for row in rows]


@pytest.fixture
async def ben(db: Database) -> Caller:
    """A local person who goes to another person's event from the network."""
    await take_known(db, event(2, "tea", 1, startsAt=SOON))
    async with db.transaction() as tx:
        ben = await person(tx, "Ben")
        await attendance.answer(tx, ben, (await by_record_uri(tx, TEA)).slug, RsvpReply.GOING)
    return ben


async def test_attendees_are_notified_of_remote_changes(db: Database, ben: Caller) -> None:
    """Moving, cancelling, restoring and deleting an event each notify once, however often the message arrives. A new
    description alone does not notify.
    """
    later = "2026-04-01T20:00:00Z"
    said = [
        event(2, "tea", 2, startsAt=SOON, description="With biscuits"),
        event(2, "tea", 3, startsAt=later),
        event(2, "tea", 4, startsAt=later, status=f"{EVENT}#cancelled"),
        event(2, "tea", 5, startsAt=later),
        deletion_of(event(2, "tea", 5), 6),
    ]
    for one in said:
        await take(db, one)
        await take(db, one)
    await take(db, *said)
    assert await news_of(db, ben) == ["event_changed", "event_cancelled", "event_reinstated", "event_deleted"]


async def test_past_and_unknown_events_notify_nobody(db: Database, ben: Caller, clock: HandClock) -> None:
    clock.turn(60 * DAY)
    await take(db, event(2, "tea", 2, startsAt="2026-04-01T20:00:00Z"), event(2, "other", 3, startsAt=SOON))
    await take(db, deletion_of(event(2, "tea", 2), 4))
    assert await news_of(db, ben) == []


async def test_a_removed_event_is_gone_and_in_no_list(make_sqlite: MakeDatabase, clock: HandClock) -> None:
    """Attendees get 410 on the event's page, and the event is no longer in their list."""
    db = await make_sqlite("openmeet", clock=clock)
    await take_known(db, event(2, "tea", 1, name="Zanzibar evening", startsAt=SOON))
    async with db.transaction() as tx:
        ben = await person(tx, "Ben")
        slug = (await by_record_uri(tx, TEA)).slug
        await attendance.answer(tx, ben, slug, RsvpReply.GOING)
    async with signed_in(site_on(db, clock), ben.user_id) as browser:
        assert "Zanzibar" in (await browser.get("/my/events")).text
        await take(db, deletion_of(event(2, "tea", 1), 2))
        gone = await browser.get(f"/events/{slug}")
        assert gone.status_code == 410
        # People who answered can read which event it was. Everybody else reads only that it was deleted.
        assert "“Zanzibar evening” was deleted on" in gone.text
        async with site_on(db, clock).browser() as nobody:
            elsewhere = await nobody.get(f"/events/{slug}")
            assert (elsewhere.status_code, "Zanzibar" in elsewhere.text) == (410, False)
        assert "was deleted on the server it came from." in gone.text
        assert "host deleted" not in gone.text, "it is not known who deleted a record in another app"
        assert (await browser.get(f"/api/events/{slug}")).status_code == 410
        for path in ("/", "/my/events", "/search?q=Zanzibar"):
            assert "Zanzibar evening" not in (await browser.get(path)).text, path


async def test_a_deleted_account_leaves_nothing_in_detected_series(db: Database, engine: Engine) -> None:
    """The person's events, and the series detected among them, are deleted. The whole database is searched afterwards."""
    async with db.transaction() as tx:
        user_id = await identities.connect(tx, did(1), handle="zanzibar.example", pds_url="")
    await take(db, *weekly_events(8))
    async with db.transaction() as tx:
        await tx.execute("update events set title = replace(title, 'Tea', 'Zanzibar'), slug = 'zanzibar-' || id")
    assert len(await detect_series_of(db, user_id)) == 1
    tables = {table for table, _ in columns_containing(await rows_of_all_tables(db, engine), ("Zanzibar", "zanzibar"))}
    assert {"event_series", "series_detections", "events"} <= tables
    async with db.transaction() as tx:
        await erase_here(tx, ERASURE_KEYS, did(1))
    assert columns_containing(await rows_of_all_tables(db, engine), ("Zanzibar", "zanzibar", did(1))) == []


async def test_restricting_an_event_here_keeps_its_public_record(deployment: Deployment) -> None:
    """After signing in, the author can restrict who sees the event on this site. The record stays in their repository
    until they retract it on a separate page.
    """
    await deployment.account("dora")
    client = await deployment.stranger("dora")
    own = str((await client.query("com.atproto.server.getSession"))["did"])
    await client.procedure(
        "com.atproto.repo.createRecord",
        {"repo": own, "collection": EVENT, "rkey": key_of("tea"), "record": event_value("Tea at home", startsAt=SOON)},
    )
    dora = await deployment.connected_as("dora")
    await deployment.deliver_jobs()
    uri = f"at://{own}/{EVENT}/{key_of('tea')}"
    async with deployment.db.transaction() as tx:
        tea = await by_record_uri(tx, uri)
        assert tea.visibility is Visibility.PUBLIC
        narrower = details(
            title="Tea at home", starts="2026-04-01T18:00", ends="", time_zone="UTC", visibility="private"
        )
        await events.revise(tx, dora, tea.slug, narrower)
    site = site_on(deployment.db, deployment.clock)
    await deployment.deliver_publications()
    assert (await deployment.record(uri))["name"] == "Tea at home"
    async with site.browser() as stranger:
        assert (await stranger.get(f"/events/{tea.slug}")).status_code == 404
    # Whatever the author writes in other apps, people with access on this site still see the event.
    await client.procedure(
        "com.atproto.repo.putRecord",
        {"repo": own, "collection": EVENT, "rkey": key_of("tea"), "record": event_value("Tea at home!", startsAt=SOON)},
    )
    await deployment.listen(dora.user_id)
    async with deployment.db.reader() as reader:
        assert (await by_record_uri(reader, uri)).visibility is Visibility.PRIVATE
    async with signed_in(site, dora.user_id) as browser:
        asked = (await browser.get(f"/events/{tea.slug}")).text
        assert f"/events/{tea.slug}/delete-record" in asked
        assert "Keep the copy" in (await browser.get(f"/events/{tea.slug}/delete-record")).text
        await deployment.deliver_publications()
        assert (await deployment.record(uri))["name"] == "Tea at home!"
        assert (await browser.post(f"/events/{tea.slug}/delete-record")).status_code == 303
        assert f"/events/{tea.slug}/delete-record" not in (await browser.get(f"/events/{tea.slug}")).text
    await deliver_all_publications(deployment)
    listed = await client.query("com.atproto.repo.listRecords", {"repo": own, "collection": EVENT})
    assert listed["records"] == []
    await deployment.listen(dora.user_id)
    async with deployment.db.reader() as reader:
        left = await event_by_id(reader, tea.id)
        publication = (await publication_status.statuses(reader, PublicationKind.EVENT, [tea.id]))[tea.id]
    assert (left.is_gone, left.visibility, left.record_uri) == (False, Visibility.PRIVATE, None)
    assert publication.state is PublicationState.RETRACTED


async def test_a_first_answer_suggests_following_the_series(make_sqlite: MakeDatabase, clock: HandClock) -> None:
    """The suggestion is made once. People who follow the series, go to all of it, or have answered several dates do not
    get it.
    """
    db = await make_sqlite("openmeet", clock=clock)
    async with db.transaction() as tx:
        author = await identities.connect(tx, did(1), handle="ana.example", pds_url="")
        ben = await person(tx, "Ben")
    await take(db, *weekly_events(14))
    await detect_series_of(db, author)
    async with db.reader() as reader:
        coming = await reader.fetch(
            "select slug from events where starts_at > :now order by starts_at limit 2", now=reader.now
        )
    first, second = (row["slug"] for row in coming)
    async with signed_in(site_on(db, clock), ben.user_id) as browser:
        assert "Follow the series" not in (await browser.get(f"/events/{first}")).text
        await browser.post(f"/events/{first}/answer", data={"reply": "going"})
        assert "Follow the series" in (await browser.get(f"/events/{first}")).text
        await browser.post(f"/events/{second}/answer", data={"reply": "going"})
        assert "Follow the series" not in (await browser.get(f"/events/{first}")).text
        await browser.post(f"/events/{second}/answer", data={"reply": "declined"})
        shown = (await browser.get(f"/events/{first}")).text
        assert "Follow the series" in shown
        series = shown.partition('action="/series/')[2].partition("/")[0]
        assert (await browser.post(f"/series/{series}/follow", data={"follow": "yes"})).status_code == 303
        assert "Follow the series" not in (await browser.get(f"/events/{first}")).text
