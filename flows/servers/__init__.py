"""How do the servers of Prefect, MLflow and a team start and stop on one machine?

The way in is `local.prefect_server`, which finds or starts the server that one command needs. `local.start` and
`team.start_team` start servers that stay.
"""
