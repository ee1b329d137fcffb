"""The end of a simulation: faults are over, and people and programs act until nothing is queued."""

from typing import TYPE_CHECKING, Any

from groundwork.clock import DAY, HOUR
from groundwork.database.transaction import Database
from openmeet.network.ingestion import tasks
from openmeet.network.repositories import circuits
from openmeet.outbox.publications import PublicationKind, retry_now
from tests.simulation.announced import Held
from tests.simulation.oracle import expect
from tests.simulation.simulation_journal import Journal
from tests.simulation.simulation_memory import Sort
from tests.simulation.simulation_network import LEASE, Deployment

if TYPE_CHECKING:
    from tests.simulation.simulation import Simulation

UNFINISHED = "('due', 'sending', 'retrying', 'retracting', 'blocked', 'conflicted')"
ROUNDS = 60


async def run_until_idle(simulation: "Simulation", journal: Journal) -> None:
    """Let programs work and time pass until nothing is queued. People help where that is necessary.

    Every application writes one more record about something else. Only such a commit reveals an earlier one that the
    stream lost. Then the daily comparison of the repositories that OpenMeet writes to is due.
    """
    deployment = simulation.deployment
    for home in deployment.homes:
        home.take_away(is_away=False)
        home.is_busy = home.is_cut = False
    deployment.faults.clear()
    await deployment.deliver()
    for person in simulation.people.values():
        if person.application is not None and not person.application.is_gone:
            await person.application.write_unrelated_record()
    await _until_all_is_done(simulation, journal)
    letters = await deployment.queue.dead_letters(limit=100)
    expect(not letters, f"dead letters: {[(one.message.message_id, one.reason) for one in letters]}")
    await _expect_no_gaps(simulation)
    deployment.clock.turn(2 * DAY)
    await tasks.enqueue_reconciliations(deployment.db)
    await _until_all_is_done(simulation, journal)


async def _until_all_is_done(simulation: "Simulation", journal: Journal) -> None:
    deployment = simulation.deployment
    left: list[tuple[Any, ...]] = []
    for turn in range(ROUNDS):
        # Writes without a response are looked for during a day.
        deployment.clock.turn(LEASE if turn < 5 else HOUR if turn < 10 else DAY)
        await deployment.listen()
        await deployment.process_all()
        while await deployment.deliver_jobs():
            pass
        await deployment.erase_due()
        while await deployment.deliver_publications():
            pass
        await deployment.listen()
        await deployment.process_all()
        left = await _unfinished(deployment.db)
        await journal.look(deployment.clock.now())
        await _help(simulation)
        if not await _unfinished(deployment.db) and (await deployment.queue.depth()).waiting == 0:
            return
    raise AssertionError(f"never idle: {left}; {await _known_of_servers(deployment)}")


async def _known_of_servers(deployment: Deployment) -> str:
    """For the message of a failure: which servers are unavailable, and what the programs believe about them."""
    now = deployment.clock.now()
    async with deployment.db.reader() as reader:
        kept = await circuits.known(reader)
    there = {
        home.proxy.url: "away" if home.is_away else "busy" if home.is_busy else "there" for home in deployment.homes
    }
    here = [deployment.network.circuits.of(url) for url in there]
    told = [
        (one.service, one.state(now).value, one, deployment.network.circuits.may_probe(one.service)) for one in here
    ]
    return f"servers {there}, at {now}, known to OpenMeet {told}, stored {kept}"


async def _expect_no_gaps(simulation: "Simulation") -> None:
    """Check that everything that the stream lost has been read by now, before the daily comparison."""
    applications = [one.application for one in simulation.people.values() if one.application]
    wanted = [one for one in applications if one.did in simulation.deployment.gapped and not one.is_gone]
    async with simulation.deployment.db.reader() as reader:
        rows = await reader.fetch("select uri, cid from records where state <> 'tombstone'")
    seen = {row["uri"]: row["cid"] for row in rows}
    for application in wanted:
        held = await application.held()
        there = {f"at://{held.did}/{path}": cid for path, cid in held.calendar.items()}
        here = {uri: cid for uri, cid in seen.items() if uri.startswith(f"at://{held.did}/")}
        unknown, kept = sorted(there.items() - here.items()), sorted(here.items() - there.items())
        expect(
            there == here,
            f"OpenMeet did not notice lost commits: the repository has {unknown}, OpenMeet has {kept};"
            f" {await _heard_of(simulation.deployment, held)}",
        )


async def _heard_of(deployment: Deployment, held: Held) -> str:
    """For the message of a failure: the rev of a repository, how far it was followed and read, and which of its frames
    were refused.
    """
    async with deployment.installation.reader() as reader:
        followed = await reader.fetch("select rev, source from verified_repositories where did = :did", did=held.did)
        refused = await reader.fetch("select seq, reason from rejected_frames where did = :did", did=held.did)
        sources = await reader.fetch("select url, cursor, state, reason from sources order by url")
    async with deployment.db.reader() as reader:
        read = await reader.fetch("select * from repositories where did = :did", did=held.did)
        jobs = await reader.fetch("select * from outbox_jobs where subject = :did", did=held.did)
    told = {"followed": followed, "refused": refused, "sources": sources, "read": read, "debts": jobs}
    return f"it is at {held.rev}, " + ", ".join(f"{name} {[dict(one) for one in rows]}" for name, rows in told.items())


async def _help(simulation: "Simulation") -> None:
    """People resolve what programs gave up: they sign in again, or choose a version."""
    async with simulation.deployment.db.reader() as reader:
        rows = await reader.fetch(
            "select kind, subject_id, user_id, state from publications where state in ('blocked', 'conflicted')"
        )
        late = await reader.fetch("select subject from outbox_jobs where kind = 'late_write' and state = 'due'")
    for row in rows:
        for person in simulation.people.values():
            is_theirs = person.caller is not None and person.caller.user_id == row["user_id"]
            if is_theirs and row["state"] == "blocked" and person.sort is Sort.CONNECTED:
                await simulation.sign_in(person)
        async with simulation.deployment.db.transaction() as tx:
            await retry_now(tx, kind=PublicationKind(row["kind"]), subject_id=row["subject_id"])
    for did in sorted({row["subject"].split("/")[2] for row in late}):
        # Deleting a record that arrived late also needs the person's session.
        for person in simulation.people.values():
            if person.sort is Sort.CONNECTED and person.application is not None and person.application.did == did:
                await simulation.sign_in(person)


async def _unfinished(db: Database) -> list[tuple[Any, ...]]:
    async with db.reader() as reader:
        publications = await reader.fetch(
            "select kind, subject_id, user_id, state, attempts, reason, uri, due_at, leased_until from publications"
            f" where state in {UNFINISHED}"
        )
        jobs = await reader.fetch(
            # Nobody in the simulation reads e-mail, and no program here sends any.
            "select kind, subject, state, attempts, reason_code, reason_params, due_at from outbox_jobs "
            "where state in ('due', 'leased') and kind <> 'mail'"
        )
    return [tuple(row) for row in [*publications, *jobs]]
