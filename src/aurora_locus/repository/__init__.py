"""Repositories hosted here: records under paths, one signed head each, every change one commit and one event.

This room owns ``repositories``, ``blocks`` and ``records``. Invariants: a head moves only in the
transaction that stores its blocks, index rows, blob references and firehose event (``commit.py`` is the one way, and
``import_car.py`` for a whole repository); one that is not active has no commits but by import, of which nobody is told;
the index says exactly what the tree says.
"""
