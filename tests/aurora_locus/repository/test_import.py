"""Importing a repository from a file: complete or not at all, fully checked, and signed again."""

import asyncio
from collections.abc import Callable
from pathlib import Path

import pytest

from at_protocol.crypto.k256 import K256PrivateKey
from at_protocol.data import cbor
from at_protocol.data.cid import Cid
from at_protocol.data.model import Value
from at_protocol.repo import car
from at_protocol.repo.commit import Commit, parse_commit, sign_commit
from at_protocol.repo.snapshot import read_snapshot
from at_protocol.sync import events
from at_protocol.syntax.did import Did
from at_protocol.syntax.record_key import RecordKey
from at_protocol.syntax.tid import from_microseconds
from aurora_locus.blobs import queries as blobs
from aurora_locus.blobs.uploads import upload
from aurora_locus.repository import hosting, import_writer, reader
from aurora_locus.repository.export import export
from aurora_locus.repository.import_file import receive
from aurora_locus.repository.model import Head, HostingStatus
from aurora_locus.repository.repositories import Repositories
from groundwork.clock import HOUR, HandClock
from groundwork.database.transaction import Writer
from groundwork.errors import Failure, InvalidInput, Refused, TooLarge, Unavailable
from tests.aurora_locus.hosted_repository import NOTE, HostedRepository, messages
from tests.aurora_locus.repository.importing import (
    ELSEWHERE,
    bring,
    file_of,
    mover,
    notes,
    pieces,
    require_consistent,
    stored_blocks,
)
from tests.external_dependencies import fixture_path, needs

__all__ = ["mover"]


async def move_in(repositories: Repositories, did: Did) -> HostedRepository:
    """Import the file for the given DID."""
    key = K256PrivateKey.from_random(bytes(64))
    beginning = hosting.begin(repositories, did, key)

    def work(w: Writer) -> None:
        hosting.create(w, beginning, HostingStatus.DEACTIVATED)
        repositories.keys.make_current(w, did, key)

    await repositories.db.write(work)
    return HostedRepository(repositories, did, key)


@needs("fixtures")
@pytest.mark.parametrize(
    "name",
    [
        "repo-stream-empty.car",
        "repo-stream-tiny.car",
        "arroba-snarfed2.car",
        "jetstream-corpus-repo.car",
        "php-car-repo.car",
        "greenground.repo.car",
        "paul_staging.repo.car",
        "bafyreieovfuizojpw3zresz7sx3nk4trm2by23pt5rxbey3jme4uo5ogiu.car",
    ],
)
async def test_real_repository_is_imported(repositories: Repositories, tmp_path: Path, name: str):
    """A real repository is imported with every record under its path, byte for byte. Unlinked blocks are left out, and
    importing it again changes nothing.
    """
    data = fixture_path(f"data/cars/{name}").read_bytes()
    wanted = read_snapshot(car.read(data))
    mover = await move_in(repositories, wanted.commit.did)
    await bring(mover, data, tmp_path)
    held = await require_consistent(mover)
    assert (held.entries, held.records, held.nodes) == (wanted.entries, wanted.records, wanted.nodes)
    assert await bring(mover, data, tmp_path) is None
    assert await messages(repositories.db, mover.did) == []


@needs("fixtures")
async def test_repository_of_another_account_is_refused(mover: HostedRepository, tmp_path: Path):
    data = fixture_path("data/cars/repo-stream-tiny.car").read_bytes()
    before = await stored_blocks(mover.repositories.db, mover.did)
    with pytest.raises(InvalidInput, match=f"not of {mover.did}"):
        await bring(mover, data, tmp_path)
    assert await stored_blocks(mover.repositories.db, mover.did) == before


@needs("fixtures")
async def test_part_of_a_repository_is_refused(repositories: Repositories, tmp_path: Path):
    data = fixture_path("data/cars/repo_slice.car").read_bytes()
    file = car.read(data)
    mover = await move_in(repositories, parse_commit(file.blocks[file.root]).did)
    with pytest.raises(InvalidInput, match="is not in the file"):
        await bring(mover, data, tmp_path)
    assert (await require_consistent(mover)).entries == {}


async def test_new_commit_is_ours_and_follows_the_files(mover: HostedRepository, clock: HandClock, tmp_path: Path):
    """The new commit is ours and its rev follows the file's, even if that is slightly ahead of our clock. One far in
    the future is ignored.
    """
    ahead = from_microseconds(clock.now() + HOUR // 60, 3)
    made = await bring(mover, file_of(mover.did, notes("a"), ahead), tmp_path)
    assert made is not None
    assert made.rev > ahead
    far = from_microseconds(clock.now() + 1000 * HOUR, 3)
    made = await bring(mover, file_of(mover.did, notes("b"), far), tmp_path)
    assert made is not None
    assert ahead < made.rev < far


async def test_records_missing_in_the_file_are_removed(mover: HostedRepository, clock: HandClock, tmp_path: Path):
    """Records missing in the file are removed: after creations, changes and deletions, index, tree and blocks equal
    those of the file.
    """
    names = [f"k{number:03}" for number in range(300)]
    rev = from_microseconds(clock.now(), 3)
    await bring(mover, file_of(mover.did, notes(*names), rev), tmp_path)
    assert len((await require_consistent(mover)).entries) == 300
    clock.turn(HOUR)
    later = {**notes(*names[100:]), **notes(*names[200:210], text="changed"), **notes("new1", "new2")}
    await bring(mover, file_of(mover.did, later, from_microseconds(clock.now(), 3)), tmp_path)
    held = await require_consistent(mover)
    assert {path: cbor.decode(held.records[cid]) for path, cid in held.entries.items()} == later
    await bring(mover, file_of(mover.did, {}, from_microseconds(clock.now(), 3)), tmp_path)
    assert (await require_consistent(mover)).entries == {}


async def test_records_with_equal_content_are_imported_under_several_paths(
    mover: HostedRepository, clock: HandClock, tmp_path: Path
):
    same: dict[str, Value] = {f"{NOTE}/{name}": {"$type": NOTE, "text": "same"} for name in "abc"}
    rev = from_microseconds(clock.now(), 3)
    await bring(mover, file_of(mover.did, same, rev), tmp_path)
    await require_consistent(mover)
    more: dict[str, Value] = {f"{NOTE}/{name}": {"$type": NOTE, "text": "same"} for name in "bcde"}
    await bring(mover, file_of(mover.did, more, rev), tmp_path)
    await require_consistent(mover)


async def test_diff_is_completed_by_existing_blocks(mover: HostedRepository, clock: HandClock, tmp_path: Path):
    names = [f"k{number:03}" for number in range(100)]
    before = file_of(mover.did, notes(*names), from_microseconds(clock.now(), 3))
    await bring(mover, before, tmp_path)
    clock.turn(HOUR)
    old = tuple(car.read(before).blocks)
    newer = file_of(mover.did, notes(*names, "zz"), from_microseconds(clock.now(), 3), without=old)
    assert len(car.read(newer).blocks) < 10
    await bring(mover, newer, tmp_path)
    assert len((await require_consistent(mover)).entries) == 101


async def test_missing_blobs_become_public_as_they_arrive(mover: HostedRepository, clock: HandClock, tmp_path: Path):
    """Missing blobs become public as they arrive, existing ones with the import. A blob is removed with its record."""
    repositories = mover.repositories
    here = await upload(repositories.blobs, mover.did, pieces(b"here"), content_type="text/plain", content_length=None)
    absent = Cid.for_raw(b"later")
    picture = {"$type": "blob", "ref": absent, "mimeType": "text/plain", "size": 5}
    value: Value = {"$type": NOTE, "pictures": [picture, here.to_value(), {"cid": str(absent), "mimeType": "a/b"}]}
    rev = from_microseconds(clock.now(), 3)
    await bring(mover, file_of(mover.did, {f"{NOTE}/a": value, **notes("b")}, rev), tmp_path)
    missing = await blobs.list_missing(repositories.db, mover.did, cursor=None, limit=10)
    assert missing == [(absent, NOTE, "a")]
    found = await blobs.find(repositories.db, mover.did, here.cid)
    assert found is not None
    assert found.is_public
    await upload(repositories.blobs, mover.did, pieces(b"later"), content_type="text/plain", content_length=None)
    found = await blobs.find(repositories.db, mover.did, absent)
    assert found is not None
    assert found.is_public
    assert await blobs.list_missing(repositories.db, mover.did, cursor=None, limit=10) == []
    await bring(mover, file_of(mover.did, notes("b"), rev), tmp_path)
    assert await blobs.find(repositories.db, mover.did, absent) is None


def _flip(data: bytes) -> bytes:
    return data[:-1] + bytes([data[-1] ^ 1])


def _two_roots(data: bytes) -> bytes:
    file = car.read(data)
    return b"".join(car.write([file.root, file.root], file.blocks.items()))


def _no_root(data: bytes) -> bytes:
    return b"".join(car.write([], car.read(data).blocks.items()))


@pytest.mark.parametrize(
    ("spoil", "why"),
    [
        (lambda data: data[:-1], "cut off"),
        (lambda data: data[:40], "header"),
        (lambda _: b"", "header"),
        (_flip, "hash"),
        (_two_roots, "exactly one root"),
        (_no_root, "exactly one root"),
        (lambda data: data + b"\x00", "section is empty"),
        (lambda data: data + b"\xff\xff\xff\xff\x0f", "section"),
    ],
)
async def test_damaged_files_change_nothing(
    mover: HostedRepository, clock: HandClock, tmp_path: Path, spoil: Callable[[bytes], bytes], why: str
):
    rev = from_microseconds(clock.now(), 3)
    await bring(mover, file_of(mover.did, notes("kept"), rev), tmp_path)
    before = await require_consistent(mover)
    with pytest.raises(InvalidInput, match=why):
        await bring(mover, spoil(file_of(mover.did, notes("a", "b"), rev)), tmp_path)
    assert await require_consistent(mover) == before


async def test_file_with_a_missing_record_is_refused(mover: HostedRepository, clock: HandClock, tmp_path: Path):
    record = Cid.for_cbor(cbor.encode(notes("b")[f"{NOTE}/b"]))
    data = file_of(mover.did, notes("a", "b"), from_microseconds(clock.now(), 3), without=(record,))
    with pytest.raises(InvalidInput, match=f"the record {NOTE}/b is not in the file"):
        await bring(mover, data, tmp_path)


async def test_tree_of_another_shape_is_refused(mover: HostedRepository, clock: HandClock, tmp_path: Path):
    """A tree with the right entries on the wrong level is refused."""
    entries = sorted((f"{NOTE}/{name}", Cid.for_cbor(b"\xa0")) for name in "abcdefgh")
    flat = cbor.encode({"l": None, "e": [{"p": 0, "k": path.encode(), "v": cid, "t": None} for path, cid in entries]})
    commit = sign_commit(ELSEWHERE, did=mover.did, rev=from_microseconds(clock.now(), 3), data=Cid.for_cbor(flat))
    sections = [(commit.cid, commit.block), (Cid.for_cbor(flat), flat), (Cid.for_cbor(b"\xa0"), b"\xa0")]
    with pytest.raises(InvalidInput, match="cannot be imported"):
        await bring(mover, b"".join(car.write([commit.cid], sections)), tmp_path)


async def test_files_beyond_the_limit_are_refused(mover: HostedRepository, clock: HandClock, tmp_path: Path):
    """A file beyond a limit is refused: by its bytes, its announced sizes, or a number of blocks that could fill the
    memory.
    """
    data = file_of(mover.did, notes(*map(str, range(100))), from_microseconds(clock.now(), 3))
    with pytest.raises(TooLarge):
        await bring(mover, data, tmp_path, limit=len(data) - 1)
    with pytest.raises(TooLarge):
        async with receive(tmp_path, pieces(b""), max_bytes=10, content_length=11):
            raise AssertionError
    many = [(Cid.for_cbor(cbor.encode(number)), cbor.encode(number)) for number in range(500)]
    crowded = b"".join(car.write([many[0][0]], many))
    with pytest.raises(InvalidInput, match="more blocks"):
        await bring(mover, crowded, tmp_path, limit=len(crowded))


async def test_import_leaves_no_file(mover: HostedRepository, clock: HandClock, tmp_path: Path):
    folder = tmp_path / "imports"
    await bring(mover, file_of(mover.did, notes("a"), from_microseconds(clock.now(), 3)), folder)
    assert list(folder.iterdir()) == []


async def test_disconnect_leaves_the_old_or_the_new_repository(
    mover: HostedRepository, clock: HandClock, tmp_path: Path
):
    """If the caller disconnects at any moment, the repository is completely the old one or the new one."""
    data = file_of(mover.did, notes(*map(str, range(200))), from_microseconds(clock.now(), 3))
    for turns in range(0, 60, 3):
        task = asyncio.create_task(bring(mover, data, tmp_path))
        for _ in range(turns):
            await asyncio.sleep(0)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        assert len((await require_consistent(mover)).entries) in {0, 200}


async def test_active_accounts_import_is_announced_as_sync(ada: HostedRepository, clock: HandClock, tmp_path: Path):
    await ada.create("old")
    before = len(await messages(ada.repositories.db, ada.did))
    made = await bring(ada, file_of(ada.did, notes("a"), from_microseconds(clock.now(), 3)), tmp_path)
    assert made is not None
    (sync,) = (await messages(ada.repositories.db, ada.did))[before:]
    assert isinstance(sync, events.SyncMessage)
    assert sync.rev == made.rev
    await ada.create("next")
    assert len((await require_consistent(ada)).entries) == 2


async def test_import_into_a_taken_down_repository_is_refused(
    repositories: Repositories, clock: HandClock, tmp_path: Path
):
    person = await HostedRepository.make(repositories, "down", HostingStatus.TAKENDOWN)
    with pytest.raises(Refused) as refused:
        await bring(person, file_of(person.did, notes("a"), from_microseconds(clock.now(), 3)), tmp_path)
    assert refused.value.name == "RepoTakendown"


async def test_frozen_repository_imports_nothing(ada: HostedRepository, clock: HandClock, tmp_path: Path):
    """A migration has sent this repository to another server, so what it imported now would be lost. Once the account
    has left, it can import again, to come back.
    """
    await ada.create("old")
    file = file_of(ada.did, notes("a"), from_microseconds(clock.now(), 3))
    await ada.repositories.db.write(lambda w: hosting.set_frozen(w, ada.repositories, ada.did, is_frozen=True))
    with pytest.raises(Refused, match="moving to another server"):
        await bring(ada, file, tmp_path)
    assert set((await require_consistent(ada)).entries) == {f"{NOTE}/old"}
    await ada.repositories.db.write(
        lambda w: hosting.set_status(w, ada.repositories, ada.did, HostingStatus.DEACTIVATED)
    )
    assert await bring(ada, file, tmp_path) is not None
    assert (await ada.repositories.head(ada.did)).is_frozen


async def test_repository_frozen_during_an_import_keeps_its_head(
    ada: HostedRepository, clock: HandClock, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    """The last step of a migration may begin when an import is already storing blocks, in another process, too."""
    await ada.create("old")
    real = import_writer.begin

    def begin_and_freeze(w: Writer, before: Head, commit: Commit) -> None:
        real(w, before, commit)
        hosting.set_frozen(w, ada.repositories, ada.did, is_frozen=True)

    monkeypatch.setattr(import_writer, "begin", begin_and_freeze)
    file = file_of(ada.did, notes("a"), from_microseconds(clock.now(), 3))
    with pytest.raises(Unavailable):
        await bring(ada, file, tmp_path)
    assert set((await require_consistent(ada)).entries) == {f"{NOTE}/old"}
    with pytest.raises(Refused):
        await bring(ada, file, tmp_path)


async def test_export_during_an_import_keeps_its_root(mover: HostedRepository, clock: HandClock, tmp_path: Path):
    """An export that runs during an import keeps the root it began with, and nothing of that is left afterwards."""
    names = [f"k{number:03}" for number in range(300)]
    await bring(mover, file_of(mover.did, notes(*names), from_microseconds(clock.now(), 3)), tmp_path)
    chunks = export(mover.repositories, mover.did)
    first = await anext(chunks)
    clock.turn(HOUR)
    await bring(mover, file_of(mover.did, notes("a"), from_microseconds(clock.now(), 3)), tmp_path)
    data = first + b"".join([chunk async for chunk in chunks])
    assert len(read_snapshot(car.read(data)).entries) == 300
    assert len((await require_consistent(mover)).entries) == 1


async def test_writing_continues_after_an_import(mover: HostedRepository, clock: HandClock, tmp_path: Path):
    repositories = mover.repositories
    await bring(mover, file_of(mover.did, notes("a", "b"), from_microseconds(clock.now(), 3)), tmp_path)
    await repositories.db.write(lambda w: hosting.activate(w, repositories, mover.did, None))
    await mover.put("a", "changed here")
    await mover.delete("b")
    await require_consistent(mover)
    record = await reader.find_record(repositories.db, mover.did, NOTE, RecordKey("a"))
    assert record is not None
    with pytest.raises(Failure):
        await mover.create("a", "twice")
