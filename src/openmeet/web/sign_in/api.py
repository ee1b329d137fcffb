"""Sessions for programs: a bearer token in exchange for an e-mail code or the password of the user's PDS account."""

from typing import Final

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from groundwork.clock import DAY, MINUTE, SECOND
from groundwork.errors import InvalidInput, NotFound, Refused, TooMany
from groundwork.http.json_bodies import json_response, read_json
from openmeet.domain.identities.model import SealedSession
from openmeet.domain.sign_in import actions, model
from openmeet.domain.sign_in.model import (
    CODE_LENGTH,
    CODE_LIFE,
    ChallengeId,
    SessionStrength,
    SessionTransport,
    SignInReason,
)
from openmeet.domain.users.actions import check_name
from openmeet.domain.users.queries import by_id
from openmeet.domain.validation import GeneralReason
from openmeet.i18n.formatting import iso
from openmeet.network.repositories import sessions
from openmeet.web.api.operations import ApiOperation, Parameter
from openmeet.web.sign_in import limits, sign_out
from openmeet.web.sign_in.atproto import sign_in_by_password
from openmeet.web.site import session as site_session
from openmeet.web.site.caller import caller_of
from openmeet.web.site.rate_limits import spend_on
from openmeet.web.site.services import services
from openmeet.web.site.tenant_routing import database_of

_ENDED_SESSIONS: Final = "openmeet.ended_sessions"
_REVOKE = Parameter(
    "revoke",
    "true: also end this site’s sessions at the servers of your accounts. Nothing is published until you "
    "sign in there again",
    shape=bool,
)


class CodeInput(msgspec.Struct, rename="camel", forbid_unknown_fields=True):
    """The address to which a code is sent. ``displayName`` is used if the address is new to this site."""

    email: str
    display_name: str = ""


class CodeSent(msgspec.Struct, rename="camel"):
    """A code was sent. ``challengeId`` must be sent back with the code, before ``expiresAt``."""

    challenge_id: str
    expires_at: str


class SessionInput(msgspec.Struct, rename="camel", forbid_unknown_fields=True):
    """Either ``challengeId`` and ``code``, or ``handle`` and ``password``."""

    challenge_id: str = ""
    code: str = ""
    handle: str = ""
    password: str = ""


class SessionPerson(msgspec.Struct, rename="camel"):
    """The user of the session."""

    id: str
    display_name: str


class SessionOpened(msgspec.Struct, rename="camel"):
    """A new session. Send ``token`` in ``Authorization: Bearer …``. It is shown only in this response."""

    token: str
    expires_at: str
    person: SessionPerson


async def send_code(request: Request) -> Response:
    body = await read_json(request, CodeInput)
    email = model.check_email(body.email)
    name = check_name(body.display_name) if body.display_name else ""
    await spend_on(request, limits.CODES)
    async with database_of(request).transaction() as tx:
        challenge = await actions.ask_for_code(tx, email, display_name=name)
    return json_response(CodeSent(challenge.id, iso(challenge.expires_at)), 202)


async def open_session(request: Request) -> Response:
    body = await read_json(request, SessionInput)
    db = database_of(request)
    if body.challenge_id and not body.handle:
        await spend_on(request, limits.CODE_TRIES)
        async with db.transaction() as tx:
            answered = await actions.answer_code(
                tx, services(request).code_key, ChallengeId(body.challenge_id), body.code, SessionTransport.API
            )
        if answered.is_used_up:
            raise TooMany(SignInReason.CODES_USED_UP, after_seconds=DAY / SECOND)
        if answered.session is None:
            raise actions.wrong_code(answered)
        session = answered.session
    elif body.handle and body.password:
        if services(request).network is None:
            raise Refused(SignInReason.NO_PASSWORD_SIGN_IN, name="NoPasswordSignIn")
        sign_in = await sign_in_by_password(request, body.handle.strip().removeprefix("@"), body.password)
        async with db.transaction() as tx:
            session = await actions.open_session(
                tx,
                sign_in.user_id,
                SessionTransport.API,
                strength=SessionStrength.APP_PASSWORD if sign_in.may_be_app_password else SessionStrength.FULL,
            )
    else:
        raise InvalidInput("", SignInReason.CODE_OR_PASSWORD_NEEDED)
    async with db.reader() as reader:
        user = await by_id(reader, session.user_id)
    if user is None:
        raise NotFound(GeneralReason.NO_SUCH_PERSON)
    person = SessionPerson(user.id, user.display_name)
    return json_response(SessionOpened(session.token, iso(session.expires_at), person), 201)


async def show_session(request: Request) -> Response:
    caller = caller_of(request)
    return json_response(SessionPerson(caller.user_id, caller.display_name))


async def close_session(request: Request) -> Response:
    caller, revoke = caller_of(request), request.query_params.get("revoke", "false")
    if revoke not in {"true", "false"}:
        raise InvalidInput("revoke", GeneralReason.TRUE_OR_FALSE_NEEDED)
    async with database_of(request).transaction() as tx:
        await actions.close_session(tx, site_session.bearer_of(request))
        if revoke == "true":
            request.scope[_ENDED_SESSIONS] = await sessions.delete_all(tx, caller.user_id)
    return Response(status_code=204)


async def _tell_servers(request: Request, response: Response) -> Response:
    """Notify the servers after the commit. A stored response that is replayed for a repeated request sends no
    notifications.
    """
    await sign_out.revoke_at_servers(request, caller_of(request).user_id, _ended_sessions(request))
    return response


def _ended_sessions(request: Request) -> list[SealedSession]:
    """The sessions at AT Protocol servers that this request ended."""
    ended: list[SealedSession] = request.scope.get(_ENDED_SESSIONS, [])
    return ended


OPERATIONS = (
    ApiOperation(
        "POST",
        "/api/session/code",
        "sendCode",
        f"Send a code of {CODE_LENGTH} letters and digits to an e-mail address. It works once, for "
        f"{CODE_LIFE // MINUTE} minutes",
        send_code,
        {202: CodeSent},
        CodeInput,
        needs_session=False,
        failures=(429,),
    ),
    ApiOperation(
        "POST",
        "/api/session",
        "openSession",
        "Open a session with a code, or with a handle and the password of its PDS account",
        open_session,
        {201: SessionOpened},
        SessionInput,
        needs_session=False,
        failures=(401, 404, 422, 429, 502, 504),
    ),
    ApiOperation(
        "GET", "/api/session", "showSession", "The account of this session", show_session, {200: SessionPerson}
    ),
    ApiOperation(
        "DELETE",
        "/api/session",
        "closeSession",
        "Close the session. Pending records are still sent to your account servers, unless revoke is true",
        close_session,
        {204: None},
        parameters=(_REVOKE,),
        afterwards=_tell_servers,
    ),
)
