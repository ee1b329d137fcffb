"""Offline support and installation: web app manifest, service worker, and the page shown without a connection."""

import hashlib
import json
from functools import cache
from pathlib import Path
from typing import Final

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from openmeet.i18n.catalogue import current, gettext
from openmeet.web.site.layout import page
from openmeet.web.site.services import services
from openmeet.web.site.static_files import static_url

OFFLINE: Final = "/offline"
WORKER: Final = "/service-worker.js"

_SCRIPT: Final = Path(__file__).parent / "static" / "service_worker.js"
# The files of the pages that are stored.
_FILES: Final = (
    "site.css",
    "pages.css",
    "lists.css",
    "home.css",
    "event.css",
    "people.css",
    "ticket.css",
    "tell.css",
    "hosting.css",
    "calendar.css",
    "check_in.css",
    "site.js",
    "scan.js",
    "figtree.woff2",
    "mark.svg",
)
# The background colour of ``tokens.css``. It is also shown behind the icon while the app starts.
_PAPER: Final = "#FBF8F3"


def routes() -> list[Route]:
    return [Route(OFFLINE, show_offline, methods=["GET"])]


def open_routes() -> list[Route]:
    return [
        Route("/manifest.webmanifest", show_manifest, methods=["GET"]),
        Route(WORKER, serve_worker, methods=["GET"]),
    ]


async def show_offline(request: Request) -> Response:
    """The page that the service worker shows instead of pages that are not stored. With a connection it is an ordinary
    page.
    """
    return page(request, "site/offline.html")


async def show_manifest(request: Request) -> Response:
    """The web app manifest: name, icons and shortcuts of the installed site."""
    name = services(request).settings.site_name
    icons = [{"src": static_url("mark.svg"), "sizes": "any", "type": "image/svg+xml"}]
    for side in (192, 512):
        icon = {"src": static_url(f"icon-{side}.png"), "sizes": f"{side}x{side}", "type": "image/png"}
        icons += [icon, icon | {"purpose": "maskable"}]
    manifest = {
        "id": "/",
        "name": name,
        "short_name": name,
        "lang": current().tag,
        "dir": current().direction,
        "start_url": "/home",
        "scope": "/",
        "display": "standalone",
        "background_color": _PAPER,
        "theme_color": _PAPER,
        "icons": icons,
        "shortcuts": [
            {"name": gettext("New event"), "url": "/events/new"},
            {"name": gettext("Calendar"), "url": "/my/calendar"},
        ],
    }
    return Response(
        json.dumps(manifest, ensure_ascii=False),
        media_type="application/manifest+json",
        headers={"cache-control": "public, max-age=3600", "vary": "accept-language"},
    )


async def serve_worker(_request: Request) -> Response:
    """The service worker script, with the list of this release's files. Its URL never changes, so browsers must
    revalidate it each time.
    """
    return Response(_worker(), media_type="text/javascript", headers={"cache-control": "no-cache"})


@cache
def _worker() -> str:
    files = [static_url(name) for name in _FILES]
    script_variables = {
        "VERSION": hashlib.sha256(" ".join(files).encode()).hexdigest()[:16],
        "FILES": files,
        "OFFLINE": OFFLINE,
    }
    constants = "".join(f"const {name} = {json.dumps(value)};\n" for name, value in script_variables.items())
    return constants + _SCRIPT.read_text("utf-8")
