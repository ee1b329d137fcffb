"""What happens by the clock: whoever goes to an event is reminded of it the day before; offers that nobody took end."""

from groundwork.clock import DAY, Instant
from groundwork.database.one_hop import in_one_hop
from groundwork.database.transaction import Database, Reader, Transaction
from groundwork.outbox.owe import Debt as OwedDebt
from groundwork.outbox.pay import Payer
from openmeet.domain.attendance import joining_queries, waitlist
from openmeet.domain.events.model import EventId
from openmeet.domain.events.queries import lock_for_update
from openmeet.domain.notifications.model import Kind
from openmeet.domain.notifications.notify import tell
from openmeet.domain.users.model import UserId

# How long before the start a reminder is owed.
AHEAD = DAY

# The start is the revision: an event that is moved afterwards is reminded of once more, one that is not never is. Who answered
# within the last day before the start knows of it.
_UNREMINDED = """
      from attendances a join events e on e.id = a.event_id join users u on u.id = a.user_id
     where e.starts_at > :now and e.starts_at <= :until
       and e.status <> 'cancelled' and e.deleted_at is null and e.removed_at is null
       and a.status = 'attending' and a.answered_at <= e.starts_at - :ahead
       and (u.kind = 'person' or exists (select 1 from guests g where g.user_id = u.id and g.email is not null))
       and not exists (select 1 from notifications n
                        where n.user_id = a.user_id and n.kind = 'reminder' and n.subject_id = a.event_id
                          and n.subject_revision = e.starts_at)
"""


async def remind(db: Database) -> int:
    """Owe every reminder that is due, each once; how many people it concerned. One transaction per event."""
    async with db.reader() as reader:
        rows = await reader.fetch(
            f"select distinct e.id, e.starts_at {_UNREMINDED} order by e.starts_at, e.id", **_window(reader)
        )
    reminded = 0
    for row in rows:
        async with db.transaction() as tx:
            reminded += await _remind_of(tx, EventId(row["id"]))
    return reminded


async def end_offers(db: Database) -> int:
    """Give seats that were offered in vain to the next in line; how many offers ended. One transaction per event."""
    async with db.reader() as reader:
        ended = await waitlist.ended_offers(reader)
    count = 0
    for event_id in ended:
        async with db.transaction() as tx:
            event = await lock_for_update(tx, event_id)
            if event is not None:
                count += await waitlist.end_offers(tx, event)
                await waitlist.fill(tx, event, await joining_queries.of_event(tx, event))
    return count


def freed_seats_payer(db: Database) -> Payer:
    """The payer of ``Debt.FREED_SEATS``; the subject is the event."""

    async def fill(tx: Transaction, event_id: EventId) -> int:
        event = await lock_for_update(tx, event_id)
        return 0 if event is None else await waitlist.fill(tx, event, await joining_queries.of_event(tx, event))

    async def pay(debt: OwedDebt) -> None:
        # The debt that each full round owes would be this one.
        while await in_one_hop(db, lambda tx: fill(tx, EventId(debt.subject))) >= waitlist.LOOKED_AT:
            pass

    return pay


async def _remind_of(tx: Transaction, event_id: EventId) -> int:
    event = await lock_for_update(tx, event_id)
    if event is None or event.starts_at is None:
        return 0
    rows = await tx.fetch(
        f"select a.user_id {_UNREMINDED} and e.id = :event_id order by a.user_id", event_id=event_id, **_window(tx)
    )
    people = [UserId(row["user_id"]) for row in rows]
    await tell(tx, people, Kind.REMINDER, event_id, event.starts_at, starts_at=event.starts_at)
    return len(people)


def _window(reader: Reader) -> dict[str, int]:
    return {"now": reader.now, "until": Instant(reader.now + AHEAD), "ahead": AHEAD}
