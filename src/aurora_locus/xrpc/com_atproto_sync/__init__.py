"""``com.atproto.sync``: whole repositories, proofs and blobs for mirrors; no sign-in required."""
