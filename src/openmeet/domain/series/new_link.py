"""Replace the links of an unlisted series and its dates."""

from dataclasses import replace

from groundwork.database.transaction import Transaction
from groundwork.errors import Refused
from openmeet.domain import slugs
from openmeet.domain.events import queries as event_queries
from openmeet.domain.events.actions import set_slugs
from openmeet.domain.events.edits import new_slug
from openmeet.domain.events.values import Visibility
from openmeet.domain.series import actions, queries, save_series
from openmeet.domain.series.model import Series, SeriesSlug
from openmeet.domain.series.reasons import SeriesReason
from openmeet.domain.slugs import LinkKind
from openmeet.domain.users.model import Caller


async def make(tx: Transaction, caller: Caller, slug: SeriesSlug, *, expected_revision: int | None = None) -> Series:
    """Give the series and its dates new links.

    Raises the errors of ``actions.lock_to_change``, and Refused (``PublicSeries``) if the series is listed publicly.
    """
    series = await actions.lock_to_change(tx, caller, slug, expected_revision=expected_revision)
    if series.visibility is Visibility.PUBLIC:
        raise Refused(SeriesReason.NEW_LINK_OF_PUBLIC, name="PublicSeries")
    await slugs.retire(tx, LinkKind.SERIES, [(series.slug, series.id)])
    fresh = SeriesSlug(new_slug(series.content.title))
    await queries.set_slug(tx, series.id, fresh)
    dates = [
        one
        for one in await event_queries.lock_dates(tx, series.id)
        if one.deleted_at is None and one.visibility is not Visibility.PUBLIC
    ]
    await slugs.retire(tx, LinkKind.EVENT, [(one.slug, one.id) for one in dates])
    await set_slugs(tx, [(one.id, new_slug(one.title)) for one in dates])
    return await save_series.save(tx, replace(series, slug=fresh))
