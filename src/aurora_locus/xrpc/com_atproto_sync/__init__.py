"""``com.atproto.sync``: whole repositories, proofs and blobs for whoever mirrors them; nobody needs to sign in."""
