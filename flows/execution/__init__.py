"""How does a job run: how many at once, on which device, under which lock, and what happens when it is interrupted?
`slots.in_slot` is the way in.
"""
