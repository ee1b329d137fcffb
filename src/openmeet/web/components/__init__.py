"""Component page: every element of the design in every state."""
