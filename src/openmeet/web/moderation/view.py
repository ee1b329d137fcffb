"""What moderators see: what was reported, what waits, what is hidden, what was done; decided here, placed by the templates."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final
from urllib.parse import quote

from groundwork.clock import Instant
from groundwork.database.transaction import Reader
from openmeet.domain.identities.queries import shown_names
from openmeet.domain.moderation import audit_log, reports, visibility
from openmeet.domain.moderation.model import REASON_WORDS, Act, Entry, Report, Standing, State, Subject, Thing
from openmeet.domain.safety import subjects
from openmeet.domain.safety.subjects import Meant
from openmeet.web.moderation import labelled

# Reports read for one page of the queue; a thing that is reported more often than this is clear enough.
MOST_REPORTS: Final = 500
# Events of a newcomer that a moderator looks at before deciding.
MOST_SHOWN: Final = 5

THING_WORDS: Final = {
    Thing.EVENT: "Event",
    Thing.SERIES: "Series",
    Thing.GROUP: "Group",
    Thing.PERSON: "Person",
    Thing.DID: "Account of the network",
    Thing.HOST: "Host of repositories",
}
STATE_WORDS: Final = {
    State.SHOWN: "Shown",
    State.HIDDEN: "Hidden",
    State.FIRST_EVENT: "Waits: first public event",
    State.ARRIVAL: "Waits: just met",
    State.BURST: "Waits: too much at once",
    State.TRUSTED: "Trusted",
}
ACT_WORDS: Final = {
    Act.HIDE: "hid",
    Act.SHOW: "showed again",
    Act.BLOCK: "blocked",
    Act.UNBLOCK: "unblocked",
    Act.RELEASE: "released",
    Act.HOLD: "let wait",
    Act.DISMISS: "dismissed what was reported about",
    Act.REOPEN: "opened again what was reported about",
    Act.NAME: "named as moderator",
    Act.UNNAME: "ended the moderating of",
    Act.CHANGE_POLICY: "changed the rules of",
}


@dataclass(frozen=True, slots=True)
class Said:
    """One report, as moderators read it."""

    who: str
    reason: str
    words: str
    at: Instant


@dataclass(frozen=True, slots=True)
class Card:
    """One subject: what it is, how it stands, what was reported, what is theirs."""

    meant: Meant
    kind: str
    state: State
    state_words: str
    reason: str
    since: Instant | None
    path: str
    said: list[Said] = field(default_factory=list)
    events: list[Meant] = field(default_factory=list)
    labels: list[tuple[str, Instant]] = field(default_factory=list)
    is_labelled_away: bool = False

    @property
    def is_there(self) -> bool:
        return self.meant.is_there

    @property
    def is_shown(self) -> bool:
        return self.state in {State.SHOWN, State.TRUSTED} and not self.is_labelled_away


@dataclass(frozen=True, slots=True)
class LogLine:
    """A line of the log in words. ``undo_id`` is empty for what was taken back, and for what is not taken back here."""

    at: Instant
    who: str
    what: str
    title: str
    path: str
    kind: str
    change: str
    reason: str
    undo_id: str
    is_undo: bool


def path_of(subject: Subject) -> str:
    """The page on which moderators decide about it."""
    return f"/moderation/things/{subject.thing.value}/{quote(subject.id, safe='')}"


async def cards(reader: Reader, listed: Sequence[Subject]) -> list[Card]:
    """These subjects, in their order, with open reports, and with some events of those who wait."""
    meant = await subjects.described(reader, listed)
    stand = await visibility.of_each(reader, [subject.id for subject in listed])
    labels = await labelled.of_each(reader, listed)
    said = await _said(reader, await reports.open_about(reader, [subject.id for subject in listed], MOST_REPORTS))
    found = []
    for subject in listed:
        known = stand.get(subject.id)
        state = known.state if known else State.SHOWN
        told = labels.get(subject.id)
        is_held = told is not None and told.is_held
        own = await _events_of(reader, meant[subject.id]) if subject.thing in {Thing.PERSON, Thing.DID} else []
        found.append(
            Card(
                meant[subject.id],
                THING_WORDS[subject.thing],
                state,
                "Waits: labelled" if is_held and state is State.SHOWN else STATE_WORDS[state],
                known.reason if known else "",
                known.since if known else None,
                path_of(subject),
                said.get(subject.id, []),
                own,
                told.words if told else [],
                is_held,
            )
        )
    return found


async def _said(reader: Reader, found: Sequence[Report]) -> dict[str, list[Said]]:
    names = await shown_names(reader, [one.reporter_id for one in found])
    said: dict[str, list[Said]] = {}
    for one in found:
        line = Said(names[one.reporter_id], REASON_WORDS[one.reason], one.words, one.created_at)
        said.setdefault(one.subject.id, []).append(line)
    return said


async def _events_of(reader: Reader, meant: Meant) -> list[Meant]:
    if meant.owner is None:
        return []
    rows = await reader.fetch(
        "select id from events where author_id = :owner and visibility = 'public' and is_draft = 0"
        " and deleted_at is null and removed_at is null order by created_at desc, id desc limit :limit",
        owner=meant.owner,
        limit=MOST_SHOWN,
    )
    own = [Subject(Thing.EVENT, row["id"]) for row in rows]
    described = await subjects.described(reader, own)
    return [described[one.id] for one in own]


async def lines(reader: Reader, entries: Sequence[Entry]) -> list[LogLine]:
    """Lines of the log in words, in their order."""
    meant = await subjects.described(reader, [one.subject for one in entries])
    actors = await shown_names(reader, [one.actor_id for one in entries if one.actor_id is not None])
    undone = await audit_log.undone_among(reader, [one.id for one in entries])
    return [
        _line(one, meant, actors.get(one.actor_id, "") if one.actor_id else "", one.id in undone) for one in entries
    ]


def _line(one: Entry, meant: Mapping[str, Meant], actor: str, is_undone: bool) -> LogLine:
    is_policy = one.act is Act.CHANGE_POLICY
    is_taken_back_here = not is_undone and one.act not in {Act.NAME, Act.UNNAME}
    return LogLine(
        at=one.at,
        who=actor or "A rule of this site",
        what=ACT_WORDS[one.act],
        title="this site" if is_policy else meant[one.subject.id].title or one.subject.id,
        path="" if is_policy else path_of(one.subject),
        kind="" if is_policy else THING_WORDS[one.subject.thing],
        change=_change(one),
        reason=one.reason,
        undo_id=one.id if is_taken_back_here else "",
        is_undo=one.undoes is not None,
    )


def _change(one: Entry) -> str:
    if one.act is Act.CHANGE_POLICY:
        before, after = (set(words.split()) for words in (one.before, one.after))
        return ", ".join(sorted(after - before)).replace("_", " ").replace("=", ": ")
    if one.before in set(State) and one.after in set(State):
        return f"{STATE_WORDS[State(one.before)]} → {STATE_WORDS[State(one.after)]}"
    return ""


def next_after(found: Sequence[Standing], limit: int) -> str:
    """Where the next page of what stands so begins; empty on the last."""
    return f"{found[limit - 1].since}:{found[limit - 1].subject.id}" if len(found) > limit else ""
