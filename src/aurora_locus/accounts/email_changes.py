"""An account's e-mail address: requesting tokens, confirming and changing the address."""

from at_protocol.syntax.did import Did
from aurora_locus.accounts import email_confirmation, email_tokens, queries, sign_in_links
from aurora_locus.accounts.account_requests import email_taken
from aurora_locus.accounts.email_tokens import TokenPurpose, TokenVerdict
from aurora_locus.accounts.model import Account
from aurora_locus.accounts.registry import Registry
from aurora_locus.accounts.second_factors import checking
from aurora_locus.accounts.second_factors import queries as second_factors
from aurora_locus.i18n.sentences import gettext_noop
from groundwork.database.transaction import UniqueViolated, Writer
from groundwork.errors import InvalidInput, NotSignedIn, Refused
from groundwork.mail.address import parse_address


async def send_token(registry: Registry, account: Account, purpose: TokenPurpose) -> None:
    """Send a token to the account's address. Raises Refused if the account has no address or this server sends no
    e-mail.
    """
    registry.require_mail()
    if account.email is None:
        raise Refused(gettext_noop("This account has no e-mail address."), name="InvalidRequest")
    async with registry.db.transaction() as tx:
        await email_tokens.enqueue_token(tx, registry.email_tokens, account.did, purpose)


async def confirm(registry: Registry, did: Did, typed_email: str, token: str) -> None:
    """Confirm the address. Raises InvalidInput (``InvalidEmail``), NotSignedIn for the token."""
    email = typed_email.strip().lower()

    def work(w: Writer) -> TokenVerdict | None:
        if queries.email_of(w, did) != email:
            return None
        verdict = email_tokens.spend(w, registry.email_tokens, did, TokenPurpose.CONFIRM_EMAIL, token)
        if verdict is TokenVerdict.GOOD:
            queries.confirm_email(w, did, w.now)
            email_confirmation.show(w, registry.repositories, did)
        return verdict

    verdict = await registry.db.write(work)
    if verdict is None:
        raise InvalidInput("email", gettext_noop("This isn’t the e-mail address of the account."), name="InvalidEmail")
    email_tokens.require_valid(verdict)


async def needs_token(registry: Registry, account: Account) -> bool:
    """Whether changing the address takes more than a session. The protocol lets a session change an unconfirmed
    address, so that typos can be fixed; an account with a second factor must present that instead.
    """
    return account.email_confirmed_at is not None or (await checking.find(registry, account.did)).are_set


async def update(registry: Registry, did: Did, typed_email: str, token: str | None, *, is_proven: bool = False) -> None:
    """Change the address. The new address is unconfirmed, and tokens and codes sent to the old one become invalid.

    ``token`` is the one sent to the current address if that is confirmed. Otherwise it is a code of the second factor,
    if the account has one, unless the caller has just presented it (``is_proven``). Raises InvalidInput
    (``TokenRequired``), Refused if another account has the address, NotSignedIn for the token, RateLimited.
    """
    try:
        email = parse_address(typed_email).lower()
    except ValueError as error:
        raise InvalidInput("email", str(error)) from None

    account = await queries.require_account(registry.db, did)
    if account.email_confirmed_at is None and not is_proven and await needs_token(registry, account):
        await _require_factor(registry, did, token)

    def work(w: Writer) -> TokenVerdict:
        verdict = TokenVerdict.GOOD
        if queries.email_is_confirmed(w, did):
            code = email_tokens.require_token(token)
            verdict = email_tokens.spend(w, registry.email_tokens, did, TokenPurpose.UPDATE_EMAIL, code)
        if verdict is TokenVerdict.GOOD:
            replace_email(w, registry, did, email)
        return verdict

    try:
        email_tokens.require_valid(await registry.db.write(work))
    except UniqueViolated:
        raise email_taken() from None


def replace_email(w: Writer, registry: Registry, did: Did, email: str) -> None:
    """Store the new address, which is not confirmed yet, and end everything that was sent to the old one. Raises
    UniqueViolated.
    """
    queries.set_email(w, did, email)
    email_tokens.drop_all(w, did)
    sign_in_links.forget(w, did)
    checking.end_mail(w, did)
    w.after_commit(lambda: registry.repositories.forget_head(did))


async def switch_email_code(registry: Registry, did: Did, token: str | None, *, is_wanted: bool) -> None:
    """Turn the sign-in code by e-mail on or off.

    Raises Refused for an unconfirmed address, InvalidInput (``TokenRequired``) and NotSignedIn for the token. As with
    changing the address, turning the code off takes a token.
    """

    def work(w: Writer) -> TokenVerdict:
        if is_wanted and not queries.email_is_confirmed(w, did):
            raise Refused(gettext_noop("Confirm the e-mail address first."), name="InvalidRequest")
        verdict = TokenVerdict.GOOD
        if not is_wanted:
            code = email_tokens.require_token(token)
            verdict = email_tokens.spend(w, registry.email_tokens, did, TokenPurpose.UPDATE_EMAIL, code)
        if verdict is TokenVerdict.GOOD and is_wanted:
            second_factors.set_mail(w, did, is_on=True)
        elif verdict is TokenVerdict.GOOD:
            checking.end_mail(w, did)
        if verdict is TokenVerdict.GOOD:
            w.after_commit(lambda: registry.repositories.forget_head(did))
        return verdict

    email_tokens.require_valid(await registry.db.write(work))


async def _require_factor(registry: Registry, did: Did, token: str | None) -> None:
    if not token:
        why = gettext_noop("This account has two-step sign-in. Use one of its codes, or a recovery code, as the token.")
        raise InvalidInput("token", why, name="TokenRequired")
    if not await checking.take_code(registry, did, token):
        raise NotSignedIn(checking.WRONG, name="InvalidToken")
