"""The moderators' pages and API as people and programs use them. Nobody else has access."""

import pytest

from openmeet.domain.attendance import invitations
from openmeet.domain.identities import actions as identities
from openmeet.domain.moderation import labels, moderators, policy, reports, visibility
from openmeet.domain.moderation.model import ModeratedKind, ModerationPolicy, ReportReason, Subject, SubjectVisibility
from openmeet.domain.users.model import Caller
from openmeet.domain.users.queries import by_email
from tests.openmeet.site_under_test import api_session, event_by, person, sign_up, site_on
from tests.visible_text import visible_text

PAGES = ("", "/waiting", "/hidden", "/log", "/rules")


@pytest.fixture
async def site(make_sqlite, clock):
    return site_on(await make_sqlite("openmeet"), clock, moderators=("mo@example.org",))


async def ids(site):
    async with site.db.transaction() as tx:
        ana = await person(tx, "Ana")
        return ana, await event_by(tx, ana, title="Pills for free")


async def test_a_report_leads_to_an_action_that_is_undone(site):
    """A person reports an event. A moderator reads the report, hides the event with a reason and undoes this, all with
    forms.
    """
    _, event = await ids(site)
    async with site.browser() as ben, site.browser() as mo:
        await sign_up(ben, "ben@example.org", "Ben Reporter")
        await sign_up(mo, "mo@example.org", "Mo")
        wrong = await ben.post(f"/events/{event.slug}/report", data={"reason": "other", "words": ""})
        assert wrong.status_code == 400
        assert "Say in a few words" in wrong.text
        said = await ben.post(f"/events/{event.slug}/report", data={"reason": "spam", "words": "Look at the link"})
        assert said.headers["location"] == f"/events/{event.slug}/report?sent=yes"
        assert "Spam or advertising" in (await ben.get("/settings/safety")).text
        queue = (await mo.get("/moderation")).text
        assert all(words in queue for words in ("Pills for free", "Look at the link", "Ben Reporter"))
        assert "Ana · Sat 4 Jul, 18:00<" in queue
        path = f"/moderation/things/event/{event.id}"
        assert (await mo.post(path, data={"act": "hide", "reason": ""})).status_code == 400
        assert (await mo.post(path, data={"act": "hide", "reason": "No sales."})).status_code == 303
        assert (await ben.get(f"/events/{event.slug}")).status_code == 404
        assert "Pills" not in (await ben.get("/")).text
        assert "A moderator acted on it." in (await ben.get("/settings/safety")).text
        log = (await mo.get("/moderation/log")).text
        assert "„No sales.“" in (await mo.get("/moderation/log", headers={"accept-language": "de"})).text
        (undo,) = {part.split('"')[0] for part in log.split('name="undo" value="')[1:]}
        assert (await mo.post("/moderation/log", data={"undo": undo})).status_code == 303
        assert (await mo.post("/moderation/log", data={"undo": undo})).status_code == 422
        assert (await ben.get(f"/events/{event.slug}")).status_code == 200


async def test_the_host_reads_the_reason_but_not_who_reported(site):
    async with site.browser() as ana, site.browser() as ben, site.browser() as mo:
        await sign_up(ana, "ana@example.org", "Ana")
        await sign_up(ben, "ben@example.org", "Ben Reporter")
        await sign_up(mo, "mo@example.org", "Mo")
        async with site.db.transaction() as tx:
            host = await by_email(tx, "ana@example.org")
            event = await event_by(tx, type("C", (), {"user_id": host.id, "display_name": "Ana"})(), title="Pills")
        await ben.post(f"/events/{event.slug}/report", data={"reason": "spam", "words": "Secret words"})
        await mo.post(f"/moderation/things/event/{event.id}", data={"act": "hide", "reason": "No sales here."})
        for path in (f"/events/{event.slug}", "/notifications"):
            read = (await ana.get(path)).text
            assert "No sales here." in read
            assert "Ben" not in visible_text(read)
            assert "Secret words" not in read


async def test_nobody_else_has_access(site):
    ana, event = await ids(site)
    async with site.browser() as browser:
        for path in PAGES:
            assert (await browser.get(f"/moderation{path}")).headers["location"].startswith("/sign-in")
        await sign_up(browser, "ben@example.org", "Ben")
        for path in (*PAGES, f"/things/event/{event.id}", f"/things/person/{ana.user_id}"):
            assert (await browser.get(f"/moderation{path}")).status_code == 403
        for path in ("/waiting", "/log", "/rules", f"/things/event/{event.id}"):
            assert (
                await browser.post(f"/moderation{path}", data={"act": "hide", "reason": "x", "undo": "y"})
            ).status_code == 403
        assert "Moderation" not in (await browser.get("/")).text


async def test_every_page_can_be_shown_with_content(site):
    ana, _ = await ids(site)
    async with site.db.transaction() as tx:
        await visibility.hold(tx, [Subject(ModeratedKind.PERSON, ana.user_id)], SubjectVisibility.FIRST_EVENT)
        await visibility.hold(
            tx, [Subject(ModeratedKind.DID, "did:plc:aaaaaaaaaaaaaaaaaaaaaaaa")], SubjectVisibility.BURST
        )
    async with site.browser() as mo:
        await sign_up(mo, "mo@example.org", "Mo")
        waiting = (await mo.get("/moderation/waiting")).text
        assert "Pills for free" in waiting
        held = visible_text((await mo.get(f"/moderation/things/person/{ana.user_id}")).text)
        assert "Trusted: their events never wait for a moderator" in held
        assert "Sent too much at once" in waiting
        assert (await mo.post("/moderation/waiting", data={"act": "block", "host": ""})).status_code == 303
        assert "did:plc:aaaa" in (await mo.get("/moderation/hidden")).text
        there = await mo.post("/moderation/hidden", data={"subject": "https://pds.example"})
        assert there.headers["location"] == "/moderation/things/host/https%3A%2F%2Fpds.example"
        assert (await mo.get(there.headers["location"])).status_code == 200
        assert (await mo.post(there.headers["location"], data={"act": "hide", "reason": "spam"})).status_code == 303
        assert "https://pds.example" in (await mo.get(there.headers["location"])).text
        assert (await mo.post("/moderation/hidden", data={"subject": "what is this"})).status_code == 400
        bad = await mo.post("/moderation/rules", data={"new_account_days": "x"})
        assert bad.status_code == 400
        assert "Enter a whole number from 1 to 365." in bad.text
        numbers = dict.fromkeys(("new_account_days", "new_author_minutes", "most_events_of_author"), "9")
        more = dict.fromkeys(("most_authors_of_host", "most_events_of_host", "most_new_hosts"), "9")
        saved = await mo.post("/moderation/rules", data={**numbers, **more, "holds_first_events": "yes"})
        assert saved.status_code == 303
        log = visible_text((await mo.get("/moderation/log")).text)
        assert (
            "Review the first public event of new accounts: no → yes; An account is new for: 7 → 9; New people wait"
            in log
        )
        assert "Moderation" in (await mo.get("/")).text
    async with site.db.reader() as reader:
        assert await policy.current(reader) == ModerationPolicy(True, 9, 9, 9, 9, 9, 9, 1)


async def test_the_api_offers_the_same(site):
    ana, event = await ids(site)
    async with site.browser() as client:
        ben = await api_session(client, "ben@example.org", "Ben")
        mo = await api_session(client, "mo@example.org", "Mo")
        made = await client.post(
            f"/api/events/{event.slug}/reports", json={"reason": "hate", "words": "x"}, headers=ben
        )
        assert made.status_code == 201
        assert made.json()["outcome"] is None
        assert (await client.get("/api/moderation/queue", headers=ben)).status_code == 403
        (entry,) = (await client.get("/api/moderation/queue", headers=mo)).json()["entries"]
        assert (entry["subjectId"], entry["reports"][0]["reason"]) == (event.id, "hate")
        act = {"act": "hide", "thing": "event", "subjectId": event.id, "reason": "Hate."}
        done = await client.post("/api/moderation/acts", json=act, headers=mo)
        assert done.status_code == 201
        listed = (await client.get("/api/moderation/subjects?state=hidden", headers=mo)).json()["subjects"]
        assert [one["subjectId"] for one in listed] == [event.id]
        assert (await client.delete(f"/api/moderation/acts/{done.json()['id']}", headers=mo)).status_code == 204
        entries = (await client.get(f"/api/moderation/log?subject={event.id}", headers=mo)).json()["entries"]
        assert [one["act"] for one in entries] == ["show", "hide"]
        only = {"subject": event.id, "limit": 1}
        first = (await client.get("/api/moderation/log", params=only, headers=mo)).json()
        second = (await client.get("/api/moderation/log", params=only | {"cursor": first["cursor"]}, headers=mo)).json()
        assert (first["entries"] + second["entries"], second["cursor"]) == (entries, None)
        for path in ("queue", "subjects", "log"):
            wrong = await client.get(f"/api/moderation/{path}", params={"limit": 101}, headers=mo)
            assert wrong.status_code == 400
        shown = await client.get("/api/moderation/policy", headers=mo)
        wanted = {name: value for name, value in shown.json().items() if name != "revision"} | {"newAuthorMinutes": 3}
        changed = await client.put(
            "/api/moderation/policy", json=wanted, headers={**mo, "if-match": shown.headers["etag"]}
        )
        assert changed.json()["newAuthorMinutes"] == 3
        stale = await client.put(
            "/api/moderation/policy",
            json=wanted | {"newAuthorMinutes": 4},
            headers={**mo, "if-match": shown.headers["etag"]},
        )
        assert stale.status_code == 412
        assert (await client.put(f"/api/me/blocks/{ana.user_id}", headers=ben)).status_code == 204
        assert (await client.get("/api/me/blocks", headers=ben)).json()["blocks"][0]["displayName"] == "Ana"
        assert (await client.delete(f"/api/me/blocks/{ana.user_id}", headers=ben)).status_code == 204
        assert (await client.put(f"/api/me/mutes/people/{ana.user_id}", headers=ben)).status_code == 204
        assert (await client.get("/api/me/mutes", headers=ben)).json()["mutes"][0]["thing"] == "person"


async def test_a_read_only_token_cannot_read_reports(site):
    async with site.browser() as client:
        mo = await api_session(client, "mo@example.org", "Mo")
        for scopes, status in ((["read"], 403), (["moderation"], 200)):
            made = await client.post("/api/tokens", json={"name": "x", "scopes": scopes}, headers=mo)
            token = {"authorization": f"Bearer {made.json()['token']}"}
            assert (await client.get("/api/moderation/queue", headers=token)).status_code == status


async def test_a_person_named_by_the_command_is_a_moderator(site):
    async with site.browser() as browser:
        await sign_up(browser, "dan@example.org", "Dan")
        assert (await browser.get("/moderation")).status_code == 403
        async with site.db.transaction() as tx:
            await moderators.appoint(tx, (await by_email(tx, "dan@example.org")).id, by=None)
        assert (await browser.get("/moderation")).status_code == 200
    async with site.db.reader() as reader:
        assert await reports.count_open(reader) == 0


async def test_a_moderator_reads_what_labelers_say_and_overrules_it(site):
    """The moderator uses the queue page and the event's page, and the host can read the reason meanwhile. The action is
    in the log and can be undone.
    """
    uri, labeler = "at://did:plc:aaaaaaaaaaaaaaaaaaaaaaaa/community.lexicon.calendar.event/3l3qo2vutsw2b", "did:web:l.example"  # fmt: skip
    async with site.browser() as ana, site.browser() as ben, site.browser() as mo:
        await sign_up(ana, "ana@example.org", "Ana")
        await sign_up(ben, "ben@example.org", "Ben")
        await sign_up(mo, "mo@example.org", "Mo")
        async with site.db.transaction() as tx:
            host = await by_email(tx, "ana@example.org")
            event = await event_by(tx, Caller(host.id, "Ana"), title="Pills for free")
            await tx.execute("update events set record_uri = :uri where id = :id", uri=uri, id=event.id)
            for value in ("spam", "rude"):
                await labels.put(tx, labels.NetworkLabel(labeler, uri, value, "", False, tx.now, None))
        page = f"/events/{event.slug}"
        assert (await ben.get(page)).status_code == 404
        read = (await ana.get(page)).text
        assert "is labelled" in read
        assert labeler in read
        assert "rude" not in read
        waiting = (await mo.get("/moderation/waiting")).text
        assert all(words in waiting for words in ("Pills for free", "Hidden by labels", f"spam, by {labeler}"))
        thing = f"/moderation/things/event/{event.id}"
        shown = (await mo.get(thing)).text
        assert all(words in shown for words in ("Waiting: labelled", f"rude, by {labeler}", "Approve and trust"))
        assert (await mo.post(thing, data={"act": "trust", "reason": "They are sweets."})).status_code == 303
        assert (await ben.get(page)).status_code == 200
        assert "is labelled" not in (await ana.get(page)).text
        assert "Pills for free" not in (await mo.get("/moderation/waiting")).text
        log = (await mo.get("/moderation/log")).text
        assert "They are sweets." in log
        (undo,) = {part.split('"')[0] for part in log.split('name="undo" value="')[1:]}
        await mo.post("/moderation/log", data={"undo": undo})
        assert (await ben.get(page)).status_code == 404


async def test_the_api_shows_labels_and_their_labelers(site):
    ana, event = await ids(site)
    did, labeler = "did:plc:aaaaaaaaaaaaaaaaaaaaaaaa", "did:web:l.example"
    async with site.db.transaction() as tx:
        await identities.link(tx, did, ana.user_id, handle="ana.test", pds_url="https://pds.example")
        for value in ("rude", "spam"):
            await labels.put(tx, labels.NetworkLabel(labeler, did, value, "", False, tx.now, None))
    async with site.browser() as client:
        ben = await api_session(client, "ben@example.org", "Ben")
        mo = await api_session(client, "mo@example.org", "Mo")
        assert (await client.get("/api/moderation/labelled", headers=ben)).status_code == 403
        (one,) = (await client.get("/api/moderation/labelled", headers=mo)).json()["subjects"]
        assert (one["thing"], one["subjectId"]) == ("did", did)
        said = [(label["labeler"], label["subject"], label["value"], label["hides"]) for label in one["labels"]]
        assert said == [(labeler, did, "rude", False), (labeler, did, "spam", True)]
        assert one["labels"][0]["cid"] is None
        assert one["labels"][0]["expiresAt"] is None
        async with site.db.transaction() as tx:
            await reports.file(tx, ana.user_id, Subject(ModeratedKind.EVENT, event.id), ReportReason.SPAM, "x")
        (entry,) = (await client.get("/api/moderation/queue", headers=mo)).json()["entries"]
        assert [label["value"] for label in entry["labels"]] == ["rude", "spam"]
        act = {"act": "hide", "thing": "did", "subjectId": did, "reason": "Spam."}
        assert (await client.post("/api/moderation/acts", json=act, headers=mo)).status_code == 201
        (listed,) = (await client.get("/api/moderation/subjects", headers=mo)).json()["subjects"]
        assert [label["value"] for label in listed["labels"]] == ["rude", "spam"]


async def test_labelled_subjects_are_listed_once_each_page_by_page(make_database, clock):
    """Each subject is listed once, however many labels it has and whenever they were made, so one subject cannot fill
    the page.
    """
    site = site_on(await make_database("openmeet"), clock, moderators=("mo@example.org",))
    _, event = await ids(site)
    uri, dids = "at://did:plc:a/community.lexicon.calendar.event/1", [f"did:plc:{letter * 24}" for letter in "bcd"]
    async with site.db.transaction() as tx:
        await tx.execute("update events set record_uri = :uri where id = :id", uri=uri, id=event.id)
        for did in dids:
            await identities.link(
                tx, did, (await person(tx, did[-1])).user_id, handle=f"{did[-1]}.test", pds_url="https://p.example"
            )
            await labels.put(tx, labels.NetworkLabel("did:web:l.example", did, "spam", "", False, tx.now, None))
    for number in range(30):
        clock.turn(1_000)
        async with site.db.transaction() as tx:
            for value in ("spam", "!hide", "rude"):
                label = labels.NetworkLabel(f"did:web:l{number}.example", uri, value, "", False, tx.now, None)
                await labels.put(tx, label)
    path = "/api/moderation/labelled"
    async with site.browser() as client, site.browser() as browser:
        mo = await api_session(client, "mo@example.org", "Mo")
        whole = (await client.get(path, headers=mo)).json()
        assert [one["subjectId"] for one in whole["subjects"]] == [event.id, *reversed(dids)]
        assert whole["cursor"] is None
        read, cursor = [], ""
        while cursor is not None:
            page = (await client.get(path, params={"limit": 1, "cursor": cursor}, headers=mo)).json()
            read += page["subjects"]
            cursor = page["cursor"]
            assert len(read) <= 4
        assert read == whole["subjects"]
        for wrong in ({"cursor": "made-up"}, {"cursor": "²:x"}, {"limit": "101"}):
            assert (await client.get(path, params=wrong, headers=mo)).status_code in {400, 422}
        await sign_up(browser, "mo@example.org", "Mo")
        shown = (await browser.get("/moderation/waiting")).text
        assert all(name in shown for name in ("Pills for free", *dids))
        assert "These are the newest" not in shown


async def test_a_labelled_account_is_withheld_with_all_its_events(site):
    ana, event = await ids(site)
    did = "did:plc:aaaaaaaaaaaaaaaaaaaaaaaa"
    async with site.db.transaction() as tx:
        await identities.link(tx, did, ana.user_id, handle="ana.test", pds_url="https://pds.example")
        await labels.put(tx, labels.NetworkLabel("did:web:l.example", did, "!hide", "", False, tx.now, None))
    async with site.browser() as mo:
        await sign_up(mo, "mo@example.org", "Mo")
        for path in ("waiting", f"things/did/{did}", f"things/person/{ana.user_id}", f"things/event/{event.id}"):
            read = (await mo.get(f"/moderation/{path}")).text
            assert "by did:web:l.example" in read, path
            assert "Waiting: labelled" in read, path
        await mo.post(f"/moderation/things/did/{did}", data={"act": "trust", "reason": ""})
        assert (await mo.get(f"/events/{event.slug}")).status_code == 200


async def test_only_moderators_read_at_home_and_above_their_notifications_that_reports_wait(site):
    _, event = await ids(site)
    async with site.browser() as ben, site.browser() as mo:
        await sign_up(ben, "ben@example.org", "Ben")
        await sign_up(mo, "mo@example.org", "Mo")
        for path in ("/home", "/notifications"):
            assert "needs a decision" not in (await mo.get(path)).text
        await ben.post(f"/events/{event.slug}/report", data={"reason": "spam", "words": ""})
        for path in ("/home", "/notifications"):
            assert "1 report needs a decision" in visible_text((await mo.get(path)).text)
            assert "needs a decision" not in (await ben.get(path)).text


async def test_a_decision_leads_to_the_next_report_until_none_is_left(site):
    ana, event = await ids(site)
    async with site.db.transaction() as tx:
        other = await event_by(tx, ana, title="Watches for free")
    async with site.browser() as ben, site.browser() as mo:
        await sign_up(ben, "ben@example.org", "Ben")
        await sign_up(mo, "mo@example.org", "Mo")
        for one in (event, other):
            await ben.post(f"/events/{one.slug}/report", data={"reason": "spam", "words": ""})
        first, second = (f"/moderation/things/event/{one.id}" for one in (event, other))
        assert "Next report" not in (await mo.get(first)).text
        await mo.post(first, data={"act": "dismiss", "reason": ""})
        assert f'<a class="button" href="{second}">Next report</a>' in (await mo.get(first)).text
        await mo.post(second, data={"act": "hide", "reason": "No sales."})
        assert "All done. No report is waiting." in (await mo.get(second)).text
        assert "All done" not in (await mo.get(second)).text


async def test_waiting_reports_are_not_folded_away_below_events_to_answer(site):
    ana, event = await ids(site)
    async with site.browser() as mo:
        await sign_up(mo, "mo@example.org", "Mo")
        async with site.db.transaction() as tx:
            for number in range(5):
                one = await event_by(tx, ana, title=f"Supper {number}")
                await invitations.invite(tx, ana, one.slug, "mo@example.org")
            await reports.file(tx, ana.user_id, Subject(ModeratedKind.EVENT, event.id), ReportReason.SPAM, "")
        for path in ("/home", "/notifications"):
            first = (await mo.get(path)).text.partition('<section class="needs"')[2].partition("</li>")[0]
            assert "1 report needs a decision" in first
