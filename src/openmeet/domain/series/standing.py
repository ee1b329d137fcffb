"""Standing answers: who goes to every date of a series goes to those, too, that come into being later.

Each date counts its own seats, by the one function that counts them; a full one puts them into its line, in the order in which they
said that they go to all. A few answer in the transaction that stores the dates; a crowd's answers are a debt of each date, given some
at a time. One that is paid twice, or begun anew, finds who has an answer already and passes them.
"""

from collections.abc import Sequence
from functools import partial

from groundwork.database.one_hop import in_one_hop
from groundwork.database.transaction import Database, Transaction
from groundwork.errors import Forbidden, InvalidForm, NotFound, Refused
from groundwork.outbox.owe import Debt as OwedDebt
from groundwork.outbox.owe import owe_many
from groundwork.outbox.pay import Payer
from openmeet.domain.attendance import actions as attendance
from openmeet.domain.attendance import registration
from openmeet.domain.attendance.model import Reply
from openmeet.domain.events.model import Event, EventId
from openmeet.domain.events.queries import by_id
from openmeet.domain.series import follower_queries, queries
from openmeet.domain.series.model import Going, Series, SeriesId
from openmeet.domain.users.model import Caller
from openmeet.outbox.kinds import Debt

# Answers that are given together with the dates, and in one transaction of a payer: each takes half a dozen statements.
AT_ONCE = 40
PIECE = 25


async def go_to_new_dates(tx: Transaction, series: Series, made: Sequence[Event]) -> None:
    """Answer dates that were just stored for everybody who goes to all; who may not go there any more is left out."""
    if not made:
        return
    everybody = await follower_queries.going(tx, series.id, limit=AT_ONCE + 1)
    if len(everybody) * len(made) <= AT_ONCE:
        for event in made:
            await _go(tx, event, everybody)
    else:
        await owe_many(tx, Debt.STANDING_ANSWERS, [(event.id, 1, tx.now) for event in made])


def standing_payer(db: Database) -> Payer:
    """The payer of ``Debt.STANDING_ANSWERS``; the subject is the date."""

    async def pay(debt: OwedDebt) -> None:
        event_id, last = EventId(debt.subject), None
        while some := await in_one_hop(db, partial(_next_go, event_id=event_id, last=last)):
            last = some[-1]

    return pay


async def _next_go(tx: Transaction, event_id: EventId, last: Going | None) -> list[Going]:
    """The next who go to all of its series, behind this one, go to a date; who they were."""
    known = await by_id(tx, event_id)
    if known is None or known.place_in_series is None or known.is_gone:
        return []
    # Whoever says that they go no more holds this lock, too.
    series = await queries.lock(tx, SeriesId(known.place_in_series.series_id))
    if series is None:
        return []
    some = await follower_queries.going(tx, series.id, limit=PIECE, behind=last, unanswered=event_id)
    await _go(tx, known, some)
    return some


async def _go(tx: Transaction, event: Event, people: Sequence[Going]) -> None:
    is_limited = event.id in await registration.limited_among(tx, [event])
    for one in people:
        if is_limited and not one.with_limited:
            continue
        try:
            await attendance.answer(
                tx, Caller(one.user_id, ""), event.slug, Reply.GOING, tells_host=False, is_single=False
            )
        except (NotFound, Forbidden, Refused, InvalidForm):
            continue  # out of the group, or the date takes no such answer, or asks first: theirs to see on its page
