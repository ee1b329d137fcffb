"""Messages of the reasons of ``openmeet.domain.account_merge.reasons``."""

from collections.abc import Mapping
from typing import Final

from openmeet.i18n.reasons.message import Message, mark

MESSAGES: Final[Mapping[str, Message]] = {
    "account_merge.prove_again": mark("There is nothing to join here. Confirm the other account again."),
    "account_merge.expired": mark("There is nothing left to join here. Confirm the other account again."),
    "account_merge.account_gone": mark("That account isn’t there any more."),
    "account_merge.proof_of_other_accounts": mark(
        "What you confirmed no longer belongs to that account. Confirm the other account again."
    ),
    "account_merge.nothing_to_join": mark("There is nothing left to join here."),
    "account_merge.two_repositories": mark(
        "We keep a repository for both accounts. Take one of them over first, then join them."
    ),
}
