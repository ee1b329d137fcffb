"""The people in a random network, the events that they deal with, and what has happened so far."""

import random
import re
from dataclasses import dataclass, field

from at_protocol.data.cid import Cid
from groundwork.database.transaction import Row
from openmeet.domain.events.model import Event, EventId
from openmeet.domain.events.queries import by_id
from openmeet.domain.identities import actions as identities
from openmeet.domain.users import actions as users
from openmeet.domain.users.model import Caller, UserId
from openmeet.network.repositories.sign_in import sign_in_with_password
from tests.simulation.oracle import EVENT, expect
from tests.simulation.simulation_home import HANDLE_DOMAIN
from tests.simulation.simulation_journal import is_journal, steps_about
from tests.simulation.simulation_memory import Memory, Person, Sort
from tests.simulation.simulation_network import Deployment
from tests.simulation.simulation_people import PASSWORD, Application

# Name, relation to OpenMeet, and the PDS of their account.
CAST = (
    ("ada", Sort.EMAIL, 0),
    ("bob", Sort.EMAIL, 0),
    ("cem", Sort.EMAIL, 0),
    ("dot", Sort.CONNECTED, 0),
    ("eve", Sort.CONNECTED, 1),
    ("fay", Sort.CONNECTED, 1),
    ("gus", Sort.STRANGER, 0),
    ("hal", Sort.STRANGER, 1),
)
# A person who is never asked or always says no. Nothing about them may ever be published.
SILENT = "cem"
LAST_STEPS = 20
# People deal with this many of the newest events.
CURRENT_EVENTS = 8


@dataclass
class Stage:
    """One run so far. Everything in it follows from its random generator."""

    deployment: Deployment
    chance: random.Random
    people: dict[str, Person] = field(default_factory=dict)
    memory: Memory = field(default_factory=Memory)
    steps: list[str] = field(default_factory=list)
    # Whether people and programs act concurrently, in an order that no seed determines, or one after the other.
    is_at_once: bool = False
    number: int = 0
    # Accounts that were deleted and possibly recreated with the same DID.
    recreated: set[str] = field(default_factory=set)

    async def assemble(self) -> None:
        """Sign everybody up. Some consent to publishing."""
        for name, sort, home in CAST:
            person = self.people[name] = Person(name, sort, handle=name + HANDLE_DOMAIN)
            if sort is Sort.EMAIL:
                async with self.deployment.db.transaction() as tx:
                    user_id = await users.create_person(tx, display_name=name, email=f"{name}@example.org")
                person.caller = Caller(user_id, name)
            else:
                person.application = await Application.sign_up(
                    self.deployment.homes[home], self.deployment.clock, name, self.chance.randbytes(32)
                )
                self.deployment.followed.add(person.application.did)
            if sort is Sort.CONNECTED:
                await self.sign_in(person)
        for name in ("ada", "dot", "eve"):
            await self.agree(self.people[name])
        await self.deployment.deliver_jobs()

    def anybody(self, *sorts: Sort) -> Person:
        return self.chance.choice([person for person in self.people.values() if person.sort in sorts])

    def somebody_here(self) -> tuple[Person, Caller]:
        here = [(person, person.caller) for person in self.people.values() if person.caller is not None]
        return self.chance.choice(here)

    def somebody_with_application(self) -> tuple[Person, Application]:
        there = [one for one in self.people.values() if one.application is not None and not one.application.is_gone]
        person = self.chance.choice(there)
        assert person.application is not None
        return person, person.application

    async def an_event(self, *, author: UserId | None = None) -> Event | None:
        """One of the newest events that still exist."""
        question = """
            select id from events where removed_at is null and deleted_at is null
               and (cast(:author as text) is null or author_id = :author)
             order by created_at desc, id desc limit :limit
        """
        async with self.deployment.db.reader() as reader:
            rows = await reader.fetch(question, author=author, limit=CURRENT_EVENTS)
            return await by_id(reader, EventId(self.chance.choice(rows)["id"])) if rows else None

    async def an_event_record(self) -> tuple[str, str] | None:
        """URI and CID of an event's record on one of the PDSs, whether or not OpenMeet has seen it."""
        question = """
            select r.did, r.rkey, r.cid from records r join accounts a on a.did = r.did and a.deactivated_at is null
             where r.collection = :c order by r.rev desc limit :limit
        """
        async with self.chance.choice(self.deployment.homes).pds.registry.db.reader() as reader:
            rows: list[Row] = await reader.fetch(question, c=EVENT, limit=CURRENT_EVENTS)
        if not rows:
            return None
        row = self.chance.choice(rows)
        return f"at://{row['did']}/{EVENT}/{row['rkey']}", str(Cid.from_bytes(row["cid"]))

    async def learn_uris(self) -> None:
        """Collect the URIs of events. An event that was retracted and published again has had several."""
        async with self.deployment.db.reader() as reader:
            # A record whose write was not acknowledged is known only from its publication. People still answer it.
            rows = await reader.fetch(
                "select id, record_uri from events where record_uri is not null"
                " union select subject_id, uri from publications where kind = 'event' and uri is not null order by id"
            )
        for row in rows:
            uri, event_id = row["record_uri"], row["id"]
            ids = self.memory.ids.setdefault(uri, [])
            if event_id in ids[-1:]:
                continue
            # This record belonged to another event before. After it was retracted, it arrived late, or came back with
            # an old copy or a new account, and is now an event of its author.
            may_be_anothers = (
                uri in self.deployment.late_uris | self.memory.restored or uri.split("/")[2] in self.recreated
            )
            expect(not ids or may_be_anothers, f"{uri} was {ids} and is {event_id} now")
            ids.append(event_id)
            self.note(f"{event_id} is {uri}")

    def note(self, what: str) -> None:
        self.steps.append(f"{self.number}: {what}")

    def story(self, about: str) -> str:
        """What happened to everything that a failure names, and what happened last."""
        people = {
            person.name: {*([person.caller.user_id] if person.caller else []), *_dids(person)}
            for person in self.people.values()
            if person.name in re.findall(r"\w+", about)
        }
        last = [step for step in self.steps if not is_journal(step)][-LAST_STEPS:]
        return "\n".join([*steps_about(self.steps, about, people), "…", *last])

    async def sign_in(self, person: Person) -> None:
        user_id = (
            await sign_in_with_password(
                self.deployment.db, self.deployment.network, identifier=person.handle, password=PASSWORD
            )
        ).user_id
        person.caller = Caller(user_id, person.name)

    async def agree(self, person: Person) -> None:
        assert person.caller is not None
        self.note(f"{person.name} gives consent")
        person.consents.append((self.deployment.clock.now(), True))
        async with self.deployment.db.transaction() as tx:
            await identities.grant_consent(tx, person.caller.user_id, handle=person.name + HANDLE_DOMAIN)


def _dids(person: Person) -> list[str]:
    return [] if person.application is None else [person.application.did]
