"""Data: layouts, labels and manifests of raw datasets, the frame store, and the sequences that are trained on."""
