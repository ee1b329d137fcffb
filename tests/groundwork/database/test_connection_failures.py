"""If PostgreSQL cannot be connected to, the sentence names the cause and what to change, but no password."""

from urllib.parse import urlsplit

import asyncpg
import pytest
from tests.simulation.processes import free_port

from groundwork.clock import SystemClock
from groundwork.database.connection_failures import connection_failure
from groundwork.database.migrate import current_revision
from groundwork.database.open_ import open_database
from groundwork.database.transaction import DatabaseUnavailable
from groundwork.errors import Refused


async def _refusal(url: str, kind: type[Exception]) -> str:
    """The sentence with which both entrances refuse the URL."""
    with pytest.raises(kind) as opening:
        await open_database(url, schema="any", clock=SystemClock())
    with pytest.raises(kind) as reading:
        await current_revision(url, "any", "openmeet")
    assert str(opening.value) == str(reading.value)
    return str(opening.value)


async def test_missing_database_is_named(postgres_url: str):
    said = await _refusal(urlsplit(postgres_url)._replace(path="/no_such_database").geturl(), DatabaseUnavailable)
    assert "has no database 'no_such_database'. Create it" in said


async def test_unknown_user_is_named(postgres_url: str):
    parts = urlsplit(postgres_url)
    said = await _refusal(
        parts._replace(netloc=f"stranger:s3cret@{parts.netloc.rpartition('@')[2]}").geturl(), DatabaseUnavailable
    )
    assert "refuses the user 'stranger': " in said
    assert "Check the user name and the password" in said
    assert "s3cret" not in said


def test_wrong_password_is_named():
    failure = asyncpg.InvalidPasswordError('password authentication failed for user "ana"')
    said = str(connection_failure("postgresql://ana:s3cret@db.example.org/town", failure))
    assert said == (
        "The PostgreSQL server at db.example.org:5432 refuses the user 'ana': password authentication failed for user "
        '"ana". Check the user name and the password in the database URL.'
    )


async def test_closed_port_is_named():
    port = free_port()
    said = await _refusal(f"postgresql://ana:s3cret@127.0.0.1:{port}/town", DatabaseUnavailable)
    assert f"No connection to the PostgreSQL server at 127.0.0.1:{port}: " in said
    assert "s3cret" not in said


async def test_unknown_host_is_named():
    said = await _refusal("postgresql://ana@no-such-host.invalid/town", DatabaseUnavailable)
    assert said == "The host name no-such-host.invalid in the database URL cannot be resolved. Check its spelling."


@pytest.mark.parametrize(
    "url",
    [
        "postgresql://ana@127.0.0.1:99999/town",
        "postgresql://ana@127.0.0.1:abc/town",
        "postgresql://localhost:99999/town",
        "postgresql://ana:s3/cret@127.0.0.1/town",
        "postgresql://ana:s3#cret@127.0.0.1/town",
    ],
)
async def test_wrong_urls_are_refused_for_good(url: str):
    """Without quoting the URL: an unescaped password ends where the driver expects the port."""
    said = await _refusal(url, Refused)
    assert said.startswith("The PostgreSQL URL of the database cannot be used: check its host and port")
    assert "s3" not in said


async def test_setting_of_the_driver_is_refused_for_good(postgres_url: str):
    assert "sslmode" in await _refusal(f"{postgres_url}?sslmode=bogus", Refused)
