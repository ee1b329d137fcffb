"""The query that leads from a page's address to the record behind it, and back."""

from groundwork.errors import NotFound
from openmeet.web.xrpc.call import Call, Query
from openmeet.web.xrpc.resolve import event_url, find_event, find_group, find_series, group_url, series_url
from openmeet.web.xrpc.schemas import Resolved


async def resolve_uri(call: Call) -> Resolved:
    """Raises NotFound."""
    asked = (call.reader, call.text("uri"), call.viewer, call.public_url)
    event = await find_event(*asked)
    if event is not None:
        url = event_url(event.slug, call.public_url)
        return Resolved(kind="event", url=url, uri=event.record_uri, cid=event.record_cid)
    series = await find_series(*asked)
    if series is not None:
        return Resolved(kind="series", url=series_url(series.slug, call.public_url), uri=series.record_uri)
    found = await find_group(*asked)
    if found is not None:
        group, _ = found
        return Resolved(kind="group", url=group_url(group.slug, call.public_url), uri=group.network.record_uri)
    raise NotFound("There is nothing at this address.", name="NotFound")


QUERIES = (Query("resolveUri", resolve_uri),)
