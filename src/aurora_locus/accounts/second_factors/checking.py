"""Check second factors. Every attempt is counted per account before it is checked, in the database as wrong passwords are:
several processes share the counters, and a restart must not grant new attempts.
"""

import contextlib

from at_protocol.syntax.did import Did
from aurora_locus.accounts import email_tokens, password_guesses
from aurora_locus.accounts.email_tokens import TokenPurpose, TokenVerdict
from aurora_locus.accounts.limits import SECOND_FACTOR, SIGN_IN_EMAIL, effective_limit
from aurora_locus.accounts.registry import Registry
from aurora_locus.accounts.second_factors import passkeys, queries, recovery_codes, totp
from aurora_locus.accounts.second_factors.model import Factors
from aurora_locus.accounts.second_factors.passkeys import PasskeyContext
from aurora_locus.accounts.sessions import ProvenAccount
from aurora_locus.i18n.sentences import gettext_noop
from groundwork.database.transaction import Writer
from groundwork.errors import NotSignedIn, Refused, TooMany
from groundwork.rate_limit.contract import spend

# The error name for a right password without the required code. Deployed apps handle it.
FACTOR_WANTED = "AuthFactorTokenRequired"
WRONG = gettext_noop("This code is wrong, or you’ve already used it.")


async def find(registry: Registry, did: Did) -> Factors:
    """Return the second factors of an account."""
    async with registry.db.reader() as reader:
        return await queries.find(reader, did)


async def take_code(registry: Registry, did: Did, code: str) -> bool:
    """Use up a code of an authenticator app, a recovery code, or a code sent by e-mail. Return False if it is wrong.

    Raises RateLimited after a few attempts, because six digits could be guessed.
    """
    await count_try(registry, did)

    def work(w: Writer) -> bool:
        if "".join(code.split()).isdigit():
            return totp.use_code(w, registry.factor_keys, did, code)
        if recovery_codes.take(w, registry.factor_keys, did, code):
            return True
        return email_tokens.spend(w, registry.email_tokens, did, TokenPurpose.SIGN_IN, code) is TokenVerdict.GOOD

    return await registry.db.write(work)


async def take_passkey(registry: Registry, did: Did, context: PasskeyContext, passkey_response: str) -> bool:
    """Whether the device's response (JSON) is signed by one of the account's passkeys. Raises RateLimited."""
    await count_try(registry, did)
    return await registry.db.write(lambda w: passkeys.take(w, context, passkey_response, did)) is not None


async def send_code(registry: Registry, did: Did) -> None:
    """E-mail a sign-in code to the account's address. Raises RateLimited; Refused if the account does not use e-mailed
    codes.
    """
    if (await find(registry, did)).mail_since is None:
        raise Refused(gettext_noop("Codes by e-mail are off for this account."))
    limits = [(effective_limit(registry, limit), did) for limit in SIGN_IN_EMAIL]
    await spend(registry.counters, limits, now=registry.clock.now())
    async with registry.db.transaction() as tx:
        await email_tokens.enqueue_token(tx, registry.email_tokens, did, TokenPurpose.SIGN_IN)


async def require(registry: Registry, proof: ProvenAccount, token: str | None) -> None:
    """Require a valid code in addition to the account's own password, if the account has a second factor. Used by
    ``createSession``.

    App passwords are exempt, because each is for one app and allows less. Raises NotSignedIn
    (``AuthFactorTokenRequired``; ``InvalidToken`` for a wrong code) and RateLimited.
    """
    did = proof.account.did
    if proof.app_password is not None:
        return
    factors = await find(registry, did)
    if not factors.are_set:
        return
    if token:
        if not await take_code(registry, did, token):
            raise NotSignedIn(WRONG, name="InvalidToken")
        return
    if factors.mail_since is not None:
        # If too many e-mails have already been sent, the code in the last one can be used.
        with contextlib.suppress(TooMany):
            await send_code(registry, did)
        why = gettext_noop("We e-mailed you a code. Sign in again with it.")
    elif factors.totp_since is not None:
        why = gettext_noop("Sign in again with a code from your authenticator app.")
    else:
        why = gettext_noop(
            "This account signs in with a passkey, which only a browser can ask for. Use an app password here."
        )
    raise NotSignedIn(why, name=FACTOR_WANTED)


def end_mail(w: Writer, did: Did) -> None:
    """Remove e-mail as a second factor. If it was the last factor, also delete the recovery codes."""
    queries.set_mail(w, did, is_on=False)
    if not queries.are_set(w, did):
        recovery_codes.remove(w, did)


async def count_try(registry: Registry, did: Did) -> None:
    """Count one attempt, right or wrong. Raises RateLimited."""
    charges = [(limit, f"{limit.name}:{did}") for limit in SECOND_FACTOR]
    await password_guesses.count_each(registry.guess_context, password_guesses.ANYWHERE, charges)
