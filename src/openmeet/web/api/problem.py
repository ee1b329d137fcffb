"""Errors of the JSON API (RFC 9457), as the OpenAPI document describes them, and the values in them."""

import msgspec


class PlaceOutput(msgspec.Struct, rename="camel"):
    """A town, a district or a postal code. ``label`` is its name, extended so that it differs from places with the same
    name. ``country`` is a country code, ``timeZone`` an IANA name.
    """

    place_id: int
    name: str
    label: str
    region: str
    country: str
    country_name: str
    latitude: str
    longitude: str
    time_zone: str


class ProblemBody(msgspec.Struct, rename="camel"):
    """An error (RFC 9457). ``title`` names the kind of failure, ``fields`` maps invalid fields to messages.
    ``choices``: the places that the name in ``near`` can mean, most likely first. Repeat the request with the
    ``placeId`` of one of them: ``near=geonames:2950159``.
    """

    type: str
    title: str
    status: int
    detail: str
    request_id: str
    fields: dict[str, str] | msgspec.UnsetType = msgspec.UNSET
    choices: list[PlaceOutput] | msgspec.UnsetType = msgspec.UNSET
