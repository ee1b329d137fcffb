"""What hosts hear of answers."""

import zlib
from collections.abc import Sequence

from groundwork.clock import DAY, Instant
from groundwork.database.together import Write
from groundwork.database.transaction import Reader, Transaction
from openmeet.attendance.model import AttendanceStatus
from openmeet.events.host_queries import beside_authors
from openmeet.events.model import Event
from openmeet.notifications import actions as notifications
from openmeet.notifications.model import Kind, Particulars
from openmeet.users.model import UserId

# Beside an instant in microseconds it leaves room in 63 bits for some thousand years.
_PEOPLE = 1 << 10


async def hosts_of(reader: Reader, event: Event) -> list[UserId]:
    """The author, and who hosts it beside them."""
    return [event.author_id, *(await beside_authors(reader, [event.id])).get(event.id, ())]


def news_number(now: Instant, who: UserId) -> int:
    """What tells the news of one answer from those of others: also of two people in the same microsecond, or transaction."""
    return now * _PEOPLE + zlib.crc32(who.encode()) % _PEOPLE


async def tell_hosts(
    tx: Transaction, event: Event, hosts: Sequence[UserId], who: UserId, status: AttendanceStatus
) -> None:
    """Somebody has answered so."""
    particulars = Particulars(person_id=who, answer=status.value)
    to = [one for one in hosts if one != who]
    await notifications.tell(tx, to, Kind.NEW_ANSWER, event.id, news_number(tx.now, who), particulars)


async def news_of_hosts(
    tx: Transaction, event: Event, hosts: Sequence[UserId], who: UserId, status: AttendanceStatus
) -> Sequence[Write] | None:
    """What ``tell_hosts`` would write, to go along with the answer; None where there is more to it."""
    particulars = Particulars(person_id=who, answer=status.value)
    to = [one for one in hosts if one != who]
    return await notifications.telling(tx, to, Kind.NEW_ANSWER, event.id, news_number(tx.now, who), particulars)


async def tell_of_foreign(tx: Transaction, event: Event) -> None:
    """One notice to each host, however many there are: while it is unread there is no other, and afterwards one a day."""
    day = tx.now // DAY
    hosts = await hosts_of(tx, event)
    told = await tx.fetch(
        "select user_id from notifications where user_id in :hosts and kind = :kind and subject_id = :event_id"
        " and (read_at is null or subject_revision >= :day) order by user_id",
        hosts=hosts,
        kind=Kind.FOREIGN_ANSWERS.value,
        event_id=event.id,
        day=day,
    )
    known = {row["user_id"] for row in told}
    to = [one for one in hosts if one not in known]
    if to:
        await notifications.tell(tx, to, Kind.FOREIGN_ANSWERS, event.id, day)
