"""The model of a chat room: its messages and the people around it."""

from dataclasses import dataclass, field

from openmeet.domain.chat.model import ChatMessage
from openmeet.domain.chat.sanctions import SanctionKind
from openmeet.domain.users.model import Caller
from tests.openmeet.chat.open_pages import OpenPage


@dataclass
class Said:
    """A message in the model."""

    number: int
    message: ChatMessage
    author: str
    text: str
    words: list[str]
    is_removed: bool = False
    is_taken_back: bool = False
    is_held: bool = False


@dataclass(eq=False)
class Guest:
    """A person in the model. ``floor`` is the number after which they can read messages, or None if they never joined.

    ``shown`` has the messages on their open page, by number. The page is complete from number ``since`` on.
    """

    caller: Caller
    token: str
    cookie: str
    answer: str | None = None
    role: str | None = None
    is_blocked: bool = False
    sanctions: set[SanctionKind] = field(default_factory=set)
    blocks: set[str] = field(default_factory=set)
    floor: int | None = None
    page: OpenPage | None = None
    taken: int = 0
    shown: dict[int, tuple[str, bool]] = field(default_factory=dict)
    since: int = 0
    last: int = 0
    sight: object = None
