"""The directory's HTTP API, compatible with the public one (did:plc method 0.3, "HTTP API")."""

from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any

import msgspec
from starlette.requests import HTTPConnection, Request
from starlette.responses import Response
from starlette.routing import Route, WebSocketRoute

from at_protocol.data.model import MAX_INTEGER
from at_protocol.failures import Malformed
from at_protocol.identity import plc_log, plc_operation
from at_protocol.identity.plc_log import PlcLogEntry
from at_protocol.identity.plc_operation import PlcOperation, Tombstone
from at_protocol.syntax.datetime import format_datetime, parse_datetime
from at_protocol.syntax.did import Did, parse_did
from groundwork.clock import Clock, Instant
from groundwork.database.durable_write import write_durably
from groundwork.database.migrate import migrate
from groundwork.database.open_ import open_database
from groundwork.database.transaction import Database
from groundwork.errors import Gone, InvalidInput, NotFound
from groundwork.http.application import Application
from groundwork.http.cors import Cors
from groundwork.http.faults import Fault
from groundwork.http.json_bodies import json_response, parse_json
from groundwork.http.operations import operations_routes
from groundwork.telemetry.health import OK
from groundwork.telemetry.metrics import Metrics
from groundwork.telemetry.probes import Probe, Probes, probing
from plc_directory import store
from plc_directory.export_stream import SEND_SECONDS, ExportStream
from plc_directory.lines import sequenced, timed
from plc_directory.settings import PlcSettings
from plc_directory.store import OperationLimits

MAX_EXPORT = 1000


@dataclass(frozen=True, slots=True)
class DirectoryServices:
    """What the routes work with."""

    db: Database
    limits: OperationLimits
    stream: ExportStream


def services(connection: HTTPConnection) -> DirectoryServices:
    """The services of the directory. No other function reads the application state; a test checks this."""
    directory_services: DirectoryServices = connection.app.state.services
    return directory_services


@asynccontextmanager
async def open_directory(
    settings: PlcSettings, clock: Clock, *, version: str, access_log: bool = True
) -> AsyncIterator[Application]:
    """Migrate and open the database. Yields the application, and closes the database at the end of the block."""
    await migrate(settings.database, "plc_directory", "plc_directory")
    db = await open_database(settings.database, schema="plc_directory", clock=clock)
    try:
        limits = OperationLimits(hourly=settings.hourly_limit, daily=settings.daily_limit, weekly=settings.weekly_limit)
        metrics = Metrics("plc_directory")
        async with probing(probes_of(db), metrics) as probes:
            yield create_app(db, limits, metrics, version=version, probes=probes, access_log=access_log)
    finally:
        await db.close()


def probes_of(db: Database) -> dict[str, Probe]:
    """Return the health checks, which run in the background: reading the database, and writing to it."""

    async def answers() -> None:
        async with db.reader() as reader:
            await reader.fetch_one("select 1")

    return {"database": Probe(answers), "writes": Probe(lambda: write_durably(db, "plc_directory"))}


Endpoint = Callable[[Request], Coroutine[Any, Any, Response]]


def create_app(
    db: Database,
    limits: OperationLimits,
    metrics: Metrics,
    *,
    version: str,
    probes: Probes | None = None,
    access_log: bool = True,
    stream_send_seconds: float = SEND_SECONDS,
) -> Application:
    """Create the directory's application. ``probes`` are the health checks (``probes_of``); without them it is not
    monitored.
    """
    stream = ExportStream(db, send_seconds=stream_send_seconds)
    app = Application(
        [
            *operations_routes(metrics, {}, probes=probes),
            Route("/_health", _health(version, probes)),
            Route("/export", _export),
            WebSocketRoute("/export/stream", stream.serve),
            Route("/{did}", _document, methods=["GET", "HEAD"]),
            Route("/{did}", _submit, methods=["POST"]),
            Route("/{did}/data", _data),
            Route("/{did}/log", _log),
            Route("/{did}/log/audit", _audit),
            Route("/{did}/log/last", _last),
        ],
        metrics,
        render=_render,
        translations={Malformed: lambda error: InvalidInput("", _sentence(error))},
        cors=[Cors(("/",))],
        access_log=access_log,
    )
    app.state.services = DirectoryServices(db, limits, stream)
    return app


def _sentence(error: Exception) -> str:
    return f"{error.kind}: {error.why}" if isinstance(error, Malformed) else str(error)


def _render(_connection: HTTPConnection, fault: Fault) -> Response:
    # The directory has its own error format, in which every violated rule is status 400, independently of the type of
    # the failure.
    status = 400 if fault.http_status == 422 else fault.http_status
    return json_response({"message": fault.why}, status, fault.headers)


def _health(version: str, probes: Probes | None) -> Endpoint:
    async def health(_request: Request) -> Response:
        if probes is None or all(one.outcome == OK for one in probes.outcomes().values()):
            return json_response({"version": version})
        return json_response({"version": version, "error": "Service Unavailable"}, HTTPStatus.SERVICE_UNAVAILABLE)

    return health


def _did(request: Request) -> Did:
    did = parse_did(request.path_params["did"])
    if not did.startswith("did:plc:") or len(did) != 32:
        raise InvalidInput("did", f"{did} is not a did:plc.")
    return did


async def _registered(request: Request) -> tuple[Did, list[PlcLogEntry]]:
    did = _did(request)
    async with services(request).db.reader() as reader:
        log = await store.log_of(reader, did)
    if not log:
        raise NotFound(f"DID not registered: {did}")
    return did, log


async def _present(request: Request) -> tuple[Did, PlcOperation]:
    did, log = await _registered(request)
    operation = plc_log.current(log)
    if operation is None:
        raise Gone(f"DID not available: {did}")
    return did, operation


async def _document(request: Request) -> Response:
    did, operation = await _present(request)
    return Response(plc_log.document_of(did, operation).source, media_type="application/did+ld+json")


async def _data(request: Request) -> Response:
    did, operation = await _present(request)
    shown = plc_operation.to_json(operation)
    fields = ("verificationMethods", "rotationKeys", "alsoKnownAs", "services")
    return json_response({"did": did, **{name: shown[name] for name in fields}})


async def _log(request: Request) -> Response:
    _, log = await _registered(request)
    return json_response([plc_operation.to_json(entry.operation) for entry in log if not entry.nullified])


async def _audit(request: Request) -> Response:
    did, log = await _registered(request)
    return json_response(
        [
            {
                "did": did,
                "operation": plc_operation.to_json(entry.operation),
                "cid": str(entry.cid),
                "nullified": entry.nullified,
                "createdAt": format_datetime(entry.created_at),
            }
            for entry in log
        ]
    )


async def _last(request: Request) -> Response:
    _, log = await _registered(request)
    last = next(entry for entry in reversed(log) if not entry.nullified)
    return json_response(plc_operation.to_json(last.operation))


async def _submit(request: Request) -> Response:
    did = _did(request)
    operation = plc_operation.parse_operation(parse_json(await request.body()))
    if isinstance(operation, Tombstone):
        await _registered(request)
    directory = services(request)
    await store.submit(directory.db, did, operation, directory.limits)
    directory.stream.announce()
    return Response(status_code=200)


async def _export(request: Request) -> Response:
    count = _count(request.query_params.get("count", str(MAX_EXPORT)))
    after = request.query_params.get("after", "")
    async with services(request).db.reader() as reader:
        if after.isascii() and after.isdigit():
            lines = [sequenced(line) for line in await store.export_after_seq(reader, _number(after), count)]
        else:
            since = Instant(parse_datetime(after)) if after else Instant(0)
            lines = [timed(line) for line in await store.export_after_time(reader, since, count)]
    return Response(b"\n".join(map(msgspec.json.encode, lines)), media_type="application/jsonlines")


def _number(digits: str) -> int:
    # No operation number has more than 19 digits, and int() rejects thousands of them.
    if len(digits) > 19 or int(digits) > MAX_INTEGER:
        raise InvalidInput("after", "There is no such number.")
    return int(digits)


def _count(text: str) -> int:
    if not (text.isascii() and text.isdigit() and len(text) <= 4 and 1 <= int(text) <= MAX_EXPORT):
        raise InvalidInput("count", f"count is a number from 1 to {MAX_EXPORT}.")
    return int(text)
