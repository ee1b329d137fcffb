"""What must hold in a simulation: seats at every moment, everything else when nothing is owed any more.

The records as announced by the PDS, and what people remember, are one side; OpenMeet's database is the other. Nothing
of OpenMeet's own reasoning is used to say what should be there.
"""

import random
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from at_protocol.sync import events
from at_protocol.sync.events import Action, CommitMessage
from groundwork.clock import HOUR
from groundwork.database.transaction import Database
from groundwork.queue.embedded import EmbeddedQueue
from openmeet.debts.publications import Kind, try_again
from tests.world.announced import answered_twice, changes_in
from tests.world.oracle import EVENT, RSVP, Change
from tests.world.simulation_network import LEASE
from tests.world.simulation_people import Person, Sort, moment_of

if TYPE_CHECKING:
    from tests.world.simulation import Simulation

# What a record says, and how that may stand here: seats are the host's to give.
STANDS_FOR = {
    "going": {"attending", "waitlisted", "pending"},
    "interested": {"interested"},
    "notgoing": {"declined"},
}
# What is told to a repository; the rest stays here.
TOLD = {"attending": "going", "interested": "interested", "declined": "notgoing"}

UNFINISHED = "('due', 'sending', 'retrying', 'retracting', 'blocked', 'conflicted')"
ROUNDS = 60


def expect(holds: object, what: str) -> None:
    """Everything that is checked goes through here."""
    if not holds:
        raise AssertionError(what)


@dataclass
class Seats:
    """Looked at after every operation: never more than there are, nobody waits beside a free seat (invariant 4).

    A seat that is offered is not free.
    """

    seated: dict[str, int] = field(default_factory=dict)

    async def look(self, db: Database) -> None:
        question = """
            select e.id, e.capacity, e.status, e.removed_at, e.deleted_at,
                   sum(case when a.status in ('attending', 'attended') or a.offered_until is not null then 1 else 0 end) as seated,
                   sum(case when a.status = 'waitlisted' and a.offered_until is null then 1 else 0 end) as waiting
              from events e join attendances a on a.event_id = e.id
             where e.capacity is not null
             group by e.id, e.capacity, e.status, e.removed_at, e.deleted_at
        """
        async with db.reader() as reader:
            rows = await reader.fetch(question)
        for row in rows:
            # A host who takes seats away turns nobody out; but nobody comes in either.
            most = max(row["capacity"], self.seated.get(row["id"], 0))
            expect(row["seated"] <= most, f"{row['id']} has {row['seated']} people on {row['capacity']} seats")
            will_happen = row["status"] != "cancelled" and row["removed_at"] is None and row["deleted_at"] is None
            if will_happen and row["seated"] < row["capacity"]:
                expect(row["waiting"] == 0, f"somebody waits for {row['id']} beside a free seat")
        self.seated = {row["id"]: row["seated"] for row in rows}


async def decisions(db: Database) -> set[tuple[Any, ...]]:
    """What was decided: a replay must not change any of it."""
    async with db.reader() as reader:
        answers = await reader.fetch("select id, status, waitlist_number, revision, record_uri from attendances")
        known = await reader.fetch(
            "select id, title, description, status, revision, removed_at, record_uri from events"
        )
    return {tuple(row) for row in [*answers, *known]}


async def settle(simulation: "Simulation") -> None:
    """Faults end; programs work and time passes until nothing is owed. A person helps where a person must."""
    town = simulation.town
    town.take_pds_away(is_away=False)
    town.faults.clear()
    for turn in range(ROUNDS):
        town.clock.turn(LEASE if turn < 5 else HOUR)
        await town.listen()
        await town.process_all()
        while await town.pay_debts():
            pass
        while await town.pay():
            pass
        await town.listen()
        await town.process_all()
        await _help(simulation)
        if not await _owed(town.db) and (await town.queue.depth()).waiting == 0:
            return
    raise AssertionError(f"never settled: {await _owed(town.db)}")


async def _help(simulation: "Simulation") -> None:
    """People look at what programs gave up: they sign in again, or say which version they want."""
    async with simulation.town.db.reader() as reader:
        rows = await reader.fetch(
            "select kind, subject_id, user_id, state from publications where state in ('blocked', 'conflicted')"
        )
    for row in rows:
        person = next(one for one in simulation.people.values() if one.caller and one.caller.user_id == row["user_id"])
        if row["state"] == "blocked" and person.sort is Sort.CONNECTED:
            await simulation.sign_in(person)
        async with simulation.town.db.transaction() as tx:
            await try_again(tx, kind=Kind(row["kind"]), subject_id=row["subject_id"])


async def _owed(db: Database) -> list[tuple[Any, ...]]:
    async with db.reader() as reader:
        publications = await reader.fetch(
            f"select kind, subject_id, state, attempts, reason, uri from publications where state in {UNFINISHED}"
        )
        debts = await reader.fetch(
            # Nobody of this world reads mail, and no program here sends any.
            "select kind, subject, state, attempts, reason from debts where state in ('due', 'leased') and kind <> 'mail'"
        )
    return [tuple(row) for row in [*publications, *debts]]


@dataclass(frozen=True)
class Facts:
    """Both sides when nothing is owed any more."""

    frames: list[bytes]
    # The newest version of each record, by uri; deleted ones are not in it.
    records: dict[str, Change]
    # In which commit each record was made.
    first_revs: dict[str, str]
    # Rows by id.
    events: dict[str, Any]
    attendances: list[Any]
    identities: dict[str, Any]
    publications: dict[tuple[str, str], Any]
    # Every name that any version of any event record had.
    names: set[str]
    # Repositories and events of which one ever held several answers to the other.
    several: set[tuple[str, str]]
    conflicts: int
    dead_letters: list[str]
    given_up: list[str]


async def look(simulation: "Simulation") -> Facts:
    """Everything that is compared."""
    town = simulation.town
    frames = await town.frames()
    newest: dict[str, Change] = {}
    changes = changes_in(frames)
    for change in changes:
        if change.uri not in newest or change.rev > newest[change.uri].rev:
            newest[change.uri] = change
    async with town.db.reader() as reader:
        known = await reader.fetch(
            "select id, title, visibility, author_id, record_uri, record_did, status, removed_at, deleted_at,"
            " is_read_only, is_held from events"
        )
        attendances = await reader.fetch("select id, event_id, user_id, status, record_uri, source from attendances")
        identities = await reader.fetch("select did, user_id, kind from identities")
        promises = await reader.fetch("select kind, subject_id, state, uri, reason, was_lost from publications")
        conflicts = await reader.fetch("select uri from conflicts")
        given_up = await reader.fetch("select kind, subject, reason from debts where state = 'given_up'")
    letters = await town.queue.dead_letters(limit=100)
    return Facts(
        frames,
        {uri: change for uri, change in newest.items() if change.value is not None},
        _first_revs(frames),
        {row["id"]: row for row in known},
        list(attendances),
        {row["did"]: row for row in identities},
        {(row["kind"], row["subject_id"]): row for row in promises},
        {change.value["name"] for change in changes if change.collection == EVENT and change.value is not None},
        set(answered_twice(changes)),
        len(conflicts),
        [f"{letter.message.message_id}: {letter.reason}" for letter in letters],
        [f"{row['kind']} {row['subject']}: {row['reason']}" for row in given_up if row["kind"] != "fetch_subject"],
    )


def check_end(simulation: "Simulation", facts: Facts) -> None:
    """All that must hold at the end."""
    expect(not facts.dead_letters, f"dead letters: {facts.dead_letters}")
    expect(not facts.given_up, f"given up: {facts.given_up}")
    refused = [dict(row) for row in facts.publications.values() if row["state"] == "refused"]
    expect(not refused, f"refused: {refused}")
    _check_events(simulation, facts)
    _check_answers(simulation, facts)
    _check_last_words(simulation, facts)
    _check_consent(simulation, facts)
    _check_foreign_fields(simulation, facts)
    _check_one_record(simulation, facts)


def _person_of(simulation: "Simulation", user_id: str) -> Person | None:
    return next((one for one in simulation.people.values() if one.caller and one.caller.user_id == user_id), None)


def _may_publish(simulation: "Simulation", facts: Facts, user_id: str) -> bool:
    """Somebody who agrees and has a repository."""
    person = _person_of(simulation, user_id)
    return (
        person is not None
        and person.agrees
        and any(row["user_id"] == user_id and row["kind"] != "shadow" for row in facts.identities.values())
    )


def _check_events(simulation: "Simulation", facts: Facts) -> None:
    """Each living event record is one event with its name; each public event of somebody who agreed has its record."""
    here = {row["record_uri"]: row for row in facts.events.values() if row["record_uri"] is not None}
    for uri, change in facts.records.items():
        if change.collection != EVENT:
            continue
        row = here.get(uri)
        expect(row is not None, f"the record {uri} is no event here")
        assert row is not None
        expect(row["removed_at"] is None and row["deleted_at"] is None, f"{uri} lives there and is gone here")
        person = _person_of(simulation, row["author_id"])
        if person is None or person.agrees:
            name = (change.value or {})["name"]
            expect(row["title"] == name, f"{uri} is {name!r} there and {row['title']!r} here")
    for row in facts.events.values():
        if row["removed_at"] is not None or row["deleted_at"] is not None:
            continue
        if row["record_uri"] is not None:
            expect(row["record_uri"] in facts.records, f"{row['record_uri']} is gone there and lives here")
        is_owed = row["visibility"] == "public" and _may_publish(simulation, facts, row["author_id"])
        if is_owed and not row["is_read_only"]:
            standing = facts.publications.get(("event", row["id"]))
            expect(row["record_uri"], f"{row['id']} is public and was never published: {standing and dict(standing)}")
        titles = simulation.memory.titles.get(row["id"])
        if titles is not None:
            expect(row["title"] in titles | facts.names, f"nobody ever called {row['id']} {row['title']!r}")
        expect(
            not (row["visibility"] == "private" and row["record_uri"] is not None), f"{row['id']} is private and public"
        )


def _effective(facts: Facts) -> dict[tuple[str, str], list[Change]]:
    """The living answers of each repository to each event."""
    found: dict[tuple[str, str], list[Change]] = {}
    for change in facts.records.values():
        if change.collection == RSVP and change.value is not None:
            found.setdefault((change.did, change.value["subject"]["uri"]), []).append(change)
    return found


def _word(change: Change) -> str:
    return str((change.value or {})["status"].rpartition("#")[2])


def _check_answers(simulation: "Simulation", facts: Facts) -> None:
    """An answer's record and its row here say the same; an answer that may be told is told."""
    by_person = {(row["user_id"], row["event_id"]): row for row in facts.attendances}
    living = {
        row["record_uri"]: row
        for row in facts.events.values()
        if row["record_uri"] in facts.records and row["removed_at"] is None and row["deleted_at"] is None
    }
    answers = _effective(facts)
    for (did, uri), records in answers.items():
        event = living.get(uri)
        if event is None:
            continue
        identity = facts.identities.get(did)
        expect(identity is not None, f"nobody here is {did}, who answered {uri}")
        assert identity is not None
        person = _person_of(simulation, identity["user_id"])
        if person is not None and not person.agrees:
            continue  # what they say here is not told, so the two may differ
        row = by_person.get((identity["user_id"], event["id"]))
        expect(row is not None, f"the answer of {did} to {uri} is not here")
        assert row is not None
        # Of several records one counts; which one the database says, and it must be one of them.
        counted = [one for one in records if one.uri == row["record_uri"]] or records
        fits = any(row["status"] in STANDS_FOR[_word(one)] for one in counted)
        is_untold = row["status"] not in TOLD
        expect(fits or is_untold, f"{counted[0].uri} says {_word(counted[0])}, here it is {row['status']}")
    for row in facts.attendances:
        event = facts.events[row["event_id"]]
        if row["record_uri"] is not None and event["record_uri"] in living:
            expect(row["record_uri"] in facts.records, f"{row['record_uri']} counts here and is gone there")
        publication = facts.publications.get(("rsvp", row["id"]))
        person = _person_of(simulation, row["user_id"])
        own = person.application.revs if person and person.application else set()
        if event["visibility"] == "private" and publication is not None and publication["uri"] in facts.records:
            is_ours = facts.first_revs[publication["uri"]] not in own
            expect(not is_ours, f"{event['id']} is private, and the answer {publication['uri']} is public")
        if event["record_uri"] not in living or event["visibility"] != "public" or row["status"] not in TOLD:
            continue
        if publication is None or not _may_publish(simulation, facts, row["user_id"]):
            continue
        if publication["was_lost"] or (publication["state"] == "withheld" and row["status"] == "declined"):
            continue  # the person deleted the record, which says no as well
        expect(
            row["record_uri"] in facts.records,
            f"the answer {row['id']} ({row['status']}) was never told: {dict(publication)}",
        )
        told = facts.records[row["record_uri"]]
        expect(_word(told) == TOLD[row["status"]], f"{told.uri} says {_word(told)}, here it is {row['status']}")
        about = (told.value or {})["subject"]["uri"]
        expect(about == event["record_uri"], f"{told.uri} is about {about}, and the event is {event['record_uri']}")


def _check_last_words(simulation: "Simulation", facts: Facts) -> None:
    """The last thing that somebody said, by whatever way, is what counts."""
    ids = simulation.memory.ids
    last: dict[tuple[str, str], set[str] | None] = {}
    for said in simulation.memory.answers:
        key = (said.person, ids.get(said.about, said.about))
        before = last.get(key, set())
        is_about_something_gone = said.about.startswith("at://") and said.about not in facts.records
        if said.word is None or is_about_something_gone or (not said.is_news and before is None):
            last[key] = None
        else:
            # Saying again what counts already is no news; whether it was heard before or after is open.
            last[key] = {said.word} if said.is_news else {said.word, *(before or ())}
    by_person = {(row["user_id"], row["event_id"]): row for row in facts.attendances}
    users = {person.name: person.caller.user_id for person in simulation.people.values() if person.caller}
    users |= {
        person.name: facts.identities[person.application.did]["user_id"]
        for person in simulation.people.values()
        if person.application and person.application.did in facts.identities
    }
    # Where somebody has several records about an event, deleting one uncovers another: records decide, not the clock.
    several = {
        (facts.identities[did]["user_id"], ids.get(uri)) for did, uri in facts.several if did in facts.identities
    }
    for (name, event_id), words in last.items():
        event = facts.events.get(event_id)
        if (users.get(name), event_id) in several:
            continue
        if words is None or event is None or event["removed_at"] or event["deleted_at"]:
            continue
        row = by_person.get((users.get(name, ""), event_id))
        status = row["status"] if row is not None else "nothing"
        allowed = set().union(*(STANDS_FOR[word] for word in words))
        expect(status in allowed, f"{name} said {sorted(words)} last to {event_id}, here it is {status}")


def _commits(frames: Iterable[bytes]) -> list[CommitMessage]:
    return [message for frame in frames if isinstance(message := events.read(frame), CommitMessage)]


def _check_consent(simulation: "Simulation", facts: Facts) -> None:
    """Whatever OpenMeet wrote, it wrote while the person agreed; of the others there is no trace (invariant 11)."""
    by_did = {
        row["did"]: person
        for row in facts.identities.values()
        if (person := _person_of(simulation, row["user_id"])) is not None
    }
    for message in _commits(facts.frames):
        person = by_did.get(message.repo)
        own = person.application.revs if person and person.application else set()
        written = [op.path for op in message.operations if op.action is not Action.DELETE]
        if person is None or message.rev in own or not written:
            continue
        expect(person.agreed_at(moment_of(message.rev)), f"{written} of {person.name} was published without consent")
    for person in simulation.people.values():
        if person.caller and not person.consents and person.sort is Sort.EMAIL:
            traces = [did for did, row in facts.identities.items() if row["user_id"] == person.caller.user_id]
            expect(not traces, f"{person.name} never agreed and has {traces}")
    for (_, subject), row in facts.publications.items():
        person = _person_of(simulation, _owner(facts, subject) or "")
        own = person.application.revs if person and person.application else set()
        # What they wrote with an application of their own is theirs to take back.
        is_ours = row["uri"] in facts.records and facts.first_revs[row["uri"]] not in own
        if person is not None and not person.agrees and is_ours:
            raise AssertionError(f"{person.name} withdrew consent and {row['uri']} is still public: {dict(row)}")


def _owner(facts: Facts, subject: str) -> str | None:
    if subject in facts.events:
        return str(facts.events[subject]["author_id"])
    return next((str(row["user_id"]) for row in facts.attendances if row["id"] == subject), None)


def _check_foreign_fields(simulation: "Simulation", facts: Facts) -> None:
    """What another application added is there as long as the record is (invariant 6)."""
    for uri, theme in simulation.memory.themes.items():
        if uri in facts.records:
            found = (facts.records[uri].value or {}).get("theme")
            expect(found == theme, f"{uri} lost its theme {theme!r}; it has {found!r}")


def _check_one_record(simulation: "Simulation", facts: Facts) -> None:
    """OpenMeet never makes a second record for one person and event (invariant 10)."""
    applications = {one.application.did: one.application for one in simulation.people.values() if one.application}
    for (did, uri), records in _effective(facts).items():
        own = applications[did].revs if did in applications else set()
        ours = [one.uri for one in records if facts.first_revs[one.uri] not in own]
        expect(len(ours) <= 1, f"OpenMeet wrote {ours} about {uri}")


def _first_revs(frames: list[bytes]) -> dict[str, str]:
    return {
        f"at://{message.repo}/{operation.path}": message.rev
        for message in _commits(frames)
        for operation in message.operations
        if operation.action is Action.CREATE
    }


async def check_nothing_comes_of_hearing_it_all_again(simulation: "Simulation", facts: Facts) -> None:
    """Every message ever, in any order, and the whole stream from its beginning: nothing changes, nothing is written."""
    town = simulation.town
    before, last = await decisions(town.db), await town.last_seq()
    again = list(town.queue.memory)
    random.Random(len(again)).shuffle(again)
    for start in range(0, len(again), 500):
        await EmbeddedQueue.publish(town.queue, again[start : start + 500])
        await town.process_all()
    town.restart_consumer()
    await town.rewind(len(facts.frames) + 1)
    await town.listen()
    await town.process_all()
    after = await decisions(town.db)
    expect(after == before, f"hearing it all again changed {sorted(map(str, after ^ before))[:10]}")
    while await town.pay_debts():
        pass
    while await town.pay():
        pass
    expect(await town.last_seq() == last, "hearing it all again made OpenMeet write something")
