"""How good is a detector? Metrics with intervals, named normalisations and thresholds, the choice between methods, and
yardsticks that need no label.
"""
