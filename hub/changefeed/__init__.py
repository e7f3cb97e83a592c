"""Changes on their way out: the order that all of them have, and who reads along. Writes no row of the graph."""
