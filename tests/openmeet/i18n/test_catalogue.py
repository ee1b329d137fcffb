"""Language choice, and translation of messages by a catalogue."""

import jinja2
import pytest
from markupsafe import Markup

from groundwork.errors import Explanation
from groundwork.i18n import pseudo
from openmeet.domain.validation import GeneralReason
from openmeet.i18n import catalogue, countries
from openmeet.i18n.catalogue import LazyText, gettext, language, lazy, negotiated, ngettext, speaking
from openmeet.i18n.reasons.messages import explain
from openmeet.i18n.templates import speak
from tests.openmeet.i18n.conftest import AddLanguage

# Polish, for its three plural forms and its letters. It contains no sentence of the site.
_POLISH = """
msgid ""
msgstr ""
"Content-Type: text/plain; charset=utf-8\\n"
"Plural-Forms: nplurals=3; plural=(n==1 ? 0 : n%10>=2 && n%10<=4 && (n%100<12 || n%100>14) ? 1 : 2);\\n"

msgid "Good morning, %(name)s"
msgstr "Dzień dobry, %(name)s"

msgid "%(number)s event"
msgid_plural "%(number)s events"
msgstr[0] "%(number)s wydarzenie"
msgstr[1] "%(number)s wydarzenia"
msgstr[2] "%(number)s wydarzeń"
"""


@pytest.fixture
def polish(add_language: AddLanguage) -> None:
    """A language added by its file only."""
    add_language("pl", _POLISH)


@pytest.mark.usefixtures("polish")
def test_a_language_is_added_by_its_file() -> None:
    with speaking("pl"):
        assert gettext("Good morning, %(name)s", name="Ana") == "Dzień dobry, Ana"
        assert [ngettext("%(number)s event", "%(number)s events", number) for number in (1, 3, 5)] == [
            "1 wydarzenie",
            "3 wydarzenia",
            "5 wydarzeń",
        ]
    assert language("pl").name == "Polski"


@pytest.mark.usefixtures("polish")
def test_countries_have_names_in_the_current_language() -> None:
    assert countries.name_of("DE") == "Germany"
    with speaking("pl"):
        assert (countries.name_of("DE"), countries.known_code("Niemcy")) == ("Niemcy", "DE")
        assert ("AT", "Austria") in countries.offered()
        assert countries.known_code("Germany") == "DE"
    assert countries.name_of("Narnia") == "Narnia"


@pytest.mark.usefixtures("polish")
def test_a_message_without_translation_is_english() -> None:
    with speaking("pl"):
        assert gettext("Good night") == "Good night"


@pytest.mark.usefixtures("polish")
@pytest.mark.parametrize(
    ("header", "chosen"),
    [
        ("", "en"),
        ("pl", "pl"),
        ("pl-PL,pl;q=0.9,en;q=0.8", "pl"),
        ("en;q=0.8, pl;q=0.3", "en"),
        ("fr, *;q=0.5", "en"),
        ("pl;q=0", "en"),
        ("pl;q=high", "en"),
        ("en-XA", "en"),
        (";;;,,,q=", "en"),
    ],
)
def test_accept_language_chooses_the_best_one_there_is(header: str, chosen: str) -> None:
    assert negotiated(header, "en") == chosen


def test_the_pseudo_locale_is_not_offered() -> None:
    assert pseudo.TAG not in catalogue.available()


def test_a_language_applies_until_its_block_ends() -> None:
    with speaking(pseudo.TAG):
        assert gettext("Save") == "[Šàvë]"
        with speaking("en"):
            assert gettext("Save") == "Save"
        assert gettext("Save") == "[Šàvë]"
    assert gettext("Save") == "Save"


def test_a_lazy_message_is_translated_when_it_is_used() -> None:
    words: LazyText = lazy("Save %(name)s", name="draft")
    with speaking(pseudo.TAG):
        assert str(words) == "[Šàvë draft]"
    assert str(words) == "Save draft"


def test_the_pseudo_locale_keeps_parameters_and_tags() -> None:
    with speaking(pseudo.TAG):
        assert gettext(
            '<a href="/us">%(name)s</a> is %(share)s %%', name="us", share=5
        ) == '[<a href="/us">us</a> ïš 5 %]'.replace("ï", "î")


def test_reasons_are_explained_with_their_parameters() -> None:
    why = GeneralReason.CHOOSE_ONE(choices="a, b")
    assert why == Explanation("general.choose_one", {"choices": "a, b"})
    assert explain(why) == "Choose one of: a, b."
    with speaking(pseudo.TAG):
        assert explain(why) == "[Chööšë öñë öf: a, b.]"


def test_a_reason_may_be_a_parameter_of_a_message() -> None:
    templates = jinja2.Environment(autoescape=True, extensions=["jinja2.ext.i18n"])
    speak(templates)
    source = "{% trans %}Refused: {{ why }}{% endtrans %} {{ _('Refused: %(why)s', why=why) }}"
    shown = templates.from_string(source).render(why=GeneralReason.CHOOSE_ONE(choices="<a>"))
    assert shown == "Refused: Choose one of: &lt;a&gt;. Refused: Choose one of: &lt;a&gt;."


def test_templates_use_the_current_language_and_escape_parameters() -> None:
    templates = jinja2.Environment(autoescape=True, extensions=["jinja2.ext.i18n"])
    speak(templates)
    source = "{% trans name=name %}Write <b>{{ name }}</b>{% endtrans %} {{ _('Save') }} {{ why }} {{ label }}"
    template = templates.from_string(source)
    shown = template.render(name="<i>", why=GeneralReason.CHOOSE_ONE(choices=Markup("<u>")), label=lazy("Names"))
    assert shown == "Write <b>&lt;i&gt;</b> Save Choose one of: &lt;u&gt;. Names"
    with speaking(pseudo.TAG):
        assert template.render(name="N", why="", label=lazy("Now")).startswith("[Wrîtë <b>N</b>] [Šàvë]")
