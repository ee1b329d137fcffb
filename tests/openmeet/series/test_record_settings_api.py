"""A host's choices about records, in the API and on the page: publishing them now, and the state of each."""

import pytest

from groundwork.clock import HandClock
from groundwork.database.transaction import Database
from openmeet.domain.events.event_records import by_record_uri
from openmeet.domain.events.model import EventSlug
from openmeet.domain.events.queries import by_slug
from openmeet.domain.identities import actions as identities
from openmeet.domain.identities import queries as identity_queries
from openmeet.domain.identities import session_queries
from openmeet.domain.identities.model import IdentityKind, NewSession, PdsSessionKind
from openmeet.domain.identities.permissions import Feature, scope_for
from openmeet.domain.users.model import UserId
from openmeet.feature_flags.flags import MAX_AGE, Flag
from openmeet.network.flag_changes import switch
from openmeet.network.ingestion.apply import apply
from openmeet.outbox.publication_status import statuses
from openmeet.outbox.publications import PublicationKind, PublicationState, enqueue
from tests.databases import MakeDatabase
from tests.openmeet.ingestion.network import HERE, did, event, rsvp
from tests.openmeet.site_under_test import Site, api_session, inputs_of, sign_up, site_on

DID = did(1)
EVENT = {
    "title": "Board games",
    "startsLocal": "2026-07-04T18:00",
    "timeZone": "Europe/Berlin",
}
WEEKLY = {
    "event": EVENT,
}


@pytest.fixture
async def db(make_sqlite: MakeDatabase) -> Database:
    return await make_sqlite("openmeet")


@pytest.fixture
def site(db: Database, clock: HandClock) -> Site:
    return site_on(db, clock)


async def settings(browser, slug: str, ana: dict[str, str]) -> dict:
    answer = await browser.get(f"/api/events/{slug}/bluesky-settings", headers=ana)
    assert answer.status_code == 200, answer.text
    return answer.json()


async def test_settings_of_an_event_are_read_and_changed_in_part(site: Site):
    async with site.browser() as browser:
        ana = await api_session(browser, "ana@example.org", "Ana")
        slug = (await browser.post("/api/events", json=EVENT, headers=ana)).json()["slug"]
        path = f"/api/events/{slug}/bluesky-settings"
        before = await browser.get(path, headers=ana)
        usual = {
            "syncEnabled": True,
            "seriesPolicy": None,
            "detailsLevel": "full",
            "isAnnounced": False,
            "rsvpHandling": "published",
            "reach": "full",
        }
        assert {name: before.json()[name] for name in usual} == usual
        saved = await browser.post(
            path, json={"detailsLevel": "minimal"}, headers=ana | {"if-match": before.headers["etag"]}
        )
        assert {name: saved.json()[name] for name in usual} == usual | {"detailsLevel": "minimal", "reach": "minimal"}
        stale = await browser.post(
            path, json={"syncEnabled": False}, headers=ana | {"if-match": before.headers["etag"]}
        )
        assert stale.status_code == 412
        saved = await browser.post(path, json={"syncEnabled": False, "rsvpHandling": "withheld"}, headers=ana)
        assert (saved.json()["reach"], saved.json()["rsvpHandling"]) == ("nothing", "withheld")
        refused = await browser.post(path, json={"isAnnounced": True}, headers=ana)
        assert refused.status_code == 422
        misplaced = await browser.post(path, json={"seriesPolicy": "none"}, headers=ana)
        assert misplaced.status_code == 400


async def test_only_the_author_decides_and_strangers_learn_nothing(site: Site):
    async with site.browser() as browser:
        ana = await api_session(browser, "ana@example.org", "Ana")
        hidden = {**EVENT, "visibility": "private"}
        slug = (await browser.post("/api/events", json=hidden, headers=ana)).json()["slug"]
        open_slug = (await browser.post("/api/events", json=EVENT, headers=ana)).json()["slug"]
        ben = await api_session(browser, "ben@example.org", "Ben")
        for path, body in (
            (f"/api/events/{slug}/bluesky-settings", {}),
            ("/api/events/sync-bluesky", {"slug": slug}),
            (f"/api/events/{slug}/attendees/sync", None),
        ):
            answer = await browser.post(path, json=body, headers=ben)
            assert answer.status_code == 404, path
        assert (await browser.get(f"/api/events/{open_slug}/bluesky-settings", headers=ben)).status_code == 403
        assert (
            await browser.post("/api/events/sync-bluesky", json={"slug": open_slug}, headers=ben)
        ).status_code == 403


async def test_syncing_answers_how_each_record_stands(site: Site):
    async with site.browser() as browser:
        ana = await api_session(browser, "ana@example.org", "Ana")
        slug = (await browser.post("/api/events", json=EVENT, headers=ana)).json()["slug"]
        answer = await browser.post("/api/events/sync-bluesky", json={"slug": slug, "force": True}, headers=ana)
        assert answer.status_code == 200, answer.text
        (stands,) = answer.json()["publications"]
        assert (stands["kind"], stands["slug"], stands["state"], stands["recordUri"]) == ("event", slug, "due", None)


async def test_forcing_publishes_what_was_retracted(site: Site):
    async with site.browser() as browser:
        ana = await api_session(browser, "ana@example.org", "Ana")
        slug = (await browser.post("/api/events", json=EVENT, headers=ana)).json()["slug"]
        async with site.db.transaction() as tx:
            event = await by_slug(tx, EventSlug(slug))
            await tx.execute(
                "update publications set is_withdrawn = 1, state = 'retracted' where subject_id = :id", id=event.id
            )
        for force, expected in ((False, (PublicationState.DUE, True)), (True, (PublicationState.DUE, False))):
            await browser.post("/api/events/sync-bluesky", json={"slug": slug, "force": force}, headers=ana)
            async with site.db.reader() as reader:
                publication = (await statuses(reader, PublicationKind.EVENT, [event.id]))[event.id]
            assert (publication.state, publication.is_withdrawn) == expected


async def test_answers_are_shown_to_their_owner_and_to_hosts(site: Site):
    async with site.browser() as browser:
        ana = await api_session(browser, "ana@example.org", "Ana")
        slug = (await browser.post("/api/events", json=EVENT, headers=ana)).json()["slug"]
        ben = await api_session(browser, "ben@example.org", "Ben")
        await browser.put(f"/api/events/{slug}/answer", json={"reply": "going"}, headers=ben)
        mine = (await browser.post(f"/api/events/{slug}/attendees/sync", headers=ben)).json()
        assert (mine["mine"]["kind"], mine["states"]) == ("rsvp", None)
        hosts = (await browser.post(f"/api/events/{slug}/attendees/sync", headers=ana)).json()
        assert hosts == {"mine": None, "states": [{"state": "due", "answers": 1}], "comparing": 0}


async def test_a_series_can_be_named_by_its_url_and_by_its_dates(site: Site):
    """Its policy says which dates have records. A setting for all dates applies to coming and new ones."""
    async with site.browser() as browser:
        ana = await api_session(browser, "ana@example.org", "Ana")
        made = await browser.post(
            "/api/series",
            json={**EVENT, "recurrence": {"frequency": "weekly"}},
            headers=ana,
        )
        assert made.status_code == 201, made.text
        series = made.json()["slug"]
        shown = await settings(browser, series, ana)
        assert (shown["seriesPolicy"], len(shown["publications"])) == ("next", 1)
        date = shown["publications"][0]["slug"]
        assert shown["publications"][0]["originalDate"] == "2026-07-04T18:00:00"
        assert (await settings(browser, date, ana))["seriesPolicy"] == "next"
        path = f"/api/events/{date}/bluesky-settings"
        wide = await browser.post(
            path, json={"seriesPolicy": "window", "detailsLevel": "minimal", "forSeries": True}, headers=ana
        )
        assert (wide.json()["seriesPolicy"], wide.json()["detailsLevel"]) == ("window", "minimal")
        shown = await settings(browser, series, ana)
        assert (shown["detailsLevel"], len(shown["publications"]) >= 2) == ("minimal", True)
        for one in shown["publications"]:
            assert (await settings(browser, one["slug"], ana))["reach"] == "minimal"
        none = await browser.post(f"/api/events/{series}/bluesky-settings", json={"seriesPolicy": "none"}, headers=ana)
        assert (none.status_code, none.json()["publications"]) == (200, [])


async def test_the_page_shows_and_saves_the_same(site: Site):
    async with site.browser() as browser:
        await sign_up(browser, "ana@example.org", "Ana")
        typed = {
            "title": "Board games",
            "starts": "2026-07-04T18:00",
            "time_zone": "Europe/Berlin",
            "mode": "in_person",
            "visibility": "private",
        }
        made = await browser.post("/events/new", data=typed)
        assert made.status_code == 303, made.text
        slug = made.headers["location"].split("/events/")[-1].split("?")[0]
        page = await browser.get(f"/events/{slug}/publishing")
        assert page.status_code == 200
        assert inputs_of(page.text)["publishes"] == "nothing"
        saved = await browser.post(f"/events/{slug}/publishing", data={**inputs_of(page.text), "publishes": "minimal"})
        assert saved.status_code == 303
        again = await browser.get(f"/events/{slug}/publishing")
        assert inputs_of(again.text)["publishes"] == "minimal"
        stale = await browser.post(f"/events/{slug}/publishing", data={**inputs_of(page.text), "publishes": "nothing"})
        assert stale.status_code == 412
        wrong = await browser.post(f"/events/{slug}/publishing", data={"publishes": "everything"})
        assert (wrong.status_code, "Choose what other apps get." in wrong.text) == (400, True)


async def test_preferences_by_api_and_page_are_the_same(site: Site):
    async with site.browser() as browser:
        ana = await api_session(browser, "ana@example.org", "Ana")
        usual = {
            "writesEvents": True,
            "writesAnswers": True,
            "declinedAs": "notgoing",
            "waitingAs": "nothing",
            "letsCoHostsPublish": False,
        }
        first = await browser.get("/api/me/publishing", headers=ana)
        assert first.json() == usual
        wanted = usual | {"declinedAs": "nothing", "letsCoHostsPublish": True}
        saved = await browser.put("/api/me/publishing", json=wanted, headers=ana | {"if-match": first.headers["etag"]})
        assert (saved.status_code, saved.json()) == (200, wanted)
        stale = await browser.put("/api/me/publishing", json=usual, headers=ana | {"if-match": first.headers["etag"]})
        assert stale.status_code == 412


async def test_the_page_of_a_series_leads_to_the_consent_that_its_record_needs(site: Site):
    """The link is shown if series records are switched on and the server was not asked for that permission. The sign-in
    requests the calendar permission only.
    """
    async with site.browser() as browser:
        await sign_up(browser, "ana@example.org", "Ana")
        ana = await api_session(browser, "ana@example.org", "Ana")
        recurring = {**EVENT, "recurrence": {"frequency": "weekly"}}
        made = (await browser.post("/api/series", json=recurring, headers=ana)).json()
        async with site.db.transaction() as tx:
            (person,) = await tx.fetch("select id from users where email = 'ana@example.org'")
            (first,) = await tx.fetch(
                "select e.slug from events e join event_series s on s.id = e.series_id where s.slug = :slug"
                " order by e.starts_at limit 1",
                slug=made["slug"],
            )
            await identity_queries.insert(
                tx,
                DID,
                UserId(person["id"]),
                IdentityKind.CONNECTED,
                handle="ana.example",
                pds_url="https://pds.example",
                is_default=True,
            )

        async def page_with(*features: Feature, is_on: bool = True) -> str:
            async with site.db.transaction() as tx:
                await switch(tx, Flag.SERIES_LEXICON, is_on=is_on, changed_by="a test")
                scope = scope_for(*features)
                session = NewSession(DID, PdsSessionKind.OAUTH, "https://pds.example", b"sealed", scope=scope)
                await session_queries.put(tx, session)
            site.clock.turn(MAX_AGE)
            return (await browser.get(f"/events/{first['slug']}/publishing")).text

        assert 'name="feature" value="series"' in await page_with(Feature.CALENDAR)
        assert DID in await page_with(Feature.CALENDAR)
        assert 'name="feature"' not in await page_with(Feature.CALENDAR, Feature.SERIES)
        assert 'name="feature"' not in await page_with(Feature.CALENDAR, is_on=False)


async def test_imported_records_are_shown_as_imported(site: Site):
    """Events and answers have their URI. Changes that are made on this site afterwards are published like any other."""
    record = event(1, "tea", 1, "Tea", startsAt="2027-06-01T12:00:00Z")
    reply = rsvp(1, "yes", 2, record.uri)
    async with site.browser() as browser:
        ana = await api_session(browser, "ana@example.org", "Ana")
        async with site.db.transaction() as tx:
            user_id = UserId((await tx.fetch_one("select id from users where email = 'ana@example.org'"))["id"])
            await identities.link(tx, did(1), user_id, handle="ana.example", pds_url="https://pds.example")
            await apply(tx, HERE, [record, reply])
            slug = (await by_record_uri(tx, record.uri)).slug
        (stands,) = (await settings(browser, slug, ana))["publications"]
        assert (stands["state"], stands["recordUri"]) == ("imported", record.uri)
        shown = (await browser.get(f"/api/events/{slug}", headers=ana)).json()["publication"]
        assert (shown["state"], shown["uri"]) == ("imported", record.uri)
        mine = (await browser.post(f"/api/events/{slug}/attendees/sync", headers=ana)).json()["mine"]
        assert (mine["state"], mine["recordUri"]) == ("imported", reply.uri)
        own = (await browser.post("/api/events", json=EVENT, headers=ana)).json()["slug"]
        (stands,) = (await settings(browser, own, ana))["publications"]
        assert (stands["state"], stands["recordUri"]) != ("imported", None)
        async with site.db.transaction() as tx:
            await tx.execute("update events set title = 'Tea!', revision = revision + 1 where slug = :slug", slug=slug)
            found = await by_record_uri(tx, record.uri)
            await enqueue(tx, kind=PublicationKind.EVENT, subject_id=found.id, user_id=user_id, revision=found.revision)
        (stands,) = (await settings(browser, slug, ana))["publications"]
        assert (stands["state"], stands["recordUri"]) == ("due", record.uri)
