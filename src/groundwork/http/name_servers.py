"""Resolver of host names that asks the machine's name servers itself, without threads.

The operating system's function blocks a thread for as long as the name servers take, up to half a minute, and cannot be
cancelled. A few names of a stranger, whose name server is slow on purpose, would occupy all threads. Here, a look-up ends
after ``TIMEOUT_SECONDS`` or with its caller.

It knows the hosts file and ``localhost``, but no search domains: names from outside are complete.
"""

import asyncio
import contextlib
import ipaddress
import socket
from pathlib import Path

import dns.asyncresolver
import dns.exception
import dns.nameserver
import dns.rdatatype
import dns.resolver
from aiohttp.abc import AbstractResolver, ResolveResult

TIMEOUT_SECONDS = 3.0
# As long as one family of addresses is known, the other one is waited for only briefly (RFC 8305 section 3).
_OTHER_FAMILY_SECONDS = 0.3
# Sockets for queries. Each look-up has two.
_AT_ONCE = 200
# An HTTP client tries them one after another.
_MAX_ADDRESSES = 16

_HOSTS = Path("/etc/hosts")
_LOCALHOST = ("127.0.0.1", "::1")
_FAMILIES = {socket.AF_INET: dns.rdatatype.A, socket.AF_INET6: dns.rdatatype.AAAA}


class NameServers(AbstractResolver):
    """Queries the name servers of ``/etc/resolv.conf``, or one given address and port."""

    def __init__(
        self,
        server: tuple[str, int] | None = None,
        *,
        timeout_seconds: float = TIMEOUT_SECONDS,
        hosts_file: Path = _HOSTS,
    ) -> None:
        self._server = server
        self._timeout_seconds = timeout_seconds
        self._hosts_file = hosts_file
        self._hosts: dict[str, list[str]] | None = None
        self._resolver: dns.asyncresolver.Resolver | None = None
        self._turns = asyncio.Semaphore(_AT_ONCE)

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_UNSPEC
    ) -> list[ResolveResult]:
        """Return the addresses of a name, at most sixteen. Raises OSError if there is none, or TimeoutError, which is
        one.
        """
        addresses = self._local_addresses(host) or await self._look_up(host, family)
        results = [_result(host, address, port) for address in addresses[:_MAX_ADDRESSES]]
        found = [one for one in results if family in {socket.AF_UNSPEC, one["family"]}]
        if not found:
            raise OSError(f"the name has no address: {host}")
        return found

    async def close(self) -> None:
        """Nothing stays open between look-ups."""

    def _local_addresses(self, host: str) -> list[str]:
        if self._hosts is None:
            self._hosts = _read_hosts(self._hosts_file)
        name = host.lower().rstrip(".")
        if name in self._hosts:
            return self._hosts[name]
        # RFC 6761 section 6.3: these names never reach a name server.
        return list(_LOCALHOST) if name == "localhost" or name.endswith(".localhost") else []

    async def _look_up(self, host: str, family: socket.AddressFamily) -> list[str]:
        kinds = [kind for one, kind in _FAMILIES.items() if family in {socket.AF_UNSPEC, one}]
        async with self._turns:
            queries = {asyncio.create_task(self._query(host, kind)) for kind in kinds}
            try:
                return await _first_addresses(queries)
            finally:
                for query in queries:
                    query.cancel()
                await asyncio.gather(*queries, return_exceptions=True)

    async def _query(self, host: str, kind: dns.rdatatype.RdataType) -> list[str]:
        try:
            # dnspython notices the end of its time only after the pause between two attempts.
            async with asyncio.timeout(self._timeout_seconds):
                answer = await self._open().resolve(host, kind, lifetime=self._timeout_seconds, search=False)
        except (dns.resolver.NXDOMAIN, dns.resolver.NoAnswer):
            return []
        except (dns.exception.Timeout, TimeoutError):
            raise TimeoutError(f"the name servers did not answer about {host}") from None
        except dns.exception.DNSException as failure:
            raise OSError(f"the name servers cannot be queried: {type(failure).__name__}") from failure
        return [record.address for record in answer]

    def _open(self) -> dns.asyncresolver.Resolver:
        # Created on the first query, so that a machine without DNS can run everything that does not need it.
        if self._resolver is None:
            self._resolver = dns.asyncresolver.Resolver(configure=self._server is None)
            if self._server is not None:
                host, port = self._server
                self._resolver.nameservers = [dns.nameserver.Do53Nameserver(host, port)]
        return self._resolver


async def _first_addresses(queries: set["asyncio.Task[list[str]]"]) -> list[str]:
    """Return the addresses of both families, or of one if the other one is late or fails. Raises the first failure if
    there is no address.
    """
    pending = queries
    addresses: list[str] = []
    failure: OSError | None = None
    while pending:
        patience_seconds = _OTHER_FAMILY_SECONDS if addresses else None
        done, pending = await asyncio.wait(pending, timeout=patience_seconds, return_when=asyncio.FIRST_COMPLETED)
        if not done:
            break
        for query in done:
            try:
                addresses += query.result()
            except OSError as error:
                failure = failure or error
    if failure is not None and not addresses:
        raise failure
    return addresses


def _result(host: str, address: str, port: int) -> ResolveResult:
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    return ResolveResult(
        hostname=host, host=address, port=port, family=family, proto=socket.IPPROTO_TCP, flags=socket.AI_NUMERICHOST
    )


def _read_hosts(path: Path) -> dict[str, list[str]]:
    hosts: dict[str, list[str]] = {}
    with contextlib.suppress(OSError, UnicodeDecodeError):
        for line in path.read_text(encoding="utf-8").splitlines():
            address, *names = line.partition("#")[0].split() or [""]
            with contextlib.suppress(ValueError):
                ipaddress.ip_address(address)
                for name in names:
                    hosts.setdefault(name.lower(), []).append(address)
    return hosts
