"""Series pages without a script: created in the event form, viewed, and edited with a question about the scope
afterwards.
"""

import re
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta

import httpx
import icalendar
import pytest
import recurring_ical_events

from groundwork.clock import DAY, HandClock, from_datetime
from openmeet.domain.identities import actions as identities
from openmeet.domain.series import cancel_dates, date_queries, queries
from openmeet.domain.series.model import Series
from openmeet.network.publishing.consent import ConsentDependencies
from tests.openmeet.identities.offline_clients import offline_publishing
from tests.openmeet.series.series_forms import (
    FIRST_DATE,
    SECOND_DATE,
    SERIES_FORM,
    THIRD_DATE,
    ana,
    create_series,
    edit_form_at,
    only_series,
    site,
)
from tests.openmeet.site_under_test import Site, change_services, h1_of, inputs_of, sign_up

__all__ = ["ana", "site"]


LATER = "?from=2026-04-10T00:00:00Z"


@pytest.fixture
async def publishing(clock: HandClock) -> AsyncIterator[ConsentDependencies]:
    async with offline_publishing(clock) as made:
        yield made


@pytest.fixture
async def ben(site: Site):
    async with site.browser() as browser:
        await sign_up(browser, "ben@example.org", "Ben")
        yield browser


async def stored(site: Site, series: Series) -> list[tuple[str, str, str]]:
    async with site.db.reader() as reader:
        held = await date_queries.stored(reader, series.id)
    return [
        (one.event.position_in_series.original_date, one.event.title, one.event.status.value)
        for one in held
        if one.event.position_in_series and not one.event.is_gone
    ]


async def test_coordinates_alone_are_a_place_for_people_who_may_know_it(
    ana: httpx.AsyncClient, ben: httpx.AsyncClient
) -> None:
    at, point = "mlat=48.217391&amp;mlon=16.372746", {"venue_name": "", "point": "48.217391, 16.372746"}
    shared = await create_series(ana, **point)
    assert at in (shown := (await ben.get(shared)).text)
    assert "A point on the map" in shown
    kept = await create_series(ana, **point, place_audience="attendees", submission="k2")
    assert at in (await ana.get(kept)).text
    assert at not in (hidden := (await ben.get(kept)).text)
    assert "The place is shown to people who are going" in hidden
    online = await create_series(ana, **point, mode="online", online_url="https://meet.example/x", submission="k3")
    assert at not in (await ana.get(online)).text


async def test_days_that_do_not_exist_are_listed_before_saving(ana: httpx.AsyncClient) -> None:
    monthly = SERIES_FORM | {"starts": "2026-03-31T18:00", "ends": "", "repeats": "FREQ=MONTHLY", "preview": "yes"}
    assert (
        "doesn’t exist in April 2026, June 2026, September 2026" in (await ana.post("/events/new", data=monthly)).text
    )
    daily = SERIES_FORM | {"starts": "2026-03-28T02:30", "ends": "", "repeats": "FREQ=DAILY", "preview": "yes"}
    assert "there’s no 02:30, because the clocks go forward" in (await ana.post("/events/new", data=daily)).text


async def test_a_custom_rule_with_an_end(ana: httpx.AsyncClient, site: Site) -> None:
    custom = {
        "repeats": "custom",
        "custom_every": "2",
        "custom_unit": "WEEKLY",
        "custom_day_TU": "yes",
        "custom_day_TH": "yes",
    }
    await create_series(ana, **custom, ends_how="after", ends_after="6")
    assert str((await only_series(site)).timing.pattern.rule) == "FREQ=WEEKLY;INTERVAL=2;BYDAY=TU,TH;COUNT=6"


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"repeats": "FREQ=HOURLY"}, 'id="repeats-problem"'),
        ({"ends_how": "on", "ends_on": ""}, "Choose the day it ends."),
        ({"ends_how": "after", "ends_after": "many"}, "Enter a whole number from 1 to 10,000."),
    ],
    ids=["hourly", "no last day", "no number"],
)
async def test_errors_are_reported_next_to_their_fields(ana: httpx.AsyncClient, changes, sentence) -> None:
    shown = await ana.post("/events/new", data=SERIES_FORM | changes)
    assert shown.status_code == 400
    assert sentence in shown.text
    assert inputs_of(shown.text)["venue_name"] == "The hall"


async def test_one_form_creates_one_series_or_without_a_rule_one_event(ana: httpx.AsyncClient) -> None:
    assert await create_series(ana) == await create_series(ana)
    assert (await create_series(ana, repeats="", submission="other")).startswith("/events/practice")


async def test_after_creating_something_public_the_host_is_asked_about_other_apps(
    ana: httpx.AsyncClient, ben: httpx.AsyncClient, site: Site, publishing: ConsentDependencies
) -> None:
    """The host sees the question on the page of each of their public series and events until they answer. Other people
    do not see it.
    """
    change_services(site.app, publishing=publishing)
    question = "Show your public events in other apps, too?"
    path = await create_series(ana)
    assert path.startswith("/series/practice")
    single = await create_series(ana, submission="single", repeats="")
    assert single.startswith("/events/practice")
    for one in (path, single):
        shown = (await ana.get(one)).text
        assert question in shown
        assert f'href="/settings/publishing?next={one}"' in shown
        assert question not in (await ben.get(one)).text
    private = await create_series(ana, submission="private", repeats="", visibility="private")
    assert question not in (await ana.get(private)).text
    async with site.db.transaction() as tx:
        (row,) = await tx.fetch("select id from users where display_name = 'Ana'")
        await identities.withdraw(tx, row["id"])
    for one in (path, single):
        assert question not in (await ana.get(one)).text


async def test_a_draft_written_before_signing_in_keeps_its_rule(site: Site) -> None:
    async with site.browser() as browser:
        assert (await browser.post("/events/new", data=SERIES_FORM)).status_code == 303
        await sign_up(browser, "cleo@example.org", "Cleo")
        shown = (await browser.get("/events/new")).text
    assert 'value="FREQ=WEEKLY;BYDAY=TU" checked' in shown


async def test_the_page_shows_the_rule_dates_and_a_way_to_later_ones(ana: httpx.AsyncClient, site: Site) -> None:
    path = await create_series(ana)
    shown = await ana.get(path)
    assert h1_of(shown.text) == "Practice"
    for words in ("Every Tuesday at 18:00", "The hall", ">Later dates</a>"):
        assert words in shown.text
    assert f"{path}/dates/2026-05-05T18:00:00" in (await ana.get(path + LATER)).text
    opened = await ana.get(f"{path}/dates/2026-05-05T18:00:00")
    assert opened.status_code == 303
    event = await ana.get(opened.headers["location"])
    assert f'href="{path}"' in event.text, "the event links to its series"
    assert "Tue 28 Apr" in event.text, "the event links to the previous and next dates"
    assert "Tue 12 May" in event.text
    assert len(await stored(site, await only_series(site))) == 10


async def test_a_date_next_to_its_tile_is_only_the_weekday_and_the_time(ana, site: Site, clock: HandClock) -> None:
    """Also in the next year, unless it is so far ahead that the year matters."""
    path = await create_series(ana)

    async def next_to_tiles(start: str) -> list[str]:
        async with site.browser() as anybody:
            shown = (await anybody.get(f"{path}?from={start}T00:00:00Z")).text
        return re.findall(r'<span class="date-day"[^>]*>([^<]*)</span>', shown)

    clock.turn(from_datetime(datetime(2026, 10, 15, tzinfo=UTC)) - clock.now())
    assert set(await next_to_tiles("2027-01-01")) == {"Tue 18:00"}
    assert "Tue 2 Nov 2027, 18:00" in await next_to_tiles("2027-11-01")


async def test_dates_too_far_ahead_have_no_link_and_the_page_says_why(ana, ben, site: Site) -> None:
    """The page has no links that would answer 404. The URL of such a date says from which day its page exists, and the
    host reads how to change the date.
    """
    path = await create_series(ana)
    shown = (await ben.get(f"{path}?from=2031-06-01T00:00:00Z")).text
    assert "We couldn’t read “soon” as a date" in (await ben.get(f"{path}?from=soon")).text
    assert "Tue 3 Jun 2031" in shown
    assert f"{path}/dates/" not in shown
    assert "Dates get their own page up to 5 years ahead." in shown
    assert "as soon as you change or cancel them" not in shown
    assert "as soon as you change or cancel them" in (await ana.get(f"{path}?from=2031-06-01T00:00:00Z")).text
    refused = await ben.get(f"{path}/dates/2031-06-03T18:00:00")
    assert (refused.status_code, "on Saturday 30 May 2026" in refused.text) == (404, True)
    assert "Dates get their own page" not in (await ben.get(path)).text


async def test_going_to_all_and_following(ana: httpx.AsyncClient, ben: httpx.AsyncClient) -> None:
    path = await create_series(ana)
    assert "Going to all" in (await ben.get(path)).text
    await ben.post(f"{path}/answer", data={"reply": "going"})
    await ben.post(f"{path}/follow", data={"follow": "yes"})
    shown = (await ben.get(path)).text + (await ben.get(path + LATER)).text
    assert re.search(r'aria-current="true"><svg.*?</svg>Going</a>', shown)
    assert "Unfollow" in shown
    said = re.findall(r'<span class="chip [a-z]+">(You’re going|We’ll add you later)</span>', shown)
    assert (len(said), set(said)) == (
        len(re.findall(r'<li class="date[" ]', shown)),
        {"You’re going", "We’ll add you later"},
    )
    assert "New dates are added for you</h2>" in (await ben.get("/my/series")).text
    await ben.post(f"{path}/answer", data={"reply": "stop"})
    assert "dates are added for you" not in (await ben.get("/my/series")).text
    assert "We’ll add you later" not in (await ben.get(path + LATER)).text


def said_about_answers(page: str) -> str:
    """The sentence on the series page about the viewer's answers to its dates."""
    found = re.findall(r'<p class="hint">\n?((?:You’re (?:not )?going to|No date).*?)</p>', page, re.DOTALL)
    return " ".join(found[0].split()) if found else ""


async def test_the_page_counts_ones_answered_dates_correctly(ana, ben, site: Site) -> None:
    """ "Going to all" leaves out dates with limited places. The page does not say that a person goes if they go to none
    of the dates.
    """
    path = await create_series(ana, capacity="9")
    await ben.post(f"{path}/answer", data={"reply": "going"})
    none = (await ben.get(path)).text
    assert said_about_answers(none) == (
        "You’re going to none of the next 9 dates. 9 have limited places. Answer each of them below."
        " New dates have limited places, so we won’t add them for you."
    )
    assert "We’ll add you later" not in (await ben.get(path + LATER)).text
    assert "Going to 0 of 9 dates, 9 have limited places" in (await ben.get("/my/series")).text
    some = await ben.get(path + "/dates/" + SECOND_DATE)
    await ben.post(some.headers["location"] + "/answer", data={"reply": "going"})
    assert said_about_answers((await ben.get(path)).text).startswith("You’re going to 1 of the next 9 dates. 8 have")
    await ben.post(f"{path}/answer", data={"reply": "going", "with_limited": "yes"})
    every = (await ben.get(path)).text
    assert said_about_answers(every) == "You’re going to all of the next 9 dates. We’ll add new dates for you."
    assert "We’ll add you later" in (await ben.get(path + LATER)).text
    assert {word for word in ("every date", "Every date") if word in every} == set()


async def test_waitlists_and_pending_requests_are_counted_separately(ana, ben, site: Site) -> None:
    path = await create_series(ana, capacity="1")
    await ana.post(f"{path}/answer", data={"reply": "going", "with_limited": "yes"})
    said = await ben.post(f"{path}/answer", data={"reply": "going", "with_limited": "yes"})
    assert "dates_answered.0.9" in said.headers["set-cookie"]
    assert said_about_answers((await ben.get(path)).text) == (
        "You’re going to none of the next 9 dates. You’re on the waitlist for 9 dates. We’ll add new dates for you."
    )


async def test_hidden_and_cancelled_dates_are_not_counted(ana, ben, site: Site) -> None:
    path = await create_series(ana)
    await ben.post(f"{path}/answer", data={"reply": "going"})
    async with site.db.transaction() as tx:
        rows = await tx.fetch("select id from events order by starts_at")
        await tx.execute("update events set status = 'cancelled' where id = :id", id=rows[0]["id"])
        await tx.execute("update events set visibility = 'private' where id = :id", id=rows[1]["id"])
    async with site.browser() as cleo:
        await sign_up(cleo, "cleo@example.org", "Cleo")
        await cleo.post(f"{path}/answer", data={"reply": "going"})
        assert said_about_answers((await cleo.get(path)).text).startswith("You’re going to all of the next 7 dates.")
    # A person who answered the private date is invited to it and goes.
    assert said_about_answers((await ben.get(path)).text).startswith("You’re going to all of the next 8 dates.")


async def test_the_scope_is_asked_after_an_edit_with_its_consequences(ana, ben, site: Site) -> None:
    path = await create_series(ana)
    await ben.post(f"{path}/answer", data={"reply": "going"})
    form = await edit_form_at(ana, path, SECOND_DATE) | {"visibility": "unlisted"}
    asked = await ana.post(f"{path}/edit", data=form | {"title": "Rehearsal", "description": "Bring\na stand"})
    assert asked.status_code == 200, asked.text
    assert h1_of(asked.text) == "Which dates should change?"
    assert re.search(r"Practice</del> <span[^>]*>→</span> <ins>.*public</del>.*unlisted</ins>", asked.text, re.DOTALL)
    assert [f"Change {number} date" in asked.text for number in (1, 8, 9)] == [True] * 3
    assert ">1 answer is kept. 1 person gets a notification.<" in asked.text
    for said in (
        (
            "8 dates (until Tue 28 Apr) and all later ones change. 8 answers are kept. 1 person gets a notification. "
            "A new series"
        ),
        (
            "9 dates (until Tue 28 Apr) and all later ones change. 9 answers are kept. 1 person gets a notification. "
            "Past dates"
        ),
    ):
        assert said in asked.text
    notifications = [re.sub(r"<.*", "", one) for one in asked.text.split("The notification says: ")[1:]]
    assert [one.partition(" has changed: ")[0] for one in notifications] == ["“Rehearsal, Tue 10 Mar,"] * 2 + [
        "“Rehearsal, Tue 3 Mar,"
    ]
    assert {title for _, title, _ in await stored(site, await only_series(site))} == {"Practice"}, (
        "nothing is saved yet"
    )
    described = re.search(r'<textarea name="description" hidden>\n(.*?)</textarea>', asked.text, re.DOTALL)
    assert described is not None
    chosen = inputs_of(asked.text) | {"scope": "following", "description": described[1]}
    chosen.pop("is_silent", None), chosen.pop("drop_single_changes", None)
    done = await ana.post(f"{path}/edit", data=chosen)
    assert done.status_code == 303, done.text
    assert done.headers["location"] != path
    assert [title for _, title, _ in await stored(site, await only_series(site))] == ["Practice"]
    assert "Before that" in (await ana.get(done.headers["location"])).text
    assert "Notifications, 1 unread" in (await ben.get("/")).text


async def test_another_time_for_all_dates_keeps_their_urls(ana, site: Site) -> None:
    path = await create_series(ana)
    form = await edit_form_at(ana, path, FIRST_DATE)
    moved = form | {"starts": "2026-03-03T19:00", "ends": "2026-03-03T21:30", "scope": "all"}
    done = await ana.post(f"{path}/edit", data=moved)
    assert (done.status_code, done.headers["location"]) == (303, path)
    timing = (await only_series(site)).timing
    assert (timing.pattern.start.hour, timing.length) == (19, timedelta(hours=2, minutes=30))
    assert len(await stored(site, await only_series(site))) == 9


async def test_another_rule_needs_a_scope_of_several_dates(ana, site: Site) -> None:
    path = await create_series(ana)
    form = await edit_form_at(ana, path, SECOND_DATE) | {"repeats": "FREQ=WEEKLY;BYDAY=WE"}
    asked = (await ana.post(f"{path}/edit", data=form)).text
    assert 'value="this"' not in asked
    assert '<ins><span class="hidden">After: </span>Every Wednesday at 18:00' in asked
    await ana.post(f"{path}/edit", data=form | {"scope": "all"})
    assert [name[:10] for name, _, _ in await stored(site, await only_series(site))][:2] == ["2026-03-04", "2026-03-11"]


async def test_guests_learn_only_of_a_new_time_if_the_host_says_so(ana, ben, site: Site) -> None:
    """The choice is kept if another scope has to be chosen."""
    path = await create_series(ana)
    await ben.post(f"{path}/answer", data={"reply": "going"})
    retitled = await edit_form_at(ana, path, SECOND_DATE) | {"title": "Choir", "is_silent": "yes", "scope": "all"}
    assert (await ana.post(f"{path}/edit", data=retitled)).status_code == 303
    assert (await only_series(site)).content.title == "Choir"
    assert "Notifications, 1 unread" not in (await ben.get("/")).text
    form = await edit_form_at(ana, path, SECOND_DATE) | {"repeats": "FREQ=WEEKLY;BYDAY=WE", "is_silent": "yes"}
    refused = await ana.post(f"{path}/edit", data=form | {"scope": "this"})
    assert (refused.status_code, 'name="is_silent" value="yes" checked' in refused.text) == (422, True)
    done = await ana.post(f"{path}/edit", data=form | {"scope": "all"})
    assert done.status_code == 303, done.text
    assert "2026-03-04" in {name[:10] for name, _, _ in await stored(site, await only_series(site))}
    assert "Notifications, 1 unread" in (await ben.get("/")).text


async def test_one_form_creates_one_series_and_asks_before_creating_another(ana: httpx.AsyncClient, site: Site) -> None:
    path = await create_series(ana)
    assert await create_series(ana) == path
    asked = await ana.post("/events/new", data=SERIES_FORM | {"title": "Choir"})
    assert asked.status_code == 422
    assert f'You already created <a href="{path}">a series</a> with this form.' in asked.text
    form = inputs_of(asked.text)
    assert form["title"] == "Choir"
    assert form["submission"] != SERIES_FORM["submission"]
    assert (await only_series(site)).content.title == "Practice"
    assert await create_series(ana, title="Choir", submission=form["submission"]) != path


@pytest.mark.parametrize("chosen", ["FREQ=WEEKLY;INTERVAL=2", "FREQ=MONTHLY"])
async def test_another_title_does_not_change_a_rule_chosen_without_a_start(
    ana: httpx.AsyncClient, site: Site, chosen: str
) -> None:
    path = await create_series(ana, repeats=chosen)
    form = await edit_form_at(ana, path, FIRST_DATE)
    asked = (await ana.post(f"{path}/edit", data=form | {"title": "Rehearsal"})).text
    assert "Rehearsal</ins>" in asked
    assert ">Repeats<" not in asked
    await ana.post(f"{path}/edit", data=form | {"title": "Rehearsal", "scope": "this"})
    assert [title for _, title, _ in await stored(site, await only_series(site))][:2] == ["Rehearsal", "Practice"]


async def test_an_outdated_form_is_shown_again(ana, site: Site) -> None:
    path = await create_series(ana)
    form = await edit_form_at(ana, path, FIRST_DATE)
    await ana.post(f"{path}/edit", data=form | {"title": "First", "repeats": "FREQ=DAILY", "scope": "all"})
    again = await ana.post(f"{path}/edit", data=form | {"title": "Second", "scope": "all"})
    assert (again.status_code, inputs_of(again.text)["title"]) == (409, "Second")
    assert '<p class="other" id="repeats-other"><strong>Now:</strong> Every day at 18:00</p>' in again.text
    assert {title for _, title, _ in await stored(site, await only_series(site))} == {"First"}


async def test_an_unchanged_form_changes_nothing(ana, site: Site) -> None:
    path = await create_series(ana)
    done = await ana.post(f"{path}/edit", data=await edit_form_at(ana, path, FIRST_DATE))
    assert done.status_code == 303, done.text
    assert (await only_series(site)).revision == 1


async def test_some_dates_then_all_are_cancelled_and_reinstated(ana, site: Site) -> None:
    path = await create_series(ana)
    page = await ana.get(f"{path}/cancel")
    assert f'name="date_{SECOND_DATE}"' in page.text
    assert (await ana.post(f"{path}/cancel", data={"which": "some"})).status_code == 400
    await ana.post(
        f"{path}/cancel", data={"which": "some", f"date_{SECOND_DATE}": "yes", "reason": "The hall is closed"}
    )
    shown = (await ana.get(path)).text
    assert "The hall is closed" in shown
    assert re.search(r"<s><span[^>]*>Tue 18:00<", shown)
    await ana.post(f"{path}/cancel", data={"which": "all", "reason": "No trainer"})
    assert "This series is cancelled." in (await ana.get(path)).text
    await ana.post(f"{path}/resume", data={"is_silent": ""})
    statuses = [status for _, _, status in await stored(site, await only_series(site))]
    assert (statuses[1], {*statuses[:1], *statuses[2:]}) == ("cancelled", {"scheduled"}), (
        "cancelled individually before"
    )


async def test_pause_and_delete(ana, site: Site) -> None:
    path = await create_series(ana)
    assert (await ana.get(f"{path}/pause")).status_code == 200
    await ana.post(f"{path}/pause", data={"reason": "Summer"})
    assert "This series is paused" in (await ana.get(path)).text
    assert (await ana.get(f"{path}/delete")).status_code == 200
    assert (await ana.post(f"{path}/delete", data={})).status_code == 400
    assert (await ana.post(f"{path}/delete", data={"dates": "delete"})).status_code == 303
    assert (await ana.get(path)).status_code == 410


@pytest.mark.parametrize("page", ["edit", "cancel", "pause", "delete"])
async def test_only_hosts_get_these_pages(ana, ben, page: str) -> None:
    path = await create_series(ana)
    assert (await ben.get(f"{path}/{page}")).status_code == 403


async def test_the_feed_contains_what_the_page_shows(ana, site: Site) -> None:
    path = await create_series(ana, online_url="https://meet.example/secret", mode="hybrid")
    known = await only_series(site)
    async with site.db.transaction() as tx:
        series = await queries.lock(tx, known.id)
        assert series is not None
        await cancel_dates.cancel_dates(tx, series, [SECOND_DATE], "ill")
        await cancel_dates.remove_dates(tx, series, [THIRD_DATE])
    form = await edit_form_at(ana, path, "2026-03-24T18:00:00")
    await ana.post(
        f"{path}/edit", data=form | {"starts": "2026-03-25T17:00", "ends": "2026-03-25T19:00", "scope": "this"}
    )
    fetched = await ana.get(f"{path}.ics")
    assert fetched.headers["content-type"].startswith("text/calendar")
    assert b"secret" not in fetched.content
    assert b"BEGIN:VTIMEZONE" in fetched.content
    calendar = icalendar.Calendar.from_ical(fetched.content)
    found = recurring_ical_events.of(calendar).between((2026, 3, 1), (2026, 4, 8))
    shown = [
        (one["DTSTART"].dt.isoformat(), str(one["STATUS"])) for one in sorted(found, key=lambda one: one["DTSTART"].dt)
    ]
    assert shown == [
        ("2026-03-03T18:00:00+01:00", "CONFIRMED"),
        ("2026-03-10T18:00:00+01:00", "CANCELLED"),
        ("2026-03-25T17:00:00+01:00", "CONFIRMED"),
        ("2026-03-31T18:00:00+02:00", "CONFIRMED"),
        ("2026-04-07T18:00:00+02:00", "CONFIRMED"),
    ]


async def test_the_feed_is_sent_again_only_when_it_changed(ana, site: Site) -> None:
    path = await create_series(ana)
    tag = (await ana.get(f"{path}.ics")).headers["etag"]
    site.clock.turn(DAY // 24)
    assert (await ana.get(f"{path}.ics", headers={"if-none-match": tag})).status_code == 304
    await ana.post(f"{path}/cancel", data={"which": "some", f"date_{SECOND_DATE}": "yes"})
    assert (await ana.get(f"{path}.ics", headers={"if-none-match": tag})).status_code == 200


async def test_a_private_series_has_no_page_and_no_feed_for_others(ana, ben) -> None:
    path = await create_series(ana, visibility="private")
    for address in (path, f"{path}.ics", f"{path}.atom", f"{path}.json", f"{path}/dates/{FIRST_DATE}"):
        assert (await ben.get(address)).status_code == 404
    assert (await ana.get(f"{path}.ics")).status_code == 200
    # Feed readers have no session, so there are no personal feeds.
    assert [(await ana.get(f"{path}.{kind}")).status_code for kind in ("atom", "json")] == [404, 404]
    assert ".atom" not in (await ana.get(path)).text


async def test_viewing_the_form_of_a_series_takes_no_lock(site: Site, ana, monkeypatch: pytest.MonkeyPatch):
    """Storing dates and reading answers take the lock of the series. Viewing a page must neither wait for the lock nor
    hold it.
    """
    made = await ana.post("/events/new", data=SERIES_FORM)
    (slug,) = re.findall(r"/series/([\w-]+)", made.headers["location"])

    def written(_self: object) -> object:
        raise AssertionError("a GET opened a transaction that writes")

    monkeypatch.setattr(type(site.db), "transaction", written)
    shown = await ana.get(f"/series/{slug}/edit")
    assert shown.status_code == 200
    assert "Practice" in shown.text
