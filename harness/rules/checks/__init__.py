"""Named checks of rulesets: one pure function a file, each yielding findings with a rule id.

A file defines `check(evidence)` and `CHECK = check`. A `fail` finding
takes a submission's score out of the ranking; one whose rule id begins with `energy-` takes out
only its joules.
"""
