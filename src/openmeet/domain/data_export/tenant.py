"""Export of a whole tenant as JSON Lines: a header, one line per row, and a last line with counts, which proves that
the export is complete.

The header contains the schema revision. An export is loaded into a new database: it is created at that revision,
filled, and upgraded with the usual migrations. So a newer release can load an older export, from and into either
database engine.
"""

from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, Final

import msgspec

from groundwork.clock import Instant
from groundwork.database.dump import DatabaseTable, Rows, load_contents, read_contents
from groundwork.database.migrate import current_revision, head, migrate, versions_folder
from groundwork.errors import InvalidInput, Refused, TooLarge
from openmeet.domain.data_export.tables import DataExportReason, Value, object_of, row_of
from openmeet.i18n.formatting import iso

PACKAGE: Final = "openmeet"
VERSION: Final = 1
MAX_LINE: Final = 64_000_000
_ROWS = 1_000

# Tables that are not exported, and why.
LEFT_OUT: Final[Mapping[str, str]] = {
    "sessions": "everybody signs in again",
    "email_challenges": "codes on their way",
    "email_code_guesses": "how many codes were guessed for an address today",
    "idempotency_keys": "answers to programs that are kept for a day",
    "event_drafts": "what somebody typed before they signed in, kept for a week",
    "imports": "files that were looked at and not imported",
    "oauth_client_keys": "what this installation signs with; another has its own",
    "chat_access_changes": "notes whose access to rooms may have changed, made again as rows are taken in",
    "matrix_cursor": "how far this installation has read its Matrix server",
    "matrix_sends": "which messages this installation has sent to its Matrix server",
    "saved_search_queue": "events that searches have yet to be compared with, noted again as they are taken in",
    "oauth_requests": "sign-ins under way: they last ten minutes",
    "repository_sessions": "keys to people’s repositories: they sign in there again",
}

# Self-referencing tables. Their rows are written so that each comes after the one it refers to.
OWN_PARENTS: Final[Mapping[str, str]] = {
    "event_series": "split_from",
    "moderation_log": "undoes",
}

OnProgress = Callable[[str, int], None]


async def write(
    url: str, schema: str, scratch: Path, now: Instant, site: str, tell: OnProgress
) -> AsyncIterator[bytes]:
    """Return the lines of the export, from one snapshot."""
    revision = await current_revision(url, schema, PACKAGE)
    yield _line(
        {"openmeetExport": VERSION, "kind": "tenant", "revision": revision, "exportedAt": iso(now), "site": site}
    )
    counts: dict[str, int] = {}
    async with read_contents(url, schema, scratch) as contents:
        for table in contents.tables:
            if table.name in LEFT_OUT:
                continue
            counts[table.name] = 0
            yield _line({"table": table.name, "columns": list(table.columns)})
            async for rows in _ordered(contents.rows(table), table):
                counts[table.name] += len(rows)
                tell(table.name, len(rows))
                yield b"".join(_line({"row": object_of(table.columns, row)}) for row in rows)
    yield _line({"end": counts})


async def load(lines: Iterator[bytes], url: str, schema: str, tell: OnProgress) -> Mapping[str, int]:
    """Fill a database that does not exist yet. Return the number of rows per table.

    Raises InvalidInput and TooLarge for an incomplete or invalid export, Refused if the database exists (``NotEmpty``)
    or the export is newer than this release (``TooNew``). Everything is inserted in one transaction, so a failure
    leaves nothing behind.
    """
    header = _decoded(next(lines, b""))
    if header.get("openmeetExport") != VERSION or header.get("kind") != "tenant":
        raise InvalidInput("file", DataExportReason.NOT_OF_A_SITE)
    revision = header.get("revision")
    newest = head(versions_folder(PACKAGE))
    if not isinstance(revision, str) or not revision.isdigit() or revision > newest:
        raise Refused(DataExportReason.TOO_NEW, name="TooNew")
    if await current_revision(url, schema, PACKAGE):
        raise Refused(DataExportReason.NOT_EMPTY, name="NotEmpty")
    await migrate(url, schema, PACKAGE, to=revision)
    counts: dict[str, int] = {}
    ends: Any = None
    try:
        async with load_contents(url, schema) as loading:
            async for table, columns, rows in _batches(lines):
                if table == "":
                    ends = columns
                    break
                if table in LEFT_OUT:
                    raise InvalidInput("file", DataExportReason.UNKNOWN_TABLE, table=table)
                counts[table] = counts.get(table, 0) + len(rows)
                if rows:
                    await loading.put(table, columns, rows)
                    tell(table, len(rows))
            if ends != counts:
                raise InvalidInput("file", DataExportReason.INCOMPLETE)
    except ValueError as broken:
        raise InvalidInput("file", DataExportReason.DAMAGED, problem=str(broken)) from broken
    await migrate(url, schema, PACKAGE)
    return counts


def lines_of(path: Path) -> Iterator[bytes]:
    """Read the lines of a file. The length of each is limited."""
    with path.open("rb") as file:
        while line := file.readline(MAX_LINE + 1):
            if len(line) > MAX_LINE:
                raise TooLarge(DataExportReason.LINE_TOO_LONG, most=MAX_LINE // 1000000)
            yield line


async def _batches(lines: Iterator[bytes]) -> AsyncIterator[tuple[str, Any, list[list[Value]]]]:
    """Yield batches of (table, columns, rows). The last batch is ("", counts, [])."""
    table, columns = "", ()
    rows: list[list[Value]] = []
    for number, line in enumerate(lines, 2):
        match _decoded(line):
            case {"table": str() as name, "columns": list() as names} if all(_is_name(one) for one in (name, *names)):
                if table:
                    yield table, columns, rows
                table, columns, rows = name, tuple(names), []
            case {"row": dict() as json_row} if table:
                rows.append(row_of(columns, json_row, f"Line {number}"))
                if len(rows) == _ROWS:
                    yield table, columns, rows
                    rows = []
            case {"end": dict() as counts}:
                if table:
                    yield table, columns, rows
                yield "", counts, []
                return
            case _:
                raise InvalidInput("file", DataExportReason.UNKNOWN_LINE, number=number)


def _is_name(text: object) -> bool:
    return isinstance(text, str) and text.replace("_", "").isalnum() and text.isascii() and len(text) < 64


async def _ordered(pages: AsyncIterator[Rows], table: DatabaseTable) -> AsyncIterator[Rows]:
    column = OWN_PARENTS.get(table.name)
    if column is None:
        async for rows in pages:
            yield rows
        return
    place, key = table.columns.index(column), table.columns.index("id")
    waiting = [row async for rows in pages for row in rows]
    placed: set[object] = {None}
    while waiting:
        ready = [row for row in waiting if row[place] in placed]
        if not ready:
            raise InvalidInput("database", DataExportReason.ROWS_IN_A_CIRCLE, label=table.name)
        placed |= {row[key] for row in ready}
        waiting = [row for row in waiting if row[key] not in placed]
        yield ready


def _line(value: Mapping[str, Any]) -> bytes:
    return msgspec.json.encode(value) + b"\n"


def _decoded(line: bytes) -> dict[str, Any]:
    try:
        document = msgspec.json.decode(line)
    except msgspec.DecodeError:
        document = None
    if not isinstance(document, dict):
        raise InvalidInput("file", DataExportReason.NOT_AN_EXPORT)
    return document
