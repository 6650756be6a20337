"""Which settings of a method are better, asked without labels? `trial.run_trial` is the way in."""
