"""What does robustness mean?

Distortions of test video, contaminated and subsampled training, and the jobs that these need.
"""
