"""The workloads of JouleMark: tasks, training methods and reference submissions."""
