"""Texts of the operators' pages for roles, actions, and the states and kinds of reports."""

import re
from typing import Final

from aurora_locus.i18n.catalogue import LazyText, lazy, plazy

STATES: Final = {
    "open": plazy("state of a report", "open"),
    "acknowledged": plazy("state of a report", "seen"),
    "escalated": plazy("state of a report", "escalated"),
    "resolved": plazy("state of a report", "resolved"),
}

ROLES: Final = {"moderator": lazy("Moderator"), "admin": lazy("Admin"), "superadmin": lazy("Superadmin")}

# Keyed by ``OperatorAction``.
ACTIONS: Final = {
    "see": lazy("Marked as seen"),
    "subject.take_down": lazy("Taken down"),
    "subject.restore": lazy("Restored"),
    "account.announce": lazy("Status announced again"),
    "account.suspend": lazy("Account suspended"),
    "account.end_suspension": lazy("Suspension ended"),
    "account.deactivate": lazy("Account paused"),
    "account.reactivate": lazy("Account shown again"),
    "account.disable_invites": lazy("Invites of an account disabled"),
    "account.enable_invites": lazy("Invites of an account enabled"),
    "invites.disable": lazy("Invite codes disabled"),
    "account.send_email": lazy("E-mail sent"),
    "report.work_on": lazy("Report handled"),
    "subject.label": lazy("Label changed"),
    "invites.create": lazy("Invite codes created"),
    "account.create": lazy("Account created"),
    "account.send_password_reset": lazy("Password reset sent"),
    "account.remove_second_factors": lazy("Two-step sign-in turned off"),
    "account.change_email": lazy("E-mail address changed"),
    "account.change_handle": lazy("Handle changed"),
    "account.release_handle": lazy("Handle released"),
    "account.set_quota": lazy("Space for files changed"),
    "account.delete": lazy("Account deleted"),
    "server.request_crawl": lazy("Relays asked to read"),
    "server.sweep_blobs": lazy("Expired uploads removed"),
    "account.set_password": lazy("Password set"),
    "account.change_signing_key": lazy("Signing key changed"),
    "operators.manage": lazy("Operators changed"),
}

# Labels of the changed values in the audit log, by their name there.
FIELDS: Final = {
    "status": plazy("audit log", "status"),
    "takedown": plazy("audit log", "reference of the takedown"),
    "suspended_until": plazy("audit log", "suspended until"),
    "disabled": plazy("audit log", "disabled"),
    "subject": plazy("audit log", "subject of the e-mail"),
    "codes": plazy("audit log", "codes"),
    "uses": plazy("audit log", "uses per code"),
    "handle": plazy("audit log", "handle"),
    "key": plazy("audit log", "key"),
    "max_bytes": plazy("audit log", "space in bytes"),
    "state": plazy("audit log", "state"),
    "value": plazy("audit log", "label"),
    "negated": plazy("audit log", "withdrawn"),
    "cid": plazy("audit log", "version"),
    "role": plazy("audit log", "role"),
    "did": plazy("audit log", "account"),
    "password": plazy("audit log", "password"),
}

_YES: Final = plazy("audit log", "yes")
_NO: Final = plazy("audit log", "no")
# Values that the audit log stores as a phrase.
_KEPT: Final = {
    "changed": plazy("audit log", "changed"),
    "every code of the account": plazy("audit log", "every code of the account"),
}

# The status of an account at a relay.
AT_RELAYS: Final = {
    "active": plazy("an account at a relay", "read"),
    "deactivated": plazy("an account at a relay", "paused"),
    "suspended": plazy("an account at a relay", "suspended"),
    "takendown": plazy("an account at a relay", "taken down"),
    "deleted": plazy("an account at a relay", "deleted"),
    "throttled": plazy("an account at a relay", "throttled"),
    "desynchronized": plazy("an account at a relay", "out of sync"),
    "unknown": plazy("an account at a relay", "unknown"),
}

# Kinds of reports that apps send (com.atproto.moderation.defs, tools.ozone.report.defs), by the start of their name.
_REASONS: Final = {
    "Spam": lazy("Spam"),
    "Violation": lazy("Breaks the rules"),
    "Misleading": lazy("Misleading"),
    "Sexual": lazy("Sexual content"),
    "Rude": lazy("Rude"),
    "Other": lazy("Something else"),
    "Appeal": lazy("Appeal"),
    "Violence": lazy("Violence"),
    "ChildSafety": lazy("Child safety"),
    "Harassment": lazy("Harassment"),
    "Rule": lazy("Breaks the rules"),
    "SelfHarm": lazy("Self-harm"),
}


def value(name: str, stored_value: object) -> LazyText | str:
    """Return the text for a value of the audit log. ``name`` is its name there."""
    if isinstance(stored_value, bool):
        return _YES if stored_value else _NO
    labels = {"role": ROLES, "state": STATES}.get(name, _KEPT)
    return labels.get(str(stored_value), str(stored_value))


def reason(reason_type: str) -> LazyText | str:
    """Return the text for the kind of a report, such as ``Spam``; for an unknown kind, the last part of its identifier."""
    kind = reason_type.rpartition("#")[2].removeprefix("reason")
    text = next((words for start, words in _REASONS.items() if re.match(rf"{start}(?![a-z])", kind)), None)
    return text or kind or reason_type
