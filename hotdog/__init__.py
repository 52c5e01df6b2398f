"""The library behind utils.py: reading and packing pictures, weights of the source model, the studies."""
