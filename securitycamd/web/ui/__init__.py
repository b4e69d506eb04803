"""What the pages show: contexts, ready to print, and the pure functions that build them."""
