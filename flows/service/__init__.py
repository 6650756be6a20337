"""What runs for a camera in service? One flow per file: `scoring` of its videos, `promote` its best job or a named
version, `retrain` on new footage.
"""
