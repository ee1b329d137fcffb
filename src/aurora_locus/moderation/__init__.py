"""What the host decides about what is here: accounts, records and blobs that are taken down, and how that is lifted.

A decision is kept apart from its effect, so that lifting it returns an account to what its owner had chosen. Records stay in
their repository, whose proofs would break without them, and are shown by no reading method; blobs stay on the disk.
"""
