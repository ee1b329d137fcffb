"""A random network from a seed: people act at random, parts fail, and in the end everything must agree.

    report = await simulate(folder, seed=7, operations=3000)

Raises ``Wrong`` (an AssertionError) with the seed, the number of the operation and what happened last.
"""

import asyncio
import random
from collections.abc import Awaitable, Callable
from contextlib import nullcontext
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

from groundwork.clock import MINUTE, SECOND
from groundwork.errors import Failure, Forbidden, Refused
from openmeet.domain.attendance import actions as attendance
from openmeet.domain.attendance import event_hosting
from openmeet.domain.attendance.model import RsvpReply
from openmeet.domain.events import actions as events
from openmeet.domain.events.model import EventSlug
from openmeet.domain.events.publication import is_held_at_first
from openmeet.domain.events.rules import Submission, check
from openmeet.domain.events.submissions import submission_of, values_of_event
from openmeet.domain.identities import actions as identities
from openmeet.domain.users.model import Caller
from tests.databases import SERVER
from tests.simulation import simulation_checks as checks
from tests.simulation.oracle import EVENT, RSVP, expect
from tests.simulation.repeatable import chance_from, one_at_a_time
from tests.simulation.simulation_end import run_until_idle
from tests.simulation.simulation_engines import Engine
from tests.simulation.simulation_facts import look
from tests.simulation.simulation_groups import Groups
from tests.simulation.simulation_journal import Journal, message_line
from tests.simulation.simulation_judge import check_end
from tests.simulation.simulation_memory import Person, Said, event_record, rsvp_record
from tests.simulation.simulation_network import LEASE, open_deployment
from tests.simulation.simulation_stage import CURRENT_EVENTS, SILENT

WORDS = {RsvpReply.GOING: "going", RsvpReply.INTERESTED: "interested", RsvpReply.DECLINED: "notgoing"}


class Wrong(AssertionError):
    """A condition that must hold does not."""


@dataclass(frozen=True)
class Report:
    """The counts of one run."""

    operations: int
    events: int
    answers: int
    frames: int
    messages: int
    lost_replies: int
    late_requests: int
    moves: int
    conflicts: int
    lost_frames: int
    turned_back: int
    recreated: int


@dataclass
class Simulation(Groups):
    """Everything that can happen in one run."""

    # --- on OpenMeet --------------------------------------------------------------------------------------------

    async def change_consent(self) -> None:
        person, caller = self.somebody_here()
        if person.name == SILENT:
            return
        if person.agrees and self.chance.random() < 0.5:
            self.note(f"{person.name} withdraws consent")
            person.consents.append((self.deployment.clock.now(), False))
            async with self.deployment.db.transaction() as tx:
                await identities.withdraw(tx, caller.user_id)
        elif not person.agrees:
            await self.agree(person)
            await self.deployment.deliver_jobs()

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
        group = await self.group_for_event(caller)
        async with self.deployment.db.transaction() as tx:
            is_held = await is_held_at_first(tx, caller.user_id, details)
            event = await events.create(tx, caller, details, is_held=is_held, group=group)
        self.memory.given[event.id] = {"title": title}
        self.note(
            f"{person.name} makes {event.id} {details.content.visibility.value} capacity {details.content.capacity}"
        )

    async def edit_event(self) -> None:
        person, caller = self.somebody_here()
        event = await self.an_event(author=caller.user_id)
        if event is None:
            return
        values, given = values_of_event(event), {}
        match self.chance.choice(("title", "title", "description", "capacity", "visibility")):
            case "title":
                given = {"title": f"Event {self.number} renamed here"}
            case "description":
                given = {"description": f"Described in {self.number}"}
            case "capacity" if event.content.capacity is not None:
                values["capacity"] = self.chance.choice(("", str(event.content.capacity + self.chance.randint(1, 2))))
            case _:
                values["visibility"] = self.chance.choice(("public", "public", "unlisted", "private"))
        self.note(f"{person.name} edits {event.id}")
        try:
            async with self.deployment.db.transaction() as tx:
                await event_hosting.revise(tx, caller, event.slug, check(submission_of(values | given), event))
        except (Refused, Forbidden) as refused:  # Forbidden: the author has left the group of the event
            self.note(f"refused: {refused.why}")
        else:
            self.memory.given.setdefault(event.id, {}).update(given)

    async def end_event(self) -> None:
        person, caller = self.somebody_here()
        event = await self.an_event(author=caller.user_id)
        if event is None:
            return
        what = self.chance.choice(("cancel", "reinstate", "reinstate", "delete"))
        self.note(f"{person.name} {what}s {event.id}")
        try:
            async with self.deployment.db.transaction() as tx:
                match what:
                    case "cancel":
                        await event_hosting.cancel(tx, caller, event.slug, "Rain")
                    case "reinstate":
                        await event_hosting.reinstate(tx, caller, event.slug)
                    case _:
                        await event_hosting.delete(tx, caller, event.slug)
        except Refused as refused:
            self.note(f"refused: {refused.why}")

    async def answer(self) -> None:
        person, caller = self.somebody_here()
        event = await self.an_event()
        if event is not None:
            await self._answer(person, caller, event.slug, event.id, self.chance.choice(list(RsvpReply)))

    async def _answer(self, person: Person, caller: Caller, slug: EventSlug, event_id: str, reply: RsvpReply) -> None:
        self.note(f"{person.name} answers {event_id}: {reply.value}")
        before = await self._revision(event_id, caller.user_id)
        try:
            async with self.deployment.db.transaction() as tx:
                saved = await attendance.answer(tx, caller, slug, reply)
        except Failure as refused:
            self.note(f"refused: {refused.why}")
            return
        self.memory.answers.append(Said(person.name, event_id, WORDS[reply], is_news=saved.revision != before))

    async def _revision(self, event_id: str, user_id: str) -> int:
        question = "select revision from attendances where event_id = :event_id and user_id = :user_id"
        async with self.deployment.db.reader() as reader:
            row = await reader.fetch_one(question, event_id=event_id, user_id=user_id)
        return 0 if row is None else int(row["revision"])

    async def answer_together(self) -> None:
        """Several people and the workers act concurrently, or one after the other in random order."""
        event = await self.an_event()
        if event is None:
            return
        here = [person for person in self.people.values() if person.caller is not None]
        chosen = self.chance.sample(here, k=self.chance.randint(2, 4))
        replies = [self.chance.choice(list(RsvpReply)) for _ in chosen]
        turns: list[Callable[[], Awaitable[Any]]] = [
            partial(self._answer, person, person.caller, event.slug, event.id, reply)
            for person, reply in zip(chosen, replies, strict=True)
            if person.caller is not None
        ]
        turns += [partial(self.deployment.process, 20), self.deployment.deliver_publications]
        if self.is_at_once:
            await asyncio.gather(*(turn() for turn in turns))
            return
        self.chance.shuffle(turns)
        for turn in turns:
            await turn()

    # --- with an application of their own -----------------------------------------------------------------------

    async def write_event(self) -> None:
        person, application = self.somebody_with_application()
        more = {"theme": f"theme {self.number}"} if self.chance.random() < 0.5 else {}
        uri, _ = await application.create(EVENT, event_record(f"Event {self.number} written by {person.name}", **more))
        self.note(f"{person.name} writes {uri}")
        if more:
            self.memory.themes[uri] = more["theme"]

    async def change_record(self) -> None:
        """Rename the event, or add fields that OpenMeet does not know."""
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
        """Change the existing answer or write a new one. Other applications do not check for OpenMeet's answers."""
        person, application = self.somebody_with_application()
        about = await self.an_event_record()
        if about is None:
            return
        uri, cid = about
        word = self.chance.choice(list(WORDS.values()))
        now = datetime.fromtimestamp(self.deployment.clock.now() / 1e6, UTC).isoformat(timespec="milliseconds")
        mine = [one for one in await application.records(RSVP) if one["value"]["subject"]["uri"] == uri]
        record = rsvp_record(uri, cid, word, now.replace("+00:00", "Z"))
        self.note(f"{person.name} writes an answer to {uri}: {word}")
        if mine:
            await application.replace(mine[0]["uri"], mine[0]["cid"], {**mine[0]["value"], **record})
        else:
            await application.create(RSVP, record)
        # If a person has several records, only one counts, and this oracle cannot say which.
        self.memory.answers.append(Said(person.name, uri, word if len(mine) < 2 else None))

    # --- programs -----------------------------------------------------------------------------------------------

    async def listen(self) -> None:
        if self.chance.random() < 0.2:
            self.note("the consumer starts anew")
            self.deployment.restart_consumer()
        if self.chance.random() < 0.1:
            self.note("the consumer's cursor goes back")
            await self.deployment.rewind(self.chance.randint(1, 30))
        await self.deployment.listen()

    async def process(self) -> None:
        if self.chance.random() < 0.3:
            self.note("the processor is killed")
            await self.deployment.kill_processor(self.chance)
            if self.chance.random() < 0.5:
                self.deployment.clock.turn(LEASE)
        else:
            await self.deployment.process(self.chance.choice((1, 5, 200)))

    async def deliver_publications(self) -> None:
        if self.chance.random() < 0.4:
            self.note("a payment goes wrong")
            await self.deployment.deliver_with_faults(self.chance)
        else:
            await self.deployment.deliver_publications()

    async def delay_publications(self) -> None:
        self.note("what is written stays on its way")
        await self.deployment.delay_publications()

    async def arrive(self) -> None:
        acted = await self.deployment.deliver()
        self.note(f"what was on its way arrives, {acted} of it counts")

    async def deliver_jobs(self) -> None:
        await self.deployment.deliver_jobs()
        await self.deployment.erase_due()

    async def pds_goes_or_comes(self) -> None:
        """Make a PDS unavailable to OpenMeet, or available again. People's own applications still reach it."""
        home = self.chance.choice(self.deployment.homes)
        self.note(f"{home.proxy.url} is {'back' if home.is_away else 'away'}")
        home.take_away(is_away=not home.is_away)

    async def pds_is_busy_or_not(self) -> None:
        home = self.chance.choice(self.deployment.homes)
        home.is_busy = not home.is_busy
        self.note(f"{home.proxy.url} {'has reached its limits' if home.is_busy else 'has time'}")

    async def stream_loses(self) -> None:
        lost = await self.deployment.lose_frames(self.chance)
        self.note(f"the stream loses {lost} commits")

    async def stream_is_cut_or_not(self) -> None:
        home = self.chance.choice(self.deployment.homes)
        home.is_cut = not home.is_cut
        self.note(f"the stream of {home.proxy.url} {'is cut' if home.is_cut else 'comes again'}")

    async def replay(self) -> None:
        """Deliver old messages again in any order, which must change nothing."""
        self.deployment.clock.turn(LEASE)
        await self.deployment.process_all()
        before = await checks.decisions(self.deployment.db)
        self.note("old messages come again")
        await self.deployment.queue.replay(self.chance, self.chance.randint(1, 10))
        await self.deployment.process_all()
        after = await checks.decisions(self.deployment.db)
        expect(after == before, f"a replay changed decisions: {sorted(map(str, after ^ before))}")

    # --- the run ------------------------------------------------------------------------------------------------

    @property
    def operations(self) -> dict[Callable[[], Awaitable[Any]], float]:
        """The operations, with their relative frequencies."""
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
            self.make_group: 0.7,
            self.join_group: 2,
            self.leave_group: 0.7,
            self.moderate_group: 1,
            self.hand_over: 1,
            self.join_accounts: 0.3,
            self.erase_person: 0.2,
            self.block: 0.7,
            self.unblock: 0.7,
            self.withdraw_record: 1.5,
            self.publish_again: 1.5,
            self.listen: 7,
            self.process: 12,
            self.deliver_publications: 12,
            self.delay_publications: 4,
            self.arrive: 2,
            self.deliver_jobs: 2,
            self.pds_goes_or_comes: 1,
            self.pds_is_busy_or_not: 1,
            self.sign_out_everywhere: 0.3,
            self.come_back: 0.5,
            self.change_handle: 0.3,
            self.move_account: 0.5,
            self.stream_loses: 3,
            self.stream_is_cut_or_not: 0.7,
            self.keep_copy: 1.2,
            self.turn_back: 0.7,
            self.end_account: 0.3,
            self.recreate_account: 0.6,
            self.replay: 2,
        }

    async def run(self, count: int, tell: Callable[[int], None]) -> Report:
        """Run all operations, then check the end."""
        await self.assemble()
        kinds = self.operations
        chosen = self.chance.choices(list(kinds), weights=list(kinds.values()), k=count)
        seats, journal = checks.Seats(), Journal(self.deployment.db, self.note)
        self.deployment.queue.tell = lambda message: self.note(message_line(message.body))
        for self.number, operation in enumerate(chosen, 1):
            self.deployment.clock.turn(self.chance.choice((SECOND // 100, SECOND, 10 * SECOND, MINUTE)))
            await operation()
            await self.learn_uris()
            await seats.look(self.deployment.db)
            await journal.look(self.deployment.clock.now())
            for home in self.deployment.homes:
                if home.is_away and self.chance.random() < 0.1:
                    home.take_away(is_away=False)
                if home.is_busy and self.chance.random() < 0.1:
                    home.is_busy = False
                if home.is_cut and self.chance.random() < 0.1:
                    home.is_cut = False
            tell(self.number)
        await run_until_idle(self, journal)
        await self.learn_uris()
        facts = await look(self)
        check_end(self, facts)
        await checks.check_nothing_comes_of_hearing_it_all_again(self)
        return Report(
            count,
            len(facts.events),
            len(facts.attendances),
            len(facts.announced),
            len(self.deployment.queue.memory),
            self.deployment.lost,
            len(self.deployment.late),
            sum(person.has_moved for person in self.people.values()),
            facts.conflicts,
            len(self.deployment.unseen),
            sum(person.has_turned_back for person in self.people.values()),
            len(self.recreated),
        )


async def simulate(
    folder: Path,
    *,
    seed: int,
    operations: int,
    engine: Engine = Engine.FILES,
    server: str = SERVER,
    tell: Callable[[int], None] = lambda _number: None,
    steps: list[str] | None = None,
    is_at_once: bool = False,
) -> Report:
    """Run once from a seed. On files, each run is the same, unless people and programs act concurrently.

    ``server``: a PostgreSQL database in which schemas can be created. ``tell`` is called with the progress. ``steps``
    collects what happened.
    """
    with chance_from(seed), nullcontext() if is_at_once else one_at_a_time():
        async with open_deployment(folder, engine, server) as deployment:
            simulation = Simulation(deployment, random.Random(seed), is_at_once=is_at_once)
            if steps is not None:
                simulation.steps = steps
            return await _simulate(simulation, seed, operations, tell)


async def _simulate(simulation: Simulation, seed: int, operations: int, tell: Callable[[int], None]) -> Report:
    try:
        return await simulation.run(operations, tell)
    except Exception as wrong:
        where = f"seed {seed}, operation {simulation.number} of {operations}"
        raise Wrong(f"{where}: {wrong!r}\n{simulation.story(str(wrong))}") from wrong
    finally:
        for person in simulation.people.values():
            if person.application is not None:
                await person.application.http.aclose()
