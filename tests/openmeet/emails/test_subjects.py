"""A subject says what happened, to which event, and on which day, within the length that phones show."""

import re
from pathlib import Path

import pytest

from openmeet.emails import notifications
from openmeet.emails.render import subject_line

_SENTENCE = re.compile(r"{% trans[^%]*%}(.*?){% endtrans %}", re.DOTALL)
# Words that the parts of a sentence are made of.
_COMMON = {
    "been",
    "every",
    "from",
    "have",
    "here",
    "over",
    "said",
    "that",
    "there",
    "they",
    "this",
    "what",
    "with",
    "your",
}


@pytest.mark.parametrize(
    ("fact", "title", "day", "subject"),
    [
        ("You’re going", "Lightning talks", "Tue 24 Nov", "You’re going: Lightning talks, Tue 24 Nov"),
        ("Your answers", "Thursday games", "", "Your answers: Thursday games"),
        ("Cancelled", "Tea, " * 40, "Tue 24 Nov", "Cancelled: Tea, Tea, Tea, Tea, Tea, Tea, Tea…, Tue 24 Nov"),
        ("Cancelled", "Donaudampfschifffahrtsgesellschaft und mehr", "", None),
        ("Cancelled", "D" * 70, "Tue 24 Nov", f"Cancelled: {'D' * 36}…, Tue 24 Nov"),
        ("Somebody with a name of many words invites you", "Board games", "Tue 24 Nov", None),
        ("Somebody with a name of many words invites you", "Board games at the library", "Tue 24 Nov", None),
    ],
)
def test_only_the_title_is_cut(fact: str, title: str, day: str, subject: str | None) -> None:
    """A long title is cut, but at least a dozen characters of it remain."""
    made = subject_line(fact, title, day)
    assert subject in {made, None}
    assert made.startswith(f"{fact}: {title[:11]}")
    assert made.endswith(day)
    assert len(made) <= max(60, len(fact) + len(day) + 4 + 12)


def test_no_mail_repeats_its_subject_in_the_first_line() -> None:
    """Whichever of its beginnings a mail has: the text up to the end of the first condition, or its first sentence."""
    repeated = {}
    for template in sorted(Path(notifications.__file__).parent.joinpath("templates").glob("[a-z]*.jinja")):
        subject, text = (_sentences(template, block) for block in ("subject", "text"))
        first = [re.split(r"[.:] ", sentence)[0] for sentence in text]
        if words := _words(" ".join(subject)) & _words(" ".join(first)):
            repeated[template.name] = words
    assert repeated == {}


def _sentences(template: Path, block: str) -> list[str]:
    found = re.search(f"{{% block {block} %}}(.*?){{% endblock %}}", template.read_text(), re.DOTALL)
    if found is None:
        return []
    text = found[1].strip()
    begins = text.partition("{% endif %}")[0] if text.startswith("{% if") else text
    sentences = _SENTENCE.findall(begins)
    return sentences if block == "subject" or text.startswith("{% if") else sentences[:1]


def _words(text: str) -> set[str]:
    """The words of a text that say what it is about, without their endings."""
    plain = re.sub(r"{[{%].*?[%}]}", " ", text).lower()
    return {word[:6] for word in re.findall("[a-z]{4,}", plain)} - {word[:6] for word in _COMMON}
