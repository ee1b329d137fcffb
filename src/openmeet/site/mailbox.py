"""The development mailbox at ``/dev/mail``: what would have been mailed, shown to this machine only."""

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from groundwork.errors import NotFound
from groundwork.http.addresses import is_loopback
from groundwork.http.application import client_address
from groundwork.mail.folder import FolderMailbox
from openmeet.site import times
from openmeet.site.frame import page

_SHOWN = 50


def routes(mailbox: FolderMailbox) -> list[Route]:
    """The page of this mailbox; an installation that sends its mail has none."""

    async def show(request: Request) -> Response:
        # For everybody else there is no such page: codes of other people stand on it.
        if not is_loopback(client_address(request)):
            raise NotFound("There is nothing at this address.")
        mails = [
            {"to": mail.to, "subject": mail.subject, "text": mail.text, "sent_at": times.iso(mail.sent_at)}
            for mail in await mailbox.newest(_SHOWN)
        ]
        return page(request, "site/mailbox.html", {"mails": mails})

    return [Route("/dev/mail", show, methods=["GET"])]
