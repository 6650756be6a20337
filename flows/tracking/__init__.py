"""What does MLflow know of a job or a study? `runs.running` opens a job's run, and `runs.log_job` fills it."""
