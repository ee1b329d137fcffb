"""The pages as a browser without scripts sees them."""

import re

import pytest

from openmeet.domain.attendance import actions as attendance
from openmeet.domain.attendance import event_hosting, rsvp_records
from openmeet.domain.attendance.model import RecordedRsvp, RsvpRecordStatus, RsvpReply
from openmeet.domain.attendance.registration import RegistrationSettings
from openmeet.domain.events import actions as events
from openmeet.domain.users import actions as users
from tests.openmeet.events.event_forms import EVENT_FORM
from tests.openmeet.site_under_test import details, event_by, h1_of, inputs_of, person, sign_up, site_on
from tests.visible_text import visible_text


@pytest.fixture
async def site(make_sqlite, clock):
    return site_on(await make_sqlite("openmeet"), clock)


@pytest.fixture
async def browser(site):
    async with site.browser() as client:
        yield client


async def host_event(site, **typed: str):
    async with site.db.transaction() as tx:
        host = await person(tx, "Hanna Host")
        return host, await event_by(tx, host, **typed)


async def test_a_draft_written_before_signing_in_survives_signing_up(browser):
    form = inputs_of((await browser.get("/events/new")).text)
    sent = await browser.post("/events/new", data=form | EVENT_FORM | {"description": "Bring cake"})
    assert sent.headers["location"] == "/sign-in?next=/events/new"
    back = await sign_up(browser, "ana@example.org", "Ana", next_path="/events/new")
    page = (await browser.get(back.headers["location"])).text
    assert "Here’s the event you started" in page
    assert 'name="display_name"' in page, "the form asks for the name, instead of a page before it"
    assert "Bring cake" in page
    made = await browser.post("/events/new", data=inputs_of(page) | EVENT_FORM | {"display_name": "Ana"})
    assert made.status_code == 303
    assert "Board games" in (await browser.get(made.headers["location"])).text
    assert "Here’s the event you started" not in (await browser.get("/events/new")).text


@pytest.mark.parametrize(("language", "label"), [("en", "Sign in to create"), ("de", "Zum Anlegen anmelden")])
async def test_the_button_of_a_visitors_form_says_that_they_sign_in_next(browser, language, label):
    page = (await browser.get("/events/new", headers={"accept-language": language})).text
    assert f'<button class="button" type="submit">{label}</button>' in page


async def test_the_preselected_country_is_not_a_place_by_itself(browser):
    await sign_up(browser, "ana@example.org", "Ana")
    form = inputs_of((await browser.get("/events/new")).text) | EVENT_FORM
    here = await browser.post("/events/new", data=form | {"locality": "Wien", "country": "AT"})
    page = (await browser.get(here.headers["location"])).text
    assert ("Austria" in page, ">AT<" in page) == (True, False)
    form = inputs_of((await browser.get("/events/new")).text)
    assert form["country"] == "Austria"
    nowhere = await browser.post("/events/new", data=form | EVENT_FORM | {"title": "Go", "venue_name": ""})
    assert '<p class="fact-main">Place to be announced</p>' in (await browser.get(nowhere.headers["location"])).text


async def test_sending_a_form_twice_creates_one_event(browser):
    await sign_up(browser, "ana@example.org", "Ana")
    form = inputs_of((await browser.get("/events/new")).text) | EVENT_FORM
    first = await browser.post("/events/new", data=form)
    second = await browser.post("/events/new", data=form)
    assert first.headers["location"] == second.headers["location"]


async def test_typed_text_is_kept_and_each_error_is_at_its_field(browser):
    typed = EVENT_FORM | {"ends": "2026-07-04T17:00", "description": "<b>Long</b> text", "capacity": "many"}
    answer = await browser.post("/events/new", data=typed)
    assert answer.status_code == 400
    assert "The end is before the start. Choose a later end." in answer.text
    assert '<a href="#ends">Ends</a>' in answer.text
    assert 'id="ends-problem"' in answer.text
    assert "&lt;b&gt;Long&lt;/b&gt; text" in answer.text
    assert inputs_of(answer.text)["capacity"] == "many"


async def test_a_corrected_form_still_creates_one_event(browser):
    await sign_up(browser, "ana@example.org", "Ana")
    form = inputs_of((await browser.get("/events/new")).text) | EVENT_FORM
    again = await browser.post("/events/new", data=form | {"title": ""})
    assert inputs_of(again.text)["submission"] == form["submission"]


async def test_a_form_changed_after_creating_an_event_can_create_another(browser):
    await sign_up(browser, "ana@example.org", "Ana")
    form = inputs_of((await browser.get("/events/new")).text) | EVENT_FORM
    path = (await browser.post("/events/new", data=form)).headers["location"]
    again = await browser.post("/events/new", data=form | {"title": "Chess"})
    assert again.status_code == 422
    assert f'<a href="{path}">' in again.text
    assert inputs_of(again.text)["title"] == "Chess"
    other = await browser.post("/events/new", data=EVENT_FORM | inputs_of(again.text))
    assert other.status_code == 303
    assert other.headers["location"] != path


async def test_a_start_in_the_past_is_asked_about_once(browser):
    """The form asks once, keeps the typed text, and accepts the same start the second time. For another start in the
    past it asks again.
    """
    await sign_up(browser, "ana@example.org", "Ana")
    typed = EVENT_FORM | {"starts": "2025-07-04T18:00", "ends": ""}
    asked = await browser.post("/events/new", data=inputs_of((await browser.get("/events/new")).text) | typed)
    assert asked.status_code == 400
    assert "This start is in the past. If that’s right, choose “Create event” again." in asked.text
    again = EVENT_FORM | inputs_of(asked.text)
    other = await browser.post("/events/new", data=again | {"starts": "2024-07-04T18:00"})
    assert other.status_code == 400
    made = await browser.post("/events/new", data=again)
    assert made.status_code == 303
    edit = inputs_of((await browser.get(f"{made.headers['location']}/edit")).text)
    assert (await browser.post(f"{made.headers['location']}/edit", data=EVENT_FORM | edit)).status_code == 303


async def test_another_error_does_not_confirm_a_start_in_the_past(browser):
    """An error in the title is not a confirmation of the start, and a confirmation applies to that one start only."""
    await sign_up(browser, "ana@example.org", "Ana")
    over, earlier = EVENT_FORM | {"starts": "2025-07-04T18:00", "ends": ""}, {"starts": "2024-07-04T18:00"}
    form = inputs_of((await browser.get("/events/new")).text)
    untitled = await browser.post("/events/new", data=form | over | {"title": ""})
    assert "This start is in the past" not in untitled.text
    asked = await browser.post("/events/new", data=EVENT_FORM | inputs_of(untitled.text) | {"title": "Board games"})
    assert (asked.status_code, "This start is in the past" in asked.text) == (400, True)
    untitled = await browser.post("/events/new", data=EVENT_FORM | inputs_of(asked.text) | {"title": ""} | earlier)
    asked = await browser.post(
        "/events/new", data=EVENT_FORM | inputs_of(untitled.text) | {"title": "Board games"} | earlier
    )
    assert (asked.status_code, "This start is in the past" in asked.text) == (400, True)
    untitled = await browser.post("/events/new", data=EVENT_FORM | inputs_of(asked.text) | {"title": ""})
    made = await browser.post("/events/new", data=EVENT_FORM | inputs_of(untitled.text) | {"title": "Board games"})
    assert made.status_code == 303


async def test_the_event_page_shows_when_where_and_who(site, browser):
    host, event = await host_event(site)
    async with site.db.transaction() as tx:
        await attendance.answer(tx, await person(tx, "Greta Guest"), event.slug, RsvpReply.GOING)
        shadow = await users.create_shadow(tx, display_name="carla.example")
        await rsvp_records.apply_from_network(
            tx,
            RecordedRsvp(
                event_id=event.id,
                user_id=shadow,
                record_uri="at://x",
                status=RsvpRecordStatus.GOING,
                first_seen_at=tx.now,
            ),
        )
    page = (await browser.get(f"/events/{event.slug}")).text
    assert h1_of(page) == "Board games"
    assert '<time datetime="2026-07-04">Saturday 4 July</time>' in page
    assert '<time datetime="2026-07-04T16:00:00Z">18:00</time>' in page
    assert "Berlin time" in page
    assert "<strong>2</strong> going" in page
    assert "carla.example" in page
    assert 'aria-label="I’m going: Board games, Saturday 4 July 2026"' in page
    assert host.display_name in page


async def test_answering_without_a_session_leads_through_sign_in_and_back(site, browser):
    _, event = await host_event(site)
    sent = await browser.post(f"/events/{event.slug}/answer", data={"reply": "going"})
    assert sent.headers["location"] == f"/sign-in?next=%2Fevents%2F{event.slug}%3Freply%3Dgoing"
    page = await browser.get(sent.headers["location"])
    back = await sign_up(browser, "ben@example.org", "Ben", next_path=inputs_of(page.text)["next"])
    assert "You’re going." in (await browser.get(back.headers["location"])).text


async def test_opening_a_url_answers_nothing(site, browser):
    _, event = await host_event(site)
    back = await sign_up(browser, "ben@example.org", "Ben", next_path=f"/events/{event.slug}?reply=going")
    assert "Almost done: press “I’m going”." in (await browser.get(back.headers["location"])).text
    assert "You’re going." not in (await browser.get(f"/events/{event.slug}")).text


async def test_a_full_event_offers_the_waitlist_and_shows_ones_position(site, browser):
    _, event = await host_event(site, capacity="1")
    async with site.db.transaction() as tx:
        await attendance.answer(tx, await person(tx, "Greta"), event.slug, RsvpReply.GOING)
    await sign_up(browser, "ben@example.org", "Ben")
    assert "Join waitlist" in (await browser.get(f"/events/{event.slug}")).text
    await browser.post(f"/events/{event.slug}/answer", data={"reply": "going"})
    page = (await browser.get(f"/events/{event.slug}")).text
    assert "On the waitlist: Board games, Saturday 4 July 2026 (your answer)" in page
    assert "You’re next on the waitlist." in page
    assert ">You</span>" in page
    async with site.browser() as passer_by:
        seen = (await passer_by.get(f"/events/{event.slug}")).text
    assert "<strong>1</strong> on the waitlist" in seen
    # The number is above the list, and the heading of nobody is left out.
    assert "aren’t shown" not in seen
    assert "Ben" not in visible_text(seen)


async def test_a_cancelled_event_stays_visible_with_its_reason(site, browser):
    host, event = await host_event(site)
    async with site.db.transaction() as tx:
        await event_hosting.cancel(tx, host, event.slug, "The roof leaks")
    page = (await browser.get(f"/events/{event.slug}")).text
    assert "This event is cancelled." in page
    assert "The roof leaks" in page
    assert "<s>Board games</s>" in (await browser.get("/")).text


async def test_a_deleted_public_event_is_gone_and_a_private_one_absent(site, browser):
    """Strangers do not read which event it was; guests do, see ``test_deleted_pages``."""
    host, public = await host_event(site)
    async with site.db.transaction() as tx:
        private = await event_by(tx, host, visibility="private")
        await events.delete(tx, host, public.slug)
        await events.delete(tx, host, private.slug)
    gone = await browser.get(f"/events/{public.slug}")
    absent = await browser.get(f"/events/{private.slug}")
    assert (gone.status_code, absent.status_code) == (410, 404)
    assert "The host deleted this event." in gone.text
    assert "Board games" not in gone.text
    for path in (f"/api/events/{public.slug}", f"/api/events/{public.slug}/attendees"):
        said = await browser.get(path)
        assert (said.status_code, said.json()["detail"]) == (410, "The host deleted this event.")
    assert (await browser.get(f"/events/{public.slug}.ics")).status_code == 410
    assert (await browser.get(f"/api/events/{private.slug}")).status_code == 404


async def test_absent_and_private_events_look_the_same(site, browser):
    _, event = await host_event(site, visibility="private")

    def essence(text):
        return re.sub(r"next=[^\"]*", "", text)

    hidden = await browser.get(f"/events/{event.slug}")
    absent = await browser.get(f"/events/{event.slug}x")
    assert hidden.status_code == absent.status_code == 404
    assert essence(hidden.text) == essence(absent.text)


async def test_a_held_event_is_visible_to_its_author_only(site, browser):
    async with site.db.transaction() as tx:
        host = await person(tx, "Hanna Host")
        event = await event_by(tx, host)
        await tx.execute("update events set is_held = 1 where id = :id", id=event.id)
    assert (await browser.get(f"/events/{event.slug}")).status_code == 404
    assert "Board games" not in (await browser.get("/")).text


async def test_editing_shows_stored_values_and_a_stale_form_keeps_typed_ones(browser):
    await sign_up(browser, "ana@example.org", "Ana")
    form = inputs_of((await browser.get("/events/new")).text) | EVENT_FORM
    path = (await browser.post("/events/new", data=form)).headers["location"]
    edit = inputs_of((await browser.get(f"{path}/edit")).text)
    assert (edit["title"], edit["starts"], edit["revision"]) == ("Board games", "2026-07-04T18:00", "1")
    assert (
        await browser.post(f"{path}/edit", data=EVENT_FORM | {"revision": "1", "title": "Chess"})
    ).status_code == 303
    stale = await browser.post(f"{path}/edit", data=EVENT_FORM | {"revision": "1", "title": "Go"})
    assert stale.status_code == 409
    assert inputs_of(stale.text)["title"] == "Go"
    assert h1_of((await browser.get(path)).text) == "Chess"


async def test_a_stale_form_shows_the_differences_and_can_be_saved_again(browser):
    """The conflict page shows, field by field, the version that the other tab saved. Saving again chooses one's own
    version.
    """
    await sign_up(browser, "ana@example.org", "Ana")
    form = inputs_of((await browser.get("/events/new")).text) | EVENT_FORM
    path = (await browser.post("/events/new", data=form)).headers["location"]
    await browser.post(
        f"{path}/edit",
        data=EVENT_FORM | {"revision": "1", "title": "Chess", "mode": "online", "ends": "2026-07-04T21:00"},
    )
    stale = (await browser.post(f"{path}/edit", data=EVENT_FORM | {"revision": "1", "title": "Go"})).text
    assert '<p class="other" id="title-other"><strong>Now:</strong> Chess</p>' in stale
    assert '<p class="other" id="mode-other"><strong>Now:</strong> Online</p>' in stale
    assert "<strong>Now:</strong> Saturday 4 July 2026, 21:00</p>" in stale
    assert "starts-other" not in stale
    assert f'<a href="{path}" target="_blank">' in stale
    again = await browser.post(f"{path}/edit", data=EVENT_FORM | inputs_of(stale))
    assert again.status_code == 303
    assert h1_of((await browser.get(path)).text) == "Go"


async def test_saving_fewer_places_than_attendees_is_mentioned(site, browser):
    await sign_up(browser, "ana@example.org", "Ana")
    form = inputs_of((await browser.get("/events/new")).text) | EVENT_FORM
    path = (await browser.post("/events/new", data=form)).headers["location"]
    async with site.db.transaction() as tx:
        for name in ("Greta", "Gustav"):
            await attendance.answer(tx, await person(tx, name), path.removeprefix("/events/"), RsvpReply.GOING)
    fewer = EVENT_FORM | {"revision": "1", "capacity": "1"}
    asked = await browser.post(f"{path}/edit", data=fewer)
    await browser.post(f"{path}/edit", data=inputs_of(asked.text) | fewer)
    assert "More people are going than there are places now" in (await browser.get(path)).text
    await browser.post(f"{path}/edit", data=EVENT_FORM | {"revision": "2", "capacity": "2"})
    assert "Saved.</p>" in (await browser.get(path)).text


async def test_the_title_of_an_invalid_form_says_so(browser):
    """A screen reader reads the title first when a page loads."""
    typed = EVENT_FORM | {"title": ""}
    assert "<title>Error: New event" in (await browser.post("/events/new", data=typed)).text
    assert "<title>New event" in (await browser.get("/events/new")).text


async def test_somebody_else_cannot_open_the_edit_form(site, browser):
    _, event = await host_event(site)
    await sign_up(browser, "ben@example.org", "Ben")
    assert (await browser.get(f"/events/{event.slug}/edit")).status_code == 403
    assert (await browser.post(f"/events/{event.slug}/delete", data={"x": "y"})).status_code == 403


async def test_my_events_opens_the_first_tab_with_events_and_shows_counts(browser):
    await sign_up(browser, "ana@example.org", "Ana")
    assert "Nothing planned yet" in (await browser.get("/my/events")).text
    form = inputs_of((await browser.get("/events/new")).text) | EVENT_FORM
    await browser.post("/events/new", data=form)
    page = (await browser.get("/my/events")).text
    assert "<h1>Hosting</h1>" in page
    assert "1 date coming up" in page
    assert "Board games" in page
    # Hosting is a page of its own. It leads to the tabs of the other lists, and they lead to it.
    assert 'class="tabs"' not in page
    assert 'href="/my/events?which=going"' in page
    going = (await browser.get("/my/events?which=going")).text
    assert "Nothing planned yet" in going
    assert 'href="/my/events?which=hosting">Hosting <span class="tab-count">1</span></a>' in going


@pytest.mark.parametrize("path", ["/my/events", "/notifications", "/settings/profile", "/welcome"])
async def test_own_pages_lead_to_sign_in_and_back(browser, path):
    answer = await browser.get(path)
    assert answer.status_code == 303
    assert answer.headers["location"] == f"/sign-in?next={path.replace('/', '%2F')}"


@pytest.mark.parametrize(
    "target", ["//evil.test", "https://evil.test", "/\\evil.test", "/\t/evil.test", "javascript:alert(1)"]
)
async def test_next_parameter_never_redirects_to_another_site(browser, target):
    await sign_up(browser, "ana@example.org", "Ana")
    answer = await browser.get("/sign-in", params={"next": target})
    assert answer.headers["location"] == "/"


async def test_notifications_say_who_answered_what(site, browser):
    await sign_up(browser, "ana@example.org", "Ana")
    form = inputs_of((await browser.get("/events/new")).text) | EVENT_FORM
    path = (await browser.post("/events/new", data=form)).headers["location"]
    async with site.db.transaction() as tx:
        await attendance.answer(tx, await person(tx, "Greta"), path.removeprefix("/events/"), RsvpReply.INTERESTED)
    assert f'said maybe to <a href="{path}">Board games</a>.' in (await browser.get("/notifications")).text


async def test_notifications_say_old_and_new_times_and_why(site, browser):
    await sign_up(browser, "ben@example.org", "Ben")
    host, event = await host_event(site)
    await browser.post(f"/events/{event.slug}/answer", data={"reply": "going"})
    async with site.db.transaction() as tx:
        await event_hosting.revise(tx, host, event.slug, details(starts="2026-07-05T19:00", ends=""))
        await event_hosting.cancel(tx, host, event.slug, "The roof leaks")
    page = (await browser.get("/notifications")).text
    assert "was moved to Sun 5 Jul, 19:00. It was Sat 4 Jul, 18:00." in page
    assert "is cancelled: The roof leaks" in page


async def test_notifications_of_other_changes_name_the_fields_but_no_values(site, browser):
    await sign_up(browser, "ben@example.org", "Ben")
    host, event = await host_event(site)
    await browser.post(f"/events/{event.slug}/answer", data={"reply": "going"})
    async with site.db.transaction() as tx:
        await event_hosting.revise(tx, host, event.slug, details(capacity="40", door_note="Ring at Sesame"))
    page = (await browser.get("/notifications")).text
    assert "</a>, Sat 4 Jul, has changed: number of places, how to get in." in page
    assert "Sesame" not in page


async def test_nobody_is_listed_as_offered_a_place_and_as_waiting(site, browser):
    await sign_up(browser, "ana@example.org", "Ana")
    form = inputs_of((await browser.get("/events/new")).text) | EVENT_FORM | {"capacity": "1"}
    path = (await browser.post("/events/new", data=form)).headers["location"]
    async with site.db.transaction() as tx:
        ben, cleo, dora = [await person(tx, name) for name in ("Ben", "Cleo", "Dora")]
        for who, reply in ((ben, "going"), (cleo, "going"), (dora, "going"), (ben, "declined")):
            await attendance.answer(tx, who, path.removeprefix("/events/"), RsvpReply(reply))
    shown = (await browser.get(path)).text
    assert "<strong>1</strong> place held</span></p>" in shown
    assert "<strong>1</strong> on the waitlist</h3>" in shown
    guests = (await browser.get(f"{path}/attendees")).text
    assert "<strong>1</strong> place held</span></p>" in guests
    # The tab lists both, and marks the one with an offered place.
    assert re.search(r'href="\?tab=waiting"[^>]*>[^<]* <span class="tab-count">2</span>', guests)
    people = re.findall(r"<h3>(.*?)</h3>.*?crowd-names\">(\w+)", (await browser.get(path)).text, re.DOTALL)
    assert people == [("A place is held for", "Cleo"), ("<strong>1</strong> on the waitlist", "Dora")]


async def test_names_of_companions_are_not_called_optional(site, browser):
    await sign_up(browser, "ben@example.org", "Ben")
    host, event = await host_event(site)
    async with site.db.transaction() as tx:
        await event_hosting.change_registration_settings(
            tx, host, event.slug, RegistrationSettings(max_party=3, asks_names=True)
        )
    page = (await browser.get(f"/events/{event.slug}/answer")).text
    (label,) = re.findall(r'<label for="guest_names">(.*?)</label>', page, re.DOTALL)
    assert "Who’s coming with you" in label
    assert "optional" not in label


async def test_notifications_appear_once_and_link_to_the_event(site, browser):
    await sign_up(browser, "ben@example.org", "Ben")
    host, event = await host_event(site)
    await browser.post(f"/events/{event.slug}/answer", data={"reply": "going"})
    async with site.db.transaction() as tx:
        await event_hosting.cancel(tx, host, event.slug, "")
    assert "Notifications, 1 unread" in (await browser.get("/")).text
    said = f'<a href="/events/{event.slug}">Board games</a>, Sat 4 Jul, is cancelled.'
    page = (await browser.get("/notifications")).text
    assert said in page
    # A page that was prefetched by a browser or opened by a robot has not been read by anybody.
    assert "Notifications, 1 unread" in (await browser.get("/")).text
    assert (await browser.post("/notifications", data=inputs_of(page))).headers["location"] == "/notifications"
    assert ' unread"' not in (await browser.get("/")).text
    assert "Mark all as read" not in (await browser.get("/notifications")).text


async def test_notifications_that_came_after_the_list_was_shown_stay_new(site, browser):
    await sign_up(browser, "ben@example.org", "Ben")
    host, event = await host_event(site)
    await browser.post(f"/events/{event.slug}/answer", data={"reply": "going"})
    async with site.db.transaction() as tx:
        await event_hosting.revise(tx, host, event.slug, details(capacity="40"))
    page = (await browser.get("/notifications")).text
    site.clock.turn(1_000_000)
    async with site.db.transaction() as tx:
        await event_hosting.cancel(tx, host, event.slug, "")
    await browser.post("/notifications", data=inputs_of(page))
    assert "Notifications, 1 unread" in (await browser.get("/")).text
    for wrong in ("", "x", "1" * 30):
        assert (await browser.post("/notifications", data={"until": wrong})).status_code == 400


async def test_an_invalid_date_is_an_error_and_not_an_empty_list(browser):
    """A search that was not carried out must not look like one without results."""
    answer = await browser.get("/", params={"from": "2026-02-30"})
    assert answer.status_code == 400
    assert "Enter the day like" in answer.text
    assert "Nothing matches" not in answer.text


async def test_pages_of_signed_in_people_are_not_cached(browser):
    assert (await browser.get("/")).headers["cache-control"] == "private, no-cache"
    await sign_up(browser, "ana@example.org", "Ana")
    assert (await browser.get("/")).headers["cache-control"] == "no-store"


async def test_texts_of_people_are_never_markup(site, browser):
    _, event = await host_event(
        site, title="<script>alert(1)</script>", description="<img src=x onerror=alert(1)> [x](javascript:alert(1)) # H"
    )
    page = (await browser.get(f"/events/{event.slug}")).text
    assert "<script>alert" not in page
    assert page.count("<img") == page.count('<img class="event-cover') == 1
    assert 'href="javascript:' not in page


@pytest.mark.parametrize("path", ["/", "/events/new", "/sign-in", "/sign-in/code", "/nowhere"])
async def test_every_page_has_one_h1_and_a_main_landmark(browser, path):
    page = (await browser.get(path)).text
    assert len(re.findall("<h1", page)) == 1
    assert page.count("<main") == 1
    assert '<html lang="en" dir="ltr" data-locale="en-GB">' in page


async def test_the_form_offers_countries_and_remembers_the_last_one(browser):
    """For a new person the field is empty, and the page says what that means. After their first event the field has
    that event's country.
    """
    await sign_up(browser, "ana@example.org", "Ana")
    shown = await browser.get("/events/new")
    assert "Other apps don’t show the place" in shown.text
    assert '<option value="Austria">AT' in shown.text
    values = inputs_of(shown.text)
    assert values["country"] == ""
    typed = {"title": "Tea", "starts": "2027-12-04T18:00", "time_zone": "Europe/Vienna", "country": "Atlantis"}
    refused = await browser.post("/events/new", data={**values, **typed})
    assert refused.status_code == 400
    assert "don’t know this country" in refused.text
    made = await browser.post("/events/new", data={**values, **typed, "country": "Austria"})
    assert made.status_code == 303
    assert inputs_of((await browser.get("/events/new")).text)["country"] == "Austria"
