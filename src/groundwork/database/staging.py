"""A database that is filled next to its place and moved there in one step, so that nobody sees it incomplete.

On PostgreSQL it is a schema of the same database, on SQLite a file in the same folder. An empty schema or file may be
in the place: an administrator creates the schema with its rights, and opening an SQLite file creates it.
"""

from dataclasses import dataclass
from pathlib import Path

from groundwork.database.open_ import POSTGRES, SQLITE, sqlite_path
from groundwork.database.postgres_dump import drop_schema, has_relations, rename_schema
from groundwork.errors import Refused

_SUFFIX = "unfinished"


@dataclass(frozen=True, slots=True, kw_only=True)
class StagedDatabase:
    """A database in preparation. Open it with ``url`` and ``schema``; it will be moved to ``final_url`` and
    ``final_schema``, where it replaces a database with content only if ``replaces`` is True.
    """

    url: str
    schema: str
    final_url: str
    final_schema: str
    replaces: bool

    async def discard(self) -> None:
        """Drop it with everything in it, after a failure."""
        if self.url.startswith(POSTGRES):
            await drop_schema(self.url, self.schema)
            return
        staged_file = sqlite_path(self.url)
        for path in (staged_file, *_logs_of(staged_file)):
            path.unlink(missing_ok=True)

    async def move_into_place(self) -> None:
        """Move the complete database to its place. All connections to it must be closed.

        Raises Refused if a database with content is there by now, and must not be replaced.
        """
        if self.url.startswith(POSTGRES):
            await rename_schema(self.url, self.schema, self.final_schema, replacing=self.replaces)
            return
        staged_file, final_file = sqlite_path(self.url), sqlite_path(self.final_url, self.final_schema)
        # The file is complete once its last connection is closed. A write-ahead log that was left behind would be
        # applied to a different file.
        left = [path for path in _logs_of(staged_file) if path.exists() and path.stat().st_size]
        if left:
            raise Refused(f"The new database was not closed: {left[0].name} is still there. Run the command again.")
        if not self.replaces:
            await _require_vacant(self.final_url, self.final_schema)
        for path in _logs_of(final_file):
            path.unlink(missing_ok=True)
        staged_file.replace(final_file)


async def stage(url: str, schema: str, *, replaces: bool = False) -> StagedDatabase:
    """Return an empty place next to this database. What an interrupted command left there is dropped.

    Raises Refused if this database has content, unless the new one ``replaces`` it.
    """
    if not replaces:
        await _require_vacant(url, schema)
    if url.startswith(POSTGRES):
        staged_url, staged_schema = url, f"{schema}_{_SUFFIX}"
    else:
        final_file = sqlite_path(url, schema)
        staged_url, staged_schema = f"{SQLITE}{final_file.with_name(f'{final_file.name}.{_SUFFIX}')}", ""
    staged = StagedDatabase(url=staged_url, schema=staged_schema, final_url=url, final_schema=schema, replaces=replaces)
    await staged.discard()
    return staged


async def _require_vacant(url: str, schema: str) -> None:
    if url.startswith(POSTGRES):
        if await has_relations(url, schema):
            raise Refused(f"There is already a database in the schema {schema}.")
        return
    file = sqlite_path(url, schema)
    if file.exists() and file.stat().st_size:
        raise Refused(f"There is already a database: {file}.")


def _logs_of(file: Path) -> list[Path]:
    return [file.with_name(f"{file.name}-{suffix}") for suffix in ("wal", "shm", "journal")]
