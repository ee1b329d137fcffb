"""``make bench-pds``: compare Aurora Locus with the reference PDS. Each is a separate process and does the same work in
the same run.
"""
