"""Embeds: an event or a list of events in a frame on other websites, and the page that generates the code for one."""
