"""An e-mail address is invited to an event while its owner signs up, confirms an RSVP by e-mail, or is invited by another
host. It belongs to one person or guest afterwards. On both engines, with a pause before each statement.
"""

from collections.abc import Awaitable, Callable

import pytest

from groundwork.clock import HandClock
from groundwork.database.transaction import Database, Transaction
from openmeet.domain.attendance import invitations
from openmeet.domain.attendance.model import ReplyDetails, RsvpReply
from openmeet.domain.attendance.registration import RegistrationSettings, put
from openmeet.domain.events.model import Event
from openmeet.domain.guest_rsvps import actions as guest_rsvps
from openmeet.domain.users import actions as users
from openmeet.domain.users.model import Caller
from tests.databases import MakeDatabase
from tests.openmeet.interleaving import Work, run_interleaved
from tests.openmeet.site_under_test import event_by, person

_HOLDERS = """
    select id from users where email = :email union all select user_id from guests where email = :email
"""

Begin = Callable[[Transaction, Caller, Event, str], Awaitable[Work]]


async def signing_up(tx: Transaction, ana: Caller, event: Event, email: str) -> Work:
    return lambda tx: users.create_person(tx, display_name="Ben", email=email)


async def confirming(tx: Transaction, ana: Caller, event: Event, email: str) -> Work:
    await put(tx, event.id, RegistrationSettings(takes_guests=True))
    requested = await guest_rsvps.request_rsvp(
        tx, event.slug, email=email, display_name="Ben", reply=RsvpReply.GOING, reply_details=ReplyDetails()
    )
    return lambda tx: guest_rsvps.confirm(tx, requested.id)


async def inviting_elsewhere(tx: Transaction, ana: Caller, event: Event, email: str) -> Work:
    other = await event_by(tx, ana)
    return lambda tx: invitations.invite(tx, ana, other.slug, email)


@pytest.mark.parametrize("is_invited_first", [True, False])
@pytest.mark.parametrize("begin_work", [signing_up, confirming, inviting_elsewhere])
async def test_an_address_belongs_to_one_person(
    make_database: MakeDatabase, clock: HandClock, begin_work: Begin, *, is_invited_first: bool
) -> None:
    db = await make_database("openmeet", clock=clock)
    at, is_paused = 0, True
    while is_paused:
        at += 1
        is_paused = await _invited_while(db, begin_work, at, is_invited_first=is_invited_first)
    assert at > 2, "nothing ran at the same time"


async def _invited_while(db: Database, begin_work: Begin, at: int, *, is_invited_first: bool) -> bool:
    """Check one interleaving. Returns whether the first of the two was paused."""
    email = f"ben{at}@example.org"
    async with db.transaction() as tx:
        ana = await person(tx, "Ana")
        event = await event_by(tx, ana)
        work = await begin_work(tx, ana, event, email)

    async def invite(tx: Transaction) -> None:
        await invitations.invite(tx, ana, event.slug, email)

    first, second = (invite, work) if is_invited_first else (work, invite)
    is_paused = await run_interleaved(db, first, second, at)
    async with db.reader() as reader:
        holders = await reader.fetch(_HOLDERS, email=email)
    assert len(holders) == 1, f"after a pause before statement {at}"
    return is_paused
