"""What the RSVP records of many people say, and that such records are gone, taken over in a few statements, however many there are.

Taken over here is what needs no more than the event, the person and the words: what strangers say for the first time or otherwise than
before, and that they say it no more, where nobody is counted and nobody moves up by it. Where places are counted, where somebody
waits whom it lets in, where somebody who can be reached is owed a letter, one answer decides about the next: that is left to ``actions``,
one at a time. What an answer leads to is decided in the same place for both (``rules.decide``).
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace

from groundwork.clock import Instant
from groundwork.database.row_lock import hold_each
from groundwork.database.transaction import Transaction, TransactionConflict
from openmeet.domain.attendance import (
    history,
    hosts_news,
    joining_queries,
    placing,
    queries,
    recorded,
    rules,
    seating,
    waitlist,
)
from openmeet.domain.attendance.model import Attendance, AttendanceId, AttendanceStatus, NetworkAnswer, Source, Through
from openmeet.domain.attendance.registration import ForeignAnswers, Joining
from openmeet.domain.attendance.rules import Decided, Standing
from openmeet.domain.attendance.transitions import OF_RECORD, TABLE, Act, Outcome
from openmeet.domain.events import queries as events
from openmeet.domain.events.co_host_queries import beside_authors
from openmeet.domain.events.model import Event, EventId, Visibility
from openmeet.domain.moderation.blocks import unwelcome_among
from openmeet.domain.users import queries as users
from openmeet.domain.users.model import UserId, UserKind

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
    """What is asked about all of them at once, the events' rows being locked. ``with_lines``: events for which somebody waits."""

    events: dict[EventId, Event]
    joinings: dict[EventId, Joining]
    answers: dict[Pair, Attendance]
    kinds: dict[UserId, UserKind]
    unwelcome: set[Pair]
    beside: Mapping[EventId, Sequence[UserId]]
    with_lines: set[EventId]

    def hosts_of(self, event: Event) -> tuple[UserId, ...]:
        return event.author_id, *self.beside.get(event.id, ())


async def apply_each(tx: Transaction, words: Sequence[Word]) -> set[Pair]:
    """Take over what can be taken over together; the pairs that are left are to be applied one at a time.

    One word about each event by each person. TransactionConflict where somebody was joined with another row of theirs.
    """
    known = await _look(tx, words)
    new: dict[Pair, Attendance] = {}
    changed: dict[AttendanceId, tuple[Attendance, Attendance]] = {}
    moved: dict[AttendanceId, str] = {}
    left: set[Pair] = set()
    for word in words:
        if word.user_id not in known.kinds:
            raise TransactionConflict("this person was joined with another row of theirs")
        mine = known.answers.get(word.pair)
        after = _decided(known, word, mine, tx.now)
        if after is None:
            left.add(word.pair)
            continue
        if mine is None:
            new[word.pair] = replace(after, record_uri=word.record_uri)
            continue
        if after is not mine:
            changed[mine.id] = (mine, after)
        if mine.record_uri != word.record_uri:
            moved[mine.id] = word.record_uri
    await queries.release_records(tx, {one.record_uri for one in new.values() if one.record_uri} | {*moved.values()})
    await queries.insert_each(tx, list(new.values()))
    await queries.set_records(tx, moved)
    await _save(tx, [*new.values()], [*changed.values()])
    await _tell(tx, known, [*new.values(), *(after for _, after in changed.values())])
    return left


async def withdraw_each(tx: Transaction, event_ids: Mapping[str, EventId | None]) -> set[str]:
    """Records were deleted: the very answers that came from them become ``declined`` (invariant 9). Hosts are not told.

    ``event_ids``: by the uris of the records, to which events they were. The uris that are left are to be taken back one at a time.
    """
    locked = {event_id for event_id in event_ids.values() if event_id is not None}
    await hold_each(tx, "events", "id", locked)
    found = await recorded.of_records(tx, event_ids.keys())
    kinds = await users.kinds(tx, {one.user_id for one in found.values()})
    with_lines = await waitlist.waited_for(tx, {one.event_id for one in found.values()})
    changed: list[tuple[Attendance, Attendance]] = []
    gone: dict[AttendanceId, None] = {}
    left: set[str] = set()
    for uri, mine in found.items():
        # What was answered here since may be the latest word, and whoever can be reached is told.
        if mine.event_id not in locked or mine.source is Source.HERE or kinds.get(mine.user_id) is not UserKind.SHADOW:
            left.add(uri)
            continue
        decided = rules.without_record(mine)
        if decided.status is not mine.status:
            said = placing.as_said(mine)
            after = placing.decided_anew(mine, decided, said, source=Source.NETWORK, answered_at=tx.now)
            if _moves_others(mine, after, with_lines):
                left.add(uri)
                continue
            changed.append((mine, after))
        gone[mine.id] = None
    await queries.set_records(tx, gone)
    await _save(tx, [], changed)
    return left


async def _save(tx: Transaction, new: Sequence[Attendance], changed: Sequence[tuple[Attendance, Attendance]]) -> None:
    """Write what was decided anew (before, after), and the lines of everybody's history."""
    await queries.save_many(tx, [after for _, after in changed])
    lines = [(before, after) for before, after in changed if placing.is_history(before, after)]
    before = [*(None for _ in new), *(one for one, _ in lines)]
    await history.keep_many(tx, before, [*new, *(after for _, after in lines)], through=Through.NETWORK)


async def _look(tx: Transaction, words: Sequence[Word]) -> _Known:
    event_ids = sorted({word.event_id for word in words})
    await hold_each(tx, "events", "id", event_ids)
    found = {event.id: event for event in await events.several(tx, event_ids)}
    pairs = {word.pair for word in words}
    answers = await queries.of_pairs(tx, pairs)
    return _Known(
        found,
        await joining_queries.of_events(tx, list(found.values())),
        answers,
        await users.kinds(tx, {word.user_id for word in words}),
        await unwelcome_among(tx, {pair: found[pair[0]].author_id for pair in pairs if pair[0] in found}),
        await beside_authors(tx, event_ids),
        await waitlist.waited_for(tx, {event_id for event_id, _ in answers}),
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
    standing = Standing(is_host=word.user_id in known.hosts_of(event), is_foreign=is_foreign)
    decided = rules.decide(event, joining, mine, act, standing=standing, has_room=takes_place, now=now)
    if mine is not None and (mine.status, mine.pending_for) == (decided.status, decided.pending_for):
        return mine
    if decided.status is AttendanceStatus.WAITLISTED:
        return None
    if mine is not None:
        return _changed(known, event, word, mine, decided) if is_foreign else None
    said = replace(placing.as_said(None), mode=placing.mode_of_record(event, None))
    return placing.first_answer(
        now, event, word.user_id, decided, said, source=Source.NETWORK, answered_at=word.first_seen
    )


def _changed(known: _Known, event: Event, word: Word, mine: Attendance, decided: Decided) -> Attendance | None:
    """What somebody says who said something else before; None where others may move up by it."""
    said = replace(placing.as_said(mine), mode=placing.mode_of_record(event, mine))
    after = placing.decided_anew(mine, decided, said, source=Source.NETWORK, answered_at=word.first_seen)
    return None if _moves_others(mine, after, known.with_lines) else after


def _moves_others(before: Attendance, after: Attendance, with_lines: Collection[EventId]) -> bool:
    return before.event_id in with_lines and placing.would_free(before, after)


async def _tell(tx: Transaction, known: _Known, said: Sequence[Attendance]) -> None:
    """Hosts hear of answers as they do of one; most events of strangers have nobody who could hear."""
    hosts = {event_id: known.hosts_of(known.events[event_id]) for event_id in {one.event_id for one in said}}
    deaf = await queries.without_ears(tx, sorted({host for some in hosts.values() for host in some}))
    told_of_foreign: set[EventId] = set()
    news: dict[EventId, list[tuple[UserId, AttendanceStatus]]] = {}
    for one in said:
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
            news.setdefault(event.id, []).append((one.user_id, one.status))
    for event_id, some in news.items():
        await hosts_news.tell_hosts_of_each(tx, known.events[event_id], hosts[event_id], some)
