"""Meter plug-ins, one file each; a vendor's library is imported only when its meter is asked."""
