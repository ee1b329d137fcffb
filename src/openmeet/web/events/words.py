"""Events that are not here any more: pages, the API and calendar files say the same of them, in the same words."""

from groundwork.errors import Gone, NotFound
from openmeet.domain.events.model import Event, Visibility


def must_be_here(event: Event, *, concerns: bool = False) -> None:
    """Raises Gone (410) for what was public; NotFound for anything else, which is as absent as what never was.

    ``concerns``: they answered or hosted it, and read which one it was, also where it was not for everybody.
    """
    if not event.is_gone:
        return
    if event.is_hidden or event.is_held or (event.visibility is not Visibility.PUBLIC and not concerns):
        raise NotFound("There is no such event.")
    name = f"“{event.title}”" if concerns and event.title else "This event"
    raise Gone(f"{name} was removed. {why_gone(event)}")


def why_gone(event: Event) -> str:
    """Who took it away, as far as that is known: what vanished from its repository may have been deleted there by anybody."""
    return (
        "Its host deleted it." if event.deleted_at is not None else "It was removed from the server where it was kept."
    )
