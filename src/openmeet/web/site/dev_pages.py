"""Mailbox of a development site: e-mails that were not sent. Only visible on this machine."""

from urllib.parse import urlsplit

from starlette.requests import Request
from starlette.responses import HTMLResponse, Response
from starlette.routing import Route

from groundwork.errors import NotFound
from groundwork.http.addresses import is_loopback
from groundwork.http.application import client_address
from groundwork.mail.folder import FolderMailbox
from openmeet.i18n import formatting
from openmeet.web.site.layout import page
from openmeet.web.site.reasons import SiteReason
from openmeet.web.site.services import services

_SHOWN = 50


def routes() -> list[Route]:
    return [
        Route("/dev/mail", show_mailbox, methods=["GET"]),
        Route("/dev/mail/{mail}", show_mail, methods=["GET"]),
    ]


async def show_mailbox(request: Request) -> Response:
    mailbox = _mailbox(request)
    mails = [
        {
            "id": mail.id,
            "to": mail.to,
            "subject": mail.subject,
            "text": mail.text,
            "has_html": bool(mail.html),
            "sent_at": formatting.iso(mail.sent_at),
        }
        for mail in await mailbox.newest(_SHOWN)
    ]
    return page(request, "site/mailbox.html", {"mails": mails})


async def show_mail(request: Request) -> Response:
    """An e-mail as mail programs show it: with its own styles and pictures of this site, but without scripts."""
    mail = await _mailbox(request).find(request.path_params["mail"])
    if not mail.html:
        raise NotFound(SiteReason.NOTHING_HERE)
    policy = (
        "default-src 'none'; style-src 'unsafe-inline'; img-src 'self' data:; frame-ancestors 'none'; base-uri 'none'"
    )
    return HTMLResponse(mail.html, headers={"content-security-policy": policy})


def require_development(request: Request) -> None:
    """Raises NotFound unless this is a development site and the request comes from this machine."""
    _mailbox(request)


def _mailbox(request: Request) -> FolderMailbox:
    """The mailbox of a development site. Raises NotFound on any other site.

    It is hidden from other machines because it contains other people's codes. A site that really sends its e-mail has
    no mailbox.
    """
    mailbox = services(request).dev_mailbox
    is_local = is_loopback(client_address(request)) and _is_local_host(request.headers.get("host", ""))
    if mailbox is None or not is_local:
        raise NotFound(SiteReason.NOTHING_HERE)
    return mailbox


def _is_local_host(host: str) -> bool:
    """Whether ``Host`` names this machine.

    This protects against DNS rebinding: a foreign page can point its own name at this machine's address and read the
    response, but ``Host`` still contains the foreign name.
    """
    try:
        name = urlsplit(f"//{host}").hostname or ""
    except ValueError:
        return False
    # RFC 6761, section 6.3: `localhost` and its subdomains are always local.
    return name == "localhost" or name.endswith(".localhost") or is_loopback(name)
