"""The XRPC query for a series: its dates, stored and computed, page by page."""

from openmeet.domain.events.values import Visibility
from openmeet.domain.paging import packed
from openmeet.domain.series import actions, queries
from openmeet.domain.series.materialize import ensure_stored
from tests.openmeet.series.practice import NOW, create_weekly_series, lock_series
from tests.openmeet.site_under_test import ORIGIN, person
from tests.openmeet.xrpc.query_client import all_items, body_of, error_of

RECORD = "at://did:plc:ewvi7nxzyoun6zhxrhs64oiz/openmeet.lexicon.series/3mqdau33ozs2n"


async def test_stored_and_computed_dates_are_listed(site, client, clock):
    """Each date is listed once and in order, for any page size. The rule is returned as a sentence and as RFC 5545
    text.
    """
    clock.turn(NOW - clock.now())
    async with site.db.transaction() as tx:
        _, series = await create_weekly_series(tx, "FREQ=WEEKLY;BYDAY=TU;COUNT=20")
        await ensure_stored(tx, series, "2027-03-02T18:00:00")
        await queries.set_record(tx, series.id, RECORD)
    page = f"{ORIGIN}/series/{series.slug}"
    whole = await body_of(client, "listSeriesEvents", series=page)
    assert whole == await body_of(client, "listSeriesEvents", series=RECORD)
    assert (whole["series"]["title"], whole["series"]["uri"]) == ("Practice", RECORD)
    assert whole["series"]["rrule"] == "FREQ=WEEKLY;BYDAY=TU;COUNT=20"
    assert (whole["series"]["startsLocal"], whole["series"]["durationMinutes"]) == ("2026-11-24T18:00:00", 120)
    assert "cursor" not in whole
    names = [one["recurrenceId"] for one in whole["occurrences"]]
    assert (len(names), names[0], names[-1]) == (20, "2026-11-24T18:00:00", "2027-04-06T18:00:00")
    assert names == sorted(names)
    first, computed = whole["occurrences"][0], whole["occurrences"][-1]
    assert first["event"]["source"] == "openmeet"
    assert first["event"]["series"] == {
        "slug": series.slug,
        "originalDate": "2026-11-24T18:00:00",
        "url": page,
        "title": "Practice",
        "recurrenceId": "2026-11-24T18:00:00",
        "uri": RECORD,
    }
    assert first["url"] == first["event"]["url"]
    # By then the clocks have gone forward.
    assert (computed["startsAt"], computed["url"]) == ("2027-04-06T16:00:00Z", f"{page}/dates/2027-04-06T18:00:00")
    assert "event" not in computed
    for limit in (1, 7, 20):
        found = await all_items(client, "listSeriesEvents", "occurrences", series=page, limit=limit)
        assert [one["recurrenceId"] for one in found] == names


async def test_dates_within_a_period(site, client, clock):
    clock.turn(NOW - clock.now())
    async with site.db.transaction() as tx:
        _, series = await create_weekly_series(tx)
    page = f"{ORIGIN}/series/{series.slug}"
    # 18:00 in Berlin is 17:00 UTC.
    within = {"since": "2026-12-01T17:00:00Z", "until": "2026-12-15T17:00:00Z"}
    found = await body_of(client, "listSeriesEvents", series=page, **within)
    assert [one["recurrenceId"][:10] for one in found["occurrences"]] == ["2026-12-01", "2026-12-08"]
    endless = await body_of(client, "listSeriesEvents", series=page, limit=100)
    assert len(endless["occurrences"]) == 100
    for cursor in ("made-up", "MTIz", "é"):
        assert await error_of(client, "listSeriesEvents", series=page, cursor=cursor) == (400, "InvalidCursor")
    assert await error_of(client, "listSeriesEvents", series=f"{page}x") == (400, "SeriesNotFound")


async def test_periods_beyond_every_calendar_have_no_dates(site, client, clock):
    """The end of the year 9999 has no local time in Berlin, and the year 0 none anywhere."""
    clock.turn(NOW - clock.now())
    async with site.db.transaction() as tx:
        _, series = await create_weekly_series(tx, "FREQ=WEEKLY;BYDAY=TU;COUNT=4")
    page = f"{ORIGIN}/series/{series.slug}"
    far = packed("4611686018427387903.9999-12-31T23:59:59")
    for query in ({"since": "9999-12-31T23:59:59Z"}, {"cursor": far}, {"until": "0000-01-01T00:00:00Z"}):
        assert (await body_of(client, "listSeriesEvents", series=page, **query))["occurrences"] == []
    whole = await body_of(
        client, "listSeriesEvents", series=page, since="0000-01-01T00:00:00Z", until="9999-12-31T23:59:59Z"
    )
    assert len(whole["occurrences"]) == 4


async def test_dates_at_the_same_moment_are_returned_once(site, client, clock):
    """One date was moved to the time of another, and the cursor distinguishes them."""
    clock.turn(NOW - clock.now())
    async with site.db.transaction() as tx:
        _, series = await create_weekly_series(tx, "FREQ=WEEKLY;BYDAY=TU;COUNT=4")
        await tx.execute("update events set starts_at = (select min(starts_at) from events)")
    page = f"{ORIGIN}/series/{series.slug}"
    found = await all_items(client, "listSeriesEvents", "occurrences", series=page, limit=1)
    assert [one["recurrenceId"][:10] for one in found] == ["2026-11-24", "2026-12-01", "2026-12-08", "2026-12-15"]


async def test_a_private_series_is_visible_to_its_host(site, client, clock, people):
    clock.turn(NOW - clock.now())
    async with site.db.transaction() as tx:
        ana, series = await create_weekly_series(tx, visibility=Visibility.PRIVATE)
        of_ana, of_bo = await people.connect(tx, ana), await people.connect(tx, await person(tx, "Bo"))
    page = f"{ORIGIN}/series/{series.slug}"
    assert await error_of(client, "listSeriesEvents", series=page) == (400, "SeriesNotFound")
    token = people.token(of_bo, "listSeriesEvents")
    assert await error_of(client, "listSeriesEvents", series=page, token=token) == (400, "SeriesNotFound")
    found = await body_of(
        client, "listSeriesEvents", series=page, limit=1, token=people.token(of_ana, "listSeriesEvents")
    )
    assert found["occurrences"][0]["event"]["viewer"]["isHost"] is True
    async with site.db.transaction() as tx:
        await actions.delete(tx, await lock_series(tx, ana, series), keeps_events=False)
    token = people.token(of_ana, "listSeriesEvents")
    assert await error_of(client, "listSeriesEvents", series=page, token=token) == (400, "SeriesNotFound")
