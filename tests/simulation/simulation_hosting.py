"""What hosts and attendees decide on OpenMeet beside their events and answers: they hand events over, block people,
withdraw single records and publish them again. With the conditions that hold at the end.
"""

from dataclasses import dataclass

from groundwork.errors import Failure
from openmeet.domain.attendance import event_hosting
from openmeet.domain.attendance import queries as attendance_queries
from openmeet.domain.events import co_host_queries, ownership
from openmeet.domain.safety import actions as safety
from openmeet.domain.users.model import UserId
from openmeet.outbox import publication_withdrawals, publications
from openmeet.outbox.publications import PublicationKind
from tests.simulation.simulation_accounts import Accounts


@dataclass
class Hosting(Accounts):
    """Actions on OpenMeet that have consequences for other people, or for one record."""

    async def hand_over(self) -> None:
        """A host gives an event to somebody else on OpenMeet, who becomes its owner."""
        person, caller = self.somebody_here()
        heir, taker = self.somebody_here()
        event = await self.an_event(author=caller.user_id)
        if event is None or taker.user_id == caller.user_id:
            return
        self.note(f"{person.name} hands {event.id} over to {heir.name}")
        try:
            async with self.deployment.db.transaction() as tx:
                beside = await co_host_queries.of_person(tx, event.id, taker.user_id)
                if beside is None:
                    beside = ownership.accepted_co_host(tx, event, taker.user_id, by=caller.user_id)
                    await co_host_queries.put(tx, beside)
                await ownership.offer(tx, caller, event.slug, beside.id)
                await event_hosting.take_over(tx, taker, event.slug)
        except Failure as refused:
            self.note(f"refused: {refused.why}")
        else:
            self.memory.handed_over.add(event.id)

    async def block(self) -> None:
        """A person blocks somebody, whether or not that person has ever been on OpenMeet."""
        person, caller = self.somebody_here()
        async with self.deployment.db.reader() as reader:
            rows = await reader.fetch("select id from users where id <> :id order by id", id=caller.user_id)
        if not rows:
            return
        other = UserId(self.chance.choice(rows)["id"])
        self.note(f"{person.name} blocks {other}")
        async with self.deployment.db.transaction() as tx:
            await safety.block(tx, caller, other)
        self.memory.blocked.add((caller.user_id, other))

    async def unblock(self) -> None:
        person, caller = self.somebody_here()
        async with self.deployment.db.reader() as reader:
            rows = await reader.fetch(
                "select blocked_id from user_blocks where user_id = :id order by blocked_id", id=caller.user_id
            )
        if not rows:
            return
        other = UserId(self.chance.choice(rows)["blocked_id"])
        self.note(f"{person.name} unblocks {other}")
        async with self.deployment.db.transaction() as tx:
            await safety.unblock(tx, caller, other)

    async def withdraw_record(self) -> None:
        """A person retracts the record of one event or answer. It stays on OpenMeet."""
        if (about := await self._a_publication()) is not None:
            self.note(f"the record of {about[0].value} {about[1]} is withdrawn")
            async with self.deployment.db.transaction() as tx:
                await publication_withdrawals.withdraw(tx, kind=about[0], subject_id=about[1])

    async def publish_again(self) -> None:
        """A person publishes an event or an answer after all."""
        if (about := await self._a_publication()) is not None:
            self.note(f"{about[0].value} {about[1]} is published again")
            async with self.deployment.db.transaction() as tx:
                await publications.retry_now(tx, kind=about[0], subject_id=about[1])

    async def _a_publication(self) -> tuple[PublicationKind, str] | None:
        """An event of somebody here, or their answer to an event."""
        _, caller = self.somebody_here()
        event = await self.an_event(author=caller.user_id if self.chance.random() < 0.5 else None)
        if event is None:
            return None
        if event.author_id == caller.user_id:
            return PublicationKind.EVENT, event.id
        async with self.deployment.db.reader() as reader:
            answer = await attendance_queries.find(reader, event.id, caller.user_id)
        return None if answer is None else (PublicationKind.RSVP, answer.id)
