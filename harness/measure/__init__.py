"""Reads meters, computes energy with its uncertainty, and audits both."""
