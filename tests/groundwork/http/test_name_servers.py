"""Resolving the names of strangers: bounded in time, without threads, and with the hosts file."""

import asyncio
import socket
from collections.abc import AsyncIterator
from pathlib import Path

import aiohttp
import pytest
from tests.at_network.peers import NameServer, name_server

from groundwork.errors import RemoteSlow
from groundwork.http import name_servers
from groundwork.http.client import HttpClient
from groundwork.http.name_servers import NameServers
from groundwork.http.reach import PUBLIC, AddressRefused

TOWN = ["198.51.100.7", "2001:db8::7"]


@pytest.fixture
async def server() -> AsyncIterator[NameServer]:
    async with name_server({}) as running:
        running.addresses = {"town.example": TOWN, "old.example": TOWN[:1]}
        yield running


@pytest.fixture
def names(server: NameServer) -> NameServers:
    return NameServers(("127.0.0.1", server.port), timeout_seconds=30)


async def addresses(names: NameServers, host: str, family: socket.AddressFamily = socket.AF_UNSPEC) -> list[str]:
    return sorted(one["host"] for one in await names.resolve(host, 443, family))


async def test_addresses_of_both_families_are_found(names: NameServers) -> None:
    assert await addresses(names, "town.example") == TOWN
    assert await addresses(names, "town.example", socket.AF_INET) == TOWN[:1]
    assert await addresses(names, "town.example", socket.AF_INET6) == TOWN[1:]
    assert await addresses(names, "old.example") == TOWN[:1]
    assert {(one["port"], one["family"]) for one in await names.resolve("town.example", 443)} == {
        (443, socket.AF_INET),
        (443, socket.AF_INET6),
    }


async def test_unknown_name_and_failing_server_are_errors(server: NameServer, names: NameServers) -> None:
    with pytest.raises(OSError, match="no address"):
        await names.resolve("nowhere.example")
    server.is_failing = True
    with pytest.raises(OSError, match="cannot be queried"):
        await names.resolve("town.example")


async def test_slow_names_do_not_hold_up_others(server: NameServer, names: NameServers) -> None:
    """However many names of a stranger get no answer, other names are resolved meanwhile."""
    server.silent = frozenset(f"slow{number}.example" for number in range(60))
    client = HttpClient(PUBLIC, resolver=names)
    waiting = [asyncio.create_task(client.get(f"https://{host}/", timeout_seconds=30)) for host in server.silent]
    while set(server.asked) != server.silent:
        server.was_asked.clear()
        await server.was_asked.wait()
    with pytest.raises(AddressRefused):  # so it was resolved
        await client.get("https://town.example/", timeout_seconds=30)
    assert not any(task.done() for task in waiting)
    for task in waiting:
        task.cancel()
    await asyncio.gather(*waiting, return_exceptions=True)
    await client.close()


async def test_silent_server_is_waited_for_briefly(server: NameServer) -> None:
    server.is_silent = True
    client = HttpClient(PUBLIC, resolver=NameServers(("127.0.0.1", server.port), timeout_seconds=0.01))
    with pytest.raises(RemoteSlow):
        await client.get("https://town.example/", timeout_seconds=30)
    await client.close()


async def test_late_answer_about_one_family_is_not_waited_for(
    server: NameServer, names: NameServers, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(name_servers, "_OTHER_FAMILY_SECONDS", 0.001)
    server.silent = frozenset({"town.example AAAA"})
    assert await addresses(names, "town.example") == TOWN[:1]


async def test_number_of_addresses_is_limited(server: NameServer, names: NameServers) -> None:
    server.addresses["many.example"] = [f"198.51.100.{number}" for number in range(30)]
    assert len(await names.resolve("many.example")) == 16


async def test_hosts_file_and_localhost_are_known(server: NameServer, tmp_path: Path) -> None:
    hosts = tmp_path / "hosts"
    hosts.write_text("# comment\n10.0.0.7 Pds.internal pds # ours\nfe80::1%eth0 odd\nbroken line\n::1 pds.internal\n")
    names = NameServers(("127.0.0.1", server.port), hosts_file=hosts)
    assert await addresses(names, "pds.internal") == ["10.0.0.7", "::1"]
    assert await addresses(names, "pds.internal", socket.AF_INET6) == ["::1"]
    for host in ("localhost", "a.localhost", "LOCALHOST."):
        assert await addresses(names, host) == ["127.0.0.1", "::1"]
    assert await addresses(NameServers(hosts_file=tmp_path / "none"), "localhost") == ["127.0.0.1", "::1"]
    assert server.asked == []


def test_clients_for_strangers_use_no_threads(monkeypatch: pytest.MonkeyPatch) -> None:
    async def make() -> None:
        await HttpClient(PUBLIC).close()

    monkeypatch.setattr(aiohttp, "ThreadedResolver", None)
    asyncio.run(make())
