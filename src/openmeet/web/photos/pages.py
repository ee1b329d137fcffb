"""The photos of an event: the page with all of them and the form, the page of each, and their files. Uploads and files are
the same for pages, the API and moderators.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import partial
from http import HTTPStatus
from typing import Final
from urllib.parse import urlencode

from starlette.datastructures import UploadFile
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from groundwork.database.transaction import Reader
from groundwork.errors import (
    InvalidForm,
    InvalidInput,
    NotFound,
    Refused,
    TooLarge,
    TooMany,
    Unavailable,
    kind_of,
)
from groundwork.http.forms import EMPTY, FormState, form_with_problems, open_form, read_form
from groundwork.rate_limit.contract import Limit, spend
from openmeet.domain.events.model import Event, EventSlug
from openmeet.domain.identities.queries import shown_names
from openmeet.domain.media.pictures import MAX_UPLOAD_BYTES
from openmeet.domain.moderation.model import SubjectVisibility
from openmeet.domain.moderation.visibility import status_of
from openmeet.domain.page_paths import event_path
from openmeet.domain.paging import DEFAULT_LIMIT, page_of
from openmeet.domain.photos import actions, queries
from openmeet.domain.photos.access import event_with_photos, visible_photo
from openmeet.domain.photos.model import (
    MAX_AT_ONCE,
    MAX_CAPTION,
    EventPhoto,
    PhotoAccess,
    PhotoReason,
    checked_caption,
)
from openmeet.domain.users.model import UserId
from openmeet.domain.validation import GeneralReason
from openmeet.i18n.catalogue import gettext, lazy, ngettext
from openmeet.i18n.reasons.messages import explain
from openmeet.web.media.pages import INERT, serve_picture
from openmeet.web.media.subject import subject_of_event
from openmeet.web.media.uploads import read_upload, store_of
from openmeet.web.site.caller import caller_of
from openmeet.web.site.faces import avatar_of, portraits_of
from openmeet.web.site.layout import go, page
from openmeet.web.site.services import services
from openmeet.web.site.session import person_of_cookie
from openmeet.web.site.slugs import event_slug_of
from openmeet.web.site.tenant_routing import database_of, workers_of

PATH: Final = "/photos"
# The rest of the form is small.
FORM_BYTES: Final = MAX_AT_ONCE * MAX_UPLOAD_BYTES + 200_000
# More files than may be added are read, so that the form can say so and keep the caption.
_MAX_READ: Final = 1_000
_LABELS: Final = {"photos": lazy("Photos"), "caption": lazy("Caption")}
# File names are only shown to the person who sent them, to say which photo has a problem.
_LONGEST_NAME: Final = 60
# Each photo is decoded, encoded again, and stored.
_LIMITS: Final = (Limit("photo_hour", 60, 3_600), Limit("photo_day", 150, 86_400))
_HEADERS: Final = {
    **INERT,
    # Browsers may keep the photo but must ask before each use, so people who may no longer see it cannot load it again.
    "cache-control": "private, no-cache",
    "cross-origin-resource-policy": "same-origin",
}


def routes() -> list[Route]:
    return [
        Route("/events/{slug}/photos", show_all, methods=["GET"]),
        Route("/events/{slug}/photos", add, methods=["POST"]),
        Route("/events/{slug}/photos/{key}", show_one, methods=["GET"]),
        Route("/events/{slug}/photos/{key}", describe, methods=["POST"]),
        Route("/events/{slug}/photos/{key}/remove", remove, methods=["POST"]),
    ]


def file_routes() -> list[Route]:
    return [Route(f"{PATH}/{{key}}/{{size}}", show_file, methods=["GET"])]


@dataclass(frozen=True, slots=True)
class PhotoView:
    """A photo on a page. ``path`` is its page, ``file`` the URL of its files without the size."""

    path: str
    file: str
    alt: str
    width: int
    height: int


@dataclass(slots=True)
class AddedPhotos:
    """How many files of a form were added, and the problems of the others."""

    number: int = 0
    problems: list[str] = field(default_factory=list)
    status: int = 200


async def show_all(request: Request) -> Response:
    return await _photos_page(request, EMPTY)


async def add(request: Request) -> Response:
    """Add the chosen files, one after the other. Those that are fine are added even if others are not."""
    caller, slug = caller_of(request), event_slug_of(request)
    # Check this before reading megabytes from somebody who may not send them.
    async with database_of(request).reader() as reader:
        await actions.require_adding(reader, slug, caller.user_id)
    async with open_form(request, max_files=_MAX_READ, max_fields=5) as form:
        text = form.get("caption", "")
        values = {"caption": text if isinstance(text, str) else ""}
        files = [one for one in form.getlist("photos") if isinstance(one, UploadFile) and one.filename]
        try:
            added = await _add_each(request, caller.user_id, slug, files, values["caption"])
        except InvalidForm as wrong:
            return await _photos_page(request, form_with_problems(values, wrong), status=400)
    if added.problems:
        number = len(files) - added.number
        problem = ngettext("We couldn’t add %(number)s photo.", "We couldn’t add %(number)s photos.", number)
        return await _photos_page(request, FormState(values, {"photos": problem}), status=added.status, added=added)
    return go(f"{event_path(slug)}/photos", flash="photos_added", numbers=[added.number])


async def _add_each(
    request: Request, user_id: UserId, slug: EventSlug, files: Sequence[UploadFile], caption: str
) -> AddedPhotos:
    """Add these files. Raises InvalidForm if none can be added because of the form itself."""
    if "\x00" in caption:
        raise InvalidInput("", GeneralReason.UNSTORABLE_CHARACTER)
    checked_caption(caption)
    if not files:
        raise InvalidForm({"photos": PhotoReason.NONE_CHOSEN})
    if len(files) > MAX_AT_ONCE:
        raise InvalidForm({"photos": PhotoReason.TOO_MANY_AT_ONCE(most=MAX_AT_ONCE)})
    added = AddedPhotos()
    for file in files:
        name = (file.filename or "")[:_LONGEST_NAME]
        try:
            await add_photo(request, user_id, slug, await read_upload(file), caption)
            added.number += 1
        except InvalidForm as wrong:
            problem = " ".join(explain(why) for why in wrong.problems.values())
            added.problems.append(gettext("%(file)s: %(problem)s", file=name, problem=problem))
            added.status = HTTPStatus.BAD_REQUEST
        except TooLarge as refused:
            added.problems.append(gettext("%(file)s: %(problem)s", file=name, problem=explain(refused.why)))
            added.status = kind_of(refused).http_status
        except (TooMany, Refused, Unavailable) as refused:
            # The same would happen to the other files.
            added.problems.append(explain(refused.why))
            added.status = kind_of(refused).http_status
            break
    return added


async def _photos_page(
    request: Request, form_state: FormState, *, status: int = 200, added: AddedPhotos | None = None
) -> Response:
    viewer = caller_of(request).user_id
    requested = page_of(str(DEFAULT_LIMIT), request.query_params.get("cursor", ""))
    async with database_of(request).reader() as reader:
        event, access = await event_with_photos(reader, event_slug_of(request), viewer)
        read = await queries.shown(reader, event.id, viewer, access, requested)
        photos, cursor = requested.cut(read, lambda one: (one.created_at, one.key))
        names = await shown_names(reader, [one.user_id for one in photos])
    path = _path_of(event)
    context = {
        "event": event,
        "subject": subject_of_event(event, reader.now),
        "photos": [_view(event, one, names[one.user_id]) for one in photos],
        "more": f"{path}?{urlencode({'cursor': cursor})}" if cursor else "",
        "may_add": access.sees_all and not event.is_cancelled,
        "sees_all": access.sees_all,
        "typed": form_state,
        "labels": _LABELS,
        "added": added,
        "most": MAX_AT_ONCE,
        "longest": MAX_CAPTION,
        "is_first_page": requested.after is None,
    }
    return page(request, "photos/photos.html", context, status=status)


async def show_one(request: Request) -> Response:
    return await _photo_page(request, EMPTY)


async def _photo_page(request: Request, form_state: FormState, *, status: int = 200) -> Response:
    viewer = caller_of(request).user_id
    async with database_of(request).reader() as reader:
        photo, event, access = await _photo_of_path(reader, request, viewer)
        names = await shown_names(reader, [photo.user_id])
        newer, older = await queries.neighbours(reader, photo, viewer, access)
        portraits = await portraits_of(reader, viewer, [photo.user_id])
        decision = await status_of(reader, photo.key)
    is_own = photo.user_id == viewer
    path = _path_of(event)
    context = {
        "event": event,
        "subject": subject_of_event(event, services(request).clock.now()).page("photos", gettext("Photos")),
        "photo": _view(event, photo, names[photo.user_id]),
        "caption": photo.caption,
        "name": names[photo.user_id],
        "face": avatar_of(photo.user_id, names[photo.user_id], portraits),
        "added_at": photo.created_at,
        "now": services(request).clock.now(),
        "newer": f"{path}/{newer}" if newer else "",
        "older": f"{path}/{older}" if older else "",
        "is_own": is_own,
        "is_host": access is PhotoAccess.HOST,
        "may_describe": is_own and access.sees_all,
        "may_remove": is_own or access is PhotoAccess.HOST,
        "is_hidden": decision is not None and decision.state is SubjectVisibility.HIDDEN,
        "hidden_because": decision.reason if decision is not None else "",
        "typed": form_state if form_state.problems else FormState({"caption": photo.caption}),
        "labels": _LABELS,
        "longest": MAX_CAPTION,
    }
    return page(request, "photos/photo.html", context, status=status)


async def describe(request: Request) -> Response:
    caller = caller_of(request)
    form = await read_form(request)
    try:
        async with database_of(request).transaction() as tx:
            await _photo_of_path(tx, request, caller.user_id)
            await actions.describe(tx, caller.user_id, _key(request), form.get("caption", ""))
    except InvalidForm as wrong:
        return await _photo_page(request, form_with_problems(form, wrong), status=400)
    return go(request.url.path, flash="caption_saved")


async def remove(request: Request) -> Response:
    caller = caller_of(request)
    async with database_of(request).transaction() as tx:
        await _photo_of_path(tx, request, caller.user_id)
        event, access = await actions.remove(tx, caller.user_id, _key(request))
        # Somebody who only sees their own photos has no page of photos without one.
        has_page = access.sees_all or await queries.has_own(tx, event.id, caller.user_id)
    return go(_path_of(event) if has_page else "/", flash="photo_removed")


async def show_file(request: Request) -> Response:
    """One size of a photo, for people who may see it now. Raises NotFound."""
    key = _key(request)
    async with database_of(request).reader() as reader:
        photo, _, _ = await visible_photo(reader, key, await person_of_cookie(request, reader))
    return await photo_response(request, photo)


async def _photo_of_path(reader: Reader, request: Request, viewer: UserId) -> tuple[EventPhoto, Event, PhotoAccess]:
    """The photo of this event that the path names. Raises NotFound."""
    photo, event, access = await visible_photo(reader, _key(request), viewer)
    if event.slug != event_slug_of(request):
        raise NotFound(PhotoReason.NO_SUCH_PHOTO)
    return photo, event, access


def _view(event: Event, photo: EventPhoto, name: str) -> PhotoView:
    return PhotoView(
        f"{_path_of(event)}/{photo.key}",
        f"{PATH}/{photo.key}",
        photo.caption or gettext("Photo by %(name)s", name=name),
        photo.width,
        photo.height,
    )


def _path_of(event: Event) -> str:
    return f"{event_path(event.slug)}/photos"


def _key(request: Request) -> str:
    return str(request.path_params["key"])


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
