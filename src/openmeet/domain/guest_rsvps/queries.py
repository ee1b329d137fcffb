"""Guest RSVPs that await confirmation: values and SQL."""

from dataclasses import dataclass
from typing import Final, NewType

import msgspec

from groundwork.clock import DAY, Instant
from groundwork.database.pages import delete_some
from groundwork.database.transaction import Reader, Transaction
from openmeet.domain.attendance.model import ReplyDetails, RsvpReply
from openmeet.domain.events.model import EventId

GuestRsvpId = NewType("GuestRsvpId", str)

# Kind of the confirmation e-mail; the job's subject is the request.
GUEST_MAIL: Final = "guest_answer"

# Kind of the e-mail after confirmation, with the calendar entry. Its user is the guest, and its subject is the event.
GUEST_CONFIRMED_MAIL: Final = "guest_confirmed"

# Long enough to find the e-mail the next morning.
LINK_LIFE: Final = DAY

# Requests per address, whoever sends them. More would annoy the owner of the address.
EMAILS_PER_HOUR: Final = 5
# The longest period that can be limited, because requests are kept for only a day (``LINK_LIFE``).
EMAILS_PER_DAY: Final = 20


class GuestRequest(msgspec.Struct, frozen=True, rename={"details": "wishes"}):
    """The RSVP that a guest requests, as stored in ``guest_rsvps.request``."""

    reply: RsvpReply
    details: ReplyDetails


@dataclass(frozen=True, slots=True)
class GuestRsvp:
    """An RSVP submitted by a guest without an account.

    ``used_at``: when the guest confirmed it by e-mail. ``language``: the page's language when they submitted it.
    """

    id: GuestRsvpId
    event_id: EventId
    email: str
    display_name: str
    request: GuestRequest
    expires_at: Instant
    used_at: Instant | None
    language: str


async def insert(tx: Transaction, new: GuestRsvp) -> None:
    await tx.execute(
        "insert into guest_rsvps (id, event_id, email, display_name, request, language, created_at, expires_at, used_at)"
        " values (:id, :event_id, :email, :display_name, :request, :language, :now, :expires_at, null)",
        id=new.id,
        event_id=new.event_id,
        email=new.email,
        display_name=new.display_name,
        request=msgspec.json.encode(new.request).decode(),
        language=new.language,
        now=tx.now,
        expires_at=new.expires_at,
    )


async def find(reader: Reader, rsvp_id: GuestRsvpId) -> GuestRsvp | None:
    row = await reader.fetch_one(
        "select id, event_id, email, display_name, request, expires_at, used_at, language from guest_rsvps where id = :id",
        id=rsvp_id,
    )
    if row is None:
        return None
    return GuestRsvp(
        GuestRsvpId(row["id"]),
        EventId(row["event_id"]),
        row["email"],
        row["display_name"],
        msgspec.json.decode(row["request"], type=GuestRequest),
        row["expires_at"],
        row["used_at"],
        row["language"],
    )


async def use(tx: Transaction, rsvp_id: GuestRsvpId) -> None:
    await tx.execute("update guest_rsvps set used_at = :now where id = :id", now=tx.now, id=rsvp_id)


async def asked_since(reader: Reader, email: str, since: Instant) -> int:
    """Number of confirmation e-mails sent to this address since this time."""
    row = await reader.fetch_one(
        "select count(*) as n from guest_rsvps where email = :email and created_at > :since", email=email, since=since
    )
    return int(row["n"]) if row else 0


async def forget_expired(tx: Transaction) -> int:
    """Delete expired requests. Unconfirmed addresses are not kept; confirmed ones are stored with their RSVPs."""
    return await delete_some(tx, "guest_rsvps", "expires_at <= :now", now=tx.now)
