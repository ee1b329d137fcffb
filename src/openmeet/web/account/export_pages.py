"""Settings page for exporting the user's own data."""

import msgspec
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from openmeet.domain.data_export.person import export_document
from openmeet.recurrence.wall_time import local_of
from openmeet.web.api.operations import ApiOperation
from openmeet.web.site.caller import caller_of
from openmeet.web.site.layout import page
from openmeet.web.site.services import services
from openmeet.web.site.tenant_routing import database_of


def routes() -> list[Route]:
    return [
        Route("/settings/data", show, methods=["GET"]),
        Route("/settings/data/download", download, methods=["GET"]),
    ]


async def show(request: Request) -> Response:
    caller_of(request)
    return page(request, "account/data.html")


async def download(request: Request) -> Response:
    """The export as one file, never cached."""
    caller = caller_of(request)
    document = await export_document(database_of(request), caller.user_id, services(request).settings.public_url)
    day = local_of(services(request).clock.now(), "UTC").date().isoformat()
    headers = {"content-disposition": f'attachment; filename="my-data-{day}.json"', "cache-control": "no-store"}
    return Response(
        msgspec.json.format(msgspec.json.encode(document), indent=1), media_type="application/json", headers=headers
    )


async def export(request: Request) -> Response:
    caller = caller_of(request)
    document = await export_document(database_of(request), caller.user_id, services(request).settings.public_url)
    return Response(msgspec.json.encode(document), media_type="application/json", headers={"cache-control": "no-store"})


OPERATIONS = (
    ApiOperation(
        "GET",
        "/api/takeout",
        "exportMyData",
        "All data of the caller as one document, described in docs/arriving.md",
        export,
        {200: dict[str, msgspec.Raw]},
    ),
)
