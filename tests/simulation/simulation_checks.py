"""What must hold at every moment of a simulation: seats; and what hearing old messages again may do: nothing."""

import random
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from groundwork.database.transaction import Database
from tests.simulation.oracle import expect

if TYPE_CHECKING:
    from tests.simulation.simulation import Simulation


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


async def check_nothing_comes_of_hearing_it_all_again(simulation: "Simulation") -> None:
    """Every message ever, in any order, and the whole stream from its beginning, now without a gap: nothing changes, nothing
    is written.
    """
    deployment = simulation.deployment
    before, last = await decisions(deployment.db), await deployment.last_seqs()
    again = list(deployment.queue.memory)
    random.Random(len(again)).shuffle(again)
    for start in range(0, len(again), 500):
        await deployment.queue.again(again[start : start + 500])
        await deployment.process_all()
    deployment.restart_consumer()
    for home in deployment.homes:
        home.lost_frames.clear()
    await deployment.rewind(max(last) + 1)
    await deployment.listen()
    await deployment.process_all()
    after = await decisions(deployment.db)
    expect(after == before, f"hearing it all again changed {sorted(map(str, after ^ before))[:10]}")
    while await deployment.deliver_jobs():
        pass
    while await deployment.deliver_publications():
        pass
    expect(await deployment.last_seqs() == last, "hearing it all again made OpenMeet write something")
    after = await decisions(deployment.db)
    expect(after == before, f"what was queued for hearing it all again changed {sorted(map(str, after ^ before))[:10]}")
