"""The first public event of a new account, where the site wants a moderator to look at it before others see it."""

from groundwork.clock import DAY
from groundwork.database.transaction import Reader, Transaction
from openmeet.domain.events.model import Event, Visibility
from openmeet.domain.moderation import actions, policy
from openmeet.domain.users import queries as users


async def look_first(tx: Transaction, event: Event) -> None:
    """Called wherever an event of ours is written: public ones of its author wait from now on, if this is the first of a new account."""
    if event.visibility is not Visibility.PUBLIC or event.is_gone:
        return
    current = await policy.current(tx)
    if not current.holds_first_events:
        return
    author = await users.by_id(tx, event.author_id)
    if author is None or author.created_at <= tx.now - current.new_account_days * DAY:
        return
    if not await _has_another(tx, event):
        await actions.hold_first_event(tx, event.author_id)


async def _has_another(reader: Reader, event: Event) -> bool:
    """Whether others saw an event of this author before; another date of the same series is none."""
    row = await reader.fetch_one(
        "select 1 as found from events where author_id = :author_id and visibility = 'public' and is_draft = 0"
        " and id <> :id and (series_id is null or series_id <> :series_id) limit 1",
        author_id=event.author_id,
        id=event.id,
        series_id=event.place_in_series.series_id if event.place_in_series else "",
    )
    return row is not None
