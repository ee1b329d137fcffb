"""Checks during a simulation: places at every moment, and that replayed messages change nothing."""

import random
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from groundwork.database.transaction import Database
from tests.simulation.oracle import expect

if TYPE_CHECKING:
    from tests.simulation.simulation import Simulation


@dataclass
class Seats:
    """Checked after every operation: no more people attend than there are places, and nobody waits while a place is
    free (invariant 4).

    A place that has been offered is not free.
    """

    seated: dict[str, int] = field(default_factory=dict)

    async def look(self, db: Database) -> None:
        question = """
            select e.id, e.capacity, e.status, e.removed_at, e.deleted_at,
                   sum(case when a.status in ('attending', 'attended')
                       or a.offered_until is not null then 1 else 0 end) as seated,
                   sum(case when a.status = 'waitlisted' and a.offered_until is null then 1 else 0 end) as waiting
              from events e join attendances a on a.event_id = e.id
             where e.capacity is not null
             group by e.id, e.capacity, e.status, e.removed_at, e.deleted_at
        """
        async with db.reader() as reader:
            rows = await reader.fetch(question)
        for row in rows:
            # If a host reduces the number of places, nobody is removed, but nobody else gets in either.
            most = max(row["capacity"], self.seated.get(row["id"], 0))
            expect(row["seated"] <= most, f"{row['id']} has {row['seated']} people on {row['capacity']} seats")
            will_happen = row["status"] != "cancelled" and row["removed_at"] is None and row["deleted_at"] is None
            if will_happen and row["seated"] < row["capacity"]:
                expect(row["waiting"] == 0, f"somebody waits for {row['id']} although a place is free")
        self.seated = {row["id"]: row["seated"] for row in rows}


async def decisions(db: Database) -> set[tuple[Any, ...]]:
    """The decided state. A replay must not change any of it."""
    async with db.reader() as reader:
        answers = await reader.fetch("select id, status, waitlist_number, revision, record_uri from attendances")
        known = await reader.fetch(
            "select id, title, description, status, revision, removed_at, record_uri from events"
        )
    return {tuple(row) for row in [*answers, *known]}


async def check_nothing_comes_of_hearing_it_all_again(simulation: "Simulation") -> None:
    """Replay every message in any order, then the whole stream from its beginning, this time without a gap. Nothing may
    change or be written.
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
    expect(after == before, f"replaying everything changed {sorted(map(str, after ^ before))[:10]}")
    while await deployment.deliver_jobs():
        pass
    while await deployment.deliver_publications():
        pass
    expect(await deployment.last_seqs() == last, "replaying everything made OpenMeet write")
    after = await decisions(deployment.db)
    expect(after == before, f"what was queued for replaying everything changed {sorted(map(str, after ^ before))[:10]}")
