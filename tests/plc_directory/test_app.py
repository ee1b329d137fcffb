"""The PLC directory over real sockets: what it accepts, refuses and returns."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace

import httpx
import msgspec
import pytest

from at_protocol.data.cid import Cid
from at_protocol.identity import plc_log, plc_operation
from at_protocol.identity.did_document import parse_did_document
from at_protocol.identity.plc_operation import PlcOperation, Tombstone
from at_protocol.syntax.datetime import parse_datetime
from at_protocol.syntax.did import Did
from groundwork.clock import DAY, HOUR, HandClock
from groundwork.http.server import serving
from groundwork.telemetry.metrics import Metrics
from groundwork.telemetry.probes import probing
from plc_directory.app import create_app, probes_of
from plc_directory.store import OperationLimits
from tests.databases import MakeDatabase
from tests.plc_directory.operations import genesis_operation, key_named
from tests.plc_logs import validate_log


def following(before: PlcOperation | Tombstone, handle: str, signer: str) -> PlcOperation:
    assert isinstance(before, PlcOperation)
    next_one = replace(before, also_known_as=(f"at://{handle}",), prev=str(plc_operation.cid_of(before)), sig=None)
    return plc_operation.sign(next_one, key_named(signer))


class Client:
    """A client of the directory."""

    def __init__(self, http: httpx.AsyncClient) -> None:
        self.http = http

    async def post(self, did: str, operation: plc_operation.AnyOperation) -> httpx.Response:
        return await self.http.post(f"/{did}", json=plc_operation.to_json(operation))


@pytest.fixture
async def directory(make_database: MakeDatabase, clock: HandClock) -> AsyncIterator[Client]:
    db = await make_database("plc_directory", clock=clock)
    app = create_app(db, OperationLimits(), Metrics("plc"), version="test", access_log=False)
    async with serving(app) as server, httpx.AsyncClient(base_url=server.url) as http:
        yield Client(http)


async def test_directory_without_a_database_is_unhealthy(make_database: MakeDatabase, clock: HandClock) -> None:
    db = await make_database("plc_directory", clock=clock)
    async with probing(probes_of(db), Metrics("plc")) as probes:
        app = create_app(db, OperationLimits(), Metrics("directory"), version="test", probes=probes, access_log=False)
        async with serving(app) as server, httpx.AsyncClient(base_url=server.url) as http:
            assert (await http.get("/_health")).json() == {"version": "test"}
            ready = (await http.get("/health/ready")).json()
            assert ready["checks"] == {"database": "ok", "writes": "ok"}
            assert ready["ages"].keys() == ready["checks"].keys()
            await db.close()
            await probes.try_all()
            sick = await http.get("/_health")
            assert (sick.status_code, sick.json()) == (503, {"version": "test", "error": "Service Unavailable"})
            assert (await http.get("/health/ready")).status_code == 503
            assert (await http.get("/health/live")).status_code == 200


async def test_created_identity_resolves(directory: Client) -> None:
    first = genesis_operation()
    did = plc_operation.did_of(first)
    assert (await directory.post(did, first)).status_code == 200
    answer = await directory.http.get(f"/{did}")
    assert answer.headers["content-type"] == "application/did+ld+json"
    document = parse_did_document(answer.json(), did)
    assert (document.handle, document.pds) == ("ana.test", "https://pds.test")
    assert document.signing_key == key_named("signing").public
    data = (await directory.http.get(f"/{did}/data")).json()
    assert data["did"] == did
    assert len(data["rotationKeys"]) == 2


async def test_repeated_operation_succeeds_without_a_new_entry(directory: Client) -> None:
    first = genesis_operation()
    did = plc_operation.did_of(first)
    assert [(await directory.post(did, first)).status_code for _ in range(2)] == [200, 200]
    assert len((await directory.http.get(f"/{did}/log")).json()) == 1


async def test_operation_under_another_did_is_refused(directory: Client) -> None:
    answer = await directory.post(Did("did:plc:" + "a" * 24), genesis_operation())
    assert answer.status_code == 400
    assert "GenesisHash" in answer.json()["message"]


@pytest.mark.parametrize(
    "body", [b"", b"[]", b"{}", b'{"type":"plc_operation"}', b"\xff", b'{"type":"create","prev":null}', b"[" * 500]
)
async def test_garbage_is_a_400_with_a_sentence(directory: Client, body: bytes) -> None:
    answer = await directory.http.post(f"/{plc_operation.did_of(genesis_operation())}", content=body)
    assert answer.status_code == 400
    assert answer.json()["message"]


async def test_another_key_cannot_update(directory: Client) -> None:
    first = genesis_operation()
    did = plc_operation.did_of(first)
    await directory.post(did, first)
    answer = await directory.post(did, following(first, "eve.test", "eve"))
    assert answer.status_code == 400
    assert "InvalidSignature" in answer.json()["message"]


async def test_recovery_nullifies_within_72_hours(directory: Client, clock: HandClock) -> None:
    first = genesis_operation()
    did = plc_operation.did_of(first)
    await directory.post(did, first)
    clock.turn(HOUR)
    await directory.post(did, following(first, "eve.test", "low"))
    clock.turn(72 * HOUR)
    assert (await directory.post(did, following(first, "ana.example", "high"))).status_code == 200
    audit = (await directory.http.get(f"/{did}/log/audit")).json()
    assert [line["nullified"] for line in audit] == [False, True, False]
    assert (await directory.http.get(f"/{did}")).json()["alsoKnownAs"] == ["at://ana.example"]


async def test_recovery_after_72_hours_is_refused(directory: Client, clock: HandClock) -> None:
    first = genesis_operation()
    did = plc_operation.did_of(first)
    await directory.post(did, first)
    clock.turn(HOUR)
    await directory.post(did, following(first, "eve.test", "low"))
    clock.turn(72 * HOUR + 1)
    answer = await directory.post(did, following(first, "ana.example", "high"))
    assert "LateRecovery" in answer.json()["message"]


async def test_tombstone_ends_an_identity(directory: Client) -> None:
    first = genesis_operation()
    did = plc_operation.did_of(first)
    await directory.post(did, first)
    end = plc_operation.sign(Tombstone(str(plc_operation.cid_of(first))), key_named("high"))
    assert (await directory.post(did, end)).status_code == 200
    assert (await directory.http.get(f"/{did}")).status_code == 410
    assert (await directory.http.get(f"/{did}/log/last")).json()["type"] == "plc_tombstone"


async def test_racing_updates_have_one_winner(directory: Client) -> None:
    first = genesis_operation()
    did = plc_operation.did_of(first)
    await directory.post(did, first)
    racing = [following(first, f"name{number}.test", "high") for number in range(5)]
    answers = await asyncio.gather(*(directory.post(did, operation) for operation in racing))
    assert sum(answer.status_code == 200 for answer in answers) == 1
    assert len((await directory.http.get(f"/{did}/log")).json()) == 2


async def test_too_many_operations_in_an_hour(directory: Client, clock: HandClock) -> None:
    operation = genesis_operation()
    did = plc_operation.did_of(operation)
    await directory.post(did, operation)
    for number in range(9):
        operation = following(operation, f"name{number}.test", "low")
        assert (await directory.post(did, operation)).status_code == 200
    refused = await directory.post(did, following(operation, "more.test", "low"))
    assert refused.status_code == 400
    assert "hour" in refused.json()["message"]
    clock.turn(HOUR)
    assert (await directory.post(did, following(operation, "more.test", "low"))).status_code == 200


async def test_unknown_and_malformed_names(directory: Client) -> None:
    assert (await directory.http.get("/did:plc:" + "a" * 24)).status_code == 404
    assert (await directory.http.get("/did:web:example.com")).status_code == 400
    assert (await directory.http.get("/ana")).status_code == 400


async def test_export_is_paginated_by_number_and_by_time(directory: Client, clock: HandClock) -> None:
    dids = []
    for number in range(5):
        first = genesis_operation(f"name{number}.test")
        dids.append(plc_operation.did_of(first))
        await directory.post(dids[-1], first)
        clock.turn(DAY)

    async def lines(**parameters: object) -> list[dict[str, object]]:
        text = (await directory.http.get("/export", params=parameters)).text
        return [msgspec.json.decode(line) for line in text.split("\n") if line]

    whole, after = [], 0
    while page := await lines(after=after, count=2):
        whole += [line["did"] for line in page]
        after = page[-1]["seq"]
    assert whole == dids
    old = await lines(count=2)
    assert "seq" not in old[0]
    assert old[0]["nullified"] is False
    assert [line["did"] for line in await lines(after=old[-1]["createdAt"])] == dids[2:]


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("count", "1001"),
        ("count", "0000000019999999"),
        ("count", "0"),
        ("after", "yesterday"),
        ("after", str(2**63)),
        ("after", "9" * 5000),
    ],
)
async def test_export_refuses_invalid_pages(directory: Client, name: str, value: str) -> None:
    """An invalid page size or cursor is refused with 400, even if it has very many digits."""
    assert (await directory.http.get("/export", params={name: value})).status_code == 400


async def test_its_own_audit_log_validates(directory: Client, clock: HandClock) -> None:
    """The exported log of a DID can be validated by its signatures alone."""
    first = genesis_operation()
    did = plc_operation.did_of(first)
    await directory.post(did, first)
    clock.turn(HOUR)
    await directory.post(did, following(first, "eve.test", "low"))
    clock.turn(HOUR)
    await directory.post(did, following(first, "ana.example", "high"))
    audit = (await directory.http.get(f"/{did}/log/audit")).json()
    entries = [
        plc_log.PlcLogEntry(
            plc_operation.parse_operation(line["operation"]),
            Cid.parse(line["cid"]),
            parse_datetime(line["createdAt"]),
            line["nullified"],
        )
        for line in audit
    ]
    assert len(validate_log(did, entries)) == 2
