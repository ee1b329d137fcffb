"""The state of both sides when nothing is queued any more: what the repositories contain, and what OpenMeet shows.

Repositories and frames are read with other people's libraries, and OpenMeet's rows directly from its tables.
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from groundwork.database.transaction import Reader
from tests.plain_http import NO_TLS
from tests.simulation.announced import Announced, Held, announced_in, answered_twice, changes_in, held_in, living_in
from tests.simulation.oracle import Change, expect
from tests.simulation.simulation_home import Home
from tests.simulation.simulation_people import TIMEOUT_SECONDS, PatientClient

if TYPE_CHECKING:
    from tests.simulation.simulation import Simulation

# An event whose record was deleted by another app stays on OpenMeet, but is removed in the network until its host
# decides.
EVENTS = """
    select id, title, description, visibility, author_id, record_uri, record_did, status,
           coalesce(removed_at, record_deleted_at) as removed_at, deleted_at,
           is_read_only, is_held, origin from events
"""
GIVEN_UP = "select kind, subject, reason_code || ' ' || reason_params as reason from outbox_jobs where state = 'failed'"
PUT_ASIDE = "select uri, reason from quarantined_records order by uri"


@dataclass(frozen=True)
class Facts:
    """Everything that is compared."""

    announced: list[Announced]
    # Every version of every event and answer that was announced, in the order of their commits.
    changes: list[Change]
    # Repositories that a server serves, by DID.
    held: dict[str, Held]
    # The records in them, by URI.
    records: dict[str, Change]
    # The commits in which each record was created and last written.
    first_revs: dict[str, str]
    last_revs: dict[str, str]
    # Rows by id.
    events: dict[str, Any]
    attendances: list[Any]
    identities: dict[str, Any]
    publications: dict[tuple[str, str], Any]
    # Records as OpenMeet has seen them, by URI.
    seen: dict[str, Any]
    # Pairs of repository and event for which the repository ever had several answers.
    several: set[tuple[str, str]]
    conflicts: int
    dead_letters: list[str]
    given_up: list[str]
    put_aside: list[str]


async def look(simulation: "Simulation") -> Facts:
    """Collect the state of all servers."""
    deployment = simulation.deployment
    frames = await deployment.frames()
    # An account that moved has announced some changes at one PDS and some at the other. Their revs give the order.
    announced, changes = [announced_in(frame) for frame in frames], sorted(changes_in(frames), key=lambda one: one.rev)
    held = await repositories(deployment.homes, {one.did for one in announced})
    first, last = _revs(announced)
    async with deployment.db.reader() as reader:
        known = await reader.fetch(EVENTS)
        attendances = await reader.fetch("select id, event_id, user_id, status, record_uri, source from attendances")
        identities = await reader.fetch("select did, user_id, kind, handle, pds_url from identities")
        publications = await reader.fetch("select kind, subject_id, state, uri, reason, was_lost from publications")
        seen = await reader.fetch("select uri, rev, standing, reason from records")
        conflicts = await _count(reader, "merge_decisions")
        given_up = await reader.fetch(GIVEN_UP)
        put_aside = await reader.fetch(PUT_ASIDE)
    letters = await deployment.queue.dead_letters(limit=100)
    return Facts(
        announced,
        changes,
        held,
        {change.uri: change for one in held.values() for change in living_in(one)},
        first,
        last,
        {row["id"]: row for row in known},
        list(attendances),
        {row["did"]: row for row in identities},
        {(row["kind"], row["subject_id"]): row for row in publications},
        {row["uri"]: row for row in seen},
        set(answered_twice(changes)) | simulation.memory.several,
        conflicts,
        [f"{letter.message.message_id}: {letter.reason}" for letter in letters],
        [f"{row['kind']} {row['subject']}: {row['reason']}" for row in given_up],
        [f"{row['uri']}: {row['reason']}" for row in put_aside],
    )


async def repositories(homes: list[Home], dids: set[str]) -> dict[str, Held]:
    """The repository of each of these accounts, from the one PDS that serves it. Accounts that no PDS serves are
    missing.
    """
    found: dict[str, Held] = {}
    async with PatientClient(verify=NO_TLS, trust_env=False, timeout=TIMEOUT_SECONDS) as http:
        for home in homes:
            for did in sorted(dids):
                answer = await http.get(f"{home.url}/xrpc/com.atproto.sync.getRepo", params={"did": did})
                if answer.status_code == 200:
                    expect(did not in found, f"two homes serve {did}")
                    found[did] = held_in(answer.content)
    return found


async def _count(reader: Reader, table: str) -> int:
    row = await reader.fetch_one(f"select count(*) as n from {table}")
    assert row is not None
    return int(row["n"])


def _revs(announced: list[Announced]) -> tuple[dict[str, str], dict[str, str]]:
    first: dict[str, str] = {}
    last: dict[str, str] = {}
    for one in announced:
        for action, path in one.operations:
            uri = f"at://{one.did}/{path}"
            if action == "create":
                first[uri] = max(one.rev, first.get(uri, ""))
            last[uri] = max(one.rev, last.get(uri, ""))
    return first, last
