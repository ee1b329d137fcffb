"""Embeds: an event, or a list of events, in a frame on other people's websites; and the page where the code for one is made."""
