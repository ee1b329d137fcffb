"""``com.atproto.sync.*``: whole repositories, proofs and blobs for mirrors. No sign-in is required."""
