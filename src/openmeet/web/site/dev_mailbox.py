"""The development mailbox at ``/dev/mail``: e-mails that were not sent, shown to this machine only."""

from urllib.parse import urlsplit

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from groundwork.errors import NotFound
from groundwork.http.addresses import is_loopback
from groundwork.http.application import client_address
from openmeet.i18n import formatting
from openmeet.web.site.layout import page
from openmeet.web.site.services import services

_SHOWN = 50


def routes() -> list[Route]:
    return [Route("/dev/mail", show, methods=["GET"])]


async def show(request: Request) -> Response:
    mailbox = services(request).dev_mailbox
    is_local = is_loopback(client_address(request)) and _is_local_host(request.headers.get("host", ""))
    # Hidden from other machines, because it shows other people's codes. A site that sends its e-mail does not have it.
    if mailbox is None or not is_local:
        raise NotFound("There is nothing at this address.")
    mails = [
        {"to": mail.to, "subject": mail.subject, "text": mail.text, "sent_at": formatting.iso(mail.sent_at)}
        for mail in await mailbox.newest(_SHOWN)
    ]
    return page(request, "site/mailbox.html", {"mails": mails})


def _is_local_host(host: str) -> bool:
    """Whether the ``Host`` names this machine.

    Against DNS rebinding: a foreign page can point its own name at this machine's address and read the response, but
    ``Host`` then still has that name.
    """
    try:
        name = urlsplit(f"//{host}").hostname or ""
    except ValueError:
        return False
    # RFC 6761, section 6.3: `localhost` and its subdomains are always local.
    return name == "localhost" or name.endswith(".localhost") or is_loopback(name)
