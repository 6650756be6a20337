"""How does raw footage become trained jobs, champions and a report?

The way in is `flow.benchmark`; `dvc.yaml` runs its stages one by one.
"""
