"""Formats of other projects: archives that are read, and files that are written for their tools."""
