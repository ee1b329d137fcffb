"""Save a series and notify webhooks. All changes go through this module.

A change by anybody other than the owner (``Series.changed_by``) takes effect on this site at once, but its publication
awaits the owner's approval. This includes the series, its upcoming dates, whose records mention it, and dates stored
later. A change by the owner approves all of these.
"""

from collections.abc import Mapping
from dataclasses import replace
from functools import partial
from typing import Any

from groundwork.database.transaction import Transaction
from openmeet.domain.events import ownership, series_dates
from openmeet.domain.events.publication import PublishLevel, reach
from openmeet.domain.identities import publishing_preferences
from openmeet.domain.merge_decisions.queries import EditOfRecord, settle_edited
from openmeet.domain.series import date_queries, queries
from openmeet.domain.series.model import Series
from openmeet.domain.series.record_fields import fields_of
from openmeet.domain.webhooks.actions import ChangedSubject, enqueue_deliveries
from openmeet.domain.webhooks.model import WebhookEvent


async def insert(tx: Transaction, series: Series, *, submission: tuple[str, bytes] | None = None) -> bool:
    """Insert a series. False if this submission has already created one."""
    is_new = await queries.insert(tx, series, submission=submission)
    if is_new:
        await _notify_webhooks(tx, series)
    return is_new


async def save(tx: Transaction, after: Series, *, publishes: bool = True) -> Series:
    """Save the next revision of a locked series. ``publishes``: False if its record already has the changes."""
    before = None if after.record_uri is None else await queries.by_id(tx, after.id)
    saved = await queries.save(
        tx, replace(after, needs_author_approval=await _awaits_approval(tx, after)), publishes=publishes
    )
    await _settle_merges(tx, before, saved)
    await _notify_webhooks(tx, saved)
    if saved.needs_author_approval and saved.changed_by is not None:
        await ownership.require_approval_of_dates(tx, saved.id, saved.changed_by)
    elif after.needs_author_approval and not saved.needs_author_approval:
        await series_dates.approve_dates(tx, saved.id, saved.owner_id)
    return saved


async def approve_publication(tx: Transaction, series: Series) -> Series:
    """As the owner, approve publication of others' changes to the locked series and its dates."""
    if series.needs_author_approval:
        series = await save(tx, replace(series, changed_by=series.owner_id))
    await series_dates.approve_dates(tx, series.id, series.owner_id)
    return series


async def restore(tx: Transaction, series: Series, values: Mapping[str, Any]) -> None:
    """Restore a locked series from the result of ``queries.values_of``."""
    awaits = await _awaits_approval(tx, series)
    await queries.restore(tx, series, {**values, "needs_author_approval": int(awaits)})
    await _settle_merges(tx, series, await queries.by_id(tx, series.id))
    await _notify_webhooks(tx, series)
    if awaits and series.changed_by is not None:
        await ownership.require_approval_of_dates(tx, series.id, series.changed_by)


async def _awaits_approval(tx: Transaction, series: Series) -> bool:
    """Whether this revision awaits the owner's approval. If the owner lets co-hosts publish, that consent is used and
    logged.
    """
    by = series.changed_by
    if by is None:
        return series.needs_author_approval
    if by == series.owner_id:
        return False
    date = await date_queries.any_date(tx, series.id)
    if date is None or reach(series.content.visibility, series.group, series.record_settings) is PublishLevel.NOTHING:
        return True
    return not await publishing_preferences.permit_co_host_edit(tx, series.owner_id, by, date, series.revision + 1)


async def _settle_merges(tx: Transaction, before: Series | None, after: Series | None) -> None:
    """Settle the merge decisions about the fields of the series' record that an edit has changed."""
    if before is None or after is None or after.record_uri is None:
        return
    old, new = fields_of(before.content, before.timing), fields_of(after.content, after.timing)
    await settle_edited(tx, [EditOfRecord(after.record_uri, partial(getattr, old), partial(getattr, new))])


async def _notify_webhooks(tx: Transaction, series: Series) -> None:
    group_id = series.group.id if series.group else None
    await enqueue_deliveries(tx, WebhookEvent.SERIES, [ChangedSubject(series.id, (series.owner_id,), group_id)])
