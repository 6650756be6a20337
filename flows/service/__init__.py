"""What runs for a camera in service?

The way in is one flow per file: `scoring.score` scores videos, `promote.promote` promotes the best job or a named
version, and `retrain.retrain` trains again on new footage.
"""
