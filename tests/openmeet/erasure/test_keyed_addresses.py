"""Migration 0008: e-mail addresses of declined invitations become hashes; on both engines."""

import os
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from groundwork.clock import HandClock
from groundwork.database.migrate import migrate
from groundwork.database.open_ import open_database
from groundwork.database.transaction import CheckViolated, Database, Engine
from openmeet.domain.groups.model import GroupId
from openmeet.outbox import email_suppressions
from tests.databases import drop_schemas
from tests.openmeet.site_under_test import CODE_KEY, person

PACKAGE = "openmeet"
CHOIR = GroupId("choir")
# One open and one declined invitation, and a link.
INVITATIONS = {"open": ("zqopen@example.org", None), "declined": ("zqben@example.org", 5), "link": (None, None)}


@pytest.fixture
async def old_database(
    request: pytest.FixtureRequest, engine: Engine, tmp_path: Path
) -> AsyncIterator[tuple[str, str]]:
    """URL and schema of a database at the previous revision."""
    if engine == "sqlite":
        url, schema = f"sqlite://{tmp_path / 'before.db'}", ""
    else:
        url, schema = request.getfixturevalue("postgres_url"), f"t_{os.getpid()}_before_0008"
    await migrate(url, schema, PACKAGE, to="0007")
    yield url, schema
    if schema:
        await drop_schemas(url, [schema])


async def fill(db: Database) -> None:
    async with db.transaction() as tx:
        ana = await person(tx, "Ana")
        # The code that creates a group writes columns that are newer than this revision.
        await tx.execute(
            "insert into groups (id, slug, name, description, locality, country, latitude, longitude, time_zone, "
            "join_policy, join_question, visibility, promotion_level, owner_id, created_by, search_text, revision, "
            "created_at, updated_at) values (:id, 'choir', 'Choir', '', '', '', '', '', 'UTC', 'open', '', 'public', "
            "'public', :by, :by, '', 1, 0, 0)",
            id=CHOIR,
            by=ana.user_id,
        )
        for name, (email, declined_at) in INVITATIONS.items():
            await tx.execute(
                "insert into group_invitations (id, group_id, email, invited_by, uses_left, expires_at, created_at, "
                "declined_at) values (:id, :group, :email, :by, 1, 9, 0, :declined_at)",
                id=name,
                group=CHOIR,
                email=email,
                by=ana.user_id,
                declined_at=declined_at,
            )
        await tx.execute(
            "insert into imported_contacts (id, what, target, email, name, status, stage, message, invited_by, "
            "invited_at, created_at) values ('c', 'members', :group, 'zqcleo@example.org', '', '', 'declined', '', "
            ":by, 3, 0)",
            group=CHOIR,
            by=ana.user_id,
        )


async def test_addresses_of_declined_invitations_become_hashes(
    old_database: tuple[str, str], clock: HandClock, engine: Engine
) -> None:
    """A person who declined still cannot be invited. Open invitations and links stay, and the address cannot be
    recovered.
    """
    url, schema = old_database
    old = await open_database(url, schema=schema, clock=clock, connections=2)
    await fill(old)
    await old.close()
    await migrate(url, schema, PACKAGE)
    db = await open_database(url, schema=schema, clock=clock, connections=2)
    try:
        async with db.transaction() as tx:
            rows = await tx.fetch("select id, email, declined_at from group_invitations order by id")
            assert [(row["id"], row["email"], row["declined_at"]) for row in rows] == [
                ("declined", None, 5),
                ("link", None, None),
                ("open", "zqopen@example.org", None),
            ]
            hashes = [row["address_hash"] for row in await tx.fetch("select address_hash from declined_addresses")]
        assert len(hashes) == 2
        everybody = ["zqopen@example.org", "zqben@example.org", "zqcleo@example.org"]
        for _ in range(2):
            async with db.reader() as reader:
                declined = await email_suppressions.declined_among(reader, CODE_KEY, CHOIR, everybody)
            assert declined == set(everybody[1:])
            await email_suppressions.ensure_key(db, CODE_KEY)
        with pytest.raises(CheckViolated):
            async with db.transaction() as tx:
                await tx.execute("update group_invitations set email = 'a@b.example' where id = 'declined'")
    finally:
        await db.close()
