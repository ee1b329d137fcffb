"""``make bench-pds``: Aurora Locus and the reference PDS, each a process of its own, at the same work in the same run."""
