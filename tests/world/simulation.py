"""A random network from a seed: people do what people do, parts fail, and in the end everything must agree.

    report = await simulate(folder, seed=7, operations=3000)

Raises ``Wrong`` (an AssertionError) with the seed, the number of the operation and what happened last.
"""

import asyncio
import random
import re
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from at_protocol.data.cid import Cid
from groundwork.clock import MINUTE, SECOND
from groundwork.database.transaction import Row
from groundwork.errors import Failure, Refused
from openmeet.attendance import actions as attendance
from openmeet.attendance import hosting
from openmeet.attendance.model import Reply
from openmeet.events import actions as events
from openmeet.events.model import Event, EventId, EventSlug
from openmeet.events.publishing import is_held_at_first
from openmeet.events.queries import by_id
from openmeet.events.rules import Submission, check
from openmeet.events.submissions import submission_of, values_of_event
from openmeet.identities import actions as identities
from openmeet.identities.connecting import sign_in_with_password
from openmeet.users import actions as users
from openmeet.users.model import Caller, UserId
from tests.world import simulation_checks as checks
from tests.world.oracle import EVENT, RSVP
from tests.world.simulation_network import HANDLE_DOMAIN, LEASE, Town, open_town
from tests.world.simulation_people import (
    PASSWORD,
    Application,
    Memory,
    Person,
    Said,
    Sort,
    event_record,
    rsvp_record,
)

WORDS = {Reply.GOING: "going", Reply.INTERESTED: "interested", Reply.DECLINED: "notgoing"}
CAST = (
    ("ada", Sort.EMAIL),
    ("bob", Sort.EMAIL),
    ("cem", Sort.EMAIL),
    ("dot", Sort.CONNECTED),
    ("eve", Sort.CONNECTED),
    ("fay", Sort.CONNECTED),
    ("gus", Sort.STRANGER),
    ("hal", Sort.STRANGER),
)
# Never asked, or always no: nothing about them may ever be published.
SILENT = "cem"
LAST_STEPS = 20
# Names of events and records, as they stand in failures and steps.
NAMED = re.compile(r"[0-9a-f]{8}-[0-9a-f-]{27}|at://[^ '\",]+")
# How many of the newest events people are busy with.
CURRENT_EVENTS = 8


class Wrong(AssertionError):
    """Something that must hold does not."""


@dataclass(frozen=True)
class Report:
    """What a run was made of."""

    operations: int
    events: int
    answers: int
    frames: int
    messages: int
    lost_replies: int
    conflicts: int


@dataclass
class Simulation:
    """One run."""

    town: Town
    chance: random.Random
    people: dict[str, Person] = field(default_factory=dict)
    memory: Memory = field(default_factory=Memory)
    steps: list[str] = field(default_factory=list)
    number: int = 0

    # --- who and what -------------------------------------------------------------------------------------------

    async def assemble(self) -> None:
        """Everybody signs up; some agree to publish."""
        for name, sort in CAST:
            person = self.people[name] = Person(name, sort)
            if sort is Sort.EMAIL:
                async with self.town.db.transaction() as tx:
                    user_id = await users.create_person(tx, display_name=name, email=f"{name}@example.org")
                person.caller = Caller(user_id, name)
            else:
                person.application = await Application.sign_up(self.town.pds_url, self.town.clock, name)
                self.town.followed.add(person.application.did)
            if sort is Sort.CONNECTED:
                await self.sign_in(person)
        for name in ("ada", "dot", "eve"):
            await self.agree(self.people[name])
        await self.town.pay_debts()

    def anybody(self, *sorts: Sort) -> Person:
        return self.chance.choice([person for person in self.people.values() if person.sort in sorts])

    def somebody_here(self) -> tuple[Person, Caller]:
        person = self.anybody(Sort.EMAIL, Sort.CONNECTED)
        assert person.caller is not None
        return person, person.caller

    def somebody_with_application(self) -> tuple[Person, Application]:
        person = self.anybody(Sort.CONNECTED, Sort.STRANGER)
        assert person.application is not None
        return person, person.application

    async def an_event(self, *, author: UserId | None = None) -> Event | None:
        """One of the newest that are still there."""
        question = """
            select id from events where removed_at is null and deleted_at is null
               and (cast(:author as text) is null or author_id = :author)
             order by created_at desc, id desc limit :limit
        """
        async with self.town.db.reader() as reader:
            rows = await reader.fetch(question, author=author, limit=CURRENT_EVENTS)
            return await by_id(reader, EventId(self.chance.choice(rows)["id"])) if rows else None

    async def an_event_record(self) -> tuple[str, str] | None:
        """Uri and CID of an event's record on the PDS, seen by OpenMeet or not."""
        question = "select did, rkey, cid from records where collection = :c order by rev desc limit :limit"
        async with self.town.pds.registry.db.reader() as reader:
            rows: list[Row] = await reader.fetch(question, c=EVENT, limit=CURRENT_EVENTS)
        if not rows:
            return None
        row = self.chance.choice(rows)
        return f"at://{row['did']}/{EVENT}/{row['rkey']}", str(Cid.from_bytes(row["cid"]))

    async def learn_uris(self) -> None:
        """An event that was taken back and published again has had several."""
        async with self.town.db.reader() as reader:
            rows = await reader.fetch("select id, record_uri from events where record_uri is not null order by id")
        for row in rows:
            known = self.memory.ids.get(row["record_uri"], row["id"])
            checks.expect(known == row["id"], f"{row['record_uri']} was {known} and is {row['id']} now")
            if row["record_uri"] not in self.memory.ids:
                self.memory.ids[row["record_uri"]] = row["id"]
                self.note(f"{row['id']} is {row['record_uri']}")

    def note(self, what: str) -> None:
        self.steps.append(f"{self.number}: {what}")

    def story(self, about: str) -> str:
        """What happened to whatever is named in a failure, and what happened last."""
        names = set(NAMED.findall(about))
        for step in self.steps:
            if " is " in step and names & set(NAMED.findall(step)):
                names |= set(NAMED.findall(step))
        ours = [step for step in self.steps if any(name in step for name in {*names, "consent"})]
        return "\n".join([*ours, "…", *self.steps[-LAST_STEPS:]])

    # --- on OpenMeet --------------------------------------------------------------------------------------------

    async def sign_in(self, person: Person) -> None:
        user_id = await sign_in_with_password(
            self.town.db, self.town.network, identifier=person.name + HANDLE_DOMAIN, password=PASSWORD
        )
        person.caller = Caller(user_id, person.name)

    async def agree(self, person: Person) -> None:
        assert person.caller is not None
        self.note(f"{person.name} gives consent")
        person.consents.append((self.town.clock.now(), True))
        async with self.town.db.transaction() as tx:
            await identities.agree(tx, person.caller.user_id, handle=person.name + HANDLE_DOMAIN)

    async def change_consent(self) -> None:
        person, caller = self.somebody_here()
        if person.name == SILENT:
            return
        if person.agrees and self.chance.random() < 0.5:
            self.note(f"{person.name} withdraws consent")
            person.consents.append((self.town.clock.now(), False))
            async with self.town.db.transaction() as tx:
                await identities.withdraw(tx, caller.user_id)
        elif not person.agrees:
            await self.agree(person)
            await self.town.pay_debts()

    async def make_event(self) -> None:
        person, caller = self.somebody_here()
        title = f"Event {self.number} of {person.name}"
        details = check(
            Submission(
                title=title,
                starts="2037-04-01T17:00",
                ends="2037-04-01T19:00",
                time_zone="Europe/Vienna",
                venue_name="The park",
                country="AT",
                capacity=self.chance.choice(("", "", "1", "2", "3")),
                visibility=self.chance.choice(("public", "public", "public", "public", "unlisted", "private")),
            )
        )
        async with self.town.db.transaction() as tx:
            is_held = await is_held_at_first(tx, caller.user_id, details)
            event = await events.create(tx, caller, details, is_held=is_held)
        self.memory.titles[event.id] = {title}
        self.note(f"{person.name} makes {event.id} {details.visibility.value} capacity {details.capacity}")

    async def edit_event(self) -> None:
        person, caller = self.somebody_here()
        event = await self.an_event(author=caller.user_id)
        if event is None:
            return
        values = values_of_event(event)
        match self.chance.choice(("title", "title", "description", "capacity", "visibility")):
            case "title":
                values["title"] = f"Event {self.number} renamed here"
                self.memory.titles.setdefault(event.id, set()).add(values["title"])
            case "description":
                values["description"] = f"Described in {self.number}"
            case "capacity" if event.capacity is not None:
                values["capacity"] = self.chance.choice(("", str(event.capacity + self.chance.randint(1, 2))))
            case _:
                values["visibility"] = self.chance.choice(("public", "public", "unlisted", "private"))
        self.note(f"{person.name} edits {event.id}")
        try:
            async with self.town.db.transaction() as tx:
                await hosting.revise(tx, caller, event.slug, check(submission_of(values), event))
        except Refused as refused:
            self.note(f"refused: {refused.why}")

    async def end_event(self) -> None:
        person, caller = self.somebody_here()
        event = await self.an_event(author=caller.user_id)
        if event is None:
            return
        what = self.chance.choice(("cancel", "reinstate", "reinstate", "delete"))
        self.note(f"{person.name} {what}s {event.id}")
        try:
            async with self.town.db.transaction() as tx:
                match what:
                    case "cancel":
                        await hosting.cancel(tx, caller, event.slug, "Rain")
                    case "reinstate":
                        await hosting.reinstate(tx, caller, event.slug)
                    case _:
                        await hosting.delete(tx, caller, event.slug)
        except Refused as refused:
            self.note(f"refused: {refused.why}")

    async def answer(self) -> None:
        person, caller = self.somebody_here()
        event = await self.an_event()
        if event is not None:
            await self._answer(person, caller, event.slug, event.id, self.chance.choice(list(Reply)))

    async def _answer(self, person: Person, caller: Caller, slug: EventSlug, event_id: str, reply: Reply) -> None:
        self.note(f"{person.name} answers {event_id}: {reply.value}")
        before = await self._revision(event_id, caller.user_id)
        try:
            async with self.town.db.transaction() as tx:
                saved = await attendance.answer(tx, caller, slug, reply)
        except Failure as refused:
            self.note(f"refused: {refused.why}")
            return
        self.memory.answers.append(Said(person.name, event_id, WORDS[reply], is_news=saved.revision != before))

    async def _revision(self, event_id: str, user_id: str) -> int:
        question = "select revision from attendances where event_id = :event_id and user_id = :user_id"
        async with self.town.db.reader() as reader:
            row = await reader.fetch_one(question, event_id=event_id, user_id=user_id)
        return 0 if row is None else int(row["revision"])

    async def answer_together(self) -> None:
        """Several people at the same moment, while the workers work."""
        event = await self.an_event()
        if event is None:
            return
        here = [person for person in self.people.values() if person.caller is not None]
        chosen = self.chance.sample(here, k=self.chance.randint(2, 4))
        replies = [self.chance.choice(list(Reply)) for _ in chosen]
        await asyncio.gather(
            *(
                self._answer(person, person.caller, event.slug, event.id, reply)
                for person, reply in zip(chosen, replies, strict=True)
                if person.caller is not None
            ),
            self.town.process(20),
            self.town.pay(),
        )

    # --- with an application of their own -----------------------------------------------------------------------

    async def write_event(self) -> None:
        person, application = self.somebody_with_application()
        more = {"theme": f"theme {self.number}"} if self.chance.random() < 0.5 else {}
        uri, _ = await application.create(EVENT, event_record(f"Event {self.number} written by {person.name}", **more))
        self.note(f"{person.name} writes {uri}")
        if more:
            self.memory.themes[uri] = more["theme"]

    async def change_record(self) -> None:
        """Rename, or add what OpenMeet knows nothing about."""
        person, application = self.somebody_with_application()
        records = await application.records(EVENT)
        if not records:
            return
        one = self.chance.choice(records[:CURRENT_EVENTS])
        value = dict(one["value"])
        if self.chance.random() < 0.5:
            value["name"] = f"Event {self.number} renamed by an application"
        else:
            value["theme"] = self.memory.themes[one["uri"]] = f"theme {self.number}"
        self.note(f"{person.name} changes {one['uri']}")
        await application.replace(one["uri"], one["cid"], value)

    async def delete_record(self) -> None:
        person, application = self.somebody_with_application()
        collection = self.chance.choice((EVENT, RSVP, RSVP))
        records = await application.records(collection)
        if not records:
            return
        one = self.chance.choice(records[:CURRENT_EVENTS])
        self.note(f"{person.name} deletes {one['uri']}")
        await application.delete(one["uri"])
        if collection == RSVP:
            self.memory.answers.append(Said(person.name, one["value"]["subject"]["uri"], None))

    async def write_answer(self) -> None:
        """Change the answer that is there, or write one; other people's applications do not look at ours."""
        person, application = self.somebody_with_application()
        about = await self.an_event_record()
        if about is None:
            return
        uri, cid = about
        word = self.chance.choice(list(WORDS.values()))
        now = datetime.fromtimestamp(self.town.clock.now() / 1e6, UTC).isoformat(timespec="milliseconds")
        mine = [one for one in await application.records(RSVP) if one["value"]["subject"]["uri"] == uri]
        record = rsvp_record(uri, cid, word, now.replace("+00:00", "Z"))
        self.note(f"{person.name} writes an answer to {uri}: {word}")
        if mine:
            await application.replace(mine[0]["uri"], mine[0]["cid"], {**mine[0]["value"], **record})
        else:
            await application.create(RSVP, record)
        # Of several records of one person one counts, and which is not this oracle's to say.
        self.memory.answers.append(Said(person.name, uri, word if len(mine) < 2 else None))

    # --- programs -----------------------------------------------------------------------------------------------

    async def listen(self) -> None:
        if self.chance.random() < 0.2:
            self.note("the consumer starts anew")
            self.town.restart_consumer()
        if self.chance.random() < 0.1:
            self.note("the consumer's cursor goes back")
            await self.town.rewind(self.chance.randint(1, 30))
        await self.town.listen()

    async def process(self) -> None:
        if self.chance.random() < 0.3:
            self.note("the processor is killed")
            await self.town.process_and_die(self.chance)
            if self.chance.random() < 0.5:
                self.town.clock.turn(LEASE)
        else:
            await self.town.process(self.chance.choice((1, 5, 200)))

    async def pay(self) -> None:
        if self.chance.random() < 0.4:
            self.note("a payment goes wrong")
            await self.town.pay_badly(self.chance)
        else:
            await self.town.pay()

    async def pay_debts(self) -> None:
        await self.town.pay_debts()

    async def pds_goes_or_comes(self) -> None:
        is_away = not self.town.is_pds_away
        self.note(f"the PDS is {'away' if is_away else 'back'}")
        self.town.take_pds_away(is_away=is_away)

    async def replay(self) -> None:
        """Old messages in any order change nothing."""
        self.town.clock.turn(LEASE)
        await self.town.process_all()
        before = await checks.decisions(self.town.db)
        self.note("old messages come again")
        await self.town.replay(self.chance, self.chance.randint(1, 10))
        await self.town.process_all()
        after = await checks.decisions(self.town.db)
        checks.expect(after == before, f"a replay decided something: {sorted(after ^ before)}")

    # --- the run ------------------------------------------------------------------------------------------------

    @property
    def operations(self) -> dict[Callable[[], Awaitable[Any]], int]:
        """What can happen, and how often beside the others."""
        return {
            self.make_event: 5,
            self.edit_event: 7,
            self.end_event: 2,
            self.answer: 25,
            self.answer_together: 3,
            self.write_event: 3,
            self.change_record: 6,
            self.delete_record: 3,
            self.write_answer: 14,
            self.change_consent: 2,
            self.listen: 7,
            self.process: 12,
            self.pay: 12,
            self.pay_debts: 2,
            self.pds_goes_or_comes: 1,
            self.replay: 2,
        }

    async def run(self, count: int) -> Report:
        """All operations, then the end."""
        await self.assemble()
        kinds = self.operations
        chosen = self.chance.choices(list(kinds), weights=list(kinds.values()), k=count)
        seats = checks.Seats()
        for self.number, operation in enumerate(chosen, 1):
            self.town.clock.turn(self.chance.choice((SECOND // 100, SECOND, 10 * SECOND, MINUTE)))
            await operation()
            await self.learn_uris()
            await seats.look(self.town.db)
            if self.town.is_pds_away and self.chance.random() < 0.1:
                self.town.take_pds_away(is_away=False)
        await checks.settle(self)
        await self.learn_uris()
        facts = await checks.look(self)
        checks.check_end(self, facts)
        await checks.check_nothing_comes_of_hearing_it_all_again(self, facts)
        return Report(
            count,
            len(facts.events),
            len(facts.attendances),
            len(facts.frames),
            len(self.town.queue.memory),
            self.town.proxy.lost,
            facts.conflicts,
        )


async def simulate(folder: Path, *, seed: int, operations: int) -> Report:
    """One run from a seed."""
    random.seed(seed)  # what the programs themselves leave to chance: back-off
    async with open_town(folder) as town:
        simulation = Simulation(town, random.Random(seed))
        try:
            return await simulation.run(operations)
        except Exception as wrong:
            where = f"seed {seed}, operation {simulation.number} of {operations}"
            raise Wrong(f"{where}: {wrong!r}\n{simulation.story(str(wrong))}") from wrong
        finally:
            for person in simulation.people.values():
                if person.application is not None:
                    await person.application.http.aclose()
