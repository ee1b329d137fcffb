"""Line of the event form that says how many people in the chosen group are notified when the event is published."""

from typing import Final

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from groundwork.database.transaction import Reader
from groundwork.errors import Forbidden, NotFound
from openmeet.domain.attendance.group_audience import audience_of_new_event
from openmeet.domain.events import event_access
from openmeet.domain.events.group_of_event import group_for
from openmeet.domain.events.model import EventSlug, GroupOfEvent
from openmeet.domain.events.queries import by_slug
from openmeet.domain.events.values import Visibility
from openmeet.domain.users.model import UserId
from openmeet.i18n.catalogue import gettext, ngettext
from openmeet.web.site.caller import caller_of
from openmeet.web.site.layout import page
from openmeet.web.site.tenant_routing import database_of

PATH: Final = "/events/new/audience"


def routes() -> list[Route]:
    return [Route(PATH, show, methods=["GET"])]


async def show(request: Request) -> Response:
    """An HTML fragment: the line for the ``group`` and ``visibility`` of the query. ``event``: a draft with its group."""
    caller = caller_of(request)
    slug, visibility = request.query_params.get("event", ""), request.query_params.get("visibility", "")
    async with database_of(request).reader() as reader:
        if slug:
            found = await by_slug(reader, EventSlug(slug))
            draft = await event_access.require_visible(reader, found, caller.user_id)
            await event_access.require_editable(reader, draft, caller.user_id)
            line = await line_for(reader, draft.group, visibility, draft.author_id)
        else:
            group = await group_for(reader, request.query_params.get("group", ""), caller.user_id)
            line = await line_for(reader, group, visibility, caller.user_id)
    return page(request, "events/group_audience.html", {"group_audience": line})


async def line_of_form(reader: Reader, slug: str, visibility: str, author: UserId) -> str:
    """The line for what was typed into the form. Empty without a group, and for one in which the author may not create
    events.
    """
    try:
        group = await group_for(reader, slug, author)
    except (NotFound, Forbidden):
        return ""
    return await line_for(reader, group, visibility, author)


async def line_for(reader: Reader, group: GroupOfEvent | None, visibility: str, author: UserId) -> str:
    """The line for a new event of this person in the group."""
    if group is None:
        return ""
    chosen = Visibility(visibility) if visibility in set(Visibility) else Visibility.PUBLIC
    size = await audience_of_new_event(reader, group, chosen, author)
    if size is None:
        return gettext("Everyone in the group who wants news of events gets a notification.")
    if not size.notified:
        return gettext("Nobody in the group gets a notification.")
    if not size.mailed:
        return ngettext(
            "%(number)s person in the group gets a notification.",
            "%(number)s people in the group get a notification.",
            size.notified,
        )
    if size.mailed == size.notified:
        return ngettext(
            "%(number)s person in the group gets an e-mail.",
            "%(number)s people in the group get an e-mail.",
            size.notified,
        )
    return gettext(
        "%(number)s people in the group get a notification, %(mailed)s of them also an e-mail.",
        number=size.notified,
        mailed=size.mailed,
    )
