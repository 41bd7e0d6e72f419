"""Catalogues: where people look things up. They describe what is archived; we link back. None knows another."""
