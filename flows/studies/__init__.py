"""What do distortion, contamination, subsampling and another camera do to trained methods? A study is one file."""
