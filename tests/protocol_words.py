"""Protocol terms that only developers and operators should read (``docs/design-language.md``, principle 6).

The place where a message is used decides who reads it. Ordinary readers do not open “Technical details”.
"""

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Final

from babel.messages.catalog import Catalog
from babel.messages.pofile import read_po
from checks.messages import Server, files, messages_of

_ENGLISH: Final = re.compile(
    r"\b(?:repositor(?:y|ies)|records?|networks?|handles?|firehose|relays?|lexicons?|record keys?|app ?views?|RSVPs?"
    r"|occurrences?|instances?|(?-i:PDS(?:es)?|DIDs?|CIDs?|NSIDs?|URIs?|UTC|XRPC|OAuth|AT(?: |&nbsp;)Protocol|rkeys?))\b",
    re.IGNORECASE,
)
_GERMAN: Final = re.compile(
    r"\b(?:Repositorys?|Repositories|Datens[aä]tz\w*|Netzwerk\w*|Handles?|Firehose|Relays?|Lexi[ck]on\w*|AppViews?|RSVPs?"
    r"|Instanz(?:en)?|PDS|DIDs?|CIDs?|NSIDs?|URIs?|UTC|XRPC|OAuth|AT(?:[ -]|&nbsp;)Protoco?k?o?ll?s?|rkeys?)\b"
)
# A literal value such as ``did:plc:…`` is an example, not a term.
_NO_WORDS: Final = re.compile(r"%\(\w+\)[sd]|<code>.*?</code>|<[^>]*>|\bdid:\S*|\b[A-Z]+_[A-Z_]+\b")
_TECHNICAL_DETAILS: Final = re.compile(
    rb"<details[^>]*>\s*<summary>(?:<span>)?\{% trans %\}Technical details\{% endtrans %\}.*?</details>", re.DOTALL
)
_REASON: Final = re.compile(rb'^    "(\w+\.\w+)": (?:mark|plural)\(.*?^(?=    "|    \*\*|\})', re.DOTALL | re.MULTILINE)


def is_english_of_protocol(text: str) -> bool:
    """True if an English sentence contains a protocol term."""
    return bool(_ENGLISH.search(_NO_WORDS.sub(" ", text)))


def is_german_of_protocol(text: str) -> bool:
    """True if a German sentence contains a protocol term."""
    return bool(_GERMAN.search(_NO_WORDS.sub(" ", text)))


def for_people(path: Path, source: bytes, technical: re.Pattern[str]) -> bytes:
    """The part of a file that ordinary readers see: without “Technical details”, and without reasons whose name matches
    ``technical``.
    """
    read = _TECHNICAL_DETAILS.sub(b"", source)
    if "reasons" in path.parts:
        read = _REASON.sub(lambda one: b"" if technical.match(one[1].decode()) else one[0], read)
    return read


def offenders(server: Server, technical: re.Pattern[str]) -> Iterator[str]:
    """Yield the sentences for ordinary readers, in English and German, that contain a protocol term.

    ``technical``: matches paths below the server’s package, and names of reasons, that only developers and operators
    read.
    """
    german = _translations(server)
    for path in files(server.sources):
        name = path.relative_to(server.sources).as_posix()
        if technical.match(name):
            continue
        for message, context, _ in messages_of(path, for_people(path, path.read_bytes(), technical)):
            english = (message,) if isinstance(message, str) else tuple(filter(None, message))
            for text in english:
                if is_english_of_protocol(text):
                    yield f"{name}: {text}"
            for text in german.get((context, english[0]), ()):
                if is_german_of_protocol(text):
                    yield f"{name}: {text}"


def _translations(server: Server) -> Mapping[tuple[str | None, str], tuple[str, ...]]:
    (path,) = [one for one in server.languages if one.parent.parent.name == "de"]
    with path.open("rb") as file:
        catalog: Catalog = read_po(file, locale="de")
    return {
        (one.context, one.id if isinstance(one.id, str) else one.id[0]): (
            (one.string,) if isinstance(one.string, str) else tuple(one.string)
        )
        for one in catalog
        if one.id
    }
