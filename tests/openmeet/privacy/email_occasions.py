"""For each kind of e-mail, the actions and the passing time that cause it. A test compares the kinds with the
publisher's.
"""

from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from groundwork.clock import DAY, HOUR, SECOND
from groundwork.http.application import Application
from groundwork.http.client import HttpClient
from groundwork.http.reach import DEVELOPMENT
from groundwork.http.server import serve
from groundwork.outbox.dispatcher import run_once
from groundwork.sealing import Sealer
from groundwork.telemetry.metrics import Metrics
from openmeet.domain.attendance import actions as attendance
from openmeet.domain.attendance import event_hosting, invitations
from openmeet.domain.attendance.calendar_entries import ANSWERED_MAIL, DECLINED_MAIL
from openmeet.domain.attendance.model import NO_REPLY_DETAILS, RsvpReply
from openmeet.domain.erasure import actions as erasure
from openmeet.domain.erasure.model import DELETION_MAIL
from openmeet.domain.events import co_hosts
from openmeet.domain.events.co_hosts import CO_HOST_MAIL
from openmeet.domain.events.content import Content
from openmeet.domain.groups import administration, ownership
from openmeet.domain.groups.model import INVITATION_MAIL, LAST_CALL_MAIL, SUCCESSION_MAIL
from openmeet.domain.groups.ownership import run_successions
from openmeet.domain.guest_rsvps import actions as guests
from openmeet.domain.guest_rsvps.queries import GUEST_CONFIRMED_MAIL, GUEST_MAIL
from openmeet.domain.imports import people as arriving_people
from openmeet.domain.imports import queries as imports
from openmeet.domain.imports.model import ImportKind, Medium
from openmeet.domain.imports.people import ARRIVAL_MAIL
from openmeet.domain.moderation import actions as moderation
from openmeet.domain.moderation.model import ModeratedKind, ReportReason, Subject
from openmeet.domain.moderation.reports import REPORT_DECIDED_MAIL, REPORT_RECEIVED_MAIL
from openmeet.domain.notifications import notify as notifications
from openmeet.domain.notifications.model import DIGEST_MAIL, NOTIFICATION_MAIL, WEEK_MAIL, Channel, NotificationTopic
from openmeet.domain.notifications.rules import WEEK_BEGINS_AT
from openmeet.domain.notifications.tasks import enqueue_weeks
from openmeet.domain.safety import actions as safety
from openmeet.domain.series import actions as series_actions
from openmeet.domain.series import standing_rsvps
from openmeet.domain.series.model import Series, Timing
from openmeet.domain.series.standing_rsvps import SERIES_ANSWERED_MAIL, SERIES_DECLINED_MAIL
from openmeet.domain.sign_in import actions as sign_in
from openmeet.domain.sign_in.actions import EMAIL_CHANGED_MAIL, change_email
from openmeet.domain.sign_in.model import CODE_MAIL
from openmeet.domain.webhooks import actions as webhooks
from openmeet.domain.webhooks.deliver import webhook_delivery
from openmeet.domain.webhooks.model import OFF_MAIL, WebhookEvent
from openmeet.outbox.kinds import JobKind
from openmeet.recurrence.pattern import pattern
from openmeet.recurrence.rule import parse_rule
from openmeet.recurrence.wall_time import local_of
from openmeet.web.webhooks.payloads import webhook_view
from tests.openmeet.groups.people import add_member, group_by
from tests.openmeet.site_under_test import CODE_KEY, ORIGIN, Site, details, event_by, person
from tests.worker_pool import WORKERS

Occasion = Callable[[Site, Callable[[], Awaitable[None]]], Awaitable[None]]


async def _code(site: Site, _: object) -> None:
    async with site.db.transaction() as tx:
        await sign_in.ask_for_code(tx, "somebody@example.org", display_name="Somebody")


async def _group_invitation(site: Site, _: object) -> None:
    async with site.db.transaction() as tx:
        owner = await person(tx, "Inviting")
        group = await group_by(tx, owner, name="Inviters")
        await administration.invite_by_mail(tx, CODE_KEY, owner, group.slug, "invited@example.org")


async def _succession(site: Site, _: object) -> None:
    async with site.db.transaction() as tx:
        owner = await person(tx, "Absent")
        group = await group_by(tx, owner, name="Forlorn")
        heir = await add_member(tx, group, owner, "Heir")
        await ownership.arrange(tx, owner, group.slug, heir.user_id, absence_days=60, wait_days=7)
    site.clock.turn(60 * DAY)
    await run_successions(site.db)


async def _last_call(site: Site, deliver: Callable[[], Awaitable[None]]) -> None:
    async with site.db.transaction() as tx:
        owner = await person(tx, "Gone")
        group = await group_by(tx, owner, name="Nearly lost")
        heir = await add_member(tx, group, owner, "Next")
        await ownership.arrange(tx, owner, group.slug, heir.user_id, absence_days=60, wait_days=7)
    site.clock.turn(60 * DAY)
    await run_successions(site.db)
    await deliver()
    site.clock.turn(4 * DAY)
    await run_successions(site.db)


async def _webhook_off(site: Site, _: object) -> None:
    """A webhook whose server answers 410 Gone."""

    async def gone(_: Request) -> Response:
        return Response(status_code=410)

    app = Application([Route("/hook", gone, methods=["POST"])], Metrics("gone"), access_log=False)
    serving = await serve(app, "127.0.0.1", 0)
    http, sealer = HttpClient(DEVELOPMENT), Sealer([b"s" * 32])
    async with site.db.transaction() as tx:
        owner = await person(tx, "Hooked")
        await webhooks.register(tx, owner, sealer, url=f"{serving.url}/hook", kinds={WebhookEvent.EVENT}, group_id=None)
        await event_by(tx, owner)
    delivery = webhook_delivery(site.db, http, sealer, webhook_view(ORIGIN))
    while await run_once(site.db, {JobKind.WEBHOOK: delivery}):
        pass
    await http.close()
    await serving.stop()


async def _co_host(site: Site, _: object) -> None:
    async with site.db.transaction() as tx:
        host = await person(tx, "Hosting")
        event = await event_by(tx, host)
        await co_hosts.invite(tx, host, event.slug, "cohost@example.org")


async def _guest(site: Site, _: object) -> None:
    await _ask_as_guest(site, "Unsure", confirms=False)


async def _guest_confirmed(site: Site, _: object) -> None:
    await _ask_as_guest(site, "Sure", confirms=True)


async def _ask_as_guest(site: Site, name: str, *, confirms: bool) -> None:
    email = f"{name.lower()}@example.org"
    async with site.db.transaction() as tx:
        event = await event_by(tx, await person(tx, f"Host of {name}"))
        asked = await guests.request_rsvp(
            tx, event.slug, email=email, display_name=name, reply=RsvpReply.INTERESTED, reply_details=NO_REPLY_DETAILS
        )
        if confirms:
            await guests.confirm(tx, asked.id)


async def _answered(site: Site, _: object) -> None:
    async with site.db.transaction() as tx:
        event = await event_by(tx, await person(tx, "Answered"))
        await attendance.answer(tx, await person(tx, "Coming"), event.slug, RsvpReply.GOING)
    site.clock.turn(HOUR)


async def _withdrawn(site: Site, deliver: Callable[[], Awaitable[None]]) -> None:
    async with site.db.transaction() as tx:
        event = await event_by(tx, await person(tx, "Deserted"))
        going = await person(tx, "Wavering")
        await attendance.answer(tx, going, event.slug, RsvpReply.GOING)
    site.clock.turn(HOUR)
    await deliver()
    async with site.db.transaction() as tx:
        await attendance.answer(tx, going, event.slug, RsvpReply.DECLINED)
    site.clock.turn(HOUR)


async def _series_answered(site: Site, _: object) -> None:
    async with site.db.transaction() as tx:
        made = await _series(site, tx, "Trainer")
        await standing_rsvps.answer_all(tx, await person(tx, "Eager"), made.slug, RsvpReply.GOING)
    site.clock.turn(HOUR)


async def _series_withdrawn(site: Site, deliver: Callable[[], Awaitable[None]]) -> None:
    async with site.db.transaction() as tx:
        made = await _series(site, tx, "Conductor")
        eager = await person(tx, "Fickle")
        await standing_rsvps.answer_all(tx, eager, made.slug, RsvpReply.GOING)
    site.clock.turn(HOUR)
    await deliver()
    async with site.db.transaction() as tx:
        await standing_rsvps.stop(tx, eager, made.slug, declines=True)
    site.clock.turn(HOUR)


async def _series(site: Site, tx, host: str) -> Series:
    first = (local_of(site.clock.now(), "Europe/Berlin") + timedelta(days=7)).replace(microsecond=0)
    assert isinstance(first, datetime)
    timing = Timing(pattern(first, "Europe/Berlin", parse_rule("FREQ=WEEKLY")), None)
    return await series_actions.create(tx, await person(tx, host), Content("Practice"), timing)


async def _arrival(site: Site, _: object) -> None:
    async with site.db.transaction() as tx:
        host = await person(tx, "Moving")
        event = await event_by(tx, host)
        csv = b"name,email\r\nLiz,liz@example.org\r\n"
        brought = await imports.insert(
            tx, host.user_id, ImportKind.GUESTS, Medium.CSV, target=event.id, source="list.csv", content=csv
        )
    await arriving_people.add_to_list(site.db, WORKERS, host, brought)
    async with site.db.transaction() as tx:
        await arriving_people.invite(tx, host, ImportKind.GUESTS, event.slug, message="Come along", expected=1)


async def _news(site: Site, _: object) -> None:
    await _change(site, "Told", frozenset({Channel.EMAIL}))
    site.clock.turn(HOUR)


async def _digest(site: Site, _: object) -> None:
    await _change(site, "Patient", frozenset({Channel.DIGEST}))
    site.clock.turn(DAY)


async def _week(site: Site, _: object) -> None:
    """A person who hosts an event and is invited to another one on the Thursday of the next week."""
    today = local_of(site.clock.now(), "UTC").replace(tzinfo=None)
    monday = datetime.combine(today.date() + timedelta(days=7 - today.weekday()), WEEK_BEGINS_AT)
    site.clock.turn(int((monday - today).total_seconds()) * SECOND - HOUR // 2)
    when = {"starts": f"{monday + timedelta(days=3):%Y-%m-%dT%H:%M}", "ends": ""}
    async with site.db.transaction() as tx:
        planning, host = await person(tx, "Planning"), await person(tx, "Host of Planning")
        await notifications.set_channels(
            tx,
            planning.user_id,
            {NotificationTopic.WEEK: frozenset({Channel.EMAIL}), NotificationTopic.ANSWERS: frozenset()},
        )
        await event_by(tx, planning, **when)
        event = await event_by(tx, host, **when)
        await invitations.invite(tx, host, event.slug, "planning@example.org")
    await enqueue_weeks(site.db)
    site.clock.turn(HOUR)


async def _email_changed(site: Site, _: object) -> None:
    async with site.db.transaction() as tx:
        await change_email(tx, CODE_KEY, (await person(tx, "Mover")).user_id, "new-address@example.org")


async def _report_received(site: Site, _: object) -> None:
    await _report_as_visitor(site, "Reported")


async def _report_decided(site: Site, _: object) -> None:
    subject = await _report_as_visitor(site, "Dismissed")
    async with site.db.transaction() as tx:
        await moderation.dismiss(tx, (await person(tx, "Moderator")).user_id, subject, "")
    site.clock.turn(HOUR)


async def _report_as_visitor(site: Site, name: str) -> Subject:
    async with site.db.transaction() as tx:
        event = await event_by(tx, await person(tx, f"Host of {name}"))
        made = await safety.report_as_visitor(
            tx, ModeratedKind.EVENT, event.slug, ReportReason.SPAM, "", f"{name.lower()}@example.org"
        )
    return made.subject


async def _deletion(site: Site, _: object) -> None:
    async with site.db.transaction() as tx:
        leaving = await person(tx, "Leaving")
        asked = await erasure.request(tx, leaving.user_id, 14 * DAY)
    site.clock.turn(12 * DAY)
    await erasure.end(site.db, asked)
    site.clock.turn(DAY)


async def _change(site: Site, name: str, channels: frozenset[Channel]) -> None:
    async with site.db.transaction() as tx:
        host = await person(tx, f"Host of {name}")
        event = await event_by(tx, host)
        going = await person(tx, name)
        await notifications.set_channels(
            tx, going.user_id, {NotificationTopic.CHANGES: channels, NotificationTopic.OWN_ANSWERS: frozenset()}
        )
        await attendance.answer(tx, going, event.slug, RsvpReply.GOING)
        await event_hosting.revise(tx, host, event.slug, details(venue_name="The other park"))


OCCASIONS: dict[str, Occasion] = {
    CODE_MAIL: _code,
    INVITATION_MAIL: _group_invitation,
    SUCCESSION_MAIL: _succession,
    LAST_CALL_MAIL: _last_call,
    OFF_MAIL: _webhook_off,
    CO_HOST_MAIL: _co_host,
    GUEST_MAIL: _guest,
    GUEST_CONFIRMED_MAIL: _guest_confirmed,
    ANSWERED_MAIL: _answered,
    DECLINED_MAIL: _withdrawn,
    SERIES_ANSWERED_MAIL: _series_answered,
    SERIES_DECLINED_MAIL: _series_withdrawn,
    ARRIVAL_MAIL: _arrival,
    NOTIFICATION_MAIL: _news,
    DIGEST_MAIL: _digest,
    WEEK_MAIL: _week,
    DELETION_MAIL: _deletion,
    EMAIL_CHANGED_MAIL: _email_changed,
    REPORT_RECEIVED_MAIL: _report_received,
    REPORT_DECIDED_MAIL: _report_decided,
}
