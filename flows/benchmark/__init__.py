"""How does raw footage become trained jobs, champions and a report? `flow.benchmark` is the way in; its stages are what
`dvc.yaml` runs one by one.
"""
