"""Worker processes with limits, for parsing untrusted input: files, pages, pictures, archives.

A job is a module-level function and its arguments. It runs in another process, which is killed if the job exceeds its
processor time, memory or wall-clock time. It never runs on the event loop or holds the program's interpreter lock. Only
resources are limited: a worker runs as the same user, so it is not a sandbox against code that takes over a decoder.
"""
