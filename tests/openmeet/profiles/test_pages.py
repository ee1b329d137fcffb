"""A host's profile page shows public data and what the host chose to add. Other people have no such page. In pages,
feeds and the API.
"""

import asyncio
import re
from urllib.parse import quote

import httpx
import icalendar
import pytest
import recurring_ical_events

from groundwork.clock import DAY, HandClock, Instant
from groundwork.errors import Refused
from openmeet.domain.attendance import event_hosting
from openmeet.domain.events import actions as events
from openmeet.domain.events import group_of_event
from openmeet.domain.events.content import Content
from openmeet.domain.events.values import Visibility
from openmeet.domain.profiles import actions as profiles
from openmeet.domain.profiles.queries import followed_by
from openmeet.domain.series import actions as series
from openmeet.domain.users.model import Caller, UserId
from openmeet.recurrence.wall_time import local_of
from tests.databases import MakeDatabase
from tests.openmeet.groups.people import group_by
from tests.openmeet.series.practice import dates, weekly
from tests.openmeet.site_under_test import Site, api_session, details, event_by, inputs_of, sign_up, site_on
from tests.visible_text import visible_text

COMING = {"starts": "2026-07-04T18:00", "ends": "2026-07-04T20:00"}


@pytest.fixture
async def site(make_sqlite: MakeDatabase, clock: HandClock) -> Site:
    return site_on(await make_sqlite("openmeet"), clock)


async def caller(site: Site, email: str) -> Caller:
    """Return the person who signed up with this address."""
    async with site.db.reader() as reader:
        row = await reader.fetch_one("select id, display_name from users where email = :email", email=email)
    return Caller(UserId(row["id"]), row["display_name"])


async def test_the_page_shows_only_their_public_events(site: Site) -> None:
    async with site.browser() as ana, site.browser() as nobody:
        await sign_up(ana, "ana@example.org", "Ana")
        await ana.post("/settings/profile", data={"display_name": "Ana", "bio": "I live alone."})
        me = await caller(site, "ana@example.org")
        path = f"/people/{me.user_id}"
        own = (await ana.get(path)).text
        assert "Only you see this page until" in own
        files = (f"{path}.{kind}" for kind in ("ics", "atom", "json"))
        assert "og:image" not in own
        for address in (path, f"{path}/card.png", *files, f"/api{path}"):
            assert (await nobody.get(address)).status_code == 404
        async with site.db.transaction() as tx:
            for title, visibility in (("For all", "public"), ("By link", "unlisted"), ("For few", "private")):
                event = await event_by(tx, me, title=title, visibility=visibility, **COMING)
                if visibility == "public":
                    shown_at = event.slug
        page = (await nobody.get(path)).text
        assert "For all" in page
        assert not re.search("By link|For few|I live alone|In these groups", page)
        assert '<meta name="robots" content="noindex">' in page
        (card,) = re.findall(rf'og:image" content="[^"]*?({path}/card[^"]+)"', page)
        drawn = await nobody.get(card)
        assert drawn.headers["content-type"] == "image/png"
        # It has the number of events that the page shows, so another event changes its address.
        assert 'og:description" content="Hosts 1 upcoming event"' in page
        async with site.db.transaction() as tx:
            await event_by(tx, me, title="For all, again", **COMING)
        (later,) = re.findall(rf'og:image" content="[^"]*?({path}/card[^"]+)"', (await nobody.get(path)).text)
        assert later != card
        assert (await nobody.get(later)).content != drawn.content
        async with site.db.transaction() as tx:
            (again,) = await tx.fetch("select slug from events where title = 'For all, again'")
            await events.delete(tx, me, again["slug"])
        feed = (await nobody.get(f"{path}.json")).json()
        assert [one["title"] for one in feed["items"]] == ["For all"]
        assert "For all" in (await nobody.get(f"{path}.atom")).text
        calendar = icalendar.Calendar.from_ical((await nobody.get(f"{path}.ics")).content)
        assert [str(one["summary"]) for one in calendar.walk("vevent")] == ["For all"]
        assert f'href="{path}"' in (await nobody.get(f"/events/{shown_at}")).text
        found = (await nobody.get(f"/api{path}")).json()
        assert (found["about"], found["groups"], found["events"]) == ("", [], [shown_at])


@pytest.mark.parametrize(("language", "label"), [("en", "Share"), ("de", "Teilen")])
async def test_a_public_profile_can_be_shared(site: Site, language: str, label: str) -> None:
    """By the host and by visitors, but not before others can open it."""
    async with site.browser() as ana, site.browser() as nobody:
        await sign_up(ana, "ana@example.org", "Ana")
        me = await caller(site, "ana@example.org")
        path = f"/people/{me.user_id}"
        assert "data-share=" not in (await ana.get(path)).text
        async with site.db.transaction() as tx:
            await event_by(tx, me, **COMING)
        for browser in (ana, nobody):
            page = (await browser.get(path, headers={"accept-language": language})).text
            (link,) = re.findall(r'<a[^>]* data-share="[^"]*"[^>]*>.*?</a>', page, re.DOTALL)
            assert f'href="{path}/share"' in link
            assert f'{path}" data-share-title="Ana">' in link
            assert visible_text(link).strip() == label


async def test_their_series_is_in_their_calendar_with_its_rule(site: Site) -> None:
    """Calendar programs get the whole rule, which reaches further than the stored dates, but no dates that are not
    public.
    """
    async with site.browser() as ana, site.browser() as nobody:
        await sign_up(ana, "ana@example.org", "Ana")
        me = await caller(site, "ana@example.org")
        async with site.db.transaction() as tx:
            start = local_of(Instant(tx.now + 7 * DAY), "Europe/Berlin").replace(tzinfo=None, microsecond=0)
            for title, visibility in (("Practice", Visibility.PUBLIC), ("Inner circle", Visibility.PRIVATE)):
                template = Content(title, visibility=visibility)
                made = await series.create(tx, me, template, weekly("FREQ=WEEKLY", start))
                if visibility is Visibility.PUBLIC:
                    few = (await dates(tx, made))[1]
            await tx.execute("update events set visibility = 'private', title = 'For few' where id = :id", id=few.id)
            await event_by(tx, me, title="For all", **COMING)
            now = tx.now
        file = (await nobody.get(f"/people/{me.user_id}.ics")).content
    assert b"Inner circle" not in file
    assert b"For few" not in file
    assert file.count(b"RRULE:FREQ=WEEKLY") == 1
    last = local_of(Instant(now + 365 * DAY), "Europe/Berlin")
    found = recurring_ical_events.of(icalendar.Calendar.from_ical(file)).between((2020, 1, 1), last)
    starts = [one["DTSTART"].dt.timestamp() * 1_000_000 for one in found if str(one["SUMMARY"]) == "Practice"]
    assert len(starts) == len(set(starts)) > 45
    assert few.starts_at not in starts
    assert [str(one["SUMMARY"]) for one in found].count("For all") == 1


async def test_texts_and_groups_are_shown_only_by_choice(site: Site) -> None:
    async with site.browser() as ana, site.browser() as nobody:
        await sign_up(ana, "ana@example.org", "Ana")
        me = await caller(site, "ana@example.org")
        path = f"/people/{me.user_id}"
        async with site.db.transaction() as tx:
            await event_by(tx, me, **COMING)
        for name, visibility in (("Chess club", "public"), ("Quiet readers", "private"), ("By link club", "unlisted")):
            form = inputs_of((await ana.get("/groups/new")).text)
            typed = {"name": name, "visibility": visibility, "promotion_level": "public", "time_zone": "Europe/Berlin"}
            made = await ana.post("/groups/new", data=form | typed)
            assert made.status_code == 303, made.text
        profile = {"display_name": "Ana", "bio": "I play *chess*."}
        await ana.post("/settings/profile", data=profile | {"shows_groups": "on"})
        page = (await nobody.get(path)).text
        assert "Chess club" in page
        assert not re.search("Quiet readers|By link club|I play", page)
        await ana.post("/settings/profile", data=profile | {"shows_about": "on"})
        page = (await nobody.get(path)).text
        assert "I play <em>chess</em>." in page
        assert "Chess club" not in page
        assert 'name="shows_about" checked' in (await ana.get("/settings/profile")).text


async def test_no_page_shows_where_somebody_goes(site: Site) -> None:
    async with site.browser() as ana, site.browser() as ben:
        await sign_up(ana, "ana@example.org", "Ana")
        await sign_up(ben, "ben@example.org", "Ben")
        host, guest = await caller(site, "ana@example.org"), await caller(site, "ben@example.org")
        async with site.db.transaction() as tx:
            event = await event_by(tx, host, title="Tea", **COMING)
            await event_by(tx, guest, title="Chess", **COMING)
        await ben.post(f"/events/{event.slug}/answer", data={"reply": "going"})
        assert "Tea" not in visible_text((await ana.get(f"/people/{guest.user_id}")).text)


async def test_a_person_can_be_followed(site: Site) -> None:
    async with site.browser() as ana, site.browser() as ben:
        await sign_up(ana, "ana@example.org", "Ana")
        await sign_up(ben, "ben@example.org", "Ben")
        host, guest = await caller(site, "ana@example.org"), await caller(site, "ben@example.org")
        path = f"/people/{host.user_id}"
        assert (await ben.post(f"{path}/follow", data={"follow": "yes"})).status_code == 404
        async with site.db.transaction() as tx:
            event = await event_by(tx, host, **COMING)
        for _ in range(2):
            assert (await ben.post(f"{path}/follow", data={"follow": "yes"})).headers["location"] == path
        assert "You follow Ana" in (await ben.get(path)).text
        assert "Ana" in (await ben.get("/my/people")).text
        assert (await ana.post(f"{path}/follow", data={"follow": "yes"})).status_code == 422
        async with site.db.transaction() as tx:
            await event_hosting.revise(tx, host, event.slug, details(visibility="private", **COMING))
        listed = (await ben.get("/my/people")).text
        assert "Somebody who no longer hosts anything public" in listed
        assert "Ana" not in visible_text(listed)
        assert (await ben.post(f"{path}/follow", data={"follow": "no"})).headers["location"] == "/my/people"
        assert "You’re not following anyone" in (await ben.get("/my/people")).text
        assert guest.user_id != host.user_id


async def test_the_limit_does_not_refuse_a_host_who_is_followed_already(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another host is refused, also if both requests arrive at the same time."""
    monkeypatch.setattr(profiles, "MAX_FOLLOWED", 1)
    async with site.browser() as browser:
        for name in ("ana", "ben", "cleo"):
            await sign_up(browser, f"{name}@example.org", name.title())
    ana, ben, cleo = [await caller(site, f"{name}@example.org") for name in ("ana", "ben", "cleo")]
    async with site.db.transaction() as tx:
        for host in (ben, cleo):
            await event_by(tx, host, **COMING)

    async def follow(host: Caller) -> None:
        async with site.db.transaction() as tx:
            await profiles.follow(tx, ana, host.user_id)

    outcomes = await asyncio.gather(follow(ben), follow(cleo), return_exceptions=True)
    (refused,) = [one for one in outcomes if one is not None]
    assert isinstance(refused, Refused)
    assert refused.name == "TooMany"
    followed = ben if outcomes[0] is None else cleo
    await follow(followed)
    async with site.db.reader() as reader:
        assert [person for person, _ in await followed_by(reader, ana.user_id)] == [followed.user_id]


async def test_hosts_and_groups_are_followed_from_the_page_of_an_event(site: Site) -> None:
    """The button leads back to the event, and never to another site. People who are not signed in sign in first. Hosts
    and members see no button for themselves.
    """
    async with site.browser() as ana, site.browser() as ben, site.browser() as anybody:
        await sign_up(ana, "ana@example.org", "Ana")
        await sign_up(ben, "ben@example.org", "Ben")
        host = await caller(site, "ana@example.org")
        async with site.db.transaction() as tx:
            group = await group_by(tx, host, name="Chess club")
            event = await events.create(tx, host, details(**COMING), group=group_of_event.as_group_of_event(group))
        path, person = f"/events/{event.slug}", f"/people/{host.user_id}"
        for target, name in ((person, "Ana"), (f"/groups/{group.slug}", "Chess club")):
            button = f'Follow<span class="hidden"> {name}</span>'
            assert button in (await anybody.get(path)).text
            assert button not in (await ana.get(path)).text
            fields = {"follow": "yes", "next": path}
            assert (await ben.post(f"{target}/follow", data=fields)).headers["location"] == path
            shown = (await ben.get(path)).text
            assert button not in shown
            assert f'Following<span class="hidden">. Unfollow {name}</span>' in shown
            sent = await ben.post(f"{target}/follow", data={"follow": "no", "next": "//evil.example/x"})
            assert sent.headers["location"] == target
            assert button in (await ben.get(path)).text
            asked = await anybody.post(f"{target}/follow", data=fields)
            assert asked.headers["location"] == f"/sign-in?next={quote(path, safe='')}"
        await ben.post(f"/groups/{group.slug}/join", data={"button": ""})
        member = visible_text((await ben.get(path)).text)
        assert "Chess club 2 members" in member
        assert "Follow Chess club" not in member


async def test_an_id_alone_reveals_no_name(site: Site) -> None:
    """Reports, blocks and mutes by a person's id: a person whom the caller has never met gets the same response as an
    id that does not exist.
    """
    async with site.browser() as ana, site.browser() as ben:
        await sign_up(ana, "ana@example.org", "Anastasia")
        await sign_up(ben, "ben@example.org", "Ben")
        stranger = (await caller(site, "ana@example.org")).user_id
        client = httpx.AsyncClient(transport=ben._transport, base_url=ben.base_url)
        token = await api_session(client, "ben@example.org", "Ben")
        answers = []
        for person in (stranger, "0198a3c5-11f0-7a9b-8c33-5e7d9f0a2b46"):
            tried = [
                await ben.get(f"/people/{person}/report"),
                await ben.post(f"/people/{person}/report", data={"reason": "spam"}),
                await client.post(f"/api/people/{person}/reports", json={"reason": "spam"}, headers=token),
            ]
            answers.append([one.status_code for one in tried])
            assert not any("Anastasia" in one.text for one in tried)
        assert answers[0] == answers[1]
        assert set(answers[0]) == {404}
        for act in ("block", "mute"):
            kept = await ben.post("/settings/safety", data={"act": act, "subject": stranger})
            assert kept.status_code == 303
        listed = (await ben.get("/settings/safety")).text
        assert listed.count("Somebody you haven’t met here") == 4, "in the list and on the button"
        assert f"/people/{stranger}" not in listed
        assert "Anastasia" not in listed + (await client.get("/api/me/blocks", headers=token)).text
        host = await caller(site, "ana@example.org")
        async with site.db.transaction() as tx:
            await event_by(tx, host, **COMING)
        for page in (f"/people/{stranger}/report", "/settings/safety"):
            assert "Anastasia" in (await ben.get(page)).text
        assert f'<a href="/people/{stranger}">Anastasia</a>' in (await ben.get("/settings/safety")).text
        await client.aclose()
