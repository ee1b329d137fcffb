"""The client address of a request: which proxies may name another address."""

import asyncio
import json

import pytest
from tests.external_dependencies import needs

from checks import reference
from groundwork.http.client_addresses import (
    CLIENT_ADDRESS,
    behind_private_proxies,
    is_from_this_machine,
    is_personal,
    signed_address_header,
    vouched_address,
    without_port,
)
from groundwork.settings import Secret

KEY = Secret("a key of sixteen characters")
PUBLIC, PRIVATE, HERE = "8.8.8.8", "10.0.0.7", "127.0.0.1"


@pytest.mark.parametrize(
    ("peer", "hops", "forwarded_for", "headers", "expected"),
    [
        (PUBLIC, 0, 0, {}, True),
        ("2606:4700::1", 0, 0, {}, True),
        ("::ffff:10.0.0.7", 0, 0, {}, False),
        (PRIVATE, 0, 0, {}, False),
        (HERE, 0, 0, {}, False),
        ("", 0, 0, {}, False),
        ("unix:", 0, 0, {}, False),
        (PUBLIC, 0, 1, {}, False),
        (PUBLIC, 0, 0, {b"via": b"1.1 proxy"}, False),
        (PUBLIC, 0, 0, {b"x-real-ip": b"8.8.4.4"}, False),
        (PUBLIC, 0, 0, {b"forwarded": b"for=8.8.4.4"}, False),
        (PUBLIC, 1, 1, {}, True),
        (PRIVATE, 1, 1, {}, True),
        (PUBLIC, 1, 1, {b"via": b"1.1 proxy"}, True),
        (PUBLIC, 1, 0, {}, False),
        (PUBLIC, 1, 2, {}, False),
        (PUBLIC, 2, 2, {}, True),
        (PUBLIC, 1, 1, {b"forwarded": b"For=_visitor"}, False),
        (PUBLIC, 1, 1, {b"forwarded": b"for=8.8.8.8, for=unknown"}, False),
        (PUBLIC, 1, 1, {CLIENT_ADDRESS: b"8.8.8.8 forged"}, False),
        (PUBLIC, 0, 0, {CLIENT_ADDRESS: b"8.8.8.8 forged"}, False),
    ],
)
def test_personal_addresses_are_recognized(
    peer: str, hops: int, forwarded_for: int, headers: dict[bytes, bytes], *, expected: bool
) -> None:
    assert is_personal(headers, forwarded_for, peer, hops=hops) is expected


# What Express returns (``req.ip``) if ``trust proxy`` is ``loopback, linklocal, uniquelocal``, as the reference PDS
# sets it.
PRIVATE_PROXIES = [
    (HERE, [PUBLIC], (PUBLIC, 1)),
    (HERE, [], (HERE, 0)),
    (PUBLIC, ["1.1.1.1"], (PUBLIC, 0)),
    (HERE, ["1.1.1.1", PUBLIC], (PUBLIC, 1)),
    (HERE, ["1.1.1.1", PUBLIC, PRIVATE], (PUBLIC, 2)),
    ("::1", ["2606:4700::1"], ("2606:4700::1", 1)),
    ("::ffff:172.16.0.1", [PUBLIC], (PUBLIC, 1)),
    ("172.31.255.255", [PUBLIC], (PUBLIC, 1)),
    ("172.32.0.1", [PUBLIC], ("172.32.0.1", 0)),
    ("192.168.3.4", [PUBLIC], (PUBLIC, 1)),
    ("169.254.1.1", [PUBLIC], (PUBLIC, 1)),
    ("fe80::1", [PUBLIC], (PUBLIC, 1)),
    ("fd12::1", [PUBLIC], (PUBLIC, 1)),
    ("100.64.0.1", [PUBLIC], ("100.64.0.1", 0)),
    (HERE, ["192.168.1.5", "10.1.1.1"], ("192.168.1.5", 2)),
    (HERE, ["1.1.1.1", "unknown"], ("unknown", 1)),
]


@pytest.mark.parametrize(("peer", "forwarded_for", "expected"), PRIVATE_PROXIES)
def test_proxies_in_private_networks_are_seen_through(
    peer: str, forwarded_for: list[str], expected: tuple[str, int]
) -> None:
    assert behind_private_proxies(peer, forwarded_for) == expected


@needs("reference")
async def test_express_finds_the_same_addresses() -> None:
    """Express finds the same addresses. It does not report how many proxies a request passed."""
    script = """
    const express = require("express"), app = express();
    app.set("trust proxy", ["loopback", "linklocal", "uniquelocal"]);
    const trust = app.get("trust proxy fn"), addresses = require("proxy-addr");
    const ask = ([peer, chain]) => addresses(
        {headers: {"x-forwarded-for": chain.join(", ")}, connection: {remoteAddress: peer}, socket: {remoteAddress: peer}}, trust);
    console.log(JSON.stringify(JSON.parse(process.argv[1]).map(ask)));
    """
    node = reference.node()
    assert node is not None
    asked = json.dumps([(peer, chain) for peer, chain, _ in PRIVATE_PROXIES if chain])
    process = await asyncio.create_subprocess_exec(
        node, "-e", script, asked, cwd=reference.FOLDER, stdout=asyncio.subprocess.PIPE
    )
    output, _ = await process.communicate()
    assert json.loads(output) == [address for _, chain, (address, _) in PRIVATE_PROXIES if chain]


@pytest.mark.parametrize(
    ("peer", "forwarded_for", "headers", "expected"),
    [
        (HERE, 0, {}, True),
        ("::1", 0, {}, True),
        ("::ffff:127.0.0.1", 0, {}, True),
        (HERE, 1, {}, False),
        (HERE, 0, {b"via": b"1.1 proxy"}, False),
        (HERE, 0, {b"forwarded": b"for=_visitor"}, False),
        (PRIVATE, 0, {}, False),
        ("nothing", 0, {}, False),
    ],
)
def test_requests_from_this_machine_are_recognized(
    peer: str, forwarded_for: int, headers: dict[bytes, bytes], *, expected: bool
) -> None:
    assert is_from_this_machine(headers, forwarded_for, peer) is expected


def test_signed_address_is_read_only_with_the_same_key() -> None:
    (value,) = signed_address_header(KEY, PUBLIC).values()
    headers = {CLIENT_ADDRESS: value.encode()}
    assert vouched_address(KEY, headers) == PUBLIC
    assert vouched_address(Secret("another key of that length"), headers) == ""
    assert vouched_address(Secret(""), headers) == ""
    assert (
        vouched_address(
            Secret(""), {CLIENT_ADDRESS: signed_address_header(Secret(""), PUBLIC)["x-client-address"].encode()}
        )
        == ""
    )
    for forged in (b"", b" ", b"8.8.8.8", b"8.8.8.8 ", value.encode() + b"0", value.upper().encode(), b"\xff \xff"):
        assert vouched_address(KEY, {CLIENT_ADDRESS: forged}) == ""
    long = signed_address_header(KEY, "a" * 65)["x-client-address"].encode()
    assert vouched_address(KEY, {CLIENT_ADDRESS: long}) == ""


@pytest.mark.parametrize(
    ("entry", "address"),
    [
        (PUBLIC, PUBLIC),
        (f"{PUBLIC}:4711", PUBLIC),
        ("2606:4700::1", "2606:4700::1"),
        ("[2606:4700::1]", "2606:4700::1"),
        ("[2606:4700::1]:4711", "2606:4700::1"),
        ("unknown", "unknown"),
    ],
)
def test_port_does_not_change_the_client(entry: str, address: str) -> None:
    assert without_port(entry) == address
