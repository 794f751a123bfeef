"""Conversations that nobody had, for whoever wants to try the page, or to see how it does with a million messages."""
