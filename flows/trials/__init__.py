"""Which settings of a method are better, measured without labels?

The way in is `sweep.run_sweep`; `trial` runs a single trial, and `notebook` stores the trials.
"""
