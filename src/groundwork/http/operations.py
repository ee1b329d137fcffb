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


def operations_routes(metrics: Metrics, checks: Mapping[str, Check], *, metrics_token: str = "") -> list[Route]:
    """The three routes. ``/metrics`` answers private addresses, and anybody who brings the token as a bearer.

    Behind a proxy the configured number of hops decides what the address is; without it everybody looks local.
    """

    async def live(_request: Request) -> Response:
        return json_response({"status": "ok"})

    async def ready(_request: Request) -> Response:
        readiness = await look(checks)
        status = "ok" if readiness.is_ready else "unavailable"
        return json_response({"status": status, "checks": readiness.checks}, 200 if readiness.is_ready else 503)

    async def exposition(request: Request) -> Response:
        brought = request.headers.get("authorization", "").encode()
        knows = bool(metrics_token) and hmac.compare_digest(brought, f"Bearer {metrics_token}".encode())
        if not knows and is_public(client_address(request)):
            raise NotFound("There is nothing at this address.")
        return Response(metrics.exposition(), media_type=CONTENT_TYPE)

    return [Route("/health/live", live), Route("/health/ready", ready), Route("/metrics", exposition)]
