"""A region by hand: started in the background, looked at, broken and ended from a terminal."""
