"""The rules of BagIt 0.93 to 1.0 and of BagIt profiles, one per file; `folder` is the list of them."""
