"""Mailer for a process that sends nothing: an operator's command only enqueues e-mails, and the site sends them."""

from groundwork.errors import Unavailable
from groundwork.mail.contract import Mail


class NoMailer:
    """A mailer without a mail server. Sending raises Unavailable, so that no e-mail counts as sent."""

    async def send(self, mail: Mail) -> None:
        raise Unavailable(f"No mail server is configured here. The mail with the id {mail.message_id} is not sent.")

    async def check(self) -> None:
        return

    async def close(self) -> None:
        return
