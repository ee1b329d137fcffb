"""Confirmation questions in forms. Each question is asked once for each value that it is about.

A hidden field contains the confirmed value, so any other value triggers the question again. Submitting a form that has
an error in another field confirms nothing.
"""

from collections.abc import Mapping

from groundwork.errors import InvalidForm, Why


class NeedsConfirmation(InvalidForm):
    """Valid input that needs confirmation. ``name`` is the hidden field, and ``key`` its value once confirmed."""

    def __init__(self, field: str, why: Why, *, name: str, key: str) -> None:
        super().__init__({field: why})
        self.name = name
        self.key = key


def confirmation_field(form: Mapping[str, str], name: str, wrong: InvalidForm) -> dict[str, str]:
    """The hidden field of this name, for the form when it is shown again. Its value is the key of the new question or,
    without a new question, the earlier value.
    """
    key = wrong.key if isinstance(wrong, NeedsConfirmation) and wrong.name == name else form.get(name, "")
    return {name: key}
