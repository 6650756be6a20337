"""Footage made here, for trials and demonstrations without a download."""
