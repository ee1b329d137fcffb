"""Databases of earlier releases contain sentences about failures. Migrations replace them by codes."""

from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Final

import pytest
from tests.databases import drop_schemas

from aurora_locus.i18n import sentences as of_pds
from groundwork.clock import HandClock
from groundwork.database.migrate import migrate
from groundwork.database.open_ import open_database
from groundwork.errors import Explanation, FailureReason, decode_explanation
from openmeet.i18n.reasons import messages as of_platform

SCHEMA: Final = "migrated_reasons"
SAYS: Final = 'pds.example says: It’s 100 % full, "sorry".\n'

# By package and last revision with sentences: the statement that stores one, and the column.
STORED: Final[dict[tuple[str, str, str], str]] = {
    ("openmeet.network.firehose", "0002", "sources.reason"): (
        "insert into sources (url, state, reason, changed_at) values (:key, 'failing', :said, 0)"
    ),
    ("openmeet.network.firehose", "0002", "rejected_frames.reason"): (
        "insert into rejected_frames (id, source, reason, frame, rejected_at) values (:key, '', :said, :body, 0)"
    ),
    ("openmeet.network.firehose", "0002", "unresolved_repositories.reason"): (
        "insert into unresolved_repositories (did, source, reason, attempts, failed_at, due_at)"
        " values (:key, '', :said, 0, 0, 0)"
    ),
    ("openmeet", "0067", "labelers.reason"): (
        "insert into labelers (did, cursor, state, reason, changed_at) values (:key, 0, 'failing', :said, 0)"
    ),
    ("groundwork.queue", "0001", "queue_dead_letters.reason"): (
        "insert into queue_dead_letters (position, partition_by, routing_key, message_id, body, reason, attempts, "
        "buried_at) values (:number, '', '', :key, :body, :said, 1, 0)"
    ),
    ("groundwork.queue", "0001", "queue_messages.reason"): (
        "insert into queue_messages (position, partition_by, routing_key, message_id, body, published_at, lease, "
        "attempts, reason) values (:number, '', '', :key, :body, 0, 0, 1, :said)"
    ),
    ("aurora_locus", "0011", "backups.reason"): (
        "insert into backups (id, state, started_at, heartbeat_at, reason) values (:key, 'failed', 0, 0, :said)"
    ),
    ("aurora_locus", "0011", "moves.problem"): (
        "insert into moves (did, target, handle, stage, revision, problem, has_records, blobs, blobs_sent, blobs_lost,"
        " started_at, changed_at) values (:key, '', '', 'copying', 1, :said, 0, 0, 0, 0, 0, 0)"
    ),
}
_REPOSITORY: Final = (
    "insert into repositories (did, status, head, rev, data, created_at) values (:did, 'active', :body, '', :body, 0)"
)
_ACCOUNT: Final = "insert into accounts (did, handle, created_at) values (:did, :handle, 0)"
# What was stored, and what it becomes.
KNOWN: Final[dict[str, dict[str, Explanation]]] = {
    "sources.reason": {
        "The server does not know our cursor.": Explanation("firehose.cursor_unknown"),
        "closed by the server": Explanation("firehose.closed_by_server"),
        "The stream's server no longer answers.": FailureReason.REMOTE_SLOW(),
    },
    "rejected_frames.reason": {
        "the account has no signing key for commits": Explanation("firehose.no_signing_key"),
    },
    "unresolved_repositories.reason": {
        "its identity was not resolved in time": Explanation("firehose.lookup_too_slow"),
    },
    "labelers.reason": {"its DID document has no key for labels": Explanation("firehose.no_label_key")},
    "queue_dead_letters.reason": {
        "ingestion.rev_ahead": Explanation("ingestion.rev_ahead"),
        "failure.unavailable": FailureReason.UNAVAILABLE(),
    },
    "queue_messages.reason": {"failure.conflict": FailureReason.CONFLICT()},
    "backups.reason": {
        "it was cut off": Explanation("backup.interrupted"),
        "restored from it": Explanation("backup.restored_from_it"),
    },
    "moves.problem": {
        "Something failed on this server. Try again in a few minutes.": Explanation("move.our_error"),
        '{"code":"There’s no such move.","params":{}}': Explanation("move.no_such_move"),
        '{"code":"pds.example says: No.","params":{}}': FailureReason.EARLIER_TEXT(text="pds.example says: No."),
        '{"code":"%(problem)s We’ll try again in a moment.","params":{"problem":"No."}}': Explanation(
            "move.not_active_yet", {"problem": "No."}
        ),
    },
}


@pytest.fixture
async def url(engine: str, request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[str]:
    """URL of a database without the schema."""
    if engine == "sqlite":
        yield f"sqlite://{tmp_path}/"
        return
    url = request.getfixturevalue("postgres_url")
    yield url
    await drop_schemas(url, [SCHEMA])


@pytest.mark.parametrize(("package", "before"), sorted({(package, before) for package, before, _ in STORED}))
async def test_stored_sentences_become_codes(url: str, clock: HandClock, package: str, before: str) -> None:
    """A known sentence gets its code. Any other becomes the text of the code for other ones. Nothing is lost."""
    await migrate(url, SCHEMA, package, to=before)
    columns = {column: statement for (name, _, column), statement in STORED.items() if name == package}
    expected = {column: {**KNOWN[column], SAYS: FailureReason.EARLIER_TEXT(text=SAYS)} for column in columns}
    db = await open_database(url, schema=SCHEMA, clock=clock)
    async with db.transaction() as tx:
        for column, statement in columns.items():
            for number, said in enumerate([*expected[column], ""]):
                key = f"did:plc:{column}{number}"
                if column == "moves.problem":
                    await tx.execute(_REPOSITORY, did=key, body=b"")
                    await tx.execute(_ACCOUNT, did=key, handle=f"h{number}.test")
                values = {"key": key, "number": number, "said": said, "body": b""}
                await tx.execute(
                    statement, **{name: value for name, value in values.items() if f":{name}" in statement}
                )
    await db.close()
    await migrate(url, SCHEMA, package)
    db = await open_database(url, schema=SCHEMA, clock=clock)
    explain: Callable[[Explanation], str] = of_pds.explain if package == "aurora_locus" else of_platform.explain
    async with db.reader() as reader:
        for column, reasons in expected.items():
            table, _, name = column.partition(".")
            rows = [row["said"] for row in await reader.fetch(f"select {name} as said from {table}")]
            found = [decode_explanation(said) for said in rows]
            assert sorted(map(str, found)) == sorted(map(str, [*reasons.values(), None])), column
            assert all(explain(one) for one in found if one is not None)
    await db.close()
