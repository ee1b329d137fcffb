"""Lists of people: nobody is invited before the host has reviewed the e-mail, nobody is invited twice, and nobody is
added without agreeing.
"""

import asyncio
import re

import pytest

from groundwork.clock import DAY, HandClock
from groundwork.database.transaction import Database
from groundwork.errors import Forbidden, NotFound, PreconditionFailed, Refused, Unavailable
from openmeet.domain.attendance import actions as attendance
from openmeet.domain.attendance.model import RsvpReply
from openmeet.domain.attendance.queries import find as find_attendance
from openmeet.domain.events.actions import create
from openmeet.domain.events.model import Event
from openmeet.domain.groups import actions as groups
from openmeet.domain.groups.model import GroupDetails, GroupRole, GroupVisibility
from openmeet.domain.groups.queries import find_member
from openmeet.domain.imports import people, queries
from openmeet.domain.imports.model import ContactStage, ImportId, ImportKind, ImportReason, Medium, PersonId
from openmeet.domain.moderation import actions as moderation
from openmeet.domain.moderation import visibility
from openmeet.domain.moderation.model import ModeratedKind, Subject, SubjectVisibility
from openmeet.domain.users.model import Caller
from openmeet.emails.invitations import guest_list_composer
from openmeet.outbox.emails import DueEmail
from tests.databases import MakeDatabase
from tests.openmeet.imports.sample_files import LUMA_GUESTS
from tests.openmeet.site_under_test import CODE_KEY, Site, api_session, details, h1_of, person, sign_up, site_on
from tests.worker_pool import WORKERS

# Nobody on this list has declined.
COMING = LUMA_GUESTS.replace(",declined,", ",approved,")


@pytest.fixture
async def db(make_database: MakeDatabase, clock: HandClock) -> Database:
    return await make_database("openmeet", clock=clock)


async def hosted(db: Database) -> tuple[Caller, Event]:
    async with db.transaction() as tx:
        ana = await person(tx, "Host")
        return ana, await create(tx, ana, details(visibility="private"))


async def kept(db: Database, who: Caller, what: ImportKind, target: str, text: str = COMING) -> ImportId:
    async with db.transaction() as tx:
        return await queries.insert(
            tx, who.user_id, what, Medium.CSV, target=target, source="guests.csv", content=text.encode()
        )


async def count(db: Database, table: str) -> int:
    async with db.reader() as reader:
        row = await reader.fetch_one(f"select count(*) as found from {table}")
        assert row is not None
        return int(row["found"])


async def waiting(db: Database, what: ImportKind, target: str) -> list[PersonId]:
    async with db.reader() as reader:
        return [one.id for one in await queries.uninvited_contacts(reader, what, target, 100)]


async def test_keeping_a_list_tells_nobody(db: Database) -> None:
    """Keeping the list twice changes nothing. It creates no e-mail, attendance or user."""
    host, event = await hosted(db)
    import_id = await kept(db, host, ImportKind.GUESTS, event.id)
    before = [await count(db, table) for table in ("outbox_jobs", "attendances", "users", "notifications")]
    target, new, known = await people.add_to_list(db, WORKERS, host, import_id)
    assert (target.slug, new, known) == (event.slug, 2, 0)
    assert await people.add_to_list(db, WORKERS, host, import_id) == (target, 2, 0)
    assert (await people.add_to_list(db, WORKERS, host, await kept(db, host, ImportKind.GUESTS, event.id)))[1:] == (
        0,
        2,
    )
    assert [await count(db, table) for table in ("outbox_jobs", "attendances", "users", "notifications")] == before


async def test_one_e_mail_is_sent_after_its_review(db: Database) -> None:
    """The host confirms the number shown. Confirming twice at once sends one invitation to each person, and nobody is
    invited again.
    """
    host, event = await hosted(db)
    await people.add_to_list(db, WORKERS, host, await kept(db, host, ImportKind.GUESTS, event.id))
    async with db.transaction() as tx:
        with pytest.raises(PreconditionFailed):
            await people.invite(tx, host, ImportKind.GUESTS, event.slug, message="", expected=3)

    async def send() -> int:
        async with db.transaction() as tx:
            sent = await people.invite(tx, host, ImportKind.GUESTS, event.slug, message="Come!", expected=2)
            return sent.number

    ids = await waiting(db, ImportKind.GUESTS, event.id)
    sent = await asyncio.gather(send(), send(), return_exceptions=True)
    assert [one for one in sent if one == 2] == [2]
    assert await count(db, "outbox_jobs") == 2
    letter = await guest_list_composer(CODE_KEY, "OpenMeet", "https://m.example")(
        db, DueEmail(people.ARRIVAL_MAIL, ids[0], ids[0], 1)
    )
    assert letter is not None
    assert letter.to == "ana@example.org"
    assert "Come!" in letter.text
    assert people.token_of(CODE_KEY, ids[0]) in letter.text
    await people.add_to_list(db, WORKERS, host, await kept(db, host, ImportKind.GUESTS, event.id))
    async with db.transaction() as tx:
        with pytest.raises(Refused):
            await people.invite(tx, host, ImportKind.GUESTS, event.slug, message="", expected=0)


async def test_people_join_only_by_accepting(db: Database) -> None:
    """A person who accepts becomes a guest of a private event or a member of a private group, once. A person who
    declined gets no more e-mail.
    """
    host, event = await hosted(db)
    async with db.transaction() as tx:
        ana, ben = await person(tx, "Ana"), await person(tx, "Ben")
        group = await groups.create(
            tx, host, GroupDetails(name="Choir", time_zone="UTC", visibility=GroupVisibility.PRIVATE)
        )
    for what, target, slug in ((ImportKind.GUESTS, event.id, event.slug), (ImportKind.MEMBERS, group.id, group.slug)):
        await people.add_to_list(db, WORKERS, host, await kept(db, host, what, target))
        yes, no = await waiting(db, what, target)
        async with db.transaction() as tx:
            with pytest.raises(NotFound):  # not invited yet
                await people.accept(tx, ana, yes)
        async with db.transaction() as tx:
            await people.invite(tx, host, what, slug, message="", expected=2)
        async with db.transaction() as tx:
            assert (await people.accept(tx, ana, yes)).endswith(slug)
            await people.decline(tx, CODE_KEY, no)
            await people.decline(tx, CODE_KEY, no)
        for who, invitation in ((ben, yes), (ben, no)):
            async with db.transaction() as tx:
                with pytest.raises((Refused, NotFound)):
                    await people.accept(tx, who, invitation)
        composed = await guest_list_composer(CODE_KEY, "O", "https://m.example")(
            db, DueEmail(people.ARRIVAL_MAIL, no, no, 1)
        )
        assert composed is None
        async with db.reader() as reader:
            assert await queries.count_by_stage(reader, what, target) == {
                ContactStage.ACCEPTED: 1,
                ContactStage.DECLINED: 1,
            }
    async with db.reader() as reader:
        mine = await find_attendance(reader, event.id, ana.user_id)
        membership = await find_member(reader, group.id, ana.user_id)
        assert await find_attendance(reader, event.id, ben.user_id) is None
    assert mine is not None
    assert mine.status.value == "attending"
    assert membership is not None
    assert membership.role is GroupRole.MEMBER


async def test_an_invitation_to_something_that_a_moderator_has_hidden_is_neither_sent_nor_shown(db: Database) -> None:
    """It works again when the event or group is shown again."""
    host, event = await hosted(db)
    async with db.transaction() as tx:
        ana = await person(tx, "Ana")
        group = await groups.create(
            tx, host, GroupDetails(name="Choir", time_zone="UTC", visibility=GroupVisibility.PRIVATE)
        )
    for what, kind, target, slug in (
        (ImportKind.GUESTS, ModeratedKind.EVENT, event.id, event.slug),
        (ImportKind.MEMBERS, ModeratedKind.GROUP, group.id, group.slug),
    ):
        await people.add_to_list(db, WORKERS, host, await kept(db, host, what, target))
        one, _ = await waiting(db, what, target)
        async with db.transaction() as tx:
            await people.invite(tx, host, what, slug, message="", expected=2)
            await moderation.decide(tx, ana.user_id, Subject(kind, target), SubjectVisibility.HIDDEN, "spam")
        compose = guest_list_composer(CODE_KEY, "O", "https://m.example")
        assert await compose(db, DueEmail(people.ARRIVAL_MAIL, one, one, 1)) is None
        async with db.transaction() as tx:
            with pytest.raises(NotFound):
                await people.find_invitation(tx, one)
            with pytest.raises(NotFound):
                await people.accept(tx, ana, one)
            await moderation.decide(tx, ana.user_id, Subject(kind, target), SubjectVisibility.SHOWN, "")
        async with db.transaction() as tx:
            assert (await people.accept(tx, ana, one)).endswith(slug)


async def test_an_invitation_waits_while_nobody_could_open_the_event(db: Database) -> None:
    """It is sent when the event is shown, and dropped if a moderator hides the event instead."""
    host, event = await hosted(db)
    await people.add_to_list(db, WORKERS, host, await kept(db, host, ImportKind.GUESTS, event.id))
    one, _ = await waiting(db, ImportKind.GUESTS, event.id)
    compose = guest_list_composer(CODE_KEY, "O", "https://m.example")
    due, subject = DueEmail(people.ARRIVAL_MAIL, one, one, 1), Subject(ModeratedKind.EVENT, event.id)
    async with db.transaction() as tx:
        mo = await person(tx, "Mo")
        await people.invite(tx, host, ImportKind.GUESTS, event.slug, message="", expected=2)
        await visibility.hold(tx, [subject], SubjectVisibility.BURST)
    with pytest.raises(Unavailable, match=ImportReason.TARGET_NOT_SHOWN):
        await compose(db, due)
    async with db.transaction() as tx:
        await moderation.decide(tx, mo.user_id, subject, SubjectVisibility.SHOWN, "")
    assert await compose(db, due) is not None
    async with db.transaction() as tx:
        await tx.execute("update events set is_held = 1 where id = :id", id=event.id)
    with pytest.raises(Unavailable, match=ImportReason.TARGET_NOT_SHOWN):
        await compose(db, due)
    async with db.transaction() as tx:
        await moderation.decide(tx, mo.user_id, subject, SubjectVisibility.HIDDEN, "spam")
    assert await compose(db, due) is None


async def test_an_invitation_to_an_event_that_stays_hidden_is_dropped(db: Database, clock: HandClock) -> None:
    """An event without a start is never over, so its invitations would be checked for ever."""
    host, event = await hosted(db)
    await people.add_to_list(db, WORKERS, host, await kept(db, host, ImportKind.GUESTS, event.id))
    one, _ = await waiting(db, ImportKind.GUESTS, event.id)
    async with db.transaction() as tx:
        await people.invite(tx, host, ImportKind.GUESTS, event.slug, message="", expected=2)
        await tx.execute("update events set starts_at = null, ends_at = null, is_held = 1 where id = :id", id=event.id)
    compose = guest_list_composer(CODE_KEY, "O", "https://m.example")
    due = DueEmail(people.ARRIVAL_MAIL, one, one, 1)
    clock.turn(14 * DAY - 1)
    with pytest.raises(Unavailable, match=ImportReason.TARGET_NOT_SHOWN):
        await compose(db, due)
    clock.turn(1)
    assert await compose(db, due) is None


async def test_the_list_of_a_hidden_group_is_not_used_up(db: Database) -> None:
    async with db.transaction() as tx:
        host, mo = await person(tx, "Host"), await person(tx, "Mo")
        group = await groups.create(tx, host, GroupDetails(name="Choir", time_zone="UTC"))
        subject = Subject(ModeratedKind.GROUP, group.id)
        await moderation.decide(tx, mo.user_id, subject, SubjectVisibility.HIDDEN, "spam")
    await people.add_to_list(db, WORKERS, host, await kept(db, host, ImportKind.MEMBERS, group.id))
    async with db.transaction() as tx:
        assert await people.addresses_to_invite(tx, host, ImportKind.MEMBERS, group.slug) == []
        with pytest.raises(Refused) as refused:
            await people.invite(tx, host, ImportKind.MEMBERS, group.slug, message="", expected=2)
        assert refused.value.name == "GroupHidden"
        await moderation.decide(tx, mo.user_id, subject, SubjectVisibility.SHOWN, "")
        sent = await people.invite(tx, host, ImportKind.MEMBERS, group.slug, message="", expected=2)
    assert sent.number == 2


async def test_a_list_is_private_to_its_host(db: Database) -> None:
    host, event = await hosted(db)
    async with db.transaction() as tx:
        ben = await person(tx, "Ben")
    with pytest.raises((NotFound, Forbidden)):
        await people.add_to_list(db, WORKERS, ben, await kept(db, ben, ImportKind.GUESTS, event.id))
    with pytest.raises(NotFound):
        await people.add_to_list(db, WORKERS, ben, await kept(db, host, ImportKind.GUESTS, event.id))


def test_forged_links_are_refused() -> None:
    token = people.token_of(CODE_KEY, PersonId("0198a3c2-7b1e-7c40-9d5e-2f6a1b8c4d01"))
    assert people.person_in(CODE_KEY, token)
    for wrong in ("", "x", token[:-1] + ("0" if token[-1] != "0" else "1"), token.replace("0198", "0199")):
        with pytest.raises(NotFound):
            people.person_in(CODE_KEY, wrong)


async def test_the_whole_way_in_a_browser(make_sqlite: MakeDatabase, clock: HandClock) -> None:
    """The host uploads, keeps, reviews and sends, and the person accepts. Opening a link changes nothing."""
    site: Site = site_on(await make_sqlite("openmeet", clock=clock), clock)
    async with site.browser() as host, site.browser() as guest:
        await sign_up(host, "host@example.org", "Host")
        async with site.db.transaction() as tx:
            row = await tx.fetch_one("select id from users where email = 'host@example.org'")
            assert row is not None
            event = await create(tx, Caller(row["id"], "Host"), details())
        wrong = await host.post("/import", files={"file": ("a.ics", b"nothing", "text/calendar")})
        assert wrong.status_code == 400
        assert "This isn’t a calendar file" in wrong.text
        arrived = await host.post(
            "/import", data={"event": event.slug}, files={"file": ("guests.csv", LUMA_GUESTS.encode(), "text/csv")}
        )
        assert arrived.status_code == 303, arrived.text
        looked = await host.get(arrived.headers["location"])
        assert "From Luma" in looked.text
        way_back = f'<p class="way-back of-subject"><a href="/events/{event.slug}">'
        assert way_back in looked.text
        assert "Left out. This person is on the list twice." in looked.text
        ticks = dict.fromkeys(re.findall(r'name="(row-\d+)"', looked.text), "on")
        listed = await host.post(arrived.headers["location"], data={"act": "keep", "ticks": "yes"} | ticks)
        page = await host.get(listed.headers["location"])
        assert h1_of(page.text) == "Invite your list"
        assert way_back in page.text
        preview = await host.post(listed.headers["location"], data={"act": "preview", "message": "We have moved."})
        assert "We have moved." in preview.text
        # The date as in other e-mails: without the year and the name of the zone.
        assert "Saturday 4 July, 18:00–20:00, Berlin time" in preview.text
        assert "Europe/Berlin)" not in preview.text
        expected = re.search(r'name="expected" value="(\d+)"', preview.text)
        assert expected is not None
        hidden = Subject(ModeratedKind.EVENT, event.id)
        async with site.db.transaction() as tx:
            moderator = await person(tx, "Mo")
            await moderation.decide(tx, moderator.user_id, hidden, SubjectVisibility.HIDDEN, "spam")
        refused = await host.post(
            listed.headers["location"], data={"act": "send", "message": "Hi", "expected": expected[1]}
        )
        assert refused.status_code == 422
        assert "Only its hosts can open this event right now" in refused.text
        assert 'value="send"' not in refused.text
        async with site.db.transaction() as tx:
            await moderation.decide(tx, moderator.user_id, hidden, SubjectVisibility.SHOWN, "")
        sent = await host.post(
            listed.headers["location"], data={"act": "send", "message": "Hi", "expected": expected[1]}
        )
        assert sent.status_code == 303
        async with site.db.reader() as reader:
            row = await reader.fetch_one("select id from imported_contacts order by email limit 1")
        assert row is not None
        link = f"/arrivals/{people.token_of(CODE_KEY, row['id'])}"
        assert "Sign in to say yes" in (await guest.get(link)).text
        await sign_up(guest, "ana.private@example.org", "Ana")
        assert re.search(r'value="yes"[^>]*>I’m going<', (await guest.get(link)).text)
        async with site.db.transaction() as tx:
            await tx.execute("update events set capacity = 1 where id = :id", id=event.id)
            await attendance.answer(tx, await person(tx, "Zoe"), event.slug, RsvpReply.GOING)
        assert re.search(r'value="yes"[^>]*>Join waitlist<', (await guest.get(link)).text)
        accepted = await guest.post(link, data={"act": "yes"})
        assert (accepted.status_code, accepted.headers["location"]) == (303, f"/events/{event.slug}")
        after = (await guest.get(accepted.headers["location"])).text
        assert "on the waitlist" in after.partition('role="status"')[2].partition("</div>")[0]
        assert (await guest.get("/arrivals/made-up")).status_code == 404
    async with site.browser() as program:
        async with site.db.reader() as reader:
            rows = await reader.fetch("select id from imported_contacts where stage = 'invited' order by email")
        token = people.token_of(CODE_KEY, rows[0]["id"])
        link = f"/mail/decline/list/{token}"
        assert (await program.get(link)).headers["location"] == f"/arrivals/{token}"
        # A mail program's one-click POST declines (RFC 8058): from anywhere, without cookies or redirect.
        stopped = await program.post(link, data={"List-Unsubscribe": "One-Click"}, headers={"origin": ""})
        assert stopped.status_code == 200
        async with site.db.reader() as reader:
            after = await reader.fetch("select id from imported_contacts where stage = 'invited' order by email")
        assert [row["id"] for row in after] == [row["id"] for row in rows[1:]]


async def test_a_client_imports_a_calendar_file(make_sqlite: MakeDatabase, clock: HandClock) -> None:
    site: Site = site_on(await make_sqlite("openmeet", clock=clock), clock)
    ics = "BEGIN:VCALENDAR\nBEGIN:VEVENT\nUID:1\nDTSTART:20270101T100000Z\nSUMMARY:Tea\nEND:VEVENT\nEND:VCALENDAR\n"
    async with site.browser() as browser:
        ana = await api_session(browser, "ana@example.org", "Ana")
        ben = await api_session(browser, "ben@example.org", "Ben")
        made = await browser.post("/api/imports", json={"ics": ics}, headers=ana)
        assert made.status_code == 201, made.text
        assert [(one["title"], one["standing"]) for one in made.json()["events"]] == [("Tea", "new")]
        path = f"/api/imports/{made.json()['id']}"
        assert (await browser.get(path, headers=ben)).status_code == 404
        done = (await browser.post(f"{path}/confirm", json={}, headers=ana)).json()["outcome"]
        assert (len(done["made"]), done["known"]) == (1, 0)
        assert (await browser.post(f"{path}/confirm", headers=ana)).json()["outcome"] == done
        again = await browser.post("/api/imports", json={"ics": ics}, headers=ana)
        assert again.json()["events"][0]["standing"] == "known"
        for body in ({}, {"ics": ics, "csv": "email"}, {"csv": "email\na@example.org"}, {"ics": "x"}):
            assert (await browser.post("/api/imports", json=body, headers=ana)).status_code == 400
        group = {"name": "Choir", "timeZone": "UTC"}
        slug = (await browser.post("/api/groups", json=group, headers=ana)).json()["slug"]
        listed = await browser.post("/api/imports", json={"csv": LUMA_GUESTS, "group": slug}, headers=ana)
        assert listed.json()["people"]["newPeople"] == 2
        path = f"/api/imports/{listed.json()['id']}"
        assert (await browser.post(f"{path}/confirm", json={"people": [2, 3]}, headers=ana)).json()["outcome"][
            "newPeople"
        ] == 2
        stale = await browser.post(f"{path}/invitations", json={"expectedPeople": 9}, headers=ana)
        assert stale.status_code == 412
        sent = await browser.post(f"{path}/invitations", json={"expectedPeople": 2}, headers=ana)
        assert sent.json() == {"people": 2, "leftOut": []}


STATUSES = (
    "name,email,approval_status\n"
    "Ana,ana@example.org,approved\nBen,ben@example.org,declined\nCleo,cleo@example.org,Waitlisted\n"
    "Dan,dan@example.org,Cancelled by host\nEve,eve@example.org,\n"
)


async def test_people_who_declined_are_added_only_if_selected(make_sqlite: MakeDatabase, clock: HandClock) -> None:
    """The page and the API add the selected people. Without a selection, the API adds everyone whose status in the file
    does not mean "no".
    """
    site: Site = site_on(await make_sqlite("openmeet", clock=clock), clock)

    async def listed() -> list[str]:
        async with site.db.reader() as reader:
            return [row["name"] for row in await reader.fetch("select name from imported_contacts order by email")]

    async with site.browser() as host:
        await sign_up(host, "host@example.org", "Host")
        headers = await api_session(host, "host@example.org", "Host")
        one = (await host.post("/api/groups", json={"name": "A", "timeZone": "UTC"}, headers=headers)).json()["slug"]
        file = {"file": ("guests.csv", STATUSES.encode(), "text/csv")}
        at = (await host.post("/import", data={"group": one}, files=file)).headers["location"]
        page = (await host.get(at)).text
        ticked = re.findall(r'<input type="checkbox" name="(row-\d+)" checked>', page)
        assert (ticked, page.count('type="checkbox"')) == (["row-2", "row-6"], 5)
        chosen = {"row-2": "on", "row-4": "on", "ticks": "yes", "act": "keep"}
        assert (await host.post(at, data=chosen)).status_code == 303
        assert await listed() == ["Ana", "Cleo"]
        for body, names in (({}, ["Ana", "Eve"]), ({"people": [3]}, ["Ben"]), ({"people": []}, [])):
            async with site.db.transaction() as tx:
                await tx.execute("delete from imported_contacts")
            made = await host.post("/api/imports", json={"csv": STATUSES, "group": one}, headers=headers)
            rows = made.json()["people"]["rows"]
            assert [row["meansNo"] for row in rows] == [False, True, True, True, False]
            done = await host.post(f"/api/imports/{made.json()['id']}/confirm", json=body, headers=headers)
            assert done.json()["outcome"]["newPeople"] == len(names)
            assert await listed() == names


async def test_invitations_are_accepted_and_declined_by_api(make_sqlite: MakeDatabase, clock: HandClock) -> None:
    """Accepting needs a signed-in person, declining only the token. Opening the link changes nothing."""
    site: Site = site_on(await make_sqlite("openmeet", clock=clock), clock)
    host, event = await hosted(site.db)
    import_id = await kept(site.db, host, ImportKind.GUESTS, event.id, STATUSES)
    await people.add_to_list(site.db, WORKERS, host, import_id)
    async with site.db.transaction() as tx:
        await people.invite(tx, host, ImportKind.GUESTS, event.slug, message="Hi", expected=2)
    async with site.db.reader() as reader:
        rows = await reader.fetch("select id from imported_contacts order by email")
    yes, no = (f"/api/arrivals/{people.token_of(CODE_KEY, row['id'])}" for row in rows)
    async with site.browser() as browser:
        for _ in range(2):
            shown = await browser.get(yes)
            assert (shown.status_code, shown.json()["state"], shown.json()["title"]) == (200, "invited", event.title)
        assert (await browser.post(yes)).status_code == 401
        assert (await browser.delete(no)).status_code == 204
        assert (await browser.get(no)).json()["state"] == "declined"
        headers = await api_session(browser, "ana@example.org", "Ana")
        accepted = await browser.post(yes, headers=headers)
        assert (accepted.status_code, accepted.json()["url"].endswith(f"/events/{event.slug}")) == (200, True)
        assert (await browser.get(yes)).json()["state"] == "accepted"
        assert (await browser.post(yes, headers=headers)).status_code == 422
        assert (await browser.post(no, headers=headers)).status_code == 404
        assert (await browser.get("/api/arrivals/made-up")).status_code == 404
