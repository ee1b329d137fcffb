"""Killable worker processes with limits, for reading what outsiders send: files, pages, pictures, archives.

A job is a function of a module and its arguments. It runs in another process, which is killed when the job takes more processor time,
memory or wall-clock time than it may; nothing of it runs on the event loop or holds its interpreter lock. What is limited here is
resources: a worker runs as the same user, so it is no wall against code that takes over a decoder.
"""
