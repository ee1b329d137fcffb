"""The mail with the code: composed when it is sent, from the present."""

from groundwork.database.transaction import Database
from groundwork.signing_key import SigningKey
from openmeet.debts.deliveries import Composer, Due, Letter
from openmeet.sign_in import queries, rules
from openmeet.sign_in.model import ChallengeId


def code_composer(key: SigningKey, site_name: str) -> Composer:
    """The composer of ``CODE_MAIL``; says nothing when the code was used or is over."""

    async def compose(db: Database, due: Due) -> Letter | None:
        async with db.reader() as reader:
            challenge = await queries.challenge(reader, ChallengeId(due.subject_id))
            if challenge is None or challenge.used_at is not None or challenge.expires_at <= reader.now:
                return None
        code = rules.code_of(key, challenge.id)
        return Letter(
            challenge.email,
            f"{code} is your {site_name} code",
            f"Your code is {code}\n\n"
            "Type it on the page where you asked for it. It works once, for ten minutes.\n\n"
            "If you did not ask for it, somebody mistyped their address: there is nothing you need to do.\n",
        )

    return compose
