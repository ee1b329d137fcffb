"""Confirmation questions of forms: each is asked once, about exactly what it names.

A hidden field carries the confirmed value, so that any other value is asked about again. Submitting the form with an
error in another field confirms nothing.
"""

from collections.abc import Mapping

from groundwork.errors import InvalidForm, Why


class NeedsConfirmation(InvalidForm):
    """Valid input that needs confirmation. ``name``: of the hidden field; ``key``: its value when confirmed."""

    def __init__(self, field: str, why: Why, *, name: str, key: str) -> None:
        super().__init__({field: why})
        self.name = name
        self.key = key


def confirmation_field(typed: Mapping[str, str], name: str, wrong: InvalidForm) -> dict[str, str]:
    """The hidden field of this name for the form shown again: the new question's key, else the earlier value."""
    asked = wrong.key if isinstance(wrong, NeedsConfirmation) and wrong.name == name else typed.get(name, "")
    return {name: asked}
