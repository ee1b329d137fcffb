"""Sitemap and robots.txt: public events and groups, and the pages that list them.

Sources: sitemaps.org, "Sitemap protocol 0.9" (at most 50,000 URLs in 50 MB); RFC 9309 (robots.txt). Events from the
network are included only if the site shows them by default (``events.unsolicited_lists``).
"""

from collections.abc import Iterable
from xml.etree import ElementTree as ET

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from groundwork.clock import Instant
from openmeet.domain.search.sitemap import paths_with_changes
from openmeet.i18n import formatting
from openmeet.web.site.services import front_page_policy, services
from openmeet.web.site.tenant_routing import database_of

_XMLNS = "http://www.sitemaps.org/schemas/sitemap/0.9"
_HEADERS = {"cache-control": "public, max-age=3600"}


def routes() -> list[Route]:
    return [Route("/sitemap.xml", sitemap, methods=["GET"]), Route("/robots.txt", robots, methods=["GET"])]


async def sitemap(request: Request) -> Response:
    public_url = services(request).settings.public_url
    async with database_of(request).reader() as reader:
        paths = await paths_with_changes(reader, front_page_policy(request))
    return Response(_sitemap_xml(public_url, paths), media_type="application/xml", headers=_HEADERS)


async def robots(request: Request) -> Response:
    """Everything public may be crawled. Pages that need a session or have a secret URL may not."""
    public_url = services(request).settings.public_url
    closed = "".join(f"Disallow: /{path}/\n" for path in ("api", "settings", "my", "mail", "answers", "calendar"))
    text = f"User-agent: *\n{closed}\nSitemap: {public_url}/sitemap.xml\n"
    return Response(text, media_type="text/plain", headers=_HEADERS)


def _sitemap_xml(public_url: str, addresses: Iterable[tuple[str, Instant]]) -> bytes:
    ET.register_namespace("", _XMLNS)
    urlset = ET.Element(f"{{{_XMLNS}}}urlset")
    for path, changed_at in (("/", None), ("/groups", None), *addresses):
        entry = ET.SubElement(urlset, f"{{{_XMLNS}}}url")
        ET.SubElement(entry, f"{{{_XMLNS}}}loc").text = f"{public_url}{path}"
        if changed_at is not None:
            ET.SubElement(entry, f"{{{_XMLNS}}}lastmod").text = formatting.iso(changed_at)
    written: bytes = ET.tostring(urlset, encoding="utf-8", xml_declaration=True)
    return written
