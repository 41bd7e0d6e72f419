"""How far an archive comes by the NDSA Levels of Digital Preservation (version 2.0, 2019), from facts."""
