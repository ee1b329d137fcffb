"""Verbs of ``openmeet pds VERB``. Without a verb, it serves.

Each module has a Typer application named ``app``, with one command (``openmeet pds backup``) or several (``openmeet pds
account list``). To add a verb, write the module here and add its line to the table. A test compares the table with the
folder.
"""

from collections.abc import Mapping
from typing import Final

# name -> (module, description), in the order in which the help shows them
VERBS: Final[Mapping[str, tuple[str, str]]] = {
    "adopt": ("programs.commands.pds.adopt", "Import the data folder of a stopped reference PDS"),
    "check": ("programs.commands.pds.check", "Check from outside whether a PDS is set up correctly"),
    "migrate": ("programs.commands.pds.migrate", "Move an account in or out, with all its data"),
    "account": ("programs.commands.pds.account", "Accounts: create, show, take down, restore, delete"),
    "invite": ("programs.commands.pds.invite", "Invite codes: create, list, disable"),
    "sequence": ("programs.commands.pds.sequence", "The event log: status, list, show, verify"),
    "request-crawl": ("programs.commands.pds.request_crawl", "Ask the relays to crawl this server"),
    "recover": ("programs.commands.pds.recover", "Move an account with its recovery key, without its old server"),
    "recovery-key": ("programs.commands.pds.recovery_key", "Create a recovery key on this machine"),
    "repoint": (
        "programs.commands.pds.repoint",
        "Change an account's server in the directory with a recovery key, and nothing else",
    ),
    "backup": ("programs.commands.pds.backup", "Make an encrypted backup now, and verify it"),
    "backups": ("programs.commands.pds.backups", "List backups, or verify one again"),
    "restore": ("programs.commands.pds.restore", "Restore a server from a backup into empty storage"),
    "verify": ("programs.commands.pds.verify", "Verify all stored data"),
    "repair": ("programs.commands.pds.repair", "Repair a damaged repository"),
    "rotate-keys": (
        "programs.commands.pds.rotate_keys",
        "Rotate keys: of an account, of the server, of stored secrets",
    ),
    "sweep": ("programs.commands.pds.sweep", "Remove blobs that no record refers to"),
    "quota": ("programs.commands.pds.quota", "Show or set the storage quota of an account's blobs"),
    "release-handle": ("programs.commands.pds.release_handle", "Release a handle that is reserved for its last owner"),
    "export": ("programs.commands.pds.export", "Export a repository to a file"),
    "import": ("programs.commands.pds.import_", "Replace a repository with the content of a file"),
}
