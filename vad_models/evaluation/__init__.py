"""How good is a detector?

The way in is `metrics.measure`, which computes metrics with intervals. Other modules have normalisations and
thresholds, the choice between methods, and yardsticks that need no labels.
"""
