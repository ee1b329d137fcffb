"""Add one uploaded photo, and send the files of one, for pages, the API and moderators."""

from functools import partial
from typing import Final

from starlette.requests import Request
from starlette.responses import Response

from groundwork.errors import TooMany
from groundwork.rate_limit.contract import Limit, spend
from openmeet.domain.events.model import EventSlug
from openmeet.domain.photos import actions
from openmeet.domain.photos.model import EventPhoto, PhotoReason
from openmeet.domain.users.model import UserId
from openmeet.web.media.pages import INERT, serve_picture
from openmeet.web.media.uploads import store_of
from openmeet.web.site.services import services
from openmeet.web.site.tenant_routing import database_of, workers_of

# Each photo is decoded, encoded again, and stored.
_LIMITS: Final = (Limit("photo_hour", 60, 3_600), Limit("photo_day", 150, 86_400))
_HEADERS: Final = {
    **INERT,
    # Browsers may keep the photo but must ask before each use, so people who may no longer see it cannot load it again.
    "cache-control": "private, no-cache",
    "cross-origin-resource-policy": "same-origin",
}


async def add_photo(request: Request, user_id: UserId, slug: EventSlug, body: bytes, caption: str) -> EventPhoto:
    """Add one photo, which counts against the person's rate limit. Raises like ``actions.add``, and TooMany."""
    site = services(request)
    if not site.settings.is_unlimited:
        try:
            await spend(site.counters, [(limit, str(user_id)) for limit in _LIMITS], now=site.clock.now())
        except TooMany as refused:
            raise TooMany(PhotoReason.TOO_OFTEN, after_seconds=refused.after_seconds, headers=refused.headers) from None
    workers = workers_of(request, user_id)
    return await actions.add(database_of(request), store_of(request), workers, user_id, slug, body, caption)


async def photo_response(request: Request, photo: EventPhoto) -> Response:
    """The bytes of a photo. The caller has checked that the viewer may see it."""
    return await serve_picture(request, store_of(request), photo.key, partial(actions.blob_key, photo.key), _HEADERS)
