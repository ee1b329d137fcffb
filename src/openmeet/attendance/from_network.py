"""What the RSVP records of many people say, taken over in a few statements, however many there are.

Taken over here is what needs no more than the event, the person and the words: the first answers of people to events without a
limit, answers that take no place, and those that say nothing new. Where places are counted, where somebody changes their mind or
may move up, one answer decides about the next: that is left to ``actions.apply_from_network``, one at a time. What an answer
leads to is decided in the same place for both (``rules.decide``).
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from groundwork.clock import Instant
from groundwork.database.row_lock import hold_each
from groundwork.database.transaction import Transaction, TransactionConflict
from openmeet.attendance import history, hosts_news, joining_queries, placing, queries, rules, seating
from openmeet.attendance.joining import ForeignAnswers, Joining
from openmeet.attendance.model import Attendance, AttendanceId, AttendanceStatus, NetworkAnswer, Source, Through
from openmeet.attendance.rules import Standing
from openmeet.attendance.transitions import OF_RECORD, TABLE, Act, Outcome
from openmeet.events import queries as events
from openmeet.events.host_queries import beside_authors
from openmeet.events.model import Event, EventId, Visibility
from openmeet.moderation.distance import unwelcome_among
from openmeet.users import queries as users
from openmeet.users.model import UserId, UserKind

Pair = tuple[EventId, UserId]


@dataclass(frozen=True, slots=True)
class Word:
    """What counts of a person's records about an event. ``first_seen`` is the place in the order."""

    event_id: EventId
    user_id: UserId
    record_uri: str
    answer: NetworkAnswer
    first_seen: Instant

    @property
    def pair(self) -> Pair:
        return self.event_id, self.user_id


@dataclass(frozen=True, slots=True)
class _Known:
    """What is asked about all of them at once, the events' rows being locked."""

    events: dict[EventId, Event]
    joinings: dict[EventId, Joining]
    answers: dict[Pair, Attendance]
    kinds: dict[UserId, UserKind]
    unwelcome: set[Pair]


async def apply_each(tx: Transaction, words: Sequence[Word]) -> set[Pair]:
    """Take over what can be taken over together; the pairs that are left are to be applied one at a time.

    One word about each event by each person. TransactionConflict where somebody was joined with another row of theirs.
    """
    known = await _look(tx, words)
    new: dict[Pair, Attendance] = {}
    moved: dict[AttendanceId, str] = {}
    left: set[Pair] = set()
    for word in words:
        if word.user_id not in known.kinds:
            raise TransactionConflict("this person was joined with another row of theirs")
        mine = known.answers.get(word.pair)
        after = _decided(known, word, mine, tx.now)
        if after is None:
            left.add(word.pair)
        elif mine is None:
            new[word.pair] = replace(after, record_uri=word.record_uri)
        elif mine.record_uri != word.record_uri:
            moved[mine.id] = word.record_uri
    await queries.release_records(tx, {one.record_uri for one in new.values() if one.record_uri} | {*moved.values()})
    await queries.insert_each(tx, list(new.values()))
    await queries.set_records(tx, moved)
    await history.keep_many(tx, [None] * len(new), list(new.values()), through=Through.NETWORK)
    await _tell(tx, known, list(new.values()))
    return left


async def _look(tx: Transaction, words: Sequence[Word]) -> _Known:
    event_ids = sorted({word.event_id for word in words})
    await hold_each(tx, "events", "id", event_ids)
    found = {event.id: event for event in await events.several(tx, event_ids)}
    pairs = {word.pair for word in words}
    return _Known(
        found,
        await joining_queries.of_events(tx, list(found.values())),
        await queries.of_pairs(tx, pairs),
        await users.kinds(tx, {word.user_id for word in words}),
        await unwelcome_among(tx, {pair: found[pair[0]].author_id for pair in pairs if pair[0] in found}),
    )


def _decided(known: _Known, word: Word, mine: Attendance | None, now: Instant) -> Attendance | None:
    """The answer as it is from now on; None where there is more to decide than these words alone."""
    event = known.events.get(word.event_id)
    if event is None or event.group is not None or (mine is not None and mine.offered_until is not None):
        return None
    if event.visibility is Visibility.PRIVATE or event.is_held:
        return None  # whether it exists for this person is asked by itself
    joining = known.joinings[event.id]
    act = Act.NETWORK_NOT_GOING if word.pair in known.unwelcome else OF_RECORD[word.answer]
    is_foreign = known.kinds[word.user_id] is UserKind.SHADOW
    takes_place = TABLE[act][mine.status if mine else None] in {Outcome.SEAT, Outcome.CLEAR_UP} and not (
        is_foreign and joining.foreign_on(event) is not ForeignAnswers.COUNT
    )
    if takes_place and not seating.limits_of(event, joining).is_open:
        return None
    standing = Standing(is_host=event.author_id == word.user_id, is_foreign=is_foreign)
    decided = rules.decide(event, joining, mine, act, standing=standing, has_room=takes_place, now=now)
    if mine is not None:
        return mine if (mine.status, mine.pending_for) == (decided.status, decided.pending_for) else None
    if decided.status is AttendanceStatus.WAITLISTED:
        return None
    said = replace(placing.as_said(None), mode=placing.mode_of_record(event, None))
    return placing.first_answer(
        now, event, word.user_id, decided, said, source=Source.NETWORK, answered_at=word.first_seen
    )


async def _tell(tx: Transaction, known: _Known, new: Sequence[Attendance]) -> None:
    """Hosts hear of answers as they do of one; most events of strangers have nobody who could hear."""
    beside = await beside_authors(tx, {one.event_id for one in new})
    hosts = {
        event_id: (known.events[event_id].author_id, *beside.get(event_id, ()))
        for event_id in {one.event_id for one in new}
    }
    deaf = await queries.without_ears(tx, sorted({host for some in hosts.values() for host in some}))
    told_of_foreign: set[EventId] = set()
    for one in new:
        event = known.events[one.event_id]
        if deaf.issuperset(hosts[event.id]):
            continue
        is_foreign = known.kinds[one.user_id] is UserKind.SHADOW
        is_apart = is_foreign and known.joinings[event.id].foreign_on(event) is not ForeignAnswers.COUNT
        if is_apart and one.status is AttendanceStatus.PENDING:
            if event.id not in told_of_foreign:
                told_of_foreign.add(event.id)
                await hosts_news.tell_of_foreign(tx, event)
        elif event.author_id != one.user_id:
            await hosts_news.tell_hosts(tx, event, hosts[event.id], one.user_id, one.status)
