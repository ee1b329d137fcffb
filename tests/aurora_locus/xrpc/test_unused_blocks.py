"""Blocks that are stored but do not belong to the repository now: kept for a running export, or staged by an import."""

import pytest

from at_protocol.data import cbor
from at_protocol.data.cid import Cid
from at_protocol.repo import car
from at_protocol.repo.commit import parse_commit, sign_commit
from at_protocol.repo.mst import Tree
from aurora_locus.repository import import_writer
from aurora_locus.repository.export import export
from tests.aurora_locus.hosted_repository import NOTE, HostedRepository
from tests.aurora_locus.xrpc.conftest import Client
from tests.aurora_locus.xrpc.refusals import refusal_of

SYNC = "com.atproto.sync"


async def newer_blocks(stranger: Client, person: HostedRepository, since: str) -> set[Cid]:
    return set(car.read((await stranger.get(f"{SYNC}.getRepo", did=person.did, since=since)).content).blocks)


async def test_deleted_record_is_not_readable_while_an_export_goes_on(stranger: Client, ada: HostedRepository) -> None:
    """Anybody can keep an export open for minutes. What is deleted meanwhile is kept for that export alone."""
    since = (await ada.repositories.head(ada.did)).rev
    secret = await ada.create("secret", "deleted in a moment")
    kept = await ada.create("kept", "kept")
    async with ada.repositories.exporting(ada.did) as head:
        await ada.delete("secret")
        for cid in (secret.cid, head.commit, head.data):
            refusal_of(await stranger.get(f"{SYNC}.getBlocks", did=ada.did, cids=[str(cid)]), "BlockNotFound")
        assert (await stranger.get(f"{SYNC}.getBlocks", did=ada.did, cids=[str(kept.cid)])).status_code == 200
        found = await newer_blocks(stranger, ada, since)
        assert kept.cid in found
        assert not {secret.cid, head.commit, head.data} & found


async def test_export_since_a_rev_contains_what_is_deleted_while_it_goes_on(ada: HostedRepository) -> None:
    """An export has the state at its beginning, also if records are deleted and written again meanwhile."""
    await ada.create("old", "not sent again")
    since = (await ada.repositories.head(ada.did)).rev
    writes = [ada.prepare(f"k{number}", {"text": str(number) * 20_000}) for number in range(10)]
    await ada.write(*writes)
    root = (await ada.repositories.head(ada.did)).commit
    chunks = export(ada.repositories, ada.did, since)
    data = await anext(chunks)
    for number in range(10):
        await ada.delete(f"k{number}")
    await ada.create("k3", "3" * 20_000)
    data += b"".join([chunk async for chunk in chunks])
    file = car.read(data)
    assert file.root == root
    assert {write.cid for write in writes} <= set(file.blocks)
    assert Cid.for_cbor(cbor.encode({"$type": NOTE, "text": "not sent again"})) not in file.blocks


@pytest.mark.parametrize("count", [3, 700])
async def test_blocks_since_a_rev_are_exactly_the_new_ones(stranger: Client, ada: HostedRepository, count: int) -> None:
    """The answer has every node and record of the tree that the tree before did not have, and no other block."""
    for start in range(0, count, 100):
        await ada.write(*(ada.prepare(f"k{number}", {"n": number}) for number in range(start, min(count, start + 100))))
    before = car.read((await stranger.get(f"{SYNC}.getRepo", did=ada.did)).content)
    since = (await ada.repositories.head(ada.did)).rev
    await ada.delete("k1")
    await ada.create("new", "new")
    after = car.read((await stranger.get(f"{SYNC}.getRepo", did=ada.did)).content)
    assert await newer_blocks(stranger, ada, since) == set(after.blocks) - set(before.blocks)
    whole = await newer_blocks(stranger, ada, "2222222222222")
    assert whole == set(after.blocks)
    assert len(dict(Tree(parse_commit(after.blocks[after.root]).data, after.blocks.get).entries())) == count


async def test_staged_blocks_are_not_readable(stranger: Client, ada: HostedRepository) -> None:
    """Blocks that an import has stored do not exist for others before its last step, also if others commit meanwhile."""
    repositories, block = ada.repositories, cbor.encode({"$type": NOTE, "text": "staged"})
    since = (await repositories.head(ada.did)).rev
    await ada.create("a")
    head = await repositories.head(ada.did)
    made = sign_commit(ada.key, did=ada.did, rev=repositories.next_rev(head.rev), data=head.data)
    await repositories.db.write(lambda w: import_writer.begin(w, head, made))
    await repositories.db.write(lambda w: import_writer.stage(w, made, [(Cid.for_cbor(block), block, 1)]))
    await ada.create("b")
    for cid in (Cid.for_cbor(block), made.cid):
        refusal_of(await stranger.get(f"{SYNC}.getBlocks", did=ada.did, cids=[str(cid)]), "BlockNotFound")
    assert not {Cid.for_cbor(block), made.cid} & await newer_blocks(stranger, ada, since)
