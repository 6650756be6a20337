"""What does robustness mean?

The way in is `conditions.conditions`, the grid of distortions of test video. Other modules have contaminated and
subsampled training, and the jobs that they need.
"""
