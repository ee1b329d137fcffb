"""E-mail with the sign-in code and link."""

from groundwork.clock import MINUTE
from groundwork.database.transaction import Database
from groundwork.signing_key import SigningKey
from openmeet.domain.sign_in import model, queries
from openmeet.domain.sign_in.model import ChallengeId
from openmeet.i18n.catalogue import gettext, ngettext
from openmeet.outbox.emails import Composer, DueEmail, OutgoingEmail, link

LINK_PATH = "/sign-in/link"


def code_composer(key: SigningKey, site_name: str, url: str) -> Composer:
    """Composer of ``CODE_MAIL``. Composes nothing if the code was used or has expired. Programs get no link."""

    async def compose(db: Database, due: DueEmail) -> OutgoingEmail | None:
        async with db.reader() as reader:
            challenge = await queries.challenge(reader, ChallengeId(due.subject_id))
            if challenge is None or challenge.used_at is not None or challenge.expires_at <= reader.now:
                return None
        code = model.spaced(model.code_of(key, challenge.id))
        minutes = (challenge.expires_at - challenge.created_at) // MINUTE
        parts = [
            code,
            ngettext(
                "Enter it on the %(site)s page where you asked for it. It works once, for %(number)s minute.",
                "Enter it on the %(site)s page where you asked for it. It works once, for %(number)s minutes.",
                minutes,
                site=site_name,
            ),
        ]
        if challenge.browser_hash is not None:
            token = model.link_token(key, challenge.id)
            parts.append(link(gettext("Or open this link in the same browser"), f"{url}{LINK_PATH}/{token}"))
        parts.append(
            gettext(
                "You’re getting this because somebody entered your address to sign in. If it wasn’t you, you don’t need to do"
                " anything."
            )
        )
        subject = gettext("Your code: %(code)s", code=code)
        return OutgoingEmail(challenge.email, subject, "\n\n".join(parts) + "\n")

    return compose
