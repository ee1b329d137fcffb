"""Scheduled backups, backups before migrations, keys at rest, and the metrics for late backups."""

import ast
import asyncio
from dataclasses import replace
from pathlib import Path

import pytest

import aurora_locus
from at_network.bearer_session import BearerTokens
from at_protocol.syntax.handle import Handle
from aurora_locus.account_migration import moves
from aurora_locus.accounts import queries as accounts
from aurora_locus.blobs.place import open_store
from aurora_locus.keys.signing_keys import SigningKeys
from aurora_locus.maintenance import backup, configured, history, rotation, schedule
from aurora_locus.maintenance.manifest import SEALING_KEYS, read_manifest
from aurora_locus.maintenance.rotation import reseal
from aurora_locus.maintenance.vault import MANIFEST, part_name
from aurora_locus.repository.repositories import Repositories
from aurora_locus.settings import PACKAGE, SCHEMA, PdsSettings
from groundwork.clock import DAY, HOUR, SECOND, HandClock, Instant
from groundwork.database.dump import read_contents
from groundwork.database.migrate import head, migrate, versions_folder
from groundwork.database.open_ import open_database
from groundwork.database.transaction import Database, Engine
from groundwork.errors import Refused, reason_of
from groundwork.sealing import CannotUnseal, Sealer
from groundwork.settings import Secret, SettingsRefused
from groundwork.telemetry.metrics import Metrics
from tests.added_migrations import Revise
from tests.aurora_locus.blobs.uploading import refer, send
from tests.aurora_locus.hosted_repository import HostedRepository
from tests.aurora_locus.maintenance.vaults import Place, fill, source_of, vault_in

LATER = "create table later (id text primary key)"


def settings_for(url: str, folder: Path, *, backups: bool = True) -> PdsSettings:
    return PdsSettings(
        dev_mode=True,
        data_directory=folder / "pds",
        database_url=url,
        backup_url=str(folder / "vault") if backups else "",
        backup_passphrase=Secret("correct horse battery"),
    )


async def test_scheduled_backups_are_made_daily_and_expire(
    repositories: Repositories, ada: HostedRepository, db: Database, place: Place, clock: HandClock, tmp_path: Path
):
    """A backup is made if there is none, and the next one a day later. After a month the first one is removed together
    with its pictures.
    """
    settings = settings_for(place.url, tmp_path)
    metrics = Metrics("aurora_locus")
    measured = schedule.gauges(metrics, clock)
    store = repositories.blobs.store

    async def look() -> bool:
        return await schedule.make_if_due(db, settings, store, clock, measured, version="test")

    picture = await send(ada, b"seen in the first backup only")
    await refer(ada, "a", picture)
    assert b"aurora_locus_backup_age_seconds NaN" in metrics.exposition()
    assert await look()
    assert not await look()
    await ada.delete("a")
    clock.turn(23 * HOUR)
    assert not await look()
    assert b"aurora_locus_backup_age_seconds 82800.0" in metrics.exposition()
    clock.turn(HOUR)
    assert await look()
    vault = await configured.vault(settings)
    assert len(await vault.backup_ids()) == 2
    assert len(await backup.known_blobs(vault)) == 1
    clock.turn(30 * DAY + SECOND)
    assert await look()
    assert len(await vault.backup_ids()) == 1
    assert await backup.known_blobs(vault) == set()
    assert b'aurora_locus_backups_total{outcome="done"} 3.0' in metrics.exposition()


async def test_the_newest_backup_always_stays(
    repositories: Repositories, ada: HostedRepository, db: Database, place: Place, clock: HandClock, tmp_path: Path
):
    """The newest backup is never removed, even if it is old. The leftovers of an interrupted backup are removed."""
    await fill(ada, blobs=1)
    vault = vault_in(tmp_path / "vault")
    made = await backup.take(db, source_of(place.url, repositories, tmp_path / "scratch"), vault, clock)
    await vault.write("backups/20200101T000000Z-aaaaaa/database", _once(b"half"))
    assert await schedule.prune(vault, Instant(clock.now() + 99 * DAY)) == (1, 0)
    assert await vault.backup_ids() == [made.id]
    assert len(await backup.known_blobs(vault)) == 1


async def _once(value: bytes):
    yield value


async def test_after_a_failure_it_is_tried_again_in_an_hour(
    repositories: Repositories, db: Database, place: Place, clock: HandClock, tmp_path: Path
):
    settings = settings_for(place.url, tmp_path)
    measured = schedule.gauges(Metrics("aurora_locus"), clock)
    await history.begin(db, "one")
    await history.end(db, "one", reason=reason_of(Refused("The disk is full.")))

    async def look() -> bool:
        return await schedule.make_if_due(db, settings, repositories.blobs.store, clock, measured, version="test")

    assert not await look()
    clock.turn(HOUR + SECOND)
    assert await look()


async def test_database_is_backed_up_before_a_migration(
    place: Place, clock: HandClock, tmp_path: Path, engine: Engine, revise: Revise
):
    """A database of an older release is backed up before its tables change, and the backup restores with its own
    tables.
    """
    await migrate(place.url, SCHEMA, PACKAGE)
    before = head(versions_folder(PACKAGE))
    revise(PACKAGE, LATER)
    settings = settings_for(place.url, tmp_path)
    await schedule.before_migrating(settings, lambda: open_store(settings), clock, version="test")
    manifest = await read_manifest(await configured.vault(settings))
    assert manifest.revision == before
    await migrate(place.url, SCHEMA, PACKAGE)
    await schedule.before_migrating(settings, lambda: open_store(settings), clock, version="test")
    assert len(await (await configured.vault(settings)).backup_ids()) == 1


async def test_sqlite_file_is_copied_if_there_is_no_backup_place(tmp_path: Path, clock: HandClock, revise: Revise):
    """Without a place for backups the SQLite file is copied, and the two newest copies are kept."""
    first = head(versions_folder(PACKAGE))
    second, third, _ = [revise(PACKAGE, f"create table later_{n} (id text primary key)") for n in (1, 2, 3)]
    url = f"sqlite://{tmp_path / 'old.db'}"
    settings = settings_for(url, tmp_path, backups=False)
    for revision in (first, second, third):
        await migrate(url, SCHEMA, PACKAGE, to=revision)
        await schedule.before_migrating(settings, lambda: open_store(settings), clock, version="test")
    copies = sorted(path.name for path in (settings.data_directory / "before-migrations").iterdir())
    assert copies == [f"{second}.db", f"{third}.db"]
    async with read_contents(
        f"sqlite://{settings.data_directory / 'before-migrations' / f'{third}.db'}", "", tmp_path / "s"
    ) as contents:
        assert "repositories" in {table.name for table in contents.tables}


async def test_an_older_program_refuses_a_newer_database(place: Place, clock: HandClock, tmp_path: Path):
    """An older program refuses a newer database with instructions, and touches nothing."""
    await migrate(place.url, SCHEMA, PACKAGE)
    db = await open_database(place.url, schema=SCHEMA, clock=clock)
    await db.write(lambda w: w.execute("update schema_revision_aurora_locus set version_num = '9999'"))
    await db.close()
    settings = settings_for(place.url, tmp_path)
    with pytest.raises(
        SettingsRefused, match=f"9999, but this program knows only revisions up to {head(versions_folder(PACKAGE))}"
    ):
        await schedule.before_migrating(settings, lambda: open_store(settings), clock, version="test")


@pytest.mark.parametrize(
    ("changes", "named"),
    [({"backup_url": ""}, "PDS_BACKUP_URL"), ({"backup_passphrase": Secret("")}, "PDS_BACKUP_PASSPHRASE")],
)
async def test_missing_setting_is_named(tmp_path: Path, changes: dict[str, object], named: str):
    with pytest.raises(SettingsRefused, match=named):
        await configured.vault(replace(settings_for("", tmp_path), **changes), make=True)


async def test_processes_that_start_at_once_open_one_vault(tmp_path: Path):
    """Processes of one server that find an empty place at the same moment use the same key, whoever writes last. The
    backup of the other one could not be read otherwise.
    """
    settings = replace(settings_for("", tmp_path), sealing_keys=Secret("B" * 43))
    vaults = await asyncio.gather(*(configured.vault(settings, make=True) for _ in range(3)))
    later = await configured.vault(settings)
    assert {vault.master for vault in vaults} == {later.master}
    elsewhere = replace(settings, backup_url=str(tmp_path / "other"), sealing_keys=Secret("C" * 42 + "A"))
    assert (await configured.vault(elsewhere, make=True)).master != later.master


async def test_damaged_manifest_stops_neither_listing_nor_expiry(
    repositories: Repositories, ada: HostedRepository, db: Database, place: Place, clock: HandClock, tmp_path: Path
):
    """A backup whose manifest is damaged is refused by name. Expired backups are removed all the same, but no blobs,
    because the damaged one may still need them.
    """
    await fill(ada, blobs=1)
    vault = vault_in(tmp_path / "vault")
    source = source_of(place.url, repositories, tmp_path / "scratch")
    made = []
    for _ in range(3):
        made.append(await backup.take(db, source, vault, clock))
        clock.turn(DAY)
    await vault.write(vault.blob_name(bytes(32)), _once(b"of the damaged backup"))
    manifest = tmp_path / "vault" / part_name(made[1].id, MANIFEST)
    manifest.write_bytes(manifest.read_bytes()[:-1])
    with pytest.raises(Refused, match=rf"{made[1].id} is damaged.*Use another"):
        await read_manifest(vault, made[1].id)
    assert await schedule.prune(vault, Instant(made[1].made_at - SECOND)) == (1, 0)
    assert await schedule.prune(vault, Instant(made[2].made_at - SECOND)) == (1, 1)


async def test_backup_contains_the_secrets_of_the_settings(
    repositories: Repositories, ada: HostedRepository, db: Database, place: Place, clock: HandClock, tmp_path: Path
):
    """A backup contains the secrets of the settings, because its sealed rows cannot be read without those keys."""
    settings = settings_for(place.url, tmp_path)
    source = configured.source(settings, repositories.blobs.store, version="test")
    vault = await configured.vault(settings, make=True)
    await backup.take(db, source, vault, clock)
    written = (settings.data_directory / "sealing.key").read_text().strip()
    assert (await read_manifest(vault)).secrets[SEALING_KEYS] == written


async def test_old_key_is_not_needed_after_resealing(ada: HostedRepository, ben: HostedRepository, db: Database):
    """Resealing encrypts everything with the new key instead of the old one. The old key is then no longer needed, and
    decrypts nothing.
    """
    old, new = bytes(32), b"\x07" * 32
    assert await reseal(db, Sealer([new, old])) == (2, 2)
    assert await reseal(db, Sealer([new, old])) == (2, 0)
    key = await SigningKeys(db, Sealer([new])).signing_key(ada.did)
    assert key.to_bytes() == ada.key.to_bytes()
    with pytest.raises(CannotUnseal):
        await SigningKeys(db, Sealer([old])).signing_key(ben.did)


async def test_session_of_a_running_move_survives_resealing(ada: HostedRepository, db: Database):
    """The session of a running move survives resealing; a completed move has no session."""
    old, new = bytes(32), b"\x07" * 32
    tokens = BearerTokens(ada.did, "access", "refresh")
    await db.write(lambda w: accounts.insert(w, ada.did, Handle("ada.test"), email=None, password_hash=None))
    async with db.transaction() as tx:
        begun = await moves.begin(
            tx, Sealer([old]), ada.did, 1, target="https://there.example", handle="ada.test", tokens=tokens
        )
    assert begun
    await reseal(db, Sealer([new, old]))
    async with db.reader() as reader:
        assert await moves.tokens(reader, Sealer([new]), ada.did) == tokens
    await db.write(lambda w: w.execute("update moves set session = null"))
    assert (await reseal(db, Sealer([new, old])))[1] == 0


def test_every_sealed_value_is_resealed():
    """Every module that seals values is in the list for resealing."""
    package = Path(aurora_locus.__file__).parent
    here = Path(rotation.__file__)
    sealing = {
        ".".join(("aurora_locus", *file.relative_to(package).with_suffix("").parts))
        for file in package.rglob("*.py")
        if ".seal(" in file.read_text() and file != here
    }
    known = {
        statement.module
        for statement in ast.parse(here.read_text()).body
        if isinstance(statement, ast.ImportFrom) and any(name.name == "purpose_of" for name in statement.names)
    }
    assert sealing == known
    assert len(known) == len(rotation.SEALED)


@pytest.mark.parametrize("engine", ["postgresql"], indirect=True)
async def test_postgresql_is_not_migrated_without_a_backup_place(
    place: Place, clock: HandClock, tmp_path: Path, revise: Revise
):
    """Without a place for backups, PostgreSQL is not migrated: the start is refused with the setting to use. Operators
    with a backup of their own can confirm that instead.
    """
    await migrate(place.url, SCHEMA, PACKAGE)
    revise(PACKAGE, LATER)
    settings = settings_for(place.url, tmp_path, backups=False)
    with pytest.raises(SettingsRefused, match=r"PDS_BACKUP_URL.*PDS_MIGRATE_WITHOUT_BACKUP=true"):
        await schedule.before_migrating(settings, lambda: open_store(settings), clock, version="test")
    willing = replace(settings, migrate_without_backup=True)
    await schedule.before_migrating(willing, lambda: open_store(willing), clock, version="test")
