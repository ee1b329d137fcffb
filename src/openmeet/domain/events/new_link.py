"""A new link for an unlisted event: the old link stops working."""

from collections.abc import Sequence
from dataclasses import replace

from groundwork.database.transaction import Transaction
from groundwork.errors import Refused
from openmeet.domain import slugs
from openmeet.domain.events import actions
from openmeet.domain.events.edits import new_slug
from openmeet.domain.events.model import Event, EventId, EventSlug
from openmeet.domain.events.reasons import EventReason
from openmeet.domain.events.values import Visibility
from openmeet.domain.slugs import LinkKind
from openmeet.domain.users.model import Caller


async def make(tx: Transaction, caller: Caller, slug: EventSlug, *, expected_revision: int | None = None) -> Event:
    """Give the event a new link. The old one stops working. Raises NotFound, Forbidden, PreconditionFailed, and Refused
    if the event is public (``PublicEvent``).
    """
    event = await actions.lock_for_host(tx, caller, slug, expected_revision)
    if event.visibility is Visibility.PUBLIC:
        raise Refused(EventReason.NEW_LINK_OF_PUBLIC, name="PublicEvent")
    await slugs.retire(tx, LinkKind.EVENT, [(event.slug, event.id)])
    fresh = new_slug(event.title)
    await set_slugs(tx, [(event.id, fresh)])
    return await actions.save_edit(tx, caller, replace(event, slug=fresh))


async def set_slugs(tx: Transaction, slugs: Sequence[tuple[EventId, EventSlug]]) -> None:
    """Set the slugs of locked events."""
    await tx.execute_many(
        "update events set slug = :slug where id = :id", [{"id": one, "slug": slug} for one, slug in slugs]
    )
