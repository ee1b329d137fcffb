"""JSON type that several operations about RSVPs share: a question to attendees."""

from typing import ClassVar

import msgspec


class QuestionAsked(msgspec.Struct, forbid_unknown_fields=True, rename="camel"):
    """A question that every attendee is asked. Without ``choices`` the reply is free text. The server assigns
    ``questionId``.
    """

    EXAMPLE: ClassVar[dict[str, object]] = {
        "question": "What do you eat?",
        "choices": ["Everything", "No meat"],
        "isRequired": False,
    }

    question: str
    choices: list[str] = []
    is_required: bool = False
    question_id: str | None = None
