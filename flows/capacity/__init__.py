"""What does orchestration cost, and how far does it scale?

The way in is `rehearsal.run_rehearsal`, which runs the real flow on jobs that train nothing; `schedules` computes how
long larger matrices take.
"""
