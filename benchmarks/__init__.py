"""Scripts that measure JouleMark itself and its reference submissions."""
