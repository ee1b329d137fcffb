"""The e-mail that each notification causes; on both engines."""

import asyncio
from datetime import time

import pytest

from groundwork.clock import DAY, HOUR, MINUTE
from groundwork.database.transaction import CheckViolated
from openmeet.domain.notifications import email_links, emails, event_kinds, notify, preferences
from openmeet.domain.notifications.email_links import EmailLink, LinkPurpose
from openmeet.domain.notifications.kinds import KINDS
from openmeet.domain.notifications.model import Channel, DeliveryHours, NotificationTopic, ShownTime
from openmeet.domain.notifications.queries import count_unread, newest
from openmeet.domain.users import actions as users
from tests.openmeet.site_under_test import CODE_KEY, person

DEBTS = "select subject, state, due_at, revision from outbox_jobs where kind = 'mail' order by due_at, subject"


@pytest.fixture
async def db(make_database):
    return await make_database("openmeet")


async def queued(db):
    """(kind of mail, person, subject, due time) of each queued job."""
    async with db.reader() as reader:
        return [(*row["subject"].split("\x1f"), row["due_at"]) for row in await reader.fetch(DEBTS)]


async def close(db, mail_id):
    async with db.transaction() as tx:
        return [one.kind for one in await emails.close(tx, mail_id)]


async def notify_all(db, who, kind, *, subject="tea", revision=1, payload=None, starts_at=None):
    async with db.transaction() as tx:
        to, payload = [one.user_id for one in who], payload or kind.payload()
        await notify.notify(tx, kind, notify.Notice(to, subject, revision, payload, starts_at=starts_at))


@pytest.fixture
async def ana(db):
    async with db.transaction() as tx:
        return await person(tx, "Ana")


async def choose(db, who, topic, *channels: Channel):
    async with db.transaction() as tx:
        await notify.set_channels(tx, who.user_id, {topic: frozenset(channels)})


async def test_notifications_about_one_subject_share_one_mail(db, ana, clock):
    """Three notifications within half an hour share one job. It is due half an hour after the first of them."""
    for revision in (1, 2, 3):
        await notify_all(db, [ana], event_kinds.NEW_ANSWER, revision=revision)
        clock.turn(10 * MINUTE - 1)
    ((kind, who, mail_id, due_at),) = await queued(db)
    assert (kind, who, due_at) == ("notification", ana.user_id, clock.now() + 3)
    assert await close(db, mail_id) == [event_kinds.NEW_ANSWER] * 3


@pytest.mark.parametrize(
    "kind", [event_kinds.ANSWER_APPROVED, event_kinds.ANSWER_REJECTED, event_kinds.MOVED_UP], ids=repr
)
async def test_news_about_a_place_waits_only_for_the_host_to_undo_it(db, ana, clock, kind):
    """It does not wait for the half hour of an e-mail that was open before, but takes its notifications along."""
    await notify_all(db, [ana], event_kinds.NEW_ANSWER)
    await notify_all(db, [ana], kind)
    due = {mail_id: due_at - clock.now() for _, _, mail_id, due_at in await queued(db)}
    (soon,) = [mail_id for mail_id, waits in due.items() if waits == 2 * MINUTE]
    assert kind in await close(db, soon)


async def test_the_first_request_is_mailed_soon_and_later_ones_together(db, ana, clock):
    """Somebody waits for a decision. However many ask, the host gets an e-mail every half hour at most."""
    request = event_kinds.NewAnswer(answer="pending")
    await notify_all(db, [ana], event_kinds.NEW_ANSWER, payload=request)
    ((_, _, first, due_at),) = await queued(db)
    assert due_at == clock.now() + 2 * MINUTE
    clock.turn(2 * MINUTE)
    await close(db, first)
    for revision in (2, 3, 4):
        clock.turn(MINUTE)
        await notify_all(db, [ana], event_kinds.NEW_ANSWER, revision=revision, payload=request)
    ((_, _, later, later_due_at),) = [one for one in await queued(db) if one[2] != first]
    assert later_due_at == due_at + 30 * MINUTE
    assert await close(db, later) == [event_kinds.NEW_ANSWER] * 3


async def test_notifications_about_another_subject_are_a_separate_mail(db, ana):
    await notify_all(db, [ana], event_kinds.NEW_ANSWER, subject="tea")
    await notify_all(db, [ana], event_kinds.NEW_ANSWER, subject="games")
    assert len(await queued(db)) == 2


async def test_a_repeated_notification_enqueues_nothing(db, ana):
    """Invariant 10: one e-mail per person, kind, subject and revision, however often the notification is repeated."""
    for _ in range(3):
        await notify_all(db, [ana, ana], event_kinds.EVENT_CANCELLED)
        ((_, _, mail_id, _),) = await queued(db)
        assert await close(db, mail_id) == [event_kinds.EVENT_CANCELLED]


async def test_a_closed_mail_keeps_its_text_and_later_notifications_get_another(db, ana):
    await notify_all(db, [ana], event_kinds.NEW_ANSWER, revision=1)
    ((_, _, first, _),) = await queued(db)
    assert await close(db, first) == [event_kinds.NEW_ANSWER]
    await notify_all(db, [ana], event_kinds.REMINDER, revision=2)
    assert await close(db, first) == [event_kinds.NEW_ANSWER]
    (second,) = {one[2] for one in await queued(db)} - {first}
    assert await close(db, second) == [event_kinds.REMINDER]


async def test_an_urgent_mail_is_sent_at_once_with_everything_that_waits(db, ana, clock):
    await notify_all(db, [ana], event_kinds.REMINDER)
    ((_, _, waiting, _),) = await queued(db)
    clock.turn(MINUTE)
    await notify_all(db, [ana], event_kinds.EVENT_CANCELLED, revision=2)
    urgent, late = await queued(db)
    assert (urgent[3], late[2]) == (clock.now(), waiting)
    assert await close(db, urgent[2]) == [event_kinds.REMINDER, event_kinds.EVENT_CANCELLED]
    assert await close(db, waiting) == []


async def test_a_waiting_notification_joins_an_unsent_urgent_mail(db, ana):
    await notify_all(db, [ana], event_kinds.EVENT_CANCELLED, revision=1)
    await notify_all(db, [ana], event_kinds.EVENT_REINSTATED, revision=2)
    ((_, _, mail_id, _),) = await queued(db)
    assert await close(db, mail_id) == [event_kinds.EVENT_CANCELLED, event_kinds.EVENT_REINSTATED]


async def test_quiet_hours_delay_mail_that_can_wait(db, ana, clock):
    async with db.transaction() as tx:
        await notify.set_hours(tx, ana.user_id, DeliveryHours("Europe/Berlin", (time(13), time(15))))
    await notify_all(db, [ana], event_kinds.NEW_ANSWER)
    ((_, _, _, due_at),) = await queued(db)
    assert due_at == clock.now() + 2 * HOUR
    await notify_all(db, [ana], event_kinds.EVENT_CANCELLED, subject="games")
    assert [one[3] for one in await queued(db)] == [clock.now(), due_at]


async def test_the_digest_collects_one_day(db, ana, clock):
    """Several notifications about several subjects share one job. The content of the digest is fixed at its first
    delivery.
    """
    await choose(db, ana, NotificationTopic.ANSWERS, Channel.IN_APP, Channel.DIGEST)
    await notify_all(db, [ana], event_kinds.NEW_ANSWER, subject="tea")
    clock.turn(HOUR)
    await notify_all(db, [ana], event_kinds.NEW_ANSWER, subject="games")
    assert await queued(db) == [("digest", ana.user_id, "2026-03-02", clock.now() + 19 * HOUR)]
    for _ in range(2):
        async with db.transaction() as tx:
            collected = await emails.close_digest(tx, ana.user_id, "2026-03-02", 1)
        assert [one.subject_id for one in collected] == ["tea", "games"]
        await notify_all(db, [ana], event_kinds.NEW_ANSWER, subject="tea", revision=2)
    async with db.transaction() as tx:
        later = await emails.close_digest(tx, ana.user_id, "2026-03-03", 1)
    assert [one.subject_id for one in later] == ["tea"]


async def test_shadow_accounts_and_people_without_an_address_get_no_mail(db):
    async with db.transaction() as tx:
        shadow = await users.create_shadow(tx)
        unreachable = await users.create_person(tx, display_name="Ben")
        await notify.notify(
            tx, event_kinds.EVENT_CANCELLED, notify.Notice([shadow, unreachable], "tea", 1, event_kinds.DatesChanged())
        )
        assert await newest(tx, shadow, 10) == []
        assert [one.kind for one in await newest(tx, unreachable, 10)] == [event_kinds.EVENT_CANCELLED]
    assert await queued(db) == []


async def test_each_channel_has_its_own_switch(db, ana):
    await choose(db, ana, NotificationTopic.CHANGES, Channel.EMAIL)
    await notify_all(db, [ana], event_kinds.EVENT_CANCELLED)
    async with db.reader() as reader:
        assert (await newest(reader, ana.user_id, 10), await count_unread(reader, ana.user_id)) == ([], 0)
    assert len(await queued(db)) == 1
    await choose(db, ana, NotificationTopic.CHANGES, Channel.IN_APP)
    await notify_all(db, [ana], event_kinds.EVENT_CANCELLED, revision=2)
    async with db.reader() as reader:
        assert len(await newest(reader, ana.user_id, 10)) == 1
    assert len(await queued(db)) == 1
    await choose(db, ana, NotificationTopic.CHANGES)
    await notify_all(db, [ana], event_kinds.EVENT_CANCELLED, subject="games")
    assert len(await queued(db)) == 1


async def test_stopping_mail_keeps_the_page_and_the_other_topics(db, ana):
    async with db.transaction() as tx:
        await notify.stop_mail(tx, ana.user_id, NotificationTopic.CHANGES)
        chosen = await preferences.of_person(tx, ana.user_id)
    assert chosen[NotificationTopic.CHANGES] == {Channel.IN_APP}
    assert chosen[NotificationTopic.REMINDERS] == {Channel.IN_APP, Channel.EMAIL}


async def test_a_small_change_is_notified_but_not_mailed(db, ana):
    await notify_all(db, [ana], event_kinds.EVENT_CHANGED)
    assert await queued(db) == []
    await notify_all(
        db,
        [ana],
        event_kinds.EVENT_CHANGED,
        revision=2,
        payload=event_kinds.DatesChanged(was_at="Library", is_at="Café"),
    )
    assert len(await queued(db)) == 1


async def test_concurrent_notifications_about_one_subject_leave_one_open_mail(db, ana):
    """Answers that arrive concurrently, without a common lock, still join one e-mail, which contains all of them."""
    await asyncio.gather(*(notify_all(db, [ana], event_kinds.NEW_ANSWER, revision=number) for number in range(8)))
    found = [await close(db, mail_id) for _, _, mail_id, _ in await queued(db)]
    assert max(found, key=len) == [event_kinds.NEW_ANSWER] * 8


async def test_a_crowd_is_notified_in_batches(db, clock):
    crowd = []
    for start in range(0, 1005, 67):  # in batches, because a transaction may last two seconds at most
        async with db.transaction() as tx:
            crowd += [await person(tx, f"Guest {number}") for number in range(start, start + 67)]
    async with db.transaction() as tx:
        to = [one.user_id for one in crowd]
        await notify.notify(
            tx,
            event_kinds.EVENT_CANCELLED,
            notify.Notice(to, "tea", 1, event_kinds.DatesChanged(), starts_at=clock.now()),
        )
    assert len({(who, mail_id) for _, who, mail_id, _ in await queued(db)}) == 1005


async def test_sent_mails_are_deleted_but_their_notifications_are_kept(db, ana, clock):
    await notify_all(db, [ana], event_kinds.EVENT_CANCELLED)
    ((_, _, mail_id, _),) = await queued(db)
    await close(db, mail_id)
    clock.turn(DAY)
    async with db.transaction() as tx:
        assert await emails.forget_closed(tx, clock.now()) == 1
        assert await emails.notifications_in(tx, mail_id) == []
        assert len(await newest(tx, ana.user_id, 10)) == 1


async def test_all_new_dates_are_notified_once_together(db, ana, clock):
    async with db.transaction() as tx:
        for _ in range(2):
            dates = event_kinds.DatesChanged(starts=ShownTime(clock.now(), "UTC"), more=3)
            await notify.notify(tx, event_kinds.NEW_DATE, notify.Notice([ana.user_id], "tea", 1, dates))
        (news,) = await newest(tx, ana.user_id, 10)
    assert (news.kind, news.payload.more) == (event_kinds.NEW_DATE, 3)  # type: ignore[attr-defined]  # the payload of its kind
    assert len(await queued(db)) == 1


async def test_a_link_stays_the_same_until_it_is_revoked(db, ana):
    link = EmailLink(ana.user_id, LinkPurpose.UNSUBSCRIBE, "changes")
    async with db.transaction() as tx:
        token = await email_links.token_for(tx, CODE_KEY, link)
        assert await email_links.token_for(tx, CODE_KEY, link) == token
        assert await email_links.find(tx, token, LinkPurpose.UNSUBSCRIBE) == link
        assert await email_links.find(tx, token, LinkPurpose.ANSWER) is None
        assert await email_links.find(tx, token + "A", LinkPurpose.UNSUBSCRIBE) is None
        assert await email_links.revoke_all(tx, ana.user_id) == 1
        assert await email_links.find(tx, token, LinkPurpose.UNSUBSCRIBE) is None
        again = await email_links.token_for(tx, CODE_KEY, link)
    assert again != token


async def test_no_token_is_in_the_database(db, ana):
    """Invariant 8: no stored value grants access."""
    async with db.transaction() as tx:
        token = await email_links.token_for(tx, CODE_KEY, EmailLink(ana.user_id, LinkPurpose.ANSWER, "tea"))
        rows = await tx.fetch("select * from email_links")
    assert token not in str(rows)


async def test_a_notification_is_in_a_digest_or_in_its_own_mail_but_not_both(db, ana):
    await notify_all(db, [ana], event_kinds.EVENT_CANCELLED)
    with pytest.raises(CheckViolated):
        await db.write(lambda writer: writer.execute("update notifications set is_for_digest = 1"))


CHOICES = {
    "page": frozenset({Channel.IN_APP}),
    "mail": frozenset({Channel.EMAIL}),
    "digest": frozenset({Channel.DIGEST}),
    "page and mail": frozenset({Channel.IN_APP, Channel.EMAIL}),
    "nowhere": frozenset[Channel](),
}


async def test_every_kind_uses_the_channels_that_a_person_chose(db):
    """Every kind with every choice: on the page, by e-mail, in the digest. Shadow accounts and people who chose none of
    these get nothing.
    """
    async with db.transaction() as tx:
        people = {name: await person(tx, name) for name in CHOICES}
        shadow = await users.create_shadow(tx)
        for name, who in people.items():
            await notify.set_channels(tx, who.user_id, dict.fromkeys(NotificationTopic, CHOICES[name]))
    by_id = {who.user_id: name for name, who in people.items()}
    told = {}
    for name, kind in KINDS.items():
        async with db.transaction() as tx:
            # A changed time is e-mailed even if the rest of the change is not.
            payload = (
                event_kinds.DatesChanged(is_near=True) if kind.payload is event_kinds.DatesChanged else kind.payload()
            )
            await notify.notify(tx, kind, notify.Notice([*by_id, shadow], f"about {name}", 1, payload))
            rows = await tx.fetch(
                "select user_id, is_shown, is_for_digest, mail_id from notifications where kind = :kind order by user_id",
                kind=name,
            )
        told[name] = {
            by_id[row["user_id"]]: (row["is_shown"], row["is_for_digest"], row["mail_id"] is not None) for row in rows
        }
    expected = {"page": (1, 0, False), "mail": (0, 0, True), "digest": (0, 1, False), "page and mail": (1, 0, True)}
    # The offer of a place that is reserved for one day must not wait for the next day's digest.
    at_once = {event_kinds.SEAT_OFFERED.name: {**expected, "digest": (0, 0, True)}}
    assert told == dict.fromkeys(KINDS, expected) | at_once


@pytest.mark.parametrize(
    ("kind", "starts_in", "is_at_once"),
    [
        (event_kinds.EVENT_CANCELLED, 5 * HOUR, True),
        (event_kinds.EVENT_CANCELLED, 3 * DAY, False),
        (event_kinds.HOST_MESSAGE, 5 * HOUR, True),
        (event_kinds.NEW_ANSWER, 5 * HOUR, False),
        (event_kinds.REMINDER, 3 * DAY, False),
    ],
)
async def test_a_digest_that_would_be_too_late_is_replaced_by_a_mail(db, ana, clock, kind, starts_in, is_at_once):
    """A person who gets everything in tomorrow's digest is notified of today's cancellation in a separate e-mail today.
    The digest does not repeat it.
    """
    async with db.transaction() as tx:
        await notify.set_channels(tx, ana.user_id, dict.fromkeys(NotificationTopic, frozenset({Channel.DIGEST})))
    await notify_all(db, [ana], kind, starts_at=clock.now() + starts_in)
    ((mail, _, _, due_at),) = await queued(db)
    assert (mail, due_at == clock.now()) == (("notification", True) if is_at_once else ("digest", False))
