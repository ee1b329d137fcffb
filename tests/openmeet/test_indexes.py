"""Every index has a purpose of its own. Reading is tested in ``test_query_plans``."""

import pytest

from tests.databases import MakeDatabase


@pytest.mark.parametrize("package", ["openmeet", "aurora_locus"])
async def test_no_index_exists_twice(make_sqlite: MakeDatabase, package: str):
    db = await make_sqlite(package)
    async with db.reader() as reader:
        rows = await reader.fetch("select name, sql from sqlite_master where type = 'index' and sql is not null")
    names: dict[str, list[str]] = {}
    for row in rows:
        names.setdefault(" ".join(row["sql"].replace(row["name"], "", 1).split()), []).append(row["name"])
    assert len(rows) > 10
    assert [same for same in names.values() if len(same) > 1] == []
