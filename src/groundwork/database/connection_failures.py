"""Why no connection to PostgreSQL could be opened, as a sentence for operators that says what to do.

The sentence names the server, the user and the database, but not the password.
"""

import socket
from typing import Final
from urllib.parse import unquote, urlsplit

import asyncpg

from groundwork.database.transaction import DatabaseUnavailable
from groundwork.errors import Failure, Refused
from groundwork.settings import UNREADABLE_URL, is_readable_url

# The system or the server refuses the connection, or the driver refuses the URL.
CONNECTION_FAILURES: Final = (OSError, asyncpg.PostgresError, asyncpg.InterfaceError, ValueError, OverflowError)


def connection_failure(url: str, failure: Exception) -> Failure:
    """Return the failure to raise: Refused if the URL is wrong, otherwise DatabaseUnavailable."""
    if isinstance(failure, asyncpg.exceptions.ClientConfigurationError):
        return Refused(f"The PostgreSQL URL of the database cannot be used: {failure}.")
    if isinstance(failure, (ValueError, OverflowError)) or not is_readable_url(url):
        # The message of the failure can contain a part of the password.
        return Refused(f"The PostgreSQL URL of the database cannot be used: {UNREADABLE_URL}")
    return DatabaseUnavailable(_sentence(url, failure))


def _sentence(url: str, failure: Exception) -> str:
    parts = urlsplit(url)
    server = f"{parts.hostname or 'localhost'}:{parts.port or 5432}"
    match failure:
        case asyncpg.InvalidCatalogNameError():
            name = unquote(parts.path.removeprefix("/"))
            return f"The PostgreSQL server at {server} has no database {name!r}. Create it, or change the database URL."
        case asyncpg.InvalidAuthorizationSpecificationError():  # of which a wrong password is one kind
            return (
                f"The PostgreSQL server at {server} refuses the user {unquote(parts.username or '')!r}: "
                f"{_first_line(failure)}. Check the user name and the password in the database URL."
            )
        case asyncpg.TooManyConnectionsError():
            return (
                f"The PostgreSQL server at {server} has no connection left. Raise its max_connections, or "
                "lower the number of connections in the settings of the programs that use it."
            )
        case socket.gaierror():
            return f"The host name {parts.hostname} in the database URL cannot be resolved. Check its spelling."
        case OSError():
            return (
                f"No connection to the PostgreSQL server at {server}: {failure.strerror or failure}. Check that the "
                "server is running, and the host and the port in the database URL."
            )
        case _:
            return f"The PostgreSQL server at {server} refuses the connection: {_first_line(failure)}."


def _first_line(failure: Exception) -> str:
    return str(failure).partition("\n")[0].rstrip(".")
