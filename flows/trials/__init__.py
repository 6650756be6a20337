"""Which settings of a method are better, asked without labels? `sweep.run_sweep` is the way in; `notebook` keeps what
was tried, and `trial` does a single one.
"""
