"""Errors of the JSON API (RFC 9457), as the OpenAPI document describes them, the values in them, and their codes."""

import msgspec

from groundwork.errors import Reason


class ApiReason(Reason):
    """Why the JSON API refuses a request before its operation runs. The messages are in ``i18n/reasons/site.py``."""

    NOT_FOR_SERVICES = "api.not_for_services"
    SESSION_NEEDED = "api.session_needed"
    INSUFFICIENT_SCOPE = "api.insufficient_scope"
    SERVICES_ONLY = "api.services_only"
    CREDENTIAL_LACKS_SCOPE = "api.credential_lacks_scope"
    NO_VERSION_IN_FORM = "api.no_version_in_form"
    UNKNOWN_VERSION = "api.unknown_version"
    NOTHING_TO_MATCH = "api.nothing_to_match"
    CHANGED_SINCE_READ = "api.changed_since_read"
    MALFORMED_KEY = "api.malformed_key"
    IN_PROGRESS = "api.in_progress"
    KEY_REUSED = "api.key_reused"
    ANSWER_NOT_KEPT = "api.answer_not_kept"
    UNKNOWN_PARAMETER = "api.unknown_parameter"
    TAKES_NO_PARAMETERS = "api.takes_no_parameters"
    UNKNOWN_TOKEN = "api.unknown_token"  # noqa: S105 - a code, not a password
    UNKNOWN_CREDENTIAL = "api.unknown_credential"


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
