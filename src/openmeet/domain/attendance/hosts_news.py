"""What hosts hear of answers."""

import zlib
from collections.abc import Sequence

from groundwork.clock import DAY, SECOND, Instant
from groundwork.database.together import Write
from groundwork.database.transaction import Reader, Transaction
from openmeet.domain.attendance.model import AttendanceStatus
from openmeet.domain.events.co_host_queries import beside_authors
from openmeet.domain.events.model import Event
from openmeet.domain.notifications import notify as notifications
from openmeet.domain.notifications.model import Kind, Particulars
from openmeet.domain.users.model import UserId

_MILLISECOND = SECOND // 1000
# What milliseconds leave of 63 bits until the year 2109. A batch brings hundreds of answers to one event in one instant.
_TOLD_APART = 1 << 21


async def hosts_of(reader: Reader, event: Event) -> list[UserId]:
    """The author, and who hosts it beside them."""
    return [event.author_id, *(await beside_authors(reader, [event.id])).get(event.id, ())]


def news_number(now: Instant, who: UserId, status: AttendanceStatus) -> int:
    """What tells the news of one answer from those of others: also of many people in one transaction, or of one who changes their mind there."""
    return now // _MILLISECOND * _TOLD_APART + zlib.crc32(f"{who} {status}".encode()) % _TOLD_APART


async def tell_hosts(
    tx: Transaction, event: Event, hosts: Sequence[UserId], who: UserId, status: AttendanceStatus
) -> None:
    """Somebody has answered so."""
    await tell_hosts_of_each(tx, event, hosts, [(who, status)])


async def tell_hosts_of_each(
    tx: Transaction, event: Event, hosts: Sequence[UserId], said: Sequence[tuple[UserId, AttendanceStatus]]
) -> None:
    """These people have answered so: each is news of its own, in hardly more statements than those of one."""
    tellings: dict[int, notifications.Telling] = {}
    for who, status in said:
        number = news_number(tx.now, who, status)
        while number in tellings:  # of a few hundred people two share theirs every now and then
            number += 1
        to = [one for one in hosts if one != who]
        particulars = Particulars(person_id=who, answer=status.value)
        tellings[number] = notifications.Telling(to, event.id, number, particulars)
    await notifications.tell_each(tx, Kind.NEW_ANSWER, list(tellings.values()))


async def news_of_hosts(
    tx: Transaction, event: Event, hosts: Sequence[UserId], who: UserId, status: AttendanceStatus
) -> Sequence[Write] | None:
    """What ``tell_hosts`` would write, to go along with the answer; None where there is more to it."""
    particulars = Particulars(person_id=who, answer=status.value)
    to = [one for one in hosts if one != who]
    return await notifications.telling(tx, to, Kind.NEW_ANSWER, event.id, news_number(tx.now, who, status), particulars)


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
