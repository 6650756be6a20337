"""What is a job, and which files does it write?

`matrix.make_jobs` lists the jobs of a dataset, `run.run_job` trains and measures one, `directory` knows
the files that it writes, and `finished.read_finished` reads them back.
"""
