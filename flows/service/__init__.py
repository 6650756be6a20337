"""What runs for a camera in service: scoring its videos, promoting its best job, retraining on new footage?"""
