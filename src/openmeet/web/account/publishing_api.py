"""Publishing preferences, as JSON."""

from typing import Literal

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from groundwork.http.json_bodies import json_response, read_json
from openmeet.domain.identities import publication_consent
from openmeet.domain.identities.publication_consent import DeclinedAs, PublicationConsent, WaitingAs
from openmeet.web.api.etags import IF_MATCH, etag_of, expected_revision
from openmeet.web.api.operations import ApiOperation
from openmeet.web.site.caller import caller_of
from openmeet.web.site.tenant_routing import database_of

PATH = "/api/me/publishing"


class RecordPreferences(msgspec.Struct, rename="camel", forbid_unknown_fields=True):
    """Publishing preferences. Fields left out get their default value. ``declinedAs`` says how a declined RSVP is
    recorded. ``waitingAs`` does the same for an RSVP on the waitlist.

    If ``letsCoHostsPublish`` is true, edits that co-hosts make to an event are written to the caller's record too.
    """

    writes_events: bool = True
    writes_answers: bool = True
    declined_as: Literal["notgoing", "nothing"] = "notgoing"
    waiting_as: Literal["nothing", "interested"] = "nothing"
    lets_co_hosts_publish: bool = False


async def show(request: Request) -> Response:
    async with database_of(request).reader() as reader:
        return _settings_response(await publication_consent.of_user(reader, caller_of(request).user_id))


async def save(request: Request) -> Response:
    body = await read_json(request, RecordPreferences)
    async with database_of(request).transaction() as tx:
        saved = await publication_consent.change(
            tx,
            caller_of(request).user_id,
            PublicationConsent(
                body.writes_events,
                body.writes_answers,
                DeclinedAs(body.declined_as),
                WaitingAs(body.waiting_as),
                body.lets_co_hosts_publish,
            ),
            expected_revision=expected_revision(request),
        )
    return _settings_response(saved)


def _settings_response(consent: PublicationConsent) -> Response:
    shown = RecordPreferences(
        consent.writes_events,
        consent.writes_answers,
        consent.declined_as.value,
        consent.waiting_as.value,
        consent.lets_co_hosts_publish,
    )
    return json_response(shown, headers=etag_of(consent.revision))


OPERATIONS = (
    ApiOperation(
        "GET",
        PATH,
        "showRecordPreferences",
        "The caller’s settings for their records",
        show,
        {200: RecordPreferences},
    ),
    ApiOperation(
        "PUT",
        PATH,
        "saveRecordPreferences",
        "Replace the caller’s settings for their records",
        save,
        {200: RecordPreferences},
        RecordPreferences,
        (IF_MATCH,),
        failures=(412,),
    ),
)
