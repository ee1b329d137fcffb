"""How programs get in: tokens that people make for them, what each token may do, how often, and requests sent twice.

A token is shown once and kept as a hash (invariant 8). A request that carries a key is carried out once: its key, its digest and
its answer are written in the transaction of its effect.
"""
