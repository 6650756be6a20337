"""How does a job run: how many at once, on which device, under which lock, and what happens when it is interrupted?

The way in is `slots.in_slot`, which runs a job when a device is free.
"""
