"""``openmeet pds`` as operators start it."""

import re
import sqlite3
from contextlib import closing
from pathlib import Path

import httpx
import pytest
from tests.simulation.processes import DidNotStart, Program

from aurora_locus.settings import PACKAGE, SCHEMA
from groundwork.database.migrate import current_revision, migrate, versions_folder


async def test_free_port_is_part_of_the_public_address(tmp_path: Path) -> None:
    """With port 0, the public address contains the port that the system has chosen."""
    environment = {"PDS_DEV_MODE": "true", "PDS_PORT": "0", "PDS_DATA_DIRECTORY": str(tmp_path / "pds")}
    program = Program("pds", environment, tmp_path / "pds.log")
    await program.start()
    try:
        url = await program.heard(re.compile(r"answers at (http://localhost:[1-9][0-9]*) "))
        async with httpx.AsyncClient(trust_env=False) as http:
            document = (await http.get(f"{url}/.well-known/did.json")).json()
        assert document["service"][0]["serviceEndpoint"] == url
    finally:
        assert await program.stop() == 0


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"PDS_JWT_SECRET": "short"}, "PDS_JWT_SECRET is too short"),
        ({"PDS_PLC_ROTATION_KEY_K256_PRIVATE_KEY_HEX": "zz"}, "is not a private key"),
        ({"PDS_SEALING_KEYS": "!"}, "PDS_SEALING_KEYS"),
        ({"PDS_PORT": "many"}, "PDS_PORT"),
    ],
    ids=lambda value: next(iter(value)) if isinstance(value, dict) else "",
)
async def test_unusable_settings_are_reported(tmp_path: Path, change: dict[str, str], sentence: str) -> None:
    environment = {"PDS_DEV_MODE": "true", "PDS_DATA_DIRECTORY": str(tmp_path / "pds"), **change}
    program = Program("pds", environment, tmp_path / "pds.log", "http://localhost:1/")
    with pytest.raises(DidNotStart, match=sentence) as caught:
        await program.start()
    assert "exit 1" in str(caught.value)
    assert "Traceback" not in str(caught.value)


async def test_older_database_is_copied_before_the_program_changes_it(tmp_path: Path) -> None:
    """The program migrates in a process of its own, and the copy of the older tables is made before that."""
    folder = tmp_path / "pds"
    folder.mkdir()
    revisions = sorted(path.name[:4] for path in versions_folder(PACKAGE).glob("[0-9]*.py"))
    await migrate(f"sqlite://{folder / 'pds.db'}", SCHEMA, PACKAGE, to=revisions[-2])
    environment = {"PDS_DEV_MODE": "true", "PDS_PORT": "0", "PDS_DATA_DIRECTORY": str(folder)}
    program = Program("pds", environment, tmp_path / "pds.log")
    await program.start()
    try:
        await program.heard(re.compile(r"answers at (http://localhost:[1-9][0-9]*) "))
        assert await current_revision(f"sqlite://{folder / 'pds.db'}", SCHEMA, PACKAGE) == revisions[-1]
        copy = folder / "before-migrations" / f"{revisions[-2]}.db"
        assert await current_revision(f"sqlite://{copy}", SCHEMA, PACKAGE) == revisions[-2]
    finally:
        assert await program.stop() == 0


async def test_second_process_on_one_sqlite_file_is_refused(tmp_path: Path) -> None:
    """The second process does not start, and says why. It starts when the first one has ended."""
    environment = {"PDS_DEV_MODE": "true", "PDS_PORT": "0", "PDS_DATA_DIRECTORY": str(tmp_path / "pds")}
    first = Program("pds", environment, tmp_path / "first.log")
    await first.start()
    await first.heard(re.compile(r"(answers at)"))
    second = Program("pds", environment, tmp_path / "second.log", "http://localhost:1/")
    with pytest.raises(DidNotStart, match=r"Another PDS process is running on .*pds\.db\. Stop it"):
        await second.start()
    assert await first.stop() == 0
    third = Program("pds", environment, tmp_path / "third.log")
    await third.start()
    await third.heard(re.compile(r"(answers at)"))
    assert await third.stop() == 0


async def test_unreachable_mail_server_and_redis_are_reported_at_the_start(tmp_path: Path) -> None:
    """An unreachable mail server or Redis is reported at the start, and the server starts anyway."""
    environment = {
        "PDS_DEV_MODE": "true",
        "PDS_PORT": "0",
        "PDS_DATA_DIRECTORY": str(tmp_path / "pds"),
        "PDS_EMAIL_SMTP_URL": "smtp://127.0.0.1:1",
        "PDS_EMAIL_FROM_ADDRESS": "pds@town.net",
        "PDS_REDIS_SCRATCH_ADDRESS": "127.0.0.1:1",
    }
    program = Program("pds", environment, tmp_path / "pds.log")
    await program.start()
    try:
        await program.heard(re.compile(r"answers at (http://localhost:[1-9][0-9]*) "))
        told = await program.heard(re.compile(r"(.*mail\.check_failed.*)"))
        assert "PDS_EMAIL_SMTP_URL" in told
        assert "The mail server cannot be reached." in told
        assert "PDS_REDIS_SCRATCH_ADDRESS" in await program.heard(re.compile(r"(.*cache\.unreachable.*)"))
    finally:
        assert await program.stop() == 0


async def test_short_secret_of_an_installation_with_accounts_causes_a_warning(tmp_path: Path) -> None:
    """A short secret of an installation that has accounts only causes a warning, so that its people stay signed in. For
    a new installation it is refused (above).
    """
    folder = tmp_path / "pds"
    environment = {"PDS_DEV_MODE": "true", "PDS_PORT": "0", "PDS_DATA_DIRECTORY": str(folder)}
    first = Program("pds", {**environment, "PDS_DID_PLC_URL": "http://127.0.0.1:1"}, tmp_path / "first.log")
    await first.start()
    await first.heard(re.compile(r"answers at (http://localhost:[1-9][0-9]*) "))
    assert await first.stop() == 0
    with closing(sqlite3.connect(folder / "pds.db")) as db:
        db.execute("pragma foreign_keys = off")
        columns = {row[1]: row for row in db.execute("pragma table_info(accounts)") if row[3] and row[4] is None}
        values = {name: "did:plc:aaaaaaaaaaaaaaaaaaaaaaaa" if name == "did" else 0 for name in columns}
        db.execute(
            f"insert into accounts ({', '.join(values)}) values ({', '.join('?' * len(values))})", list(values.values())
        )
        db.commit()
    second = Program("pds", {**environment, "PDS_JWT_SECRET": "short"}, tmp_path / "second.log")
    await second.start()
    try:
        told = await second.heard(re.compile(r"(.*session_secret\.too_short.*)"))
        assert "PDS_JWT_SECRET_PREVIOUS" in told
    finally:
        assert await second.stop() == 0
