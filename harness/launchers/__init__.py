"""Launchers start a submission or a predictor in a sandbox; one file here is one launcher."""
