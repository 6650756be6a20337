"""Which model is a camera's champion, by which criterion, and how is it loaded?

The way in is `versions`, which registers a job that `choice` has chosen, promotes it, rolls a promotion back, and loads
the champion. `catalogue` lists the models and their versions.
"""
