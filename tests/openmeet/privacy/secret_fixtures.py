"""Fill a site with secrets: marked words in everything that is not public (``planted`` lists the people who may see
them).
"""

from datetime import datetime

from groundwork.clock import DAY, Instant
from groundwork.database.transaction import Transaction
from groundwork.sealing import Sealer
from openmeet.domain.api_tokens import tokens as api_tokens
from openmeet.domain.api_tokens.scopes import TokenScope
from openmeet.domain.api_tokens.tokens import NewToken
from openmeet.domain.attendance import actions as attendance
from openmeet.domain.attendance import event_hosting, host_decisions, invitations
from openmeet.domain.attendance.model import ReplyDetails, RsvpReply
from openmeet.domain.attendance.registration import RegistrationQuestion, RegistrationSettings
from openmeet.domain.events import actions as events
from openmeet.domain.events import co_hosts, drafts, group_of_event
from openmeet.domain.events.content import Content
from openmeet.domain.events.model import Details, Event, GroupOfEvent
from openmeet.domain.events.rules import Submission
from openmeet.domain.events.values import Visibility
from openmeet.domain.groups import actions as groups
from openmeet.domain.groups import administration, announcements, calendar_feeds
from openmeet.domain.groups import queries as group_queries
from openmeet.domain.guest_rsvps import actions as guests
from openmeet.domain.host_messages import actions as messages
from openmeet.domain.media.pictures import Picture
from openmeet.domain.series import actions as series
from openmeet.domain.series.model import Timing
from openmeet.domain.sign_in import actions as sign_in
from openmeet.domain.sign_in.model import SessionTransport
from openmeet.domain.users import actions as users
from openmeet.domain.users.model import Caller
from openmeet.domain.webhooks import actions as webhooks
from openmeet.domain.webhooks.model import WebhookEvent
from openmeet.recurrence.pattern import pattern
from openmeet.recurrence.rule import parse_rule
from openmeet.web.calendar import feed
from tests.openmeet.groups.people import add_member, group_by
from tests.openmeet.privacy.planted import ABSENT, BLOCKED, FORMER, GUEST, HOST, MEMBER, STRANGER, Planted, Viewer
from tests.openmeet.site_under_test import CODE_KEY, details


async def plant(tx: Transaction, *, is_open: bool = False) -> Planted:
    """Build the town. With ``is_open`` the same words are in public things where possible."""
    planted = Planted()
    await _people(tx, planted)
    await _public_event(tx, planted, is_open=is_open)
    await _events_for_few(tx, planted, is_open=is_open)
    await _groups(tx, planted, is_open=is_open)
    await _unlisted(tx, planted, is_open=is_open)
    await _own_things(tx, planted)
    _note_hidden(planted)
    for word in ("events", "series", "groups"):
        # Equal to the previous one in everything else, so that the slug is the only difference.
        planted.addresses[word].append({**planted.addresses[word][-1], "slug": ABSENT})
    if is_open:
        planted.told = {}
    return planted


async def _people(tx: Transaction, planted: Planted) -> None:
    for viewer in (STRANGER, FORMER, GUEST, BLOCKED, HOST, MEMBER):
        address = planted.secret(f"mailof{viewer}", viewer, host=False)
        user_id = await users.create_person(tx, display_name=viewer.title(), email=f"{address.lower()}@example.org")
        planted.callers[viewer] = Caller(user_id, viewer.title())
        browser = await sign_in.open_session(tx, user_id, SessionTransport.BROWSER)
        program = await sign_in.open_session(tx, user_id, SessionTransport.API)
        planted.tokens[viewer] = (browser.token, program.token)
        planted.feeds[viewer] = await feed.open_feed(tx, CODE_KEY, user_id)
    planted.addresses["calendar"] = []
    planted.addresses["group-calendars"] = []


async def _public_event(tx: Transaction, planted: Planted, *, is_open: bool) -> None:
    """A public event. The exact place, the ways to join, and the questions and answers of hosts and attendees are not
    public.
    """
    ana, guest = planted.callers[HOST], planted.callers[GUEST]
    audience = "everyone" if is_open else "attendees"
    event = await events.create(
        tx,
        ana,
        details(
            title="Open tea",
            mode="hybrid",
            venue_name=planted.secret("venue", GUEST),
            street=planted.secret("street", GUEST),
            country="DE",
            point=", ".join(
                (planted.secret_number("north", "52.517391", GUEST), planted.secret_number("east", "13.402746", GUEST))
            ),
            door_note=planted.secret("door", GUEST),
            online_url=f"https://join.example/{planted.secret('link', GUEST)}",
            place_audience=audience,
            door_audience=audience,
            online_url_audience=audience,
        ),
    )
    questions = (RegistrationQuestion("q1", "What do you eat?"),)
    await event_hosting.change_registration_settings(
        tx, ana, event.slug, RegistrationSettings(max_party=3, asks_names=True, questions=questions)
    )
    wishes = ReplyDetails(2, None, (planted.secret("companion", GUEST),), {"q1": planted.secret("reply", GUEST)}, None)
    answer = await attendance.answer(tx, guest, event.slug, RsvpReply.GOING, wishes)
    await attendance.answer(tx, planted.callers[MEMBER], event.slug, RsvpReply.INTERESTED)
    hidden = await users.create_person(tx, display_name=planted.secret("shyname"), email="shy@example.org")
    await attendance.answer(tx, Caller(hidden, "Shy"), event.slug, RsvpReply.GOING, ReplyDetails(is_private=True))
    asked = await guests.request_rsvp(
        tx,
        event.slug,
        email=f"{planted.secret('guestmail', host=False).lower()}@example.org",
        display_name=planted.secret("guestname"),
        reply=RsvpReply.GOING,
        reply_details=ReplyDetails(),
    )
    await guests.confirm(tx, asked.id)
    await host_decisions.add(tx, ana, event.slug, planted.secret("addedname"))
    invited = await invitations.invite(tx, ana, event.slug, f"{planted.secret('invitedmail').lower()}@example.org")
    host_asked = await co_hosts.invite(tx, ana, event.slug, f"{planted.secret('cohostmail').lower()}@example.org")
    await messages.write(tx, ana, event.slug, planted.secret("message", GUEST), ["going"])
    later = Instant(tx.now + DAY)
    waiting = await messages.write(tx, ana, event.slug, planted.secret("latermessage"), ["going"], send_at=later)
    _event_address(
        planted,
        event,
        attendance_id=answer.id,
        attendanceId=invited.id,
        co_host=host_asked.id,
        message=waiting.id,
        id=waiting.id,
    )
    planted.addresses["answers"] = [{"token": asked.id}]
    planted.addresses["co-hosting"] = [{"token": host_asked.id}]


async def _events_for_few(tx: Transaction, planted: Planted, *, is_open: bool) -> None:
    ana, guest = planted.callers[HOST], planted.callers[GUEST]
    private = await events.create(tx, ana, _typed(planted, "private", "public" if is_open else "private", GUEST))
    picture = Picture("a" * 64, planted.secret("alt", GUEST), 1200, 630)
    await events.set_picture(tx, ana, private.slug, picture)
    questions = (RegistrationQuestion("q1", planted.secret("question", GUEST)),)
    await event_hosting.change_registration_settings(tx, ana, private.slug, RegistrationSettings(questions=questions))
    await invitations.invite(tx, ana, private.slug, "zqmailofguestzq@example.org")
    await attendance.answer(tx, guest, private.slug, RsvpReply.GOING)
    await event_hosting.cancel(tx, ana, private.slug, planted.secret("reason", GUEST))
    _event_address(planted, private)

    unlisted = await events.create(tx, ana, _typed(planted, "unlisted", "public" if is_open else "unlisted"))
    _event_address(planted, unlisted, told=[HOST])

    typed = Submission(
        title=planted.secret("drafttitle"), description=planted.secret("drafttext"), starts="2027-01-01T10:00"
    )
    _event_address(planted, await drafts.begin(tx, ana, typed, {}))
    await _series(tx, planted, "rehearsal", is_open=is_open)


async def _groups(tx: Transaction, planted: Planted, *, is_open: bool) -> None:
    """One group that only its members can see, and a public one whose new members need approval."""
    ana = planted.callers[HOST]
    for name, visibility in (("club", "private"), ("choir", "public")):
        is_secret = visibility == "private"
        meant = (MEMBER,)
        group = await group_by(
            tx,
            ana,
            name=planted.secret(f"{name}name", *meant) if is_secret else "Open choir",
            description=planted.secret(f"{name}text", *meant) if is_secret else "We sing.",
            visibility="public" if is_open else visibility,
            join_policy="request",
            join_question=planted.secret("clubquestion", *meant) if is_secret else "Why?",
        )
        for viewer in (MEMBER, FORMER):
            link = await administration.invite_by_link(tx, ana, group.slug, uses=1)
            await administration.accept(tx, planted.callers[viewer], link.id)
        for viewer in (HOST, MEMBER, FORMER):
            mine = await group_queries.find_member(tx, group.id, planted.callers[viewer].user_id)
            token = await calendar_feeds.renew(tx, CODE_KEY, group, mine)
            planted.group_feeds.setdefault(viewer, []).append(token)
        alt = planted.secret(f"{name}alt", *meant) if is_secret else "Singers."
        await groups.set_picture(tx, ana, group.slug, Picture(name.ljust(32, "0"), alt, 1200, 630))
        told = await announcements.announce(tx, ana, group.slug, planted.secret(f"{name}news", *meant))
        of_group = group_of_event.as_group_of_event(group)
        own = "public" if is_secret or is_open else "private"
        event = await events.create(tx, ana, _typed(planted, f"{name}event", own, *meant), group=of_group)
        await attendance.answer(tx, planted.callers[FORMER], event.slug, RsvpReply.INTERESTED)
        _event_address(planted, event)
        if is_secret:
            await _series(tx, planted, f"{name}series", *meant, group=of_group, is_open=is_open)
        await administration.remove(tx, ana, group.slug, planted.callers[FORMER].user_id)
        await administration.invite_by_mail(
            tx, CODE_KEY, ana, group.slug, f"{planted.secret(f'{name}mail').lower()}@example.org"
        )
        asking = await users.create_person(tx, display_name=f"Asking {name}", email=f"{name}@example.org")
        if not is_secret:
            answer = planted.secret(f"{name}answer")
            await groups.join(tx, Caller(asking, "Asking"), group.slug, answer)
        inside = await add_member(tx, group, ana, planted.secret(f"{name}person", MEMBER) if is_secret else "Bass")
        link = await administration.invite_by_link(tx, ana, group.slug, uses=1)
        planted.addresses.setdefault("groups", []).append(
            {
                "slug": group.slug,
                "userId": inside.user_id,
                "announcement": told.id,
                "invitation": link.id,
                "token": link.id,
                "did": "did:plc:ewvi7nxzyoun6zhxrhs64oiz",
            }
        )


async def _unlisted(tx: Transaction, planted: Planted, *, is_open: bool) -> None:
    """An unlisted series, and an unlisted group with an event and a series. Only people who have the URL find them: the
    host and the members.
    """
    ana = planted.callers[HOST]
    await _series(tx, planted, "secretseries", visibility=Visibility.UNLISTED, is_open=is_open)
    visibility = "public" if is_open else "unlisted"
    name, text = planted.secret("denname", MEMBER), planted.secret("dentext", MEMBER)
    group = await group_by(tx, ana, name=name, description=text, visibility=visibility)
    link = await administration.invite_by_link(tx, ana, group.slug, uses=1)
    await administration.accept(tx, planted.callers[MEMBER], link.id)
    told = await announcements.announce(tx, ana, group.slug, planted.secret("dennews", MEMBER))
    of_group = group_of_event.as_group_of_event(group)
    # Everything in an unlisted group is at most unlisted, even if its own visibility is wider.
    event = await events.create(tx, ana, _typed(planted, "denevent", "public", MEMBER), group=of_group)
    _event_address(planted, event, told=[HOST, MEMBER])
    await _series(tx, planted, "denseries", MEMBER, group=of_group, visibility=Visibility.PUBLIC, is_open=is_open)
    inside = await add_member(tx, group, ana, planted.secret("denperson", MEMBER))
    planted.addresses["groups"].append(
        {**planted.addresses["groups"][-1], "slug": group.slug, "userId": inside.user_id, "announcement": told.id}
    )
    planted.told[group.slug] = frozenset((HOST, MEMBER))


async def _own_things(tx: Transaction, planted: Planted) -> None:
    ana = planted.callers[HOST]
    await api_tokens.make(tx, ana, NewToken(planted.secret("tokenname"), frozenset(TokenScope), None))
    address = f"https://hook.example/{planted.secret('hook')}"
    webhook, _ = await webhooks.register(
        tx, ana, Sealer([CODE_KEY.newest]), url=address, kinds=frozenset(WebhookEvent), group_id=None
    )
    planted.addresses["webhooks"] = [{"id": webhook.id, "deliveryId": webhook.id}]


async def _series(
    tx: Transaction,
    planted: Planted,
    name: str,
    *meant: Viewer,
    group: GroupOfEvent | None = None,
    visibility: Visibility = Visibility.PRIVATE,
    is_open: bool,
) -> None:
    timing = Timing(pattern(datetime(2026, 3, 3, 19), "Europe/Berlin", parse_rule("FREQ=WEEKLY")), None)  # noqa: DTZ001  # wall time is naive
    template = Content(
        planted.secret(f"{name}title", *meant),
        planted.secret(f"{name}text", *meant),
        visibility=Visibility.PUBLIC if is_open else visibility,
        entry_instructions=planted.secret(f"{name}door"),
    )
    made = await series.create(tx, planted.callers[HOST], template, timing, group=group)
    stored = await series.open_date(tx, made.slug, "2026-03-10T19:00:00", viewer=planted.callers[HOST].user_id)
    planted.addresses.setdefault("series", []).append(
        {"slug": made.slug, "original_date": "2026-03-17T19:00:00", "originalDate": "2026-03-17T19:00:00"}
    )
    told = None if visibility is Visibility.PRIVATE else [HOST, *meant]
    if told is not None:
        planted.told[made.slug] = frozenset(told)
    if group is None or told is not None:
        _event_address(planted, stored, told=told)


def _typed(planted: Planted, name: str, visibility: str, *meant: Viewer) -> Details:
    """An event with a secret in every text field."""
    return details(
        title=planted.secret(f"{name}title", *meant),
        description=planted.secret(f"{name}text", *meant),
        venue_name=planted.secret(f"{name}venue", *meant),
        locality=planted.secret(f"{name}town", *meant),
        country="DE",
        tags=planted.secret(f"{name}tag", *meant).lower(),
        price=planted.secret(f"{name}price", *meant),
        ticket_url=f"https://tickets.example/{planted.secret(f'{name}tickets', *meant)}",
        access_note=planted.secret(f"{name}access", *meant),
        visibility=visibility,
    )


def _event_address(planted: Planted, event: Event, *, told: list[Viewer] | None = None, **more: str) -> None:
    planted.addresses.setdefault("events", []).append({"slug": event.slug, **more})
    if told is not None:
        planted.told[event.slug] = frozenset(told)


def _note_hidden(planted: Planted) -> None:
    """Things whose name is a secret are not public."""
    for known in planted.addresses.values():
        # Slugs end in random letters, which can contain a mark by chance.
        planted.hidden |= {values["slug"] for values in known if planted.found_in(values.get("slug", ""))}
