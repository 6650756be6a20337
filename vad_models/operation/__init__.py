"""What does a trained method need in service? The way in is `detector.load_detector`."""
