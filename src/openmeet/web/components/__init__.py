"""The page of components: every part of the look in every state."""
