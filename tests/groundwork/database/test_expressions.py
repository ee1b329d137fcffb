"""The authority of a URI in a column, on both engines, and an index on it."""

from tests.databases import MakeDatabase

from groundwork.database.expressions import authority_of

ADDRESSES = {
    "at://did:plc:abc/app.collection/key": "did:plc:abc",
    "at://did:web:meet.example%3A8080/c/k": "did:web:meet.example%3A8080",
    "https://meet.example/events/tea": "meet.example",
}


async def test_authority_is_extracted_and_indexed(make_database: MakeDatabase):
    """The authority is extracted and found by its index, also if the column is qualified with the table's name."""
    db = await make_database()
    async with db.transaction() as tx:
        await tx.execute("create table places (uri text)")
        await tx.execute(f"create index places_by_authority on places (({authority_of(tx.engine, 'uri')}))")
        await tx.execute_many("insert into places (uri) values (:uri)", [{"uri": uri} for uri in ADDRESSES])
        rows = await tx.fetch(f"select uri, {authority_of(tx.engine, 'p.uri')} as authority from places p")
        assert {row["uri"]: row["authority"] for row in rows} == ADDRESSES
        asked = f"select uri from places p where {authority_of(tx.engine, 'p.uri')} = :authority"
        (found,) = await tx.fetch(asked, authority="did:web:meet.example%3A8080")
        assert found["uri"] == "at://did:web:meet.example%3A8080/c/k"
        if tx.engine == "postgresql":
            await tx.execute("set local enable_seqscan = off")
        how = "explain" if tx.engine == "postgresql" else "explain query plan"
        plan = "\n".join(str(tuple(row)[-1]) for row in await tx.fetch(f"{how} {asked}", authority="meet.example"))
        assert "places_by_authority" in plan
