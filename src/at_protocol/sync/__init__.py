"""The event stream: frames, messages, verification, and the consumer's state of each account.

Source: event stream and sync specifications. Pure: bytes, keys and the time are arguments.
"""
