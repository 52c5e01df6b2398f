"""The exercises, and the programs that make and grade them."""
