"""Running a submission: conductor, sandbox shims, predictor, judge."""
