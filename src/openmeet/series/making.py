"""The event form's answer where the event comes again: a series."""

from collections.abc import Mapping
from urllib.parse import quote, urlencode

from starlette.requests import Request
from starlette.responses import Response

from openmeet.events.grouping import group_for
from openmeet.events.model import MAX_KEY, Details, Visibility
from openmeet.events.publishing import CONSENT_PATH
from openmeet.events.repeating import Repeating
from openmeet.identities.actions import ask_once
from openmeet.series import actions, clashes, repeats_form
from openmeet.series.dates import template_in
from openmeet.series.model import Timing
from openmeet.site.frame import go
from openmeet.tenants.edge import database_of
from openmeet.users.edge import caller_of


async def make(request: Request, typed: Mapping[str, str], details: Details, timing: Timing) -> Response:
    """One form makes one series, however often it is sent."""
    async with database_of(request).transaction() as tx:
        key = typed.get("submission", "")[:MAX_KEY] or None
        caller = caller_of(request)
        group = await group_for(tx, typed.get("group", ""), caller.user_id)
        series = await actions.create(tx, caller, template_in(details), timing, submission_key=key, group=group)
        is_asked = (
            request.app.state.asks_to_publish
            and series.visibility is Visibility.PUBLIC
            and await ask_once(tx, caller.user_id)
        )
    here = f"/series/{quote(series.slug)}"
    return go(f"{CONSENT_PATH}?{urlencode({'next': here})}" if is_asked else here, said="series_created")


REPEATING = Repeating(
    repeats_form.FIELDS, repeats_form.LABELS, repeats_form.asked, repeats_form.timing_typed, make, clashes.in_form
)
