"""One call of a query, and what a query is."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass

from at_protocol.xrpc.parameters import Parameter
from groundwork.database.transaction import Reader
from openmeet.domain.users.model import UserId
from openmeet.web.xrpc.schemas import Shape


@dataclass(frozen=True, slots=True)
class Call:
    """``parameters`` are checked by the Lexicon and have its defaults. ``viewer``: for whose eyes it is answered; None for a stranger's."""

    reader: Reader
    parameters: Mapping[str, Parameter]
    viewer: UserId | None
    public_url: str

    def text(self, name: str) -> str:
        """A string parameter; empty where it is absent."""
        value = self.parameters.get(name, "")
        assert isinstance(value, str)  # noqa: S101  # the Lexicon says so
        return value

    def number(self, name: str) -> int:
        """An integer parameter that the Lexicon gives a default."""
        value = self.parameters[name]
        assert isinstance(value, int)  # noqa: S101  # the Lexicon says so
        return value

    def is_set(self, name: str) -> bool:
        """A boolean parameter."""
        return self.parameters.get(name) is True


@dataclass(frozen=True, slots=True)
class Query:
    """``name`` is the last part of its NSID; what comes before is the operator's choice (``OPENMEET_LEXICON_AUTHORITY``)."""

    name: str
    answer: Callable[[Call], Awaitable[Shape]]
