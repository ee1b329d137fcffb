"""Worker processes with limits, for parsing untrusted input: files, pages, pictures, archives.

A job is a function of a module and its arguments. It runs in another process, which is killed when the job exceeds its
processor time, memory or wall-clock time; nothing of it runs on the event loop or holds its interpreter lock. Only
resources are limited: a worker runs as the same user, so it is no sandbox against code that takes over a decoder.
"""
