"""What does MLflow know of a job or a study? `runs.running` opens a job's run, and `runs.fill_run` fills it."""
