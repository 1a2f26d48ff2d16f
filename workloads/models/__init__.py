"""Models of the closed division, each module one architecture; the only modules with torch."""
