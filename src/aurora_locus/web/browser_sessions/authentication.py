"""Authentication of pages. A browser's accounts are read once per request; signing in and out changes them."""

from dataclasses import dataclass

from starlette.requests import HTTPConnection

from at_protocol.syntax.did import Did
from aurora_locus.accounts import browser_sessions, password_guesses, queries
from aurora_locus.accounts.browser_sessions import GRACE, ROTATION, Browser, BrowserOrigin, SignedInAccount
from aurora_locus.accounts.limits import PAGES, address_charge, count_request
from aurora_locus.accounts.registry import Registry
from aurora_locus.accounts.sign_in_source import SignInSource, source_of
from aurora_locus.i18n.language import stated_language
from aurora_locus.i18n.sentences import gettext_noop
from aurora_locus.repository.model import OF_THE_HOST
from aurora_locus.web.browser_sessions import cookies
from aurora_locus.web.site import forms
from aurora_locus.web.site.faults import CLOSED, PROOF_NEEDED
from aurora_locus.web.site.frame import Face, LayoutContext, mark_as_page, shown_of
from aurora_locus.web.site.services import services
from groundwork.clock import MINUTE, Instant
from groundwork.database.transaction import Writer
from groundwork.errors import Forbidden, NotSignedIn
from groundwork.http.application import client_address
from groundwork.token_hash import hash_token
from groundwork.ui.tones import tone_of

# How long sensitive actions stay available after the password was entered.
PROOF_LASTS = 15 * MINUTE

_VISIT = "aurora_locus.visit"


@dataclass(slots=True)
class Visit:
    """The browser of this request. ``id_hash`` is None until somebody signs in on it; ``accounts`` has the newest
    sign-in first.
    """

    browser_id: str
    id_hash: bytes | None = None
    accounts: tuple[SignedInAccount, ...] = ()
    current_account: SignedInAccount | None = None


def visit_of(connection: HTTPConnection) -> Visit:
    """Return the browser of this request."""
    visit: Visit = connection.scope[_VISIT]
    return visit


def accounts_of(connection: HTTPConnection) -> tuple[SignedInAccount, ...]:
    """Return every account that is signed in on this browser, newest sign-in first."""
    return visit_of(connection).accounts


def account_or_none(connection: HTTPConnection) -> SignedInAccount | None:
    """Return the account that pages show, which is the last one chosen."""
    return visit_of(connection).current_account


def account_of(connection: HTTPConnection, *, allow_takendown: bool = False) -> SignedInAccount:
    """Return the account that pages show. Raises NotSignedIn, which redirects to the sign-in page and back, and
    Forbidden (``AccountTakedown``) for a taken-down account, unless ``allow_takendown`` (the owner may still use the
    page).
    """
    signed_in_account = account_or_none(connection)
    if signed_in_account is None:
        raise NotSignedIn(gettext_noop("Sign in first."), name="AuthMissing")
    if signed_in_account.status in OF_THE_HOST and not allow_takendown:
        raise Forbidden(
            gettext_noop("This account has been taken down. You can still download everything."), name=CLOSED
        )
    return signed_in_account


def proven_account_of(connection: HTTPConnection, *, allow_takendown: bool = False) -> SignedInAccount:
    """Return the account that pages show, if its password was entered recently. Otherwise raises NotSignedIn, which
    redirects to the page that asks for the password, and back. Call it both when showing the form and when handling its
    POST.
    """
    account = account_of(connection, allow_takendown=allow_takendown)
    if account.proven_at + PROOF_LASTS < services(connection).registry.clock.now():
        raise NotSignedIn(gettext_noop("Confirm it’s you."), name=PROOF_NEEDED)
    return account


async def identify(connection: HTTPConnection) -> None:
    """Identify the browser and fill the layout's account menu. A session that is old enough is rotated. Raises
    RateLimited before the database is read.
    """
    visit = Visit(cookies.read(connection, cookies.BROWSER))
    connection.scope[_VISIT] = visit
    mark_as_page(connection, LayoutContext(lambda: csrf_token(connection)))
    registry = services(connection).registry
    await _count(registry, client_address(connection))
    if not visit.browser_id:
        return
    async with registry.db.reader() as reader:
        browser = await browser_sessions.find(reader, visit.browser_id)
        accounts = [] if browser is None else await browser_sessions.signed_in(reader, browser.id_hash)
    if browser is None:
        return
    session_id = cookies.read(connection, cookies.SESSION)
    current_accounts = await _exchange(registry, browser, hash_token(session_id)) if accounts and session_id else None
    if current_accounts is None:
        # The browser's session has ended, or the cookies do not belong together, so the browser gets a new identifier.
        visit.browser_id = ""
        return
    visit.id_hash = browser.id_hash
    _note(connection, accounts, browser.chosen_did)
    if current_accounts:
        _send(connection, visit.browser_id, current_accounts)


async def _exchange(registry: Registry, browser: Browser, shown: bytes) -> str | None:
    """Return the identifier of the rotated session, an empty string if the current one stays, or None for an invalid
    session.
    """
    id_hash, now = browser.id_hash, registry.clock.now()
    if shown == browser.session_hash:
        if browser.rotated_at + ROTATION <= now:
            before = Instant(now - ROTATION)
            return await registry.db.write(lambda w: browser_sessions.rotate(w, id_hash, shown, before)) or ""
        if not browser.is_seen:
            await registry.db.write(lambda w: browser_sessions.note_seen(w, id_hash, shown))
        return ""
    if shown != browser.previous_hash:
        return None
    if browser.rotated_at + GRACE > now:
        return ""
    if not browser.is_seen:
        before = Instant(now - GRACE)
        return await registry.db.write(lambda w: browser_sessions.rotate(w, id_hash, shown, before)) or ""
    # The newest session has been presented before, and now the previous one is: two browsers use the same cookies.
    await registry.db.write(lambda w: browser_sessions.end_browser(w, id_hash))
    return None


def browser_of(connection: HTTPConnection) -> str:
    """Return the identifier of this browser. If the browser is new, an identifier is created."""
    visit = visit_of(connection)
    if not visit.browser_id:
        visit.browser_id = browser_sessions.fresh_id()
        cookies.change(connection, cookies.BROWSER, visit.browser_id)
    return visit.browser_id


def csrf_token(connection: HTTPConnection) -> str:
    """The CSRF token of this browser's forms."""
    return forms.token_for(services(connection).site.csrf_key, browser_of(connection))


def source_here(connection: HTTPConnection) -> SignInSource:
    """Return where this request comes from: the client's address, and whether somebody signed in on this browser
    before.

    A known browser gets no access from this, but wrong guesses from other browsers do not count against it.
    """
    return source_of(connection, cookies.read(connection, cookies.KNOWN))


def lasting_source(connection: HTTPConnection) -> SignInSource:
    """Return the source of a sign-in, as ``source_here`` does, and set the cookie that makes this browser a known
    one.
    """
    device = cookies.read(connection, cookies.KNOWN) or browser_sessions.fresh_id()
    cookies.change(connection, cookies.KNOWN, device, stays=True)
    return source_of(connection, device)


async def sign_in(connection: HTTPConnection, did: Did, valid_after: Instant, *, remember: bool) -> SignedInAccount:
    """Sign an account in on this browser and choose it. Browser and session get new identifiers.

    For ``valid_after`` see ``browser_sessions.sign_in``, which raises NotSignedIn.
    """
    registry, visit = services(connection).registry, visit_of(connection)
    old_browser_id, is_known = visit.browser_id, visit.id_hash is not None
    origin = BrowserOrigin(connection.headers.get("user-agent", ""), client_address(connection))

    source, language = lasting_source(connection), stated_language()

    def work(w: Writer) -> tuple[str, str]:
        opened = browser_sessions.sign_in(
            w, old_browser_id, did, valid_after, origin, is_known=is_known, remember=remember
        )
        password_guesses.note(w, registry.guess_context, did, source)
        queries.set_language(w, did, language)
        return opened

    browser_id, session_id = await registry.db.write(work)
    visit.browser_id, visit.id_hash = browser_id, hash_token(browser_id)
    async with registry.db.reader() as reader:
        accounts = await browser_sessions.signed_in(reader, visit.id_hash)
    _note(connection, accounts, did)
    _send(connection, browser_id, session_id)
    return account_of(connection, allow_takendown=True)


async def note_proof(connection: HTTPConnection) -> None:
    """Record that the owner of the chosen account has just entered the password (and second factor). Raises
    NotSignedIn.
    """
    visit, account = visit_of(connection), account_of(connection, allow_takendown=True)
    if visit.id_hash is not None:
        id_hash, did = visit.id_hash, account.did
        await services(connection).registry.db.write(lambda w: browser_sessions.note_proof(w, id_hash, did))


async def note_language(connection: HTTPConnection, language: str) -> None:
    """Record the language in which the owner of the chosen account uses the pages, for later e-mails. An empty one says
    nothing.
    """
    account = account_or_none(connection)
    if account is not None and language not in {"", account.language}:
        await services(connection).registry.db.write(lambda w: queries.set_language(w, account.did, language))


async def choose(connection: HTTPConnection, did: str) -> SignedInAccount:
    """Choose another of this browser's accounts. Raises NotSignedIn if it is not signed in."""
    visit = visit_of(connection)
    signed_in_account = next((account for account in visit.accounts if account.did == did), None)
    if signed_in_account is None or visit.id_hash is None:
        raise NotSignedIn(
            gettext_noop("This account isn’t signed in here any more. Sign in again."), name="AuthMissing"
        )
    id_hash = visit.id_hash
    await services(connection).registry.db.write(lambda w: browser_sessions.choose(w, id_hash, signed_in_account.did))
    _note(connection, visit.accounts, signed_in_account.did)
    return signed_in_account


async def sign_out(connection: HTTPConnection, did: str | None = None) -> None:
    """Sign out one account on this browser; None signs out all of them."""
    visit = visit_of(connection)
    if visit.id_hash is None:
        return
    id_hash = visit.id_hash
    left = tuple(account for account in visit.accounts if did is not None and account.did != did)
    if left:
        await services(connection).registry.db.write(lambda w: browser_sessions.end(w, id_hash, Did(did or "")))
        _note(connection, left, None)
        return
    await services(connection).registry.db.write(lambda w: browser_sessions.end_browser(w, id_hash))
    visit.id_hash, visit.browser_id = None, ""
    _note(connection, (), None)
    cookies.change(connection, cookies.BROWSER, "")
    cookies.change(connection, cookies.SESSION, "")


async def _count(registry: Registry, address: str) -> None:
    await count_request(registry, [address_charge(registry, PAGES, address)])


def _note(
    connection: HTTPConnection, accounts: list[SignedInAccount] | tuple[SignedInAccount, ...], chosen_did: str | None
) -> None:
    visit, shown = visit_of(connection), shown_of(connection)
    visit.accounts = tuple(accounts)
    newest = visit.accounts[0] if visit.accounts else None
    visit.current_account = next((account for account in visit.accounts if account.did == chosen_did), newest)
    if shown is not None:
        shown.face = (
            None
            if visit.current_account is None
            else Face(visit.current_account.handle, tone_of(visit.current_account.did))
        )


def _send(connection: HTTPConnection, browser_id: str, session_id: str) -> None:
    stays = any(account.is_remembered for account in accounts_of(connection))
    cookies.change(connection, cookies.BROWSER, browser_id, stays=stays)
    cookies.change(connection, cookies.SESSION, session_id, stays=stays)
