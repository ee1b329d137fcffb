"""DID documents of accounts, as the tests publish them."""

from at_protocol.crypto.did_key import PublicKey, format_multikey
from at_protocol.identity.did_document import ATPROTO_KEY, PDS_SERVICE, PDS_TYPE, DidService, build_did_document
from at_protocol.syntax.did import Did
from at_protocol.syntax.handle import Handle


def account_document(did: Did, *, handle: Handle | None, key: PublicKey, pds: str) -> dict[str, object]:
    """Build the document of an ordinary account, as a did:web account publishes it. ``pds`` is ``https://host``."""
    return build_did_document(
        did,
        also_known_as=[] if handle is None else [f"at://{handle}"],
        verification_methods={ATPROTO_KEY: "did:key:" + format_multikey(key)},
        services={PDS_SERVICE: DidService(PDS_TYPE, pds)},
    )
