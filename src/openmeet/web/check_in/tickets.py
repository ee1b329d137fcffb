"""The URL in a ticket's QR code."""

from urllib.parse import quote

from openmeet.domain.events.model import EventSlug


def address_of(public_url: str, slug: EventSlug, code: str) -> str:
    """The URL in a ticket. It shows the holder to the event's hosts, and nothing to everyone else."""
    return f"{public_url}/events/{quote(slug)}/check-in?code={code}"
