"""Hosted repositories: records under paths, one signed head each; every change is one commit and one event.

This package owns ``repositories``, ``blocks`` and ``records``. Invariants: a head moves only in the transaction that stores
its blocks, index rows, blob references and firehose event (``commit.py`` is the one way, and ``import_car.py`` for a whole
repository); an inactive one has no commits except by import, which is not announced; the index always matches the tree.
"""
