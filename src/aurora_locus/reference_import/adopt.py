"""Run the import: into a folder and a database with temporary names, which are verified and then renamed.

A failed import leaves neither, so it can be repeated; the next one uses the blobs that it left in a bucket. Each account
is written in several short transactions. Blocking reads of the old folder and repository checks run outside the event
loop.
"""

import asyncio
import shutil
import sqlite3
import tempfile
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TypeVar

from at_protocol.crypto.k256 import K256PrivateKey
from at_protocol.data.cid import Cid
from at_protocol.repo.commit import Commit, parse_commit
from at_protocol.syntax.did import Did, parse_did
from aurora_locus.accounts.email_tokens import EmailTokens
from aurora_locus.blobs.place import open_store
from aurora_locus.keys import server_keys
from aurora_locus.keys.signing_keys import SigningKeys
from aurora_locus.reference_import import apps, events, files, people, repositories
from aurora_locus.reference_import.old_folder import OldFolder, open_read_only, require_stopped
from aurora_locus.reference_import.people import ReferenceAccount
from aurora_locus.reference_import.survey import Progress, Survey, survey
from aurora_locus.repository import reader
from aurora_locus.repository.model import HostingStatus
from aurora_locus.settings import PACKAGE, SCHEMA, PdsSettings
from groundwork.blobstore.contract import BlobStore
from groundwork.clock import SECOND, Clock, Instant
from groundwork.database.migrate import current_revision, migrate
from groundwork.database.open_ import open_database
from groundwork.database.staging import StagedDatabase, stage
from groundwork.database.transaction import Database
from groundwork.errors import Refused, Unavailable
from groundwork.sealing import Sealer

T = TypeVar("T")

_RESERVED = "reserved_keys"
_ANYBODY_HERE = "select count(*) from repositories"

_SAMPLE_ACCOUNTS = 50
_SAMPLE_SECONDS = 5
# Copying this many bytes of a blob takes about as long as storing one block.
_BLOB_BYTES_PER_BLOCK = 20_000


@dataclass(frozen=True, slots=True)
class AdoptionTarget:
    """The server being built."""

    db: Database
    blobs: BlobStore
    sealer: Sealer
    keys: SigningKeys
    tokens: EmailTokens


async def examine(
    folder: OldFolder,
    environment: Mapping[str, str],
    settings: PdsSettings,
    clock: Clock,
    progress: Progress,
    *,
    is_timed: bool,
) -> Survey:
    """Dry run, for which the old server may be running. If ``is_timed``, the duration is estimated with a sample of
    accounts, which are imported into a temporary folder.
    """
    with tempfile.TemporaryDirectory(prefix="openmeet-adopt-") as scratch:
        began = clock.now()
        findings = await asyncio.to_thread(survey, folder, environment, Path(scratch), progress)
        if is_timed and not findings.damaged and findings.people:
            # The real run reads everything again while the old server is stopped, so this time counts too.
            examination_seconds = (clock.now() - began) / SECOND
            findings.seconds = examination_seconds + await _measured_seconds(
                folder, settings, clock, findings, Path(scratch), progress
            )
        return findings


async def _measured_seconds(
    folder: OldFolder, settings: PdsSettings, clock: Clock, findings: Survey, scratch: Path, progress: Progress
) -> float:
    sample_settings = replace(settings, data_directory=scratch / "sample", database_url="", blobstore_disk_location="")
    sample_size, weight = 0, 0.0
    async with _new_server(replace(sample_settings, blobstore_s3_bucket=""), clock) as new:
        # Not counted: creating an empty database takes the same few seconds for 50 accounts as for all.
        began = clock.now()
        with open_read_only(folder.accounts, scratch) as accounts:
            # The sample is spread over all accounts, because the oldest have the most data.
            sample = findings.people[:: max(1, len(findings.people) // _SAMPLE_ACCOUNTS)]
            for person in sample:
                progress(sample_size, len(sample), "(timing a few accounts)")
                with open_read_only(folder.store(person.did), scratch) as store:
                    repository = await _take_account(new, folder, accounts, store, person)
                    size = sum(blob.size for blob in files.blobs(folder, store, person.did))
                sample_size, weight = sample_size + 1, weight + _weight(repository.blocks, size)
                if clock.now() - began > _SAMPLE_SECONDS * SECOND:
                    break
        spent = (clock.now() - began) / SECOND
    total_weight = _weight(findings.counts.get("blocks", 0), findings.counts.get("bytes of blobs", 0))
    # After the import everything is read again and verified, which takes about a third of the writing time.
    return spent * total_weight / weight * 4 / 3


def _weight(blocks: int, blob_bytes: int) -> float:
    return blocks + blob_bytes / _BLOB_BYTES_PER_BLOCK


async def adopt(
    folder: OldFolder,
    environment: Mapping[str, str],
    settings: PdsSettings,
    clock: Clock,
    progress: Progress,
    findings: Survey,
) -> None:
    """Import the data that the survey found. Raises Refused for damage, a non-empty target or a running server. The
    target is unchanged then.
    """
    if findings.damaged:
        raise Refused("Nothing was imported:\n" + "\n".join(findings.damaged))
    target = settings.data_directory
    if target.exists() and any(target.iterdir()):
        raise Refused(f"{target} is not empty. Name a folder that does not exist yet.")
    unfinished = target.with_name(f"{target.name}.unfinished")
    if unfinished.exists():
        raise Refused(f"{unfinished} was left by an unfinished import. Remove it and start again.")
    require_stopped(folder)
    await _require_no_accounts(settings, clock)
    try:
        with tempfile.TemporaryDirectory(prefix="openmeet-adopt-") as scratch:
            await _import_into(
                folder,
                environment,
                replace(settings, data_directory=unfinished),
                clock,
                progress,
                findings,
                Path(scratch),
            )
    except BaseException:
        shutil.rmtree(unfinished, ignore_errors=True)
        raise
    if target.exists():
        target.rmdir()
    unfinished.rename(target)


async def _import_into(
    folder: OldFolder,
    environment: Mapping[str, str],
    settings: PdsSettings,
    clock: Clock,
    progress: Progress,
    findings: Survey,
    scratch: Path,
) -> None:
    async with _new_server(settings, clock) as new:
        db = new.db
        await _keep_secrets(db, new.sealer, environment)
        re_signed: set[Did] = set()
        with open_read_only(folder.accounts, scratch) as accounts:
            for done, person in enumerate(findings.people):
                progress(done, len(findings.people), person.new_handle)
                with open_read_only(folder.store(person.did), scratch) as store:
                    repository = await _take_account(new, folder, accounts, store, person)
                if repository.is_re_signed:
                    re_signed.add(person.did)
            await db.write(lambda w: people.keep_invites(w, accounts))
            await db.write(lambda w: apps.keep_apps(w, accounts))
        await _keep_reserved_keys(new, folder)
        progress(len(findings.people), len(findings.people), "(copying the firehose's events)")
        with open_read_only(folder.sequencer, scratch) as sequencer:
            since = Instant(clock.now() - round(settings.replay_seconds * SECOND))
            await _take_events(db, sequencer, since, findings, re_signed)
        await verify(db, findings, progress)
        require_stopped(folder)


async def _require_no_accounts(settings: PdsSettings, clock: Clock) -> None:
    """Raise Refused if the target database already has accounts. It may have tables, from a start without accounts."""
    if not await current_revision(settings.database, SCHEMA, PACKAGE):
        return
    db = await open_database(settings.database, schema=SCHEMA, clock=clock)
    try:
        async with db.reader() as reader:
            row = await reader.fetch_one(_ANYBODY_HERE)
    finally:
        await db.close()
    if row is None or row[0]:
        raise Refused("The database in PDS_DATABASE_URL already has accounts. Import into an empty one.")


@asynccontextmanager
async def _new_server(settings: PdsSettings, clock: Clock) -> AsyncIterator[AdoptionTarget]:
    """Create a staged database with its tables, the keys and a blob store. At the end the database is moved into its
    place; after a failure it is dropped.
    """
    settings.data_directory.mkdir(parents=True, mode=0o700)
    staged = await stage(settings.database, SCHEMA, replaces=True)
    try:
        async with _filled(staged, settings, clock) as new:
            yield new
        await staged.move_into_place()
    except BaseException:
        await asyncio.shield(staged.discard())
        raise


@asynccontextmanager
async def _filled(staged: StagedDatabase, settings: PdsSettings, clock: Clock) -> AsyncIterator[AdoptionTarget]:
    await migrate(staged.url, staged.schema, PACKAGE)
    db = await open_database(staged.url, schema=staged.schema, clock=clock)
    try:
        sealer = Sealer(list(server_keys.sealing_keys(settings.sealing_keys.reveal(), settings.data_directory)))
        tokens = EmailTokens(await server_keys.find_or_make(db, sealer, server_keys.EMAIL_TOKENS))
        yield AdoptionTarget(db, open_store(settings), sealer, SigningKeys(db, sealer), tokens)
    finally:
        await db.close()


async def _take_account(
    new: AdoptionTarget,
    folder: OldFolder,
    accounts: sqlite3.Connection,
    store: sqlite3.Connection,
    person: ReferenceAccount,
) -> repositories.ReadRepository:
    db, did = new.db, person.did
    repository = await asyncio.to_thread(repositories.read, store, person, folder.actor(did) / "key")
    await db.write(lambda w: repositories.keep_repository(w, repository))
    async for rows in _built_in_thread(repositories.blocks(store, repository)):
        await db.write(lambda w, rows=rows: repositories.keep_blocks(w, rows))  # type: ignore[misc]  # a default binds it now
    async for rows in _built_in_thread(repositories.records(repository)):
        await db.write(lambda w, rows=rows: repositories.keep_records(w, repository, rows))  # type: ignore[misc]
    await db.write(lambda w: people.keep_person(w, accounts, new.tokens, person))
    await db.write(lambda w: new.keys.make_current(w, did, repository.key))
    await db.write(lambda w: repositories.keep_preferences(w, store, did))
    for blob in files.blobs(folder, store, did):
        if blob.file is not None:
            size = await files.copy(new.blobs, did, blob, blob.file)
            await db.write(lambda w, blob=blob, size=size: files.keep_blob(w, did, blob, size))  # type: ignore[misc]
    return repository


async def _take_events(
    db: Database, sequencer: sqlite3.Connection, since: Instant, findings: Survey, re_signed: set[Did]
) -> None:
    first: int | None = None
    unreadable: set[Did] = set()
    async for rows in _built_in_thread(events.events(sequencer, since, unreadable)):
        first = rows[0]["seq"] if first is None else first
        await db.write(lambda w, rows=rows: events.keep_events(w, rows))  # type: ignore[misc]  # a default binds it now
    findings.lost += [
        f"{did}: an event cannot be read; its repository is announced again (#sync)." for did in unreadable
    ]
    number = events.last_number(sequencer)
    for did in sorted(unreadable | re_signed):
        commit = await _active_head(db, did)
        if commit is not None:
            number += 1
            await db.write(lambda w, number=number, commit=commit: events.keep_sync(w, number, commit))  # type: ignore[misc]
    findings.next_after = number
    await db.write(lambda w: events.continue_at(w, number, first))


async def _active_head(db: Database, did: Did) -> Commit | None:
    """Return the head of an active account; None for others, which the stream does not announce."""
    head = await reader.find_head(db, did)
    if head is None or head.status is not HostingStatus.ACTIVE:
        return None
    block = (await reader.load_blocks(db, did, [head.commit]))[head.commit]
    return parse_commit(block, head.commit)


async def _keep_secrets(db: Database, sealer: Sealer, environment: Mapping[str, str]) -> None:
    """Store the secrets, so that a later start does not need them in its environment: sessions continue, and identities
    can be changed.
    """
    secret = environment.get("PDS_JWT_SECRET", "").encode()
    if secret:
        await db.write(lambda w: server_keys.put(w, sealer, server_keys.SESSION_SECRET, secret))
    rotation = environment.get("PDS_PLC_ROTATION_KEY_K256_PRIVATE_KEY_HEX", "")
    if rotation:
        try:
            key = K256PrivateKey.from_bytes(bytes.fromhex(rotation)).to_bytes()
        except ValueError:
            why = "PDS_PLC_ROTATION_KEY_K256_PRIVATE_KEY_HEX is not a private key of 32 bytes in hexadecimal."
            raise Refused(why) from None
        await db.write(lambda w: server_keys.put(w, sealer, server_keys.ROTATION_KEY, key))


async def _keep_reserved_keys(new: AdoptionTarget, folder: OldFolder) -> None:
    """Import the keys reserved for incoming accounts. Each file is named after the account, or after the key."""
    for file in sorted((folder.actors / _RESERVED).glob("*")):
        key = K256PrivateKey.from_bytes(file.read_bytes())
        did = None if file.name.startswith("did:key:") else parse_did(file.name)
        await new.db.write(lambda w, did=did, key=key: new.keys.reserve(w, did, key))  # type: ignore[misc]


async def _built_in_thread(batches: Iterator[T]) -> AsyncIterator[T]:
    """Build each batch in a thread, because reading and encoding would block the event loop."""
    while (batch := await asyncio.to_thread(next, batches, None)) is not None:
        yield batch


_COUNTS = {
    "accounts": "select count(*) from accounts",
    "records": "select count(*) from records",
    "blocks": "select count(*) from blocks",
    "app passwords": "select count(*) from app_passwords",
    "sessions": "select count(*) from sessions",
    "invite codes": "select count(*) from invite_codes",
}
_BLOCKS_AT_ONCE = 1000
_LAST = "select last from sequencer where id = 1"


async def verify(db: Database, findings: Survey, progress: Progress) -> None:
    """Compare counts and heads, and every stored block with its CID. Raises Unavailable, naming the differences."""
    differing = []
    async with db.reader() as reader:
        for noun, statement in _COUNTS.items():
            row = await reader.fetch_one(statement)
            imported_count = 0 if row is None else int(row[0])
            if imported_count != findings.counts.get(noun, 0):
                differing.append(f"{imported_count} {noun} instead of {findings.counts.get(noun, 0)}")
        last = await reader.fetch_one(_LAST)
    if last is None or last[0] != findings.next_after:
        differing.append(f"the firehose stands elsewhere than at {findings.next_after}")
    for done, person in enumerate(findings.people):
        progress(done, len(findings.people), f"(comparing) {person.new_handle}")
        differing += await _differing_blocks(db, person.did)
    if differing:
        raise Unavailable("The imported data differs from the original: " + "; ".join(differing) + ".")


async def _differing_blocks(db: Database, did: Did) -> list[str]:
    head = await reader.find_head(db, did)
    if head is None:
        return [f"{did} has no repository"]
    after, has_head = b"", False
    while page := await reader.blocks_after(db, head.did, after, limit=_BLOCKS_AT_ONCE):
        for key, small in page:
            cid = Cid(key)
            has_head = has_head or cid == head.commit
            block = (await reader.load_raw_blocks(db, did, [key])).get(key) if small is None else small
            if block is None or not cid.names(block):
                return [f"the block {cid} of {did} has other bytes"]
        after = page[-1][0]
    return [] if has_head else [f"the head of {did} is not among its blocks"]
