"""Tickets, check-in and host pages, through the whole site."""

import re
from dataclasses import replace
from string import hexdigits

import pytest
from hypothesis import given
from hypothesis import strategies as st

from groundwork.clock import DAY, MINUTE
from groundwork.errors import Refused, RemoteFailed
from groundwork.rate_limit.contract import Limit
from groundwork.signing_key import SigningKey
from openmeet.domain.attendance import actions, attendee_summary, event_hosting, host_decisions, queries, registration
from openmeet.domain.attendance.answer_bar_inputs import bar_input_of
from openmeet.domain.attendance.model import AttendanceStatus, RsvpReply
from openmeet.domain.attendance.reasons import AttendanceReason
from openmeet.domain.attendance.registration import RegistrationQuestion, RegistrationSettings
from openmeet.domain.check_in import tickets
from openmeet.domain.events.queries import by_slug
from openmeet.web.check_in import pages as check_in_pages
from tests.openmeet.site_under_test import CODE_KEY, api_session, event_by, person, sign_up, site_on

S = AttendanceStatus

# The clock of the tests is at 13:00 on this day.
TODAY = {"starts": "2026-03-01T18:00", "ends": "2026-03-01T20:00"}


@pytest.fixture
async def site(make_sqlite, clock):
    return site_on(await make_sqlite("openmeet"), clock)


async def made(browser, site, **typed: str):
    """An event hosted by the person signed in in this browser, and that person."""
    await sign_up(browser, "ana@example.org", "Ana")
    async with site.db.transaction() as tx:
        row = await tx.fetch_one("select id from users where email = 'ana@example.org'")
        host = type(await person(tx, "Somebody"))(row["id"], "Ana")
        event = await event_by(tx, host, **{**TODAY, **typed})
    return host, event


async def coming(site, event, *names: str):
    async with site.db.transaction() as tx:
        return [await actions.answer(tx, await person(tx, name), event.slug, RsvpReply.GOING) for name in names]


async def test_check_in_by_code_and_list_and_undo(site):
    async with site.browser() as browser:
        _, event = await made(browser, site)
        ben, cleo = await coming(site, event, "Ben", "Cleo")
        path = f"/events/{event.slug}/check-in"
        door = await browser.get(path)
        assert "camera=(self)" in door.headers["permissions-policy"]
        assert "<strong>0</strong> of 2" in door.text
        code = tickets.code_of(CODE_KEY, ben.id)
        # The QR code leads to this page. It shows who it is, and does not check anybody in by itself.
        scanned = await browser.get(f"{path}?code={code}")
        assert 'id="holder">Ben' in scanned.text
        assert "<strong>0</strong> of 2" in scanned.text
        done = await browser.post(path, data={"code": code.lower().replace("-", " ")})
        after = (await browser.get(done.headers["location"])).text
        assert "<strong>1</strong> of 2" in after
        site.clock.turn(MINUTE)
        again = await browser.post(path, data={"code": code})
        assert "is <strong>already in</strong>, since 13:00" in (await browser.get(again.headers["location"])).text
        assert "<strong>Already checked in</strong>, at 13:00" in (await browser.get(f"{path}?code={code}")).text
        await browser.post(path, data={"attendance": cleo.id})
        assert "<strong>2</strong> of 2" in (await browser.get(path)).text
        await browser.post(f"{path}/undo", data={"attendance": ben.id})
        assert "<strong>1</strong> of 2" in (await browser.get(f"{path}?q=cle")).text
        wrong = await browser.post(path, data={"code": "0000-0000-0000"})
        assert (wrong.status_code, "This isn’t a ticket for this event." in wrong.text) == (400, True)


async def test_hosts_can_enter_a_few_wrong_codes_only(site):
    """Right ones are not counted, and the list still works."""
    async with site.browser() as browser, site.browser() as program:
        _, event = await made(browser, site)
        ben, cleo = await coming(site, event, "Ben", "Cleo")
        path, code = f"/events/{event.slug}/check-in", tickets.code_of(CODE_KEY, ben.id)
        half = check_in_pages.WRONG_CODES.points // 2
        for _ in range(half + 1):
            assert (await browser.get(f"{path}?code={code}")).status_code == 200
            assert (await browser.post(path, data={"code": code})).status_code == 303
        for _ in range(half):
            assert (await browser.get(f"{path}?code=0000-0000-0000")).status_code == 200
            assert (await browser.post(path, data={"code": "0000-0000-0000"})).status_code == 400
        for refused in (
            await browser.get(f"{path}?code={code}"),
            await browser.post(path, data={"code": code}),
        ):
            assert (refused.status_code, "Try again in 10 minutes." in refused.text) == (429, True)
        ana = await api_session(program, "ana@example.org", "Ana")
        by_api = await program.post(f"/api{path}s", json={"ticketCode": code}, headers=ana)
        assert (by_api.status_code, by_api.headers["retry-after"]) == (429, "600")
        assert (await browser.post(path, data={"attendance": cleo.id})).status_code == 303
        site.clock.turn(10 * MINUTE)
        assert (await browser.post(path, data={"code": code})).status_code == 303


async def test_only_wrong_codes_are_counted_for_each_event(site, monkeypatch):
    monkeypatch.setattr(check_in_pages, "WRONG_CODES", Limit("wrong_ticket_codes", 2, 600))
    async with site.browser() as browser, site.browser() as stranger:
        host, event = await made(browser, site)
        async with site.db.transaction() as tx:
            other = await event_by(tx, host, **TODAY)
        (ben,) = await coming(site, event, "Ben")
        path, other_path = (f"/events/{one.slug}/check-in" for one in (event, other))
        code = tickets.code_of(CODE_KEY, ben.id)
        await sign_up(stranger, "eve@example.org", "Eve")
        for _ in range(3):
            assert (await browser.post(path, data={"code": "no code"})).status_code == 400
            assert (await browser.post("/events/nothing/check-in", data={"code": code})).status_code == 404
            assert (await stranger.post(path, data={"code": code})).status_code == 403
        statuses = [(await browser.post(other_path, data={"code": code})).status_code for _ in range(3)]
        assert statuses == [400, 400, 429]
        assert (await browser.post(path, data={"code": code})).status_code == 303


async def test_a_failed_search_for_a_code_is_not_counted(site, monkeypatch):
    async def fail(*_args: object) -> None:
        raise RemoteFailed("The database is away.")

    monkeypatch.setattr(check_in_pages, "WRONG_CODES", Limit("wrong_ticket_codes", 1, 600))
    async with site.browser() as browser:
        _, event = await made(browser, site)
        (ben,) = await coming(site, event, "Ben")
        path, code = f"/events/{event.slug}/check-in", tickets.code_of(CODE_KEY, ben.id)
        with monkeypatch.context() as broken:
            broken.setattr(tickets, "candidates", fail)
            for _ in range(2):
                assert (await browser.post(path, data={"code": code})).status_code == 502
        assert (await browser.post(path, data={"code": code})).status_code == 303


async def test_check_in_opens_around_the_event(site):
    """Check-in opens shortly before the event. A checked-in person can no longer decline, so people must not be checked
    in by mistake weeks before.
    """
    async with site.browser() as browser:
        host, event = await made(browser, site, starts="2026-03-08T18:00", ends="2026-03-08T20:00")
        assert 'class="figures"' not in (await browser.get(f"/events/{event.slug}/check-in")).text
        (ben,) = await coming(site, event, "Ben")
        path, opens = f"/events/{event.slug}/check-in", event.starts_at - DAY
        words = "Check-in opens a day before the start: Saturday 7 March, 18:00, Berlin time."
        door = (await browser.get(path)).text
        assert words in door
        assert 'class="figures"' in door
        assert 'name="attendance"' not in door
        early = await browser.post(path, data={"attendance": ben.id})
        assert (early.status_code, words in early.text) == (422, True)
        async with site.db.transaction() as tx:
            with pytest.raises(Refused, match=AttendanceReason.CHECK_IN_NOT_YET):
                await host_decisions.check_in(tx, host, event.slug, ben.id)
        site.clock.turn(opens - site.clock.now())
        assert words not in (await browser.get(path)).text
        assert (await browser.post(path, data={"attendance": ben.id})).status_code == 303
        # A mistaken check-in can be undone at any time.
        site.clock.turn(12 * DAY)
        assert (await browser.post(f"{path}/undo", data={"attendance": ben.id})).status_code == 303
        late = await browser.post(path, data={"attendance": ben.id})
        assert (late.status_code, "Check-in closed a week after the end: Sunday 15 March" in late.text) == (422, True)
        assert "<strong>0</strong> of 1" in late.text


async def test_undoing_a_check_in_restores_the_status(site):
    """Undoing a check-in restores the previous status. A person who had no place before gets none."""
    async with site.browser() as browser:
        host, event = await made(browser, site, capacity="2")
        async with site.db.transaction() as tx:
            people = {name: await person(tx, name) for name in ("Ben", "Cleo", "Dora")}
            for name, reply in (("Ben", RsvpReply.GOING), ("Cleo", RsvpReply.INTERESTED), ("Dora", RsvpReply.DECLINED)):
                mine = await actions.answer(tx, people[name], event.slug, reply)
                if reply is not RsvpReply.GOING:
                    assert (await host_decisions.check_in(tx, host, event.slug, mine.id)).status is S.ATTENDED
                    assert (await host_decisions.undo_check_in(tx, host, event.slug, mine.id)).status is mine.status
            assert await queries.seats_held(tx, event.id) == 1


async def test_tickets_are_for_holders_and_check_in_for_hosts(site):
    async with site.browser() as browser, site.browser() as guest:
        _, event = await made(browser, site)
        await sign_up(guest, "ben@example.org", "Ben")
        path = f"/events/{event.slug}"
        assert (await guest.get(f"{path}/ticket")).status_code == 404
        await guest.post(f"{path}/answer", data={"reply": "going"})
        ticket = (await guest.get(f"{path}/ticket")).text
        code = re.search(r'ticket-code">([^<]+)<', ticket)[1]
        assert "<svg" in ticket
        for page in ("check-in", "attendees", "attendees.csv", "joining"):
            assert (await guest.get(f"{path}/{page}")).status_code == 403, page
        assert (await guest.post(f"{path}/check-in", data={"code": code})).status_code == 403
        assert (await browser.post(f"{path}/check-in", data={"code": code})).status_code == 303


async def test_hosts_manage_guests_on_their_pages(site):
    """Hosts change settings, see the answers to all questions, use the list, remove people and undo it, add a person,
    and download the file.
    """
    async with site.browser() as browser, site.browser() as guest:
        _, event = await made(browser, site, capacity="5", starts="2026-07-04T18:00", ends="2026-07-04T20:00")
        path = f"/events/{event.slug}"
        settings = {
            "max_party": "3",
            "needs_approval": "yes",
            "takes_guests": "yes",
            "list_audience": "hosts",
            "foreign_answers": "",
            "closes_hours_before": "24",
            "question_1": "Diet?",
            "choices_1": "none\nvegan",
            "required_1": "yes",
            "id_1": "",
            "revision": "0",
        }
        assert (await browser.post(f"{path}/joining", data=settings | {"max_party": "99"})).status_code == 400
        assert (await browser.post(f"{path}/joining", data=settings)).status_code == 303
        assert (await browser.post(f"{path}/joining", data=settings)).status_code == 409
        async with site.db.reader() as reader:
            (question,) = (await registration.settings_of(reader, event)).questions
        await sign_up(guest, "ben@example.org", "Ben")
        one_tap = await guest.post(f"{path}/answer", data={"reply": "going", "party": "2"})
        asked = one_tap.headers["location"]
        assert asked.startswith(f"{path}/answer?")
        form = (await guest.get(asked)).text
        assert '<option value="2" selected>' in form
        refused = await guest.post(
            f"{path}/answer", data={"reply": "going", "party": "2", "whole": "yes", question.id: ""}
        )
        assert (refused.status_code, "The host needs an answer to this." in refused.text) == (400, True)
        said = {"reply": "going", "party": "2", "whole": "yes", question.id: "vegan", "is_private": "yes"}
        assert (await guest.post(f"{path}/answer", data=said)).status_code == 303
        assert "You asked to join" in (await guest.get(path)).text
        managed = (await browser.get(f"{path}/attendees")).text
        who = re.search(r'name="who" value="([^"]+)"', managed)[1]
        await browser.post(f"{path}/attendees", data={"act": "approve", "who": who})
        details = (await browser.get(f"{path}/attendees/{who}")).text
        assert "vegan" in details
        assert "Asked to join → going" in details
        out = await browser.post(f"{path}/attendees", data={"act": "remove", "who": who})
        again = (await browser.get(out.headers["location"])).text
        assert "Ben was removed" in again
        await browser.post(f"{path}/attendees/restore", data={"who": who})
        await browser.post(f"{path}/attendees/add", data={"name": "Grandma"})
        for blank in ("", "\u200b"):
            assert (await browser.post(f"{path}/attendees/add", data={"name": blank})).status_code == 400
        assert (await browser.post(f"{path}/attendees/invite", data={"email": "no"})).status_code == 400
        assert (await browser.post(f"{path}/attendees", data={"act": "approve"})).status_code == 400
        table = (await browser.get(f"{path}/attendees.csv")).text
        assert '"Ben","going","2"' in table
        assert '"Grandma","going","1"' in table
        # Only hosts can see the people who come.
        async with site.browser() as stranger:
            public = (await stranger.get(path)).text
        assert "Grandma" not in public
        assert ">Ben<" not in public
        assert "<strong>3</strong> going" in public


async def test_hosts_check_attendees_in_by_api(site):
    async with site.browser() as client:
        ana = await api_session(client, "ana@example.org", "Ana")
        ben = await api_session(client, "ben@example.org", "Ben")
        await api_session(client, "dora@example.org", "Dora")
        body = {"title": "Tea", "startsLocal": "2026-03-01T18:00:00", "timeZone": "Europe/Berlin", "capacity": 3}
        path = (await client.post("/api/events", json=body, headers=ana)).headers["location"]
        wanted = {"maxParty": 2, "questions": [{"question": "Diet?", "isRequired": True}]}
        settings = await client.put(f"{path}/joining", json=wanted, headers=ana)
        assert settings.status_code == 200, settings.text
        stale = await client.put(f"{path}/joining", json=wanted, headers=ana | {"if-match": '"0"'})
        assert stale.status_code == 412
        name = settings.json()["questions"][0]["questionId"]
        missing = await client.put(f"{path}/answer", json={"reply": "going"}, headers=ben)
        assert (missing.status_code, list(missing.json()["fields"])) == (400, [name])
        said = {"reply": "going", "party": 2, "answers": [{"questionId": name, "answer": "none"}]}
        answer = (await client.put(f"{path}/answer", json=said, headers=ben)).json()
        assert (answer["status"], answer["party"]) == ("attending", 2)
        history = (await client.get(f"{path}/answer/history", headers=ben)).json()["changes"]
        assert [(one["status"], one["through"]) for one in history] == [("attending", "api")]
        ticket = (await client.get(f"{path}/ticket", headers=ben)).json()
        there = await client.post(f"{path}/check-ins", json={"ticketCode": ticket["ticketCode"]}, headers=ana)
        assert (there.json()["peopleThere"], there.json()["peopleExpected"]) == (2, 2)
        (listed,) = (await client.get(f"{path}/attendances", headers=ana)).json()["attendances"]
        assert listed["checkedInAt"] == there.json()["thereSince"]
        assert listed["answers"] == [{"questionId": name, "question": "Diet?", "answer": "none"}]
        assert listed["personId"] == (await client.get("/api/me", headers=ben)).json()["id"]
        back = await client.delete(f"{path}/check-ins/{answer['id']}", headers=ana)
        assert back.json()["status"] == "attending"
        assert (await client.post(f"{path}/check-ins", json={"ticketCode": "x"}, headers=ana)).status_code == 400
        added = await client.post(f"{path}/attendances", json={"displayName": "Grandma"}, headers=ana)
        full = await client.post(f"{path}/attendances", json={"displayName": "Grandpa"}, headers=ana)
        assert (added.status_code, full.status_code) == (201, 422)
        (listed, _) = (await client.get(f"{path}/attendances", headers=ana)).json()["attendances"]
        assert listed["checkedInAt"] is None
        # Nobody can find out who owns an invited address, even with a person id.
        invited = await client.post(f"{path}/attendances", json={"email": "cleo@example.org"}, headers=ana)
        assert (invited.json()["displayName"], invited.json()["personId"]) == ("cleo@example.org", None)
        known = await client.post(f"{path}/attendances", json={"email": "dora@example.org"}, headers=ana)
        other = {"id": "", "displayName": "", "answeredAt": ""}
        assert invited.json() | other == known.json() | other
        await client.post(
            f"{path}/attendances/decisions",
            json={"decision": "remove", "attendanceIds": [invited.json()["id"], known.json()["id"]]},
            headers=ana,
        )
        page = (await client.get(f"{path}/attendances?limit=1", headers=ana)).json()
        rest = (await client.get(f"{path}/attendances?limit=1&cursor={page['cursor']}", headers=ana)).json()
        assert [one["displayName"] for one in page["attendances"] + rest["attendances"]] == ["Ben", "Grandma"]
        assert (await client.get(f"{path}/attendances", headers=ben)).status_code == 403
        decision = {"decision": "remove", "attendanceIds": [answer["id"]]}
        assert (await client.post(f"{path}/attendances/decisions", json=decision, headers=ana)).json()["removed"] == 1
        too_many = decision | {"attendanceIds": [answer["id"]] * (host_decisions.DECIDED_AT_ONCE + 1)}
        assert (await client.post(f"{path}/attendances/decisions", json=too_many, headers=ana)).status_code == 400
        restored = await client.post(f"{path}/attendances/{answer['id']}/restore", headers=ana)
        assert restored.json()["status"] == "attending"
        assert "Grandma" in (await client.get(f"{path}/attendances/table", headers=ana)).json()["csv"]
        lines = (await client.get(f"{path}/attendances/{answer['id']}/history", headers=ana)).json()["changes"]
        assert [one["status"] for one in lines][-1] == "attending"


async def test_settings_of_a_question_survive_an_edit(site):
    """Answers are stored by the question's name, which does not change with its wording."""
    async with site.browser() as browser:
        _, event = await made(browser, site)
        async with site.db.transaction() as tx:
            await registration.put(tx, event.id, RegistrationSettings(questions=(RegistrationQuestion("q7", "Diet?"),)))
            revision = await registration.revision_of(tx, event)
        form = {
            "max_party": "1",
            "list_audience": "everyone",
            "id_1": "q7",
            "question_1": "What do you eat?",
            "revision": str(revision),
        }
        assert (await browser.post(f"/events/{event.slug}/joining", data=form)).status_code == 303
        async with site.db.reader() as reader:
            event = await by_slug(reader, event.slug)
            (question,) = (await registration.settings_of(reader, event)).questions
            assert (question.id, question.words) == ("q7", "What do you eat?")
            assert await queries.seats_held(reader, event.id) == 0


@given(st.text(hexdigits[:16], min_size=32, max_size=32))
def test_codes_are_read_as_they_are_written(text):
    attendance_id = f"{text[:8]}-{text[8:12]}-{text[12:16]}-{text[16:20]}-{text[20:]}"
    code = tickets.code_of(CODE_KEY, attendance_id)
    for typed in (code, code.lower(), code.replace("-", ""), f"https://x/events/y/check-in?code={code}"):
        assert tickets.parse_code(typed) == code
    assert attendance_id.endswith(tickets.tail_of(code))
    assert tickets.code_matches(CODE_KEY, code, attendance_id)
    assert not tickets.code_matches(SigningKey(b"x" * 32), code, attendance_id)


@pytest.mark.parametrize("text", ["", "7KQM", "7KQM-4T2P-9XA!", "x" * 500])
def test_invalid_codes_are_refused(text):
    assert tickets.parse_code(text) is None


async def test_checking_in_an_address_does_not_reveal_its_owner(site):
    """After a check-in, an invited address with an account looks the same to hosts as one without."""
    async with site.browser() as client:
        ana = await api_session(client, "ana@example.org", "Ana")
        dora = await api_session(client, "dora@example.org", "Dora Secret")
        body = {"title": "Tea", "startsLocal": "2026-03-01T18:00:00", "timeZone": "Europe/Berlin"}
        path = (await client.post("/api/events", json=body, headers=ana)).headers["location"]
        said, first = [], ""
        for email in ("dora@example.org", "cleo@example.org"):
            invited = (await client.post(f"{path}/attendances", json={"email": email}, headers=ana)).json()
            first = first or invited["id"]
            there = await client.post(f"{path}/check-ins", json={"attendanceId": invited["id"]}, headers=ana)
            assert (there.status_code, there.json()["displayName"]) == (200, email)
            looks = [await client.get(f"{path}{one}", headers=ana) for one in ("", "/attendances", "/attendees")]
            looks.append(await client.get(f"{path}/attendances?q=Secret", headers=ana))
            looks.append(await client.get(f"{path}/attendances/{invited['id']}/history", headers=ana))
            assert all(look.is_success for look in looks)
            text = "\n".join(look.text for look in (there, *looks))
            assert ("Secret" in text, email in text) == (False, True)
            rows = (await client.get(f"{path}/attendances", headers=ana)).json()["attendances"]
            (row,) = [one for one in rows if one["id"] == invited["id"]]
            said.append(row | {"id": "", "displayName": "", "answeredAt": "", "checkedInAt": ""})
        assert said[0] == said[1]
        # People who have answered themselves are shown by name, checked in or not.
        await client.delete(f"{path}/check-ins/{first}", headers=ana)
        assert (await client.put(f"{path}/answer", json={"reply": "going"}, headers=dora)).is_success
        there = await client.post(f"{path}/check-ins", json={"attendanceId": first}, headers=ana)
        assert there.json()["displayName"] == "Dora Secret"


async def test_a_long_list_shows_people_who_have_not_arrived(site, monkeypatch):
    """In a long list the people who have not arrived yet are shown, even if those who arrived were the first to answer."""
    monkeypatch.setattr(check_in_pages, "_SHOWN", 2)
    async with site.browser() as browser:
        _, event = await made(browser, site)
        ben, *_ = await coming(site, event, "Ben", "Cleo", "Dana")
        path = f"/events/{event.slug}/check-in"
        await browser.post(path, data={"attendance": ben.id})
        shown = (await browser.get(path)).text
        names = re.findall(r'class="attendee-name"><strong>(\w+)', shown)
        assert (names, "Only the first are shown" in shown) == (["Cleo", "Dana"], True)


async def test_german_nouns_keep_their_capital(site):
    async with site.browser() as browser:
        _, event = await made(browser, site, capacity="1")
        await coming(site, event, "Ben", "Cleo")
        shown = await browser.get(f"/events/{event.slug}/check-in?q=Cleo", headers={"accept-language": "de"})
        assert "Auf der Warteliste" in shown.text


async def test_after_the_event_the_page_says_who_did_not_come_and_messages_thank_who_did(site, clock):
    async with site.browser() as browser:
        host, event = await made(browser, site)
        ben, _ = await coming(site, event, "Ben", "Cleo")
        path = f"/events/{event.slug}"
        assert "still to come" in (await browser.get(f"{path}/check-in")).text
        async with site.db.transaction() as tx:
            await host_decisions.check_in(tx, host, event.slug, ben.id)
        assert 'name="addressees.going" value="yes" checked' in (await browser.get(f"{path}/messages")).text
        clock.turn(DAY)
        door = (await browser.get(f"{path}/check-in")).text
        assert ("not checked in" in door, "count as not having come" in door, "still to come" in door) == (
            True,
            True,
            False,
        )
        assert 'id="invite"' not in (await browser.get(f"{path}/attendees")).text
        thanks = (await browser.get(f"{path}/messages")).text
        assert 'name="addressees.attended" value="yes" checked' in thanks
        assert 'name="addressees.going" value="yes" checked' not in thanks
        shown = (await browser.get(path)).text
        assert "Thank the guests" in shown
        assert f'href="{path}/photos"' in shown
        assert f'href="{path}/duplicate"' in shown


async def test_after_the_event_pages_say_who_was_going_and_how_many_came(site, clock):
    """Other people do not see who was checked in, but those who were stay in the list."""
    async with site.browser() as browser, site.browser() as stranger:
        host, event = await made(browser, site)
        ben, _ = await coming(site, event, "Ben", "Cleo")
        path = f"/events/{event.slug}"
        async with site.db.transaction() as tx:
            await host_decisions.check_in(tx, host, event.slug, ben.id)
        clock.turn(DAY)
        for page in (path, f"{path}/attendees"):
            shown = (await browser.get(page)).text
            assert ("were going" in shown, "<strong>1</strong> checked in" in shown) == (True, True), page
            assert "</strong> going" not in shown
        assert "people were going" in (await browser.get(f"{path}/guest-list")).text
        public = (await stranger.get(path)).text
        assert ("</strong> were going" in public, "checked in" in public) == (True, False)


async def test_faces_in_lists_are_those_of_people_who_came_and_then_of_the_others(site):
    async with site.browser() as browser:
        host, event = await made(browser, site)
        rsvps = await coming(site, event, "Ben", "Cleo", "Dora", "Emil")
        async with site.db.transaction() as tx:
            await host_decisions.check_in(tx, host, event.slug, rsvps[3].id)
            event_registration = await registration.registration_of(tx, event)
            bar_input = await bar_input_of(tx, event_registration, host.user_id, rsvp=None)
            faces = await attendee_summary.faces_of(tx, [replace(bar_input, is_hosting=True)])
    people = {one.user_id: name for one, name in zip(rsvps, "BCDE", strict=True)}
    assert [people.get(one, "host") for one in faces[event.id]][:2] == ["E", "B"]


async def test_pages_of_a_cancelled_event_say_who_was_going(site, clock):
    async with site.browser() as browser:
        host, event = await made(browser, site)
        await coming(site, event, "Ben", "Cleo")
        async with site.db.transaction() as tx:
            await event_hosting.cancel(tx, host, event.slug, "Rain")
        path = f"/events/{event.slug}"
        for page in (path, f"{path}/attendees"):
            shown = (await browser.get(page)).text
            assert "were going" in shown, page
            assert not re.search(r"(2|</strong>) going", shown), page
        assert "2 were going" in (await browser.get(path)).text
        assert "people were going" in (await browser.get(f"{path}/guest-list")).text


async def test_while_nobody_is_expected_the_page_leads_to_requests_instead_of_a_search(site):
    async with site.browser() as browser:
        _, event = await made(browser, site)
        path = f"/events/{event.slug}/check-in"
        empty = (await browser.get(path)).text
        searched = (await browser.get(path, params={"q": "zoe"})).text
        await coming(site, event, "Ben")
        listed = (await browser.get(path)).text
    assert ['role="search"' in page for page in (empty, searched, listed)] == [False, True, True]
    assert f'class="button quiet" href="/events/{event.slug}/attendees"' in empty
