"""Drafts: no input is lost, nobody else sees them, and they are published by hand or at a set time."""

import re
from dataclasses import replace

import pytest

from groundwork.clock import HOUR
from groundwork.database.transaction import CheckViolated
from groundwork.errors import Forbidden, NotFound, Refused
from openmeet.domain.attendance import actions as attendance
from openmeet.domain.attendance import registration
from openmeet.domain.attendance.event_hosting import unpublish
from openmeet.domain.attendance.model import RsvpReply
from openmeet.domain.attendance.registration import RegistrationQuestion, RegistrationSettings
from openmeet.domain.events import draft_queries, drafts, queries, record_changes
from openmeet.domain.events.model import EventSlug
from openmeet.domain.events.queries import by_slug
from openmeet.domain.events.rules import Submission
from openmeet.outbox import publication_status, publications
from openmeet.web.events.form_summaries import NEEDS_APPROVAL
from tests.openmeet.events.event_forms import DRAFT_FORM
from tests.openmeet.site_under_test import api_session, details, event_by, inputs_of, person, sign_up, site_on

FULL = Submission(title="Board games", starts="2026-07-04T18:00", time_zone="Europe/Berlin")


@pytest.fixture
async def db(make_database):
    return await make_database("openmeet")


@pytest.fixture
async def site(make_sqlite, clock):
    return site_on(await make_sqlite("openmeet"), clock)


@pytest.fixture
async def browser(site):
    async with site.browser() as client:
        await sign_up(client, "ana@example.org", "Ana")
        yield client


async def status_of(reader, event):
    return (await publication_status.statuses(reader, publications.PublicationKind.EVENT, [event.id]))[event.id]


async def test_a_draft_keeps_incomplete_input(browser):
    """Invalid input is kept as well. The page reports it only when the draft is published."""
    form = inputs_of((await browser.get("/events/new")).text)
    saved = await browser.post(
        "/events/new", data=form | {"title": "", "starts": "soon", "capacity": "many", "save": "draft"}
    )
    assert saved.status_code == 303
    page = (await browser.get(saved.headers["location"])).text
    assert inputs_of(page)["starts"] == "soon"
    assert inputs_of(page)["capacity"] == "many"
    assert "Error" not in page
    refused = await browser.post(saved.headers["location"], data=inputs_of(page) | {"time_zone": "UTC"})
    assert refused.status_code == 400
    assert "Give the event a title." in refused.text
    listed = (await browser.get("/my/events?which=drafts")).text
    assert "Untitled draft" in listed


async def test_going_back_to_the_new_form_does_not_replace_a_newer_draft(browser):
    """The form of a new event updates the draft that it made until the draft's own form has saved it."""
    new = inputs_of((await browser.get("/events/new")).text) | DRAFT_FORM | {"save": "draft"}
    path = (await browser.post("/events/new", data=new)).headers["location"]
    corrected = new | {"title": "Corrected"}
    assert (await browser.post("/events/new", data=corrected)).headers["location"] == path
    newer = inputs_of((await browser.get(path)).text) | {"title": "Newer", "save": "draft"}
    assert (await browser.post(path, data=newer)).status_code == 303
    refused = await browser.post("/events/new", data=new | {"title": "Older"})
    assert refused.status_code == 409
    assert f'<a href="{path}">a draft</a>' in refused.text
    again = inputs_of(refused.text)
    assert (again["title"], inputs_of((await browser.get(path)).text)["title"]) == ("Older", "Newer")
    second = await browser.post("/events/new", data=again | {"save": "draft"})
    assert second.headers["location"] != path


async def test_an_outdated_draft_form_shows_what_is_stored_now(browser):
    """Every field that differs, the rule of a series in words, and text that cannot be parsed."""
    new = inputs_of((await browser.get("/events/new")).text) | DRAFT_FORM | {"save": "draft"}
    path = (await browser.post("/events/new", data=new)).headers["location"]
    older = inputs_of((await browser.get(path)).text) | {"save": "draft"}
    newer = older | {"title": "Newer", "ends": "late", "repeats": "FREQ=DAILY", "ends_how": "after", "ends_after": "4"}
    assert (await browser.post(path, data=newer)).status_code == 303
    refused = await browser.post(path, data=older | {"title": "Older"})
    assert refused.status_code == 409
    now = dict(re.findall(r'id="(\w+)-other"><strong>Now:</strong> ([^<]+)<', refused.text))
    assert now == {"title": "Newer", "ends": "late", "repeats": "Every day, 4 times"}


async def test_a_draft_is_published_from_its_form(browser, site):
    form = inputs_of((await browser.get("/events/new")).text)
    saved = await browser.post("/events/new", data=form | DRAFT_FORM | {"save": "draft"})
    path = saved.headers["location"]
    async with site.browser() as stranger:
        hidden = await stranger.get(path.removesuffix("/draft"))
        assert hidden.status_code == 404
        assert "Board games" not in (await stranger.get("/")).text
    made = await browser.post(path, data=inputs_of((await browser.get(path)).text) | DRAFT_FORM | {"title": "Chess"})
    assert made.headers["location"] == path.removesuffix("/draft")
    async with site.browser() as stranger:
        assert "Chess" in (await stranger.get("/")).text
    again = await browser.get(path)
    assert again.headers["location"].endswith("/edit")


async def test_only_a_published_event_enqueues_its_record(db):
    async with db.transaction() as tx:
        ana = await person(tx, "Ana")
        draft = await drafts.begin(tx, ana, FULL, {})
        before = await status_of(tx, draft)
        kept = await drafts.keep(tx, ana, draft.slug, FULL, {})
        event = await drafts.publish(tx, ana, draft.slug, details())
        after = await status_of(tx, draft)
        shown = await queries.by_slug(tx, draft.slug)
    assert before.revision == 0 or before.state is publications.PublicationState.WITHHELD
    assert (kept.is_draft, kept.is_held, kept.revision) == (True, True, 2)
    assert (after.state, after.revision) == (publications.PublicationState.DUE, event.revision)
    assert (shown.is_draft, shown.is_held, shown.title) == (False, False, "Board games")


async def test_only_publishing_makes_a_draft_visible(db):
    """Releasing held events or storing the URI of a record does not publish a draft, and a check constraint refuses
    every other way.
    """
    async with db.transaction() as tx:
        ana = await person(tx, "Ana")
        draft = await drafts.begin(tx, ana, FULL, {})
        await record_changes.release(tx, draft.id)
        await record_changes.store_record_uri(tx, draft.id, uri="at://did:plc:a/c/r", cid="bafy", did="did:plc:a")
        found = await queries.by_id(tx, draft.id)
    assert (found.is_draft, found.is_held) == (True, True)
    with pytest.raises(CheckViolated):
        async with db.transaction() as tx:
            await tx.execute("update events set is_held = 0 where id = :id", id=draft.id)


async def test_others_cannot_see_or_publish_a_draft(db):
    async with db.transaction() as tx:
        ana, ben = await person(tx, "Ana"), await person(tx, "Ben")
        draft = await drafts.begin(tx, ana, FULL, {})
        with pytest.raises(NotFound):
            await drafts.publish(tx, ben, draft.slug, details())
        with pytest.raises(NotFound):
            await attendance.answer(tx, ben, draft.slug, RsvpReply.GOING)
        event = await event_by(tx, ana)
        with pytest.raises(Forbidden):
            await drafts.keep(tx, ben, event.slug, FULL, {})
        with pytest.raises(Refused, match=r"event\.not_a_draft"):
            await drafts.keep(tx, ana, event.slug, FULL, {})


async def test_a_scheduled_draft_is_published_once_at_its_time(db, clock):
    async with db.transaction() as tx:
        ana = await person(tx, "Ana")
        draft = await drafts.begin(tx, ana, FULL, {})
        await drafts.keep(tx, ana, draft.slug, FULL, {}, publish_at=tx.now + HOUR)
    assert await drafts.publish_due(db) == 0
    clock.turn(HOUR)
    assert [await drafts.publish_due(db), await drafts.publish_due(db)] == [1, 0]
    async with db.reader() as reader:
        event = await queries.by_id(reader, draft.id)
        publication = await status_of(reader, draft)
    assert (event.is_draft, event.publish_at, event.title) == (False, None, "Board games")
    assert publication.state is publications.PublicationState.DUE


async def test_a_draft_that_cannot_be_published_does_not_stop_the_others(db, clock, monkeypatch):
    """Not even if there are as many of them as the scheduler reads at once."""
    monkeypatch.setattr(drafts, "AT_ONCE", 1)
    async with db.transaction() as tx:
        ana = await person(tx, "Ana")
        broken, whole = await drafts.begin(tx, ana, FULL, {}), await drafts.begin(tx, ana, FULL, {})
        for draft in (broken, whole):
            await drafts.keep(tx, ana, draft.slug, FULL, {}, publish_at=tx.now + HOUR)
        await draft_queries.put_fields(tx, broken.id, "not JSON")
    clock.turn(HOUR)
    assert await drafts.publish_due(db) == 1
    async with db.reader() as reader:
        assert [(await queries.by_id(reader, one.id)).is_draft for one in (broken, whole)] == [True, False]


async def test_a_draft_that_is_over_stays_a_draft_and_says_why(browser, site, clock):
    form = inputs_of((await browser.get("/events/new")).text)
    saved = await browser.post("/events/new", data=form | DRAFT_FORM | {"save": "draft"})
    path = saved.headers["location"]
    later = inputs_of((await browser.get(path)).text) | DRAFT_FORM | {"save": "later", "publish_at": "2026-07-04T17:00"}
    scheduled = await browser.post(path, data=later)
    assert scheduled.headers["location"] == path.removesuffix("/draft")
    assert "We’ll publish it on Saturday 4 July 2026, 17:00" in (await browser.get(scheduled.headers["location"])).text
    clock.turn(2 * 366 * 24 * HOUR)
    await sign_up(browser, "ana@example.org", "Ana")
    assert await drafts.publish_due(site.db) == 0
    assert "We couldn’t publish it on time. Its start is in the past." in (await browser.get(path)).text


@pytest.mark.parametrize("moment", ["", "yesterday", "2020-01-01T10:00", "2026-07-04T18:00"])
async def test_the_publishing_time_is_between_now_and_the_start(browser, moment):
    form = inputs_of((await browser.get("/events/new")).text)
    saved = await browser.post("/events/new", data=form | DRAFT_FORM | {"save": "draft"})
    page = inputs_of((await browser.get(saved.headers["location"])).text)
    answer = await browser.post(
        saved.headers["location"], data=page | DRAFT_FORM | {"save": "later", "publish_at": moment}
    )
    assert answer.status_code == 400
    assert 'id="publish_at-problem"' in answer.text


async def test_an_event_with_answers_cannot_become_a_draft_again(db):
    async with db.transaction() as tx:
        ana, ben = await person(tx, "Ana"), await person(tx, "Ben")
        event = await event_by(tx, ana)
        draft = await unpublish(tx, ana, event.slug)
        again = await drafts.publish(tx, ana, draft.slug, details())
        await attendance.answer(tx, ben, event.slug, RsvpReply.INTERESTED)
        with pytest.raises(Refused, match="answered"):
            await unpublish(tx, ana, event.slug)
    assert (draft.is_draft, draft.slug) == (True, event.slug)
    assert (again.is_draft, again.title, again.revision) == (False, event.title, 3)


async def test_a_copy_has_everything_but_the_dates(browser):
    """Details that only some people can see are copied too. The copy is a separate event with its own URL."""
    form = inputs_of((await browser.get("/events/new")).text)
    made = await browser.post("/events/new", data=form | DRAFT_FORM | {"door_note": "Ring twice", "tags": "chess"})
    page = (await browser.get(f"{made.headers['location']}/duplicate")).text
    asked = inputs_of(page)
    assert (asked["title"], asked["starts"], asked["tags"]) == ("Board games", "", "chess")
    assert "Ring twice" in page
    copied = await browser.post("/events/new", data=asked | DRAFT_FORM | {"starts": "2026-08-01T18:00"})
    assert copied.status_code == 303
    assert copied.headers["location"] != made.headers["location"]


@pytest.mark.parametrize("way", ["once", "draft", "weekly"])
async def test_a_copy_has_the_registration_settings(site, browser, way):
    """Approval, limits and questions are copied, whether the copy is published at once, saved as a draft or turned into
    a series.
    """
    form = inputs_of((await browser.get("/events/new")).text)
    path = (await browser.post("/events/new", data=form | DRAFT_FORM)).headers["location"]
    async with site.db.transaction() as tx:
        original = await by_slug(tx, EventSlug(path.rpartition("/")[2]))
        asked = RegistrationSettings(
            needs_approval=True, max_party=3, questions=(RegistrationQuestion("q1", "What do you eat?"),)
        )
        await registration.put(tx, original.id, asked)
    again = inputs_of((await browser.get(f"{path}/duplicate")).text) | DRAFT_FORM | {"starts": "2026-08-01T18:00"}
    if way == "draft":
        kept = await browser.post("/events/new", data=again | {"save": "draft"})
        draft = kept.headers["location"]
        made = await browser.post(draft, data=inputs_of((await browser.get(draft)).text) | again | {"save": "publish"})
    else:
        more = {"repeats": "FREQ=WEEKLY"} if way == "weekly" else {}
        made = await browser.post("/events/new", data=again | more)
    assert made.status_code == 303, made.text
    async with site.db.reader() as reader:
        slug = made.headers["location"].rpartition("/")[2]
        if way == "weekly":
            (row,) = await reader.fetch("select id from event_series")
            found = await registration.own_settings_of(reader, row["id"])
        else:
            found = await registration.settings_of(reader, await by_slug(reader, EventSlug(slug)))
    assert found == replace(asked, revision=1)


@pytest.mark.parametrize("way", ["event", "draft", "weekly", "weekly draft", "before signing in"])
async def test_the_form_of_a_new_event_asks_whether_the_host_approves_guests(site, browser, way):
    """A draft remembers it, and it can be changed until the event is published. A copy begins with the same choice."""
    if way == "before signing in":
        browser.cookies.clear()
    form = inputs_of((await browser.get("/events/new")).text) | DRAFT_FORM | {NEEDS_APPROVAL: "yes"}
    assert form.get(NEEDS_APPROVAL) == "yes"
    if "weekly" in way:
        form |= {"repeats": "FREQ=WEEKLY"}
    made = await browser.post("/events/new", data=form | ({"save": "draft"} if "draft" in way else {}))
    if way == "before signing in":
        back = await sign_up(browser, "ben@example.org", "Ben", next_path="/events/new")
        shown = (await browser.get(back.headers["location"])).text
        assert inputs_of(shown)[NEEDS_APPROVAL] == "yes"
        made = await browser.post("/events/new", data=inputs_of(shown) | DRAFT_FORM | {"display_name": "Ben"})
    elif "draft" in way:
        path = made.headers["location"]
        typed = inputs_of((await browser.get(path)).text)
        assert typed[NEEDS_APPROVAL] == "yes"
        await browser.post(path, data=typed | DRAFT_FORM | {NEEDS_APPROVAL: "", "save": "draft"})
        typed = inputs_of((await browser.get(path)).text)
        assert typed[NEEDS_APPROVAL] == ""
        made = await browser.post(path, data=typed | DRAFT_FORM | {NEEDS_APPROVAL: "yes", "save": "publish"})
    assert made.status_code == 303, made.text
    async with site.db.reader() as reader:
        (row,) = await reader.fetch(
            "select slug from events where deleted_at is null and removed_at is null order by starts_at limit 1"
        )
        event = await by_slug(reader, EventSlug(row["slug"]))
        assert (await registration.settings_of(reader, event)).needs_approval
    copy = inputs_of((await browser.get(f"/events/{row['slug']}/duplicate")).text)
    assert copy[NEEDS_APPROVAL] == "yes"
    copied = await browser.post(
        "/events/new", data=copy | DRAFT_FORM | {NEEDS_APPROVAL: "", "starts": "2026-09-05T18:00"}
    )
    async with site.db.reader() as reader:
        event = await by_slug(reader, EventSlug(copied.headers["location"].rpartition("/")[2]))
        assert not (await registration.settings_of(reader, event)).needs_approval


async def test_repeating_the_copy_form_keeps_later_settings(site, browser):
    form = inputs_of((await browser.get("/events/new")).text)
    path = (await browser.post("/events/new", data=form | DRAFT_FORM)).headers["location"]
    async with site.db.transaction() as tx:
        original = await by_slug(tx, EventSlug(path.rpartition("/")[2]))
        await registration.put(tx, original.id, RegistrationSettings(max_party=3))
    again = inputs_of((await browser.get(f"{path}/duplicate")).text) | DRAFT_FORM | {"starts": "2026-08-01T18:00"}
    made = [(await browser.post("/events/new", data=again)).headers["location"]]
    async with site.db.transaction() as tx:
        copy = await by_slug(tx, EventSlug(made[0].rpartition("/")[2]))
        chosen = await registration.put(tx, copy.id, RegistrationSettings(max_party=7))
    made.append((await browser.post("/events/new", data=again)).headers["location"])
    assert made[0] == made[1]
    async with site.db.reader() as reader:
        assert await registration.settings_of(reader, copy) == chosen


async def test_a_copy_of_a_date_has_the_settings_of_its_series(site):
    """The settings of a series apply to its dates. A copy of a date is a single event, so the copy stores them as its
    own settings.
    """
    async with site.browser() as client:
        headers = await api_session(client, "ana@example.org", "Ana")
        wanted = {"title": "Chess", "startsLocal": "2026-07-04T18:00", "timeZone": "Europe/Berlin"}
        weekly = {**wanted, "recurrence": "FREQ=WEEKLY"}
        series = await client.post("/api/series", json=weekly, headers=headers)
        assert series.status_code == 201, series.text
        async with site.db.transaction() as tx:
            (row,) = await tx.fetch("select id from event_series")
            await registration.put(tx, row["id"], RegistrationSettings(needs_approval=True))
            date = await tx.fetch_one("select slug from events order by starts_at limit 1")
        made = await client.post(
            f"/api/events/{date['slug']}/duplicate", json={"startsLocal": "2026-08-01T18:00"}, headers=headers
        )
        async with site.db.reader() as reader:
            copy = await by_slug(reader, EventSlug(made.json()["slug"]))
            assert (await registration.settings_of(reader, copy)).needs_approval


async def test_strangers_cannot_copy_an_event(site, browser):
    form = inputs_of((await browser.get("/events/new")).text)
    made = await browser.post("/events/new", data=form | DRAFT_FORM)
    async with site.browser() as stranger:
        await sign_up(stranger, "ben@example.org", "Ben")
        assert (await stranger.get(f"{made.headers['location']}/duplicate")).status_code == 403


async def test_the_whole_life_of_a_draft_by_the_api(site):
    async with site.browser() as client:
        headers = await api_session(client, "ana@example.org", "Ana")
        wanted = {"title": "Chess", "startsLocal": "2026-07-04T18:00", "timeZone": "Europe/Berlin", "isDraft": True}
        made = await client.post("/api/events", json=wanted, headers=headers)
        assert (made.status_code, made.json()["isDraft"], made.json()["awaitsRepository"]) == (201, True, False)
        path = made.headers["location"]
        assert (await client.get(path)).status_code == 404
        assert (await client.put(path, json=wanted, headers=headers)).status_code == 200
        mine = (await client.get("/api/my/events?which=drafts", headers=headers)).json()
        assert [one["title"] for one in mine["events"]] == ["Chess"]
        later = await client.post(f"{path}/publish", json={"publishAt": "2026-07-04T10:00:00Z"}, headers=headers)
        assert later.json()["publishesAt"] == "2026-07-04T10:00:00Z"
        too_late = await client.post(f"{path}/publish", json={"publishAt": "2026-07-04T20:00:00Z"}, headers=headers)
        assert (too_late.status_code, list(too_late.json()["fields"])) == (400, ["publishAt"])
        old = await client.post(f"{path}/publish", json={}, headers=headers | {"if-match": '"1"'})
        assert old.status_code == 412
        shown = await client.post(f"{path}/publish", json={}, headers=headers)
        assert (shown.json()["isDraft"], shown.json()["publishesAt"]) == (False, None)
        assert (await client.get(path)).status_code == 200
        copy = await client.post(f"{path}/duplicate", json={"startsLocal": "2026-08-01T18:00"}, headers=headers)
        assert (copy.status_code, copy.json()["startsAt"]) == (201, "2026-08-01T16:00:00Z")
        back = await client.post(f"{path}/unpublish", headers=headers)
        assert back.json()["isDraft"]
        assert (await client.get(path)).status_code == 404


async def test_an_event_that_was_never_a_draft_is_already_published(site):
    async with site.browser() as client:
        headers = await api_session(client, "ana@example.org", "Ana")
        wanted = {"title": "Chess", "startsLocal": "2026-07-04T18:00", "timeZone": "Europe/Berlin"}
        path = (await client.post("/api/events", json=wanted, headers=headers)).headers["location"]
        again = await client.post(f"{path}/publish", json={}, headers=headers)
        assert (again.status_code, again.json()["revision"]) == (200, 1)
        for is_draft, status in ((True, 400), (False, 200)):
            saved = await client.put(path, json=wanted | {"isDraft": is_draft}, headers=headers)
            assert saved.status_code == status
            assert ("isDraft" in saved.json().get("fields", {})) is is_draft


async def test_permission_and_version_are_checked_before_the_draft(site):
    async with site.browser() as client:
        ana = await api_session(client, "ana@example.org", "Ana")
        ben = await api_session(client, "ben@example.org", "Ben")
        wanted = {"title": "Chess", "startsLocal": "2026-07-04T18:00", "timeZone": "Europe/Berlin"}
        path = (await client.post("/api/events", json=wanted, headers=ana)).headers["location"]
        draft = wanted | {"title": "Go", "isDraft": True}
        assert (await client.put(path, json=draft, headers=ben)).status_code == 403
        assert (await client.put(path, json=draft, headers=ana | {"if-match": '"7"'})).status_code == 412
        refused = await client.put(path, json=draft, headers=ana | {"if-match": '"1"'})
        assert (refused.status_code, list(refused.json()["fields"])) == (400, ["isDraft"])
        kept = (await client.get(path)).json()
        assert (kept["title"], kept["revision"]) == ("Chess", 1)


@pytest.mark.parametrize("way", ["page", "api"])
@pytest.mark.parametrize("is_in_group", [True, False], ids=["in a group", "alone"])
async def test_a_recurring_draft_becomes_a_series(site, browser, way, is_in_group):
    """A draft can also become a series in a group, by form and API, and after an edit by API. A draft of a series is
    published by hand.
    """
    headers = await api_session(browser, "ana@example.org", "Ana")
    group = {"slug": ""}
    if is_in_group:
        made = await browser.post("/api/groups", json={"name": "Chess", "timeZone": "Europe/Berlin"}, headers=headers)
        group = made.json()
    form = inputs_of((await browser.get(f"/events/new?group={group['slug']}")).text) | {"group": group["slug"]}
    weekly = {"repeats": "FREQ=WEEKLY", "ends_how": "after", "ends_after": "3"}
    saved = await browser.post("/events/new", data=form | DRAFT_FORM | weekly | {"save": "draft"})
    path = saved.headers["location"]
    api = f"/api{path.removesuffix('/draft')}"
    if way == "page":
        made = await browser.post(path, data=inputs_of((await browser.get(path)).text) | DRAFT_FORM | weekly)
        assert made.headers["location"].startswith("/series/board-games"), made.text
    else:
        edited = {"title": "Board games!", "startsLocal": "2026-07-04T18:00", "timeZone": "Europe/Berlin"}
        assert (await browser.put(api, json=edited, headers=headers)).status_code == 200
        later = await browser.post(f"{api}/publish", json={"publishAt": "2026-07-01T10:00:00Z"}, headers=headers)
        assert (later.status_code, list(later.json()["fields"])) == (400, ["publishAt"])
        made = await browser.post(f"{api}/publish", json={}, headers=headers)
        assert (made.status_code, made.json()["isDraft"]) == (200, False)
        assert made.json()["startsLocal"].startswith("2026-07-04T18:00")
    async with site.db.reader() as reader:
        (row,) = await reader.fetch("select group_id from event_series")
        dates = await reader.fetch("select group_id from events where series_id is not null and deleted_at is null")
    wanted = group.get("id")
    assert (wanted is not None) is is_in_group
    assert (row["group_id"], {one["group_id"] for one in dates}) == (wanted, {wanted})
    assert (await browser.get(api, headers=headers)).status_code in {404, 410}
