"""MLPerf Training: result logs, power logs, scores and exports."""
