"""The slug in the path of a request: the last part of the address of an event, a series or a group."""

from starlette.requests import Request

from openmeet.domain.events.model import EventSlug
from openmeet.domain.groups.model import GroupSlug
from openmeet.domain.series.model import SeriesSlug


def event_slug_of(request: Request) -> EventSlug:
    return EventSlug(request.path_params["slug"])


def series_slug_of(request: Request) -> SeriesSlug:
    return SeriesSlug(request.path_params["slug"])


def group_slug_of(request: Request) -> GroupSlug:
    return GroupSlug(request.path_params["slug"])
