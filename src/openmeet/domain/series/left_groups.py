"""Somebody is out of a group: they go to no later dates of its series that they see no more, and what they answered ends.

Banned, they host none of its events beside others any more.
"""

from groundwork.database.transaction import Database, Reader, Transaction
from groundwork.outbox.owe import Debt as OwedDebt
from groundwork.outbox.pay import Payer
from openmeet.domain.attendance import reevaluation
from openmeet.domain.events import co_host_queries
from openmeet.domain.series import follower_queries, queries, visibility
from openmeet.domain.series.model import SeriesId
from openmeet.domain.users.model import UserId

_GOING = """
    select s.id from event_series_answers a
      join event_series s on s.id = a.series_id
      join group_members m on m.group_id = s.group_id and m.user_id = a.user_id
     where a.user_id = :user_id and m.role in ('left', 'banned') order by s.id
"""


def left_group_payer(db: Database) -> Payer:
    """The payer of ``Debt.LEFT_GROUP``; the subject is a person. Paid twice, it finds nothing left to end."""

    async def pay(debt: OwedDebt) -> None:
        await end_answers(db, UserId(debt.subject))

    return pay


async def end_answers(db: Database, user_id: UserId) -> int:
    """How many answers ended. Each series and each event in a transaction of its own: others may wait for them, too."""
    async with db.transaction() as tx:
        # First: who hosts an event sees it, and would keep their answer.
        await co_host_queries.end_where_banned(tx, user_id)
    async with db.reader() as reader:
        series_ids = await _going(reader, user_id)
    for series_id in series_ids:
        async with db.transaction() as tx:
            await _go_no_more(tx, series_id, user_id)
    # Behind the standing answers: a date that comes into being meanwhile is answered by them no more.
    async with db.reader() as reader:
        event_ids = await reevaluation.answered(reader, user_id)
    ended = 0
    for event_id in event_ids:
        async with db.transaction() as tx:
            ended += await reevaluation.end_answer(tx, event_id, user_id)
    return ended


async def _going(reader: Reader, user_id: UserId) -> list[SeriesId]:
    return [SeriesId(row["id"]) for row in await reader.fetch(_GOING, user_id=user_id)]


async def _go_no_more(tx: Transaction, series_id: SeriesId, user_id: UserId) -> None:
    series = await queries.lock(tx, series_id)
    if series is not None and not await visibility.may_see(tx, series, user_id):
        await follower_queries.go_no_more(tx, series_id, user_id)
