"""A ticket's code as text and as a QR code."""

import io
from urllib.parse import quote

import segno
from markupsafe import Markup

from openmeet.domain.events.model import EventSlug


def address_of(public_url: str, slug: EventSlug, code: str) -> str:
    """The URL in the QR code: it shows the holder to the event's hosts, and nothing to anybody else."""
    return f"{public_url}/events/{quote(slug)}/check-in?code={code}"


def picture_of(address: str) -> Markup:
    """The QR code as SVG, dark on light in every color scheme, because scanners need that."""
    out = io.BytesIO()
    segno.make(address, error="m", micro=False).save(
        out,
        kind="svg",
        scale=6,
        border=4,
        light="#fff",
        dark="#000",
        xmldecl=False,
        svgns=True,
        svgclass="qr",
        omitsize=True,
    )
    # Made by segno from our own URL: code and slug contain no markup.
    return Markup(out.getvalue().decode())  # noqa: S704
