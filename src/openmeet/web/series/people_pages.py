"""People of a series, on pages and as JSON: followers, standing RSVPs, transfer of ownership. Also the list of the user's
own series.
"""

import re
from collections.abc import Mapping
from urllib.parse import quote, unquote

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from groundwork.database.transaction import Reader
from groundwork.errors import InvalidForm, InvalidInput, NotFound, Refused
from groundwork.http.forms import EMPTY, FormState, form_with_problems, read_form
from groundwork.http.json_bodies import json_response, read_json
from openmeet.domain.attendance import reevaluation
from openmeet.domain.attendance.model import ChangeChannel
from openmeet.domain.covers.model import tone_for
from openmeet.domain.events import time_and_place
from openmeet.domain.events.model import Event
from openmeet.domain.media.pictures import Size
from openmeet.domain.page_paths import series_path
from openmeet.domain.paging import packed, unpacked
from openmeet.domain.series import (
    actions,
    agenda,
    date_queries,
    detection_queries,
    follower_queries,
    ownership,
    queries,
    standing_rsvps,
    visibility,
)
from openmeet.domain.series.model import Series, SeriesId
from openmeet.domain.series.reasons import SeriesReason
from openmeet.domain.users.model import UserId, unnamed
from openmeet.domain.users.queries import names as names_of
from openmeet.domain.validation import GeneralReason
from openmeet.i18n.formatting import iso
from openmeet.recurrence.describe import describe
from openmeet.web.api.operations import ApiOperation, Parameter
from openmeet.web.api.pagination import CURSOR, LIMIT, limit_of, paging
from openmeet.web.media.drawings import thumbnail
from openmeet.web.media.subject import subject_of_series
from openmeet.web.series.api import series_response
from openmeet.web.series.schemas import (
    DeclinedDates,
    FollowerList,
    FollowerOutput,
    HeirList,
    HeirOutput,
    NewTimesConfirmed,
    OfferedList,
    OfferedSeries,
    OfferInput,
    OfferOutput,
    SeriesOutput,
)
from openmeet.web.site.caller import caller_of
from openmeet.web.site.faces import avatar_of, portraits_of
from openmeet.web.site.layout import go, page
from openmeet.web.site.slugs import series_slug_of
from openmeet.web.site.tenant_routing import database_of

PER_PAGE = 100
DEFAULT_LIMIT = 50
MAX_LIMIT = 200

# Cursor of a list ordered by name: the URL-encoded name and the id.
_NAME_CURSOR = re.compile(r"([!-~]{0,4000}) ([!-~]{1,100})")

_CURSOR = Parameter("cursor", "The nextCursor of the previous page")
_LIMIT = Parameter("limit", f"People per page, 1 to {MAX_LIMIT}", shape=int)
_WITHDRAW = Parameter("withdraw", "true: also withdraw from every upcoming date", shape=bool)


def routes() -> list[Route]:
    return [
        Route("/my/series", show_mine, methods=["GET"]),
        Route("/series/{slug}/followers", show_followers, methods=["GET"]),
        Route("/series/{slug}/hand-over", show_offer, methods=["GET"]),
        Route("/series/{slug}/hand-over", offer, methods=["POST"]),
        Route("/series/{slug}/hand-over/answer", answer_offer, methods=["POST"]),
    ]


async def show_mine(request: Request) -> Response:
    caller = caller_of(request)
    async with database_of(request).reader() as reader:
        hosted = await queries.of_owner(reader, caller.user_id)
        followed = await queries.followed_by(reader, caller.user_id)
        gone_to = await queries.with_standing_rsvp_of(reader, caller.user_id)
        answered = await visibility.seen(reader, gone_to, caller.user_id)
        own_dates = await date_queries.of_series(reader, [one.id for one in answered], caller.user_id)
        seen = await visibility.seen(reader, followed, caller.user_id)
        offers = await ownership.offered_to(reader, caller.user_id)
        offered = [one for _, one in await ownership.open_to(reader, caller.user_id, offers)]
        are_open = [one.is_open for one in await detection_queries.of_person(reader, caller.user_id)]
        next_dates = await date_queries.next_of_each(reader, [one.id for one in (*hosted, *answered, *seen, *offered)])
    context = {
        "found": sum(are_open),
        "decided": len(are_open) - sum(are_open),
        "hosted": [_series_row(one, next_dates) for one in hosted],
        "answered": [_series_row(one, next_dates) | {"mine": own_dates[one.id]} for one in answered],
        "followed": [_series_row(one, next_dates) for one in seen if one.owner_id != caller.user_id],
        "offered": [
            _series_row(one, next_dates) | {"path": f"{series_path(one.slug)}/hand-over", "asks": True}
            for one in offered
        ],
    }
    return page(request, "series/mine.html", context)


async def show_followers(request: Request) -> Response:
    caller = caller_of(request)
    after = UserId(request.query_params.get("after", ""))
    async with database_of(request).reader() as reader:
        series = await agenda.find_for_host(reader, series_slug_of(request), caller.user_id)
        followers = await follower_queries.named_followers(reader, series.id, after=after, limit=PER_PAGE + 1)
        count = await follower_queries.count_followers(reader, series.id)
        shown = followers[:PER_PAGE]
        portraits = await portraits_of(reader, caller.user_id, [one.user_id for one, _ in shown])
    context = {
        "series": series,
        "subject": subject_of_series(series),
        "count": count,
        "followers": [
            (avatar_of(one.user_id, name or unnamed(), portraits), name or unnamed(), one.notifications_enabled)
            for one, name in shown
        ],
        "more": f"{series_path(series.slug)}/followers?after={quote(shown[-1][0].user_id)}"
        if len(followers) > PER_PAGE
        else "",
    }
    return page(request, "series/followers.html", context)


async def show_offer(request: Request) -> Response:
    """The page of an ownership offer. The host sees possible new owners. The recipient sees the offer and can accept or
    decline it.
    """
    async with database_of(request).reader() as reader:
        return await _offer_page(request, reader, EMPTY)


async def offer(request: Request) -> Response:
    caller = caller_of(request)
    form = await read_form(request)
    async with database_of(request).transaction() as tx:
        series = await actions.lock_managed(tx, caller, series_slug_of(request))
        if form.get("wish") == "take_back":
            await ownership.withdraw_offer(tx, caller, series)
            return go(series_path(series.slug), flash="offer_dropped")
        try:
            if not form.get("to"):
                raise InvalidForm({"to": SeriesReason.PERSON_NEEDED})  # noqa: TRY301  # said beside the field, as the refusal
            await ownership.offer(tx, caller, series, UserId(form["to"]))
        except (InvalidForm, Refused) as wrong:
            problem = wrong if isinstance(wrong, InvalidForm) else InvalidForm({"to": wrong.why})
            return await _offer_page(request, tx, form_with_problems(form, problem), status=400)
    return go(series_path(series.slug), flash="series_offered")


async def answer_offer(request: Request) -> Response:
    caller = caller_of(request)
    decision = (await read_form(request)).get("wish", "")
    if decision not in {"yes", "no"}:
        raise InvalidInput("wish", GeneralReason.CHOOSE_ONE, choices="yes, no")
    async with database_of(request).transaction() as tx:
        await agenda.visible(tx, series_slug_of(request), caller.user_id)
        series = await queries.lock_by_slug(tx, series_slug_of(request))
        if series is None:
            raise NotFound(SeriesReason.NO_SUCH_SERIES)
        if decision == "yes":
            await ownership.accept(tx, caller, series)
        elif not await ownership.withdraw_offer(tx, caller, series):
            raise NotFound(SeriesReason.NO_SUCH_OFFER)
    return go(series_path(series.slug), flash="series_taken_over" if decision == "yes" else "offer_dropped")


async def _offer_page(request: Request, reader: Reader, form_state: FormState, *, status: int = 200) -> Response:
    caller = caller_of(request)
    series = await agenda.visible(reader, series_slug_of(request), caller.user_id)
    offer = await ownership.offered(reader, series.id)
    if offer is not None and offer.to_id == caller.user_id:
        name = (await names_of(reader, [series.owner_id])).get(series.owner_id) or unnamed()
        context: dict[str, object] = {
            "series": series,
            "address": series_path(series.slug),
            "host": name,
            "blocked": await reevaluation.count_blocked_people(reader, series.id, caller.user_id),
        }
        return page(request, "series/take_over.html", context)
    await agenda.require_host(reader, series, caller.user_id)
    to = "" if offer is None else (await names_of(reader, [offer.to_id])).get(offer.to_id) or unnamed()
    context = {
        "series": series,
        "address": series_path(series.slug),
        "people": await ownership.candidates(reader, series),
        "offered_to": to,
        "typed": form_state,
        "unnamed": unnamed(),
    }
    return page(request, "series/hand_over.html", context, status=status)


def _series_row(series: Series, next_dates: Mapping[SeriesId, Event]) -> dict[str, object]:
    next_date = next_dates.get(series.id)
    return {
        "picture": thumbnail(series.content, Size.SQUARE),
        "tone": tone_for(series.content),
        "next": "" if next_date is None else time_and_place.short_start_label(next_date),
        "path": series_path(series.slug),
        "title": series.content.title,
        "sentence": describe(series.timing.pattern),
        "status": series.status.value,
        "mine": None,
        "asks": False,
    }


async def list_followers(request: Request) -> Response:
    caller = caller_of(request)
    limit = limit_of(request, DEFAULT_LIMIT, MAX_LIMIT)
    async with database_of(request).reader() as reader:
        series = await agenda.find_for_host(reader, series_slug_of(request), caller.user_id)
        after = UserId(request.query_params.get("cursor", ""))
        followers = await follower_queries.named_followers(reader, series.id, after=after, limit=limit + 1)
        count = await follower_queries.count_followers(reader, series.id)
    shown = [
        FollowerOutput(one.user_id, name or unnamed(), one.notifications_enabled) for one, name in followers[:limit]
    ]
    return json_response(FollowerList(shown, count, shown[-1].user_id if len(followers) > limit else None))


async def stop_going(request: Request) -> Response:
    caller = caller_of(request)
    withdraw = request.query_params.get("withdraw", "false")
    if withdraw not in {"true", "false"}:
        raise InvalidInput("withdraw", GeneralReason.TRUE_OR_FALSE_NEEDED)
    async with database_of(request).transaction() as tx:
        count = await standing_rsvps.stop(tx, caller, series_slug_of(request), declines=withdraw == "true")
    return json_response(DeclinedDates(count))


async def confirm_new_times(request: Request) -> Response:
    caller = caller_of(request)
    async with database_of(request).transaction() as tx:
        count = await standing_rsvps.confirm_new_times(tx, caller, series_slug_of(request), through=ChangeChannel.API)
    return json_response(NewTimesConfirmed(count))


async def list_heirs(request: Request) -> Response:
    caller, limit = caller_of(request), limit_of(request, DEFAULT_LIMIT, MAX_LIMIT)
    after = None
    if cursor := request.query_params.get("cursor", ""):
        position = unpacked(_NAME_CURSOR, cursor)
        # Text in PostgreSQL cannot contain NUL.
        after = (unquote(position[1]).replace("\x00", ""), position[2])
    async with database_of(request).reader() as reader:
        series = await agenda.find_for_host(reader, series_slug_of(request), caller.user_id)
        candidates = await ownership.candidates(reader, series, after=after, limit=limit + 1)
    people = [HeirOutput(user_id, name or unnamed()) for user_id, name in candidates[:limit]]
    user_id, name = candidates[limit - 1] if len(candidates) > limit else ("", "")
    return json_response(HeirList(people, packed(f"{quote(name)} {user_id}") if user_id else None))


async def offer_series(request: Request) -> Response:
    caller = caller_of(request)
    body = await read_json(request, OfferInput)
    async with database_of(request).transaction() as tx:
        series = await actions.lock_managed(tx, caller, series_slug_of(request))
        ownership_offer = await ownership.offer(tx, caller, series, UserId(body.user_id))
    return json_response(OfferOutput(ownership_offer.to_id, iso(ownership_offer.created_at)))


async def list_offered(request: Request) -> Response:
    caller, page = caller_of(request), paging(request)
    async with database_of(request).reader() as reader:
        read = await ownership.offered_to(reader, caller.user_id, page)
        open_offers, cursor = page.cut(read, lambda one: (one.created_at, one.series_id))
        offers = await ownership.open_to(reader, caller.user_id, open_offers)
        names = await names_of(reader, [one.from_id for one, _ in offers])
    shown = [
        OfferedSeries(
            series.slug, series.content.title, one.from_id, names.get(one.from_id) or unnamed(), iso(one.created_at)
        )
        for one, series in offers
    ]
    return json_response(OfferedList(shown, cursor))


async def drop_offer(request: Request) -> Response:
    caller = caller_of(request)
    async with database_of(request).transaction() as tx:
        await agenda.visible(tx, series_slug_of(request), caller.user_id)
        series = await queries.lock_by_slug(tx, series_slug_of(request))
        if series is None or not await ownership.withdraw_offer(tx, caller, series):
            raise NotFound(SeriesReason.NO_SUCH_OFFER)
    return Response(status_code=204)


async def accept(request: Request) -> Response:
    caller = caller_of(request)
    async with database_of(request).transaction() as tx:
        await agenda.visible(tx, series_slug_of(request), caller.user_id)
        series = await queries.lock_by_slug(tx, series_slug_of(request))
        if series is None:
            raise NotFound(SeriesReason.NO_SUCH_SERIES)
        return await series_response(request, tx, await ownership.accept(tx, caller, series))


OPERATIONS = (
    ApiOperation(
        "GET",
        "/api/series/{slug}/followers",
        "listSeriesFollowers",
        "The followers of a series, for its host",
        list_followers,
        {200: FollowerList},
        parameters=(_CURSOR, _LIMIT),
        failures=(403, 404, 422),
    ),
    ApiOperation(
        "DELETE",
        "/api/series/{slug}/answer",
        "stopGoingToSeries",
        "End the standing RSVP for new dates. With withdraw, also withdraw from the existing ones",
        stop_going,
        {200: DeclinedDates},
        parameters=(_WITHDRAW,),
        failures=(404,),
    ),
    ApiOperation(
        "POST",
        "/api/series/{slug}/answer/new-times",
        "confirmNewTimesOfSeries",
        "Confirm the new times of all dates that were moved since you answered",
        confirm_new_times,
        {200: NewTimesConfirmed},
        failures=(404,),
    ),
    ApiOperation(
        "GET",
        "/api/series/{slug}/heirs",
        "listSeriesHeirs",
        "People to whom the host can offer the series",
        list_heirs,
        {200: HeirList},
        parameters=(CURSOR, _LIMIT),
        failures=(403, 404, 422),
    ),
    ApiOperation(
        "GET",
        "/api/my/series-offers",
        "listMySeriesOffers",
        "Series whose ownership is offered to you",
        list_offered,
        {200: OfferedList},
        parameters=(CURSOR, LIMIT),
    ),
    ApiOperation(
        "PUT",
        "/api/series/{slug}/offer",
        "offerSeries",
        "Offer the series to another host",
        offer_series,
        {200: OfferOutput},
        OfferInput,
        failures=(403, 404, 422),
    ),
    ApiOperation(
        "DELETE",
        "/api/series/{slug}/offer",
        "dropSeriesOffer",
        "Withdraw or decline the offer",
        drop_offer,
        {204: None},
        failures=(404,),
    ),
    ApiOperation(
        "POST",
        "/api/series/{slug}/accept",
        "acceptSeries",
        "Accept the ownership of a series",
        accept,
        {200: SeriesOutput},
        failures=(404, 422),
    ),
)
