"""Proofs of attendance: the page on which a person makes and withdraws one, the list of theirs, the page that its address
leads to, the signed file, and the keys that verify it.
"""

from urllib.parse import quote, urlencode

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from groundwork.clock import SECOND, Instant
from groundwork.errors import Failure, Gone, InvalidInput, NotFound, Refused
from groundwork.http.forms import FormState, local_path, read_form
from groundwork.rate_limit.contract import Limit
from groundwork.uuid7 import new_id
from openmeet.domain.attendance import proof_keys, proofs
from openmeet.domain.attendance.proofs import ProofContent, ProofOptions, ShownAs
from openmeet.domain.covers.model import tone_for
from openmeet.domain.events.model import Event, EventSlug
from openmeet.domain.events.time_and_place import removal_day
from openmeet.domain.events.values import Visibility
from openmeet.domain.identities.model import Identity
from openmeet.domain.media.pictures import Size
from openmeet.domain.page_paths import event_path
from openmeet.domain.paging import DEFAULT_LIMIT, page_of
from openmeet.domain.users.model import UserId
from openmeet.domain.validation import GeneralReason
from openmeet.i18n import formatting
from openmeet.i18n.catalogue import gettext
from openmeet.recurrence import wall_time
from openmeet.web.media.drawings import thumbnail
from openmeet.web.media.subject import subject_of_event
from openmeet.web.site.caller import caller_of
from openmeet.web.site.errors import error_picture
from openmeet.web.site.layout import go, page
from openmeet.web.site.rate_limits import spend_on
from openmeet.web.site.reader_zone import zone_of
from openmeet.web.site.services import services
from openmeet.web.site.slugs import event_slug_of
from openmeet.web.site.tenant_routing import database_of
from openmeet.web.site.time_tags import span_tags

KEYS_PATH = "/attendance-proofs/jwks.json"
API_PATH = "/api/attendance-proofs"
LIST_PATH = "/settings/attendance-proofs"
# A proof for each event of a festival, and a few corrections.
PROOFS_PER_DAY = Limit("attendance_proofs", 60, 86_400)

# The address is a secret, so caches must not store it, search engines must not index it, and links must not reveal it.
HEADERS = {"cache-control": "no-store", "x-robots-tag": "noindex, nofollow", "referrer-policy": "no-referrer"}
_KEY_HEADERS = {"cache-control": "public, max-age=300", "access-control-allow-origin": "*"}


def routes() -> list[Route]:
    return [
        Route("/events/{slug}/attendance-proof", show_own, methods=["GET"]),
        Route("/events/{slug}/attendance-proof", make, methods=["POST"]),
        Route("/events/{slug}/attendance-proof/withdraw", withdraw, methods=["POST"]),
        Route(LIST_PATH, show_list, methods=["GET"]),
    ]


def open_routes() -> list[Route]:
    """Routes that need no sign-in: the address itself grants access, and the keys are public."""
    return [
        Route(KEYS_PATH, show_keys, methods=["GET"]),
        Route("/attendance-proofs/{token}.jwt", show_file, methods=["GET"]),
        Route("/attendance-proofs/{token}", show, methods=["GET"]),
    ]


async def show_own(request: Request) -> Response:
    """Show attendees their own proof of attendance."""
    return await _own_page(request, {})


async def make(request: Request) -> Response:
    caller, form = caller_of(request), await read_form(request)
    shown_as = parse_shown_as(form.get("shown_as", ""))
    await spend_on_proof(request, caller.user_id)
    replaces = form.get("replaces", "")
    key, slug = services(request).code_key, event_slug_of(request)
    try:
        async with database_of(request).transaction() as tx:
            before = (await proofs.options_of(tx, key, caller, slug)).proof
            proof = await proofs.make(tx, key, caller, slug, shown_as, replaces=replaces)
    except Refused as refused:
        return await _own_page(request, form, refused)
    is_renewed = before is not None and before.id != proof.id
    return go(_own_path(slug), flash="proof_renewed" if is_renewed else "proof_made")


async def withdraw(request: Request) -> Response:
    form = await read_form(request)
    async with database_of(request).transaction() as tx:
        await proofs.withdraw(tx, caller_of(request), event_slug_of(request), form.get("proof", ""))
    return go(local_path(form.get("next", ""), _own_path(event_slug_of(request))), flash="proof_withdrawn")


async def show_list(request: Request) -> Response:
    """The caller's proofs, newest first."""
    asked = page_of(str(DEFAULT_LIMIT), request.query_params.get("cursor", ""))
    async with database_of(request).reader() as reader:
        listed = await proofs.of_person(reader, services(request).code_key, caller_of(request), asked)
        now = reader.now
    shown, cursor = asked.cut(listed, lambda one: (one.proof.made_at, one.proof.id))
    public_url = services(request).settings.public_url
    context = {
        "proofs": [
            {
                "id": one.proof.id,
                "slug": one.event.slug,
                "title": one.event.title if one.is_named else "",
                "path": _own_path(one.event.slug) if one.is_visible else "",
                "when": span_tags(one.event, now) if one.is_named else "",
                "why_not": one.why_not,
                "shown": account_label(one.account) if one.account else one.name,
                "address": proof_url(public_url, one.proof.token),
            }
            for one in shown
        ],
        "list_path": LIST_PATH,
        "more": f"{LIST_PATH}?{urlencode({'cursor': cursor})}" if cursor else "",
    }
    return page(request, "check_in/proofs.html", context, headers={"cache-control": "no-store"})


async def show(request: Request) -> Response:
    """The page for people who have the link. A proof that is no longer valid gets 410."""
    token = request.path_params["token"]
    async with database_of(request).reader() as reader:
        now = reader.now
        try:
            proof_content = await proofs.content_of(reader, token)
        except NotFound as ended:
            return _ended_page(request, ended)
        files_end = await proof_keys.revoked_files_until(reader, proof_content.made_at)
    context = {
        "who": shown_name(proof_content),
        "account": proof_content.account,
        "host": proof_content.host,
        "event": proof_content.event,
        "event_url": public_event_url(proof_content.event, services(request).settings.public_url),
        "when": span_tags(proof_content.event, now),
        "zone": zone_of(proof_content.event),
        "cover": thumbnail(proof_content.event.content, Size.SMALL),
        "tone": tone_for(proof_content.event.content),
        "confirmed_at": formatting.time_tag(now, _moment(proof_content.event, now)),
        "files_end": _moment_or_none(proof_content.event, files_end),
        "file_path": f"/attendance-proofs/{quote(token)}.jwt",
        "keys_url": services(request).settings.public_url + KEYS_PATH,
    }
    return page(request, "check_in/proof.html", context, headers=HEADERS)


async def show_file(request: Request) -> Response:
    """The proof as a signed token (RFC 7519, section 10.3.1)."""
    token = request.path_params["token"]
    async with database_of(request).reader() as reader:
        try:
            proof_content = await proofs.content_of(reader, token)
        except NotFound as ended:
            return _ended_page(request, ended)
        claims = claims_of(proof_content, services(request).settings.public_url, token, reader.now)
        signed = await proof_keys.sign(reader, services(request).code_key, claims)
    headers = HEADERS | {"content-disposition": 'attachment; filename="attendance-proof.jwt"'}
    return Response(signed, media_type="application/jwt", headers=headers)


async def show_keys(request: Request) -> Response:
    """Every key that ever signed a proof, newest first (JWK Set, RFC 7517 section 5). Those that were revoked are not
    among ``keys``, so that nobody verifies anything with them.
    """
    async with database_of(request).reader() as reader:
        keys = await proof_keys.all_keys(reader)
    key_set = {
        "keys": [one.public_key for one in keys if one.revoked_at is None],
        "revoked": [
            {"kid": one.key_id, "revoked_at": one.revoked_at // SECOND} for one in keys if one.revoked_at is not None
        ],
    }
    return JSONResponse(key_set, headers=_KEY_HEADERS, media_type="application/jwk-set+json")


def claims_of(proof_content: ProofContent, public_url: str, token: str, now: Instant) -> dict[str, object]:
    """The claims of the signed token: registered ones where they exist (RFC 7519, OpenID Connect Core section 5.1), and
    the names of schema.org for the event. ``status_url`` answers 200 while the proof is valid, and otherwise 410 or
    404.
    """
    event = proof_content.event
    about = {
        "name": event.title,
        "startDate": formatting.iso_or_none(event.starts_at),
        "endDate": formatting.iso_or_none(event.ends_at),
        "organizer": proof_content.host,
        "url": public_event_url(event, public_url) or None,
    }
    claims = {
        "iss": public_url,
        "sub": proof_content.account.did if proof_content.account else None,
        "iat": now // SECOND,
        "jti": new_id(now),
        "name": proof_content.name or None,
        "preferred_username": (proof_content.account.handle or None) if proof_content.account else None,
        "attendance": "checked_in",
        "event": {name: value for name, value in about.items() if value is not None},
        "status_url": f"{public_url}{API_PATH}/{token}",
    }
    return {name: value for name, value in claims.items() if value is not None}


def public_event_url(event: Event, public_url: str) -> str:
    """The page of the event; empty unless everyone may know of it."""
    return f"{public_url}{event_path(event.slug)}" if event.visibility is Visibility.PUBLIC else ""


def shown_name(proof_content: ProofContent) -> str:
    """The display name, or the handle of the account; the DID if its handle is not verified."""
    return account_label(proof_content.account) if proof_content.account else proof_content.name


def account_label(account: Identity) -> str:
    """The verified handle of an account, such as ``@ben.example``, otherwise its DID."""
    return f"@{account.handle}" if account.handle else account.did


def proof_url(public_url: str, token: str) -> str:
    """The address of a proof; empty if its token cannot be derived any more."""
    return f"{public_url}/attendance-proofs/{token}" if token else ""


def parse_shown_as(text: str) -> ShownAs:
    """Parse the field that says what a proof shows of its person. Raises InvalidInput (``shown_as``)."""
    try:
        return ShownAs(text)
    except ValueError:
        raise InvalidInput("shown_as", GeneralReason.CHOOSE_ONE, choices="name, account") from None


async def spend_on_proof(request: Request, user_id: UserId) -> None:
    """Count a request for a proof. Raises TooMany."""
    await spend_on(request, PROOFS_PER_DAY, user_id)


def _ended_page(request: Request, ended: NotFound) -> Response:
    is_gone = isinstance(ended, Gone)
    status = 410 if is_gone else 404
    heading = gettext("This proof is no longer valid") if is_gone else gettext("We can’t find this proof")
    context = {"heading": heading, "why": ended.why, "picture": error_picture(status)}
    return page(request, "check_in/proof_ended.html", context, status=status, headers=HEADERS)


async def _own_page(request: Request, form: dict[str, str], refused: Failure | None = None) -> Response:
    caller = caller_of(request)
    async with database_of(request).reader() as reader:
        options = await proofs.options_of(reader, services(request).code_key, caller, event_slug_of(request))
        proof = options.proof
        files_end = await proof_keys.revoked_files_until(reader, proof.made_at) if proof else None
        now = reader.now
    default = proof.shown_as if proof else ShownAs.NAME
    problems = {} if refused is None else {"": refused.why}
    context = {
        "event": options.event,
        "subject": subject_of_event(options.event, now),
        "when": span_tags(options.event, now),
        "proof": proof,
        "address": proof_url(services(request).settings.public_url, proof.token) if proof else "",
        "why_not": None if refused else options.why_not,
        "removed_on": removal_day(options.event, now),
        "is_confirmed": options.is_confirmed,
        "shown": account_label(options.shown_account) if options.shown_account else options.name,
        "made": "" if proof is None else formatting.time_tag(proof.made_at, _moment(options.event, proof.made_at)),
        "files_end": _moment_or_none(options.event, files_end),
        "choices": _choices(options),
        "typed": FormState({"shown_as": form.get("shown_as", default.value)}, problems),
    }
    status = 200 if refused is None else 422
    return page(request, "check_in/own_proof.html", context, status=status, headers={"cache-control": "no-store"})


def _choices(options: ProofOptions) -> list[tuple[str, str, str]]:
    choices = [(ShownAs.NAME.value, options.name, gettext("Your name here"))]
    if options.account is not None:
        choices.append((ShownAs.ACCOUNT.value, account_label(options.account), gettext("Your connected account")))
    return choices


def _moment(event: Event, at: Instant) -> str:
    return formatting.span(wall_time.local_of(at, event.time_zone), None)


def _moment_or_none(event: Event, at: Instant | None) -> str:
    return "" if at is None else formatting.time_tag(at, _moment(event, at))


def _own_path(slug: EventSlug) -> str:
    return f"{event_path(slug)}/attendance-proof"
