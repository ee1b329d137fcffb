"""The Matrix bridge: chat rooms mirrored to a homeserver. The only package that knows Matrix.

Our database decides; a homeserver that is away delays the mirror and nothing else.
"""
