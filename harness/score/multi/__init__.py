"""Rankings of training methods over several workloads."""
