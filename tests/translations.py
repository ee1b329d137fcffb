"""Checks of the translations of every server: each keeps the parts of the English message, and every language is
complete.
"""

import ast
import re
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Final

from babel.messages.catalog import Catalog, Message
from babel.messages.pofile import read_po
from checks.messages import KEYWORDS, Server, files, messages_of

from groundwork.i18n.catalogue import SOURCE, Catalogue, base_of
from tests.banned_words import BANNED

_PARAMETER: Final = re.compile(r"%\(\w+\)[sd]|%%")
# Words for screen readers between words that are shown. In a flex container, such as a button or a link with an icon,
# the browser drops the spaces around them, so that the shown words stick together.
_HIDDEN_BETWEEN: Final = re.compile(r'\w[^<>]*<span class="hidden">[^<]*</span>[^<>]*\w')
_TAG: Final = re.compile(r"</?\w[^>]*>|&\w+;")

# "Sie" and officialese. The polite pronouns can be distinguished from "sie" and "ihr" only inside a sentence.
_BANNED_IN_GERMAN: Final = re.compile(
    r"(?<=[a-zäöüß,] )(?:Sie|Ihnen|Ihre?[mnrs]?)\b|\bseitens\b|\bdiesbezüglich|\bhinsichtlich\b|\bzwecks\b|\berfolgreich\b"
    r"|\bUser\b|\bEmail|\bE-mail|\bNutzer|\bVeranstaltung|\bbetätigen\b|\bgemäß\b|\bUnzulässig|\bHoppla\b|;"
)


def _read(path: Path) -> Catalog:
    with path.open("rb") as file:
        return read_po(file)


def _of(server: Catalogue, language: str) -> Catalog:
    return _read(server.folder / language / "LC_MESSAGES" / f"{server.domain}.po")


def _forms(text: str | Sequence[str] | None) -> tuple[str, ...]:
    return (text,) if isinstance(text, str) else tuple(text or ())


def _messages(server: Catalogue, language: str) -> Iterator[Message]:
    """The messages that have a translation."""
    return (one for one in _of(server, language) if one.id and any(_forms(one.string)))


def differences(one: Message, plural_forms: int) -> Iterator[str]:
    """The parts that a translation has lost or added."""
    english, translated = _forms(one.id), _forms(one.string)
    if len(translated) != (1 if len(english) == 1 else plural_forms) or not all(translated):
        yield f"forms of {english}"
    # Each language decides which plural forms contain the number.
    known = [set(_PARAMETER.findall(text)) for text in english]
    for text in translated:
        has = set(_PARAMETER.findall(text))
        if not (set.intersection(*known) <= has <= set.union(*known)):
            yield f"parameters of {text!r}"
        if sorted(_TAG.findall(text)) != sorted(_TAG.findall(english[-1])):
            yield f"tags of {text!r}"
        if (text[:1].isspace(), text[-1:].isspace()) != (english[-1][:1].isspace(), english[-1][-1:].isspace()):
            yield f"spaces around {text!r}"
    for text in (*english, *translated):
        if _HIDDEN_BETWEEN.search(text):
            yield f"hidden words between shown ones in {text!r}"


def hidden_in_strings(source: str) -> list[int]:
    """The lines of Python code with a message inside an f-string, where it is not found and so never translated."""
    return [
        call.lineno
        for text in ast.walk(ast.parse(source))
        if isinstance(text, ast.JoinedStr)
        for call in ast.walk(text)
        if isinstance(call, ast.Call) and isinstance(call.func, ast.Name) and call.func.id in KEYWORDS
    ]


def all_found(server: Server) -> None:
    hidden = {
        str(path): lines
        for path in sorted(server.sources.rglob("*.py"))
        if (lines := hidden_in_strings(path.read_text("utf-8")))
    }
    assert hidden == {}


def kept(server: Catalogue) -> None:
    """Every translation keeps parameters, tags and plural forms, and no message is fuzzy."""
    for path in sorted(server.folder.glob(f"*/LC_MESSAGES/{server.domain}.po")):
        language = path.parent.parent.name
        forms = _of(server, language).num_plurals
        assert [found for one in _messages(server, language) for found in differences(one, forms)] == []
        assert [one.id for one in _of(server, language) if one.fuzzy and one.id] == []


def missing(server: Catalogue) -> dict[str, list[str]]:
    """The messages without a translation, by language. A variant, such as ``en_US``, has only what differs from the
    language that it varies.
    """
    tags = server.available()
    languages = [
        tag.replace("-", "_") for tag in tags if tag != SOURCE and (base_of(tag) == tag or base_of(tag) not in tags)
    ]
    template = _keys(_read(server.folder / f"{server.domain}.pot"))
    lacking = {one: template - _keys(_messages(server, one)) for one in languages}
    return {language: sorted(str(english) for _, english in keys) for language, keys in lacking.items()}


def unused(server: Catalogue) -> dict[str, list[str]]:
    """The translations of messages that are not in the sources, by language and variant."""
    template = _keys(_read(server.folder / f"{server.domain}.pot"))
    languages = [tag.replace("-", "_") for tag in server.available() if tag != SOURCE]
    return {one: sorted(str(english) for _, english in _keys(_messages(server, one)) - template) for one in languages}


def complete(server: Catalogue) -> None:
    """Every message has a translation in every language, and no translation is unused."""
    assert not any(missing(server).values()), missing(server)
    assert not any(unused(server).values()), unused(server)


def _keys(messages: Iterable[Message]) -> set[tuple[str | None, tuple[str, ...]]]:
    return {(one.context, _forms(one.id)) for one in messages if one.id}


def good_german(server: Catalogue) -> None:
    """German texts have no banned word, use German quotation marks, and keep a number and its unit on one line."""
    said = [text for one in _messages(server, "de") for text in _forms(one.string)]
    # Parameter names, "&nbsp;" and addresses are not part of a sentence.
    assert [text for text in said if _BANNED_IN_GERMAN.search(_TAG.sub("", text))] == []
    # German texts use German quotation marks, except around JSON.
    assert [text for text in said if "”" in text or ('"' in _TAG.sub("", text) and "{" not in text)] == []
    assert [text for text in said if re.search(r"%\(\w+\)s(</\w+>)? (Uhr|km|MB|Bytes)\b", text)] == []


def counted(server: Server) -> None:
    """No message with a number is used both with and without its plural: without it, German would read “8 Zusage”."""
    plural, single = set(), set()
    many: dict[tuple[str, str | None], set[str]] = {}
    for path in files(server.sources):
        for message, context, _ in messages_of(path, path.read_bytes()):
            if isinstance(message, str):
                single.add((message, context))
                continue
            many.setdefault((message[0], context), set()).add(message[1])
            if _PARAMETER.search(message[0]):
                plural.add((message[0], context))
    assert sorted(message for message, _ in plural & single) == []
    # A catalogue has one plural for each singular, so that the parameters of another plural would be missing.
    assert [plurals for plurals in many.values() if len(plurals) > 1] == []


def good_english(server: Catalogue) -> None:
    """English texts have no banned word."""
    sentences = (text for one in _read(server.folder / f"{server.domain}.pot") for text in _forms(one.id))
    assert [one for one in sentences if BANNED.search(one)] == []
