"""A resource as it lies in its folder: inventory, bag tags, names, and an instance read from them."""
