"""Messages by hosts are sent to the chosen recipients only, once, immediately or at a set time."""

import asyncio

import pytest

from groundwork.clock import DAY, HOUR
from groundwork.errors import Forbidden, InvalidForm, Refused, TooMany
from openmeet.domain.attendance import actions as attendance
from openmeet.domain.attendance import event_hosting, host_decisions, rsvp_records
from openmeet.domain.attendance.model import AttendanceStatus, RecordedRsvp, RsvpRecordStatus, RsvpReply
from openmeet.domain.events import co_hosts
from openmeet.domain.host_messages import actions, queries
from openmeet.domain.host_messages.actions import HostMessageReason, statuses_of
from openmeet.domain.host_messages.queries import MAX_A_DAY, Addressees, MessageState
from openmeet.domain.identities import actions as identities
from openmeet.domain.moderation import actions as moderation
from openmeet.domain.moderation.model import ModeratedKind, Subject, SubjectVisibility
from openmeet.domain.notifications import event_kinds
from openmeet.domain.notifications import notify as notifications
from openmeet.domain.notifications.model import NOTIFICATION_MAIL, NotificationTopic
from openmeet.domain.notifications.queries import newest
from openmeet.domain.users import actions as users
from openmeet.domain.users.model import Caller
from openmeet.domain.users.queries import by_email
from openmeet.emails.notifications.email import notification_composer
from openmeet.emails.render import EmailContext
from openmeet.outbox.emails import DueEmail
from tests.openmeet.site_under_test import (
    CODE_KEY,
    ORIGIN,
    api_session,
    event_by,
    inputs_of,
    person,
    sign_up,
    signed_in,
    site_on,
)
from tests.visible_text import visible_text

TEXT = "Please use the back door.\nBring a torch."
DID = "did:plc:aaaaaaaaaaaaaaaaaaaaaaaa"


@pytest.fixture
async def db(make_database):
    return await make_database("openmeet")


@pytest.fixture
async def site(make_sqlite, clock):
    return site_on(await make_sqlite("openmeet"), clock)


async def town(tx, **typed: str):
    """Ana hosts. Gil is going, Ida is interested, Wim is on the waitlist, Dan declined, and a shadow said yes in
    another app.
    """
    ana = await person(tx, "Ana")
    event = await event_by(tx, ana, **{"capacity": "1", **typed})
    people = {"Ana": ana}
    for name, reply in (
        ("Gil", RsvpReply.GOING),
        ("Wim", RsvpReply.GOING),
        ("Ida", RsvpReply.INTERESTED),
        ("Dan", RsvpReply.DECLINED),
    ):
        people[name] = await person(tx, name)
        await attendance.answer(tx, people[name], event.slug, reply)
    shadow = await users.create_shadow(tx)
    await rsvp_records.apply_from_network(
        tx,
        RecordedRsvp(
            event_id=event.id,
            user_id=shadow,
            record_uri="at://did:plc:shade/c/r",
            status=RsvpRecordStatus.INTERESTED,
            first_seen_at=tx.now,
        ),
    )
    return event, people


async def readers_of_messages(reader, people) -> set[str]:
    """People who see a host's message on their page."""
    found = set()
    for name, one in people.items():
        if any(news.kind is event_kinds.HOST_MESSAGE for news in await newest(reader, one.user_id, 20)):
            found.add(name)
    return found


@pytest.mark.parametrize(
    ("addressees", "reached"),
    [
        (["going"], {"Gil"}),
        (["interested"], {"Ida"}),
        (["waiting"], {"Wim"}),
        (["going", "interested", "waiting"], {"Gil", "Ida", "Wim"}),
    ],
)
async def test_a_message_reaches_its_recipients_as_counted_in_the_preview(db, addressees, reached):
    """A message never reaches people who declined, people known only by a record, or the host."""
    async with db.transaction() as tx:
        event, people = await town(tx)
        whom = [Addressees(one) for one in addressees]
        counted = (await actions.recipients(tx, event, whom, people["Ana"].user_id)).reached
        sent = await actions.write(tx, people["Ana"], event.slug, TEXT, addressees)
        found = await readers_of_messages(tx, people)
    assert (len(counted), sent.recipients, sent.state) == (len(reached), len(reached), MessageState.SENT)
    assert found == reached


async def test_unreachable_people_are_counted_separately(db):
    """These are counted separately: names added by the host, people known only by a record, and people who switched
    messages off.
    """
    async with db.transaction() as tx:
        event, people = await town(tx, capacity="3")
        await host_decisions.add(tx, people["Ana"], event.slug, "Old Tom")
        await notifications.set_channels(tx, people["Ida"].user_id, {NotificationTopic.MESSAGES: frozenset()})
        whom = [Addressees.GOING, Addressees.INTERESTED]
        found = await actions.recipients(tx, event, whom, people["Ana"].user_id)
        counts = await actions.counts(tx, event, people["Ana"].user_id)
        with pytest.raises(Refused, match=HostMessageReason.NOBODY_TO_REACH):
            await actions.write(tx, people["Ana"], event.slug, TEXT, ["interested"])
        sent = await actions.write(tx, people["Ana"], event.slug, TEXT, ["going", "interested"])
    assert (len(found.reached), found.unreached, sent.recipients) == (2, 3, 2)
    assert counts == {one: 2 if one is Addressees.GOING else 0 for one in Addressees}


@pytest.mark.parametrize("addressees", [["attended"], ["going"], ["going", "attended"]])
async def test_checked_in_people_can_be_addressed_separately(db, addressees):
    """People who are checked in early get the messages for people who are going, once, and can also be addressed
    separately.
    """
    async with db.transaction() as tx:
        event, people = await town(tx)
        await tx.execute("update attendances set status = 'attended' where status = 'attending'")
        sent = await actions.write(tx, people["Ana"], event.slug, TEXT, addressees)
        assert sent.recipients == 1
        assert await readers_of_messages(tx, people) == {"Gil"}


def test_only_checked_in_people_are_in_two_groups_of_recipients():
    every = [status for one in Addressees for status in statuses_of([one])]
    assert [one for one in set(every) if every.count(one) > 1] == [AttendanceStatus.ATTENDED]
    assert sorted(set(every)) == sorted(statuses_of(Addressees))


async def test_one_message_is_one_mail_with_all_its_words(db):
    compose = notification_composer(EmailContext(CODE_KEY, "OpenMeet", "https://meet.example"))
    async with db.transaction() as tx:
        event, people = await town(tx)
        first = await actions.write(tx, people["Ana"], event.slug, TEXT, ["going"], submission_key="k")
        again = await actions.write(tx, people["Ana"], event.slug, TEXT, ["going"], submission_key="k")
        mails = await tx.fetch(
            "select id from notification_emails where user_id = :user_id order by id", user_id=people["Gil"].user_id
        )
        with pytest.raises(actions.AlreadyWritten):
            await actions.write(tx, people["Ana"], event.slug, "Bring two torches.", ["going"], submission_key="k")
    assert first == again
    (mail,) = mails
    letter = await compose(db, DueEmail(NOTIFICATION_MAIL, people["Gil"].user_id, mail["id"], 1))
    assert letter.subject == "Message from the host: Board games, Sat 4 Jul"
    assert "Ana writes:" in letter.text
    assert TEXT in letter.text
    assert "Bring a torch." in letter.html


async def test_a_scheduled_message_is_sent_once_to_current_recipients(db, clock):
    async with db.transaction() as tx:
        event, people = await town(tx, capacity="")
        waits = await actions.write(tx, people["Ana"], event.slug, TEXT, ["going"], send_at=tx.now + HOUR)
        assert (waits.state, await readers_of_messages(tx, people)) == (MessageState.SCHEDULED, set())
        await attendance.answer(tx, people["Ida"], event.slug, RsvpReply.GOING)
    assert await actions.send_due(db) == 0
    clock.turn(HOUR)
    assert sum(await asyncio.gather(actions.send_due(db), actions.send_due(db))) == 1
    async with db.reader() as reader:
        assert await readers_of_messages(reader, people) == {"Gil", "Wim", "Ida"}
        assert (await queries.by_id(reader, waits.id)).recipients == 3


async def test_a_scheduled_message_is_not_sent_after_a_cancellation(db, clock):
    async with db.transaction() as tx:
        event, people = await town(tx)
        waits = await actions.write(tx, people["Ana"], event.slug, TEXT, ["going"], send_at=tx.now + HOUR)
        other = await actions.write(tx, people["Ana"], event.slug, TEXT, ["going"], send_at=tx.now + HOUR)
        assert (await actions.cancel(tx, people["Ana"], event.slug, other.id)).state is MessageState.CALLED_OFF
        await event_hosting.cancel(tx, people["Ana"], event.slug, "Rain")
    clock.turn(HOUR)
    assert await actions.send_due(db) == 0
    async with db.transaction() as tx:
        assert (await queries.by_id(tx, waits.id)).state is MessageState.CALLED_OFF
        assert await readers_of_messages(tx, people) == set()
        # A host can still send a message by hand, because people who answered might need information.
        sent = await actions.write(tx, people["Ana"], event.slug, "Next week instead.", ["going"])
        assert sent.state is MessageState.SENT
        with pytest.raises(Refused):
            await actions.cancel(tx, people["Ana"], event.slug, sent.id)


@pytest.mark.parametrize("what", ["removed", "blocked", "hidden"])
async def test_a_scheduled_message_by_a_former_host_is_not_sent(db, clock, what):
    """A scheduled message is not sent if its author left or was blocked, or a moderator has hidden the event."""
    async with db.transaction() as tx:
        event, people = await town(tx)
        cora = await person(tx, "Cora")
        invited = await co_hosts.invite(tx, people["Ana"], event.slug, "cora@example.org")
        await co_hosts.accept(tx, cora, invited.id)
        waits = await actions.write(tx, cora, event.slug, TEXT, ["going"], send_at=tx.now + HOUR)
        if what == "removed":
            await co_hosts.remove(tx, people["Ana"], event.slug, invited.id)
        else:
            about = (
                Subject(ModeratedKind.PERSON, cora.user_id)
                if what == "blocked"
                else Subject(ModeratedKind.EVENT, event.id)
            )
            await moderation.decide(tx, people["Dan"].user_id, about, SubjectVisibility.HIDDEN, "spam")
    clock.turn(HOUR)
    assert await actions.send_due(db) == 0
    async with db.transaction() as tx:
        assert (await queries.by_id(tx, waits.id)).state is MessageState.CALLED_OFF
        assert await readers_of_messages(tx, people) == set()


@pytest.mark.parametrize("what", ["person", "account"])
async def test_a_suspended_co_host_sends_no_message(db, clock, what):
    """A co-host whom a moderator has blocked, or one of whose network accounts, sends nothing, at once or later."""
    async with db.transaction() as tx:
        event, people = await town(tx)
        cora = await person(tx, "Cora")
        invited = await co_hosts.invite(tx, people["Ana"], event.slug, "cora@example.org")
        await co_hosts.accept(tx, cora, invited.id)
        await identities.link(tx, DID, cora.user_id, handle="cora.example", pds_url="https://pds.example")
        waits = await actions.write(tx, cora, event.slug, TEXT, ["going"], send_at=tx.now + HOUR)
        about = Subject(ModeratedKind.PERSON, cora.user_id) if what == "person" else Subject(ModeratedKind.DID, DID)
        await moderation.decide(tx, people["Dan"].user_id, about, SubjectVisibility.HIDDEN, "spam")
    async with db.transaction() as tx:
        with pytest.raises(Forbidden):
            await actions.write(tx, cora, event.slug, TEXT, ["going"])
    clock.turn(HOUR)
    assert await actions.send_due(db) == 0
    async with db.transaction() as tx:
        assert (await queries.by_id(tx, waits.id)).state is MessageState.CALLED_OFF
        assert await readers_of_messages(tx, people) == set()


async def test_the_same_form_with_another_time_is_refused(db):
    """The second message is refused, so the host notices that it was not sent."""
    async with db.transaction() as tx:
        event, people = await town(tx)

        async def write(at):
            return await actions.write(tx, people["Ana"], event.slug, TEXT, ["going"], send_at=at, submission_key="k")

        first = await write(tx.now + HOUR)
        assert await write(tx.now + HOUR) == first
        for other in (tx.now + DAY, None):
            with pytest.raises(actions.AlreadyWritten):
                await write(other)


async def test_messages_per_day_are_limited(db, clock):
    async with db.transaction() as tx:
        event, people = await town(tx)
        for _ in range(MAX_A_DAY):
            await actions.write(tx, people["Ana"], event.slug, TEXT, ["going"])
        with pytest.raises(TooMany):
            await actions.write(tx, people["Ana"], event.slug, TEXT, ["going"])
    clock.turn(DAY + 1)
    async with db.transaction() as tx:
        await actions.write(tx, people["Ana"], event.slug, TEXT, ["going"])


async def test_only_hosts_can_write_messages(db):
    async with db.transaction() as tx:
        event, people = await town(tx)
        with pytest.raises(Forbidden):
            await actions.write(tx, people["Gil"], event.slug, TEXT, ["going"])


@pytest.mark.parametrize(
    ("text", "addressees", "ahead", "field"),
    [
        ("", ["going"], None, "text"),
        ("x" * 5_001, ["going"], None, "text"),
        (TEXT, [], None, "addressees"),
        (TEXT, ["everybody"], None, "addressees"),
        (TEXT, ["going"], -1, "send_at"),
        (TEXT, ["going"], 400 * DAY, "send_at"),
    ],
)
async def test_errors_are_shown_at_their_field(make_sqlite, text, addressees, ahead, field):
    db = await make_sqlite("openmeet")
    async with db.transaction() as tx:
        event, people = await town(tx)
        at = None if ahead is None else tx.now + ahead
        with pytest.raises(InvalidForm) as wrong:
            await actions.write(tx, people["Ana"], event.slug, text, addressees, send_at=at)
    assert list(wrong.value.problems) == [field]


async def test_the_page_shows_the_number_before_sending(site):
    async with site.browser() as ana, site.browser() as gil:
        await sign_up(ana, "ana@example.org", "Ana")
        async with site.db.transaction() as tx:
            (row,) = await tx.fetch("select id from users")
            event = await event_by(tx, Caller(row["id"], "Ana"))
        await sign_up(gil, "gil@example.org", "Gil")
        await gil.post(f"/events/{event.slug}/answer", data={"reply": "going"})
        path = f"/events/{event.slug}/messages"
        assert (await gil.get(path)).status_code == 403
        form = inputs_of((await ana.get(path)).text) | {"text": "<b>Hello</b> all", "step": "preview"}
        shown = await ana.post(path, data=form)
        assert "It goes to 1 person" in shown.text
        assert "&lt;b&gt;Hello&lt;/b&gt; all" in shown.text
        assert "writes about" not in (await gil.get("/notifications")).text
        refused = await ana.post(path, data=form | {"text": "", "step": "send"})
        assert (refused.status_code, 'id="text-problem"' in refused.text) == (400, True)
        sent = await ana.post(path, data=inputs_of(shown.text) | {"text": "<b>Hello</b> all", "step": "send"})
        assert sent.status_code == 303
        assert "1 person" in (await ana.get(path)).text
        assert "Ana writes about" in visible_text((await gil.get("/notifications")).text)


async def test_a_new_message_is_for_the_first_audience_that_has_people(site):
    async with site.db.transaction() as tx:
        ana, ida = await person(tx, "Ana"), await person(tx, "Ida")
        event = await event_by(tx, ana)
        await attendance.answer(tx, ida, event.slug, RsvpReply.INTERESTED)
    async with signed_in(site, ana.user_id) as browser:
        page = (await browser.get(f"/events/{event.slug}/messages")).text
    assert [name for name in inputs_of(page) if name.startswith("addressees.")] == ["addressees.interested"]
    # The event is ahead.
    assert "People who were there" not in page


async def test_the_preview_is_the_e_mail(site):
    """The preview shows the e-mail's body word for word, with inactive links."""
    async with site.browser() as ana, site.browser() as gil:
        await sign_up(ana, "ana@example.org", "Ana")
        async with site.db.transaction() as tx:
            (row,) = await tx.fetch("select id from users")
            event = await event_by(
                tx, Caller(row["id"], "Ana"), door_note="Ring twice", mode="hybrid", online_url="https://meet.example/x"
            )
        await sign_up(gil, "gil@example.org", "Gil")
        await gil.post(f"/events/{event.slug}/answer", data={"reply": "going"})
        path = f"/events/{event.slug}/messages"
        form = inputs_of((await ana.get(path)).text) | {"text": "Bring <cups>.\n\nAna"}
        shown = (await ana.post(path, data=form | {"step": "preview"})).text
        assert (await ana.post(path, data=form | {"step": "send"})).status_code == 303
    letter = await last_letter(site, "gil@example.org")
    assert visible_text(article_of(shown)) == visible_text(article_of(letter.html))
    assert f"<strong>{letter.subject}</strong>" in shown
    assert "<a " not in article_of(shown)
    assert "Saturday 4 July, 18:00–20:00, Berlin time" in visible_text(article_of(shown))


def article_of(html):
    return html.partition("<article>")[2].partition("</article>")[0]


async def last_letter(site, address):
    """The newest e-mail queued for this address, composed as the publisher does."""
    compose = notification_composer(EmailContext(CODE_KEY, "OpenMeet", ORIGIN))
    async with site.db.reader() as reader:
        user = await by_email(reader, address)
        rows = await reader.fetch("select id from notification_emails where user_id = :id order by id desc", id=user.id)
    return await compose(site.db, DueEmail(NOTIFICATION_MAIL, user.id, rows[0]["id"], 1))


async def test_the_whole_way_by_the_api(site):
    async with site.browser() as client:
        ana = await api_session(client, "ana@example.org", "Ana")
        gil = await api_session(client, "gil@example.org", "Gil")
        wanted = {"title": "Chess", "startsLocal": "2026-07-04T18:00", "timeZone": "Europe/Berlin"}
        path = (await client.post("/api/events", json=wanted, headers=ana)).headers["location"]
        await client.put(f"{path}/answer", json={"reply": "going"}, headers=gil)
        message = {"text": TEXT, "addressees": ["going", "waiting"]}
        preview = await client.post(f"{path}/messages/preview", json=message, headers=ana)
        assert preview.json() == {"recipients": 1, "unreached": 0}
        wrong = await client.post(f"{path}/messages", json=message | {"sendAt": "2020-01-01T00:00:00Z"}, headers=ana)
        assert (wrong.status_code, list(wrong.json()["fields"])) == (400, ["sendAt"])
        later = await client.post(f"{path}/messages", json=message | {"sendAt": "2026-07-04T10:00:00Z"}, headers=ana)
        assert (later.status_code, later.json()["state"]) == (201, "scheduled")
        off = await client.post(f"{path}/messages/{later.json()['id']}/call-off", headers=ana)
        assert off.json()["state"] == "called_off"
        keyed = ana | {"idempotency-key": "one"}
        first = await client.post(f"{path}/messages", json=message, headers=keyed)
        second = await client.post(f"{path}/messages", json=message, headers=keyed)
        assert first.json() == second.json()
        listed = (await client.get(f"{path}/messages", headers=ana)).json()["messages"]
        assert [one["state"] for one in listed] == ["sent", "called_off"]
        assert (await client.get(f"{path}/messages", headers=gil)).status_code == 403
