"""Request, confirm and expire guests' RSVPs."""

import re

import msgspec

from groundwork.clock import DAY, HOUR, Instant
from groundwork.database.pages import change_in_pages
from groundwork.database.row_lock import take_turn
from groundwork.database.transaction import Database, Reader, Transaction
from groundwork.errors import NotFound, Reason, Refused, TooMany
from groundwork.outbox.jobs import Priority
from groundwork.rate_limit.contract import Limit
from groundwork.signing_key import SigningKey
from groundwork.uuid7 import new_id
from openmeet.domain.attendance import actions as attendance_actions
from openmeet.domain.attendance import queries as attendance_queries
from openmeet.domain.attendance import registration
from openmeet.domain.attendance.model import Attendance, ChangeChannel, ReplyDetails, ReplyNotifications, RsvpReply
from openmeet.domain.attendance.registration import EventRegistration
from openmeet.domain.attendance.rsvp_details import merge_details
from openmeet.domain.attendance.rules import EventRelationship, require_open
from openmeet.domain.attendance.transitions import ACTION_OF_REPLY
from openmeet.domain.events import co_host_queries
from openmeet.domain.events.event_access import raise_if_gone, require_visible
from openmeet.domain.events.model import Event, EventSlug
from openmeet.domain.events.queries import by_id as event_by_id
from openmeet.domain.events.queries import by_slug
from openmeet.domain.events.values import Visibility
from openmeet.domain.groups import invitation_queries
from openmeet.domain.guest_rsvps import queries
from openmeet.domain.guest_rsvps.queries import (
    EMAILS_PER_DAY,
    EMAILS_PER_HOUR,
    GUEST_CONFIRMED_MAIL,
    GUEST_MAIL,
    LINK_LIFE,
    GuestRequest,
    GuestRsvp,
    GuestRsvpId,
)
from openmeet.domain.users import guests
from openmeet.domain.users.model import Caller, User, UserId
from openmeet.domain.users.queries import by_email
from openmeet.domain.validation import INVALID_LINK
from openmeet.i18n.catalogue import current
from openmeet.outbox.emails import enqueue_email


class GuestRsvpReason(Reason):
    """Why an RSVP without an account is refused. The messages are in ``i18n/reasons/events.py``."""

    NO_GUESTS = "guest_rsvp.no_guests"
    TOO_MANY_EMAILS = "guest_rsvp.too_many_emails"
    LINK_OVER = "guest_rsvp.link_over"


async def require_open_to_guests(reader: Reader, slug: EventSlug) -> EventRegistration:
    """Return the event if people without an account can RSVP to it. Raises NotFound, Refused."""
    event = await require_visible(reader, await by_slug(reader, slug), None)
    event_registration = await registration.registration_of(reader, event)
    if not event_registration.settings.takes_guests or event.visibility is Visibility.PRIVATE:
        raise Refused(GuestRsvpReason.NO_GUESTS, name="NoGuests")
    return event_registration


async def request_rsvp(
    tx: Transaction, slug: EventSlug, *, email: str, display_name: str, reply: RsvpReply, reply_details: ReplyDetails
) -> GuestRsvp:
    """Enqueue the e-mail with the confirmation link, in the current language. Known and unknown addresses are treated
    alike.

    ``email`` must have passed ``sign_in.model.check_email``. Raises NotFound, Refused (no guests, closed, over),
    InvalidForm (the host's questions) and TooMany (too many e-mails to this address).
    """
    event_registration = await require_open_to_guests(tx, slug)
    act = ACTION_OF_REPLY[reply]
    require_open(event_registration, None, act, EventRelationship(), tx.now)
    merge_details(event_registration, None, reply_details, is_going=reply is RsvpReply.GOING)
    if not await take_turn(tx, f"guest e-mail {email}"):
        raise TooMany(GuestRsvpReason.TOO_MANY_EMAILS, after_seconds=1)
    for within, most in ((HOUR, EMAILS_PER_HOUR), (LINK_LIFE, EMAILS_PER_DAY)):
        if await queries.asked_since(tx, email, Instant(tx.now - within)) >= most:
            raise TooMany(GuestRsvpReason.TOO_MANY_EMAILS, after_seconds=3600)
    guest_rsvp = GuestRsvp(
        GuestRsvpId(new_id(tx.now)),
        event_registration.event.id,
        email,
        display_name,
        GuestRequest(reply, reply_details),
        Instant(tx.now + LINK_LIFE),
        None,
        current().tag,
    )
    await queries.insert(tx, guest_rsvp)
    await enqueue_email(tx, kind=GUEST_MAIL, person=guest_rsvp.id, subject_id=guest_rsvp.id, priority=Priority.FIRST)
    return guest_rsvp


async def pending_rsvp(reader: Reader, rsvp_id: GuestRsvpId) -> tuple[GuestRsvp, Event]:
    """Return the request behind a link. Raises NotFound if it has expired, Gone or NotFound if its event is gone."""
    guest_rsvp = await queries.find(reader, rsvp_id)
    event = await event_by_id(reader, guest_rsvp.event_id) if guest_rsvp else None
    if guest_rsvp is None or guest_rsvp.expires_at <= reader.now or event is None:
        raise NotFound(GuestRsvpReason.LINK_OVER, name=INVALID_LINK)
    # They could see the event, even an unlisted one.
    raise_if_gone(event, is_involved=True)
    return guest_rsvp, event


async def answering_person(reader: Reader, guest_rsvp: GuestRsvp) -> UserId | None:
    """Return the account or the guest with the address of this request. None if the address is new."""
    user = await by_email(reader, guest_rsvp.email)
    return user.id if user is not None else await guests.by_email(reader, guest_rsvp.email)


async def confirm(tx: Transaction, rsvp_id: GuestRsvpId) -> tuple[Event, User | None, Attendance]:
    """Record the RSVP for the user or guest with this address. Idempotent.

    Opening the link proves that the person owns the address, as a sign-in code does. If the address has an account, the
    RSVP belongs to that account.

    Raises NotFound, and Refused like an RSVP with an account, or if the host no longer takes guests.
    """
    guest_rsvp, event = await pending_rsvp(tx, rsvp_id)
    await guests.lock_address(tx, guest_rsvp.email)
    user = await by_email(tx, guest_rsvp.email)
    if user is None:
        user_id = await guests.find_or_make(
            tx, email=guest_rsvp.email, display_name=guest_rsvp.display_name, language=guest_rsvp.language
        )
        name = guest_rsvp.display_name
    else:
        user_id, name = user.id, user.display_name
    caller = Caller(user_id, name)
    before = await attendance_queries.find(tx, event.id, user_id)
    if guest_rsvp.used_at is not None and before is not None:
        return event, user, before
    if user is None and before is None:
        # The host may have excluded guests since the link was sent.
        await require_open_to_guests(tx, event.slug)
    reply_details = guest_rsvp.request.details
    if user is None:
        # People without an account have no public profile to show, whatever the client sent.
        reply_details = msgspec.structs.replace(reply_details, is_private=True)
    # A guest who is going gets a separate e-mail below. A guest who cancels gets the calendar cancellation like
    # everybody else.
    sends_calendar_email = user is not None or guest_rsvp.request.reply is RsvpReply.DECLINED
    saved = await attendance_actions.answer(
        tx,
        caller,
        event.slug,
        guest_rsvp.request.reply,
        reply_details,
        through=ChangeChannel.MAIL,
        notifications=ReplyNotifications(calendar_email=sends_calendar_email),
    )
    if user is None and guest_rsvp.request.reply is not RsvpReply.DECLINED:
        await enqueue_email(tx, kind=GUEST_CONFIRMED_MAIL, person=user_id, subject_id=event.id, revision=saved.revision)
    await queries.use(tx, rsvp_id)
    return event, user, saved


async def forget_expired(db: Database) -> int:
    """Delete expired requests and their addresses."""
    return await change_in_pages(db, queries.forget_expired)


_TOKEN = re.compile(r"([0-9a-f-]{36})\.([0-9a-f]{32})")


def token_of(key: SigningKey, rsvp_id: GuestRsvpId) -> str:
    """The token of a confirmation link. It confirms only this request."""
    proof = key.digest(b"guest answer\x00" + rsvp_id.encode()).hex()
    return f"{rsvp_id}.{proof[:32]}"


def rsvp_id_of_token(key: SigningKey, token: str) -> GuestRsvpId | None:
    """Extract the request id from a token. None if the token is forged."""
    match = _TOKEN.fullmatch(token)
    if match is None:
        return None
    rsvp_id = GuestRsvpId(match[1])
    return rsvp_id if key.verifies(token, lambda one: token_of(one, rsvp_id)) else None


# High enough for several people behind one connection, and too low for a script that sends unwanted e-mails.
GUEST_EMAIL_LIMIT = Limit("guest_letters", 20, 600)


async def forget_addresses(db: Database, kept_days: int) -> int:
    """Delete the e-mail addresses of guests whose events are over and of expired invitations. Returns the number
    deleted.

    If ``kept_days`` is 0, nothing is deleted.
    """
    if not kept_days:
        return 0

    async def forget(tx: Transaction) -> int:
        before = Instant(tx.now - kept_days * DAY)
        forgotten = await guests.forget_addresses(tx, before)
        forgotten += await invitation_queries.forget_addresses(tx, before)
        return forgotten + await co_host_queries.forget_addresses(tx, before)

    return await change_in_pages(db, forget)
