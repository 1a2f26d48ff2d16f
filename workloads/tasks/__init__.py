"""One workload a file, each defining `WORKLOAD`; torch is imported only inside `model()`."""
