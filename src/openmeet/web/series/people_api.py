"""People of a series, as JSON: followers, standing RSVPs, transfer of ownership."""

import re
from urllib.parse import quote, unquote

from starlette.requests import Request
from starlette.responses import Response

from groundwork.errors import InvalidInput, NotFound
from groundwork.http.json_bodies import json_response, read_json
from openmeet.domain.attendance.model import ChangeChannel
from openmeet.domain.paging import packed, unpacked
from openmeet.domain.series import actions, agenda, follower_queries, ownership, queries, standing_rsvps
from openmeet.domain.series.reasons import SeriesReason
from openmeet.domain.users.model import UserId, unnamed
from openmeet.domain.users.queries import names as names_of
from openmeet.domain.validation import GeneralReason
from openmeet.i18n.formatting import iso
from openmeet.web.api.operations import ApiOperation, Parameter
from openmeet.web.api.pagination import CURSOR, LIMIT, limit_of, paging
from openmeet.web.series.api import series_response
from openmeet.web.series.schemas import (
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
    Withdrawn,
)
from openmeet.web.site.caller import caller_of
from openmeet.web.site.slugs import series_slug_of
from openmeet.web.site.tenant_routing import database_of

DEFAULT_LIMIT = 50
MAX_LIMIT = 200

# Cursor of a list ordered by name: the URL-encoded name and the id.
_NAME_CURSOR = re.compile(r"([!-~]{0,4000}) ([!-~]{1,100})")

_CURSOR = Parameter("cursor", "The nextCursor of the previous page")
_LIMIT = Parameter("limit", f"People per page, 1 to {MAX_LIMIT}", shape=int)
_WITHDRAW = Parameter("withdraw", "true: also withdraw from every upcoming date", shape=bool)


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
        count = await standing_rsvps.stop(tx, caller, series_slug_of(request), withdraws=withdraw == "true")
    return json_response(Withdrawn(count))


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


async def offer(request: Request) -> Response:
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
        "End the standing RSVP for new dates; with withdraw, also withdraw from the existing ones",
        stop_going,
        {200: Withdrawn},
        parameters=(_WITHDRAW,),
        failures=(404,),
    ),
    ApiOperation(
        "POST",
        "/api/series/{slug}/answer/new-times",
        "confirmNewTimesOfSeries",
        "Confirm the new times of all dates that were moved since the caller answered",
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
        "Series whose ownership is offered to the caller",
        list_offered,
        {200: OfferedList},
        parameters=(CURSOR, LIMIT),
    ),
    ApiOperation(
        "PUT",
        "/api/series/{slug}/offer",
        "offerSeries",
        "Offer the series to another host",
        offer,
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
