"""How do measured numbers become tables and figures? `tables.build_results` is the way in."""
