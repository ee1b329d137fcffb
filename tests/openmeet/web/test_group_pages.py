"""Groups as people use them: every page and every button, and what people outside a private group can find."""

import re

import icalendar
import pytest

from groundwork.clock import DAY
from openmeet.domain.events import actions as events
from openmeet.domain.events import record_changes
from openmeet.domain.events.group_of_event import as_group_of_event
from openmeet.domain.events.model import EventStatus, NetworkEvent
from openmeet.domain.groups.rules import token_of
from openmeet.domain.identities.actions import person_for_did
from openmeet.domain.moderation import visibility
from openmeet.domain.moderation.model import ModeratedKind, Subject, SubjectVisibility
from openmeet.web.groups import activity_pages, invitations_pages, members_pages, ownership_pages, pages, settings_pages
from tests.openmeet.site_under_test import CODE_KEY, details, h1_of, inputs_of, person, sign_up, site_on
from tests.openmeet.web.group_pages import NEW, create_group, group_at, press_button, text_of, user_id

DID = "did:plc:aaaaaaaaaaaaaaaaaaaaaaaa"


@pytest.fixture
async def site(make_sqlite, clock):
    return site_on(await make_sqlite("openmeet"), clock)


@pytest.fixture
async def ana(site):
    """The browser of a person who runs groups."""
    async with site.browser() as browser:
        await sign_up(browser, "ana@example.org", "Ana")
        yield browser


@pytest.fixture
async def ben(site):
    async with site.browser() as browser:
        await sign_up(browser, "ben@example.org", "Ben")
        yield browser


async def test_a_group_is_created_found_joined_and_left(ana, ben):
    path = await create_group(ana, description="We *play*.", locality="Berlin")
    page = await text_of(ana, path)
    assert h1_of(page) == "Chess club"
    assert "<em>play</em>" in page
    assert "You own this group" in page
    found = await text_of(ben, "/groups?q=chess")
    assert "1 member · Berlin" in found
    assert "Nothing matches" in await text_of(ben, "/groups?q=zzz")
    await press_button(ben, f"{path}/join")
    assert "You’re in" in await text_of(ben, path)
    assert "Chess club" in await text_of(ben, "/groups?which=mine")
    await press_button(ben, f"{path}/notifications", notifications="off")
    assert "You’re not getting news about it" in await text_of(ben, path)
    folded = re.search(r"<details>\s*<summary>Leave…</summary>(.*?)</details>", await text_of(ben, path), re.DOTALL)
    assert folded is not None
    assert f'action="{path}/leave"' in folded[1]
    assert "You can join again at any time." in folded[1]
    await press_button(ben, f"{path}/leave")
    assert "You’re not in a group yet" in await text_of(ben, "/groups?which=mine")


async def test_the_page_says_that_a_group_is_by_invitation_only(ana, ben):
    path = await create_group(ana, join_policy="invite")
    page = await text_of(ben, path)
    assert "By invitation only" in page
    assert "Only organisers can invite people." in page
    assert "Join this group" not in page


@pytest.mark.parametrize("name", ["", "\u200b\u3164"])
async def test_an_invalid_form_keeps_the_typed_text(ana, name):
    form = inputs_of((await ana.get("/groups/new")).text)
    wrong = form | NEW | {"name": name, "description": "We play.", "join_policy": "request", "join_question": "Why?"}
    answer = await ana.post("/groups/new", data=wrong)
    assert answer.status_code == 400
    assert 'href="#name"' in answer.text
    assert "We play." in answer.text
    assert 'value="Why?"' in answer.text


async def test_one_form_creates_one_group(ana):
    form = inputs_of((await ana.get("/groups/new")).text) | NEW
    first, again = [(await ana.post("/groups/new", data=form)) for _ in range(2)]
    assert first.headers["location"] == again.headers["location"]
    other = await ana.post("/groups/new", data=form | {"name": "Go club"})
    assert (other.status_code, first.headers["location"] in other.text) == (422, True)


async def test_requests_with_an_answer_are_decided_singly_and_together(site, ana, ben):
    path = await create_group(ana, join_policy="request", join_question="What do you play?")
    unanswered = await ben.post(f"{path}/join", data={"answer": " "})
    assert (unanswered.status_code, 'href="#answer"' in unanswered.text) == (400, True)
    await press_button(ben, f"{path}/join", answer="Sicilian")
    mine = await text_of(ben, path)
    assert "You asked to join" in mine
    assert "You asked on Sunday 1 March" in mine
    requests = await text_of(ana, f"{path}/requests")
    assert "Sicilian" in requests
    assert (await ben.get(f"{path}/requests")).status_code == 403
    nobody = await ana.post(f"{path}/requests", data={"decision": "approve"})
    assert (nobody.status_code, "Select one or more" in nobody.text) == (400, True)
    them = await user_id(site, "ben@example.org")
    await press_button(ana, f"{path}/requests", one=f"decline {them}")
    declined = await text_of(ben, path)
    assert "Decided on Sunday 1 March by Ana. You can ask again." in declined
    await press_button(ben, f"{path}/join", answer="Caro-Kann")
    await press_button(ana, f"{path}/requests", **{"decision": "approve", f"ask-{them}": "on"})
    assert "You’re in" in await text_of(ben, path)
    assert "Nobody is waiting" in await text_of(ana, f"{path}/requests")
    late = await press_button(ana, f"{path}/requests", one=f"approve {them}")
    assert "That’s already been decided." in await text_of(ana, late.headers["location"])


async def test_roles_removals_and_bans_by_buttons(site, ana, ben):
    path = await create_group(ana)
    await press_button(ben, f"{path}/join")
    them = await user_id(site, "ben@example.org")
    assert "Role of Ben" in await text_of(ana, f"{path}/members")
    assert "Role of Ana" not in await text_of(ana, f"{path}/members")
    await press_button(ana, f"{path}/members/{them}", act="role", role="admin")
    assert "You’re an admin" in await text_of(ben, path)
    us = await user_id(site, "ana@example.org")
    assert (await ben.post(f"{path}/members/{us}", data={"act": "ban"})).status_code == 403
    await press_button(ana, f"{path}/members/{them}", act="remove")
    await press_button(ben, f"{path}/join")
    await press_button(ana, f"{path}/members/{them}", act="ban")
    assert "You can’t join this group" in await text_of(ben, path)
    assert (await ben.post(f"{path}/join", data={"answer": ""})).status_code == 422
    assert "Ben" in await text_of(ana, f"{path}/members?which=banned")
    assert (await ben.get(f"{path}/members?which=banned")).status_code == 403
    await press_button(ana, f"{path}/members/{them}", act="lift")
    await press_button(ben, f"{path}/join")
    log = await text_of(ana, f"{path}/log")
    for line in ("made Ben an admin", "removed Ben", "banned Ben", "lifted the ban on Ben"):
        assert line in re.sub(r"<[^>]+>", "", log)


async def test_an_invitation_link_is_created_opened_accepted_and_revoked(site, ana, ben):
    """Opening the page behind a link changes nothing, whoever opens it. A banned person cannot join by any link."""
    path = await create_group(ana, join_policy="invite", visibility="private")
    assert (await ana.post(f"{path}/invitations/link", data={"uses": "0", "days": "x"})).status_code == 400
    await press_button(ana, f"{path}/invitations/link", uses="2", days="7")
    (link,) = re.findall(
        r'value="http://openmeet.test(/groups/invitations/[^"]+)"', await text_of(ana, f"{path}/invitations")
    )
    async with site.browser() as scanner:
        for _ in range(3):
            opened = await scanner.get(link)
            assert (opened.status_code, opened.headers["cache-control"]) == (200, "no-store")
            assert "Ana invites you to a group" in opened.text
        answer = await scanner.post(link, data={"answer": "yes"})
        assert answer.headers["location"].startswith("/sign-in?next=%2Fgroups%2Finvitations%2F")
    assert "0 of 2 used" in await text_of(ana, f"{path}/invitations")
    await press_button(ben, link, answer="yes")
    assert "You’re already a member" in await text_of(ben, link)
    assert "1 of 2 used" in await text_of(ana, f"{path}/invitations")
    await press_button(ana, f"{path}/members/{await user_id(site, 'ben@example.org')}", act="ban")
    assert (await ben.post(link, data={"answer": "yes"})).status_code == 422
    assert (await ben.get(path)).status_code == 404
    (revoke,) = re.findall(rf'action="({path}/invitations/[^"/]+/revoke)"', await text_of(ana, f"{path}/invitations"))
    await press_button(ana, revoke)
    assert (await ben.get(link)).status_code == 404


async def test_an_invitation_neither_shows_nor_opens_a_group_that_a_moderator_has_hidden(site, ana, ben):
    path = await create_group(ana, description="Buy my watches")
    await press_button(ana, f"{path}/invitations/link", uses="2", days="7")
    (link,) = re.findall(
        r'value="http://openmeet.test(/groups/invitations/[^"]+)"', await text_of(ana, f"{path}/invitations")
    )
    group = await group_at(site, path)
    subject = Subject(ModeratedKind.GROUP, group.id)
    shown, hidden = SubjectVisibility.SHOWN, SubjectVisibility.HIDDEN
    async with site.db.transaction() as tx:
        await visibility.change(tx, subject, shown, hidden, reason="Spam", by=group.owner_id)
    opened = await ben.get(link)
    assert (opened.status_code, "Buy my watches" in opened.text) == (404, False)
    assert (await ben.get(f"/api{link.replace('/groups/', '/group-')}")).status_code == 404
    assert (await ben.post(link, data={"answer": "yes"})).status_code == 404
    async with site.db.transaction() as tx:
        await visibility.change(tx, subject, hidden, shown, reason="", by=None)
    assert "0 of 2 used" in await text_of(ana, f"{path}/invitations")
    await press_button(ben, link, answer="yes")


async def test_invitation_mails_are_previewed_and_can_be_declined(site, ana):
    path = await create_group(ana)
    first = await ana.post(f"{path}/invitations/mail", data={"emails": "Cleo <cleo@example.org>, dan@"})
    assert (first.status_code, "1 e-mail" in first.text, "dan@" in first.text) == (200, True, True)
    assert 'value="send"' not in first.text
    names = "Berg, Emil <emil@example.org>\nFrida Holm\nGil, gil@example.org"
    unread = (await ana.post(f"{path}/invitations/mail", data={"emails": names})).text
    assert "These lines have no address" in unread
    assert "<li>Frida Holm</li>" in unread
    assert "<li>Berg</li>" not in unread
    assert "2 e-mails" in unread
    async with site.db.reader() as reader:
        assert await reader.fetch("select id from group_invitations order by id") == []
    looked = await ana.post(f"{path}/invitations/mail", data={"emails": "cleo@example.org"})
    assert 'value="send"' in looked.text
    await press_button(ana, f"{path}/invitations/mail", emails="cleo@example.org", step="send")
    again = await ana.post(f"{path}/invitations/mail", data={"emails": "cleo@example.org", "step": "look"})
    assert "they already have an invitation" in again.text
    async with site.db.reader() as reader:
        (row,) = await reader.fetch("select id from group_invitations order by id")
    door = f"/groups/invitations/{token_of(CODE_KEY, row['id'])}"
    async with site.browser() as cleo:
        assert "No, thank you" in await text_of(cleo, door)
        await press_button(cleo, door, answer="no")
        assert (await cleo.get(door)).status_code == 404


async def test_one_click_in_a_mail_program_declines_the_group(site, ana):
    """The request has no origin or cookies, and the response is no redirect (RFC 8058)."""
    path = await create_group(ana)
    await press_button(ana, f"{path}/invitations/mail", emails="dan@example.org", step="send")
    async with site.db.reader() as reader:
        (row,) = await reader.fetch("select id from group_invitations order by id")
    token = token_of(CODE_KEY, row["id"])
    door, one_click = f"/groups/invitations/{token}", f"/mail/decline/group/{token}"
    async with site.browser() as program:
        assert (await program.get(one_click)).headers["location"] == door
        assert (await program.get(door)).status_code == 200
        stopped = await program.post(one_click, data={"List-Unsubscribe": "One-Click"}, headers={"origin": ""})
        assert (stopped.status_code, "any more e-mails about this invitation" in stopped.text) == (200, True)
        assert (await program.get(door)).status_code == 404
        assert (await program.post(one_click, headers={"origin": ""})).status_code == 200, "mail programs try again"
    again = await ana.post(f"{path}/invitations/mail", data={"emails": "dan@example.org", "step": "look"})
    assert 'value="send"' not in again.text


async def test_one_click_counts_after_the_invitation_was_revoked(site, ana):
    """The e-mail is still in the mailbox, and the refusal also covers the group's next invitation."""
    path = await create_group(ana)
    await press_button(ana, f"{path}/invitations/mail", emails="dan@example.org", step="send")
    async with site.db.reader() as reader:
        (row,) = await reader.fetch("select id from group_invitations order by id")
    await press_button(ana, f"{path}/invitations/{row['id']}/revoke")
    async with site.browser() as program:
        one_click = f"/mail/decline/group/{token_of(CODE_KEY, row['id'])}"
        assert (await program.post(one_click, headers={"origin": ""})).status_code == 200
        assert (await program.post("/mail/decline/group/made-up", headers={"origin": ""})).status_code == 404
    again = await ana.post(f"{path}/invitations/mail", data={"emails": "dan@example.org", "step": "look"})
    assert 'value="send"' not in again.text


async def test_settings_are_saved_and_concurrent_changes_shown(ana):
    path = await create_group(ana)
    form = inputs_of(await text_of(ana, f"{path}/settings")) | {"time_zone": "Europe/Berlin"}
    saved = await press_button(
        ana, f"{path}/settings", **form | {"name": "Go club", "visibility": "unlisted", "sync_enabled": "on"}
    )
    renamed = saved.headers["location"].removesuffix("/settings")
    assert renamed != path
    moved = await ana.get(f"{path}/settings?x=1")
    assert (moved.status_code, moved.headers["location"]) == (301, f"{renamed}/settings?x=1")
    assert (await ana.get(f"{path}.ics")).headers["location"] == f"{renamed}.ics"
    late = await ana.post(f"{renamed}/settings", data=form | {"name": "Draughts"})
    assert late.status_code == 409
    assert "Draughts" in late.text
    assert "Go club" in late.text
    refused = await ana.post(f"{renamed}/address", data={"address": "chess"})
    assert refused.status_code == 422


async def test_a_group_can_choose_its_slug(ana):
    path = await create_group(ana)
    wrong = await ana.post(f"{path}/address", data={"address": "No good!"})
    assert (wrong.status_code, "No good!" in wrong.text) == (400, True)
    await press_button(ana, f"{path}/address", address="chess-club")
    assert (await ana.get(path)).headers["location"] == "/groups/chess-club"


async def test_announcements_are_for_members(ana, ben):
    path = await create_group(ana)
    form = inputs_of(await text_of(ana, path))
    assert (await ana.post(f"{path}/announcements", data={"text": " "})).status_code == 400
    for _ in range(2):
        await press_button(ana, f"{path}/announcements", text="Bring *boards*.", submission=form["submission"])
    assert (await text_of(ana, path)).count("<em>boards</em>") == 1
    other = await ana.post(f"{path}/announcements", data={"text": "Bring clocks.", "submission": form["submission"]})
    assert other.status_code == 422
    assert "Bring clocks.</textarea>" in other.text
    again = inputs_of(other.text)["submission"]
    assert again != form["submission"]
    await press_button(ana, f"{path}/announcements", text="Bring clocks.", submission=again)
    assert "Bring clocks." in await text_of(ana, path)
    assert "boards" not in await text_of(ben, path)
    assert (await ben.post(f"{path}/announcements", data={"text": "x"})).status_code == 403
    await press_button(ben, f"{path}/join")
    assert "<em>boards</em>" in await text_of(ben, path)
    for remove in re.findall(rf'action="({path}/announcements/[^"]+)"', await text_of(ana, path)):
        await press_button(ana, remove)
    assert "boards" not in await text_of(ben, path)


async def test_a_group_is_handed_over_by_offer_and_acceptance(site, ana, ben):
    path = await create_group(ana)
    await press_button(ben, f"{path}/join")
    them = await user_id(site, "ben@example.org")
    nobody = await ana.post(f"{path}/ownership", data={"act": "offer"})
    assert (nobody.status_code, 'href="#heir"' in nobody.text) == (400, True)
    await press_button(ana, f"{path}/ownership", act="offer", heir=them)
    assert "This group could be yours" in await text_of(ben, path)
    assert "would like to hand" in await text_of(ben, "/notifications")
    await press_button(ben, f"{path}/ownership", act="accept")
    assert "<strong>Ben</strong> (you)" in await text_of(ben, f"{path}/ownership")
    assert "<strong>Ben</strong> owns <a" in await text_of(ana, "/notifications")


async def test_an_absent_owner_is_asked_and_can_keep_the_group(site, clock, ana, ben):
    path = await create_group(ana)
    await press_button(ben, f"{path}/join")
    assert (await ben.post(f"{path}/ownership", data={"act": "ask"})).status_code == 422
    clock.turn(59 * DAY)
    async with site.db.transaction() as tx:
        await tx.execute("update groups set absence_days = 60")
        await tx.execute("update sessions set expires_at = :later", later=tx.now + 99 * DAY)
    clock.turn(DAY)
    assert "Ask to take over" in await text_of(ben, f"{path}/ownership")
    await press_button(ben, f"{path}/ownership", act="ask")
    assert "Are you still here?" in await text_of(ana, path)
    await press_button(ana, f"{path}/ownership", act="stop")
    assert "take over" not in await text_of(ben, path)
    arranged = {
        "act": "arrange",
        "backup": await user_id(site, "ben@example.org"),
        "absence_days": "10",
        "wait_days": "14",
    }
    wrong = await ana.post(f"{path}/ownership", data=arranged)
    assert (wrong.status_code, 'value="10"' in wrong.text) == (400, True)
    await press_button(ana, f"{path}/ownership", **arranged | {"absence_days": "120"})
    assert "Next if the owner is away: Ben." in await text_of(ben, f"{path}/ownership")


async def foreign_event(tx, title: str):
    """A public event in somebody else's repository."""
    said = details(title=title, starts="2026-07-11T18:00", ends="")
    network = NetworkEvent(
        title,
        "",
        said.starts_at,
        None,
        "",
        "",
        "Europe/Berlin",
        said.content.mode,
        status=EventStatus.SCHEDULED,
        venues=(),
        online_url="",
        links=(),
        is_discoverable=True,
        created_at=tx.now,
    )
    author = await person_for_did(tx, DID)
    uri = f"at://{DID}/community.lexicon.calendar.event/{title.lower()}"
    event_id = await record_changes.apply_from_network(tx, uri=uri, cid="c", author_id=author, event=network)
    await record_changes.store_record_uri(tx, event_id, uri=uri, cid="c", did=DID)


async def test_lists_and_feeds_include_events_of_followed_groups(site, ana, ben):
    """Members see the group's own events, strangers see public ones, and feeds never contain more than strangers see.
    Events of other repositories are marked.
    """
    path = await create_group(ana)
    group = await group_at(site, path)
    wrong = await ana.post(f"{path}/follows", data={"did": "nonsense"})
    assert (wrong.status_code, 'value="nonsense"' in wrong.text) == (400, True)
    await press_button(ana, f"{path}/follows", did=DID)
    async with site.db.transaction() as tx:
        caller = await person(tx, "Hosting")
        for title, visibility in (("Openings", "public"), ("Endgames", "private"), ("Blitz", "unlisted")):
            made_event = details(title=title, visibility=visibility, description="Join at <home>.")
            await events.create(tx, caller, made_event, group=as_group_of_event(group))
        await foreign_event(tx, "Simultan")
    for which in ("", "/events", "/events?view=month&month=2026-07"):
        mine, theirs = await text_of(ana, path + which), await text_of(ben, path + which)
        assert [title in mine for title in ("Openings", "Endgames", "Blitz", "Simultan")] == [True] * 4, which
        assert [title in theirs for title in ("Openings", "Endgames", "Blitz", "Simultan")] == [
            True,
            False,
            False,
            True,
        ]
        assert ("other app" if "month" in which else "From another app") in theirs, which
    assert "Saturday 4 July 2026" in await text_of(ben, f"{path}/events?view=month&month=2026-07")
    assert "1 event" in await text_of(ben, f"{path}/events?view=month&month=2026-07")
    assert "Nothing is on in" not in await text_of(ben, f"{path}/events?view=month&month=2026-07")
    assert "Nothing is on in August 2026" in await text_of(ben, f"{path}/events?view=month&month=2026-08")
    async with site.browser() as anybody:
        feed = await anybody.get(f"{path}.ics")
        summaries = [str(entry["SUMMARY"]) for entry in icalendar.Calendar.from_ical(feed.content).walk("VEVENT")]
        assert summaries == ["Openings", "Simultan"]
        same = await anybody.get(f"{path}.ics", headers={"if-none-match": feed.headers["etag"]})
        assert same.status_code == 304
        atom = (await anybody.get(f"{path}.atom")).text
        page = await text_of(anybody, f"{path}/events")
        for kind, media_type in (("atom", "application/atom+xml"), ("json", "application/feed+json")):
            assert f'type="{media_type}" title="Chess club" href="{path}.{kind}"' in page
            news = await anybody.get(f"{path}.{kind}")
            assert news.headers["content-type"].split(";")[0] == media_type
            # Members get the same file as everybody, because it is fetched and passed on by programs without a session.
            assert (await ana.get(f"{path}.{kind}")).content == news.content
            for known in (
                {"if-none-match": news.headers["etag"]},
                {"if-modified-since": news.headers["last-modified"]},
            ):
                assert (await anybody.get(f"{path}.{kind}", headers=known)).status_code == 304
        assert [item["title"] for item in news.json()["items"]] == ["Openings"]
        assert news.json()["feed_url"] == f"http://openmeet.test{path}.json"
    assert "<title>Openings</title>" in atom
    assert "Join at &lt;home&gt;" in atom
    assert "Endgames" not in atom
    assert "Blitz" not in atom
    await press_button(ana, f"{path}/follows", unfollow=DID)
    assert "Simultan" not in await text_of(ben, path)


async def test_past_dates_are_shown_if_nothing_is_planned(site, clock, ana):
    path = await create_group(ana)
    assert "No dates yet" in await text_of(ana, path)
    group = await group_at(site, path)
    async with site.db.transaction() as tx:
        await events.create(
            tx, await person(tx, "Hosting"), details(starts="2026-03-02T18:00", ends=""), group=as_group_of_event(group)
        )
    clock.turn(3 * DAY)
    page = await text_of(ana, path)
    assert "Past dates" in page
    assert "Board games" in page
    assert "Board games" in await text_of(ana, f"{path}/events?view=past")


async def test_deleting_shows_the_consequences_and_asks_for_the_name(site, ana, ben):
    path = await create_group(ana)
    await press_button(ben, f"{path}/join")
    group = await group_at(site, path)
    async with site.db.transaction() as tx:
        host = await person(tx, "Hosting")
        public = await events.create(tx, host, details(), group=as_group_of_event(group))
        inner = await events.create(tx, host, details(visibility="private"), group=as_group_of_event(group))
    asked = re.sub(r"\s+", " ", re.sub(r"<[^>]+>", "", await text_of(ana, f"{path}/delete")))
    assert "2 upcoming events stay with their hosts" in asked
    assert "Only members see 1 of them now" in asked
    assert (await ana.post(f"{path}/delete", data={"name": "chess"})).status_code == 400
    assert (await ben.post(f"{path}/delete", data={"name": "Chess club"})).status_code == 403
    await press_button(ana, f"{path}/delete", name="Chess club")
    assert (await ana.get(path)).status_code == 410
    assert (await ben.get(f"/events/{public.slug}")).status_code == 200
    assert (await ben.get(f"/events/{inner.slug}")).status_code == 404


GROUP_ROUTES = [
    route
    for room in (
        pages,
        invitations_pages,
        settings_pages,
        members_pages,
        activity_pages,
        ownership_pages,
    )
    for route in room.routes()
    if "{slug}" in route.path
]


@pytest.mark.parametrize("who", ["nobody", "stranger", "banned", "left"])
async def test_a_private_group_looks_absent_at_every_url_with_every_method(site, ana, ben, who):
    """For people outside the group, pages and buttons respond as for a group that does not exist, and do not mention
    it.
    """
    path = await create_group(ana, visibility="private", join_policy="request")
    if who in {"banned", "left"}:
        await press_button(ana, f"{path}/invitations/link", uses="1", days="7")
        page = await text_of(ana, f"{path}/invitations")
        (link,) = re.findall(r'value="http://openmeet.test(/groups/invitations/[^"]+)"', page)
        await press_button(ben, link, answer="yes")
        them = await user_id(site, "ben@example.org")
        await press_button(ana, f"{path}/members/{them}", act="ban" if who == "banned" else "remove")
    slug, absent = path.rpartition("/")[2], "never-was-abcde"
    typed = {"act": "remove", "follow": "yes", "notifications": "on", "one": "approve x", "text": "x", "name": "x"}
    async with site.browser() as nobody:
        browser = nobody if who == "nobody" else ben
        await browser.get("/")  # the notice about the last button is shown on the next page only
        for route in GROUP_ROUTES:
            method = "GET" if "GET" in route.methods else "POST"
            said = []
            for one in (slug, absent):
                address = re.sub(r"\{[a-zA-Z]+\}", "x", route.path.replace("{slug}", one))
                answer = await browser.request(method, address, data=None if method == "GET" else typed)
                where = answer.headers.get("location", "").replace(one, "")
                said.append((answer.status_code, where, answer.text.replace(one, "")))
            assert said[0] == said[1], route.path
            assert said[0][0] in ({404} if method == "GET" and who != "nobody" else {303, 400, 401, 404}), route.path
