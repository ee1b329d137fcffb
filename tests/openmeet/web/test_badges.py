"""Badges on cards and pages: origin, the host's membership, and group or series."""

from groundwork.clock import HandClock
from openmeet.domain.events import actions as events
from openmeet.domain.events.event_records import by_record_uri
from openmeet.domain.identities import actions as identities
from tests.databases import MakeDatabase
from tests.openmeet.ingestion.network import did, event
from tests.openmeet.series.detection import detect_series_of, weekly_events
from tests.openmeet.site_under_test import details, person, signed_in, site_on
from tests.openmeet.web.event_cards import apply_and_release, badges_in, badges_of_card
from tests.simulation.oracle import EVENT

SOON = "2026-04-01T18:00:00Z"


async def test_a_mixed_list_shows_the_origin_of_each_event(make_sqlite: MakeDatabase, clock: HandClock) -> None:
    """A badge names the app, if it is known. Whether the host is a member is said on the page of the event, not in the
    list. If all events were made on this site, there is no such badge.
    """
    db = await make_sqlite("openmeet", clock=clock)
    async with db.transaction() as tx:
        ben = await person(tx, "Ben")
        await events.create(tx, ben, details(title="Chess"))
    async with signed_in(site_on(db, clock), ben.user_id) as browser:
        alone = (await browser.get("/?source=all")).text
        assert badges_of_card(alone, "Chess") == ["You host this"]
        await apply_and_release(
            db,
            event(2, "tea", 1, "Tea", startsAt=SOON, createdWith="https://smokesignal.events"),
            event(3, "walk", 1, "Walk", startsAt=SOON),
            event(4, "copy", 1, "Copy", startsAt=SOON, createdWith=str(browser.base_url)),
        )
        async with db.transaction() as tx:
            await identities.connect(tx, did(3), handle="cleo.example", pds_url="")
        mixed = (await browser.get("/?source=all")).text
        assert badges_of_card(mixed, "Chess") == ["You host this"]
        assert badges_of_card(mixed, "Tea") == ["From Smoke Signal"]
        assert badges_of_card(mixed, "Walk") == ["From another app"]
        assert badges_of_card(mixed, "Copy") == ["From another app"], "the record only claims to be from this site"


async def test_pages_show_the_origin_too(make_sqlite: MakeDatabase, clock: HandClock) -> None:
    """Pages of an imported event and of a detected series have badges. The page of an event made on this site has none."""
    db = await make_sqlite("openmeet", clock=clock)
    await apply_and_release(db, *weekly_events(16))
    async with db.reader() as reader:
        tea = await by_record_uri(reader, f"at://{did(1)}/{EVENT}/tea15")
        author = tea.author_id
    (one,) = await detect_series_of(db, author)
    async with db.transaction() as tx:
        ben = await person(tx, "Ben")
        chess = await events.create(tx, ben, details(title="Chess"))
    async with site_on(db, clock).browser() as browser:
        assert badges_in((await browser.get(f"/events/{tea.slug}")).text)[:1] == ["From another app"]
        assert badges_in((await browser.get(f"/events/{chess.slug}")).text) == []
        async with db.reader() as reader:
            row = await reader.fetch_one("select slug from event_series where id = :id", id=one.series_id)
        assert badges_in((await browser.get(f"/series/{row['slug']}")).text)[:1] == ["From another app"]
        listed = (await browser.get("/?source=all")).text
        assert "Series" not in badges_of_card(listed, "Tea 8"), "the number of dates already shows it"
        assert "more dates<" in listed
