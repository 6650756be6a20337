"""Where is everything, and what is set?

The way in is `Project.at(root)`, which has the paths and settings of a checkout, and the frame store and directory of a
job. The folder also knows which datasets there are, which environment variables are set, and where a number comes from.
"""
