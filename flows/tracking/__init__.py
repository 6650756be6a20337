"""What does MLflow know about a job or a study?

The way in is `runs.running`, which opens a job's run; `runs.fill_run` then logs the finished job in it.
"""
