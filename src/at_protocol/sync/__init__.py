"""The event stream: frames, messages, verification, and a consumer's state of each account.

Source: event stream and sync specifications. Pure: callers pass in bytes, keys and the time.
"""
