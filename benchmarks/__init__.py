"""How fast the product is, beside the limits measured in the same run. `make bench` prints one JSON line each."""
