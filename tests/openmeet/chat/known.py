"""What a model of a conversation knows: the messages, and the people around it."""

from dataclasses import dataclass, field

from openmeet.domain.chat.model import ChatMessage
from openmeet.domain.chat.sanctions import SanctionKind
from openmeet.domain.users.model import Caller
from tests.openmeet.chat.open_pages import OpenPage


@dataclass
class Said:
    """What the model knows of a message."""

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
    """What the model knows of a person. ``floor``: after which number they read since they came; None: they never came.

    ``shown``: by number, what the page that they have open shows; ``since``: from which number on it is complete.
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
