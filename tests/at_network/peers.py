"""Servers on loopback for the clients of this package: HTTP, HTTPS for any name, and DNS, over real sockets."""

import asyncio
import datetime as dt
import ipaddress
import socket
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from pathlib import Path

import dns.flags
import dns.message
import dns.rcode
import dns.rrset
from aiohttp import web
from aiohttp.abc import AbstractResolver
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from groundwork.clock import HandClock, Instant

Answers = Callable[[web.Request], Awaitable[web.StreamResponse]]


def some_time() -> HandClock:
    return HandClock(Instant(1_700_000_000_000_000))


def _handler(answer: Answers) -> Answers:
    async def respond(request: web.Request) -> web.StreamResponse:
        return await answer(request)

    return respond


@asynccontextmanager
async def serve(routes: Mapping[str, Answers], context: ssl.SSLContext | None = None) -> AsyncIterator[str]:
    """Serve ``{"GET /path": answer}`` on a free port and yield the URL."""
    app = web.Application()
    for route, answer in routes.items():
        method, path = route.split(" ")
        app.router.add_route(method, path, _handler(answer))
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.01)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0, ssl_context=context).start()
        yield f"http{'s' if context else ''}://127.0.0.1:{runner.addresses[0][1]}"
    finally:
        await runner.cleanup()


def drop(request: web.Request) -> web.StreamResponse:
    """An answer that never arrives: the connection is cut."""
    assert request.transport is not None
    request.transport.abort()
    raise asyncio.CancelledError


class EveryName(AbstractResolver):
    """A resolver that maps every name to one port on loopback, or finds no name at all."""

    def __init__(self, port: int, unknown: frozenset[str] = frozenset()) -> None:
        self.port = port
        self.unknown = unknown

    async def resolve(self, host, port=0, family=socket.AF_UNSPEC):
        if host in self.unknown:
            raise OSError("no such name")
        found = {"hostname": host, "host": "127.0.0.1", "port": self.port, "family": socket.AF_INET}
        return [{**found, "proto": 0, "flags": socket.AI_NUMERICHOST}]

    async def close(self):
        pass


def certificate(folder: Path, *names: str) -> tuple[Path, ssl.SSLContext]:
    """Make a self-signed certificate for these names; returns the file to trust and a server's context."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "test")])
    now = dt.datetime.now(dt.UTC)
    builder = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - dt.timedelta(days=1))
        .not_valid_after(now + dt.timedelta(days=1))
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .add_extension(
            x509.SubjectAlternativeName(
                [*(x509.DNSName(n) for n in names), x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]
            ),
            critical=False,
        )
    )
    signed = builder.sign(key, hashes.SHA256())
    pem = folder / "server.pem"
    pem.write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
        + signed.public_bytes(serialization.Encoding.PEM)
    )
    trust = folder / "trust.pem"
    trust.write_bytes(signed.public_bytes(serialization.Encoding.PEM))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(pem)
    return trust, context


class NameServer(asyncio.DatagramProtocol):
    """A DNS server with a few TXT records and addresses. ``records`` maps names to lists of TXT texts in zone-file
    form, ``addresses`` to IPv4 and IPv6 addresses. Queries about ``silent`` names (or about a name and type, such as
    ``slow.example AAAA``) get no answer.
    """

    def __init__(self, records: Mapping[str, list[str]], hosts: frozenset[str] = frozenset()) -> None:
        self.records = records
        self.hosts = hosts
        self.addresses: dict[str, list[str]] = {}
        self.silent: frozenset[str] = frozenset()
        self.asked: list[str] = []
        self.was_asked = asyncio.Event()
        self.is_silent = False
        self.is_failing = False
        self.port = 0

    def connection_made(self, transport):
        self._transport = transport
        self.port = transport.get_extra_info("sockname")[1]

    def datagram_received(self, data, addr):
        query = dns.message.from_wire(data)
        question = query.question[0]
        name = question.name.to_text(omit_final_dot=True)
        self.asked.append(name)
        self.was_asked.set()
        kind = dns.rdatatype.to_text(question.rdtype)
        if self.is_silent or {name, f"{name} {kind}"} & self.silent:
            return
        answer = dns.message.make_response(query)
        answer.flags |= dns.flags.RA
        if self.is_failing:
            answer.set_rcode(dns.rcode.SERVFAIL)
        elif question.rdtype == dns.rdatatype.TXT and self.records.get(name):
            answer.answer.append(dns.rrset.from_text_list(question.name, 60, "IN", "TXT", self.records[name]))
        elif found := [one for one in self._addresses_of(name) if kind == ("AAAA" if ":" in one else "A")]:
            answer.answer.append(dns.rrset.from_text_list(question.name, 60, "IN", kind, found))
        elif name not in self.records and not self._addresses_of(name):
            answer.set_rcode(dns.rcode.NXDOMAIN)
        self._transport.sendto(answer.to_wire(), addr)

    def _addresses_of(self, name: str) -> list[str]:
        return self.addresses.get(name, ["192.0.2.1"] if name in self.hosts else [])


@asynccontextmanager
async def name_server(
    records: Mapping[str, list[str]], hosts: frozenset[str] = frozenset()
) -> AsyncIterator[NameServer]:
    """A running name server on loopback."""
    loop = asyncio.get_running_loop()
    transport, server = await loop.create_datagram_endpoint(
        lambda: NameServer(records, hosts), local_addr=("127.0.0.1", 0)
    )
    try:
        yield server
    finally:
        transport.close()
