"""A small Django project around the example plugin: for `make demo`, `make serve`, and to try things out."""
