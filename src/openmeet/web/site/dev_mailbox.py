"""The development mailbox at ``/dev/mail``: what would have been mailed, shown to this machine only."""

from urllib.parse import urlsplit

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from groundwork.errors import NotFound
from groundwork.http.addresses import is_loopback
from groundwork.http.application import client_address
from groundwork.mail.folder import FolderMailbox
from openmeet.i18n import formatting
from openmeet.web.site.layout import page

_SHOWN = 50


def routes(mailbox: FolderMailbox) -> list[Route]:
    """The page of this mailbox; an installation that sends its mail has none."""

    async def show(request: Request) -> Response:
        # For everybody else there is no such page: codes of other people stand on it.
        if not is_loopback(client_address(request)) or not _is_local_host(request.headers.get("host", "")):
            raise NotFound("There is nothing at this address.")
        mails = [
            {"to": mail.to, "subject": mail.subject, "text": mail.text, "sent_at": formatting.iso(mail.sent_at)}
            for mail in await mailbox.newest(_SHOWN)
        ]
        return page(request, "site/mailbox.html", {"mails": mails})

    return [Route("/dev/mail", show, methods=["GET"])]


def _is_local_host(host: str) -> bool:
    """Whether the page was asked for under a name of this machine.

    A page of anywhere can give its own name this machine's address and read what a browser here then fetches from it
    (DNS rebinding); the name in ``Host`` stays that page's.
    """
    try:
        name = urlsplit(f"//{host}").hostname or ""
    except ValueError:
        return False
    # RFC 6761, section 6.3: `localhost` and what stands below it is nobody else's.
    return name == "localhost" or name.endswith(".localhost") or is_loopback(name)
