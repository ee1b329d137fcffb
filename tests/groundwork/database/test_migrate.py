"""Revisions are applied to every database once, in order, completely or not at all."""

import asyncio
import resource
import subprocess
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from sqlalchemy import Connection, Engine, event
from structlog.testing import capture_logs
from tests.databases import drop_schemas
from tests.external_dependencies import ROOT

from groundwork.clock import HandClock
from groundwork.database import revision
from groundwork.database.dump import read_contents
from groundwork.database.migrate import current_revision, head, migrate, versions_folder
from groundwork.database.open_ import open_database, sqlite_path
from groundwork.database.transaction import DatabaseUnavailable
from groundwork.errors import Refused

FIRST = """
create table notes (id text primary key, body text not null default 'a;b: c', is_open integer check (is_open in (0, 1)));
create index notes_by_body on notes (body); -- done; really
"""
SECOND = "create table answers (id text primary key, note_id text not null references notes (id));"


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """An importable package with two revisions and a new name for each test."""
    name = f"package_{abs(hash(tmp_path))}"
    versions = tmp_path / name / "migrations" / "versions"
    versions.mkdir(parents=True)
    (tmp_path / name / "__init__.py").touch()
    monkeypatch.syspath_prepend(tmp_path)
    revise(versions, "0001", None, FIRST)
    revise(versions, "0002", "0001", SECOND)
    return name


def revise(versions: Path, number: str, after: str | None, script: str) -> None:
    (versions / f"{number}_some.py").write_text(
        f"from groundwork.database.revision import apply\nrevision = {number!r}\ndown_revision = {after!r}\n"
        f"def upgrade():\n    apply({script!r})\n"
    )


@pytest.fixture
async def place(engine, request, tmp_path, package) -> AsyncIterator[tuple[str, str]]:
    """URL and schema of a database that does not exist yet."""
    if engine == "sqlite":
        yield f"sqlite://{tmp_path}/folder/of/databases/", "tenant"
        return
    url = request.getfixturevalue("postgres_url")
    yield url, package
    await drop_schemas(url, [package])


async def test_a_new_database_gets_every_revision(place, package, clock: HandClock):
    url, schema = place
    assert await current_revision(url, schema, package) == ""
    await migrate(url, schema, package)
    assert await current_revision(url, schema, package) == head(versions_folder(package)) == "0002"
    db = await open_database(url, schema=schema, clock=clock)
    await db.write(lambda writer: writer.execute("insert into notes (id) values ('1')"))
    await db.write(lambda writer: writer.execute("insert into answers (id, note_id) values ('1', '1')"))
    async with db.reader() as reader:
        row = await reader.fetch_one("select body from notes")
    await db.close()
    assert row is not None
    assert row["body"] == "a;b: c"


async def test_a_filled_database_gets_what_is_missing(place, package, clock: HandClock):
    url, schema = place
    await migrate(url, schema, package)
    db = await open_database(url, schema=schema, clock=clock)
    await db.write(lambda writer: writer.execute("insert into notes (id) values ('kept')"))
    await db.close()
    revise(versions_folder(package), "0003", "0002", "alter table notes add column size bigint not null default 7")
    await migrate(url, schema, package)
    db = await open_database(url, schema=schema, clock=clock)
    async with db.reader() as reader:
        row = await reader.fetch_one("select id, size from notes")
    await db.close()
    assert row is not None
    assert tuple(row) == ("kept", 7)


async def test_a_revision_that_fails_leaves_nothing(place, package, clock: HandClock):
    url, schema = place
    await migrate(url, schema, package)
    revise(versions_folder(package), "0003", "0002", "create table half (id text); insert into nowhere values (1);")
    with pytest.raises(Exception, match="nowhere"):
        await migrate(url, schema, package)
    assert await current_revision(url, schema, package) == "0002"
    db = await open_database(url, schema=schema, clock=clock)
    with pytest.raises(Exception, match="half"):
        async with db.reader() as reader:
            await reader.fetch("select id from half")
    await db.close()


async def test_concurrent_migrators_wait_for_each_other(place, package):
    url, schema = place
    await asyncio.gather(*(migrate(url, schema, package) for _ in range(4)))
    assert await current_revision(url, schema, package) == "0002"


PROGRAM = "import asyncio, sys\nfrom groundwork.database.migrate import migrate\nasyncio.run(migrate(*sys.argv[1:]))\n"


async def test_processes_that_migrate_at_once_wait_for_each_other(place, package, tmp_path):
    url, schema = place
    processes = [
        await asyncio.create_subprocess_exec(
            sys.executable,
            "-c",
            PROGRAM,
            url,
            schema,
            package,
            env={"PYTHONPATH": f"{ROOT / 'src'}:{tmp_path}"},
            stderr=subprocess.PIPE,
        )
        for _ in range(3)
    ]
    said = [(await process.communicate())[1] for process in processes]
    assert [process.returncode for process in processes] == [0, 0, 0], said
    assert await current_revision(url, schema, package) == "0002"


@pytest.mark.parametrize("engine", ["sqlite"])
async def test_no_other_process_migrates_between_two_revisions(place, package, tmp_path):
    """No other process can migrate between two revisions; PostgreSQL has a lock for that. Otherwise both would apply
    the second revision.
    """
    begun = []

    def meanwhile(_connection: Connection) -> None:
        begun.append(len(begun))
        if len(begun) == 2:
            env = {"PYTHONPATH": f"{ROOT / 'src'}:{tmp_path}"}
            subprocess.run([sys.executable, "-c", PROGRAM, *place, package], env=env, check=True)

    event.listen(Engine, "begin", meanwhile)
    try:
        await migrate(*place, package)
    finally:
        event.remove(Engine, "begin", meanwhile)
    assert begun
    assert await current_revision(*place, package) == "0002"  # type: ignore[call-arg]  # a place is two


async def test_a_newer_database_is_left_alone(place, package):
    """A newer database is left alone, so that old code can run with a new schema. The log says so to the operator who
    went back to an older release.
    """
    url, schema = place
    with capture_logs() as lines:
        await migrate(url, schema, package)
        assert lines == []
        (versions_folder(package) / "0002_some.py").unlink()
        await migrate(url, schema, package)
    (line,) = lines
    assert (line["event"], line["database"], line["program"]) == ("database.newer_than_program", "0002", "0001")
    assert await current_revision(url, schema, package) == "0002"


async def test_packages_share_a_schema(place, package, tmp_path):
    url, schema = place
    other = tmp_path / f"{package}_other" / "migrations" / "versions"
    other.mkdir(parents=True)
    revise(other, "0001", None, "create table elsewhere (id text primary key)")
    await migrate(url, schema, package)
    await migrate(url, schema, f"{package}_other")
    assert await current_revision(url, schema, package) == "0002"
    assert await current_revision(url, schema, f"{package}_other") == "0001"


@pytest.mark.parametrize("engine", ["sqlite"], indirect=True)
async def test_a_revision_must_not_break_references(place, package, clock: HandClock):
    """A revision that breaks references fails. SQLite turns foreign keys off while it rebuilds a table; they are
    checked before the commit.
    """
    url, schema = place
    await migrate(url, schema, package)
    db = await open_database(url, schema=schema, clock=clock)
    await db.write(lambda writer: writer.execute("insert into notes (id) values ('1')"))
    await db.write(lambda writer: writer.execute("insert into answers (id, note_id) values ('1', '1')"))
    await db.close()
    revise(versions_folder(package), "0003", "0002", "delete from notes")
    with pytest.raises(ValueError, match="foreign key"):
        await migrate(url, schema, package)
    assert await current_revision(url, schema, package) == "0002"


async def test_a_database_from_before_the_baseline_is_refused(place, package, clock: HandClock):
    """A database from before the baseline is refused with instructions and not touched, because its revision numbers
    mean other tables.
    """
    url, schema = place
    await migrate(url, schema, package)
    db = await open_database(url, schema=schema, clock=clock)
    await db.write(lambda w: w.execute(f"alter table schema_revision_{package} rename to alembic_version_{package}"))
    await db.close()
    for attempt in (current_revision, migrate):
        with pytest.raises(Refused, match=r"cannot be migrated\. Start with an empty database"):
            await attempt(url, schema, package)


async def test_start_without_migrations_does_not_import_alembic(place, package, tmp_path):
    """A start without pending revisions does not import alembic, which would take a third of a second."""
    await migrate(*place, package)
    program = (
        f"{PROGRAM}import groundwork.database.open_\nsys.exit('alembic' in sys.modules or 'sqlalchemy' in sys.modules)"
    )
    env = {"PYTHONPATH": f"{ROOT / 'src'}:{tmp_path}"}
    process = await asyncio.create_subprocess_exec(sys.executable, "-c", program, *place, package, env=env)
    assert await process.wait() == 0


def test_statements_can_be_limited_to_one_engine(engine, monkeypatch: pytest.MonkeyPatch):
    """Statements can be limited to one engine. An SQLite trigger is one statement although it contains semicolons."""
    run: list[str] = []
    monkeypatch.setattr(revision, "engine", lambda: engine)
    monkeypatch.setattr(revision, "execute", run.append)
    revision.apply("""
        create table t (a text /*postgresql collate "C" */, b text) /*sqlite without rowid */; -- done; really
        /*sqlite create trigger c after insert on t begin delete from t; delete from t; end; */
        /*postgresql create index d on t (a); */
    """)
    said = [" ".join(statement.split()) for statement in run]
    assert (
        said
        == {
            "sqlite": [
                "create table t (a text , b text) without rowid",
                "-- done; really create trigger c after insert on t begin delete from t; delete from t; end",
            ],
            "postgresql": ['create table t (a text collate "C", b text)', "-- done; really create index d on t (a)"],
        }[engine]
    )


async def test_files_of_a_folder_in_the_order_of_their_names(place, package, engine):
    """The files of a folder run in the order of their names, without those for the other engine."""
    baseline = versions_folder(package).parent / "baseline"
    baseline.mkdir()
    (baseline / "2_second.sql").write_text("create index b on firsts (id);")
    (baseline / "1_first.sql").write_text("create table firsts (id text primary key);")
    for name in ("sqlite", "postgresql"):
        (baseline / f"3.{name}.sql").write_text(f"create table only_{name} (id text primary key);")
    (versions_folder(package) / "0003_folder.py").write_text(
        "from pathlib import Path\nfrom groundwork.database.revision import apply_folder\n"
        "revision = '0003'\ndown_revision = '0002'\n"
        "def upgrade():\n    apply_folder(Path(__file__).parents[1] / 'baseline')\n"
    )
    await migrate(*place, package)
    async with read_contents(*place, baseline) as contents:  # type: ignore[call-arg]  # a place is two
        assert {table.name for table in contents.tables} == {"notes", "answers", "firsts", f"only_{engine}"}


@pytest.mark.parametrize(
    ("url", "schema", "path"),
    [
        ("sqlite:///var/x.db", "", "/var/x.db"),
        ("sqlite:////var/x.db", "tenant", "/var/x.db"),
        ("sqlite:///var/folder/", "tenant", "/var/folder/tenant.db"),
        ("sqlite:///var/folder/", "", "/var/folder/main.db"),
    ],
)
def test_sqlite_urls(url, schema, path):
    assert sqlite_path(url, schema) == Path(path)


@pytest.mark.parametrize("url", ["sqlite://x.db", "sqlite://"])
def test_relative_sqlite_urls_are_refused(url):
    with pytest.raises(Refused, match="absolute"):
        sqlite_path(url)


@pytest.mark.parametrize("content", [None, b"not a database, but longer than the header of one" * 9])
async def test_unusable_sqlite_file_is_named(tmp_path: Path, content: bytes | None):
    """A folder, or a file of another kind, in place of the database."""
    path = tmp_path / "site.db"
    if content is None:
        path.mkdir()
    else:
        path.write_bytes(content)
    with pytest.raises(DatabaseUnavailable, match=f"The SQLite file {path} of the database cannot be used: "):
        await current_revision(f"sqlite://{path}", "", "openmeet")


@pytest.mark.parametrize("url", ["mysql://x", "sqlite:x.db", "openmeet.db"])
async def test_other_urls_are_refused(clock: HandClock, url: str):
    with pytest.raises(Refused, match="begins with"):
        await open_database(url, clock=clock)
    with pytest.raises(Refused, match="begins with"):
        await current_revision(url, "", "openmeet")


def test_full_disk_is_reported_in_a_sentence(tmp_path: Path):
    """A process that may write only 40 kB cannot create the tables of the PDS, as on a full disk."""
    database = tmp_path / "pds.db"
    done = subprocess.run(
        [sys.executable, "-m", "groundwork.database.migrate", "", "aurora_locus"],
        input=f"sqlite://{database}",
        capture_output=True,
        text=True,
        check=False,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (40_000, 40_000)),
    )
    last = done.stderr.splitlines()[-1]
    assert last.startswith("groundwork.database.transaction.DatabaseUnavailable:"), last
    assert f"{database} cannot be written" in last
    assert "Check the free space" in last
