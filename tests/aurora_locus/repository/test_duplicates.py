"""Likes, reposts, follows and blocks with the same subject: a new one replaces the others, whatever wrote them."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from at_protocol.data.model import Value
from at_protocol.syntax.nsid import Nsid
from at_protocol.syntax.record_key import RecordKey
from at_protocol.syntax.tid import from_microseconds
from aurora_locus.maintenance.repair import repair
from aurora_locus.repository import duplicates, reader
from aurora_locus.repository.model import PreparedWrite, WriteAction
from aurora_locus.repository.prepare import prepare_deletion
from aurora_locus.repository.repositories import Repositories
from groundwork.clock import HandClock
from groundwork.database.expressions import has_bytes
from groundwork.database.transaction import Database, Writer
from tests.aurora_locus.hosted_repository import HostedRepository
from tests.aurora_locus.repository.importing import bring, file_of, require_consistent

BEN = "did:plc:bbbbbbbbbbbbbbbbbbbbbbbb"
LIKE, FOLLOW, BLOCK = Nsid("app.bsky.feed.like"), Nsid("app.bsky.graph.follow"), Nsid("app.bsky.graph.block")
NO_CID = "bafyreihffx5a2e7k5uwrmmgofbvzujc5cmw5h4espouwuxt3liqoflx3ee"

Model = dict[str, dict[str, Value]]


def record(collection: Nsid, number: int) -> dict[str, Value]:
    """A record about the subject with this number; one without a subject for 0."""
    if collection == LIKE:
        subject: Value = {"uri": f"at://{BEN}/app.bsky.feed.post/{number}", "cid": NO_CID}
    else:
        subject = f"{BEN[:-1]}{'abcd'[number]}"
    return {"$type": str(collection), "createdAt": "2026-03-01T12:00:00Z", **({"subject": subject} if number else {})}


def prepared(hosted: HostedRepository, path: str, value: Value, action: WriteAction) -> PreparedWrite:
    collection, _, rkey = path.partition("/")
    return hosted.prepare(rkey, value, action, collection=Nsid(collection), validate=False)


NUMBERS = st.integers(0, 3)
COLLECTIONS = st.sampled_from([LIKE, FOLLOW, BLOCK])
PATHS = st.builds(lambda collection, rkey: f"{collection}/{rkey}", COLLECTIONS, st.sampled_from("abcdef"))
STEPS = st.one_of(
    st.tuples(st.just("create"), PATHS, st.integers(1, 3)),
    st.tuples(st.just("create"), PATHS, st.integers(1, 3)),
    st.tuples(st.just("put"), PATHS, NUMBERS),
    st.tuples(st.just("delete"), PATHS, st.just(0)),
    st.tuples(st.just("import"), PATHS, NUMBERS),
    st.tuples(st.sampled_from(["repair", "upgrade"]), st.just(""), st.just(0)),
)


@pytest.mark.parametrize("engine", ["sqlite"], indirect=True)
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=40)
@given(steps=st.lists(STEPS, max_size=14))
async def test_creation_leaves_no_second_record_of_its_subject(
    repositories: Repositories, clock: HandClock, tmp_path: Path, steps: Sequence[tuple[str, str, int]]
) -> None:
    hosted = await HostedRepository.make(repositories, uuid4().hex)
    model: Model = {}
    for step, path, number in steps:
        await take(hosted, clock, tmp_path, model, step, path, number)
        stored = await reader.all_entries(repositories.db, hosted.did)
        assert sorted(stored) == sorted(model)
    await require_consistent(hosted)


async def take(
    hosted: HostedRepository, clock: HandClock, folder: Path, model: Model, step: str, path: str, number: int
) -> None:
    """Take one step in the repository and in the model of what it should contain."""
    collection = Nsid(path.partition("/")[0]) if path else LIKE
    value = record(collection, number)
    match step:
        case "create" if path not in model:
            await hosted.write(replace(prepared(hosted, path, value, WriteAction.CREATE), replaces_others=True))
            for other in [other for other, old in model.items() if old.get("$type") == collection]:
                if model[other].get("subject") == value["subject"]:
                    del model[other]
            model[path] = value
        case "put":
            await hosted.write(prepared(hosted, path, value, WriteAction.PUT))
            model[path] = value
        case "delete":
            await hosted.write(prepare_deletion(collection, RecordKey(path.partition("/")[2])))
            model.pop(path, None)
        case "import":
            model |= {path: value, f"{path}x": value}
            await bring(hosted, file_of(hosted.did, model, from_microseconds(clock.now(), 3)), folder)
        case "repair":
            await repair(hosted.repositories, hosted.did)
        case "upgrade":
            await forget_subjects(hosted.repositories.db)


async def forget_subjects(db: Database) -> None:
    """Make the rows what they are after the migration of an older database."""
    await db.write(lambda w: w.execute("update records set subject = null"))


async def subjects(db: Database) -> list[Any]:
    async with db.reader() as r:
        rows = await r.fetch("select rkey, subject from records order by rkey")
    return [row["subject"] for row in rows]


async def test_subjects_of_older_rows_are_read_by_a_task(
    db: Database, ada: HostedRepository, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It reads them in portions. No start and no request reads them all, and a new record replaces those as well that
    are not read yet.
    """
    monkeypatch.setattr(duplicates, "_READ_AT_ONCE", 7)
    likes = [prepared(ada, f"{LIKE}/a{number:03}", record(LIKE, number), WriteAction.CREATE) for number in range(50)]
    large = prepared(ada, f"{LIKE}/b", {**record(LIKE, 3), "more": "x" * 20_000}, WriteAction.CREATE)
    await ada.write(*likes, large)
    hashed = await subjects(db)
    await forget_subjects(db)
    # The records about 40 to 49 have the text of the subject 4 too.
    new = prepared(ada, f"{LIKE}/c", record(LIKE, 4), WriteAction.CREATE)
    await ada.write(replace(new, replaces_others=True))
    assert (await subjects(db)).count(None) == 50
    assert await duplicates.read_subjects(db) == 50
    del hashed[4]
    hashed[-1] = duplicates.NO_SUBJECT
    assert await subjects(db) == [*hashed, new.subject]
    assert await duplicates.read_subjects(db) == 0
    assert await ada.write(replace(new, rkey=RecordKey("d"), replaces_others=True))
    assert await subjects(db) == [*hashed, new.subject]


async def test_subject_of_any_length_is_indexed(db: Database, ada: HostedRepository) -> None:
    subject = {"uri": f"at://{BEN}/app.bsky.feed.post/{'x' * 9000}", "cid": NO_CID}
    for rkey in ("a", "b"):
        like = prepared(ada, f"{LIKE}/{rkey}", {**record(LIKE, 1), "subject": subject}, WriteAction.CREATE)
        await ada.write(replace(like, replaces_others=True))
    assert list(await reader.all_entries(db, ada.did)) == [f"{LIKE}/b"]


async def test_earlier_records_are_found_with_the_index(db: Database, ada: HostedRepository) -> None:
    """The engines use the partial index. A scan of all likes would make each like slower than the one before."""
    of = {"did": ada.did, "collection": LIKE}
    rows = [{**of, "rkey": f"{number}", "subject": b"%d" % number} for number in range(3000)]

    def fill(w: Writer) -> None:
        insert = (
            "insert into records (did, collection, rkey, cid, rev, subject) "
            "values (:did, :collection, :rkey, :cid, '', :subject)"
        )
        w.execute_many(insert, [row | {"cid": b""} for row in rows])
        if db.engine == "postgresql":
            w.execute("analyze records")

    await db.write(fill)
    explain = "explain query plan" if db.engine == "sqlite" else "explain"
    either = ("records_by_subject", "records_without_subject")
    for statement, indexes, more in (
        (duplicates._SAME_SUBJECT, ("records_by_subject",), {**of, "subject": b"1", "rkey": "a", "limit": 9}),
        (duplicates._UNREAD, either, {**of, "max_bytes": 9, "limit": 9}),
        (
            duplicates._UNREAD_WITH_TEXT.format(has_text=has_bytes(db.engine, "b.bytes", "text")),
            either,
            {**of, "max_bytes": 9, "rkey": "a", "text": b"a", "all_of_them": 1 << 31},
        ),
        (duplicates._ANY_UNREAD, either[1:], {}),
    ):
        async with db.reader() as r:
            plan = await r.fetch(f"{explain} {statement}", **more)
        assert any(index in " ".join(str(tuple(row)) for row in plan) for index in indexes)
