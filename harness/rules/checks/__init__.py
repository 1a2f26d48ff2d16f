"""Named checks of rulesets: one pure function in each file, which yields findings.

A file defines `check(evidence)` and `CHECK = check`. A finding of level `fail` excludes the score
from the ranking; if its rule id begins with `energy-`, it excludes only the joules.
"""
