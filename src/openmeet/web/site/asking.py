"""What a form asks about before it does it: once, and only about what it names then.

A hidden field of the form carries the answer: the very thing that was asked about, so that anything else is asked about anew. Sending the
form with an error in another field answers nothing.
"""

from collections.abc import Mapping

from groundwork.errors import InvalidForm


class Asks(InvalidForm):
    """Nothing is wrong, but it may not be meant. ``name``: of the hidden field; ``key``: what it is to carry the second time."""

    def __init__(self, field: str, why: str, *, name: str, key: str) -> None:
        super().__init__({field: why})
        self.name = name
        self.key = key


def answered(typed: Mapping[str, str], name: str, wrong: InvalidForm) -> dict[str, str]:
    """The hidden field of this name in the form that comes back: what is asked now, else what was answered before."""
    asked = wrong.key if isinstance(wrong, Asks) and wrong.name == name else typed.get(name, "")
    return {name: asked}
