"""Meters that read power logs: `logfile` follows one while it grows, `replay` plays a trace."""
