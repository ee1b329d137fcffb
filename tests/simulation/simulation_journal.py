"""Journal of changes in OpenMeet's rows from one operation to the next, to explain how a failure came about.

It has one line for each change of events, answers, publications, records, decisions, jobs and repository states, and
one for each acknowledged message. Changes that are undone within the same operation are not seen.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from groundwork.database.transaction import Database
from openmeet.network.records.message import Hint, decode

# Names of rows and records, as they occur in failures and steps.
NAMED = re.compile(r"[0-9a-f]{8}-[0-9a-f-]{27}|at://[^ '\",:]+:[^ '\",]+[^ '\",:]")
_JOURNAL = re.compile(r"\d+:   (event|answer|publication|record|decision|job|repository|message|hint) ")
# Tables whose rows can be about a whole repository as well as about one record in it.
_OF_REPOSITORY = re.compile(r"\d+:   (job|repository|hint) ")
_DID = re.compile(r"did:[a-z]+:[A-Za-z0-9._-]+")
# Operations on accounts and on the network, which can affect any of a person's records.
_ANYTHING = re.compile(r"consent|copy|moves|signs|anew|stream|consumer|away|back|killed|limits|on its way")

EVENTS = """
    select id, title, description, visibility, status, revision, record_uri, removed_at, deleted_at, is_read_only
        from events
"""
ANSWERS = "select id, event_id, user_id, status, source, revision, record_uri, answered_at from attendances"
# Times on the simulated clock, which always advances between two operations.
PUBLICATIONS = """
    select kind || ' ' || subject_id as id, kind, subject_id, state, revision, completed_revision, uri, base_rev,
           is_withdrawn, was_deleted_elsewhere, reason, edited_at, due_at
      from publications where changed_at >= :since
"""
RECORDS = (
    "select uri as id, rev, version_rev, previous_known_rev, state, reason, cid, subject_uri from records "
    "where seen_at >= :since"
)
DECISIONS = """
    select uri || ' ' || field || ' as of ' || theirs_rev as id, previous_known_rev, ours, theirs, ours_revision,
        policy, result
      from merge_decisions
"""
JOBS = """
    select kind || ' ' || subject as id, state, revision, attempts, reason_code, reason_params, due_at from outbox_jobs
     where kind in ('backfill', 'fetch_subject', 'late_write', 'prove_record', 'reconcile', 'refresh_identity')
"""
REPOSITORIES = "select did as id, epoch, floor_rev, missed_rev, status from repositories"


@dataclass
class Journal:
    """``tell`` is called with each change."""

    db: Database
    tell: Callable[[str], None]
    known: dict[tuple[str, str], dict[str, Any]] = field(default_factory=dict)
    since: int = 0

    async def look(self, now: int) -> None:
        """Report every difference from the previous call."""
        async with self.db.reader() as reader:
            tables = {
                "event": await reader.fetch(EVENTS),
                "answer": await reader.fetch(ANSWERS),
                "publication": await reader.fetch(PUBLICATIONS, since=self.since),
                "record": await reader.fetch(RECORDS, since=self.since),
                "decision": await reader.fetch(DECISIONS),
                "job": await reader.fetch(JOBS),
                "repository": await reader.fetch(REPOSITORIES),
            }
        self.since = now
        for table, rows in tables.items():
            for row in rows:
                fresh = dict(row)
                old = self.known.get((table, fresh["id"]))
                if old != fresh:
                    self.known[table, fresh["id"]] = fresh
                if _said(old) != _said(fresh):
                    self.tell(f"  {table} {_named(fresh)}: {_changes(old or {}, fresh)}")


def _said(row: dict[str, Any] | None) -> dict[str, Any]:
    """The columns whose changes are reported. Retries and repeated deliveries are not."""
    dull = {"due_at", "revision"} if (row or {}).get("state") == "completed" else {"due_at"}
    return {key: value for key, value in (row or {}).items() if key not in dull}


def _named(row: dict[str, Any]) -> str:
    """All names by which a failure can refer to the row."""
    return " ".join(str(row[key]) for key in ("id", "event_id", "user_id") if key in row)


def _changes(old: dict[str, Any], fresh: dict[str, Any]) -> str:
    shown = {key: value for key, value in fresh.items() if key not in {"id", "kind", "event_id", "user_id"}}
    return ", ".join(
        f"{key} {value}" for key, value in shown.items() if old.get(key) != value and value not in (None, "")
    )


def message_line(body: bytes) -> str:
    """An acknowledged message as a line of the journal."""
    message = decode(body)
    if isinstance(message, Hint):
        return f"  hint {message.did}: {message.kind.value}, rev {message.rev}, {message.status}"
    found = "read" if message.is_read else message.operation.value
    return f"  message {message.uri}: {found} as of {message.rev}, cid {message.cid}"


def is_journal(step: str) -> bool:
    """Whether this line comes from the journal and not from an operation."""
    return _JOURNAL.match(step) is not None


def steps_about(steps: Sequence[str], about: str, people: Mapping[str, set[str]]) -> list[str]:
    """Lines about everything that a failure names: its rows, publications and records, and the operations in between.

    ``people``: the people that it names, and their names in rows. Answers of others are left out.
    """
    names = set(NAMED.findall(about))
    for step in steps:
        if " is at://" in step and names & set(NAMED.findall(step)):
            names |= set(NAMED.findall(step))
    found = []
    for step in steps:
        here = NAMED.findall(step)
        is_answer = "   answer " in step
        if is_answer and here[1] in names and (not people or any(here[2] in called for called in people.values())):
            names.add(here[0])
        if "   publication " in step and here[0] in names:
            names |= set(here)
        if _OF_REPOSITORY.match(step):
            dids = {did for name in names for did in _DID.findall(name)}
            is_theirs = bool(names & set(here)) or (not here and not dids.isdisjoint(_DID.findall(step)))
        elif is_journal(step):
            is_theirs = here[0] in names
        else:
            who = step.split(": ", 1)[-1].split(" ", 1)[0]
            is_theirs = bool(names & set(here)) or (_ANYTHING.search(step) is not None and (not here or who in people))
        if is_theirs:
            found.append(step)
    return found
