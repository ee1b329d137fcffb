"""Set, describe or remove the picture of a series. Upcoming dates show it unless they override it with their own
picture or none.
"""

from dataclasses import replace

from groundwork.database.transaction import Transaction
from groundwork.errors import Refused
from openmeet.domain.media.pictures import Picture
from openmeet.domain.series import actions, date_queries
from openmeet.domain.series.model import Series, SeriesSlug
from openmeet.domain.series.plan import plan_all
from openmeet.domain.series.reasons import SeriesReason
from openmeet.domain.users.model import Caller


async def put(
    tx: Transaction, caller: Caller, slug: SeriesSlug, picture: Picture, *, expected_revision: int | None = None
) -> Series:
    """Set this picture. Raises the same errors as ``actions.lock_to_change``."""
    series = await actions.lock_to_change(tx, caller, slug, expected_revision=expected_revision)
    return await _show(tx, series, picture)


async def describe(
    tx: Transaction, caller: Caller, slug: SeriesSlug, alt: str, *, expected_revision: int | None = None
) -> Series:
    """Change the picture's description. Raises the same errors as ``put``, and Refused (``NoPicture``)."""
    series = await actions.lock_to_change(tx, caller, slug, expected_revision=expected_revision)
    before = series.content.picture
    if before is None:
        raise Refused(SeriesReason.NO_PICTURE, name="NoPicture")
    return await _show(tx, series, replace(before, alt=alt))


async def remove(tx: Transaction, caller: Caller, slug: SeriesSlug, *, expected_revision: int | None = None) -> Series:
    """Remove the picture. Raises the same errors as ``put``."""
    series = await actions.lock_to_change(tx, caller, slug, expected_revision=expected_revision)
    return await _show(tx, series, None)


async def _show(tx: Transaction, series: Series, picture: Picture | None) -> Series:
    """Apply the change as an ordinary edit of all dates, which is published and can be undone for minutes.

    Nobody is notified, because a picture does not affect anybody's plans.
    """
    if series.content.picture == picture:
        return series
    content = replace(series.content, picture=picture)
    stored = await date_queries.stored(tx, series.id)
    return await actions.apply_plan(
        tx, series, plan_all(series, content, series.timing, stored, tx.now), notifies=False
    )
