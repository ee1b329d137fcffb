"""Routes of every program for its operators: ``/health/live``, ``/health/ready``, ``/metrics``."""

import hmac
from collections.abc import Collection, Mapping, Sequence

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from groundwork.errors import NotFound
from groundwork.http.addresses import is_public
from groundwork.http.application import client_address
from groundwork.http.json_bodies import json_response
from groundwork.telemetry.health import OK, Check, run_checks
from groundwork.telemetry.metrics import CONTENT_TYPE, Metrics
from groundwork.telemetry.probes import Probes


def operations_routes(
    metrics: Metrics,
    checks: Mapping[str, Check],
    *,
    probes: Probes | None = None,
    serving: Sequence[Collection[str]] = (),
    metrics_token: str = "",
) -> list[Route]:
    """Return the three routes. ``/metrics`` answers private addresses and requests with the bearer token.

    A check runs per request, unless a probe has the same name: then the probe's last result and its age are returned,
    so that a slow machine does not delay the response. ``serving`` lists the check names that each community needs. One
    complete group is enough to be ready; if others fail, the status is ``degraded``. Without ``serving``, every check
    must pass. If there are several communities, the results of the checks are shown only to clients that may read the
    metrics. Behind a proxy, the configured number of hops determines the client's address; without that setting, every
    client looks local.
    """

    def is_operator(request: Request) -> bool:
        authorization = request.headers.get("authorization", "").encode()
        knows = bool(metrics_token) and hmac.compare_digest(authorization, f"Bearer {metrics_token}".encode())
        return knows or not is_public(client_address(request))

    async def live(_request: Request) -> Response:
        return json_response({"status": "ok"})

    async def ready(request: Request) -> Response:
        outcomes = probes.outcomes() if probes else {}
        result = await run_checks({name: check for name, check in checks.items() if name not in outcomes})
        outcomes_by_name = {**result.checks, **{name: one.outcome for name, one in outcomes.items()}}
        is_ready = all(outcome == OK for outcome in outcomes_by_name.values())
        serves = is_ready or any(all(outcomes_by_name[name] == OK for name in group) for group in serving)
        shown: dict[str, object] = {"status": "ok" if is_ready else "degraded" if serves else "unavailable"}
        if len(serving) <= 1 or is_operator(request):
            shown["checks"] = outcomes_by_name
            shown["ages"] = {name: one.age_seconds for name, one in outcomes.items()}
        return json_response(shown, 200 if serves else 503)

    async def exposition(request: Request) -> Response:
        if not is_operator(request):
            raise NotFound("There’s nothing at this address.")
        return Response(metrics.exposition(), media_type=CONTENT_TYPE)

    return [Route("/health/live", live), Route("/health/ready", ready), Route("/metrics", exposition)]
