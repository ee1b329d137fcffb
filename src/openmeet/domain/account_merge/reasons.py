"""Reasons why an account merge is refused or its input is invalid."""

from groundwork.errors import Reason


class AccountMergeReason(Reason):
    """Codes; their messages are in ``i18n/reasons/accounts.py``."""

    PROVE_AGAIN = "account_merge.prove_again"
    EXPIRED = "account_merge.expired"
    ACCOUNT_GONE = "account_merge.account_gone"
    PROOF_OF_OTHER_ACCOUNTS = "account_merge.proof_of_other_accounts"
    NOTHING_TO_JOIN = "account_merge.nothing_to_join"
    TWO_REPOSITORIES = "account_merge.two_repositories"
