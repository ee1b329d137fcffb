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
# decides. A public event of a private group is only for its members.
EVENTS = """
    select e.id, e.title, e.description, e.author_id, e.record_uri, e.record_did, e.status,
           case when g.visibility = 'private' then 'private' else e.visibility end as visibility,
           coalesce(e.removed_at, e.record_deleted_at) as removed_at, e.deleted_at,
           e.is_read_only, e.is_held, e.origin, e.group_id
      from events e left join groups g on g.id = e.group_id
"""
GIVEN_UP = "select kind, subject, reason_code || ' ' || reason_params as reason from outbox_jobs where state = 'failed'"
QUARANTINED = "select uri, reason from quarantined_records order by uri"


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
    # Records of earlier owners of an event, by URI.
    superseded: dict[str, Any]
    # Blocks in force, as (host, blocked user).
    blocks: set[tuple[str, str]]
    # Co-hosts as (event, user), owners of groups, roles by (group, user), and users who have a name or an address.
    co_hosts: set[tuple[str, str]]
    groups: dict[str, str]
    members: dict[tuple[str, str], str]
    named_users: set[str]
    # Pairs of repository and event for which the repository ever had several answers.
    several: set[tuple[str, str]]
    conflicts: int
    dead_letters: list[str]
    given_up: list[str]
    quarantined: list[str]

    @property
    def events_with(self) -> dict[str, str]:
        """The event that each record belongs to, by URI, without records of earlier owners."""
        return {row["record_uri"]: row["id"] for row in self.events.values() if row["record_uri"] is not None}

    def hosts_of(self, event: Any) -> set[str]:
        """The users who host an event."""
        return {event["author_id"], *(user_id for event_id, user_id in self.co_hosts if event_id == event["id"])}

    @property
    def superseded_events(self) -> dict[str, str]:
        """The event of each record of an earlier owner, by URI."""
        return {uri: row["subject_id"] for uri, row in self.superseded.items()}


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
        publications = await reader.fetch(
            "select kind, subject_id, user_id, state, uri, reason, was_deleted_elsewhere, is_withdrawn from publications"
        )
        superseded = await reader.fetch(
            "select uri, subject_id, is_authors, created_at from superseded_records where kind = 'event'"
        )
        blocks = await reader.fetch("select user_id, blocked_id from user_blocks")
        co_hosts = await reader.fetch("select event_id, user_id from event_co_hosts where state = 'accepted'")
        groups = await reader.fetch("select id, owner_id from groups where deleted_at is null")
        members = await reader.fetch("select group_id, user_id, role from group_members")
        named = await reader.fetch("select id from users where display_name <> '' or email is not null")
        seen = await reader.fetch("select uri, rev, state, reason from records")
        conflicts = await _count(reader, "merge_decisions")
        given_up = await reader.fetch(GIVEN_UP)
        quarantined = await reader.fetch(QUARANTINED)
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
        {row["uri"]: row for row in superseded},
        {(row["user_id"], row["blocked_id"]) for row in blocks},
        {(row["event_id"], row["user_id"]) for row in co_hosts},
        {row["id"]: row["owner_id"] for row in groups},
        {(row["group_id"], row["user_id"]): row["role"] for row in members},
        {row["id"] for row in named},
        set(answered_twice(changes)) | simulation.memory.several,
        conflicts,
        [f"{letter.message.message_id}: {letter.reason}" for letter in letters],
        [f"{row['kind']} {row['subject']}: {row['reason']}" for row in given_up],
        [f"{row['uri']}: {row['reason']}" for row in quarantined],
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
