"""The search through an owner's records finds everything once, in one order, with any paging."""

import pytest

from aurora_locus.accounts import record_search, stored_data
from groundwork.errors import InvalidInput
from tests.aurora_locus.accounts.account_content import PNG_OF_AN_ACCOUNT, add_content, write_record
from tests.aurora_locus.deployment import Deployment, Person

NOTE, MARK = "org.example.note", "org.example.mark"


async def written(deployment: Deployment) -> Person:
    ana = await deployment.sign_up("ana")
    for number in range(7):
        await write_record(ana, {"text": f"Note {number}: Grüße aus MÜNCHEN" if number % 2 else f"Note {number}"})
    for number in range(4):
        await write_record(ana, {"of": f"mark {number}"}, MARK)
    return ana


async def pages(deployment: Deployment, person: Person, **asked: str) -> list[list[str]]:
    found, cursor = [], ""
    while True:
        page = await record_search.find(deployment.db, person.did, cursor=cursor, limit=3, **asked)
        found.append([one.value.get("text") or one.value["of"] for one in page.records])
        if page.next is None:
            return found
        cursor = page.next


async def test_pages_contain_every_record_once_newest_first(deployment: Deployment) -> None:
    ana = await written(deployment)
    found = await pages(deployment, ana)
    marks = [f"mark {number}" for number in (3, 2, 1, 0)]
    texts = [text.partition(":")[0] for page in found for text in page]
    assert texts == marks + [f"Note {number}" for number in (6, 5, 4, 3, 2, 1, 0)]
    assert [len(page) for page in found] == [3, 3, 3, 2]


async def test_new_record_does_not_shift_later_pages(deployment: Deployment) -> None:
    ana = await written(deployment)
    first = await record_search.find(deployment.db, ana.did, collection=NOTE, limit=3)
    await write_record(ana, {"text": "New"})
    second = await record_search.find(deployment.db, ana.did, collection=NOTE, limit=3, cursor=first.next or "")
    assert [one.value["text"][:6] for one in second.records] == ["Note 3", "Note 2", "Note 1"]


async def test_search_ignores_case_and_covers_all_collections(deployment: Deployment) -> None:
    ana = await written(deployment)
    assert await pages(deployment, ana, words=" grüsse aus münchen ") == [
        [f"Note {number}: Grüße aus MÜNCHEN" for number in (5, 3, 1)]
    ]
    assert await pages(deployment, ana, words="mark 2", collection=MARK) == [["mark 2"]]
    assert await pages(deployment, ana, words="mark 2", collection=NOTE) == [[]]


async def test_search_reads_a_limited_number_of_records_per_request(
    deployment: Deployment, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One request reads a limited number of records and the next continues there; all pages together miss nothing."""
    ana = await written(deployment)
    monkeypatch.setattr(record_search, "_MAX_READ", 4)
    found = await pages(deployment, ana, words="note 0")
    assert [text for page in found for text in page] == ["Note 0"]
    assert len(found) == 3


@pytest.mark.parametrize(
    ("asked", "field"),
    [
        ({"collection": "../../etc"}, "collection"),
        ({"cursor": "nowhere"}, "cursor"),
        ({"cursor": f"{NOTE}/a b"}, "cursor"),
        ({"words": "x" * 201}, "q"),
    ],
)
async def test_invalid_search_is_refused(deployment: Deployment, asked: dict[str, str], field: str) -> None:
    ana = await deployment.sign_up("ana")
    with pytest.raises(InvalidInput) as refused:
        await record_search.find(deployment.db, ana.did, **asked)
    assert refused.value.field == field


async def test_one_record_is_read_and_others_are_not(deployment: Deployment) -> None:
    ana, ben = await written(deployment), await deployment.sign_up("ben")
    first = (await record_search.find(deployment.db, ana.did)).records[0]
    found = await record_search.read(deployment.db, ana.did, first.collection, first.rkey)
    assert found == first
    assert await record_search.read(deployment.db, ben.did, first.collection, first.rkey) is None
    assert await record_search.read(deployment.db, ana.did, "no collection", first.rkey) is None


async def test_storage_is_measured(deployment: Deployment) -> None:
    ana = await deployment.sign_up("ana")
    await add_content(deployment, ana)
    async with deployment.db.reader() as reader:
        storage = await stored_data.measure(reader, ana.did)
        assert await stored_data.collections(reader, ana.did) == [(NOTE, 2)]
    assert (storage.records, storage.blobs, storage.blob_bytes) == (2, 1, len(PNG_OF_AN_ACCOUNT))
    assert 500 < storage.repository_bytes < 5000
