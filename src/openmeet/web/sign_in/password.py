"""Signing in with the password of one's own repository: what this room asks of whoever talks to that server."""

from collections.abc import Awaitable, Callable

from groundwork.database.transaction import Database
from openmeet.domain.users.model import UserId

# Takes the tenant's database, the handle (or DID), the password and the visitor's address; returns the person, made when they are
# new here. Raises NotSignedIn (the person's PDS says no), TooMany, InvalidInput and NotFound (no such handle), RemoteFailed,
# RemoteSlow. It opens its
# own transactions, because it waits for another server.
PasswordSignIn = Callable[[Database, str, str, str], Awaitable[UserId]]
