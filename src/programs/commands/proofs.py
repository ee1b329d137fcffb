"""Options of ``openmeet proofs …``: the keys that sign proofs of attendance."""

from typing import Annotated

import typer

from openmeet.tenants.names import DEFAULT_TENANT
from programs.command_line import AsJson, OfTenant, SettingsFile, loading, noun

app = noun("List and revoke the keys that sign proofs of attendance.")

KeyId = Annotated[str, typer.Argument(help="The id of the key; see `openmeet proofs keys`.", metavar="KEY")]


@app.command()
def keys(tenant: OfTenant = DEFAULT_TENANT, settings_file: SettingsFile = None, as_json: AsJson = False) -> None:
    """List every key that ever signed proofs, newest first."""
    with loading():
        from programs.operations import proofs
    proofs.show_keys(tenant, settings_file, as_json=as_json)


# The id of a key can begin with a hyphen.
@app.command(name="revoke-key", context_settings={"ignore_unknown_options": True})
def revoke_key(key: KeyId, tenant: OfTenant = DEFAULT_TENANT, settings_file: SettingsFile = None) -> None:
    """Revoke a key that somebody may have stolen, for good. Files that it signed can no longer be verified; the links
    of proofs still work, and people download new files there. If it is the key that signs, it is replaced.
    """
    with loading():
        from programs.operations import proofs
    proofs.revoke_key(key, tenant, settings_file)
