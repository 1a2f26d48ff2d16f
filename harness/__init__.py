"""The harness of JouleMark: it runs, measures, scores, ranks and renders training runs."""

__version__ = "0.1.0"
