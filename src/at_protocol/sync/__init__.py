"""The event stream: frames, messages, what a careful consumer checks, and what it remembers of each account.

Source: event stream and sync specifications. Pure: bytes, keys and the time are arguments.
"""
