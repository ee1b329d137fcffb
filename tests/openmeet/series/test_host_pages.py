"""A host's actions on single dates and on a whole series, on pages without a script; on both engines."""

import re

import httpx
import pytest

from groundwork.clock import MINUTE, HandClock
from openmeet.domain.attendance import actions as attendance
from openmeet.domain.attendance import registration
from openmeet.domain.attendance.model import RsvpReply
from openmeet.domain.attendance.registration import RegistrationSettings
from openmeet.domain.events import queries as event_queries
from openmeet.domain.events.model import EventSlug
from openmeet.domain.series import date_queries, queries
from openmeet.domain.series.model import Series
from tests.databases import MakeDatabase
from tests.openmeet.site_under_test import Site, inputs_of, person, sign_up, site_on
from tests.visible_text import visible_text

FORM = {
    "title": "Practice",
    "starts": "2026-03-03T18:00",
    "ends": "2026-03-03T20:00",
    "time_zone": "Europe/Berlin",
    "mode": "in_person",
    "visibility": "public",
    "online_url_audience": "attendees",
}
WEEKLY = FORM | {"repeats": "FREQ=WEEKLY;BYDAY=TU", "ends_how": "never", "submission": "k"}
FIRST, SECOND, THIRD, FOURTH = (f"2026-03-{day}T18:00:00" for day in ("03", "10", "17", "24"))


@pytest.fixture
async def site(make_database: MakeDatabase, clock: HandClock) -> Site:
    return site_on(await make_database("openmeet"), clock)


@pytest.fixture
async def ana(site: Site):
    async with site.browser() as browser:
        await sign_up(browser, "ana@example.org", "Ana")
        yield browser


@pytest.fixture
async def ben(site: Site):
    async with site.browser() as browser:
        await sign_up(browser, "ben@example.org", "Ben")
        yield browser


async def made(browser: httpx.AsyncClient, **changes: str) -> str:
    """The path of a new series, or of an event if it does not repeat."""
    answer = await browser.post("/events/new", data=WEEKLY | changes)
    assert answer.status_code == 303, answer.text
    return answer.headers["location"]


async def dates(site: Site, series: Series) -> dict[str, str]:
    """Names and statuses of the stored dates that are not deleted."""
    async with site.db.reader() as reader:
        held = [one.event for one in await date_queries.stored(reader, series.id)]
    return {
        event.position_in_series.original_date: event.status.value
        for event in held
        if event.position_in_series and not event.is_gone
    }


async def series_at(site: Site, path: str) -> Series:
    async with site.db.reader() as reader:
        found = await queries.by_slug(reader, path.removeprefix("/series/"))  # type: ignore[arg-type]
    assert found is not None
    return found


async def confirmed(browser: httpx.AsyncClient, path: str, typed: dict[str, str], **more: str) -> str:
    """Send the form and confirm it. Return the text of the confirmation question."""
    asked = await browser.post(f"{path}/manage", data=typed)
    assert asked.status_code == 200, asked.text
    done = await browser.post(f"{path}/manage", data=inputs_of(asked.text) | more)
    assert done.status_code == 303, done.text
    return asked.text


async def test_dates_are_cancelled_reinstated_and_removed_after_a_confirmation(site, ana, ben) -> None:
    path = await made(ana)
    series = await series_at(site, path)
    page = await ana.get(f"{path}/manage")
    assert f'name="date_{SECOND}"' in page.text
    await ben.get(f"{path}/dates/{SECOND}")
    await ben.post(f"{path}/answer", data={"reply": "going"})
    await ben.post(f"{path}/follow", data={"follow": "yes"})
    asked = await confirmed(ana, path, {"act": "cancel", f"date_{SECOND}": "yes"}, reason="The hall is closed")
    assert "1 answer so far." in asked
    assert "1 person gets one message" in asked
    assert (await dates(site, series))[SECOND] == "cancelled"
    assert "The hall is closed" in (await ana.get(path)).text
    await confirmed(ana, path, {"act": "reinstate", "first": FIRST, "last": THIRD})
    assert set((await dates(site, series)).values()) == {"scheduled"}
    await confirmed(ana, path, {"act": "remove", f"date_{THIRD}": "yes"})
    assert THIRD not in await dates(site, series)


@pytest.mark.parametrize(
    ("action", "of_one", "of_several"),
    [
        ("cancel", "Cancel this date? It stays visible", "Cancel these dates? They stay visible"),
        ("reinstate", "Bring this date back? It’ll take place", "Bring these dates back? They’ll take place"),
        ("remove", "Remove this date permanently? Its page", "Remove these dates permanently? Their pages"),
    ],
)
async def test_the_confirmation_speaks_of_one_date_or_of_several(ana, action: str, of_one: str, of_several: str):
    path = await made(ana)
    for dates, words in (([SECOND], of_one), ([SECOND, THIRD], of_several)):
        fields = {"act": action} | {f"date_{one}": "yes" for one in dates}
        assert words in visible_text((await ana.post(f"{path}/manage", data=fields)).text)


async def test_each_date_shows_who_comes_and_what_differs(ana, ben) -> None:
    """The list shows the number of attendees, the limit and the waitlist. Full and cancelled dates are marked."""
    path = await made(ana, capacity="1")
    for name in (FIRST, SECOND):
        await ben.get(f"{path}/dates/{name}")
    first = (await ben.get(f"{path}/dates/{FIRST}")).headers["location"]
    await ben.post(f"{first}/answer", data={"reply": "going"})
    await ana.post(f"{first}/answer", data={"reply": "going"})
    await confirmed(ana, path, {"act": "cancel", f"date_{SECOND}": "yes"}, reason="")
    said = {
        name: " ".join(re.sub("<[^>]+>", " ", line).split())
        for name, line in re.findall(
            r'<li>\s*<label[^>]*><input[^>]*name="date_([^"]+)"[^>]*>(.*?)</li>',
            (await ana.get(f"{path}/manage")).text,
            re.DOTALL,
        )
    }
    assert said[FIRST].startswith("Tue 3 Mar, 18:00 1 of 1 going, 1 waiting Full")
    assert said[SECOND].startswith("Cancelled: Tue 10 Mar, 18:00 Nobody yet, 1 place Cancelled")
    assert said[THIRD] == "Tue 17 Mar, 18:00 Nobody yet, 1 place Open Tue 17 Mar, 18:00"


async def test_a_range_is_processed_completely_or_refused_at_its_field(site, ana) -> None:
    """The form carries the first and the last date. More than five hundred dates, including selected ones outside the
    range, are too many.
    """
    path = await made(ana, repeats="FREQ=DAILY")
    series = await series_at(site, path)
    whole = {"act": "cancel", "first": "2026-03-03", "last": "2027-07-15"}
    asked = await confirmed(ana, path, whole, reason="We move")
    assert "500 dates of Practice" in asked
    assert len(inputs_of(asked)) < 10
    found = await dates(site, series)
    assert (len(found), set(found.values())) == (500, {"cancelled"})
    await confirmed(ana, path, whole | {"act": "reinstate"})
    assert set((await dates(site, series)).values()) == {"scheduled"}
    for more in ({"last": "2029-12-31"}, {"last": "2027-07-16"}, {"date_2027-08-01T18:00:00": "yes"}):
        refused = await ana.post(f"{path}/manage", data=whole | more)
        assert refused.status_code == 400
        assert "more than 500" in refused.text.lower()
        assert f'value="{(whole | more)["last"]}"' in refused.text, "the entered text is kept"
    await confirmed(ana, path, whole | {"act": "remove"})
    assert list(await dates(site, series))[:1] > ["2027-07-15T18:00:00"]


@pytest.mark.parametrize("is_silent", [False, True])
async def test_the_host_reads_who_is_notified_of_a_cancellation(site, ana, is_silent: bool) -> None:
    """Whoever answered is notified in any case."""
    path = await made(ana)
    more = {"is_silent": "yes"} if is_silent else {}
    await confirmed(ana, path, {"act": "cancel", f"date_{SECOND}": "yes"}, reason="", **more)
    said = visible_text((await ana.get(path)).text)
    assert "We’re telling everyone who was going, said maybe or was waiting." in said


async def test_a_range_whose_dates_changed_is_shown_again(site, ana) -> None:
    """The confirmation applies only to the dates that were shown."""
    path = await made(ana)
    series = await series_at(site, path)
    asked = await ana.post(f"{path}/manage", data={"act": "cancel", "first": "2026-03-03", "last": "2026-03-24"})
    assert "4 dates of Practice" in asked.text
    await ana.post(f"{path}/extra-date", data={"extra": "2026-03-12T18:00"})
    again = await ana.post(f"{path}/manage", data=inputs_of(asked.text))
    assert (again.status_code, "5 dates of Practice" in again.text) == (200, True)
    assert set((await dates(site, series)).values()) == {"scheduled"}
    assert (await ana.post(f"{path}/manage", data=inputs_of(again.text))).status_code == 303
    assert list((await dates(site, series)).values()).count("cancelled") == 5


@pytest.mark.parametrize(
    ("typed", "sentence"),
    [
        ({"act": "cancel"}, "Choose dates first."),
        ({"act": "burn", f"date_{FIRST}": "yes"}, "Choose what happens to the dates."),
        ({"act": "cancel", "first": FIRST}, "Choose the first and the last date of the range."),
        ({"act": "cancel", "first": SECOND, "last": FIRST}, "The last date comes before the first."),
    ],
    ids=["none", "no act", "half a range", "backwards"],
)
async def test_a_missing_value_is_reported_next_to_its_field(ana, typed, sentence) -> None:
    path = await made(ana)
    answer = await ana.post(f"{path}/manage", data=typed)
    assert answer.status_code == 400
    assert sentence in answer.text


async def test_an_extra_date_is_added(site, ana) -> None:
    path = await made(ana)
    wrong = await ana.post(f"{path}/extra-date", data={"extra": FIRST[:16]})
    assert wrong.status_code == 400
    assert "already has a date at that time" in wrong.text
    assert inputs_of(wrong.text)["extra"] == FIRST[:16]
    assert (await ana.post(f"{path}/extra-date", data={"extra": "2026-03-05T19:00"})).status_code == 303
    assert "2026-03-05T19:00:00" in await dates(site, await series_at(site, path))


async def test_the_host_of_a_new_series_is_shown_how_to_tell_people(site, ana, ben) -> None:
    path = await made(ana)
    shown = (await ana.get(path)).text
    assert "Now tell people" in shown
    assert 'id="share" value="http' in shown
    assert f"{path}/embed" in shown
    assert "Now tell people" not in (await ben.get(path)).text
    await ben.post(f"{path}/follow", data={"follow": "yes"})
    assert "Now tell people" not in (await ana.get(path)).text


async def test_undo_is_offered_to_the_host_for_ten_minutes(site, ana, ben, clock) -> None:
    path = await made(ana)
    await confirmed(ana, path, {"act": "cancel", f"date_{SECOND}": "yes"})
    shown = (await ana.get(path)).text
    assert re.search(r"You can undo the cancellation until 13:10\s+Berlin time", visible_text(shown))
    # Hosts whose clock shows the same time do not see the zone.
    async with site.db.transaction() as tx:
        await tx.execute("update users set time_zone = 'Europe/Berlin'")
    (zone,) = re.findall(r"until <time [^>]*>13:10</time><span ([^>]*)> Berlin time", (await ana.get(path)).text)
    assert zone.endswith(" hidden")
    assert "You can undo" not in (await ben.get(path)).text
    assert (await ben.post(f"{path}/undo")).status_code == 403
    assert (await ana.post(f"{path}/undo")).status_code == 303
    assert (await dates(site, await series_at(site, path)))[SECOND] == "scheduled"
    assert "You can undo" not in (await ana.get(path)).text
    await confirmed(ana, path, {"act": "cancel", f"date_{SECOND}": "yes"})
    clock.turn(11 * MINUTE)
    assert "You can undo" not in (await ana.get(path)).text
    late = await ana.post(f"{path}/undo")
    assert (late.status_code, "There’s nothing to undo" in late.text) == (422, True)


async def test_undo_of_a_split_is_offered_on_the_new_part(site, ana) -> None:
    path = await made(ana)
    shown = (await ana.get(f"{path}/edit", params={"date": THIRD})).text
    typed = inputs_of(shown) | {"title": "Spring practice", "time_zone": "Europe/Berlin", "scope": "following"}
    typed |= {"repeats": "FREQ=WEEKLY;BYDAY=TU", "ends_how": "never"}
    split = await ana.post(f"{path}/edit", data=typed)
    behind = split.headers["location"]
    assert behind != path, split.text
    assert "You can undo the edit of this and following dates" in (await ana.get(behind)).text
    undone = await ana.post(f"{behind}/undo")
    assert undone.headers["location"] == path
    assert (await ana.get(behind)).status_code == 410
    assert len(await dates(site, await series_at(site, path))) == 9


async def test_going_to_all_mentions_limits_and_ends_with_one_click(site, ana, ben) -> None:
    path = await made(ana, capacity="1")
    page = (await ben.get(path)).text
    assert "Also dates with limited places" in page
    assert "12 dates: Tue 3 Mar, Tue 10 Mar, Tue 17 Mar and 9 more" in page
    await ana.post(f"{path}/answer", data={"reply": "going", "with_limited": "yes"})
    waiting = await ben.post(f"{path}/answer", data={"reply": "going", "with_limited": "yes"})
    shown = (await ben.get(waiting.headers["location"])).text
    assert "You’re going to none of the next 9 dates." in " ".join(shown.split())
    assert "You’re on the waitlist for 9 dates." in shown
    await ben.post(f"{path}/answer", data={"reply": "withdraw"})
    assert "Going to all" in (await ben.get(path)).text


async def test_dates_can_be_answered_in_the_list(ana, ben) -> None:
    path = await made(ana)
    slug = path.removeprefix("/series/")
    shown = (await ben.get(path)).text
    forms = re.findall(
        r'action="(/events/[^"]+)/answer" data-once><input type="hidden" name="series" value="([^"]+)">', shown
    )
    assert {found for _, found in forms} == {slug}
    first, second = forms[0][0], forms[1][0]
    # The next date can also be answered above the list.
    assert [shown.count(f'action="{one}/answer"') for one in (first, second)] == [2, 1]
    answered = await ben.post(f"{second}/answer", data={"reply": "going", "series": slug})
    assert (answered.status_code, answered.headers["location"]) == (303, path)
    shown = (await ben.get(path)).text
    assert f'action="{second}/answer"' not in shown
    # From the list, the page is shown again at the date that was answered.
    third = next(one for one, _ in forms if one not in {first, second})
    listed = {"reply": "going", "series": slug, "in_list": "yes"}
    answered = await ben.post(f"{third}/answer", data=listed)
    anchor = third.removeprefix("/events/")
    assert answered.headers["location"] == f"{path}#{anchor}"
    assert f'<li class="date" id="{anchor}">' in (await ben.get(path)).text
    assert f'action="{first}/answer"' in shown
    elsewhere = await ben.post(f"{second}/answer", data={"reply": "interested", "series": "../../x?y=//evil.example"})
    assert elsewhere.headers["location"] == "/series/..%2F..%2Fx%3Fy%3D%2F%2Fevil.example"


async def test_following_silently_and_the_list_of_followers(ana, ben) -> None:
    path = await made(ana)
    await ben.post(f"{path}/follow", data={"follow": "yes"})
    await ben.post(f"{path}/follow", data={"follow": "silent"})
    assert "You follow this series, but it’s muted." in (await ben.get(path)).text
    card = (await ben.get("/my/series")).text.partition('<li class="group-card')[2].partition("</li>")[0]
    assert re.search(r'<h3><a href="/series/[^"]+">Practice</a>', card)
    assert 'class="thumbnail"' in card
    assert re.search(r"Next: \w+ \d+ \w+", card)
    shown = (await ana.get(f"{path}/followers")).text
    assert "1 person follows" in shown
    assert re.search(r"Ben\s*<span[^>]*>Muted", shown)
    assert (await ben.get(f"{path}/followers")).status_code == 403


async def test_an_event_is_repeated_under_its_old_url(site, ana) -> None:
    event = await made(ana, repeats="", submission="one")
    assert event.startswith("/events/")
    assert "Repeat this event" in (await ana.get(event)).text
    suggested = (await ana.get(f"{event}/repeat")).text
    assert inputs_of(suggested)["repeats"] == "FREQ=WEEKLY;BYDAY=TU"
    assert "<strong>Every Tuesday at 18:00, with no end</strong>" in suggested
    preview = await ana.post(f"{event}/repeat", data={"repeats": "FREQ=WEEKLY;BYDAY=TU", "preview": "yes"})
    assert "<strong>Every Tuesday at 18:00, with no end</strong>" in preview.text
    # The event does not count as a conflict with itself.
    assert "At the same time:" not in preview.text
    nothing = await ana.post(f"{event}/repeat", data={"repeats": ""})
    assert (nothing.status_code, "Choose how often" in nothing.text) == (400, True)
    done = await ana.post(f"{event}/repeat", data={"repeats": "FREQ=WEEKLY;BYDAY=TU", "ends_how": "never"})
    path = done.headers["location"]
    assert path.startswith("/series/")
    assert FIRST in await dates(site, await series_at(site, path))
    assert (await ana.get(event)).status_code == 200


async def test_an_event_joins_a_series(site, ana) -> None:
    path = await made(ana)
    other = await made(ana, repeats="", submission="two", title="Concert", starts="2026-03-06T20:00", ends="")
    page = (await ana.get(f"{path}/add-event")).text
    assert "Concert" in page
    assert (await ana.post(f"{path}/add-event", data={})).status_code == 400
    added = await ana.post(f"{path}/add-event", data={"event": other.removeprefix("/events/")})
    assert added.status_code == 303
    assert "2026-03-06T20:00:00" in await dates(site, await series_at(site, path))


async def test_the_preview_marks_conflicts_with_ones_own_events(ana, ben) -> None:
    await made(ana, repeats="", submission="three", title="Dentist", starts="2026-03-10T19:00", ends="2026-03-10T19:30")
    shown = (await ana.post("/events/new", data=WEEKLY | {"preview": "yes"})).text
    assert "Tue 10 Mar, 18:00 <span" in shown
    assert shown.count("At the same time: Dentist") == 1
    assert "At the same time:" not in (await ben.post("/events/new", data=WEEKLY | {"preview": "yes"})).text


async def test_a_series_is_handed_over_with_a_confirmation(site, ana, ben) -> None:
    path = await made(ana)
    await ben.post(f"{path}/follow", data={"follow": "yes"})
    page = (await ana.get(f"{path}/hand-over")).text
    found = re.search(r'<option value="([^"]+)">Ben</option>', page)
    assert found is not None
    assert (await ana.post(f"{path}/hand-over", data={"to": ""})).status_code == 400
    assert (await ana.post(f"{path}/hand-over", data={"to": found[1]})).status_code == 303
    assert "would like to hand this series over to you" in (await ben.get(path)).text
    assert "Offered to you" in (await ben.get("/my/series")).text
    assert "No, thank you</button>" in (await ben.get(f"{path}/hand-over")).text
    assert (await ana.post(f"{path}/hand-over/answer", data={"wish": "yes"})).status_code == 404
    assert (await ben.post(f"{path}/hand-over/answer", data={"wish": "yes"})).status_code == 303
    assert "You host this series" in (await ben.get(path)).text
    assert (await ana.get(f"{path}/edit")).status_code == 403
    async with site.db.reader() as reader:
        rows = await reader.fetch("select distinct author_id from events")
    assert [row["author_id"] for row in rows] == [found[1]]


@pytest.mark.parametrize("where", ["manage", "followers", "hand-over", "add-event"])
async def test_host_pages_are_for_hosts_only(ana, ben, where) -> None:
    path = await made(ana)
    assert (await ben.get(f"{path}/{where}")).status_code == 403
    private = await made(ana, visibility="private", submission="private")
    assert (await ben.get(f"{private}/{where}")).status_code == 404


async def test_moving_a_date_into_the_past_needs_confirmation(site, ana) -> None:
    """The form asks once, and the confirmation is kept when the form asks for the scope of the edit."""
    path = await made(ana)
    shown = (await ana.get(f"{path}/edit", params={"date": SECOND})).text
    typed = inputs_of(shown) | {"starts": "2025-12-01T18:00", "ends": "2025-12-01T20:00", "time_zone": "Europe/Berlin"}
    typed |= {"repeats": "FREQ=WEEKLY;BYDAY=TU", "ends_how": "never"}
    asked = await ana.post(f"{path}/edit", data=typed)
    assert asked.status_code == 400
    assert "This start is in the past. If that’s right, choose “Select the dates” again." in asked.text
    typed["past"] = inputs_of(asked.text)["past"]
    reach = await ana.post(f"{path}/edit", data=typed)
    assert reach.status_code == 200, reach.text
    saved = await ana.post(f"{path}/edit", data=inputs_of(reach.text) | {"scope": "this"})
    assert saved.status_code == 303
    date = await ana.get(saved.headers["location"])
    assert (saved.headers["location"][:8], "Saved for this date only." in date.text) == ("/events/", True)
    # The date has been edited, so its form is opened again.
    typed |= {
        "date_revision": inputs_of((await ana.get(f"{path}/edit", params={"date": SECOND})).text)["date_revision"]
    }
    far = await ana.post(f"{path}/edit", data=typed | {"starts": "2150-12-01T18:00", "ends": "", "scope": "this"})
    assert "A date can be moved at most 5 years ahead." in far.text


async def test_a_held_place_counts_as_taken_but_not_as_going(site, ana, ben) -> None:
    path = await made(ana, capacity="2")
    first = (await ben.get(f"{path}/dates/{FIRST}")).headers["location"]
    slug = EventSlug(first.removeprefix("/events/"))
    async with site.db.transaction() as tx:
        cleo, dora, emil = [await person(tx, name) for name in ("Cleo", "Dora", "Emil")]
        # Cleo's place is offered to Emil, who waited for it. Then Dora withdraws, too.
        for who, reply in ((cleo, "going"), (dora, "going"), (emil, "going"), (cleo, "declined"), (dora, "declined")):
            await attendance.answer(tx, who, slug, RsvpReply(reply))
    shown = (await ben.get(path)).text
    assert re.search(r'<span class="hint">([^<]+)</span>', shown[shown.index(f'href="{first}"') :])[1] == "1 place left"


async def test_the_first_part_of_a_split_series_leads_to_the_next(ana, ben) -> None:
    """It has no new dates to add, so its page says where the series goes on, and that the answers go on there."""
    path = await made(ana)
    await ben.post(f"{path}/answer", data={"reply": "going"})
    assert "We’ll add new dates for you." in (await ben.get(path)).text
    shown = (await ana.get(f"{path}/edit", params={"date": SECOND})).text
    typed = inputs_of(shown) | {"title": "Late practice", "repeats": "FREQ=WEEKLY;BYDAY=TU", "ends_how": "never"}
    reach = await ana.post(f"{path}/edit", data=typed)
    saved = await ana.post(f"{path}/edit", data=inputs_of(reach.text) | {"scope": "following"})
    assert saved.status_code == 303, saved.text
    page = (await ben.get(path)).text
    assert "We’ll add new dates for you." not in page
    assert re.search(r'After that, it goes on as <a href="/series/[^"]+">Late practice</a>\.', page)
    assert "We’ll add its new dates for you." in page
    assert "Don’t add new dates" not in page
    next_part = re.search(r'it goes on as <a href="([^"]+)"', page)
    assert next_part is not None
    page = (await ben.get(next_part[1])).text
    assert "We’ll add new dates for you." in page
    assert "Don’t add new dates" in page


def bar_of(html: str) -> str:
    return html[html.index('class="answer-buttons"') :].partition("</section>")[0]


def bar_buttons(html: str) -> list[tuple[str, str]]:
    """The label and target of each button beside the next date; a button that posts has its reply as target."""
    found = re.findall(
        r'<(?:a|button) class="button[^"]*"(?: href="([^"]*)"| name="reply" value="([^"]*)")[^>]*>(.*?)</', bar_of(html)
    )
    return [(re.sub("<.*?>", "", words).strip(), path or reply) for path, reply, words in found]


async def test_the_main_button_of_hosts_is_not_their_own_answer(site: Site, ana, ben) -> None:
    """They invite people to the next date or decide about requests, and can say further back that they come."""
    path = await made(ana)
    next_date = (await ben.get(f"{path}/dates/{FIRST}")).headers["location"]
    assert bar_buttons((await ana.get(path)).text) == [
        ("Invite people", f"{next_date}/attendees#invite"),
        ("Edit", f"{path}/edit"),
        ("I’m going", "going"),
        ("Maybe", "interested"),
        ("Can’t go", "declined"),
    ]
    assert (await ana.get(path)).text.count(f'href="{path}/edit"') == 1
    assert bar_buttons((await ben.get(path)).text)[0] == ("I’m going", "going")
    came = await ana.post(
        f"{next_date}/answer", data=inputs_of(bar_of((await ana.get(path)).text)) | {"reply": "going"}
    )
    assert came.headers["location"].startswith(path)
    assert "You’re going." in (await ana.get(path)).text
    async with site.db.transaction() as tx:
        event = await event_queries.by_slug(tx, EventSlug(next_date.removeprefix("/events/")))
        assert event is not None
        await registration.put(tx, event.id, RegistrationSettings(needs_approval=True))
    await ben.post(f"{next_date}/answer", data={"reply": "going"})
    buttons = bar_buttons((await ana.get(path)).text)
    assert buttons[0] == ("Review 1 request", f"{next_date}/attendees?tab=asking")


async def test_an_edit_from_the_page_of_the_series_begins_with_all_dates(ana) -> None:
    """One from the page of a date begins with that date."""
    path = await made(ana)
    for query, chosen in (("", "all"), (f"?date={SECOND}", "this")):
        form = inputs_of((await ana.get(f"{path}/edit{query}")).text)
        asked = (await ana.post(f"{path}/edit", data=form | {"title": "Rehearsal"})).text
        assert inputs_of(asked)["scope"] == chosen


async def test_nobody_to_notify_is_nobody_to_spare(ana) -> None:
    path = await made(ana)
    asked = (await ana.post(f"{path}/manage", data={"act": "cancel", f"date_{SECOND}": "yes"})).text
    assert "Nobody gets a notification." in asked
    assert 'name="is_silent"' not in asked
