"""Tickets, accessibility, categories, tags and languages between two installations that read one repository."""

import re
from dataclasses import replace
from html import unescape

import pytest

from openmeet.domain.events import actions as events
from openmeet.domain.events.event_records import by_record_uri
from openmeet.domain.events.model import Event
from openmeet.domain.events.rules import check
from openmeet.domain.events.submissions import submission_of, values_of_event
from openmeet.domain.events.values import Accessibility, Tickets
from openmeet.domain.events.vocabulary import ACCESS_LABELS, AccessFeature, Category
from openmeet.domain.merge_decisions import queries as merge_decisions
from openmeet.domain.merge_decisions.model import MergeReason, MergeSide
from openmeet.domain.paging import ALL_ROWS
from openmeet.network.ingestion import merge_review
from openmeet.network.records.collections import DETAILS_KEY
from tests.databases import MakeDatabase
from tests.openmeet.deployment import Deployment
from tests.openmeet.publishing.two_writers import Writers, open_other_site, publish_for_writers, write_until_idle
from tests.openmeet.site_under_test import signed_in, site_on

SAID = {
    "ticket_url": "https://tickets.example/tea",
    "price": "5 €",
    "access": "step_free,quiet_room",
    "access_note": "One step at the back door.",
    "categories": "games,community",
    "tags": "cooperative games, beginners",
    "languages": "de, English",
}


def details_of(event: Event) -> tuple[object, ...]:
    return (
        event.content.tickets,
        event.content.accessibility,
        event.content.categories,
        event.content.tags,
        event.content.languages,
    )


UNDERSTOOD = (
    Tickets("https://tickets.example/tea", "5 €"),
    Accessibility((AccessFeature.STEP_FREE, AccessFeature.QUIET_ROOM), "One step at the back door."),
    (Category.COMMUNITY, Category.GAMES),
    ("cooperative games", "beginners"),
    ("de", "en"),
)


async def say(writers: Writers, **fields: str) -> None:
    for field, value in fields.items():
        await writers.on_the_page(field, value)


@pytest.fixture
async def writers(deployment: Deployment, make_sqlite: MakeDatabase) -> tuple[Writers, Writers]:
    """Cleo's event with all its details on the site where she made it, and on another site that also has her account."""
    other = await open_other_site(deployment, make_sqlite)
    cleo = await deployment.connected("cleo")
    app = await deployment.stranger("cleo")
    here = await publish_for_writers(deployment, cleo, app, "Tea")
    there = Writers(other, await other.connected_as("cleo"), here.uri, app)
    await say(here, **SAID)
    await write_until_idle(here, there)
    return here, there


async def test_details_entered_here_are_known_there(writers: tuple[Writers, Writers]):
    """The details are in their own columns, which search uses, and on the event's page."""
    here, there = writers
    assert details_of(await here.event()) == details_of(await there.event()) == UNDERSTOOD
    event = await there.event()
    async with site_on(there.deployment.db, there.deployment.clock).browser() as browser:
        page = unescape((await browser.get(f"/events/{event.slug}")).text)
        found = await browser.get("/api/events", params={"category": "games", "q": "cooperative"})
    for words in (
        "https://tickets.example/tea",
        "5 €",
        ACCESS_LABELS[AccessFeature.STEP_FREE],
        "One step",
        "beginners",
    ):
        assert str(words) in page, words
    assert [one["slug"] for one in found.json()["events"]] == [event.slug]


async def test_details_changed_there_come_back(writers: tuple[Writers, Writers]):
    """A detail removed on the other site is removed on the first one too. After that neither site writes any more."""
    here, there = writers
    await say(there, price="7 €", tags="advanced", access="")
    await write_until_idle(here, there)
    tickets, _, categories, _, languages = UNDERSTOOD
    assert details_of(await here.event()) == details_of(await there.event())
    assert details_of(await here.event()) == (
        replace(tickets, price="7 €"),
        Accessibility((), "One step at the back door."),
        categories,
        ("advanced",),
        languages,
    )


async def test_if_both_edit_the_host_chooses(writers: tuple[Writers, Writers]):
    """Changes of different fields are both kept. For the same field the later change counts, and the host can choose
    the other one.
    """
    here, there = writers
    await say(here, price="6 €", tags="from here")
    await say(there, tags="from there", languages="fr")
    await write_until_idle(here, there)
    assert details_of(await here.event()) == details_of(await there.event())
    event = await here.event()
    assert (event.content.tickets.price, event.content.languages) == ("6 €", ("fr",))
    assert event.content.tags in {("from here",), ("from there",)}
    decided = [
        (side, one)
        for side in (here, there)
        async for one in _decisions(side)
        if one.decision.field == "tags" and one.decision.policy is MergeReason.MOST_RECENT
    ]
    assert decided, "the value that the winner had not read is kept"
    side, one = decided[0]
    assert {one.decision.ours, one.decision.theirs} == {"from here", "from there"}
    lost = MergeSide.OURS if one.decision.result is MergeSide.THEIRS else MergeSide.THEIRS
    wanted = one.decision.ours if lost is MergeSide.OURS else one.decision.theirs
    slug = (await side.event()).slug
    async with side.deployment.db.transaction() as tx:
        await merge_review.choose(tx, side.cleo, slug, field="tags", theirs_rev=one.theirs_rev, choice=lost)
    await write_until_idle(here, there)
    assert (await here.event()).content.tags == (await there.event()).content.tags == (wanted,)
    async with signed_in(site_on(side.deployment.db, side.deployment.clock), side.cleo.user_id) as browser:
        page = unescape((await browser.get(f"/events/{slug}/merged")).text)
    assert "Tags" in page
    assert re.search(r"<dt>Your account</dt><dd>@cleo", page)
    assert re.search(r"<dt>Last synced</dt><dd>(?!Not yet)", page)
    assert re.search(r"<dt>Other apps can read it</dt><dd><span.*Yes, ", page)


async def test_an_app_that_does_not_know_the_details_removes_none(writers: tuple[Writers, Writers]):
    """The other app wrote the record without the details object. The site where the event was made keeps the details,
    and its next edit writes them again.
    """
    here, there = writers
    record = await here.deployment.record(here.uri)
    cid = record.pop("cid")
    del record[DETAILS_KEY]
    wish = {"repo": here.did, "collection": here.collection, "rkey": here.rkey, "swapRecord": cid}
    await here.app.procedure("com.atproto.repo.putRecord", {**wish, "record": {**record, "name": "Tea at five"}})
    await write_until_idle(here, there)
    event = await here.event()
    assert (event.title, details_of(event)) == ("Tea at five", UNDERSTOOD)
    await here.on_the_page("description", "Bring a cup.")
    await write_until_idle(here, there)
    assert DETAILS_KEY in await here.deployment.record(here.uri)
    assert details_of(await there.event()) == UNDERSTOOD


async def _decisions(side: Writers):
    async with side.deployment.db.reader() as reader:
        assert await by_record_uri(reader, side.uri) is not None
        for one in await merge_decisions.of_records(reader, [side.uri], ALL_ROWS):
            yield one


async def test_all_day_chosen_there_comes_back(deployment: Deployment, make_sqlite: MakeDatabase):
    """The event already lasts from midnight to midnight, so its times stay the same. The next edit here keeps it."""
    other = await open_other_site(deployment, make_sqlite)
    cleo = await deployment.connected("cleo")
    here = await publish_for_writers(deployment, cleo, await deployment.stranger("cleo"), "Tea")
    there = Writers(other, await other.connected_as("cleo"), here.uri, here.app)
    await say(here, ends="2026-04-02T00:00", starts="2026-04-01T00:00")
    await write_until_idle(here, there)
    for side, is_all_day in ((there, True), (here, False)):
        before = await side.event()
        values = {**values_of_event(before), "ends": "2026-04-01T00:00", "all_day": "yes"}
        values |= {} if is_all_day else {"ends": "2026-04-02T00:00", "all_day": ""}
        async with side.deployment.db.transaction() as tx:
            await events.revise(tx, side.cleo, before.slug, check(submission_of(values), before))
        await write_until_idle(here, there)
        after = [await here.event(), await there.event()]
        assert {one.is_all_day for one in after} == {is_all_day}
        assert {(one.starts_at, one.ends_at) for one in after} == {(before.starts_at, before.ends_at)}
        await say(here, description=f"All day: {is_all_day}")
        await write_until_idle(here, there)
        assert {one.is_all_day for one in (await here.event(), await there.event())} == {is_all_day}
