"""Every kind of notification by its name, in the order in which e-mails list them.

A kind is a row of ``event_kinds``, ``group_kinds`` or ``chat_kinds``: name, topic, subject, payload, urgency, and until
when it is true. Its text is in ``emails/notifications/templates/<name>.jinja``; a test requires exactly one template
per row.
"""

from collections.abc import Mapping
from typing import Any, Final

from openmeet.domain.notifications import chat_kinds, event_kinds, group_kinds
from openmeet.domain.notifications.model import NotificationKind

KINDS: Final[Mapping[str, NotificationKind[Any]]] = {
    kind.name: kind
    for module in (event_kinds, group_kinds, chat_kinds)
    for kind in vars(module).values()
    if isinstance(kind, NotificationKind)
}
