"""Who is a camera's champion, by what, and how is it loaded?

`choice` chooses a job; `versions` registers it, promotes it, takes that back, and loads what serves; `catalogue` lists
what there is.
"""
