"""Who is a camera's champion, by what, and how is it loaded?

`choice` chooses a job, `versions` registers and promotes it.
"""
