"""Routes that every program answers for its operators: ``/health/live``, ``/health/ready``, ``/metrics``."""

import hmac
from collections.abc import Mapping

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from groundwork.errors import NotFound
from groundwork.http.addresses import is_public
from groundwork.http.application import client_address
from groundwork.http.json_bodies import json_response
from groundwork.telemetry.health import Check, look
from groundwork.telemetry.metrics import CONTENT_TYPE, Metrics


def operations_routes(
    metrics: Metrics, checks: Mapping[str, Check], *, metrics_token: str = "", each_serves_alone: bool = False
) -> list[Route]:
    """The three routes. ``/metrics`` answers private addresses, and anybody who brings the token as a bearer.

    ``each_serves_alone``: what one check looks at works without the others, so the program is ready with one, and says that it is
    ``degraded`` where it is not all; what they are called then is for those who may read the metrics.
    Behind a proxy the configured number of hops decides what the address is; without it everybody looks local.
    """

    def is_operator(request: Request) -> bool:
        brought = request.headers.get("authorization", "").encode()
        knows = bool(metrics_token) and hmac.compare_digest(brought, f"Bearer {metrics_token}".encode())
        return knows or not is_public(client_address(request))

    async def live(_request: Request) -> Response:
        return json_response({"status": "ok"})

    async def ready(request: Request) -> Response:
        readiness = await look(checks)
        serves = readiness.is_ready or (each_serves_alone and readiness.is_ready_in_part)
        status = "ok" if readiness.is_ready else "degraded" if serves else "unavailable"
        shown: dict[str, object] = {"status": status}
        if not each_serves_alone or len(checks) == 1 or is_operator(request):
            shown["checks"] = readiness.checks
        return json_response(shown, 200 if serves else 503)

    async def exposition(request: Request) -> Response:
        if not is_operator(request):
            raise NotFound("There is nothing at this address.")
        return Response(metrics.exposition(), media_type=CONTENT_TYPE)

    return [Route("/health/live", live), Route("/health/ready", ready), Route("/metrics", exposition)]
