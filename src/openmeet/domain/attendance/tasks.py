"""Scheduled tasks: reminders the day before, expired offers, and notifications of new events in groups."""

from groundwork.clock import DAY, MINUTE, Instant
from groundwork.database.one_hop import in_one_hop
from groundwork.database.transaction import Database, Reader, Transaction
from groundwork.outbox.dispatcher import JobHandler
from groundwork.outbox.jobs import Job
from openmeet.domain.attendance import registration, waitlist
from openmeet.domain.attendance.visibility import seen_by_all
from openmeet.domain.events.model import EventId
from openmeet.domain.events.queries import lock_for_update
from openmeet.domain.events.visibility import is_hidden
from openmeet.domain.groups.actions import listeners
from openmeet.domain.identities.queries import mentioned_in
from openmeet.domain.notifications.model import NotificationDetails, NotificationKind
from openmeet.domain.notifications.notify import reached, tell
from openmeet.domain.users.model import UserId

# How long before the start a reminder is enqueued.
AHEAD = DAY

# The start is the revision: a reminder is repeated only for a moved event. People who answered on the last day need
# none.
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
    """Enqueue every reminder that is due, each once; returns the number of people. One transaction per event."""
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
    """Expire unanswered offers and give their seats to the next on the waitlist; returns how many. One transaction per
    event.
    """
    async with db.reader() as reader:
        ended = await waitlist.ended_offers(reader)
    count = 0
    for event_id in ended:
        async with db.transaction() as tx:
            event = await lock_for_update(tx, event_id)
            if event is not None:
                count += await waitlist.end_offers(tx, event)
                await waitlist.fill(tx, event, await registration.of_event(tx, event))
    return count


def freed_seats_handler(db: Database) -> JobHandler:
    """Handler of ``JobKind.FREED_SEATS``; the subject is the event."""

    async def fill(tx: Transaction, event_id: EventId) -> int:
        event = await lock_for_update(tx, event_id)
        return 0 if event is None else await waitlist.fill(tx, event, await registration.of_event(tx, event))

    async def pay(job: Job) -> None:
        # Without this the job that each full batch enqueues would be this very one.
        while await in_one_hop(db, lambda tx: fill(tx, EventId(job.subject))) >= waitlist.LOOKED_AT:
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
    await tell(tx, people, NotificationKind.REMINDER, event_id, event.starts_at, starts_at=event.starts_at)
    return len(people)


def _window(reader: Reader) -> dict[str, int]:
    return {"now": reader.now, "until": Instant(reader.now + AHEAD), "ahead": AHEAD}


# Time to correct mistakes that one sees only after publishing; drafts and held events do not count yet.
SETTLES_FOR = 5 * MINUTE
# The columns of the index ``events_untold_to_groups``: other events, however many, cost nothing.
_IN_INDEX = "e.is_told_to_group = 0 and e.group_id is not null and e.is_held = 0 and e.deleted_at is null and e.removed_at is null"
# Nobody is notified of past events, nor of further dates of a series after its first.
_PASSED_BY = f"""
    update events set is_told_to_group = 1
     where id in (
           select e.id from events e
            where {_IN_INDEX} and e.updated_at <= :settled
              and (e.over_at <= :now or e.series_id is not null and exists (
                    select 1 from events o join group_events_told t on t.event_id = o.id where o.series_id = e.series_id)))
"""
_UNTOLD = f"""
    select e.id from events e join groups g on g.id = e.group_id
     where {_IN_INDEX} and e.updated_at <= :settled and g.deleted_at is null and e.over_at > :now
       and e.status <> 'cancelled' and not {is_hidden("e")}
     order by e.starts_at, e.id
"""
_TOLD = "update events set is_told_to_group = 1 where id = :event_id and group_id is not null"


async def tell_of_new_events(db: Database) -> int:
    """Notify group members of new events; returns how many events. One transaction per event; one date stands for its
    series.
    """
    async with db.transaction() as tx:
        settled = Instant(tx.now - SETTLES_FOR)
        await tx.execute(_PASSED_BY, now=tx.now, settled=settled)
        rows = await tx.fetch(_UNTOLD, now=tx.now, settled=settled)
    told = 0
    for row in rows:
        async with db.transaction() as tx:
            told += await _tell_of(tx, EventId(row["id"]))
            await tx.execute(_TOLD, event_id=row["id"])
    return told


async def _tell_of(tx: Transaction, event_id: EventId) -> bool:
    event = await lock_for_update(tx, event_id)
    if event is None or event.group is None:
        return False
    place = event.place_in_series
    if place is not None and await _is_told_of_series(tx, place.series_id):
        return False
    is_first = await tx.execute(
        "insert into group_events_told (event_id, told_at) values (:event_id, :now) on conflict (event_id) do nothing",
        event_id=event_id,
        now=tx.now,
    )
    if not is_first:
        return False
    people = [one for one in await listeners(tx, event.group.id) if one != event.author_id]
    seeing = await seen_by_all(tx, event, people)
    sources = (event.author_id, event.group.id)
    mentioned = [one for one in await mentioned_in(tx, event.description) if one in set(seeing)]
    hearing = await reached(tx, mentioned, NotificationKind.MENTION)
    about = NotificationDetails(person_id=event.author_id)
    await tell(tx, hearing, NotificationKind.MENTION, event.id, 1, about, starts_at=event.starts_at, sources=sources)
    seeing = [one for one in seeing if one not in hearing]
    await tell(tx, seeing, NotificationKind.GROUP_EVENT, event.id, 1, starts_at=event.starts_at, sources=sources)
    return True


async def _is_told_of_series(tx: Transaction, series_id: str) -> bool:
    row = await tx.fetch_one(
        "select 1 as told from events o join group_events_told t on t.event_id = o.id where o.series_id = :series_id",
        series_id=series_id,
    )
    return row is not None
