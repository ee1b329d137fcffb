"""Where a host's name leads to."""

from collections.abc import Sequence
from urllib.parse import quote

from groundwork.database.transaction import Reader
from openmeet.domain.users.model import UserId, UserKind
from openmeet.domain.users.queries import kinds


async def path_of_host(reader: Reader, host: UserId, *, is_public: bool) -> str:
    """The page of whoever hosts something that everybody sees; empty where that is not so, or nobody has signed in as them."""
    return (await paths_of_hosts(reader, [host], is_public=is_public))[host]


async def paths_of_hosts(reader: Reader, hosts: Sequence[UserId], *, is_public: bool) -> dict[UserId, str]:
    """The same of each of several."""
    people = await kinds(reader, hosts) if is_public else {}
    return {one: f"/people/{quote(one)}" if people.get(one) is UserKind.PERSON else "" for one in hosts}
