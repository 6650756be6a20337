"""Where does everything lie, and what is set? `Project.at(root)` is the way in: the paths of a checkout, its settings,
the frame store and the directory of a job. Also which datasets there are, and where a number comes from.
"""
