"""What does orchestration cost, and how far does it reach? Rehearsals run the real flow on jobs that train nothing;
schedules compute how long larger matrices take.
"""
