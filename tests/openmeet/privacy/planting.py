"""A town full of secrets: marked words in everything that is not for everybody (``planted`` says who looks for them)."""

from datetime import datetime

from groundwork.clock import DAY, Instant
from groundwork.database.transaction import Transaction
from groundwork.sealing import Sealer
from openmeet.domain.api_tokens import tokens as access
from openmeet.domain.api_tokens.scopes import TokenScope
from openmeet.domain.api_tokens.tokens import NewToken
from openmeet.domain.attendance import actions as attendance
from openmeet.domain.attendance import event_hosting, host_decisions, invitations
from openmeet.domain.attendance.model import RsvpReply, RsvpRequest
from openmeet.domain.attendance.registration import RegistrationQuestion, RegistrationSettings
from openmeet.domain.events import actions as events
from openmeet.domain.events import co_hosts, drafts, group_events, pictures
from openmeet.domain.events.model import Details, Event, GroupOfEvent, Visibility
from openmeet.domain.events.rules import Submission
from openmeet.domain.groups import actions as groups
from openmeet.domain.groups import administration, announcements, calendar_feeds
from openmeet.domain.groups import pictures as group_pictures
from openmeet.domain.groups import queries as group_queries
from openmeet.domain.guest_rsvps import actions as guests
from openmeet.domain.host_messages import actions as messages
from openmeet.domain.media.pictures import Picture
from openmeet.domain.series import actions as series
from openmeet.domain.series.model import Template, Timing
from openmeet.domain.sign_in import actions as sign_in
from openmeet.domain.sign_in.model import SessionTransport
from openmeet.domain.users import actions as users
from openmeet.domain.users.model import Caller
from openmeet.domain.webhooks import actions as webhooks
from openmeet.domain.webhooks.model import Happening
from openmeet.recurrence.pattern import pattern
from openmeet.recurrence.rule import parse_rule
from openmeet.web.calendar import feed
from tests.openmeet.groups.people import group_by, member
from tests.openmeet.privacy.planted import ABSENT, BLOCKED, FORMER, GUEST, HOST, MEMBER, STRANGER, Planted, Viewer
from tests.openmeet.site_under_test import CODE_KEY, details


async def plant(tx: Transaction, *, is_open: bool = False) -> Planted:
    """The town. ``is_open``: the same words in things that are for everybody, of those that can be."""
    town = Planted()
    await _people(tx, town)
    await _public_event(tx, town, is_open=is_open)
    await _events_for_few(tx, town, is_open=is_open)
    await _groups(tx, town, is_open=is_open)
    await _unlisted(tx, town, is_open=is_open)
    await _own_things(tx, town)
    _note_hidden(town)
    for word in ("events", "series", "groups"):
        # The same otherwise as the last one, so that the slug is the only difference.
        town.addresses[word].append({**town.addresses[word][-1], "slug": ABSENT})
    if is_open:
        town.told = {}
    return town


async def _people(tx: Transaction, town: Planted) -> None:
    for viewer in (STRANGER, FORMER, GUEST, BLOCKED, HOST, MEMBER):
        address = town.secret(f"mailof{viewer}", viewer, host=False)
        user_id = await users.create_person(tx, display_name=viewer.title(), email=f"{address.lower()}@example.org")
        town.callers[viewer] = Caller(user_id, viewer.title())
        browser = await sign_in.open_session(tx, user_id, SessionTransport.BROWSER)
        program = await sign_in.open_session(tx, user_id, SessionTransport.API)
        town.tokens[viewer] = (browser.token, program.token)
        town.feeds[viewer] = await feed.open_feed(tx, CODE_KEY, user_id)
    town.addresses["calendar"] = []
    town.addresses["group-calendars"] = []


async def _public_event(tx: Transaction, town: Planted, *, is_open: bool) -> None:
    """Everybody may know of it; not where exactly, how to join, who asked what of whom."""
    ana, guest = town.callers[HOST], town.callers[GUEST]
    audience = "everyone" if is_open else "attendees"
    event = await events.create(
        tx,
        ana,
        details(
            title="Open tea",
            mode="hybrid",
            venue_name=town.secret("venue", GUEST),
            street=town.secret("street", GUEST),
            country="DE",
            point=", ".join(
                (town.secret_number("north", "52.517391", GUEST), town.secret_number("east", "13.402746", GUEST))
            ),
            door_note=town.secret("door", GUEST),
            online_url=f"https://join.example/{town.secret('link', GUEST)}",
            place_audience=audience,
            door_audience=audience,
            online_url_audience=audience,
        ),
    )
    questions = (RegistrationQuestion("q1", "What do you eat?"),)
    await host_decisions.change_joining(
        tx, ana, event.slug, RegistrationSettings(max_party=3, asks_names=True, questions=questions)
    )
    wishes = RsvpRequest(2, None, (town.secret("companion", GUEST),), {"q1": town.secret("reply", GUEST)}, None)
    answer = await attendance.answer(tx, guest, event.slug, RsvpReply.GOING, wishes)
    await attendance.answer(tx, town.callers[MEMBER], event.slug, RsvpReply.INTERESTED)
    hidden = await users.create_person(tx, display_name=town.secret("shyname"), email="shy@example.org")
    await attendance.answer(tx, Caller(hidden, "Shy"), event.slug, RsvpReply.GOING, RsvpRequest(is_private=True))
    asked = await guests.ask(
        tx,
        event.slug,
        email=f"{town.secret('guestmail', host=False).lower()}@example.org",
        display_name=town.secret("guestname"),
        reply=RsvpReply.GOING,
        wishes=RsvpRequest(),
    )
    await guests.confirm(tx, asked.id)
    await host_decisions.add(tx, ana, event.slug, town.secret("addedname"))
    invited = await invitations.invite(tx, ana, event.slug, f"{town.secret('invitedmail').lower()}@example.org")
    host_asked = await co_hosts.invite(tx, ana, event.slug, f"{town.secret('cohostmail').lower()}@example.org")
    await messages.write(tx, ana, event.slug, town.secret("message", GUEST), ["going"])
    later = Instant(tx.now + DAY)
    waiting = await messages.write(tx, ana, event.slug, town.secret("latermessage"), ["going"], send_at=later)
    _event_address(
        town,
        event,
        attendance_id=answer.id,
        attendanceId=invited.id,
        co_host=host_asked.id,
        message=waiting.id,
        id=waiting.id,
    )
    town.addresses["answers"] = [{"token": asked.id}]
    town.addresses["co-hosting"] = [{"token": host_asked.id}]


async def _events_for_few(tx: Transaction, town: Planted, *, is_open: bool) -> None:
    ana, guest = town.callers[HOST], town.callers[GUEST]
    private = await events.create(tx, ana, _typed(town, "private", "public" if is_open else "private", GUEST))
    picture = Picture("a" * 64, town.secret("alt", GUEST), 1200, 630)
    await pictures.put(tx, ana, private.slug, picture)
    questions = (RegistrationQuestion("q1", town.secret("question", GUEST)),)
    await host_decisions.change_joining(tx, ana, private.slug, RegistrationSettings(questions=questions))
    await invitations.invite(tx, ana, private.slug, "zqmailofguestzq@example.org")
    await attendance.answer(tx, guest, private.slug, RsvpReply.GOING)
    await event_hosting.cancel(tx, ana, private.slug, town.secret("reason", GUEST))
    _event_address(town, private)

    unlisted = await events.create(tx, ana, _typed(town, "unlisted", "public" if is_open else "unlisted"))
    _event_address(town, unlisted, told=[HOST])

    typed = Submission(title=town.secret("drafttitle"), description=town.secret("drafttext"), starts="2027-01-01T10:00")
    _event_address(town, await drafts.begin(tx, ana, typed, {}))
    await _series(tx, town, "rehearsal", is_open=is_open)


async def _groups(tx: Transaction, town: Planted, *, is_open: bool) -> None:
    """One that only its members know, one that everybody knows and whose door is watched."""
    ana = town.callers[HOST]
    for name, visibility in (("club", "private"), ("choir", "public")):
        is_secret = visibility == "private"
        meant = (MEMBER,)
        group = await group_by(
            tx,
            ana,
            name=town.secret(f"{name}name", *meant) if is_secret else "Open choir",
            description=town.secret(f"{name}text", *meant) if is_secret else "We sing.",
            visibility="public" if is_open else visibility,
            join_policy="request",
            join_question=town.secret("clubquestion", *meant) if is_secret else "Why?",
        )
        for viewer in (MEMBER, FORMER):
            link = await administration.invite_by_link(tx, ana, group.slug, uses=1)
            await administration.accept(tx, town.callers[viewer], link.id)
        for viewer in (HOST, MEMBER, FORMER):
            mine = await group_queries.find_member(tx, group.id, town.callers[viewer].user_id)
            token = await calendar_feeds.renew(tx, CODE_KEY, group, mine)
            town.group_feeds.setdefault(viewer, []).append(token)
        alt = town.secret(f"{name}alt", *meant) if is_secret else "Singers."
        await group_pictures.put(tx, ana, group.slug, Picture(name.ljust(32, "0"), alt, 1200, 630))
        told = await announcements.announce(tx, ana, group.slug, town.secret(f"{name}news", *meant))
        of_group = group_events.of_event(group)
        own = "public" if is_secret or is_open else "private"
        event = await events.create(tx, ana, _typed(town, f"{name}event", own, *meant), group=of_group)
        await attendance.answer(tx, town.callers[FORMER], event.slug, RsvpReply.INTERESTED)
        _event_address(town, event)
        if is_secret:
            await _series(tx, town, f"{name}series", *meant, group=of_group, is_open=is_open)
        await administration.remove(tx, ana, group.slug, town.callers[FORMER].user_id)
        await administration.invite_by_mail(tx, ana, group.slug, f"{town.secret(f'{name}mail').lower()}@example.org")
        asking = await users.create_person(tx, display_name=f"Asking {name}", email=f"{name}@example.org")
        if not is_secret:
            answer = town.secret(f"{name}answer")
            await groups.join(tx, Caller(asking, "Asking"), group.slug, answer)
        inside = await member(tx, group, ana, town.secret(f"{name}person", MEMBER) if is_secret else "Bass")
        link = await administration.invite_by_link(tx, ana, group.slug, uses=1)
        town.addresses.setdefault("groups", []).append(
            {
                "slug": group.slug,
                "userId": inside.user_id,
                "announcement": told.id,
                "invitation": link.id,
                "token": link.id,
                "did": "did:plc:ewvi7nxzyoun6zhxrhs64oiz",
            }
        )


async def _unlisted(tx: Transaction, town: Planted, *, is_open: bool) -> None:
    """A series and a group with an event and a series that only those find who were told the address: the host, and who is in it."""
    ana = town.callers[HOST]
    await _series(tx, town, "secretseries", visibility=Visibility.UNLISTED, is_open=is_open)
    visibility = "public" if is_open else "unlisted"
    name, text = town.secret("denname", MEMBER), town.secret("dentext", MEMBER)
    group = await group_by(tx, ana, name=name, description=text, visibility=visibility)
    link = await administration.invite_by_link(tx, ana, group.slug, uses=1)
    await administration.accept(tx, town.callers[MEMBER], link.id)
    told = await announcements.announce(tx, ana, group.slug, town.secret("dennews", MEMBER))
    of_group = group_events.of_event(group)
    # Of an unlisted group nothing is more than that, whatever it says of itself.
    event = await events.create(tx, ana, _typed(town, "denevent", "public", MEMBER), group=of_group)
    _event_address(town, event, told=[HOST, MEMBER])
    await _series(tx, town, "denseries", MEMBER, group=of_group, visibility=Visibility.PUBLIC, is_open=is_open)
    inside = await member(tx, group, ana, town.secret("denperson", MEMBER))
    town.addresses["groups"].append(
        {**town.addresses["groups"][-1], "slug": group.slug, "userId": inside.user_id, "announcement": told.id}
    )
    town.told[group.slug] = frozenset((HOST, MEMBER))


async def _own_things(tx: Transaction, town: Planted) -> None:
    ana = town.callers[HOST]
    await access.make(tx, ana, NewToken(town.secret("tokenname"), frozenset(TokenScope), None))
    address = f"https://hook.example/{town.secret('hook')}"
    webhook, _ = await webhooks.register(
        tx, ana, Sealer([CODE_KEY.newest]), url=address, kinds=frozenset(Happening), group_id=None
    )
    town.addresses["webhooks"] = [{"id": webhook.id, "deliveryId": webhook.id}]


async def _series(
    tx: Transaction,
    town: Planted,
    name: str,
    *meant: Viewer,
    group: GroupOfEvent | None = None,
    visibility: Visibility = Visibility.PRIVATE,
    is_open: bool,
) -> None:
    timing = Timing(pattern(datetime(2026, 3, 3, 19), "Europe/Berlin", parse_rule("FREQ=WEEKLY")), None)  # noqa: DTZ001  # wall time is naive
    template = Template(
        town.secret(f"{name}title", *meant),
        town.secret(f"{name}text", *meant),
        visibility=Visibility.PUBLIC if is_open else visibility,
        door_note=town.secret(f"{name}door"),
    )
    made = await series.create(tx, town.callers[HOST], template, timing, group=group)
    stored = await series.open_date(tx, made.slug, "2026-03-10T19:00:00", viewer=town.callers[HOST].user_id)
    town.addresses.setdefault("series", []).append(
        {"slug": made.slug, "original_date": "2026-03-17T19:00:00", "originalDate": "2026-03-17T19:00:00"}
    )
    told = None if visibility is Visibility.PRIVATE else [HOST, *meant]
    if told is not None:
        town.told[made.slug] = frozenset(told)
    if group is None or told is not None:
        _event_address(town, stored, told=told)


def _typed(town: Planted, name: str, visibility: str, *meant: Viewer) -> Details:
    """An event that says a secret wherever it can say something."""
    return details(
        title=town.secret(f"{name}title", *meant),
        description=town.secret(f"{name}text", *meant),
        venue_name=town.secret(f"{name}venue", *meant),
        locality=town.secret(f"{name}town", *meant),
        country="DE",
        tags=town.secret(f"{name}tag", *meant).lower(),
        price=town.secret(f"{name}price", *meant),
        ticket_url=f"https://tickets.example/{town.secret(f'{name}tickets', *meant)}",
        access_note=town.secret(f"{name}access", *meant),
        visibility=visibility,
    )


def _event_address(town: Planted, event: Event, *, told: list[Viewer] | None = None, **more: str) -> None:
    town.addresses.setdefault("events", []).append({"slug": event.slug, **more})
    if told is not None:
        town.told[event.slug] = frozenset(told)


def _note_hidden(town: Planted) -> None:
    """What has a secret for its name is not for everybody."""
    for known in town.addresses.values():
        # The end of a slug is made of random letters, among which a mark stands by chance.
        town.hidden |= {values["slug"] for values in known if town.found_in(values.get("slug", ""))}
