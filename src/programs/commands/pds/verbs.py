"""Verbs of ``openmeet pds VERB``. Without a verb it serves.

Each module has a Typer application named ``app``: one command (``openmeet pds backup``), or a noun of several
(``openmeet pds account list``). To add one: write the module here, add its line. A test compares the table with the
folder.
"""

from collections.abc import Mapping
from typing import Final

# name -> (module, what it does), in the order in which help shows them
VERBS: Final[Mapping[str, tuple[str, str]]] = {
    "adopt": ("programs.commands.pds.adopt", "Take over the data folder of a stopped reference PDS"),
    "check": ("programs.commands.pds.check", "Is a PDS well set up? Any PDS, looked at from outside"),
    "migrate": ("programs.commands.pds.migrate", "Move an account in or out, with everything that it has"),
    "account": ("programs.commands.pds.account", "Accounts: make, look at, take down, restore, delete"),
    "invite": ("programs.commands.pds.invite", "Invite codes: make, list, disable"),
    "sequence": ("programs.commands.pds.sequence", "The event log: how far it is, what stands in it"),
    "request-crawl": ("programs.commands.pds.request_crawl", "Have the relays asked to read this server"),
    "recover": ("programs.commands.pds.recover", "Move an account with its recovery key; its server may be gone"),
    "recovery-key": ("programs.commands.pds.recovery_key", "Make a recovery key on this machine"),
    "repoint": ("programs.commands.pds.repoint", "Say with a recovery key where an account is, nothing else"),
    "backup": ("programs.commands.pds.backup", "Make an encrypted backup now, and prove it"),
    "backups": ("programs.commands.pds.backups", "Which backups there are; prove one again"),
    "restore": ("programs.commands.pds.restore", "A server from a backup, in an empty place"),
    "verify": ("programs.commands.pds.verify", "Is everything that is stored true?"),
    "repair": ("programs.commands.pds.repair", "Put a damaged repository in order"),
    "rotate-keys": ("programs.commands.pds.rotate_keys", "Other keys: of an account, of secrets at rest"),
    "sweep": ("programs.commands.pds.sweep", "Remove blobs that nobody refers to"),
    "quota": ("programs.commands.pds.quota", "How much room an account's blobs may take"),
    "release-handle": ("programs.commands.pds.release_handle", "Let anybody take a handle that was given up"),
    "export": ("programs.commands.pds.export", "A repository into a file"),
    "import": ("programs.commands.pds.import_", "A repository from a file"),
}
