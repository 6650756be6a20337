"""`python -m flows.cli` is `vad`."""

from flows.cli import main

main()
