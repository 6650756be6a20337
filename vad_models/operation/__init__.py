"""What does a trained method need in service? `detector.load_detector` is the way in."""
