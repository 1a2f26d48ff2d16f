"""Static pages from scores: what people see."""
