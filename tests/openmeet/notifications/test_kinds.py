"""Every kind of notification has its template blocks, and every block belongs to a kind."""

import re

import jinja2
import pytest

from openmeet.domain.notifications.kinds import KINDS
from openmeet.emails.notifications.texts import TEMPLATES
from openmeet.i18n.catalogue import available, gettext, speaking

REQUIRED = {"line", "subject", "text"}
# Optional blocks that a template can have in addition to the required ones.
OPTIONAL = {"quote", "action"}


def test_there_is_a_template_for_each_kind_and_a_kind_for_each_template() -> None:
    files = {path.stem for path in TEMPLATES.glob("*.jinja") if not path.name.startswith("_")}
    assert files == set(KINDS)
    assert {path.suffix for path in TEMPLATES.iterdir()} == {".jinja"}


@pytest.mark.parametrize("name", KINDS)
def test_each_template_has_every_block(name: str) -> None:
    environment = jinja2.Environment(autoescape=True, extensions=["jinja2.ext.i18n"])
    source = (TEMPLATES / f"{name}.jinja").read_text(encoding="utf-8")
    blocks = {block.name for block in environment.parse(source).find_all(jinja2.nodes.Block)}
    assert REQUIRED <= blocks <= REQUIRED | OPTIONAL
    assert "title" in source.partition("{% endblock %}")[0], "the line names the subject"


@pytest.mark.parametrize("language", available())
@pytest.mark.parametrize("name", KINDS)
def test_a_title_with_its_day_is_within_the_sentence(name: str, language: str) -> None:
    """Because it ends with a comma: “Tea, Mon 28 Dec,”."""
    source = (TEMPLATES / f"{name}.jinja").read_text(encoding="utf-8")
    for words in re.findall(r"{% trans title=words\.dated_in_short.*?%}(.*?){% endtrans %}", source):
        others = dict.fromkeys(re.findall(r"{{ (\w+) }}", words), "x")
        with speaking(language):
            sentence = gettext(re.sub(r"{{ (\w+) }}", r"%(\1)s", words), **others | {"title": "Tea, Monday,"})
        assert re.search(r"Monday, \w", sentence), sentence
