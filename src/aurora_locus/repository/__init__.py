"""Hosted repositories: records at paths, and one signed head each. Every change is one commit and one event.

This package owns ``repositories``, ``blocks`` and ``records``. Invariants: a head moves only in the transaction that
stores its blocks, index rows, blob references and firehose event (only ``commit.py`` does this, and for a whole
repository ``import_car.py`` and ``rebuild.py``); an inactive repository has no commits except by import or repair,
which are not announced; the index always matches the tree.
"""
