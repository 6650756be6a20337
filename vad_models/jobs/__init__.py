"""What is a job, and what does it leave?

`matrix.make_jobs` lists the jobs of a dataset, `run.run_job` trains and measures one, `directory` knows
the files that it writes, and `finished.read_finished` reads them back.
"""
