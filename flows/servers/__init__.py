"""How do Prefect's, MLflow's and a team's servers start and stop on one machine?

`local.prefect_server` serves one command; `local.start` and `team.start_team` start what stays.
"""
