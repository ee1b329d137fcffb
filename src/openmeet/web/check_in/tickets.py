"""A ticket as its holder shows it: the code, and the same as a picture that phones read."""

import io
from urllib.parse import quote

import segno
from markupsafe import Markup

from openmeet.domain.events.model import EventSlug


def address_of(public_url: str, slug: EventSlug, code: str) -> str:
    """What the picture says: opened by a host's phone it shows the ticket's holder, by anybody else's nothing."""
    return f"{public_url}/events/{quote(slug)}/check-in?code={code}"


def picture_of(address: str) -> Markup:
    """The address as SVG, dark on light in every scheme, because scanners want it so."""
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
    # Made by segno from an address of ours: code and slug have nothing that could be markup.
    return Markup(out.getvalue().decode())  # noqa: S704
