"""Secrets planted in everything that is not public are searched for in everything that a viewer can open (invariant 3).

Each viewer must find exactly the secrets that they may see. A missing secret means that the search is incomplete, an
additional one that something leaks.
"""

import io
import logging
import re
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
import structlog

from groundwork.blobstore.open_ import open_folder
from groundwork.http.client import HttpClient
from groundwork.http.reach import PUBLIC
from groundwork.sealing import Sealer
from groundwork.settings import Secret
from groundwork.telemetry.logs import configure
from openmeet.domain.calendars.fetch import CalendarFetcher
from tests.databases import MakeDatabase
from tests.openmeet.database_snapshot import all_rows
from tests.openmeet.identities.offline_clients import offline_publishing
from tests.openmeet.privacy.hidden_content import keep_away, withhold
from tests.openmeet.privacy.planted import FORMER, HOST, MEMBER, NOBODY, STRANGER, Viewer
from tests.openmeet.privacy.secret_fixtures import plant
from tests.openmeet.privacy.site_crawler import UNLIMITED, look_everywhere, search, try_everything
from tests.openmeet.site_under_test import Site, change_services, site_on


@pytest.fixture
async def site(make_sqlite: MakeDatabase, clock, tmp_path: Path) -> AsyncIterator[Site]:
    db = await make_sqlite("openmeet")
    http = HttpClient(PUBLIC)
    async with offline_publishing(clock) as publishing:
        pictures = open_folder(tmp_path / "pictures")
        site = site_on(
            db, clock, pictures=pictures, publishing=publishing, **UNLIMITED, metrics_token=Secret("for metrics")
        )
        # Webhooks are sealed with its key.
        change_services(site.app, calendar_fetcher=CalendarFetcher(http, Sealer([b"s" * 32])))
        yield site
    await http.close()


@pytest.fixture
def logged() -> Iterator[io.StringIO]:
    """All log output, from debug level on."""
    stream, root = io.StringIO(), logging.getLogger()
    before = root.handlers[:]
    configure(level="debug", stream=stream)
    yield stream
    root.handlers[:] = before
    structlog.reset_defaults()


async def test_every_viewer_finds_exactly_their_permitted_secrets(site, logged):
    async with site.db.transaction() as tx:
        planted = await plant(tx)
    async with site.db.transaction() as tx:
        await withhold(tx, planted)
    async with site.db.transaction() as tx:
        await keep_away(tx, planted)
    for viewer in Viewer:
        look = await look_everywhere(site, planted, viewer)
        meant = planted.meant_for(viewer)
        assert look.beyond(meant) == {}, f"{viewer} finds secrets that they may not see"
        assert meant - look.secrets == set(), f"{viewer} does not find secrets that they may see"
        assert look.broken() == []
        if viewer in {NOBODY, STRANGER}:
            assert look.unlike_absent(planted) == [], f"{viewer} can tell that a hidden object exists"
        if viewer is HOST:
            in_calendar = look.found[f"GET /calendar/{planted.feeds[HOST]}.ics"]
            assert in_calendar >= {"unlistedtitle", "clubeventtitle"}
            # Calendars are copied to other services, so even a personal one contains only public data.
            assert in_calendar & {"venue", "street", "north", "east", "door", "link"} == set()
        if viewer in {HOST, MEMBER, FORMER}:
            in_calendars = [
                look.found.get(f"GET /group-calendars/{token}.ics", ()) for token in planted.group_feeds[viewer]
            ]
            # The removed member had such a URL too.
            assert all("eventtitle" in " ".join(found) for found in in_calendars) is (viewer is not FORMER)
            assert viewer is not FORMER or not any(in_calendars)
    async with site.browser() as operator:
        metrics = await operator.get("/metrics", headers={"authorization": "Bearer for metrics"})
    # The log shows operators the called routes and the callers, but no content.
    assert "/events/{slug}" in metrics.text
    assert "/events/{slug}" in logged.getvalue()
    assert planted.found_in(metrics.text + logged.getvalue()) == set()


async def test_the_same_search_finds_the_secrets_in_public_things(site):
    async with site.db.transaction() as tx:
        planted = await plant(tx, is_open=True)
    async with site.db.transaction() as tx:
        await withhold(tx, planted, is_open=True)
    look = await look_everywhere(site, planted, NOBODY)
    assert {
        "venue",
        "street",
        "north",
        "east",
        "door",
        "link",
        "reason",
        "alt",
        "clubname",
        "clubtext",
        "clubalt",
        "rehearsaltext",
        "secretseriestitle",
        "secretseriestext",
        "denname",
        "dentext",
        "denseriestitle",
        "denseriestext",
    } <= look.secrets
    for event in ("private", "unlisted", "clubevent", "choirevent", "denevent"):
        assert {
            f"{event}{part}" for part in ("title", "text", "venue", "town", "tag", "price", "tickets", "access")
        } <= look.secrets
    for name in ("hidden", "waiting", "ofhiddengroup"):
        assert {f"{name}{part}" for part in ("title", "text", "venue", "tag")} <= look.secrets
    assert {"hiddengroupname", "hiddengrouptext"} <= look.secrets
    found = {re.sub(r"zq[^/.]*", "…", asked): secrets for asked, secrets in look.found.items()}
    for place in (
        "/",
        "/api/events",
        "/groups/….ics",
        "/groups/….atom",
        "/groups/….json",
        "/series/….ics",
        "/series/….atom",
        "/series/….json",
        "/groups/…",
        "/api/series/…",
    ):
        assert found[f"GET {place}"], place


@pytest.mark.parametrize("viewer", [NOBODY, STRANGER, FORMER, MEMBER])
async def test_forbidden_actions_reveal_nothing(site, logged, viewer):
    """The responses to these requests contain no secret, and the viewers see no more afterwards."""
    async with site.db.transaction() as tx:
        planted = await plant(tx)
    async with site.db.transaction() as tx:
        await withhold(tx, planted)
    tried = await try_everything(site, planted, viewer)
    assert tried.broken() == []
    assert tried.beyond(planted.meant_for(viewer)) == {}
    if viewer in {NOBODY, STRANGER}:
        assert tried.unlike_absent(planted) == []
    if viewer is STRANGER:
        after = await look_everywhere(site, planted, viewer)
        assert after.beyond(planted.meant_for(viewer)) == {}
    assert planted.found_in(logged.getvalue()) == set()


@pytest.mark.parametrize("viewer", [NOBODY, STRANGER, FORMER, MEMBER])
async def test_nobody_changes_what_others_made(site, viewer):
    """No request changes or deletes a row that is not about the viewer. They may add answers, questions and reports.
    The search indexes store several rows in one."""
    async with site.db.transaction() as tx:
        planted = await plant(tx)
    before = await all_rows(site.db, "sqlite")
    await try_everything(site, planted, viewer)
    after = await all_rows(site.db, "sqlite")
    own_id = planted.callers[viewer].user_id if viewer is not NOBODY else "nobody's"
    gone = [
        (table, row)
        for table, rows in before.items()
        if not table.startswith("search_")
        for row in set(rows) - set(after[table])
        if own_id not in row
    ]
    assert gone == []
    assert before != after, "the requests do nothing"


@pytest.mark.parametrize("viewer", [NOBODY, FORMER])
async def test_no_search_confirms_a_guess(make_database, clock, viewer):
    """A search for a hidden word returns the same as a search for nonsense, including the counts. Each engine has its
    own search.
    """
    site = site_on(await make_database("openmeet"), clock, **UNLIMITED)
    async with site.db.transaction() as tx:
        planted = await plant(tx)
    nothing = await search(site, viewer, planted, "zqnosuchwordzq")
    hidden = set(planted.for_whom) - planted.meant_for(viewer)
    told = {name for name in hidden if await search(site, viewer, planted, f"zq{name}zq") != nothing}
    assert told == set()
    assert await search(site, viewer, planted, "tea") != nothing, "the check finds nothing"
