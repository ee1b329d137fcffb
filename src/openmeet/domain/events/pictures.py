"""The picture of an event: set, describe, remove."""

from dataclasses import replace

from groundwork.database.transaction import Transaction
from groundwork.errors import Refused
from openmeet.domain.events.actions import lock_for_host, save_edit
from openmeet.domain.events.model import Event, EventSlug
from openmeet.domain.events.reasons import EventReason
from openmeet.domain.media.pictures import Picture
from openmeet.domain.users.model import Caller


async def put(
    tx: Transaction, caller: Caller, slug: EventSlug, picture: Picture, *, expected_revision: int | None = None
) -> Event:
    """Set this picture. Raises NotFound, Forbidden, Refused, PreconditionFailed."""
    before = await lock_for_host(tx, caller, slug, expected_revision)
    return before if before.content.picture == picture else await save_edit(tx, caller, _with_picture(before, picture))


async def describe(
    tx: Transaction, caller: Caller, slug: EventSlug, alt: str, *, expected_revision: int | None = None
) -> Event:
    """Change the description of the picture. Raises the same errors as ``put``, and Refused (``NoPicture``)."""
    before = await lock_for_host(tx, caller, slug, expected_revision)
    if before.content.picture is None:
        raise Refused(EventReason.NO_PICTURE, name="NoPicture")
    after = replace(before.content.picture, alt=alt)
    return before if after == before.content.picture else await save_edit(tx, caller, _with_picture(before, after))


async def remove(tx: Transaction, caller: Caller, slug: EventSlug, *, expected_revision: int | None = None) -> Event:
    """Remove the picture. Raises the same errors as ``put``."""
    before = await lock_for_host(tx, caller, slug, expected_revision)
    return before if before.content.picture is None else await save_edit(tx, caller, _with_picture(before, None))


def _with_picture(before: Event, picture: Picture | None) -> Event:
    place = before.place_in_series
    if place is not None:
        place = replace(place, overridden=tuple(sorted({*place.overridden, "picture"})))
    return replace(before, content=replace(before.content, picture=picture), place_in_series=place)
