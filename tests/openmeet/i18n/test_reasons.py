"""Every reason code has a message, and every message belongs to a code."""

import importlib
import pkgutil
import re

import openmeet
from groundwork.errors import Reason
from openmeet.i18n.catalogue import Plural
from openmeet.i18n.reasons.messages import MESSAGES


def _codes() -> dict[str, str]:
    """Every reason code of the platform, each with its enum."""
    for module in pkgutil.walk_packages(openmeet.__path__, "openmeet."):
        if ".migrations." not in module.name:
            importlib.import_module(module.name)
    found: dict[str, str] = {}
    # Tests of the PDS in the same process may have imported its reasons.
    for kind in (one for one in Reason.__subclasses__() if not one.__module__.startswith("aurora_locus.")):
        for member in kind:
            assert member.value not in found, f"{member.value} is in {found[member.value]} and {kind.__name__}"
            found[member.value] = kind.__name__
    return found


def test_every_code_has_a_message_and_every_message_a_code() -> None:
    codes = _codes()
    assert sorted(codes) == sorted(MESSAGES)


def test_codes_are_plain() -> None:
    odd = [code for code in MESSAGES if not re.fullmatch(r"[a-z]+(_[a-z]+)*\.[a-z0-9]+(_[a-z0-9]+)*", code)]
    assert odd == []


def test_a_message_with_parameters_belongs_to_one_code() -> None:
    """A limit that several packages have is one code with parameters, so that its wording cannot drift apart."""
    by_message: dict[str, list[str]] = {}
    for code, message in MESSAGES.items():
        if not isinstance(message, Plural) and "%(" in message:
            by_message.setdefault(message, []).append(code)
    assert [codes for codes in by_message.values() if len(codes) > 1] == []


def test_plural_messages_contain_their_number() -> None:
    odd = [
        code
        for code, message in MESSAGES.items()
        if isinstance(message, Plural) and f"%({message.by})s" not in message.many
    ]
    assert odd == []
