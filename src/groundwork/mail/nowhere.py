"""The mailer of a process that sends nothing: an operator's command owes mail at most, and the site sends it."""

from groundwork.errors import Unavailable
from groundwork.mail.contract import Mail


class NoMailer:
    """Refuses, so that nothing counts as sent: Unavailable."""

    async def send(self, mail: Mail) -> None:
        raise Unavailable(f"No mail server is set up here: a mail with the id {mail.message_id} waits.")

    async def check(self) -> None:
        return

    async def close(self) -> None:
        return
