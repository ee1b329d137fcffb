"""Sitemap and robots.txt: public events and groups, and the pages that list them.

Sources: sitemaps.org, "Sitemap protocol 0.9" (at most 50,000 URLs in 50 MB); RFC 9309 (robots.txt). Events from the
network are included only if the site shows them by default (``events.unsolicited_lists``).
"""

from collections.abc import Iterable
from xml.etree import ElementTree as ET

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from groundwork.clock import DAY, Instant
from groundwork.database.transaction import Reader
from openmeet.domain.events.unsolicited_lists import FrontPagePolicy, is_allowed_by
from openmeet.domain.events.visibility import is_hidden, is_public
from openmeet.domain.groups.queries import is_hidden as is_group_hidden
from openmeet.domain.page_paths import event_path, group_path
from openmeet.i18n import formatting
from openmeet.web.site.services import front_page_policy, services
from openmeet.web.site.tenant_routing import database_of

MAX_EVENTS = 20_000
MAX_GROUPS = 5_000
# Events that ended longer ago are not useful in search results.
PAST = 30 * DAY

_XMLNS = "http://www.sitemaps.org/schemas/sitemap/0.9"
_HEADERS = {"cache-control": "public, max-age=3600"}

_EVENTS = """
    select e.slug, e.updated_at from events e
     where e.over_at > :since and e.is_held = 0 and e.deleted_at is null and e.removed_at is null
       and {stands} and {public} and not {hidden}
     order by e.over_at, e.id limit :most
"""

_GROUPS = f"""
    select g.slug, g.updated_at from groups g
     where g.deleted_at is null and g.is_read_only = 0 and g.visibility = 'public' and not {is_group_hidden("g")}
     order by g.id limit :most
"""


def routes() -> list[Route]:
    return [Route("/sitemap.xml", sitemap, methods=["GET"]), Route("/robots.txt", robots, methods=["GET"])]


async def sitemap(request: Request) -> Response:
    public_url = services(request).settings.public_url
    async with database_of(request).reader() as reader:
        paths = await _paths_with_changes(reader, front_page_policy(request))
    return Response(_sitemap_xml(public_url, paths), media_type="application/xml", headers=_HEADERS)


async def robots(request: Request) -> Response:
    """Everything public may be crawled. Pages that need a session or have a secret URL may not."""
    public_url = services(request).settings.public_url
    closed = "".join(f"Disallow: /{path}/\n" for path in ("api", "settings", "my", "mail", "answers", "calendar"))
    text = f"User-agent: *\n{closed}\nSitemap: {public_url}/sitemap.xml\n"
    return Response(text, media_type="text/plain", headers=_HEADERS)


async def _paths_with_changes(reader: Reader, shown: FrontPagePolicy) -> list[tuple[str, Instant]]:
    """Paths with the instant of their last change: groups first, then events, soonest first."""
    groups = await reader.fetch(_GROUPS, most=MAX_GROUPS)
    conditions = {"stands": is_allowed_by("e", shown), "public": is_public("e"), "hidden": is_hidden("e")}
    events = await reader.fetch(_EVENTS.format(**conditions), since=Instant(reader.now - PAST), most=MAX_EVENTS)
    return [
        *((group_path(row["slug"]), row["updated_at"]) for row in groups),
        *((event_path(row["slug"]), row["updated_at"]) for row in events),
    ]


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
