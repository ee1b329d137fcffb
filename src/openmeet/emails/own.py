"""To whom mail about their own answers goes, and how they stop it: who has an account, and guests."""

from dataclasses import dataclass

from groundwork.database.transaction import Transaction
from openmeet.domain.events.model import EventId
from openmeet.domain.notifications import links, preferences
from openmeet.domain.notifications.links import Link, Purpose
from openmeet.domain.notifications.model import Channel, Topic
from openmeet.domain.users import guests
from openmeet.domain.users import queries as users
from openmeet.domain.users.model import UserId
from openmeet.emails.render import Letterhead
from openmeet.emails.unsubscribe import EVERYTHING, TOPIC_WORDS


@dataclass(frozen=True, slots=True)
class Addressee:
    """``closing``: the end of a letter to them, which says how to stop such mail; ``stop_url`` does so by one click (RFC 8058)."""

    user_id: UserId
    address: str
    is_guest: bool
    stop_url: str
    closing: str

    async def answer_url(self, tx: Transaction, head: Letterhead, event_id: EventId) -> str:
        """Where they change their answer without signing in."""
        token = await links.token_for(tx, head.key, Link(self.user_id, Purpose.ANSWER, event_id))
        return f"{head.public_url}/mail/answer/{token}"


async def addressee_of(
    tx: Transaction, head: Letterhead, user_id: UserId, *, is_asked_for: bool = False
) -> Addressee | None:
    """None where no address is known, or they want no mail about their own answers.

    ``is_asked_for``: a guest has just confirmed an answer, whose letter is the only way to it.
    """
    guest, user = await guests.find(tx, user_id), await users.by_id(tx, user_id)
    address = guest.email if guest else user.email if user else None
    chosen = await preferences.of_person(tx, user_id)
    if address is None or not (is_asked_for or Channel.EMAIL in chosen[Topic.OWN_ANSWERS]):
        return None
    # A guest has no page to choose on: what they stop is all of it.
    subject = EVERYTHING if guest else Topic.OWN_ANSWERS.value
    token = await links.token_for(tx, head.key, Link(user_id, Purpose.UNSUBSCRIBE, subject))
    stop_url = f"{head.public_url}/mail/stop/{token}"
    words = "Get no more mail about what you answered" if guest else f"Stop mail about {TOPIC_WORDS[Topic.OWN_ANSWERS]}"
    return Addressee(user_id, address, guest is not None, stop_url, f"{words}:\n{stop_url}")
